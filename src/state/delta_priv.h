/* delta_priv: how a delta lies in memory, for views, the flush and reverts. */
#ifndef KL_STATE_DELTA_PRIV_H
#define KL_STATE_DELTA_PRIV_H

#include "state/changes_priv.h"
#include "state/delta.h"

/* What deltas that descend from one root have in common. */
struct kl_lineage {
    kl_refs refs;
    u64 seed; /* of hashes; see kl_change_hash */
    kl_mutex lock;
    u64 flushed; /* under lock: steps up to this one are in the database */
};

struct kl_delta {
    kl_refs refs;
    u64 version;
    struct kl_lineage *lineage;
    struct kl_changes *own;

    /* Guarded by the lock of the state the delta belongs to. */
    struct kl_delta *parent; /* NULL: a root, or flushed */
    bool flushed;            /* it, not a rival of the same version, is in the database */
    u64 checked; /* 1 + the step of the database it was last seen to stand on; 0: none */

    usize run_count;
    struct kl_changes *runs[]; /* newest first, without gaps */
};

/* Says that steps up to `step` are in the database. */
void kl_lineage_flushed(struct kl_lineage *lineage, u64 step);

static inline u64 kl_delta_step(const struct kl_delta *delta)
{
    return delta->version + 1;
}

/* The change that decides what the key is after this delta, looked for in the steps above `above`,
 * which must be at or above the database step of the reader.  NULL: what the database says. */
const kl_change *kl_delta_find(const struct kl_delta *delta, u64 above, kl_table table,
                               kl_span key);

#endif
