/* net: a swarm (p2p/swarm.h) and a gossip router (p2p/gossip.h) over TCP, on a thread of their own.
 *
 * Frames and messages go out from any thread, by a queue, and come in on the net's thread.  Host
 * names are resolved anew at each dial, on threads of their own.  Thread: open, start, stop and
 * close on one; everything else on any. */
#ifndef KL_NODE_NET_H
#define KL_NODE_NET_H

#include "p2p/swarm.h"
#include "sys/names.h"

struct kl_net;

enum {
    KL_NET_HOST_MAX = 64, /* of a numeric address as text */
    KL_NET_ADDRS_MAX = 8, /* of one peer, that are tried in turn */
    KL_NET_TOPICS_MAX = 4,
};
#define KL_NET_ALL   UINT32_MAX
#define KL_NET_KNOWN (UINT32_MAX - 1) /* all but strangers */

/* Where peers are: asked on the net's thread, each time that one is dialled. */
struct kl_net_addresses {
    /* How many of out were filled, with hosts (names too) and ports. */
    usize (*of)(struct kl_net_addresses *addresses, const kl_peer_id *id,
                kl_multiaddr out[KL_NET_ADDRS_MAX]);
    /* Whether a name that was given may be dialled at an address that it has, numeric.  Optional.
     */
    bool (*admits)(struct kl_net_addresses *addresses, const kl_multiaddr *given,
                   const kl_multiaddr *found);
    /* How a dial ended: good, when id was there.  id is NULL where kl_net_dial named none and
     * nobody was met; addr is as `of`, or kl_net_dial, gave it.  Optional. */
    void (*tried)(struct kl_net_addresses *addresses, const kl_peer_id *id,
                  const kl_multiaddr *addr, bool good);
};

typedef struct kl_net_config {
    const kl_secret32 *identity; /* copied, wiped at close */
    const char *host;            /* listen here, a numeric address */
    u16 port;                    /* 0: any free one */
    struct kl_net_addresses *addresses;
    char digest[9]; /* see kl_swarm_config */
    bool open;
    usize frame_max; /* bytes of one */
    usize votes_max; /* of KL_SWARM_BFT's; 0: the same */
    /* Topics of gossip, joined at once: "tx" stands for /keel/<digest>/tx/1.  Static texts. */
    const char *topics[KL_NET_TOPICS_MAX];
    u32 topic_count;
    /* While four fifths of so many bytes are taken, no stranger that dials us is let in; looked at
     * with gossip's beat.  0: never. */
    u64 memory_max;
    struct kl_memory *memory; /* NULL: the system's */
    struct kl_names *names;   /* NULL: the system's; must outlive every look-up */
    struct kl_clock *clock;
    struct kl_entropy *entropy;
} kl_net_config;

/* A connection that the net has ended. */
typedef struct kl_net_dropped {
    u64 at_ns;   /* monotonic */
    bool has_id; /* it had shown who it is, or was dialled */
    bool listed; /* it is one of the peers */
    kl_peer_id id;
    char address[KL_TCP_TEXT_MAX];
    kl_rule why; /* never KL_RULE_NONE */
} kl_net_dropped;

/* Called on the net's thread, without any lock of the net's; those that are optional may be NULL.
 * A peer is its place, from met to lost. */
struct kl_net_user {
    /* Frames flow. */
    void (*up)(struct kl_net_user *user, u32 peer);
    void (*down)(struct kl_net_user *user, u32 peer);
    void (*frame)(struct kl_net_user *user, u32 peer, kl_span frame);
    /* A connection was ended, by what rule. */
    void (*dropped)(struct kl_net_user *user, const kl_net_dropped *dropped);

    /* Optional: see swarm.h. */
    void (*met)(struct kl_net_user *user, u32 peer, const kl_peer_id *id,
                const kl_multiaddr *remote, bool outbound);
    void (*lost)(struct kl_net_user *user, u32 peer, const kl_peer_id *id);
    void (*greet)(struct kl_net_user *user, u32 peer, struct kl_buf *out);
    kl_rule (*hello)(struct kl_net_user *user, u32 peer, const kl_peer_id *id, kl_span hello);
    kl_swarm_standing (*introduced)(struct kl_net_user *user, const kl_peer_id *id, kl_span hello);
    /* record: its own, with the right signature; NULL: there is none. */
    void (*identified)(struct kl_net_user *user, u32 peer, const kl_peer_id *id,
                       const kl_identify *identify, const kl_peer_record *record);
    /* Optional: a message of a topic, for the call; kl_net_verdict says what it is worth, at any
     * time later.  NULL: messages are passed over. */
    void (*deliver)(struct kl_net_user *user, u32 peer, u32 topic, const u8 id[KL_GOSSIP_ID_LEN],
                    kl_span data);
    /* Optional: peer exchange: from says where somebody is, in a record with the right signature.
     */
    void (*heard_of)(struct kl_net_user *user, const kl_peer_id *from,
                     const kl_peer_record *record);
};

/* Listens.  What kl_tcp_listen says; KL_NOMEM. */
KL_MUST_USE kl_status kl_net_open(struct kl_net **out, const kl_net_config *config,
                                  struct kl_net_user *user);
u16 kl_net_port(const struct kl_net *net);
KL_MUST_USE kl_status kl_net_start(struct kl_net *net); /* KL_LIMIT: no more threads */
void kl_net_stop(struct kl_net *net);                   /* also when it did not start */
void kl_net_close(struct kl_net *net);                  /* stopped; NULL is fine */

/* Copies a frame for a peer, or for all that are up (or those of them that are known); lost where
 * the peer is not, or where more than is good waits already. */
void kl_net_send(struct kl_net *net, u32 peer, kl_swarm_class class, kl_span frame);

/* The peer broke a rule: its connection ends, and is made anew after a pause if it is wanted. */
void kl_net_drop(struct kl_net *net, u32 peer, kl_rule why);
/* It has made us do so much for nothing (nuisance.h): at some point its connection ends. */
void kl_net_nuisance(struct kl_net *net, u32 peer, u64 units);

/* Keeps connected to id, dialling where the address source says; or no longer.  See swarm.h. */
void kl_net_want(struct kl_net *net, const kl_peer_id *id, kl_swarm_standing standing);
void kl_net_unwant(struct kl_net *net, const kl_peer_id *id);
/* Dials an address once; with a peer in it, that one must be there. */
void kl_net_dial(struct kl_net *net, const kl_multiaddr *addr);

/* Where we can be reached: told to peers, and signed, for them to pass on.  count at most
 * KL_NET_ADDRS_MAX (asserted). */
void kl_net_set_addrs(struct kl_net *net, const kl_multiaddr *addrs, usize count);

/* Says a message to everybody who subscribed to topic, its place in the config. */
void kl_net_publish(struct kl_net *net, u32 topic, kl_span data);
void kl_net_verdict(struct kl_net *net, const u8 id[KL_GOSSIP_ID_LEN],
                    kl_gossip_verdict_kind verdict);

u32 kl_net_up_count(struct kl_net *net);
/* As of a moment ago. */
kl_swarm_counts kl_net_counts(struct kl_net *net);

/* Bytes that went to peers so far, encrypted, as TCP carries them. */
u64 kl_net_sent_bytes(struct kl_net *net);

#endif
