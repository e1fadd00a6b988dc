/* bench: finds the workload and hands over, as cli.c does with commands. */
#include "cli/bench.h"

#include <stdio.h>

#include "cli/command.h"
#include "cli/family.h"

int kl_cmd_bench(int argc, char **argv)
{
    static const kl_family_member workloads[] = {
#define KL_BENCH_X(name, function, help) {name, function, help},
#include "cli/bench.def"
#undef KL_BENCH_X
    };
    const kl_family family = {
        .command = "bench",
        .noun = "workload",
        .help = "Measures.  What talks to a node works with any Ethereum node.",
        .members = workloads,
        .count = KL_COUNT_OF(workloads),
    };
    return kl_family_run(&family, argc, argv);
}

int kl_bench_parse(const kl_usage *usage, const kl_bench_options *options, int argc, char **argv,
                   kl_bench_target *target)
{
    int count, code = kl_options_parse(usage, argc, argv, &count);
    if (code >= 0)
        return code;
    *target = (kl_bench_target){
        .pid = options->pid, .command = count ? argv + 1 : NULL, .loud = options->loud};
    if (!kl_bench_url_parse(&target->url, options->url)) {
        fprintf(stderr, "keel %s: --url takes http://ADDRESS:PORT, not '%s'\n", usage->command,
                options->url);
        return KL_EXIT_USAGE;
    }
    if (count && options->pid) {
        fprintf(stderr, "keel %s: --pid is for a node that runs, not for one to be started\n",
                usage->command);
        return KL_EXIT_USAGE;
    }
    return -1;
}
