/* bench: finds the workload and hands over, as cli.c does with commands. */
#include "cli/bench.h"

#include <stdio.h>

#include "cli/command.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} workloads[] = {
#define KL_BENCH_X(name, function, help) {name, function, help},
#include "cli/bench.def"
#undef KL_BENCH_X
};

static void print_help(FILE *to)
{
    fprintf(to, "usage: keel bench WORKLOAD [OPTION]... [ARGUMENT]...\n\n"
                "Measures.  What talks to a node works with any Ethereum node.\n\nworkloads:\n");
    for (usize i = 0; i < KL_COUNT_OF(workloads); i++)
        fprintf(to, "  %-12s %s\n", workloads[i].name, workloads[i].help);
    fprintf(to, "\n'keel bench WORKLOAD --help' tells more about one.\n");
}

int kl_cmd_bench(int argc, char **argv)
{
    const char *names[KL_COUNT_OF(workloads)];
    const char *name = argc > 1 ? argv[1] : NULL;
    if (!name) {
        print_help(stderr);
        return KL_EXIT_USAGE;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        print_help(stdout);
        return KL_EXIT_OK;
    }
    for (usize i = 0; i < KL_COUNT_OF(workloads); i++) {
        names[i] = workloads[i].name;
        if (strcmp(name, names[i]) == 0)
            return workloads[i].run(argc - 1, argv + 1);
    }
    const char *near = kl_suggest(name, names, KL_COUNT_OF(workloads));
    fprintf(stderr, "keel bench: unknown workload %s%s%s\n", name, near ? "; did you mean " : "",
            near ? near : "");
    return KL_EXIT_USAGE;
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
