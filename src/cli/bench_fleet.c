#include "cli/bench_fleet.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/bench_work.h"
#include "cli/files.h"
#include "cli/node_options.h"
#include "codec/hex.h"
#include "node/network.h"
#include "node/validator_key.h"
#include "sys/env.h"
#include "sys/tcp.h"
#include "wallet/wallet.h"

#define NS_PER_S     UINT64_C(1000000000)
#define MEET_WAIT_NS (60 * NS_PER_S)
#define LAST_WAIT_NS (60 * NS_PER_S) /* for the last ones of a load */
#define POLL_NS      1000000

enum {
    PORT_FIRST = 20000, /* below those the kernel gives away by itself */
    PORT_LAST = 32000,
    PORT_TRIES = 200,
    CONNECTIONS = 16, /* of a load */
    WORDS = 16,
    EPOCH_BLOCKS = 1000,
    EMPTY_PERIOD_MS = 10000,
    DELTA_MS = 100,
};

static kl_status complain(const struct kl_fleet *fleet, kl_status status, const char *what)
{
    fprintf(stderr, "keel bench: %s: %s: %s\n", fleet->dir, what, kl_status_text(status));
    return status;
}

/* --- folders --- */

static int remove_one(const char *path, KL_UNUSED const struct stat *stat_, KL_UNUSED int kind,
                      KL_UNUSED struct FTW *at)
{
    return remove(path);
}

static void remove_tree(const char *path)
{
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void folder_of(char out[KL_FLEET_PATH], const struct kl_fleet *fleet, u32 i)
{
    int len = snprintf(out, KL_FLEET_PATH, "%s/node-%u", fleet->dir, i);
    KL_ASSERT(len > 0 && len < KL_FLEET_PATH);
}

static bool is_free(u16 port)
{
    int fd;
    if (kl_tcp_listen(&fd, "127.0.0.1", port) != KL_OK)
        return false;
    kl_tcp_close(fd);
    return true;
}

/* Twice count ports in a row on which nobody listens. */
static kl_status find_ports(struct kl_fleet *fleet)
{
    const u32 wanted = 2 * fleet->config.count;
    for (u32 try = 0; try < PORT_TRIES; try++) {
        u32 draw, found = 0;
        kl_entropy_fill(kl_sys_entropy(), &draw, sizeof draw);
        u16 first = (u16)(PORT_FIRST + draw % (PORT_LAST - PORT_FIRST));
        while (found < wanted && is_free((u16)(first + found)))
            found++;
        if (found == wanted) {
            fleet->rpc_port = first;
            fleet->peer_port = (u16)(first + fleet->config.count);
            return KL_OK;
        }
    }
    return complain(fleet, KL_BUSY, "no free ports");
}

static kl_status derive(kl_address *out, u32 count)
{
    struct kl_wallet *wallet;
    bool bad;
    KL_TRY(kl_wallet_from_mnemonic(&wallet, kl_span_str(kl_bench_mnemonic), KL_SPAN_NONE, count,
                                   &bad));
    for (u32 i = 0; i < count; i++)
        out[i] = *kl_wallet_address(wallet, i);
    kl_wallet_free(wallet);
    return KL_OK;
}

static kl_status make_network(struct kl_fleet *fleet, const kl_address *accounts)
{
    const kl_fleet_config *c = &fleet->config;
    kl_hash genesis;
    kl_node_fault fault;
    const kl_network_config config = {
        .client_version = kl_client_version,
        .dir = fleet->dir,
        .count = c->count,
        .scheme = kl_vote_scheme_of(KL_SCHEME_SECP256K1, false),
        .chain_id = 31337,
        .timestamp = kl_wall_ns(kl_sys_clock()) / NS_PER_S,
        .base_port = fleet->peer_port,
        .epoch_blocks = EPOCH_BLOCKS,
        .block_period_ms = KL_MAX(c->block_time_ns / 1000000, (u64)1),
        .empty_period_ms = EMPTY_PERIOD_MS,
        .delta_ms = DELTA_MS,
        .funded = accounts,
        .funded_count = c->accounts,
    };
    kl_status status = kl_network_make(&config, &genesis, &fault);
    if (status != KL_OK)
        fprintf(stderr, "keel bench: %s\n", fault.text);
    return status;
}

static kl_status find_program(struct kl_fleet *fleet)
{
    if (fleet->config.program) {
        snprintf(fleet->program, sizeof fleet->program, "%s", fleet->config.program);
        return KL_OK;
    }
    ssize_t len = readlink("/proc/self/exe", fleet->program, sizeof fleet->program - 1);
    return len < 0 ? KL_IO : KL_OK;
}

static kl_status make_folder(struct kl_fleet *fleet)
{
    const char *parent = fleet->config.parent, *temporary = getenv("TMPDIR");
    if (!parent)
        parent = temporary && *temporary ? temporary : "/tmp";
    if (snprintf(fleet->dir, sizeof fleet->dir, "%s/keel-bench-XXXXXX", parent) <
            KL_FLEET_PATH / 2 &&
        mkdtemp(fleet->dir))
        return KL_OK;
    fprintf(stderr, "keel bench: no folder can be made in %s\n", parent);
    fleet->dir[0] = '\0';
    return KL_IO;
}

kl_status kl_fleet_open(struct kl_fleet *fleet, const kl_fleet_config *config)
{
    *fleet = (struct kl_fleet){.config = *config};
    KL_ASSERT(config->count >= 1 && config->count <= KL_FLEET_MAX);
    KL_TRY(find_program(fleet));
    KL_TRY(make_folder(fleet));
    kl_address *accounts = calloc(config->accounts + 1, sizeof *accounts);
    kl_status status = accounts ? find_ports(fleet) : KL_NOMEM;
    if (status == KL_OK)
        status = derive(accounts, config->accounts);
    if (status == KL_OK)
        status = make_network(fleet, accounts);
    free(accounts);
    return status;
}

void kl_fleet_close(struct kl_fleet *fleet)
{
    for (u32 i = 0; i < fleet->config.count; i++)
        kl_fleet_end(fleet, i, SIGTERM);
    if (fleet->dir[0])
        remove_tree(fleet->dir);
    fleet->dir[0] = '\0';
}

/* --- nodes --- */

kl_status kl_fleet_start(struct kl_fleet *fleet, u32 i)
{
    KL_ASSERT(!fleet->up[i]);
    char dir[KL_FLEET_PATH], port[16], delay[32], silent[] = "--silent";
    folder_of(dir, fleet, i);
    snprintf(port, sizeof port, "%u", fleet->rpc_port + i);
    u64 delay_ns = fleet->config.sync_delay_ns;
    snprintf(delay, sizeof delay, "%llu.%09llu", (unsigned long long)(delay_ns / NS_PER_S),
             (unsigned long long)(delay_ns % NS_PER_S));
    char by_blocks[] = "--by-blocks";
    char *words[WORDS] = {fleet->program,
                          (char[]){"node"},
                          (char[]){"--dir"},
                          dir,
                          (char[]){"--port"},
                          port,
                          (char[]){"--fsync-delay"},
                          delay};
    usize count = 8;
    if (!fleet->config.loud)
        words[count++] = silent;
    if (fleet->by_blocks)
        words[count++] = by_blocks;
    kl_bench_target target = {.url = {.host = "127.0.0.1", .port = (u16)(fleet->rpc_port + i)},
                              .command = words,
                              .loud = fleet->config.loud};
    kl_status status = kl_bench_node_open(&fleet->nodes[i], &target);
    if (status != KL_OK)
        kl_bench_node_close(&fleet->nodes[i]);
    fleet->up[i] = status == KL_OK;
    return status;
}

void kl_fleet_end(struct kl_fleet *fleet, u32 i, int signal_number)
{
    if (!fleet->up[i])
        return;
    if (signal_number == SIGKILL)
        (void)kill(fleet->nodes[i].pid, SIGKILL);
    kl_bench_node_close(&fleet->nodes[i]);
    fleet->up[i] = false;
}

/* The chain at its beginning, in a folder that has none. */
static kl_status make_chain(struct kl_fleet *fleet, const char *dir)
{
    char path[2 * KL_FLEET_PATH];
    struct kl_node *node;
    kl_node_report report;
    kl_node_fault fault;
    kl_span genesis;
    snprintf(path, sizeof path, "%s/genesis.json", fleet->dir);
    KL_TRY(kl_file_load(&genesis, path));
    const kl_node_config config = {.client_version = kl_client_version,
                                   .dir = dir,
                                   .genesis = genesis,
                                   .durable = true,
                                   .log_fd = -1};
    kl_status status = kl_node_open(&node, &config, &report, &fault);
    if (status == KL_OK)
        kl_node_close(node);
    else
        fprintf(stderr, "keel bench: %s\n", fault.text);
    kl_file_free(genesis);
    return status;
}

kl_status kl_fleet_forget(struct kl_fleet *fleet, u32 i)
{
    static const char *const gone[] = {"ledger",     "state",     "history",
                                       "checkpoint", "consensus", KL_VALIDATOR_FOLDER};
    KL_ASSERT(!fleet->up[i]);
    char dir[KL_FLEET_PATH], path[2 * KL_FLEET_PATH];
    folder_of(dir, fleet, i);
    for (usize k = 0; k < KL_COUNT_OF(gone); k++) {
        snprintf(path, sizeof path, "%s/%s", dir, gone[k]);
        remove_tree(path);
    }
    return make_chain(fleet, dir);
}

/* --- what they say --- */

/* A quantity among what keel_status says. */
static kl_status ask(struct kl_bench_node *node, const char *const *names, u64 *out, usize count)
{
    struct kl_json json;
    kl_json_ref status;
    KL_TRY(kl_bench_call(node, "keel_status", "[]", &json, &status));
    for (usize i = 0; i < count; i++) {
        kl_json_ref ref = kl_json_member(&json, status, names[i]);
        out[i] = 0;
        if (ref == KL_JSON_NONE || kl_hex_u64(&out[i], kl_json_raw(&json, ref)) != KL_RULE_NONE)
            return KL_UNSUPPORTED;
    }
    return KL_OK;
}

static u32 up_count(const struct kl_fleet *fleet)
{
    u32 count = 0;
    for (u32 i = 0; i < fleet->config.count; i++)
        count += fleet->up[i];
    return count;
}

static kl_status have_met(struct kl_fleet *fleet, bool *out)
{
    static const char *const names[] = {"peers", "number"};
    u64 low = UINT64_MAX, high = 0;
    *out = true;
    for (u32 i = 0; i < fleet->config.count; i++) {
        u64 values[2];
        if (!fleet->up[i])
            continue;
        KL_TRY(ask(&fleet->nodes[i], names, values, KL_COUNT_OF(values)));
        *out = *out && values[0] + 1 >= up_count(fleet);
        low = KL_MIN(low, values[1]);
        high = KL_MAX(high, values[1]);
    }
    *out = *out && low == high;
    return KL_OK;
}

kl_status kl_fleet_meet(struct kl_fleet *fleet)
{
    for (u64 start = kl_bench_now_ns(); kl_bench_now_ns() - start < MEET_WAIT_NS;) {
        bool met;
        KL_TRY(have_met(fleet, &met));
        if (met)
            return KL_OK;
        kl_sys_nap(POLL_NS);
    }
    return complain(fleet, KL_TIMEOUT, "the nodes do not find one another");
}

/* Bytes a process has given to its files: not what it sent, which goes another way. */
static u64 file_bytes(pid_t pid)
{
    char path[64], line[128];
    unsigned long long value = 0;
    snprintf(path, sizeof path, "/proc/%d/io", (int)pid);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f) && sscanf(line, "wchar: %llu", &value) != 1)
        continue;
    if (f)
        fclose(f);
    return value;
}

kl_status kl_fleet_weigh(struct kl_fleet *fleet, kl_fleet_weight *out)
{
    static const char *const names[] = {"bytesSent", "number"};
    *out = (kl_fleet_weight){0};
    for (u32 i = 0; i < fleet->config.count; i++) {
        kl_bench_weight weight;
        u64 values[2];
        if (!fleet->up[i])
            continue;
        KL_TRY(ask(&fleet->nodes[i], names, values, KL_COUNT_OF(values)));
        if (!kl_bench_weigh(&fleet->nodes[i], &weight))
            return KL_UNSUPPORTED;
        out->cpu_ns += weight.cpu_ns;
        out->rss_bytes = KL_MAX(out->rss_bytes, weight.rss_bytes);
        out->sent_bytes += values[0];
        out->file_bytes += file_bytes(fleet->nodes[i].pid);
        out->height = KL_MAX(out->height, values[1]);
    }
    return KL_OK;
}

/* --- a load --- */

static kl_status drive(struct kl_fleet *fleet, struct kl_bench_run *run, kl_bench_tx *txs,
                       struct kl_bench_work *work, const kl_bench_plan *plan, usize count)
{
    kl_bench_tally tally;
    struct kl_bench_node *watched = &fleet->nodes[0];
    KL_TRY(kl_bench_work_sign(work, txs, count));
    KL_TRY(kl_bench_drive(run, watched, work, txs, count, plan));
    return kl_bench_count_all(&tally, run, watched, txs, count);
}

/* Of who is up. */
static u32 urls_of(const struct kl_fleet *fleet, kl_bench_url *urls)
{
    u32 count = 0;
    for (u32 i = 0; i < fleet->config.count; i++)
        if (fleet->up[i])
            urls[count++] = fleet->nodes[i].url;
    return count;
}

kl_status kl_fleet_drive(struct kl_fleet *fleet, kl_fleet_driven *out, struct kl_bench_work *work,
                         kl_bench_mode mode, double rate, usize count)
{
    struct kl_bench_run run = {0};
    kl_bench_url urls[KL_FLEET_MAX];
    const kl_bench_plan plan = {.mode = mode,
                                .connections = CONNECTIONS,
                                .rate = rate,
                                .wait_ns = LAST_WAIT_NS,
                                .urls = urls,
                                .url_count = urls_of(fleet, urls)};
    kl_bench_tx *txs = calloc(count + 1, sizeof *txs);
    kl_status status = txs ? drive(fleet, &run, txs, work, &plan, count) : KL_NOMEM;
    if (status == KL_OK) {
        if (run.mined < count)
            fprintf(stderr, "keel bench: only %zu of %zu transfers were mined\n", run.mined, count);
        *out = (kl_fleet_driven){run.mined, (double)run.mined * 1e9 /
                                                (double)KL_MAX(run.end_ns - run.start_ns, 1u)};
    }
    kl_bench_run_done(&run);
    free(txs);
    return status;
}
