/* state_priv: the insides that the files of this layer share. */
#ifndef KL_STATE_STATE_PRIV_H
#define KL_STATE_STATE_PRIV_H

#include "base/arena.h"
#include "base/sync.h"
#include "state/delta_priv.h"
#include "state/history_priv.h"
#include "state/state.h"

/* Most views at one time. */
#define KL_STATE_VIEW_MAX 4096

struct kl_state {
    struct kl_kv *kv;
    struct kl_history *history; /* NULL: none is kept */

    kl_mutex lock; /* held for a few instructions and a snapshot at most */
    u64 step;      /* of the database: 1 + its version; 0: empty */
    u64 oldest;    /* version that the history reaches */
    /* A commit is under way, or failed: what a fresh snapshot holds must be read from it. */
    bool unsure;
    struct kl_view *open, *idle;
    usize open_count, idle_count;
    u8 anchor[KL_ANCHOR_MAX];
    usize anchor_len;
};

struct kl_view {
    struct kl_trie_source tries;
    struct kl_state *state;
    struct kl_kv_read *read;
    u64 base;                     /* step of the snapshot */
    u64 step;                     /* of the version that is read */
    struct kl_delta *delta;       /* step > base: what lies above the snapshot */
    struct kl_history_reader old; /* step < base */
    struct kl_arena values;       /* handed out and not anybody else's */
    struct kl_view *next, **link; /* in open; idle ones have next only */
};

/* Reads META's tip: step 0 when there is none. */
KL_MUST_USE kl_status kl_state_read_tip(struct kl_kv_read *read, u64 *step, kl_span *anchor);
/* Format and tip: what is written with them is the state of that version. */
KL_MUST_USE kl_status kl_state_put_tip(struct kl_kv_write *write, u64 version, kl_span anchor);

/* A snapshot and the step it holds; the lock must be held. */
KL_MUST_USE kl_status kl_state_snapshot(struct kl_state *state, struct kl_kv_read **out, u64 *step);

/* Does delta descend from what the database holds at `step`, which is below it?  Lock held. */
bool kl_delta_stands_on(struct kl_delta *delta, u64 step);

/* Opens a view at delta, at `step` when that is not 0, or where the database is; the lock is held.
 */
KL_MUST_USE kl_status kl_view_open(struct kl_state *state, struct kl_delta *delta, u64 step,
                                   struct kl_view **out);

/* Gives back the memory of a view that is in no list. */
void kl_view_free(struct kl_view *view);

#endif
