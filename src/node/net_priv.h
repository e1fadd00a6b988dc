/* net_priv: what the files of the net share. */
#ifndef KL_NODE_NET_PRIV_H
#define KL_NODE_NET_PRIV_H

#include <stdatomic.h>

#include "base/sync.h"
#include "node/net.h"
#include "node/resolver.h"
#include "sys/loop.h"
#include "sys/thread.h"

enum { NET_HOSTS_MAX = KL_RESOLVER_ADDRS_MAX, NET_TOPIC_NAME_MAX = 64 };
#define NET_NOBODY UINT32_MAX

struct net_socket {
    struct kl_watch watch; /* first */
    struct kl_net *net;
    u32 link;
    bool dialling, dirty;
    char address[KL_TCP_TEXT_MAX];
    unsigned interest;
    struct kl_buf out;
    usize out_at;
};

/* A dial of the swarm's: addresses that are tried in turn, until somebody is met there. */
struct net_dial {
    u32 turn; /* tells its answers of the resolver from those of earlier dials of the same link */
    bool has_id;
    kl_peer_id id;
    usize count, at;
    kl_multiaddr where[KL_NET_ADDRS_MAX];
    usize host_count, host_at; /* what where[at] stands for */
    kl_tcp_address hosts[NET_HOSTS_MAX];
    u64 due_ns; /* the next host's turn comes then at the latest; UINT64_MAX: while names are asked
                 */
};

/* Who stands in a place of the swarm's. */
struct net_place {
    bool used;
    bool gray;  /* gossip listens to it no more: to be sent away */
    u32 gossip; /* its number there, or NET_NOBODY */
    usize record_len;
    u8 record[KL_GOSSIP_RECORD_MAX]; /* its own, verified, for others */
};

/* What other threads ask the net's for. */
typedef enum net_ask {
    NET_FRAME,
    NET_DROP,
    NET_NUISANCE,
    NET_WANT,
    NET_UNWANT,
    NET_DIAL,
    NET_ADDRS,
    NET_PUBLISH,
    NET_VERDICT,
} net_ask;

struct net_command {
    struct net_command *next;
    net_ask ask;
    u32 at; /* the peer, or the topic */
    kl_swarm_class class;
    kl_rule why;
    u64 units; /* of nuisance */
    kl_swarm_standing standing;
    kl_gossip_verdict_kind verdict;
    kl_peer_id id;
    u8 message[KL_GOSSIP_ID_LEN];
    usize len;
    u8 bytes[];
};

struct kl_net {
    kl_net_config config;
    kl_secret32 identity;
    kl_peer_id self;
    struct kl_memory *memory;
    struct kl_net_user *user;
    struct kl_swarm_user swarm_user;
    struct kl_swarm *swarm;
    struct kl_loop *loop;
    struct kl_watch listener;
    struct kl_timer timer;
    u64 listen_ns; /* nobody is accepted before: there were no descriptors; 0: listening */
    u64 beat_ns;   /* the next of gossip, and of what is seen from outside */
    kl_thread thread;
    bool running;
    atomic_bool stop;
    atomic_uint up;
    atomic_ullong sent_bytes;

    u32 link_end; /* the swarm has never used a link from here on */
    struct net_socket *sockets[KL_SWARM_LINKS_MAX];
    struct net_dial *dials[KL_SWARM_LINKS_MAX];
    bool failed[KL_SWARM_LINKS_MAX]; /* could not be dialled: told when nothing else runs */
    bool any_failed, any_gray, any_dirty;
    struct kl_resolver *resolver;
    const kl_multiaddr *dialled; /* while kl_swarm_dial runs */
    u32 next_turn;

    struct net_place places[KL_SWARM_PEERS_MAX];
    struct kl_gossip_user gossip_user;
    struct kl_gossip *gossip; /* NULL: no topics */
    char topic_names[KL_NET_TOPICS_MAX][NET_TOPIC_NAME_MAX];
    u64 record_seq;
    bool changed; /* what the counts are about */

    kl_mutex lock; /* of all that follows */
    struct net_command *first, **last;
    usize queued;
    kl_swarm_counts counts; /* as seen from outside */
};

static inline struct kl_net *net_of(struct kl_swarm_user *user)
{
    return (struct kl_net *)((char *)user - offsetof(struct kl_net, swarm_user));
}

/* net.c */
u64 net_now(const struct kl_net *net);
/* What follows a turn of the swarm: failed dials are told, and what is to be sent is. */
void net_settle(struct kl_net *net);
void net_tell_dropped(struct kl_net *net, u32 link, const char *address, kl_rule why);

/* net_link.c: sockets and dials */
void net_drop_socket(struct kl_net *net, u32 link);
/* Somebody has dialled us; KL_SWARM_NONE: not let in, and closed. */
i32 net_accept(struct kl_net *net, int fd);
void net_lose(struct kl_net *net, u32 link);
/* Sends what there is; false when the connection is gone. */
bool net_flush(struct net_socket *s);
void net_dial_link(struct kl_swarm_user *user, i32 peer, u32 link);
/* The dial of the link, if it is one, has met somebody, or is over. */
void net_dial_ended(struct kl_net *net, u32 link);
/* Answers of the resolver, and hosts that let us wait. */
void net_dial_resolved(struct kl_net *net);
void net_dial_tick(struct kl_net *net);
u64 net_dial_due_ns(const struct kl_net *net);
void net_dial_done(struct kl_net *net);

/* net_peers.c: who is met, and how many are seen from outside */
void net_peers_hear(struct kl_swarm_user *user); /* fills in those functions that are told of it */
void net_peers_show(struct kl_net *net);

/* net_gossip.c */
KL_MUST_USE kl_status net_gossip_open(struct kl_net *net);
void net_gossip_publish(struct kl_net *net, u32 topic, kl_span data);
void net_gossip_standing(struct kl_net *net, u32 place);
void net_gossip_addrs(struct kl_net *net, const kl_multiaddr *addrs, usize count);
/* Of a peer that has said where it is; place->record is verified. */
void net_gossip_record(struct kl_net *net, u32 place);

#endif
