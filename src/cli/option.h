/* option: a command's options as a table, from which everything about them comes: parsing and its
 * checks, `--help`, environment variables, and hints about mistyped names.
 *
 * An option is set by its name ("--port 8545", "--port=8545"), by its letter ("-p 8545", "-p8545"),
 * or by the environment variable of its name ("KEEL_PORT=8545"), which the command line overrides.
 * Of an option given twice the last one counts. */
#ifndef KL_CLI_OPTION_H
#define KL_CLI_OPTION_H

#include "base/u256.h"

typedef enum kl_option_kind {
    KL_OPTION_FLAG,    /* bool: takes no value; in the environment 1 or 0 */
    KL_OPTION_TEXT,    /* const char *: any text but an empty one */
    KL_OPTION_NUMBER,  /* u64 from min to max; decimal, or hexadecimal with 0x */
    KL_OPTION_SECONDS, /* u64, nanoseconds from min to max; written in seconds: 2, 0.5, 4ms */
    KL_OPTION_ETHER,   /* kl_u256, wei; written in ether: 10000, 0.25 */
    KL_OPTION_GROUP,   /* no option: a title in the help, which is its `help` */
} kl_option_kind;

typedef struct kl_option {
    kl_option_kind kind;
    const char *name;  /* "--block-time" */
    const char *other; /* another spelling that is understood and not shown, or NULL */
    char letter;       /* 'b' for "-b", or 0 */
    const char *value; /* "SECONDS", what the help calls the value; NULL for flags */
    const char *help;  /* one line; NULL: the help does not show the option */
    void *into;        /* where the value goes; untouched when the option is not given */
    bool *given;       /* set when it is given; may be NULL */
    u64 min, max;      /* of NUMBER and SECONDS */
} kl_option;

typedef struct kl_example {
    const char *line; /* "keel dev --block-time 2" */
    const char *what; /* "A block every two seconds" */
} kl_example;

typedef struct kl_usage {
    const char *command;   /* "statetest" */
    const char *arguments; /* "PATH...", or "" */
    const char *help;      /* what it does, one paragraph, lines broken */
    const kl_option *options;
    usize option_count;
    const kl_example *examples;
    usize example_count;
    int arguments_min, arguments_max; /* how many it takes; max -1: any number */
} kl_usage;

/* Reads the environment and argv[1 …] against usage: options are filled in and taken out, arguments
 * stay, in order, at argv[1 …], argv[*count + 1] being NULL.  `--` ends the options.  Returns -1
 * when the command should go on; else it is done (`--help`, or a usage error, which has been
 * printed) and this is the exit code. */
int kl_options_parse(const kl_usage *usage, int argc, char **argv, int *count);

/* Puts text into the option's place; false when it is no such value. */
KL_MUST_USE bool kl_option_set(const kl_option *option, const char *text);
/* What the option takes: "a number from 1 to 10". */
#define KL_EXPECTS_MAX 128
void kl_option_expects(char out[KL_EXPECTS_MAX], const kl_option *option);
/* The environment variable of an option's name: "KEEL_BLOCK_TIME". */
void kl_option_variable(char out[64], const kl_option *option);

/* `keel COMMAND --help`, to standard output. */
void kl_usage_print(const kl_usage *usage);

#endif
