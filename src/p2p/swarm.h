/* swarm: connections to the peers that a node is to be connected with: dialled again when they are
 * lost, accepted when the peer dials, one kept of two; and on each of them a stream for every class
 * of frames.
 *
 * Who a peer is its key says, and only those in the list are let in.  Streams are
 *     /keel/<digest>/bft/1    votes, certificates, proposals      before everything else
 *     /keel/<digest>/tx/1     transactions
 *     /keel/<digest>/sync/1   bodies and blocks for who is behind  behind everything else
 * each opened by either side for what it says itself: a frame is its length, 4 bytes, big-endian,
 * and its bytes.  The digest is the network's: nodes of two networks have nothing to say to one
 * another.
 *
 * Lost connections are dialled again after a pause of 100 ms, doubled up to 2 s.  A peer that
 * answers no ping for 3 s is gone.  Of two connections with a peer that are there at once, that
 * which the peer with the lesser key dialled stays; one that the same side dialled later replaces
 * the earlier.
 *
 * A pure machine over the caller's sockets: it is told the time, what was connected and what has
 * come, and says whom to dial and what to send.  Bounded: links, handshakes at once and their time,
 * frames, what is queued for a peer.  Thread: one at a time; the user's functions are called from
 * inside, and may call kl_swarm_send. */
#ifndef KL_P2P_SWARM_H
#define KL_P2P_SWARM_H

#include "base/buf.h"
#include "base/env.h"
#include "p2p/conn.h"

enum {
    KL_SWARM_PEERS_MAX = 256,
    KL_SWARM_LINKS_MAX = 512,
    KL_SWARM_NONE = -1,
};

typedef enum kl_swarm_class {
    KL_SWARM_BFT,
    KL_SWARM_TX,
    KL_SWARM_SYNC,
    KL_SWARM_CLASSES,
} kl_swarm_class;

typedef struct kl_swarm_config {
    const kl_secret32 *identity; /* copied, wiped at the end */
    struct kl_entropy *entropy;
    const kl_peer_id *peers; /* copied; a peer is its place here; our own key may be among them */
    u32 peer_count;          /* at most KL_SWARM_PEERS_MAX (asserted) */
    char digest[9];          /* of the network, 8 digits */
    usize frame_max;         /* bytes */
    usize queue_max;         /* bytes for one peer and class that are not sent yet */
    u32 handshakes_max;      /* of those who dial us, at once */
    u64 handshake_ns;        /* how long one may take */
} kl_swarm_config;

struct kl_swarm_user {
    /* Connect to a peer; then kl_swarm_opened or kl_swarm_closed. */
    void (*dial)(struct kl_swarm_user *user, u32 peer, u32 link);
    /* The link is over: close the socket; nothing more is said of it. */
    void (*close)(struct kl_swarm_user *user, u32 link, kl_rule why);
    /* kl_swarm_pull has something. */
    void (*writable)(struct kl_swarm_user *user, u32 link);
    void (*up)(struct kl_swarm_user *user, u32 peer);
    void (*down)(struct kl_swarm_user *user, u32 peer);
    void (*frame)(struct kl_swarm_user *user, u32 peer, kl_swarm_class class, kl_span frame);
};

struct kl_swarm;

KL_MUST_USE kl_status kl_swarm_new(struct kl_swarm **out, const kl_swarm_config *config,
                                   struct kl_swarm_user *user);
/* Sockets are the user's to close.  NULL is fine. */
void kl_swarm_free(struct kl_swarm *swarm);

/* Somebody has dialled us: a link for it, or KL_SWARM_NONE when too many are at it. */
i32 kl_swarm_accepted(struct kl_swarm *swarm, u64 now_ns);
/* A link that was to be dialled is connected. */
void kl_swarm_opened(struct kl_swarm *swarm, u32 link, u64 now_ns);
/* The other side is gone, or could not be reached. */
void kl_swarm_closed(struct kl_swarm *swarm, u32 link, u64 now_ns);
void kl_swarm_feed(struct kl_swarm *swarm, u32 link, kl_span bytes, u64 now_ns);
/* Appends bytes to send, about max at most; *more: there is more. */
void kl_swarm_pull(struct kl_swarm *swarm, u32 link, usize max, struct kl_buf *out, bool *more);

/* Time passes; kl_swarm_due_ns says when next (UINT64_MAX: not by itself). */
void kl_swarm_tick(struct kl_swarm *swarm, u64 now_ns);
u64 kl_swarm_due_ns(const struct kl_swarm *swarm);

/* Queues a frame; false when the peer is not there, or too much is queued for it. */
bool kl_swarm_send(struct kl_swarm *swarm, u32 peer, kl_swarm_class class, kl_span frame);
/* Ends the connection with a peer that broke a rule; it is dialled again after a pause. */
void kl_swarm_drop(struct kl_swarm *swarm, u32 peer, kl_rule why, u64 now_ns);
/* Whom a link is with: false while that is not known.  *peer: its place, or KL_SWARM_NONE; may be
 * asked while close is called. */
bool kl_swarm_link_peer(const struct kl_swarm *swarm, u32 link, kl_peer_id *id, i32 *peer);
bool kl_swarm_is_up(const struct kl_swarm *swarm, u32 peer);
u32 kl_swarm_up_count(const struct kl_swarm *swarm);

#endif
