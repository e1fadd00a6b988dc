/* reads: every connection asks the same thing again and again until the time is up. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/bench.h"
#include "cli/bench_work.h"
#include "cli/command.h"
#include "codec/hex.h"
#include "crypto/keccak.h"

#define SAMPLES_MAX ((usize)4 << 20)

struct reads;

struct reader {
    struct kl_bench_conn conn;
    struct reads *reads;
    u64 asked_ns;
};

struct reads {
    kl_bench_options common;
    kl_bench_target target;
    struct kl_bench_node node;
    struct reader *readers;
    usize connections, busy;
    struct kl_buf request;
    u64 duration_ns, end_ns;
    u32 *us; /* of each answer */
    usize count;
    bool wrong;
};

static void ask(struct reader *reader)
{
    reader->asked_ns = kl_bench_now_ns();
    kl_bench_conn_ask(&reader->conn, kl_buf_view(&reader->reads->request));
}

static void answered(struct kl_bench_conn *conn, kl_span body)
{
    static const char word[] = "\"result\"";
    struct reader *reader = conn->owner;
    struct reads *r = reader->reads;
    u64 now = kl_bench_now_ns();
    bool good = conn->status == KL_OK && memmem(body.p, body.len, word, sizeof word - 1) != NULL;
    if (!good && !r->wrong)
        fprintf(stderr, "keel bench: not an answer: %.*s\n", (int)KL_MIN(body.len, 400u), body.p);
    r->wrong = r->wrong || !good;
    if (r->count < SAMPLES_MAX)
        r->us[r->count++] = (u32)((now - reader->asked_ns) / 1000);
    if (r->wrong || now >= r->end_ns)
        r->busy--;
    else
        ask(reader);
}

KL_MUST_USE static kl_status run_kind(struct reads *r, const char *name, const char *body)
{
    struct kl_figures figures = {0};
    kl_bench_weight before, after;
    kl_buf_clear(&r->request);
    kl_bench_request(&r->request, &r->node.url, kl_span_str(body));
    for (u64 run = 0; run < r->common.runs; run++) {
        r->count = 0;
        r->busy = r->connections;
        bool weighed = kl_bench_weigh(&r->node, &before);
        u64 start = kl_bench_now_ns();
        r->end_ns = start + r->duration_ns;
        for (usize i = 0; i < r->connections; i++)
            ask(&r->readers[i]);
        while (r->busy)
            if (!kl_loop_turn(r->node.loop, UINT64_MAX))
                return KL_IO;
        u64 took = kl_bench_now_ns() - start;
        weighed = weighed && kl_bench_weigh(&r->node, &after);
        if (r->wrong)
            return KL_UNSUPPORTED;
        kl_sort_u32(r->us, r->count);
        kl_figures_add(&figures, "rate", "req/s", 0, (double)r->count * 1e9 / (double)took);
        kl_figures_add(&figures, "latency p50", "us", 0, kl_percentile(r->us, r->count, 500));
        kl_figures_add(&figures, "latency p99", "us", 0, kl_percentile(r->us, r->count, 990));
        if (weighed)
            kl_figures_add(&figures, "node cpu", "us/req", 2,
                           (double)(after.cpu_ns - before.cpu_ns) / 1e3 / (double)r->count);
    }
    kl_figures_print(&figures, name, r->common.json);
    return KL_OK;
}

KL_MUST_USE static kl_status open_readers(struct reads *r)
{
    r->readers = calloc(r->connections, sizeof *r->readers);
    r->us = calloc(SAMPLES_MAX, sizeof *r->us);
    if (!r->readers || !r->us)
        return KL_NOMEM;
    for (usize i = 0; i < r->connections; i++) {
        struct reader *reader = &r->readers[i];
        reader->reads = r;
        reader->conn.answered = answered;
        reader->conn.owner = reader;
        KL_TRY(kl_bench_conn_open(&reader->conn, r->node.loop, &r->node.url));
    }
    return KL_OK;
}

/* eth_blockNumber, eth_getBalance of an account, eth_call of balanceOf on the token. */
KL_MUST_USE static kl_status run_kinds(struct reads *r, const struct kl_bench_work *work)
{
    char body[320], account[41] = "", token[41] = "";
    kl_address holder = kl_bench_work_account(work, 1);
    kl_hex_digits(account, kl_address_span(&holder));
    kl_hex_digits(token, kl_address_span(kl_bench_work_token(work)));
    KL_TRY(open_readers(r));
    KL_TRY(run_kind(r, "reads eth_blockNumber",
                    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_blockNumber\",\"params\":[]}"));
    snprintf(body, sizeof body,
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_getBalance\",\"params\":[\"0x%s\","
             "\"latest\"]}",
             account);
    KL_TRY(run_kind(r, "reads eth_getBalance", body));
    snprintf(body, sizeof body,
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_call\",\"params\":[{\"to\":\"0x%s\","
             "\"data\":\"0x70a08231%024d%s\"},\"latest\"]}",
             token, 0, account);
    return run_kind(r, "reads eth_call balanceOf", body);
}

KL_MUST_USE static kl_status run_reads(struct reads *r)
{
    struct kl_bench_work work = {0};
    kl_buf_init(&r->request, 1 << 16);
    kl_status status = kl_bench_node_open(&r->node, &r->target);
    if (status == KL_OK)
        status = kl_bench_work_open(&work, &r->node, KL_BENCH_ERC20, 2);
    if (status == KL_OK)
        status = run_kinds(r, &work);
    for (usize i = 0; r->readers && i < r->connections; i++)
        kl_bench_conn_close(&r->readers[i].conn);
    kl_bench_work_close(&work);
    kl_bench_node_close(&r->node);
    kl_buf_done(&r->request);
    free(r->readers);
    free(r->us);
    return status;
}

int kl_bench_reads(int argc, char **argv)
{
    struct reads reads = {.common = KL_BENCH_OPTIONS_INIT, .duration_ns = (u64)3 * 1000000000};
    u64 connections = 32;
    const kl_option rows[] = {
        KL_BENCH_OPTION_ROWS(&reads.common),
        {.kind = KL_OPTION_NUMBER,
         .name = "--connections",
         .value = "N",
         .help = "over so many connections, one request under way on each (32)",
         .into = &connections,
         .min = 1,
         .max = 10000},
        {.kind = KL_OPTION_SECONDS,
         .name = "--seconds",
         .value = "SECONDS",
         .help = "for so long, each kind (3)",
         .into = &reads.duration_ns,
         .min = 1000000,
         .max = (u64)600 * 1000000000},
    };
    static const kl_example examples[] = {
        {"keel bench reads --pid 4711", "The node at port 8545"},
        {"keel bench reads --runs 3 -- keel dev --ephemeral", "One that is started for it"},
    };
    const kl_usage usage = {.command = "bench reads",
                            .arguments = "[-- COMMAND...]",
                            .help = "Asks for eth_blockNumber, for eth_getBalance, and by eth_call "
                                    "for a token's balanceOf\n(it deploys the token).",
                            .options = rows,
                            .option_count = KL_COUNT_OF(rows),
                            .examples = examples,
                            .example_count = KL_COUNT_OF(examples),
                            .arguments_max = -1};
    int code = kl_bench_parse(&usage, &reads.common, argc, argv, &reads.target);
    if (code >= 0)
        return code;
    reads.connections = connections;
    kl_status status = run_reads(&reads);
    if (status != KL_OK)
        fprintf(stderr, "keel bench: %s\n", kl_status_text(status));
    return status == KL_OK ? KL_EXIT_OK : KL_EXIT_FAILED;
}
