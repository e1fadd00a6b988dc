/* lanes: host/jobs.h over threads, one a lane.
 *
 * Whoever gives jobs calls kl_lanes_settle to hear of those that have ended; ended is called on the
 * lane's thread, which has no lock, when there may be some: it may settle.  Giving and settling are
 * for one thread at a time. */
#ifndef KL_NODE_LANES_H
#define KL_NODE_LANES_H

#include "base/status.h"
#include "host/jobs.h"

struct kl_lanes;

/* Starts the threads.  KL_NOMEM; KL_LIMIT when the system has no more threads. */
KL_MUST_USE kl_status kl_lanes_new(struct kl_lanes **out, void (*ended)(void *ctx), void *ctx);
/* Ends the threads, each behind the job it is at.  What waits, or has not been settled, is
 * forgotten: run, or done, is never called. */
void kl_lanes_halt(struct kl_lanes *lanes);
void kl_lanes_free(struct kl_lanes *lanes); /* halts first; NULL is fine */

struct kl_jobs *kl_lanes_jobs(struct kl_lanes *lanes);

/* Calls done of every job that has ended, in the order in which they did. */
void kl_lanes_settle(struct kl_lanes *lanes);

#endif
