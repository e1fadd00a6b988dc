/* bench: `keel bench`, a workload a function.  What all that talk to a node share is here: which
 * node, how often, and how the figures are shown. */
#ifndef KL_CLI_BENCH_H
#define KL_CLI_BENCH_H

#include "cli/bench_figure.h"
#include "cli/bench_node.h"
#include "cli/option.h"

#define KL_BENCH_X(name, function, help) int function(int argc, char **argv);
#include "cli/bench.def"
#undef KL_BENCH_X

/* The options every workload on a node has. */
typedef struct kl_bench_options {
    const char *url;
    u64 pid, runs;
    bool json, loud;
} kl_bench_options;

#define KL_BENCH_OPTIONS_INIT                     \
    {                                             \
        .url = "http://127.0.0.1:8545", .runs = 1 \
    }

/* Their rows, for a workload's table. */
#define KL_BENCH_OPTION_ROWS(o)                                                           \
    {.kind = KL_OPTION_TEXT,                                                              \
     .name = "--url",                                                                     \
     .value = "URL",                                                                      \
     .help = "where the node listens (http://127.0.0.1:8545)",                            \
     .into = &(o)->url},                                                                  \
        {.kind = KL_OPTION_NUMBER,                                                        \
         .name = "--pid",                                                                 \
         .value = "PID",                                                                  \
         .help = "the process of a running node, to tell its processor time and memory",  \
         .into = &(o)->pid,                                                               \
         .min = 1,                                                                        \
         .max = INT32_MAX},                                                               \
        {.kind = KL_OPTION_NUMBER,                                                        \
         .name = "--runs",                                                                \
         .value = "N",                                                                    \
         .help = "measure so often; the median is shown",                                 \
         .into = &(o)->runs,                                                              \
         .min = 1,                                                                        \
         .max = KL_BENCH_RUNS_MAX},                                                       \
        {.name = "--json", .help = "print a line of JSON", .into = &(o)->json},           \
    {                                                                                     \
        .name = "--loud", .help = "show what the started node prints", .into = &(o)->loud \
    }

/* Parses the arguments by usage, whose arguments are the command that starts the node, none for one
 * that runs.  Returns -1 to go on, with target filled in; else the exit code. */
int kl_bench_parse(const kl_usage *usage, const kl_bench_options *options, int argc, char **argv,
                   kl_bench_target *target);

#endif
