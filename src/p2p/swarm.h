/* swarm: the peers that a node is connected with: whom it dials, whom it lets in, what is spoken.
 *
 * A peer is a place, 0 .. KL_SWARM_PEERS_MAX - 1, as long as somebody stands there; who stands
 * there, kl_swarm_id says.  Validators and friends keep their places and are dialled again
 * whenever they are lost, after 100 ms, doubled up to 2 s or 30 s.  Everybody else is a stranger:
 * dialled once when the user asks for it, let in when the network is open and the limits allow,
 * and sent away when a friend needs the place.  Where the network is not open, whoever dials is a
 * guest, who counts as one that shakes hands, is told nothing and may say a hello; by that the user
 * lets it in as a friend, or not.
 *
 * What is spoken, each in streams of its own:
 *     /keel/<digest>/hello/1  one message of each side, before everything else of Keel's
 *     /keel/<digest>/bft/1       votes, certificates     before everything else
 *     /keel/<digest>/proposal/1  proposals               taking turns with bft, 16 KiB each
 *     /keel/<digest>/tx/1        transactions
 *     /keel/<digest>/sync/1      bodies and blocks       behind everything else
 *     /meshsub/1.2.0, 1.1.0, 1.0.0                                 gossip
 *     /ipfs/id/1.0.0, /ipfs/id/push/1.0.0, /ipfs/ping/1.0.0        asked, told and answered here
 * Keel's streams are opened by either side for what it says itself, and only when both have
 * accepted the other's hello: a frame is its length, 4 bytes, big-endian, and its bytes.  The
 * digest is the network's.  A peer that speaks none of Keel's is fine: it may gossip.
 *
 *     met ── hello ── up ── frame … ── down ── lost        of one who speaks Keel's
 *     met ── identified ── gossips ── rpc … ── lost        of one who gossips; both may be
 *
 * A peer that answers no ping (yamux's) for 3 s is gone, a stranger for 10 s; so is one that takes
 * nothing of what waits for it for 10 s (or opens no window to it for 30 s), and one that makes too
 * much ado about nothing (nuisance.h), whose debts stay in a friend's place when it comes again.
 * Of two connections with a peer that are there at once, that which the peer with the lesser key
 * dialled stays; one that the same side dialled later replaces the earlier.
 *
 * A pure machine over the caller's sockets: it is told the time, what was connected and what has
 * come, and says whom to dial and what to send.  Every count and length that a peer chooses is
 * bounded: see kl_swarm_limits; frames grow as their bytes come.  Thread: one at a time; the user's
 * functions are called from inside, and may call kl_swarm_send, kl_swarm_gossip and what only asks.
 */
#ifndef KL_P2P_SWARM_H
#define KL_P2P_SWARM_H

#include "base/buf.h"
#include "base/env.h"
#include "p2p/conn.h"
#include "p2p/gossip.h"
#include "p2p/identify.h"

enum {
    KL_SWARM_PEERS_MAX = 256,
    KL_SWARM_LINKS_MAX = 512,
    KL_SWARM_NONE = -1,
    KL_SWARM_HELLO_MAX = 2048, /* bytes */
    KL_SWARM_AGENT_MAX = 64,
    KL_SWARM_STREAMS_MAX = 64, /* that a peer may have open */
    KL_SWARM_EARLY_MAX = 10,   /* of them, that have not agreed on a protocol */
};

/* Classes of frames, each in a stream of its own. */
typedef enum kl_swarm_class {
    KL_SWARM_BFT,
    KL_SWARM_PROPOSAL,
    KL_SWARM_TX,
    KL_SWARM_SYNC,
    KL_SWARM_CLASSES,
} kl_swarm_class;

typedef enum kl_swarm_standing {
    KL_SWARM_STRANGER,
    KL_SWARM_FRIEND,
    KL_SWARM_VALIDATOR,
} kl_swarm_standing;

typedef struct kl_swarm_limits {
    u32 inbound;     /* strangers that dialled us */
    u32 per_ip;      /* of those, from one IPv4 address or IPv6 /64; private ones do not count */
    u32 per_net;     /* of those, from one IPv4 /24 or IPv6 /48; the same */
    u32 knocks;      /* connections that one address may begin in a minute */
    u32 knocks_site; /* a loopback or private one */
    u32 handshakes;  /* of those who dial us, at once */
    u64 handshake_ns;
    /* While so many bytes wait for one peer and class nothing more is taken. */
    usize queue_friend, queue_stranger;
    /* Bytes of frames from strangers that are not whole, and of big frames that wait for them:
     * above it who holds most is sent away, and no big frame is taken. */
    usize held;
} kl_swarm_limits;
kl_swarm_limits kl_swarm_limits_usual(void);

typedef struct kl_swarm_config {
    const kl_secret32 *identity; /* copied, wiped at the end */
    struct kl_entropy *entropy;
    char digest[9];                    /* of the network, 8 digits */
    char agent[KL_SWARM_AGENT_MAX];    /* who we say we are, as "keel/1.2" */
    bool open;                         /* strangers are let in */
    usize frame_max[KL_SWARM_CLASSES]; /* bytes */
    kl_swarm_limits limits;
} kl_swarm_config;

/* Those that are optional may be NULL. */
struct kl_swarm_user {
    /* Connect to a peer; then kl_swarm_opened or kl_swarm_closed.  peer: its place, or
     * KL_SWARM_NONE, for what kl_swarm_dial began. */
    void (*dial)(struct kl_swarm_user *user, i32 peer, u32 link);
    /* The link is over: close the socket; nothing more is said of it.  Not for what
     * kl_swarm_closed told. */
    void (*close)(struct kl_swarm_user *user, u32 link, kl_rule why);
    /* kl_swarm_pull has something. */
    void (*writable)(struct kl_swarm_user *user, u32 link);

    /* Optional: a peer stands in this place, and has gone from it; it may be another's afterwards.
     * Of a peer that is up down comes before lost. */
    void (*met)(struct kl_swarm_user *user, u32 peer);
    void (*lost)(struct kl_swarm_user *user, u32 peer);
    /* What we say first, at most KL_SWARM_HELLO_MAX bytes; NULL: nothing. */
    void (*greet)(struct kl_swarm_user *user, u32 peer, struct kl_buf *out);
    /* What the peer said: a rule ends the connection.  NULL: anything is fine. */
    kl_rule (*hello)(struct kl_swarm_user *user, u32 peer, kl_span hello);
    /* Optional: what somebody unknown says first who has dialled a network that is not open; hello
     * hears it again of one who is let in.  STRANGER: it is not; else it has this standing from
     * here on.  NULL: nobody unknown is listened to. */
    kl_swarm_standing (*introduced)(struct kl_swarm_user *user, const kl_peer_id *id,
                                    kl_span hello);
    /* Frames can be sent, and can not any more. */
    void (*up)(struct kl_swarm_user *user, u32 peer);
    void (*down)(struct kl_swarm_user *user, u32 peer);
    void (*frame)(struct kl_swarm_user *user, u32 peer, kl_swarm_class class, kl_span frame);
    /* Optional: what the peer says of itself, at first and later; for the call. */
    void (*identified)(struct kl_swarm_user *user, u32 peer, const kl_identify *identify);
    /* Optional: RPCs can be sent (kl_swarm_gossip), and can not any more; one has come, without
     * its length. */
    void (*gossips)(struct kl_swarm_user *user, u32 peer, kl_gossip_version version);
    void (*silent)(struct kl_swarm_user *user, u32 peer);
    void (*rpc)(struct kl_swarm_user *user, u32 peer, kl_span rpc);
};

struct kl_swarm;

KL_MUST_USE kl_status kl_swarm_new(struct kl_swarm **out, const kl_swarm_config *config,
                                   struct kl_swarm_user *user);
/* Sockets are the user's to close.  NULL is fine. */
void kl_swarm_free(struct kl_swarm *swarm);

/* Keeps connected to id: FRIEND or VALIDATOR, whatever it was; its place is its own from here on.
 * KL_SWARM_NONE: all places are friends', or it is ourselves. */
i32 kl_swarm_want(struct kl_swarm *swarm, const kl_peer_id *id, kl_swarm_standing standing,
                  u64 now_ns);
/* It is a stranger from here on: the connection goes on if there is one and the network is open. */
void kl_swarm_unwant(struct kl_swarm *swarm, const kl_peer_id *id, u64 now_ns);
/* Dials once, whoever is there (id NULL), or id; the link, told to dial at once, or KL_SWARM_NONE:
 * it is connected or being dialled already, ourselves, or too much is going on. */
i32 kl_swarm_dial(struct kl_swarm *swarm, const kl_peer_id *id, u64 now_ns);

/* Where we can be reached, for identify: told to all who are there.  record: our own, sealed
 * (peer_record.h), or none.  addr_count at most KL_IDENTIFY_ADDRS_MAX, record at most
 * KL_GOSSIP_RECORD_MAX bytes (asserted). */
void kl_swarm_set_addrs(struct kl_swarm *swarm, const kl_multiaddr *addrs, usize addr_count,
                        kl_span record);

/* Somebody at remote (a numeric address) has dialled us: a link for it, or KL_SWARM_NONE when too
 * many are at it, or it has come too often; *why then says which. */
i32 kl_swarm_accepted(struct kl_swarm *swarm, const kl_multiaddr *remote, u64 now_ns, kl_rule *why);
/* A link that was to be dialled is connected, with remote. */
void kl_swarm_opened(struct kl_swarm *swarm, u32 link, const kl_multiaddr *remote, u64 now_ns);
/* The other side is gone, or could not be reached. */
void kl_swarm_closed(struct kl_swarm *swarm, u32 link, u64 now_ns);
void kl_swarm_feed(struct kl_swarm *swarm, u32 link, kl_span bytes, u64 now_ns);
/* Appends bytes to send, about max at most; *more: there is more. */
void kl_swarm_pull(struct kl_swarm *swarm, u32 link, usize max, struct kl_buf *out, bool *more);

/* Time passes; kl_swarm_due_ns says when next (UINT64_MAX: not by itself). */
void kl_swarm_tick(struct kl_swarm *swarm, u64 now_ns);
u64 kl_swarm_due_ns(const struct kl_swarm *swarm);

/* Queues a frame; false when the peer is not up, or too much is queued for it. */
bool kl_swarm_send(struct kl_swarm *swarm, u32 peer, kl_swarm_class class, kl_span frame);
/* Queues an RPC behind its length; false when the peer does not gossip, or too much is queued for
 * it.  keep: the connection ends when it cannot be queued. */
bool kl_swarm_gossip(struct kl_swarm *swarm, u32 peer, kl_span rpc, bool keep);
/* What a router is to know of a peer that gossips; the tag is the peer's number.  Validators are
 * direct; of others an address of the world counts [gossipsub 1.1, P6]. */
kl_gossip_peer_info kl_swarm_gossip_info(const struct kl_swarm *swarm, u32 peer,
                                         kl_gossip_version version);
/* Ends the connection with a peer that broke a rule; who is wanted is dialled again after a pause.
 */
void kl_swarm_drop(struct kl_swarm *swarm, u32 peer, kl_rule why, u64 now_ns);

/* The peer has made us do so much for nothing (nuisance.h); where that is too much the connection
 * ends, with the next tick. */
void kl_swarm_nuisance(struct kl_swarm *swarm, u32 peer, u64 units, u64 now_ns);

/* Says goodbye to all who are there: nobody is listened to any more, and they need not wait for
 * that; what was said before goes out, with the next pulls. */
void kl_swarm_leave(struct kl_swarm *swarm);

/* Whether there is too little memory for more peers: then no stranger who dials us is let in
 * (SWARM_MEMORY); who is there stays, and friends are met as ever. */
void kl_swarm_set_sated(struct kl_swarm *swarm, bool sated);

/* Of the place: who has it, NULL when nobody; the place of id, or KL_SWARM_NONE. */
const kl_peer_id *kl_swarm_id(const struct kl_swarm *swarm, u32 peer);
i32 kl_swarm_find(const struct kl_swarm *swarm, const kl_peer_id *id);
/* The link with a peer that was met, or KL_SWARM_NONE. */
i32 kl_swarm_link(const struct kl_swarm *swarm, u32 peer);
/* Whom a link is with: false while that is not known.  *peer: its place, or KL_SWARM_NONE; may be
 * asked while close is called. */
bool kl_swarm_link_peer(const struct kl_swarm *swarm, u32 link, kl_peer_id *id, i32 *peer);
bool kl_swarm_link_is_outbound(const struct kl_swarm *swarm, u32 link);
bool kl_swarm_link_is_open(const struct kl_swarm *swarm, u32 link); /* it has met a peer */
const kl_multiaddr *kl_swarm_link_remote(const struct kl_swarm *swarm,
                                         u32 link); /* once connected */

kl_swarm_standing kl_swarm_standing_of(const struct kl_swarm *swarm, u32 peer);

typedef struct kl_swarm_counts {
    u32 met, up, inbound, outbound, gossiping;
    u64 refused;  /* connections that were not let in */
    u64 bytes_in; /* of all connections so far, encrypted */
    bool sated;   /* see kl_swarm_set_sated */
} kl_swarm_counts;
kl_swarm_counts kl_swarm_counts_of(const struct kl_swarm *swarm);

#endif
