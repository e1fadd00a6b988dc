/* net: a swarm (p2p/swarm.h) over TCP, on a thread of its own.
 *
 * Frames go out from any thread, by a queue, and come in on the net's thread.  Thread: open, start,
 * stop and close on one; everything else on any. */
#ifndef KL_NODE_NET_H
#define KL_NODE_NET_H

#include "p2p/swarm.h"
#include "sys/tcp.h"

struct kl_net;

enum { KL_NET_HOST_MAX = 64 };
#define KL_NET_ALL UINT32_MAX

/* Where a peer listens: a numeric address. */
typedef struct kl_net_peer {
    kl_peer_id id;
    char host[KL_NET_HOST_MAX];
    u16 port;
} kl_net_peer;

typedef struct kl_net_config {
    const kl_secret32 *identity; /* copied, wiped at close */
    const char *host;            /* listen here, a numeric address */
    u16 port;                    /* 0: any free one */
    const kl_net_peer *peers;    /* copied; a peer is its place */
    u32 peer_count;              /* at most KL_SWARM_PEERS_MAX */
    char digest[9];              /* see kl_swarm_config */
    usize frame_max;
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

/* Called on the net's thread, without any lock of the net's. */
struct kl_net_user {
    void (*up)(struct kl_net_user *user, u32 peer);
    void (*down)(struct kl_net_user *user, u32 peer);
    void (*frame)(struct kl_net_user *user, u32 peer, kl_span frame);
    void (*dropped)(struct kl_net_user *user, const kl_net_dropped *dropped);
};

/* Listens.  What kl_tcp_listen says; KL_NOMEM. */
KL_MUST_USE kl_status kl_net_open(struct kl_net **out, const kl_net_config *config,
                                  struct kl_net_user *user);
u16 kl_net_port(const struct kl_net *net);
KL_MUST_USE kl_status kl_net_start(struct kl_net *net); /* KL_LIMIT: no more threads */
void kl_net_stop(struct kl_net *net);                   /* also when it did not start */
void kl_net_close(struct kl_net *net);                  /* stopped; NULL is fine */

/* Copies a frame for a peer, or for all that are there; lost where the peer is not, or where more
 * than is good waits already. */
void kl_net_send(struct kl_net *net, u32 peer, kl_swarm_class class, kl_span frame);

/* The peer broke a rule: its connection ends, and is made anew after a pause. */
void kl_net_drop(struct kl_net *net, u32 peer, kl_rule why);

u32 kl_net_up_count(struct kl_net *net);

#endif
