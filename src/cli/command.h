/* command: keel's front door.  A command is a row of command.def and a function; its options are a
 * table, from which parsing, `--help` and the hints about mistyped names all come. */
#ifndef KL_CLI_COMMAND_H
#define KL_CLI_COMMAND_H

#include "base/int.h"

/* Exit codes: what was asked for went wrong; what was asked for makes no sense. */
#define KL_EXIT_OK     0
#define KL_EXIT_FAILED 1
#define KL_EXIT_USAGE  2

#define KL_COMMAND_X(name, function, help) int function(int argc, char **argv);
#include "cli/command.def"
#undef KL_COMMAND_X

/* An option: a flag when `value` is NULL, else it takes a value: `--run REGEX` or `--run=REGEX`. */
typedef struct kl_option {
    const char *name;  /* "--run" */
    const char *value; /* "REGEX" */
    const char *help;
    bool *flag;
    const char **text;
} kl_option;

typedef struct kl_usage {
    const char *command;   /* "statetest" */
    const char *arguments; /* "PATH..." */
    const char *help;      /* what it does, one paragraph */
    const kl_option *options;
    usize option_count;
    int arguments_min, arguments_max; /* how many it takes; max -1: any number */
} kl_usage;

/* Reads argv[1 …] against usage: options are filled in and taken out, arguments stay, in order, at
 * argv[1 …], argv[*count + 1] being NULL.  `--` ends the options.  Returns -1 when the command
 * should go on; else it is done (`--help`, or a usage error, which has been printed) and this is
 * the exit code. */
int kl_options_parse(const kl_usage *usage, int argc, char **argv, int *count);

/* A name close to what was typed, or NULL: at most a third of the letters differ. */
const char *kl_suggest(const char *typed, const char *const *names, usize count);

/* Runs keel: argv as main has it. */
int kl_cli_main(int argc, char **argv);

#endif
