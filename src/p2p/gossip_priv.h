/* gossip_priv: what the files of the gossip router share. */
#ifndef KL_P2P_GOSSIP_PRIV_H
#define KL_P2P_GOSSIP_PRIV_H

#include "base/map.h"
#include "base/rand.h"
#include "p2p/gossip.h"

enum {
    GOSSIP_PROMISES = 32, /* of one peer, IHAVEs of the last seconds */
    GOSSIP_UNWANTED = 256,
    GOSSIP_MEMORIES = 256,
    GOSSIP_CHUNK = 128 << 10, /* bytes of answers gathered in one RPC */
    GOSSIP_NOBODY = -1,
};

/* A peer in a topic. */
struct gossip_link {
    bool meshed, fanout;
    bool active;    /* long enough in the mesh for P3 */
    u64 since_ns;   /* in the mesh */
    u64 backoff_ns; /* no GRAFT before */
    double first, delivered, failure, invalid;
};

/* It said that it has a message, and was asked for it. */
struct gossip_promise {
    u8 id[KL_GOSSIP_ID_LEN];
    u64 due_ns; /* 0: none */
};

struct gossip_peer {
    bool used, gray;
    kl_gossip_peer_info info;
    u32 same_ip;                                     /* peers there, itself included */
    u32 topics;                                      /* subscribed, by bit */
    u32 told;                                        /* topics of whose back-off it knows, by bit */
    u32 to_graft, to_prune, no_px, leaving, to_tell; /* topics it is to hear of, by bit */
    struct gossip_link links[KL_GOSSIP_TOPICS_MAX];
    double behaviour;
    u32 pending;
    u32 haves, asked, useless, unwanted_heard; /* in this beat */
    usize answered;
    struct gossip_promise promises[GOSSIP_PROMISES];
    u64 unwanted[GOSSIP_UNWANTED]; /* hashes of ids, a ring */
    u32 unwanted_at;
    usize record_len;
    u8 record[KL_GOSSIP_RECORD_MAX];
};

/* A peer that is gone, and why it is not forgotten. */
struct gossip_memory {
    bool used;
    kl_peer_id id;
    u64 until_ns;
    double behaviour;
    struct gossip_link links[KL_GOSSIP_TOPICS_MAX];
};

struct gossip_data {
    u8 asked[KL_GOSSIP_PEERS_MAX]; /* how often each was answered */
    usize len;
    u8 bytes[];
};

typedef enum gossip_state {
    GOSSIP_PENDING,
    GOSSIP_VALID,
    GOSSIP_INVALID,
    GOSSIP_IGNORED,
} gossip_state;

struct gossip_seen {
    u8 id[KL_GOSSIP_ID_LEN];
    u64 at_ns, valid_ns, beat;
    gossip_state state;
    u32 topic;
    i32 from;                            /* who sent it first, or GOSSIP_NOBODY */
    u64 peers[KL_GOSSIP_PEERS_MAX / 64]; /* who sent it */
    struct gossip_data *data;
};

struct gossip_topic {
    kl_gossip_topic config;
    bool joined;
    u64 fanout_ns; /* published to while not joined, last at; 0: not */
};

struct kl_gossip {
    kl_gossip_config config;
    struct kl_gossip_user *user;
    u64 now_ns, beat, seed;
    struct gossip_topic topics[KL_GOSSIP_TOPICS_MAX];
    struct gossip_peer *peers;            /* KL_GOSSIP_PEERS_MAX */
    struct gossip_memory *memories;       /* GOSSIP_MEMORIES */
    struct gossip_seen *seen;             /* a ring of seen_max, from seen_first to seen_end */
    u64 seen_first, seen_end, data_first; /* no data before data_first */
    struct kl_map by_id;
    usize held;
    u32 pending;
    struct kl_gossip_rpc rpc,
        forward;   /* what the peer at hand is answered; a message that goes on */
    bool rpc_keep; /* see kl_gossip_event.keep */
    struct kl_buf out, px;
};

/* gossip.c */
void gossip_tell(struct kl_gossip *g, const kl_gossip_event *event);
static inline u32 gossip_bit(u32 topic)
{
    return (u32)1 << topic;
}
static inline struct gossip_link *gossip_link(struct kl_gossip *g, u32 peer, u32 topic)
{
    return &g->peers[peer].links[topic];
}
static inline kl_span gossip_name(const struct kl_gossip *g, u32 topic)
{
    return g->topics[topic].config.name;
}

/* gossip_send.c */
void gossip_put_subscription(struct kl_gossip *g, bool subscribes, u32 topic);
/* Sends what was gathered in rpc and the masks of the peer. */
void gossip_flush(struct kl_gossip *g, u32 peer);
void gossip_flush_all(struct kl_gossip *g);
/* A message to those to whom `goes` points. */
void gossip_pass_on(struct kl_gossip *g, const struct gossip_seen *s,
                    const bool goes[KL_GOSSIP_PEERS_MAX]);
void gossip_say_unwanted(struct kl_gossip *g, const struct gossip_seen *s);
u64 gossip_unwanted_key(const struct kl_gossip *g, const u8 *id);
bool gossip_is_unwanted(const struct kl_gossip *g, u32 peer, const u8 *id);

/* gossip_cache.c */
struct gossip_seen *gossip_find(const struct kl_gossip *g, const u8 *id);
/* Remembers a message; NULL when there is no room for it. */
struct gossip_seen *gossip_remember(struct kl_gossip *g, const u8 *id, u32 topic, kl_span data,
                                    i32 from);
/* Ends the waiting for a verdict; data stays only with what is valid. */
void gossip_settle(struct kl_gossip *g, struct gossip_seen *s, gossip_state state);
void gossip_expire(struct kl_gossip *g);
void gossip_forget_peer(struct kl_gossip *g, u32 peer);
struct gossip_seen *gossip_seen_at(const struct kl_gossip *g, u64 place);

/* gossip_score.c */
double gossip_score(const struct kl_gossip *g, u32 peer);
void gossip_decay(struct kl_gossip *g);
void gossip_useless(struct kl_gossip *g, u32 peer);
/* Beside its score, and of peers that have none too. */
void gossip_nuisance(struct kl_gossip *g, u32 peer, u64 units);
/* Of a list that is not looked at, or only in part. */
void gossip_nuisance_list(struct kl_gossip *g, u32 peer, kl_gossip_list rest);
void gossip_useless_list(struct kl_gossip *g, u32 peer, kl_gossip_list rest);
void gossip_watch(struct kl_gossip *g, u32 peer); /* says GRAY when it is time */
void gossip_credit(struct kl_gossip *g, const struct gossip_seen *s);
void gossip_blame(struct kl_gossip *g, const struct gossip_seen *s);
void gossip_duplicate(struct kl_gossip *g, struct gossip_seen *s, u32 peer);
void gossip_count_ips(struct kl_gossip *g);
void gossip_keep(struct kl_gossip *g, u32 peer);   /* what a peer that goes leaves behind */
void gossip_recall(struct kl_gossip *g, u32 peer); /* what was kept of it */

/* gossip_mesh.c */
void gossip_graft(struct kl_gossip *g, u32 peer, u32 topic);
/* Takes it out of the mesh, says so, and waits for wait_s. */
void gossip_prune(struct kl_gossip *g, u32 peer, u32 topic, bool px, u64 wait_s);
void gossip_leave_mesh(struct kl_gossip *g, u32 peer, u32 topic);
void gossip_maintain(struct kl_gossip *g, u32 topic);
void gossip_choose_fanout(struct kl_gossip *g, u32 topic);
void gossip_choose_lazy(struct kl_gossip *g, u32 topic);

/* gossip_hear.c */
void gossip_hear_items(struct kl_gossip *g, u32 peer, kl_span rpc);
/* A message that will not be looked at was sent, as promised. */
void gossip_kept_promise(struct kl_gossip *g, const u8 *id);
void gossip_judge_promises(struct kl_gossip *g);

#endif
