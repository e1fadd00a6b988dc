/* load: a load of one kind, sent in one way, and what came of it.  A node that is started here is
 * started anew for each run; one that runs gets one load after the other. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/bench.h"
#include "cli/bench_drive.h"
#include "cli/command.h"

static const char *const modes[] = {[KL_BENCH_SATURATE] = "saturate",
                                    [KL_BENCH_RATE] = "rate",
                                    [KL_BENCH_BATCH] = "batch",
                                    [KL_BENCH_SYNC] = "sync"};

struct load {
    kl_bench_options common;
    kl_bench_target target;
    kl_bench_kind kind;
    kl_bench_plan plan;
    u64 count, accounts;
    struct kl_figures *figures;
};

static double ms_of(const u32 *us, usize count, unsigned per_mille)
{
    return (double)kl_percentile(us, count, per_mille) / 1e3;
}

/* The rate is over what was mined, from the first request to the last block with one of them. */
static void take_figures(struct load *load, struct kl_bench_run *run, const kl_bench_tally *tally)
{
    struct kl_figures *f = load->figures;
    double seconds = (double)KL_MAX(run->end_ns - run->start_ns, 1u) / 1e9;
    double mined = (double)run->mined;
    kl_figures_add(f, "rate", "tx/s", 0, mined / seconds);
    kl_figures_add(f, "gas", "Mgas/s", 0, (double)tally->gas / seconds / 1e6);
    kl_figures_add(f, "accepted", "tx/s", 0,
                   (double)(run->count - run->refused) * 1e9 /
                       (double)(run->sent_ns - run->start_ns));
    if (run->submit_count) {
        kl_sort_u32(run->submit_us, run->submit_count);
        kl_figures_add(f, "submit p50", "ms", 2, ms_of(run->submit_us, run->submit_count, 500));
        kl_figures_add(f, "submit p99", "ms", 2, ms_of(run->submit_us, run->submit_count, 990));
    }
    if (run->weighed) {
        kl_figures_add(f, "node cpu", "us/tx", 1,
                       (double)(run->after.cpu_ns - run->before.cpu_ns) / 1e3 /
                           (double)KL_MAX(run->mined, 1u));
        kl_figures_add(f, "peak memory", "MB", 1, (double)run->after.rss_peak_bytes / 1e6);
    }
    kl_figures_add(f, "mined", "tx", 0, mined);
    kl_figures_add(f, "blocks", "", 0,
                   run->sighting_count
                       ? (double)(run->sightings[run->sighting_count - 1].number - run->first_block)
                       : 0);
}

static void take_inclusion(struct load *load, const kl_bench_tx *txs, usize count)
{
    u32 *us = calloc(count + 1, sizeof *us);
    usize seen = 0;
    for (usize i = 0; us && i < count; i++)
        if (txs[i].seen_ns > txs[i].due_ns)
            us[seen++] = (u32)((txs[i].seen_ns - txs[i].due_ns) / 1000);
    if (seen) {
        kl_sort_u32(us, seen);
        kl_figures_add(load->figures, "inclusion p50", "ms", 1, ms_of(us, seen, 500));
        kl_figures_add(load->figures, "inclusion p99", "ms", 1, ms_of(us, seen, 990));
    }
    free(us);
}

/* False when a figure would not mean what it says. */
static bool judge(const struct kl_bench_run *run, const kl_bench_tally *tally)
{
    if (run->refused)
        fprintf(stderr, "keel bench: %zu of %zu transactions were refused: %s\n", run->refused,
                run->count, run->complaint);
    if (run->mined < run->count - run->refused)
        fprintf(stderr, "keel bench: only %zu of %zu transactions were mined\n", run->mined,
                run->count);
    if (tally->failed)
        fprintf(stderr, "keel bench: %zu of a sample of %zu transactions failed\n", tally->failed,
                tally->sampled);
    return !run->refused && !tally->failed;
}

KL_MUST_USE static kl_status measure(struct load *load, struct kl_bench_node *node,
                                     struct kl_bench_work *work, kl_bench_tx *txs, bool *good)
{
    struct kl_bench_run run = {0};
    kl_bench_tally tally = {0};
    kl_status status = kl_bench_work_open(work, node, load->kind, load->accounts);
    if (status == KL_OK)
        status = kl_bench_work_sign(work, txs, load->count);
    if (status == KL_OK)
        status = kl_bench_drive(&run, node, work, txs, load->count, &load->plan);
    if (status == KL_OK)
        status = kl_bench_count_all(&tally, &run, node, txs, load->count);
    if (status == KL_OK) {
        *good = judge(&run, &tally);
        take_figures(load, &run, &tally);
        take_inclusion(load, txs, load->count);
    }
    kl_bench_run_done(&run);
    return status;
}

KL_MUST_USE static kl_status run_once(struct load *load, bool *good)
{
    struct kl_bench_node node;
    struct kl_bench_work work = {0};
    kl_bench_tx *txs = calloc(load->count, sizeof *txs);
    kl_status status = txs ? kl_bench_node_open(&node, &load->target) : KL_NOMEM;
    if (status == KL_OK)
        status = measure(load, &node, &work, txs, good);
    if (txs) {
        kl_bench_work_close(&work);
        kl_bench_node_close(&node);
    }
    free(txs);
    return status;
}

static bool mode_of(kl_bench_mode *out, const char *name)
{
    for (usize i = 0; i < KL_COUNT_OF(modes); i++)
        if (strcmp(modes[i], name) == 0) {
            *out = (kl_bench_mode)i;
            return true;
        }
    return false;
}

static int run_all(struct load *load)
{
    char title[64];
    bool all_good = true;
    for (u64 i = 0; i < load->common.runs; i++) {
        bool good = false;
        kl_status status = run_once(load, &good);
        if (status != KL_OK) {
            fprintf(stderr, "keel bench: %s\n", kl_status_text(status));
            return KL_EXIT_FAILED;
        }
        all_good = all_good && good;
    }
    snprintf(title, sizeof title, "load %s %s", kl_bench_kind_name(load->kind),
             modes[load->plan.mode]);
    kl_figures_print(load->figures, title, load->common.json);
    return all_good ? KL_EXIT_OK : KL_EXIT_FAILED;
}

int kl_bench_load(int argc, char **argv)
{
    struct load load = {.common = KL_BENCH_OPTIONS_INIT, .count = 20000, .accounts = 100};
    u64 connections = 16, batch = 100, rate = 1000, wait_ns = (u64)60 * 1000000000;
    const char *kind = "eth", *mode = "saturate";
    const kl_option rows[] = {
        KL_BENCH_OPTION_ROWS(&load.common),
        {.kind = KL_OPTION_GROUP, .help = "The load"},
        {.kind = KL_OPTION_TEXT,
         .name = "--kind",
         .value = "KIND",
         .help = "eth, erc20 or swap (eth)",
         .into = &kind},
        {.kind = KL_OPTION_TEXT,
         .name = "--mode",
         .value = "MODE",
         .help = "saturate, rate, batch or sync (saturate)",
         .into = &mode},
        {.kind = KL_OPTION_NUMBER,
         .name = "--count",
         .value = "N",
         .help = "how many transactions (20000)",
         .into = &load.count,
         .min = 1,
         .max = 10000000},
        {.kind = KL_OPTION_NUMBER,
         .name = "--accounts",
         .value = "N",
         .help = "from so many accounts of the standard mnemonic (100)",
         .into = &load.accounts,
         .min = 1,
         .max = KL_BENCH_ACCOUNTS_MAX},
        {.kind = KL_OPTION_NUMBER,
         .name = "--connections",
         .value = "N",
         .help = "over so many connections (16)",
         .into = &connections,
         .min = 1,
         .max = 1000},
        {.kind = KL_OPTION_NUMBER,
         .name = "--batch",
         .value = "N",
         .help = "in mode batch: transactions in a request (100)",
         .into = &batch,
         .min = 1,
         .max = 10000},
        {.kind = KL_OPTION_NUMBER,
         .name = "--rate",
         .value = "N",
         .help = "in mode rate: transactions a second (1000)",
         .into = &rate,
         .min = 1,
         .max = 1000000},
        {.kind = KL_OPTION_SECONDS,
         .name = "--wait",
         .value = "SECONDS",
         .help = "how long the last ones may take to be mined (60)",
         .into = &wait_ns,
         .min = 1000000,
         .max = (u64)3600 * 1000000000},
    };
    static const kl_example examples[] = {
        {"keel bench load --kind erc20 --pid 4711", "As fast as the node at port 8545 goes"},
        {"keel bench load --mode sync --count 2000 --runs 3 -- keel dev --ephemeral --accounts 100",
         "Send, wait for the receipt, next: on three fresh nodes"},
    };
    const kl_usage usage = {.command = "bench load",
                            .arguments = "[-- COMMAND...]",
                            .help = "Sends transactions, signed beforehand, to the node at --url, "
                                    "or to one it starts by\nCOMMAND, anew for each run.  The node "
                                    "must have funded the accounts of the mnemonic\n\"test test "
                                    "test test test test test test test test test junk\".",
                            .options = rows,
                            .option_count = KL_COUNT_OF(rows),
                            .examples = examples,
                            .example_count = KL_COUNT_OF(examples),
                            .arguments_max = -1};
    int code = kl_bench_parse(&usage, &load.common, argc, argv, &load.target);
    if (code >= 0)
        return code;
    load.plan = (kl_bench_plan){
        .connections = connections, .batch = batch, .rate = (double)rate, .wait_ns = wait_ns};
    if (!kl_bench_kind_parse(&load.kind, kind) || !mode_of(&load.plan.mode, mode)) {
        fprintf(stderr,
                "keel bench load: --kind takes eth, erc20 or swap, --mode saturate, rate, batch or "
                "sync\n");
        return KL_EXIT_USAGE;
    }
    load.figures = calloc(1, sizeof *load.figures);
    code = load.figures ? run_all(&load) : KL_EXIT_FAILED;
    free(load.figures);
    return code;
}
