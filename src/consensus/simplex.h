/* simplex: Simplex BFT with rotating leaders, a pure step machine.
 *
 * In a view its leader proposes a block; who finds it valid signs notarize; a quorum of those opens
 * the next view, and who saw it signs finalize; a quorum of those makes the block and its ancestors
 * final.  When a view comes to nothing its validators sign nullify, a quorum of which opens the
 * next view too.  Nobody signs both finalize and nullify in one view.  A proposal names its
 * parent's view, and whoever votes for it holds proof that each view in between was nullified: that
 * is the safety argument.  docs/internals/consensus.md walks through it; rules are tagged [Simplex
 * R4].
 *
 * It owns no clock, thread, socket, file or heap: events (bft.h) and the time go in, effects come
 * out, and equal inputs give equal effects.  One validator alone is a quorum: every vote makes its
 * own certificate, and the same code runs a solo chain.
 *
 * Memory is the caller's, kl_simplex_footprint bytes, and never grows:
 *   window   a ring of views: half below the current one, half above.  Per view one vote slot for
 *            each (validator, kind) and one certificate of each kind.  Votes outside are dropped;
 *            certificates are taken at any view.  Of views that left the ring below, what a parent
 *            check needs is kept: the newest notarized block and the nullified run above it.
 *
 * Thread: one at a time. */
#ifndef KL_CONSENSUS_SIMPLEX_H
#define KL_CONSENSUS_SIMPLEX_H

#include "consensus/bft.h"

enum {
    KL_SIMPLEX_WINDOW_MIN = 8,
    KL_SIMPLEX_WINDOW_MAX = 1024,
    KL_SIMPLEX_REPLY_MAX = 32, /* certificates for one request */
};

typedef struct kl_simplex_config {
    kl_vote_domain domain;
    u32 validators_max;  /* of any epoch, at most KL_VALIDATORS_MAX */
    u32 window;          /* views; a power of two */
    u64 block_period_ns; /* between a block and the next */
    u64 delta_ns;        /* what a message takes: the unit of patience; > 0 */
    u64 retry_ns;        /* between repetitions while stuck; > 0 */
    u64 empty_period_ns; /* 0: a block every period; else how long an idle chain stays silent */
    bool signing;        /* vote; false: observe */
    kl_bft_epoch epoch;  /* the first */
} kl_simplex_config;

struct kl_simplex;

/* Bytes for kl_simplex_init, and effects that any one step can append. */
usize kl_simplex_footprint(const kl_simplex_config *config);
usize kl_simplex_effects_max(const kl_simplex_config *config);

/* room: footprint bytes, aligned to 64.  The config is copied; it is asserted to be within the
 * limits above.  Returns the machine, which lies in room. */
struct kl_simplex *kl_simplex_init(void *room, const kl_simplex_config *config);

/* Appends effects; out->cap - out->count must be at least kl_simplex_effects_max (asserted).  Time
 * is monotonic.  KL_BFT_RESTORE_* come before KL_BFT_START, all others behind it (asserted);
 * KL_BFT_SIGNING comes at any time, since what is restored may speak against it. */
void kl_simplex_step(struct kl_simplex *s, const kl_bft_event *event, u64 now_ns,
                     kl_bft_effects *out);

/* Why no block is coming, for status. */
typedef enum kl_simplex_why {
    KL_SIMPLEX_MOVING,         /* nothing is overdue */
    KL_SIMPLEX_IDLE,           /* no transaction waits */
    KL_SIMPLEX_WAITS_PROPOSAL, /* of the leader */
    KL_SIMPLEX_WAITS_BODY,     /* a block is proposed or notarized, its body is missing */
    KL_SIMPLEX_WAITS_PARENT,   /* certificates below the proposal are missing */
    KL_SIMPLEX_WAITS_NOTARIZE, /* have of need, missing */
    KL_SIMPLEX_WAITS_NULLIFY,  /* have of need, missing */
    KL_SIMPLEX_WAITS_DISK,     /* a vote is decided and not yet durable or signed */
    KL_SIMPLEX_WAITS_EPOCH,    /* the next set */
    KL_SIMPLEX_DIFFERS,        /* a quorum notarized a block that is invalid here */
} kl_simplex_why;

typedef struct kl_simplex_status {
    kl_simplex_why why;
    bool signing;
    u64 epoch, view, entered_ns;
    u32 leader;
    bool leader_is_skipped;
    kl_proposal final, notarized;      /* newest */
    u64 have, need;                    /* weight of the votes that are waited for */
    u8 missing[KL_VALIDATORS_MAX / 8]; /* who has not cast one */
} kl_simplex_status;

kl_simplex_status kl_simplex_status_of(const struct kl_simplex *s, u64 now_ns);

/* When a validator of the epoch was last heard: a vote of its that is verified, or one that is held
 * come again; 0: not since we started.  It may have come by way of others. */
u64 kl_simplex_heard_ns(const struct kl_simplex *s, u32 validator);

#endif
