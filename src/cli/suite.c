/* suite: every file is cut into shares, the tests of which take turns, and every share is a part of
 * one kl_workers_run: a file of few long tests keeps all processors busy as well as many files do.
 * A share parses its file again, which costs little beside running it.  Threads' things are taken
 * from a stack and put back; reports wait until those before them are printed. */
#include "cli/suite.h"

#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/sync.h"
#include "cli/command.h"
#include "cli/files.h"
#include "sys/env.h"

#define REPORT_MAX      ((usize)1 << 30)
#define FILE_MEMORY_MAX ((usize)8 << 30)
#define ARENA_KEPT      ((usize)64 << 20)
#define SHARES_MAX      8

/* What one thread works with. */
struct seat {
    void *worker;
    struct kl_arena arena; /* of the file under way */
};

struct session {
    const kl_suite *suite;
    regex_t filter; /* when the suite has a pattern */
    struct kl_paths paths;
    usize shares;              /* of each file */
    struct kl_report *reports; /* one a share */
    bool *done;

    kl_mutex lock;      /* of everything below, and of stdout */
    struct seat **free; /* seats nobody works at now */
    usize free_count;
    usize printed; /* reports that are out */
    struct kl_report *sum;
};

void kl_report_say(struct kl_report *report, const char *format, ...)
{
    char line[4096];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (len > 0)
        kl_buf_bytes(&report->text, line, KL_MIN((usize)len, sizeof line - 1));
}

/* The counts of a fork, made when it is new; NULL when there are too many. */
static kl_tally *tally_of(struct kl_report *report, const char *fork)
{
    for (usize i = 0; i < report->fork_count; i++)
        if (strcmp(report->forks[i].fork, fork) == 0)
            return &report->forks[i];
    if (report->fork_count == KL_TALLY_MAX)
        return NULL;
    kl_tally *tally = &report->forks[report->fork_count++];
    (void)snprintf(tally->fork, sizeof tally->fork, "%s", fork);
    return tally;
}

static void add(struct kl_report *report, const char *fork, kl_case_end end, u64 n)
{
    kl_tally *tally = fork ? tally_of(report, fork) : NULL;
    if (tally)
        tally->cases[end] += n;
}

void kl_report_count(struct kl_report *report, const char *fork, kl_case_end end)
{
    report->cases[end]++;
    add(report, fork, end, 1);
}

/* Adds one report's counts to another's. */
static void sum_up(struct kl_report *sum, const struct kl_report *report)
{
    for (kl_case_end end = 0; end < KL_CASE_ENDS; end++) {
        sum->cases[end] += report->cases[end];
        for (usize i = 0; i < report->fork_count; i++)
            add(sum, report->forks[i].fork, end, report->forks[i].cases[end]);
    }
}

static void seat_free(struct session *s, struct seat *seat)
{
    if (seat->worker)
        s->suite->close(seat->worker);
    kl_arena_done(&seat->arena);
    free(seat);
}

static kl_status take_seat(struct session *s, struct seat **out)
{
    struct seat *seat = NULL;
    kl_lock(&s->lock);
    if (s->free_count > 0)
        seat = s->free[--s->free_count];
    kl_unlock(&s->lock);
    if (!seat) {
        seat = calloc(1, sizeof *seat);
        if (!seat)
            return KL_NOMEM;
        kl_arena_init(&seat->arena, FILE_MEMORY_MAX);
        kl_status status = s->suite->open(&seat->worker, s->suite);
        if (status != KL_OK) {
            seat_free(s, seat);
            return status;
        }
    }
    *out = seat;
    return KL_OK;
}

static void give_back(struct session *s, struct seat *seat)
{
    kl_lock(&s->lock);
    s->free[s->free_count++] = seat;
    kl_unlock(&s->lock);
}

/* Prints the reports that nothing waits for any more; the lock is held. */
static void print_ready(struct session *s)
{
    while (s->printed < s->paths.count * s->shares && s->done[s->printed]) {
        struct kl_report *report = &s->reports[s->printed++];
        fwrite(report->text.p, 1, report->text.len, stdout);
        sum_up(s->sum, report);
        kl_buf_done(&report->text);
    }
    fflush(stdout);
}

static bool is_wanted(const struct session *s, const char *name)
{
    return !s->suite->pattern || regexec(&s->filter, name, 0, NULL, 0) == 0;
}

/* The tests of a file whose turn it is in this share. */
static kl_status run_tests(struct session *s, struct seat *seat, const char *path, usize share,
                           kl_span text, struct kl_report *report)
{
    struct kl_fixture fixture;
    usize number = 0;
    kl_arena_reset(&seat->arena, ARENA_KEPT);
    KL_TRY(kl_fixture_parse(&fixture, text, &seat->arena));
    const struct kl_json *json = &fixture.json;
    if (!kl_json_is(json, 0, KL_JSON_OBJECT))
        return KL_CORRUPT;
    kl_json_ref at = kl_json_first(json, 0);
    for (; at != KL_JSON_NONE; at = kl_json_after(json, 0, kl_json_value(at))) {
        kl_suite_test test = {.path = path,
                              .fixture = &fixture,
                              .name = kl_fixture_text(&fixture, at),
                              .self = kl_json_value(at),
                              .report = report};
        if (kl_json_is(json, test.self, KL_JSON_OBJECT) && is_wanted(s, test.name) &&
            number++ % s->shares == share)
            KL_TRY(s->suite->test(seat->worker, &test));
    }
    return KL_OK;
}

static void run_share(void *ctx, usize index)
{
    struct session *s = ctx;
    const char *path = s->paths.path[index / s->shares];
    struct kl_report *report = &s->reports[index];
    struct seat *seat = NULL;
    kl_span text = KL_SPAN_NONE;
    kl_buf_init(&report->text, REPORT_MAX);
    kl_status status = take_seat(s, &seat);
    if (status == KL_OK)
        status = kl_file_load(&text, path);
    if (status == KL_OK)
        status = run_tests(s, seat, path, index % s->shares, text, report);
    if (status != KL_OK) {
        kl_report_say(report, "FAIL %s: %s\n", path, kl_status_text(status));
        kl_report_count(report, NULL, KL_CASE_FAILED);
    }
    kl_file_free(text);
    if (seat)
        give_back(s, seat);
    kl_lock(&s->lock);
    s->done[index] = true;
    print_ready(s);
    kl_unlock(&s->lock);
}

static bool collect(struct session *s, char **paths, int count)
{
    for (int i = 0; i < count; i++) {
        kl_status status = kl_paths_add(&s->paths, paths[i], ".json");
        if (status != KL_OK) {
            fprintf(stderr, "keel: %s: %s\n", paths[i], kl_status_text(status));
            return false;
        }
    }
    return true;
}

static bool run_all(struct session *s)
{
    usize threads = s->suite->serial ? 1 : kl_sys_cpu_count();
    struct kl_workers *workers = NULL;
    s->shares = KL_MIN(threads, (usize)SHARES_MAX);
    usize parts = s->paths.count * s->shares;
    s->reports = calloc(parts + 1, sizeof *s->reports);
    s->done = calloc(parts + 1, sizeof *s->done);
    s->free = calloc(threads, sizeof(struct seat *));
    bool ready = s->reports && s->done && s->free &&
                 (threads == 1 || kl_sys_workers_new(&workers, threads) == KL_OK);
    if (ready)
        kl_workers_run(workers, run_share, s, parts);
    kl_sys_workers_free(workers);
    for (usize i = 0; i < s->free_count; i++)
        seat_free(s, s->free[i]);
    return ready;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const kl_tally *)a)->fork, ((const kl_tally *)b)->fork);
}

static void print_sum(struct kl_report *sum)
{
    qsort(sum->forks, sum->fork_count, sizeof sum->forks[0], by_name);
    for (usize i = 0; i < sum->fork_count; i++) {
        const u64 *cases = sum->forks[i].cases;
        u64 total = cases[KL_CASE_PASSED] + cases[KL_CASE_FAILED] + cases[KL_CASE_SKIPPED];
        printf("tally: %s: %llu of %llu\n", sum->forks[i].fork,
               (unsigned long long)cases[KL_CASE_PASSED], (unsigned long long)total);
    }
    printf("%llu passed, %llu failed, %llu skipped\n",
           (unsigned long long)sum->cases[KL_CASE_PASSED],
           (unsigned long long)sum->cases[KL_CASE_FAILED],
           (unsigned long long)sum->cases[KL_CASE_SKIPPED]);
}

static int run_session(struct session *s, char **paths, int count)
{
    kl_mutex_init(&s->lock);
    s->sum = calloc(1, sizeof *s->sum);
    bool ran = s->sum && collect(s, paths, count) && run_all(s);
    bool good = ran && s->sum->cases[KL_CASE_FAILED] == 0;
    if (ran)
        print_sum(s->sum);
    free(s->sum);
    free(s->reports);
    free(s->done);
    free(s->free);
    kl_paths_done(&s->paths);
    kl_mutex_done(&s->lock);
    return good ? KL_EXIT_OK : KL_EXIT_FAILED;
}

int kl_suite_run(const kl_suite *suite, char **paths, int count)
{
    struct session s = {.suite = suite};
    if (suite->pattern) {
        int error = regcomp(&s.filter, suite->pattern, REG_EXTENDED | REG_NOSUB);
        if (error != 0) {
            char why[256];
            regerror(error, &s.filter, why, sizeof why);
            fprintf(stderr, "keel: --run %s: %s\n", suite->pattern, why);
            return KL_EXIT_USAGE;
        }
    }
    int code = run_session(&s, paths, count);
    if (suite->pattern)
        regfree(&s.filter);
    return code;
}
