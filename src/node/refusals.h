/* refusals: lines of the log about blocks that were proposed and got no vote of this node's.
 *
 * Of each rule the first is told, and one more each KL_REFUSALS_PAUSE_NS with the number of those
 * between: a leader that proposes nonsense whenever it is its turn fills no disk.
 * Memory is fixed.  Thread: one at a time. */
#ifndef KL_NODE_REFUSALS_H
#define KL_NODE_REFUSALS_H

#include "base/buf.h"
#include "host/replica.h"

enum { KL_REFUSALS_WAITING_MAX = 16 }; /* lines that nobody has printed yet */
#define KL_REFUSALS_PAUSE_NS UINT64_C(4000000000)

typedef struct kl_refusals {
    struct {
        u64 next_ns; /* no line before */
        u64 more;    /* left out since the last one */
    } buckets[KL_RULE_COUNT];
    struct {
        kl_replica_refusal refusal;
        u64 more;
    } waiting[KL_REFUSALS_WAITING_MAX];
    usize count;
} kl_refusals;

/* Zeroes are an empty one.  True when there is a line to print. */
KL_MUST_USE bool kl_refusals_add(kl_refusals *refusals, const kl_replica_refusal *refusal,
                                 u64 now_ns);

/* Appends the lines that wait, for people or as JSON. */
void kl_refusals_print(kl_refusals *refusals, struct kl_buf *out, bool json);

#endif
