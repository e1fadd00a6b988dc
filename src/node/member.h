/* member: a replica (host/replica.h) in the real world: a thread that is its thread, lanes beneath
 * it, and everybody else's questions.
 *
 * One lock makes the replica one thread's at a time: it is held for a step, never while a disk is
 * waited for or a block executed.  Thread: any, but for open, start, stop and close. */
#ifndef KL_NODE_MEMBER_H
#define KL_NODE_MEMBER_H

#include "host/filler.h"
#include "node/roster.h"

struct kl_member;

/* Hears what happens, on one thread at a time; must return quickly and not call member. */
struct kl_member_listener {
    void (*tip)(struct kl_member_listener *listener, struct kl_tip *tip); /* shown to readers */
    void (*pending)(struct kl_member_listener *listener, const kl_tx *tx);
    void (*alarm)(struct kl_member_listener *listener, const char *what); /* static text */
    void (*stalls)(struct kl_member_listener *listener, const char *line);
    void (*refused)(struct kl_member_listener *listener, const kl_replica_refusal *refusal);
    void (*broken)(struct kl_member_listener *listener, kl_status status);
    /* So many blocks are missing that it is to be opened again to be filled, see kl_replica_watch.
     */
    void (*far)(struct kl_member_listener *listener);
    /* How filling goes, now and then; and, once, that it is over. */
    void (*filling)(struct kl_member_listener *listener, const kl_filler_status *status);
    /* On the net's thread. */
    void (*dropped)(struct kl_member_listener *listener, const kl_net_dropped *dropped);
};

/* How it reaches the others. */
typedef struct kl_member_network {
    const kl_roster *roster;
    const kl_secret32 *identity;
    struct kl_fs *fs; /* peers.json lies there */
    u64 memory_max;   /* see kl_net_config */
} kl_member_network;

/* Opens the replica; config's jobs, net and watch are the member's own.  network NULL: nobody else
 * is reached.  fill not NULL: this chain is to be filled by the others (host/filler.h); config's is
 * another one then, with the same genesis, that stands still and answers readers until the member
 * is opened again.  *listens: what listening for peers says, kl_tcp_listen's, when that is what
 * fails. See kl_replica_open. */
KL_MUST_USE kl_status kl_member_open(struct kl_member **out, const kl_replica_config *config,
                                     const kl_member_network *network, const kl_chain_config *fill,
                                     struct kl_member_listener *listener,
                                     struct kl_progress *progress, kl_replica_report *report,
                                     bool *listens);
u32 kl_member_peer_count(struct kl_member *member);
/* Where it listens for peers, with who it is; false: nowhere. */
bool kl_member_address(struct kl_member *member, kl_multiaddr *out);
u64 kl_member_sent_bytes(struct kl_member *member); /* to peers */
kl_swarm_counts kl_member_counts(struct kl_member *member);
/* KL_LIMIT when the system has no more threads. */
KL_MUST_USE kl_status kl_member_start(struct kl_member *member);
/* Ends the thread; the listener hears nothing more.  What the lanes are at is waited for by
 * kl_member_close, what they have not begun is dropped, as by kl_replica_close.  Without
 * kl_member_start too. */
void kl_member_stop(struct kl_member *member);
void kl_member_close(struct kl_member *member); /* stopped; NULL is fine */

struct kl_chain *kl_member_chain(struct kl_member *member);
kl_status kl_member_health(struct kl_member *member);
/* See kl_replica_halt; of one that is filled, kl_filler_halt. */
void kl_member_halt(struct kl_member *member);
void kl_member_why(struct kl_member *member, kl_replica_why *out);

/* How far this node is behind the others. */
typedef struct kl_member_progress {
    bool filling;
    kl_filler_status fill;  /* when it is */
    kl_replica_sync blocks; /* when it is not */
} kl_member_progress;
void kl_member_progress_of(struct kl_member *member, kl_member_progress *out);

/* Admits a transaction with sender (see kl_replica_submit; KL_AGAIN while it is filled), and waits
 * up to timeout_ns until a block with it is shown, if it is pending; 0 does not wait. */
KL_MUST_USE kl_status kl_member_submit(struct kl_member *member, const kl_tx *tx, bool only_new,
                                       u64 timeout_ns, kl_rule *broken);

/* See kl_replica_next_nonce. */
KL_MUST_USE kl_status kl_member_next_nonce(struct kl_member *member, const kl_address *sender,
                                           u64 *out);

/* The pool, for the duration of use(ctx, pool). */
void kl_member_with_pool(struct kl_member *member, void (*use)(void *ctx, struct kl_pool *pool),
                         void *ctx);

/* What the next block would be on top of head: for pending blocks and fee questions. */
void kl_member_next_block(struct kl_member *member, const struct kl_tip *head, kl_build_plan *out);

#endif
