/* start: how long a node takes from nothing to its first answer, and what it holds when nobody asks
 * anything. */
#include "cli/bench.h"
#include "cli/command.h"
#include "sys/env.h"

#define SETTLE_NS 500000000 /* until its memory is looked at */

KL_MUST_USE static kl_status run_once(struct kl_figures *figures, const kl_bench_target *target)
{
    struct kl_bench_node node;
    kl_bench_weight weight;
    kl_status status = kl_bench_node_open(&node, target);
    if (status == KL_OK) {
        kl_figures_add(figures, "first answer", "ms", 1, (double)node.first_answer_ns / 1e6);
        kl_sys_nap(SETTLE_NS);
        if (kl_bench_weigh(&node, &weight)) {
            kl_figures_add(figures, "idle memory", "MB", 1, (double)weight.rss_bytes / 1e6);
            kl_figures_add(figures, "cpu until idle", "ms", 1, (double)weight.cpu_ns / 1e6);
        }
    }
    kl_bench_node_close(&node);
    return status;
}

int kl_bench_start(int argc, char **argv)
{
    kl_bench_options options = KL_BENCH_OPTIONS_INIT;
    const kl_option rows[] = {KL_BENCH_OPTION_ROWS(&options)};
    static const kl_example examples[] = {
        {"keel bench start --runs 20 -- keel dev --ephemeral", "keel dev, twenty times"},
    };
    const kl_usage usage = {.command = "bench start",
                            .arguments = "-- COMMAND...",
                            .help = "Starts a node, waits for its first answer to "
                                    "eth_blockNumber, and ends it.",
                            .options = rows,
                            .option_count = KL_COUNT_OF(rows),
                            .examples = examples,
                            .example_count = KL_COUNT_OF(examples),
                            .arguments_min = 1,
                            .arguments_max = -1};
    struct kl_figures figures = {0};
    kl_bench_target target;
    int code = kl_bench_parse(&usage, &options, argc, argv, &target);
    if (code >= 0)
        return code;
    for (u64 i = 0; i < options.runs; i++)
        if (run_once(&figures, &target) != KL_OK)
            return KL_EXIT_FAILED;
    kl_figures_print(&figures, "start", options.json);
    return KL_EXIT_OK;
}
