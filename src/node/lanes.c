#include "node/lanes.h"

#include <stdlib.h>

#include "base/sync.h"
#include "sys/thread.h"

struct queue {
    struct kl_job *first, **last;
};

struct lane {
    struct kl_lanes *lanes;
    kl_thread thread;
    kl_cond wake;
    struct queue waiting;
};

struct kl_lanes {
    struct kl_jobs jobs;
    struct lane lane[KL_LANES];
    usize started;
    void (*ended)(void *ctx);
    void *ctx;

    kl_mutex lock; /* guards what follows, and what waits in the lanes */
    struct queue settled;
    bool stop;
};

static void queue_init(struct queue *q)
{
    q->first = NULL;
    q->last = &q->first;
}

static void push(struct queue *q, struct kl_job *job)
{
    job->next = NULL;
    *q->last = job;
    q->last = &job->next;
}

static struct kl_job *pop(struct queue *q)
{
    struct kl_job *job = q->first;
    if (job) {
        q->first = job->next;
        if (!q->first)
            q->last = &q->first;
    }
    return job;
}

static void *lane_main(void *ctx)
{
    struct lane *lane = ctx;
    struct kl_lanes *lanes = lane->lanes;
    kl_lock(&lanes->lock);
    while (!lanes->stop) {
        struct kl_job *job = pop(&lane->waiting);
        if (!job) {
            kl_cond_wait(&lane->wake, &lanes->lock);
            continue;
        }
        kl_unlock(&lanes->lock);
        job->run(job);
        kl_lock(&lanes->lock);
        push(&lanes->settled, job);
        kl_unlock(&lanes->lock);
        lanes->ended(lanes->ctx);
        kl_lock(&lanes->lock);
    }
    kl_unlock(&lanes->lock);
    return NULL;
}

static void give(struct kl_jobs *jobs, kl_lane at, struct kl_job *job)
{
    struct kl_lanes *lanes = (struct kl_lanes *)jobs;
    struct lane *lane = &lanes->lane[at];
    kl_lock(&lanes->lock);
    push(&lane->waiting, job);
    kl_cond_signal(&lane->wake);
    kl_unlock(&lanes->lock);
}

static kl_status start(struct kl_lanes *lanes)
{
    static const char *const names[KL_LANES] = {
        [KL_LANE_EXECUTION] = "keel execution", [KL_LANE_LOG] = "keel votes",
        [KL_LANE_GUARD] = "keel guard",         [KL_LANE_LEDGER] = "keel ledger",
        [KL_LANE_STATE] = "keel state",
    };
    for (; lanes->started < KL_LANES; lanes->started++) {
        struct lane *lane = &lanes->lane[lanes->started];
        KL_TRY(kl_thread_start(&lane->thread, names[lanes->started], lane_main, lane));
    }
    return KL_OK;
}

kl_status kl_lanes_new(struct kl_lanes **out, void (*ended)(void *ctx), void *ctx)
{
    struct kl_lanes *lanes = calloc(1, sizeof *lanes);
    if (!lanes)
        return KL_NOMEM;
    lanes->jobs.give = give;
    lanes->ended = ended;
    lanes->ctx = ctx;
    kl_mutex_init(&lanes->lock);
    queue_init(&lanes->settled);
    for (usize i = 0; i < KL_LANES; i++) {
        lanes->lane[i].lanes = lanes;
        kl_cond_init(&lanes->lane[i].wake);
        queue_init(&lanes->lane[i].waiting);
    }
    kl_status status = start(lanes);
    if (status != KL_OK) {
        kl_lanes_free(lanes);
        return status;
    }
    *out = lanes;
    return KL_OK;
}

void kl_lanes_halt(struct kl_lanes *lanes)
{
    kl_lock(&lanes->lock);
    lanes->stop = true;
    for (usize i = 0; i < KL_LANES; i++)
        kl_cond_signal(&lanes->lane[i].wake);
    kl_unlock(&lanes->lock);
    while (lanes->started)
        kl_thread_join(lanes->lane[--lanes->started].thread);
}

void kl_lanes_free(struct kl_lanes *lanes)
{
    if (!lanes)
        return;
    kl_lanes_halt(lanes);
    for (usize i = 0; i < KL_LANES; i++)
        kl_cond_done(&lanes->lane[i].wake);
    kl_mutex_done(&lanes->lock);
    free(lanes);
}

struct kl_jobs *kl_lanes_jobs(struct kl_lanes *lanes)
{
    return &lanes->jobs;
}

void kl_lanes_settle(struct kl_lanes *lanes)
{
    kl_lock(&lanes->lock);
    for (struct kl_job *job; (job = pop(&lanes->settled)) != NULL;) {
        kl_unlock(&lanes->lock);
        job->done(job);
        kl_lock(&lanes->lock);
    }
    kl_unlock(&lanes->lock);
}
