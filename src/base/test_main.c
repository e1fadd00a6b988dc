#include "base/test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct kl_test *tests;
static jmp_buf end_of_test;
static const struct kl_test *running;
static u64 running_seed;
static u8 hex_pool[1 << 20];
static usize hex_used;

enum { PASSED, FAILED, SKIPPED };

void kl_test_add(struct kl_test *test)
{
    struct kl_test **link = &tests;
    while (*link && strcmp((*link)->name, test->name) < 0)
        link = &(*link)->next;
    test->next = *link;
    *link = test;
}

static void print_seed(void)
{
    if (running)
        fprintf(stderr, "  in %s; repeat with: 0x%llx %s\n", running->name,
                (unsigned long long)running_seed, running->name);
}

_Noreturn void kl_test_fail(const char *file, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    print_seed();
    longjmp(end_of_test, 1 + FAILED);
}

_Noreturn void kl_test_skip(const char *reason)
{
    printf("skipped: %s: %s\n", running->name, reason);
    longjmp(end_of_test, 1 + SKIPPED);
}

static void print_bytes(const char *label, kl_span s)
{
    fprintf(stderr, "  %s (%zu bytes): ", label, s.len);
    for (usize i = 0; i < KL_MIN(s.len, (usize)256); i++)
        fprintf(stderr, "%02x", s.p[i]);
    fprintf(stderr, "%s\n", s.len > 256 ? "…" : "");
}

void kl_test_tally(const char *suite, usize passed, usize total)
{
    printf("tally: %s: %zu of %zu\n", suite, passed, total);
}

void kl_test_left_out(const char *suite, usize count, const char *why)
{
    printf("left out: %s: %zu: %s\n", suite, count, why);
}

void kl_test_same_bytes(const char *file, int line, kl_span got, kl_span want)
{
    if (kl_span_eq(got, want))
        return;
    print_bytes("got ", got);
    print_bytes("want", want);
    kl_test_fail(file, line, "bytes differ");
}

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

kl_span kl_test_hex(const char *hex)
{
    if (hex[0] == '0' && hex[1] == 'x')
        hex += 2;
    u8 *start = hex_pool + hex_used;
    int high = -1;
    for (; *hex; hex++) {
        int d = digit(*hex);
        if (d < 0)
            continue;
        if (high < 0) {
            high = d;
            continue;
        }
        KL_ASSERT(hex_used < sizeof hex_pool);
        hex_pool[hex_used++] = (u8)(high << 4 | d);
        high = -1;
    }
    KL_ASSERT(high < 0);
    return kl_span_of(start, (usize)(hex_pool + hex_used - start));
}

const char *kl_test_source_root(void)
{
    const char *root = getenv("KEEL_SOURCE_ROOT");
    return root ? root : KL_SOURCE_ROOT;
}

static const struct kl_test *deepest;
static usize deepest_bytes;

struct run {
    const struct kl_test *test;
    u64 seed;
    int ended;
};

/* On the thread of the test, from which kl_test_fail comes back here. */
static void run_body(void *ctx)
{
    struct run *run = ctx;
    run->ended = setjmp(end_of_test);
    if (run->ended != 0)
        return;
    run->test->run(&run->seed);
    run->ended = 1 + PASSED;
}

static int run_one(const struct kl_test *test, u64 seed)
{
    struct run run = {test, seed, 0};
    running = test;
    running_seed = seed;
    hex_used = 0;
    usize used = kl_test_on_stack(run_body, &run);
    if (used > deepest_bytes) {
        deepest_bytes = used;
        deepest = test;
    }
    running = NULL;
    kl_test_files_done();
    return run.ended - 1;
}

int main(int argc, char **argv)
{
    bool has_seed = argc > 1 && strncmp(argv[1], "0x", 2) == 0;
    u64 seed = has_seed ? strtoull(argv[1], NULL, 16) : (u64)time(NULL) * 0x9e3779b97f4a7c15u;
    const char *part = argc > 1 + has_seed ? argv[1 + has_seed] : "";
    kl_panic_hook(print_seed);
    unsigned count[3] = {0};
    for (const struct kl_test *test = tests; test; test = test->next)
        if (strstr(test->name, part))
            count[run_one(test, seed)]++;
    if (deepest)
        printf("stack: at most %zu of %u KiB, by %s\n", (deepest_bytes + 1023) >> 10,
               KL_TEST_STACK_BYTES >> 10, deepest->name);
    printf("%u passed, %u failed, %u skipped\n", count[PASSED], count[FAILED], count[SKIPPED]);
    return count[FAILED] != 0;
}
