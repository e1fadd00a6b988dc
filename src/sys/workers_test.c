#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/test.h"
#include "sys/env.h"

enum { COUNT_MAX = 300 };

/* Every part must run exactly once, with what it wrote visible to the caller afterwards. */
struct parts {
    u64 result[COUNT_MAX]; /* plain memory, so that a missing hand-over is a data race */
    usize count;
};

static void square(void *ctx, usize index)
{
    struct parts *parts = ctx;
    parts->result[index] += index * index + 1;
}

static void check_squares(struct kl_workers *workers, usize count)
{
    struct parts parts = {.count = count};
    kl_workers_run(workers, square, &parts, count);
    for (usize i = 0; i < COUNT_MAX; i++)
        CHECK_U64(parts.result[i], i < count ? i * i + 1 : 0);
}

KL_TEST(workers_run_every_part_once)
{
    check_squares(NULL, 10);
    for (usize threads = 1; threads <= 7; threads += 2) {
        struct kl_workers *workers;
        CHECK_OK(kl_sys_workers_new(&workers, threads));
        CHECK_U64(workers->threads, threads);
        for (int i = 0; i < 300; i++)
            check_squares(workers, kl_rand_below(seed, kl_rand_below(seed, 2) ? 5 : COUNT_MAX));
        kl_sys_workers_free(workers);
    }
    kl_sys_workers_free(NULL);
}

static void pause_some(void *ctx, usize index)
{
    struct timespec t = {.tv_nsec = (long)(index % 3) * 200000};
    nanosleep(&t, NULL);
    square(ctx, index);
}

/* Parts of unequal length and pauses between jobs: threads fall asleep and wake, on both sides. */
KL_TEST(workers_sleep_and_wake)
{
    struct kl_workers *workers;
    CHECK_OK(kl_sys_workers_new(&workers, 4));
    for (int i = 0; i < 40; i++) {
        struct parts parts = {0};
        usize count = 2 + kl_rand_below(seed, 12);
        kl_workers_run(workers, pause_some, &parts, count);
        for (usize n = 0; n < count; n++)
            CHECK_U64(parts.result[n], n * n + 1);
        struct timespec t = {.tv_nsec = (long)kl_rand_below(seed, 300000)};
        nanosleep(&t, NULL);
    }
    kl_sys_workers_free(workers);
}

struct caller {
    struct kl_workers *workers;
    u64 seed;
    bool wrong;
};

static void *call_often(void *ctx)
{
    struct caller *caller = ctx;
    for (int i = 0; i < 500; i++) {
        struct parts parts = {0};
        usize count = kl_rand_below(&caller->seed, 40);
        kl_workers_run(caller->workers, square, &parts, count);
        for (usize n = 0; n < COUNT_MAX; n++)
            caller->wrong |= parts.result[n] != (n < count ? n * n + 1 : 0);
    }
    return NULL;
}

KL_TEST(workers_serve_several_callers)
{
    struct caller caller[4];
    pthread_t thread[4];
    struct kl_workers *workers;
    CHECK_OK(kl_sys_workers_new(&workers, 3));
    for (usize i = 0; i < 4; i++) {
        caller[i] = (struct caller){.workers = workers, .seed = kl_rand(seed)};
        CHECK(pthread_create(&thread[i], NULL, call_often, &caller[i]) == 0);
    }
    for (usize i = 0; i < 4; i++) {
        CHECK(pthread_join(thread[i], NULL) == 0);
        CHECK(!caller[i].wrong);
    }
    kl_sys_workers_free(workers);
}

static void meet(void *ctx, KL_UNUSED usize index)
{
    pthread_barrier_wait(ctx);
}

/* All threads work at once: each part waits for all the others. */
KL_TEST(workers_run_side_by_side)
{
    enum { THREADS = 4 };
    struct kl_workers *workers;
    pthread_barrier_t barrier;
    CHECK(pthread_barrier_init(&barrier, NULL, THREADS) == 0);
    CHECK_OK(kl_sys_workers_new(&workers, THREADS));
    for (int i = 0; i < 100; i++)
        kl_workers_run(workers, meet, &barrier, THREADS);
    kl_sys_workers_free(workers);
    pthread_barrier_destroy(&barrier);
}

/* Processor time of an idle pool is nothing. */
KL_TEST(workers_do_not_spin_when_idle)
{
    struct kl_workers *workers;
    CHECK_OK(kl_sys_workers_new(&workers, 4));
    check_squares(workers, 100);
    struct timespec settle = {.tv_nsec = 50000000}, idle = {.tv_nsec = 200000000}, before, after;
    nanosleep(&settle, NULL);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    nanosleep(&idle, NULL);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    i64 used = (after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec;
    CHECK(used < 100000000);
    kl_sys_workers_free(workers);
}
