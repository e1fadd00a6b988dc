/* suite: runs a kind of official tests over all files below some paths, on all processors, and
 * prints what they report in the order of the files. */
#ifndef KL_CLI_SUITE_H
#define KL_CLI_SUITE_H

#include "base/buf.h"
#include "cli/fixture.h"

/* What cases came to, all of them or those of one fork. */
typedef enum kl_case_end {
    KL_CASE_PASSED,
    KL_CASE_FAILED,
    KL_CASE_SKIPPED,
    KL_CASE_ENDS,
} kl_case_end;

enum { KL_TALLY_MAX = 64, KL_TALLY_NAME_MAX = 48 };

/* Counts under the name that the fixtures give the fork. */
typedef struct kl_tally {
    char fork[KL_TALLY_NAME_MAX];
    u64 cases[KL_CASE_ENDS];
} kl_tally;

/* What the cases of one file, or of one share of it, came to. */
struct kl_report {
    struct kl_buf text; /* printed when everything before it is done */
    u64 cases[KL_CASE_ENDS];
    kl_tally forks[KL_TALLY_MAX];
    usize fork_count;
};

/* Adds to the report's text. */
void kl_report_say(struct kl_report *report, const char *format, ...) KL_PRINTF(2, 3);

/* Counts a case; fork NULL: of none in particular. */
void kl_report_count(struct kl_report *report, const char *fork, kl_case_end end);

/* One member of a file: a test by name. */
typedef struct kl_suite_test {
    const char *path, *name;
    struct kl_fixture *fixture; /* its arena lives as long as the file */
    kl_json_ref self;
    struct kl_report *report;
} kl_suite_test;

typedef struct kl_suite {
    /* A worker's own things; it runs one test at a time. */
    kl_status (*open)(void **worker, const struct kl_suite *suite);
    void (*close)(void *worker);
    /* Runs the cases of a test.  A status says that they could not be run. */
    kl_status (*test)(void *worker, const kl_suite_test *test);
    const char *pattern; /* a regular expression for tests' names; NULL takes all */
    bool serial;         /* one test after the other, on this thread */
    bool json;           /* what the kind of test makes of it */
} kl_suite;

/* Runs the suite over paths (files, or folders of .json files), prints the reports, a line
 * "tally: FORK: PASSED of TOTAL" for each fork, and a last line "N passed, N failed, N skipped";
 * returns the process's exit code. */
int kl_suite_run(const kl_suite *suite, char **paths, int count);

#endif
