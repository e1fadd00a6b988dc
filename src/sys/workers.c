/* A pool of threads that take parts of jobs.
 *
 * A job lives on the stack of the thread that runs it and is listed in the pool while it has parts
 * that nobody has taken.  Every thread takes the next part by adding one to a counter, without the
 * mutex; the caller works too, so a job is finished even if no worker wakes in time.  A job counts
 * the workers inside it; when the caller has found no more parts and that count is zero, all is
 * done.
 *
 * A thread with nothing to do looks around for a few microseconds before it sleeps: jobs often come
 * in bursts, and waking a thread costs more than that. */
#include <stdatomic.h>
#include <stdlib.h>

#include "base/sync.h"
#include "sys/env.h"
#include "sys/thread.h"

enum { SPINS = 500 };

struct job {
    void (*part)(void *ctx, usize index);
    void *ctx;
    usize count;
    atomic_size_t next; /* the next part to take; may run past count */
    atomic_uint inside; /* workers that may still touch the job; raised under the mutex */
    struct job *after;  /* in the pool's list, while listed */
    bool listed;
};

struct pool {
    struct kl_workers workers;
    kl_thread *threads;
    usize thread_count; /* started */
    atomic_uint open;   /* jobs listed; a hint when read without the mutex */
    kl_mutex mutex;     /* over what follows */
    kl_cond work, done;
    struct job *jobs;
    unsigned idle, waiting; /* workers asleep; callers asleep */
    bool stopping;
};

static void pause_cpu(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

static void take_parts(struct job *job)
{
    for (;;) {
        usize i = atomic_fetch_add_explicit(&job->next, 1, memory_order_relaxed);
        if (i >= job->count)
            return;
        job->part(job->ctx, i);
    }
}

/* The mutex is held. */
static void list_job(struct pool *pool, struct job *job)
{
    struct job **link = &pool->jobs;
    while (*link)
        link = &(*link)->after;
    *link = job;
    job->listed = true;
    atomic_fetch_add_explicit(&pool->open, 1, memory_order_relaxed);
}

/* The mutex is held. */
static void unlist_job(struct pool *pool, struct job *job)
{
    if (!job->listed)
        return;
    struct job **link = &pool->jobs;
    while (*link != job)
        link = &(*link)->after;
    *link = job->after;
    job->listed = false;
    atomic_fetch_sub_explicit(&pool->open, 1, memory_order_relaxed);
}

static void wait_for_work(struct pool *pool)
{
    kl_unlock(&pool->mutex);
    for (int i = 0; i < SPINS && !atomic_load_explicit(&pool->open, memory_order_relaxed); i++)
        pause_cpu();
    kl_lock(&pool->mutex);
    while (!pool->jobs && !pool->stopping) {
        pool->idle++;
        kl_cond_wait(&pool->work, &pool->mutex);
        pool->idle--;
    }
}

static void *worker_main(void *ctx)
{
    struct pool *pool = ctx;
    kl_lock(&pool->mutex);
    for (;;) {
        if (!pool->jobs && !pool->stopping)
            wait_for_work(pool);
        struct job *job = pool->jobs;
        if (!job)
            break;
        atomic_fetch_add_explicit(&job->inside, 1, memory_order_relaxed);
        kl_unlock(&pool->mutex);
        take_parts(job);
        kl_lock(&pool->mutex);
        unlist_job(pool, job);
        /* The caller may return, and the job be gone, as soon as this count is down. */
        atomic_fetch_sub_explicit(&job->inside, 1, memory_order_release);
        if (pool->waiting)
            kl_cond_broadcast(&pool->done);
    }
    kl_unlock(&pool->mutex);
    return NULL;
}

static bool left_alone(struct job *job)
{
    return atomic_load_explicit(&job->inside, memory_order_acquire) == 0;
}

/* The job is not listed, so nobody can enter it any more. */
static void wait_until_left(struct pool *pool, struct job *job)
{
    for (int i = 0; i < SPINS; i++) {
        if (left_alone(job))
            return;
        pause_cpu();
    }
    kl_lock(&pool->mutex);
    while (!left_alone(job)) {
        pool->waiting++;
        kl_cond_wait(&pool->done, &pool->mutex);
        pool->waiting--;
    }
    kl_unlock(&pool->mutex);
}

static void run(struct kl_workers *workers, void (*part)(void *ctx, usize index), void *ctx,
                usize count)
{
    struct pool *pool = (struct pool *)workers;
    struct job job = {.part = part, .ctx = ctx, .count = count};
    kl_lock(&pool->mutex);
    list_job(pool, &job);
    usize wake = KL_MIN(pool->idle, count - 1), idle = pool->idle;
    kl_unlock(&pool->mutex);
    if (wake == idle && wake > 0)
        kl_cond_broadcast(&pool->work);
    else
        for (; wake > 0; wake--)
            kl_cond_signal(&pool->work);
    take_parts(&job);
    kl_lock(&pool->mutex);
    unlist_job(pool, &job);
    kl_unlock(&pool->mutex);
    wait_until_left(pool, &job);
}

kl_status kl_sys_workers_new(struct kl_workers **out, usize threads)
{
    KL_ASSERT(threads >= 1);
    struct pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return KL_NOMEM;
    pool->workers = (struct kl_workers){.run = run, .threads = threads};
    kl_mutex_init(&pool->mutex);
    kl_cond_init(&pool->work);
    kl_cond_init(&pool->done);
    pool->threads = calloc(threads, sizeof *pool->threads);
    while (pool->threads && pool->thread_count < threads - 1 &&
           kl_thread_start(&pool->threads[pool->thread_count], "keel worker", worker_main, pool) ==
               KL_OK)
        pool->thread_count++;
    if (pool->thread_count < threads - 1 || !pool->threads) {
        kl_sys_workers_free(&pool->workers);
        return KL_NOMEM;
    }
    *out = &pool->workers;
    return KL_OK;
}

void kl_sys_workers_free(struct kl_workers *workers)
{
    struct pool *pool = (struct pool *)workers;
    if (!pool)
        return;
    kl_lock(&pool->mutex);
    KL_ASSERT(!pool->jobs);
    pool->stopping = true;
    kl_cond_broadcast(&pool->work);
    kl_unlock(&pool->mutex);
    for (usize i = 0; i < pool->thread_count; i++)
        kl_thread_join(pool->threads[i]);
    kl_cond_done(&pool->done);
    kl_cond_done(&pool->work);
    kl_mutex_done(&pool->mutex);
    free(pool->threads);
    free(pool);
}
