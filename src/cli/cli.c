/* cli: finds the command and hands over. */
#include "cli/command.h"

#include <stdio.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
#define KL_COMMAND_X(name, function, help) {name, function, help},
#include "cli/command.def"
#undef KL_COMMAND_X
};

static void print_help(void)
{
    printf("usage: keel COMMAND [OPTION]... [ARGUMENT]...\n\ncommands:\n");
    for (usize i = 0; i < KL_COUNT_OF(commands); i++)
        printf("  %-12s %s\n", commands[i].name, commands[i].help);
    printf("\n'keel help COMMAND' tells more about one.  'keel --version' prints the version.\n");
}

static int unknown_command(const char *typed)
{
    const char *names[KL_COUNT_OF(commands)];
    for (usize i = 0; i < KL_COUNT_OF(commands); i++)
        names[i] = commands[i].name;
    const char *near = kl_suggest(typed, names, KL_COUNT_OF(commands));
    fprintf(stderr, "keel: unknown command %s", typed);
    if (near)
        fprintf(stderr, "; did you mean %s?\n", near);
    else
        fprintf(stderr, "\nTry 'keel --help'.\n");
    return KL_EXIT_USAGE;
}

static int run_command(int argc, char **argv)
{
    for (usize i = 0; i < KL_COUNT_OF(commands); i++)
        if (strcmp(argv[0], commands[i].name) == 0)
            return commands[i].run(argc, argv);
    return unknown_command(argv[0]);
}

/* 'keel help dev' is 'keel dev --help'. */
static int help_about(char *name)
{
    char option[] = "--help";
    char *argv[] = {name, option, NULL};
    return run_command(2, argv);
}

int kl_cli_main(int argc, char **argv)
{
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    if (argc > 0 && strcmp(slash ? slash + 1 : argv[0], "evm") == 0)
        return kl_cmd_evm(argc, argv);
    if (argc < 2) {
        print_help();
        return KL_EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "help") == 0 && argc > 2)
        return help_about(argv[2]);
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help();
        return KL_EXIT_OK;
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
        printf("keel %s\n", KL_VERSION);
        return KL_EXIT_OK;
    }
    return run_command(argc - 1, argv + 1);
}
