/* test: a test registers itself and gets a seed.
 *
 *     KL_TEST(rlp_round_trip)
 *     {
 *         CHECK(kl_rand(seed) != 7);
 *     }
 *
 * Program: `x_test [SEED] [NAME-PART]` runs all tests whose name holds NAME-PART, each on a thread
 * whose stack has KL_TEST_STACK_BYTES and ends in a page that cannot be touched: whatever code a
 * test reaches, it fits.  A failure prints the seed that repeats it.  The line before the last says
 * how much stack was used at most, the last is "N passed, N failed, N skipped". */
#ifndef KL_BASE_TEST_H
#define KL_BASE_TEST_H

#include "base/rand.h"
#include "base/rule.h"
#include "base/span.h"
#include "base/status.h"

/* Half of what a thread of the node has (sys/thread.h). */
#define KL_TEST_STACK_BYTES (512 << 10)

struct kl_test {
    const char *name;
    void (*run)(u64 *seed);
    struct kl_test *next;
};

void kl_test_add(struct kl_test *test);

/* Ends the running test as failed, with the place and a printf message. */
_Noreturn void kl_test_fail(const char *file, int line, const char *format, ...) KL_PRINTF(3, 4);

/* Ends the running test as skipped; the reason is printed and counted by name. */
_Noreturn void kl_test_skip(const char *reason);

void kl_test_same_bytes(const char *file, int line, kl_span got, kl_span want);

/* Bytes of a hex text ("0x" and blanks allowed), from a pool that lives as long as the test. */
kl_span kl_test_hex(const char *hex);

/* The folder of the source tree, so that tests find checked-in data. */
const char *kl_test_source_root(void);

/* The folder of the official fixtures: KEEL_FIXTURES, or `fixtures` beside the test program.  Skips
 * the test when there is none. */
const char *kl_test_fixtures(void);

/* The bytes of a file, with a NUL behind them, until the test ends; fails the test without it. */
kl_span kl_test_file(const char *path);

/* Calls each for every file below folder whose name ends in suffix, by name; returns how many. */
usize kl_test_files(const char *folder, const char *suffix,
                    void (*each)(void *ctx, const char *path, kl_span bytes), void *ctx);

/* Removes a file, or a folder with all that is in it; links are not followed. */
void kl_test_remove(const char *path);

/* Gives back what kl_test_file holds; the harness calls it behind each test. */
void kl_test_files_done(void);

/* Runs body, which must not end the test, on such a thread; returns how many bytes of its stack it
 * used, 0 under a sanitizer. */
usize kl_test_on_stack(void (*body)(void *ctx), void *ctx);

/* Says how many vectors of an official suite hold, for docs/conformance.md. */
void kl_test_tally(const char *suite, usize passed, usize total);

/* Says how many more of it cannot be run at all and why, for the same place. */
void kl_test_left_out(const char *suite, usize count, const char *why);

#define KL_TEST(id)                                                   \
    static void test_##id(u64 *seed);                                 \
    static struct kl_test reg_##id = {.name = #id, .run = test_##id}; \
    __attribute__((constructor)) static void add_##id(void)           \
    {                                                                 \
        kl_test_add(&reg_##id);                                       \
    }                                                                 \
    static void test_##id(KL_UNUSED u64 *seed)

#define CHECK(condition) \
    ((condition) ? (void)0 : kl_test_fail(__FILE__, __LINE__, "%s", #condition))

/* The wanted value stands second. */
#define CHECK_U64(got, want)                                                             \
    do {                                                                                 \
        u64 check_got = (u64)(got), check_want = (u64)(want);                            \
        if (check_got != check_want)                                                     \
            kl_test_fail(__FILE__, __LINE__, "%s is %llu, not %llu", #got,               \
                         (unsigned long long)check_got, (unsigned long long)check_want); \
    } while (0)

#define CHECK_OK(status)                                                                       \
    do {                                                                                       \
        kl_status check_status = (status);                                                     \
        if (check_status != KL_OK)                                                             \
            kl_test_fail(__FILE__, __LINE__, "%s: %s", #status, kl_status_text(check_status)); \
    } while (0)

#define CHECK_RULE(rule, want)                                                                    \
    do {                                                                                          \
        kl_rule check_rule = (rule), check_want = (want);                                         \
        if (check_rule != check_want)                                                             \
            kl_test_fail(__FILE__, __LINE__, "%s is %s, not %s", #rule, kl_rule_name(check_rule), \
                         kl_rule_name(check_want));                                               \
    } while (0)

#define CHECK_SPAN(got, want) kl_test_same_bytes(__FILE__, __LINE__, (got), (want))
#define CHECK_HEX(got, hex)   kl_test_same_bytes(__FILE__, __LINE__, (got), kl_test_hex(hex))

#endif
