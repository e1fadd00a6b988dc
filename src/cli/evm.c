/* evm: the commands that geth's evm has, under its names.  A link called "evm" to keel is this
 * command, so that tools which look for that program find one. */
#include <stdio.h>

#include "cli/command.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"run", kl_cmd_evm_run, "Run code as one message"},
    {"t8n", kl_cmd_t8n, "keel t8n"},
    {"transition", kl_cmd_t8n, "the same"},
    {"statetest", kl_cmd_statetest, "keel statetest"},
    {"blocktest", kl_cmd_blocktest, "keel blocktest"},
};

static void print_help(FILE *out)
{
    fprintf(out, "usage: keel evm COMMAND [OPTION]... [ARGUMENT]...\n\n"
                 "Commands of geth's evm.  Run by the name evm (ln -s keel evm) keel is that "
                 "program:\nevm t8n, evm run.\n\ncommands:\n");
    for (usize i = 0; i < KL_COUNT_OF(commands); i++)
        fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].help);
    fprintf(out, "\n'keel evm COMMAND --help' tells more about one.\n\nexamples:\n"
                 "  keel evm run 0x6001600201\n      Run some code\n");
}

int kl_cmd_evm(int argc, char **argv)
{
    const char *typed = argc > 1 ? argv[1] : "", *names[KL_COUNT_OF(commands)];
    if (strcmp(typed, "--version") == 0 || strcmp(typed, "-v") == 0) {
        printf("evm version %s-keel\n", KL_VERSION);
        return KL_EXIT_OK;
    }
    if (strcmp(typed, "--help") == 0 || strcmp(typed, "-h") == 0) {
        print_help(stdout);
        return KL_EXIT_OK;
    }
    for (usize i = 0; i < KL_COUNT_OF(commands); i++) {
        if (strcmp(typed, commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
        names[i] = commands[i].name;
    }
    const char *near = kl_suggest(typed, names, KL_COUNT_OF(commands));
    if (near)
        fprintf(stderr, "keel evm: unknown command %s; did you mean %s?\n", typed, near);
    else
        print_help(stderr);
    return KL_EXIT_USAGE;
}
