/* solo: one producer and nobody to agree with: when is the next block due?
 *
 * A pure step machine: events and the time go in, what to do comes out. */
#ifndef KL_CONSENSUS_SOLO_H
#define KL_CONSENSUS_SOLO_H

#include "base/int.h"

typedef struct kl_solo {
    bool automine;   /* a block for each transaction, at once */
    u64 interval_ns; /* > 0: a block every interval, empty or not */
    bool on_demand;  /* only while transactions wait */
    u64 next_due_ns; /* monotonic time of the next interval block */
    bool tx_waiting;
} kl_solo;

/* What the producer should do now. */
typedef struct kl_solo_action {
    bool build;
    u64 tx_max;       /* most transactions for it */
    bool by_interval; /* it is an interval block */
    u64 wait_ns;      /* nothing to do before so long; UINT64_MAX: until an event */
} kl_solo_action;

void kl_solo_init(kl_solo *solo, bool automine, u64 interval_ns, u64 now_ns);
void kl_solo_set_automine(kl_solo *solo, bool on);
void kl_solo_set_interval(kl_solo *solo, u64 interval_ns, u64 now_ns);
/* Interval blocks only while transactions wait; the first that waits gets its block at once when
 * the interval since the last block is over. */
void kl_solo_set_on_demand(kl_solo *solo, bool on);
/* Pending transactions are, or are not, waiting in the pool. */
void kl_solo_tx_waiting(kl_solo *solo, bool waiting);
/* A block was built (or could not be): the action before is done. */
void kl_solo_built(kl_solo *solo, const kl_solo_action *action, u64 now_ns);

kl_solo_action kl_solo_next(const kl_solo *solo, u64 now_ns);

#endif
