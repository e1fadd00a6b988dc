/* family: commands that are several: keel db fixture, keel bench load.  One table gives the choice,
 * the help, and the hint about a mistyped name. */
#ifndef KL_CLI_FAMILY_H
#define KL_CLI_FAMILY_H

#include "base/int.h"

typedef struct kl_family_member {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0] is the member's name */
    const char *help;                  /* one line */
} kl_family_member;

typedef struct kl_family {
    const char *command; /* "bench" */
    const char *noun;    /* what a member is: "workload" */
    const char *help;    /* what they do, a sentence or two, lines broken */
    const char *more;    /* behind the list, or NULL */
    const kl_family_member *members;
    usize count;
} kl_family;

/* Runs the member that argv[1] names; --help prints the list.  Returns the process's exit code. */
int kl_family_run(const kl_family *family, int argc, char **argv);

#endif
