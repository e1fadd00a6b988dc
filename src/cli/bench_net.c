/* net: what a network of validators does on this machine: processes of this program on loopback,
 * one phase after the other, on one chain:
 *
 *   idle       nobody sends anything
 *   light      a transaction at a time, at a node by lot, further apart than blocks; the answer to
 *              eth_sendRawTransactionSync comes when the node has it in a final block
 *   saturated  as many transfers as go in, to all nodes
 *   deaths     a validator is killed while light transactions go on at the others
 *   catching up  a node begins anew from the genesis, by blocks, and again, by state */
#include <stdio.h>
#include <stdlib.h>

#include "base/rand.h"
#include "cli/bench.h"
#include "cli/bench_catch.h"
#include "cli/command.h"
#include "codec/hex.h"
#include "sys/env.h"

#define NS_PER_S      UINT64_C(1000000000)
#define NS_PER_MS     UINT64_C(1000000)
#define FINAL_WAIT_NS (60 * NS_PER_S)
#define POLL_NS       NS_PER_MS

enum {
    ACCOUNTS = 100,
    ROUNDS = 2, /* of leaders, for a death and for later */
    STRETCH = 64,
};

struct net_bench {
    u64 nodes, runs, block_time_ns, sync_delay_ns, idle_ns, light, transfers, deaths, blocks;
    const char *dir, *program;
    bool json, loud;
    struct kl_fleet fleet;
    struct kl_bench_work work;
    struct kl_figures figures;
    u64 lots; /* a generator's state */
    u32 *us;  /* of light transactions */
    double light_p50_ms;
};

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
    (void)number;
    stopping = 1;
}

static kl_status go_on(void)
{
    return stopping ? KL_CANCELED : KL_OK;
}

static void put(struct net_bench *b, const char *name, const char *unit, unsigned decimals,
                double value)
{
    kl_figures_add(&b->figures, name, unit, decimals, value);
}

static double ms_of(u64 ns)
{
    return (double)ns / 1e6;
}

/* --- idle --- */

static kl_status idle(struct net_bench *b)
{
    kl_fleet_weight before, after;
    if (!b->idle_ns)
        return KL_OK;
    KL_TRY(kl_fleet_meet(&b->fleet));
    KL_TRY(kl_fleet_weigh(&b->fleet, &before));
    u64 start = kl_bench_now_ns();
    while (kl_bench_now_ns() - start < b->idle_ns) {
        KL_TRY(go_on());
        kl_sys_nap(KL_MIN(b->idle_ns, 100 * NS_PER_MS));
    }
    u64 span = kl_bench_now_ns() - start;
    KL_TRY(kl_fleet_weigh(&b->fleet, &after));
    put(b, "idle memory", "MB", 1, (double)after.rss_bytes / 1e6);
    put(b, "idle cpu", "%", 2,
        100.0 * (double)(after.cpu_ns - before.cpu_ns) / (double)span / (double)b->nodes);
    return KL_OK;
}

/* --- a transaction at a time --- */

static kl_status poll_receipt(struct kl_bench_node *node, const kl_bench_tx *tx, u64 start)
{
    while (kl_bench_now_ns() - start < FINAL_WAIT_NS) {
        struct kl_json json;
        kl_json_ref receipt;
        KL_TRY(kl_bench_receipt(node, &tx->hash, &json, &receipt));
        if (kl_json_is(&json, receipt, KL_JSON_OBJECT))
            return KL_OK;
        KL_TRY(go_on());
        kl_sys_nap(POLL_NS);
    }
    fprintf(stderr, "keel bench net: a transaction did not become final\n");
    return KL_TIMEOUT;
}

/* Sends it and waits until it is final there. */
static kl_status send_one(struct kl_bench_node *node, const kl_bench_tx *tx, u32 *us)
{
    struct kl_buf body;
    struct kl_json json;
    kl_buf_init(&body, 1 << 16);
    kl_buf_str(&body, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_sendRawTransactionSync\","
                      "\"params\":[\"0x");
    u8 *digits = kl_buf_extend(&body, 2 * tx->raw.len);
    if (digits)
        kl_hex_digits((char *)digits, tx->raw);
    kl_buf_str(&body, "\",\"0x1388\"]}");
    u64 start = kl_bench_now_ns();
    kl_status status = body.failed ? KL_NOMEM : kl_bench_post(node, kl_buf_view(&body), &json);
    kl_buf_done(&body);
    KL_TRY(status);
    if (kl_json_member(&json, 0, "result") == KL_JSON_NONE)
        KL_TRY(poll_receipt(node, tx, start)); /* it said that it would take longer */
    *us = (u32)KL_MIN((kl_bench_now_ns() - start) / 1000, UINT32_MAX);
    return KL_OK;
}

/* count light transactions, each at one of those who run, by lot: leaders take turns. */
static kl_status send_light(struct net_bench *b, u32 *us, usize count)
{
    kl_bench_tx *txs = calloc(count + 1, sizeof *txs);
    kl_status status = txs ? kl_bench_work_sign(&b->work, txs, count) : KL_NOMEM;
    for (usize i = 0; i < count && status == KL_OK; i++) {
        u32 node;
        do
            node = (u32)kl_rand_below(&b->lots, b->nodes);
        while (!b->fleet.up[node]);
        /* the pauses differ, lest they keep step with anything */
        kl_sys_nap(b->block_time_ns + b->block_time_ns * (i % 8 + 1) / 16);
        status = send_one(&b->fleet.nodes[node], &txs[i], &us[i]);
        if (status == KL_OK)
            status = go_on();
    }
    free(txs);
    return status;
}

static kl_status light(struct net_bench *b)
{
    kl_fleet_weight before, after;
    u32 warm[2 * KL_FLEET_MAX];
    if (!b->light)
        return KL_OK;
    KL_TRY(send_light(b, warm, 2 * b->nodes));
    KL_TRY(kl_fleet_meet(&b->fleet));
    KL_TRY(kl_fleet_weigh(&b->fleet, &before));
    KL_TRY(send_light(b, b->us, b->light));
    KL_TRY(kl_fleet_meet(&b->fleet));
    KL_TRY(kl_fleet_weigh(&b->fleet, &after));
    kl_sort_u32(b->us, b->light);
    b->light_p50_ms = (double)kl_percentile(b->us, b->light, 500) / 1e3;
    put(b, "final p50", "ms", 2, b->light_p50_ms);
    put(b, "final p99", "ms", 2, (double)kl_percentile(b->us, b->light, 990) / 1e3);
    double blocks = (double)KL_MAX(after.height - before.height, 1u),
           all = blocks * (double)b->nodes;
    put(b, "light cpu", "ms/block", 2, ms_of(after.cpu_ns - before.cpu_ns) / all);
    put(b, "light network", "B/block", 0, (double)(after.sent_bytes - before.sent_bytes) / all);
    put(b, "light disk", "B/block", 0, (double)(after.file_bytes - before.file_bytes) / all);
    return KL_OK;
}

/* --- as much as goes in --- */

static kl_status saturated(struct net_bench *b)
{
    kl_fleet_weight before, after;
    kl_fleet_driven driven;
    if (!b->transfers)
        return KL_OK;
    KL_TRY(kl_fleet_weigh(&b->fleet, &before));
    KL_TRY(kl_fleet_drive(&b->fleet, &driven, &b->work, KL_BENCH_SATURATE, 0, b->transfers));
    KL_TRY(kl_fleet_meet(&b->fleet));
    KL_TRY(kl_fleet_weigh(&b->fleet, &after));
    double mined = (double)KL_MAX(driven.mined, 1u);
    put(b, "rate", "tx/s", 0, driven.rate);
    put(b, "saturated cpu", "us/tx", 1, (double)(after.cpu_ns - before.cpu_ns) / 1e3 / mined);
    put(b, "saturated network", "B/tx", 0,
        (double)(after.sent_bytes - before.sent_bytes) / mined / (double)b->nodes);
    put(b, "saturated blocks", "", 0, (double)(after.height - before.height));
    put(b, "memory behind it", "MB", 1, (double)after.rss_bytes / 1e6);
    return KL_OK;
}

/* --- deaths --- */

static double most_ms(const u32 *us, usize count)
{
    u32 most = 0;
    for (usize i = 0; i < count; i++)
        most = KL_MAX(most, us[i]);
    return (double)most / 1e3;
}

/* What the worst of the transactions that follow waited beyond the usual. */
static kl_status die(struct net_bench *b, u32 victim)
{
    u32 us[2 * ROUNDS * KL_FLEET_MAX];
    const usize count = ROUNDS * b->nodes;
    kl_fleet_end(&b->fleet, victim, SIGKILL);
    KL_TRY(send_light(b, us, 2 * count));
    put(b, "lost at a death", "ms", 1, most_ms(us, count) - b->light_p50_ms);
    put(b, "lost later", "ms", 1, most_ms(us + count, count) - b->light_p50_ms);
    KL_TRY(kl_fleet_start(&b->fleet, victim));
    return kl_fleet_meet(&b->fleet);
}

static kl_status deaths(struct net_bench *b)
{
    if (b->nodes < 4 || !b->light)
        return KL_OK;
    for (u64 i = 0; i < b->deaths; i++)
        KL_TRY(die(b, (u32)(i % b->nodes)));
    return KL_OK;
}

/* --- catching up --- */

/* All that the chain holds. */
static u64 sent_so_far(const struct net_bench *b)
{
    u64 sum = 0;
    for (usize i = 0; i < ACCOUNTS; i++)
        sum += b->work.nonces[i];
    return sum;
}

/* Until the chain is long enough that a node without data takes the state of the others. */
static kl_status lengthen(struct net_bench *b)
{
    u32 us[STRETCH];
    for (;;) {
        u64 height;
        KL_TRY(kl_bench_call_u64(&b->fleet.nodes[0], "eth_blockNumber", "[]", &height));
        if (height >= b->blocks)
            return kl_fleet_meet(&b->fleet);
        KL_TRY(send_light(b, us, KL_MIN(b->blocks - height, (u64)STRETCH)));
    }
}

static kl_status catch_up(struct net_bench *b, bool by_blocks, const char *const *names)
{
    kl_bench_caught caught;
    kl_address account = kl_bench_work_account(&b->work, 0);
    KL_TRY(kl_bench_catch_up(&b->fleet, (u32)b->nodes - 1, by_blocks, &account, &caught));
    double seconds = (double)caught.took_ns / 1e9, blocks = (double)caught.height,
           transactions = (double)KL_MAX(sent_so_far(b), 1u);
    if (!by_blocks && !caught.by_state) {
        fprintf(stderr, "keel bench net: %llu blocks are too few to be caught up with by state\n",
                (unsigned long long)caught.height);
        return KL_OK;
    }
    put(b, names[0], "s", 2, seconds);
    put(b, names[1], "blocks/s", 0, blocks / seconds);
    put(b, names[2], "tx/s", 0, transactions / seconds);
    put(b, names[3], "us/tx", 1, (double)caught.cpu_ns / 1e3 / transactions);
    if (by_blocks)
        return KL_OK;
    put(b, "by state records", "blocks/s", 0,
        (double)caught.blocks * 1e3 / (double)KL_MAX(caught.blocks_ms, 1u));
    put(b, "by state leaves", "", 0, (double)caught.leaves);
    put(b, "by state leaf rate", "leaves/s", 0,
        (double)caught.leaves * 1e3 / (double)KL_MAX(caught.leaves_ms, 1u));
    return KL_OK;
}

/* A new node, and then another one, each from its start and with the whole chain to fetch. */
static kl_status catching_up(struct net_bench *b)
{
    static const char *const by_blocks[] = {"by blocks", "by blocks blocks", "by blocks rate",
                                            "by blocks cpu"};
    static const char *const by_state[] = {"by state", "by state blocks", "by state rate",
                                           "by state cpu"};
    if (b->nodes < 4 || !b->blocks)
        return KL_OK;
    KL_TRY(lengthen(b));
    KL_TRY(catch_up(b, true, by_blocks));
    return catch_up(b, false, by_state);
}

/* --- the whole --- */

static kl_status run_phases(struct net_bench *b)
{
    for (u32 i = 0; i < b->nodes; i++)
        KL_TRY(kl_fleet_start(&b->fleet, i));
    KL_TRY(idle(b));
    KL_TRY(kl_bench_work_open(&b->work, &b->fleet.nodes[0], KL_BENCH_ETH, ACCOUNTS));
    KL_TRY(light(b));
    KL_TRY(saturated(b));
    KL_TRY(deaths(b));
    return catching_up(b);
}

static kl_status run_once(struct net_bench *b)
{
    const kl_fleet_config config = {.program = b->program,
                                    .parent = b->dir,
                                    .count = (u32)b->nodes,
                                    .accounts = ACCOUNTS,
                                    .block_time_ns = b->block_time_ns,
                                    .sync_delay_ns = b->sync_delay_ns,
                                    .loud = b->loud,
                                    .stop = &stopping};
    kl_status status = kl_fleet_open(&b->fleet, &config);
    if (status == KL_OK) {
        b->work = (struct kl_bench_work){0};
        status = run_phases(b);
        kl_bench_work_close(&b->work);
    }
    kl_fleet_close(&b->fleet);
    return status;
}

static int run(struct net_bench *b)
{
    char title[64];
    const struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    kl_status status = KL_OK;
    for (u64 i = 0; i < b->runs && status == KL_OK; i++)
        status = run_once(b);
    if (status != KL_OK) {
        fprintf(stderr, "keel bench net: %s\n", kl_status_text(status));
        return KL_EXIT_FAILED;
    }
    snprintf(title, sizeof title, "net %llu, syncs + %.0f ms", (unsigned long long)b->nodes,
             ms_of(b->sync_delay_ns));
    kl_figures_print(&b->figures, title, b->json);
    return KL_EXIT_OK;
}

static int parse(struct net_bench *b, int argc, char **argv)
{
    const kl_option rows[] = {
        {KL_OPTION_GROUP, .help = "the network"},
        {KL_OPTION_NUMBER, "--nodes", .letter = 'n', .value = "N", .help = "validators (4)",
         .min = 1, .max = KL_FLEET_MAX, .into = &b->nodes},
        {KL_OPTION_SECONDS, "--block-time", .value = "SECONDS",
         .help = "between blocks under load (0.1)", .min = NS_PER_MS, .max = 10 * NS_PER_S,
         .into = &b->block_time_ns},
        {KL_OPTION_SECONDS, "--fsync-delay", .value = "SECONDS",
         .help = "every sync takes that much longer: 4ms for a slow disk", .max = NS_PER_S,
         .into = &b->sync_delay_ns},
        {KL_OPTION_TEXT, "--dir", .value = "FOLDER",
         .help = "make the network's folder in this one (TMPDIR, /tmp)", .into = &b->dir},
        {KL_OPTION_GROUP, .help = "phases"},
        {KL_OPTION_SECONDS, "--seconds", .value = "SECONDS", .help = "of being idle (10)",
         .max = 3600 * NS_PER_S, .into = &b->idle_ns},
        {KL_OPTION_NUMBER, "--light", .value = "N", .help = "transactions one at a time (200)",
         .max = 100000, .into = &b->light},
        {KL_OPTION_NUMBER, "--transfers", .value = "N", .help = "as fast as they go in (30000)",
         .max = 1000000, .into = &b->transfers},
        {KL_OPTION_NUMBER, "--deaths", .value = "N", .help = "of validators, one at a time (4)",
         .max = 64, .into = &b->deaths},
        {KL_OPTION_NUMBER, "--blocks", .value = "N",
         .help = "that a new node has to catch up with, at least; 0: none does (300)",
         .max = 1000000, .into = &b->blocks},
        {KL_OPTION_GROUP, .help = "figures"},
        {KL_OPTION_NUMBER, "--runs", .value = "N",
         .help = "on so many fresh networks; the median is shown (1)", .min = 1, .max = 8,
         .into = &b->runs},
        {KL_OPTION_FLAG, "--json", .help = "print a line of JSON", .into = &b->json},
        {KL_OPTION_FLAG, "--loud", .help = "show what the nodes print", .into = &b->loud},
        {KL_OPTION_TEXT, "--program", .value = "FILE", .into = &b->program},
    };
    static const kl_example examples[] = {
        {"keel bench net", "All figures: about a minute"},
        {"keel bench net --fsync-delay 4ms --light 1000 --transfers 0 --deaths 0",
         "Time to finality on a disk whose syncs take 4 ms"},
    };
    const kl_usage usage = {
        .command = "bench net",
        .arguments = "",
        .help = "Runs validators as processes on loopback and measures: memory and processor time\n"
                "of an idle one; submit to final, one transaction at a time; transfers a second;\n"
                "time lost to a dead leader; bytes a block; how fast a new node catches up.",
        .options = rows,
        .option_count = KL_COUNT_OF(rows),
        .examples = examples,
        .example_count = KL_COUNT_OF(examples),
    };
    int count;
    return kl_options_parse(&usage, argc, argv, &count);
}

int kl_bench_net(int argc, char **argv)
{
    struct net_bench *b = calloc(1, sizeof *b);
    if (!b)
        return KL_EXIT_FAILED;
    b->nodes = 4;
    b->runs = 1;
    b->block_time_ns = NS_PER_S / 10;
    b->idle_ns = 10 * NS_PER_S;
    b->light = 200;
    b->transfers = 30000;
    b->deaths = 4;
    b->blocks = 300;
    int code = parse(b, argc, argv);
    b->us = code < 0 ? calloc(b->light + 1, sizeof *b->us) : NULL;
    if (code < 0)
        code = b->us ? run(b) : KL_EXIT_FAILED;
    free(b->us);
    free(b);
    return code;
}
