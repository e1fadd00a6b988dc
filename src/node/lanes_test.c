#include <sched.h>
#include <stdatomic.h>

#include "base/test.h"
#include "node/lanes.h"

enum { JOBS = 2000 };

struct work {
    struct kl_job job;
    struct rig *rig;
    kl_lane lane;
    usize number; /* in its lane */
    bool ran;
};

struct rig {
    struct kl_lanes *lanes;
    struct work work[JOBS];
    usize given;
    atomic_size_t next[KL_LANES]; /* numbers that run next */
    usize numbers[KL_LANES];
    usize settled[KL_LANES];
    atomic_size_t ended;
};

static void run(struct kl_job *job)
{
    struct work *work = (struct work *)job;
    CHECK_U64(atomic_fetch_add(&work->rig->next[work->lane], 1), work->number);
    work->ran = true;
}

static void give(struct rig *rig, kl_lane lane);

/* Every other job asks for one more, of another lane. */
static void done(struct kl_job *job)
{
    struct work *work = (struct work *)job;
    CHECK(work->ran);
    CHECK_U64(work->rig->settled[work->lane]++, work->number);
    if (work->number % 2 && work->rig->given < JOBS)
        give(work->rig, (work->lane + 1) % KL_LANES);
}

static void give(struct rig *rig, kl_lane lane)
{
    struct work *work = &rig->work[rig->given++];
    *work = (struct work){.job = {.run = run, .done = done}, .rig = rig, .lane = lane};
    work->number = rig->numbers[lane]++;
    kl_jobs_give(kl_lanes_jobs(rig->lanes), lane, &work->job);
}

static void ended(void *ctx)
{
    atomic_fetch_add(&((struct rig *)ctx)->ended, 1);
}

static usize settled(const struct rig *rig)
{
    usize sum = 0;
    for (usize i = 0; i < KL_LANES; i++)
        sum += rig->settled[i];
    return sum;
}

/* Property: each lane runs its jobs in order, one at a time; done comes on the giver's thread, in
 * that order. */
KL_TEST(lanes_run_in_order)
{
    static struct rig rig;
    memset(&rig, 0, sizeof rig);
    CHECK(kl_lanes_new(&rig.lanes, ended, &rig) == KL_OK);
    while (rig.given < JOBS) {
        give(&rig, (kl_lane)kl_rand_below(seed, KL_LANES));
        if (kl_rand_below(seed, 4) == 0)
            kl_lanes_settle(rig.lanes);
    }
    while (settled(&rig) < JOBS) {
        kl_lanes_settle(rig.lanes);
        sched_yield();
    }
    CHECK_U64(rig.given, JOBS);
    for (usize i = 0; i < KL_LANES; i++)
        CHECK_U64(rig.settled[i], rig.numbers[i]);
    kl_lanes_free(rig.lanes);
    CHECK_U64(atomic_load(&rig.ended), JOBS);
}

KL_TEST(lanes_without_work_end)
{
    static struct rig rig;
    memset(&rig, 0, sizeof rig);
    CHECK(kl_lanes_new(&rig.lanes, ended, &rig) == KL_OK);
    kl_lanes_settle(rig.lanes);
    kl_lanes_free(rig.lanes);
    kl_lanes_free(NULL);
}

static void count_run(struct kl_job *job)
{
    atomic_fetch_add(&((struct work *)job)->rig->next[0], 1);
}

static void never(struct kl_job *job)
{
    (void)job;
    CHECK(false);
}

/* What waits when the lanes are halted is neither run afterwards nor done. */
KL_TEST(lanes_halt_forgets)
{
    static struct rig rig;
    memset(&rig, 0, sizeof rig);
    CHECK(kl_lanes_new(&rig.lanes, ended, &rig) == KL_OK);
    for (usize i = 0; i < 100; i++) {
        rig.work[i] = (struct work){.job = {.run = count_run, .done = never}, .rig = &rig};
        kl_jobs_give(kl_lanes_jobs(rig.lanes), (kl_lane)(i % KL_LANES), &rig.work[i].job);
    }
    kl_lanes_halt(rig.lanes);
    usize ran = atomic_load(&rig.next[0]);
    CHECK(ran <= 100);
    kl_lanes_free(rig.lanes);
    CHECK_U64(atomic_load(&rig.next[0]), ran);
}
