/* jobs: where a machine's slow work is done, so that nothing on its own thread waits for a disk or
 * the EVM.
 *
 * A job runs on the thread of its lane, behind all jobs given to that lane before it; afterwards
 * done is called under the lock that it was given under, in the order in which jobs ended.  Lanes
 * work at the same time.  node has a thread for each; the simulator has virtual time, and decides
 * when a job begins, how long it takes, and whether a crash comes first: then done is never called,
 * and what run left behind is for the disk to say. */
#ifndef KL_HOST_JOBS_H
#define KL_HOST_JOBS_H

#include "base/int.h"

typedef enum kl_lane {
    KL_LANE_EXECUTION, /* build, judge, append and write; account facts for the pool */
    KL_LANE_LOG,       /* the consensus log: append, write, sync */
    KL_LANE_GUARD,     /* the sign guard, signatures */
    KL_LANE_LEDGER,    /* the ledger's sync */
    KL_LANE_STATE,     /* flushes to the state database */
    KL_LANES,
} kl_lane;

/* Embedded in whatever it works on, which stays until done has been called. */
struct kl_job {
    void (*run)(struct kl_job *job);
    void (*done)(struct kl_job *job); /* may free it */
    struct kl_job *next;              /* the lane's */
};

struct kl_jobs {
    void (*give)(struct kl_jobs *jobs, kl_lane lane, struct kl_job *job);
};

static inline void kl_jobs_give(struct kl_jobs *jobs, kl_lane lane, struct kl_job *job)
{
    jobs->give(jobs, lane, job);
}

#endif
