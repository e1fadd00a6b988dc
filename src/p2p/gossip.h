/* gossip: messages of a topic reach everybody who subscribed to it [libp2p specs: gossipsub 1.1,
 * with IDONTWANT of 1.2], under StrictNoSign.
 *
 * For each topic a peer keeps a mesh of about KL_GOSSIP_D others, to whom it passes whole messages
 * on; some more hear each second which messages there were of late, and ask for what they lack.
 * Peers are scored by what they deliver and what they break; who falls low is taken out of meshes,
 * told nothing, and in the end not listened to.  Direct peers are sent everything, whatever
 * their score, and belong to no mesh.
 *
 *     up, hear, verdict, publish, beat  ──►  router  ──►  SEND, DELIVER, CONNECT, GRAY
 *
 * A message that comes is delivered for judgement first, and goes on when it was accepted; its data
 * stays where it is meanwhile.  Under REJECT all who sent it pay.
 *
 * A pure machine: time and the seed of its choices are handed in, the same inputs make the same
 * outputs.  Memory is bounded by the config, whatever peers do.  Topics are those of the config:
 * what peers say of others is not stored.  Thread: one at a time; events come from inside the
 * calls; the handler of DELIVER may call kl_gossip_verdict, and nothing else may be called. */
#ifndef KL_P2P_GOSSIP_H
#define KL_P2P_GOSSIP_H

#include "base/status.h"
#include "p2p/gossip_rpc.h"
#include "p2p/peer_record.h"

#define KL_GOSSIP_NAME_V12 "/meshsub/1.2.0"
#define KL_GOSSIP_NAME_V11 "/meshsub/1.1.0"
#define KL_GOSSIP_NAME_V10 "/meshsub/1.0.0"

enum {
    KL_GOSSIP_TOPICS_MAX = 16,
    KL_GOSSIP_PEERS_MAX = 256,
    KL_GOSSIP_RECORD_MAX = 1024, /* bytes of an envelope that is passed on */

    KL_GOSSIP_D = 6,
    KL_GOSSIP_D_LOW = 4,
    KL_GOSSIP_D_HIGH = 12,
    KL_GOSSIP_D_SCORE = 4, /* of those kept when a mesh shrinks, by score */
    KL_GOSSIP_D_OUT = 2,   /* of a mesh that we dialled */
    KL_GOSSIP_D_LAZY = 6,  /* hear what there was */

    KL_GOSSIP_HISTORY = 5, /* beats that a message can be asked for */
    KL_GOSSIP_RECENT = 3,  /* beats that it is told of */
    KL_GOSSIP_IHAVES_MAX = 10,
    KL_GOSSIP_ANSWERS_MAX = 3,            /* times that one peer is sent one message it asks for */
    KL_GOSSIP_ANSWER_BYTES_MAX = 4 << 20, /* that one peer is sent so, in a beat */
    KL_GOSSIP_USELESS_MAX = 32,           /* things for nothing that one peer may say in a beat */
    KL_GOSSIP_UNWANTED_MIN = 512,         /* bytes of a message about which IDONTWANT is sent */
};
#define KL_GOSSIP_BEAT_NS     UINT64_C(1000000000)
#define KL_GOSSIP_BACKOFF_S   60
#define KL_GOSSIP_LEAVE_S     10
#define KL_GOSSIP_SEEN_NS     (120 * KL_GOSSIP_BEAT_NS)
#define KL_GOSSIP_FANOUT_NS   (60 * KL_GOSSIP_BEAT_NS)
#define KL_GOSSIP_FOLLOW_NS   (3 * KL_GOSSIP_BEAT_NS) /* a promised message comes within */
#define KL_GOSSIP_BACKOFF_MAX (3600 * KL_GOSSIP_BEAT_NS)

/* What counts in a topic [gossipsub 1.1, "peer scoring"]; decays are per beat. */
typedef struct kl_gossip_topic_score {
    double weight;
    double time_weight, time_cap;                             /* P1, by seconds in the mesh */
    double first_weight, first_decay, first_cap;              /* P2 */
    double mesh_weight, mesh_decay, mesh_cap, mesh_threshold; /* P3: 0 or less */
    u64 mesh_window_ns, mesh_activation_ns;
    double failure_weight, failure_decay; /* P3b: 0 or less */
    double invalid_weight, invalid_decay; /* P4: below 0 */
} kl_gossip_topic_score;

typedef struct kl_gossip_score_params {
    double topic_cap; /* of what all topics add up to */
    double ip_weight; /* P6: 0 or less */
    u32 ip_threshold;
    double behaviour_weight, behaviour_threshold, behaviour_decay; /* P7 */
    double decay_to_zero;
    u64 retain_ns;                   /* a bad score outlives its connection by */
    double gossip, publish, gray;    /* thresholds, below 0, falling */
    double accept_px, opportunistic; /* 0 or more */
} kl_gossip_score_params;

typedef struct kl_gossip_topic {
    kl_span name; /* the caller's, as long as the router lives; within KL_GOSSIP_TOPIC_MAX */
    kl_gossip_topic_score score;
} kl_gossip_topic;

typedef struct kl_gossip_config {
    const kl_gossip_topic *topics; /* copied; at most KL_GOSSIP_TOPICS_MAX (asserted) */
    u32 topic_count;
    kl_gossip_score_params score;
    bool flood_publish; /* our own messages go to all who want them */
    bool direct_clique; /* direct peers are connected with one another: what one of them has said is
                           not passed on to others of them, who only hear that it is there */
    usize message_max;  /* bytes of data; well below KL_GOSSIP_RPC_MAX (asserted) */
    u32 seen_max;       /* ids that are remembered */
    usize held_max;     /* bytes of messages that are kept */
    u32 pending_max;    /* messages that wait for a verdict; a quarter of them of one peer */
    u64 seed;
} kl_gossip_config;

/* Scores and limits for a network of up to some thousand nodes; topics are left out. */
kl_gossip_config kl_gossip_config_usual(void);
kl_gossip_topic_score kl_gossip_topic_score_usual(void);

typedef enum kl_gossip_version {
    KL_GOSSIP_V10, /* knows no peer exchange */
    KL_GOSSIP_V11,
    KL_GOSSIP_V12, /* IDONTWANT */
} kl_gossip_version;

typedef struct kl_gossip_peer_info {
    kl_peer_id id;
    u8 ip[16]; /* zeros: not counted, as of loopback and of direct peers */
    bool outbound, direct;
    kl_gossip_version version;
    u64 tag; /* the user's; stands in every event about the peer */
} kl_gossip_peer_info;

typedef enum kl_gossip_verdict_kind {
    KL_GOSSIP_ACCEPT,
    KL_GOSSIP_REJECT, /* it breaks a rule, whoever looks at it */
    KL_GOSSIP_IGNORE,
} kl_gossip_verdict_kind;

typedef enum kl_gossip_event_kind {
    KL_GOSSIP_SEND,     /* peer, bytes: an RPC behind its length, for the call */
    KL_GOSSIP_DELIVER,  /* peer, topic, id, bytes: until the verdict */
    KL_GOSSIP_CONNECT,  /* peer: who says so; id: of whom; record: signed by whom it is of, for the
                           call */
    KL_GOSSIP_GRAY,     /* peer, score: it is not listened to from here on */
    KL_GOSSIP_NUISANCE, /* peer, units: it has said so much for nothing (nuisance.h) */
} kl_gossip_event_kind;

typedef struct kl_gossip_event {
    kl_gossip_event_kind kind;
    u32 peer, topic;
    u64 tag; /* the peer's */
    const u8 *id;
    kl_span bytes;
    const kl_peer_record *record;
    double score;
    u64 units;
    bool keep; /* of SEND: it tells of subscriptions or meshes, and may not be lost while the
                  connection lasts; others may, when a queue is full */
} kl_gossip_event;

struct kl_gossip_user {
    void (*event)(struct kl_gossip_user *user, const kl_gossip_event *event);
};

struct kl_gossip;

KL_MUST_USE kl_status kl_gossip_new(struct kl_gossip **out, const kl_gossip_config *config,
                                    struct kl_gossip_user *user);
void kl_gossip_free(struct kl_gossip *g); /* NULL is fine */

/* A peer is connected and speaks; *peer is its number until it is down.  No peer is up twice
 * (asserted).  KL_LIMIT. */
KL_MUST_USE kl_status kl_gossip_up(struct kl_gossip *g, u64 now_ns, const kl_gossip_peer_info *info,
                                   u32 *peer);
void kl_gossip_down(struct kl_gossip *g, u64 now_ns, u32 peer);

/* An RPC of a peer.  A rule ends the connection: the rows of kl_gossip_rpc_check. */
kl_rule kl_gossip_hear(struct kl_gossip *g, u64 now_ns, u32 peer, kl_span rpc);

void kl_gossip_join(struct kl_gossip *g, u64 now_ns, u32 topic);
void kl_gossip_leave(struct kl_gossip *g, u64 now_ns, u32 topic);

/* KL_LIMIT: longer than message_max; KL_NOMEM.  What was published or heard before is not sent
 * again. */
KL_MUST_USE kl_status kl_gossip_publish(struct kl_gossip *g, u64 now_ns, u32 topic, kl_span data);

/* About a message that was delivered; nothing happens when it is forgotten already. */
void kl_gossip_verdict(struct kl_gossip *g, u64 now_ns, const u8 id[KL_GOSSIP_ID_LEN],
                       kl_gossip_verdict_kind verdict);

/* Once every KL_GOSSIP_BEAT_NS. */
void kl_gossip_beat(struct kl_gossip *g, u64 now_ns);

/* What other parts know of a peer: its record, to be passed on (longer ones are not). */
void kl_gossip_set_record(struct kl_gossip *g, u32 peer, kl_span envelope);
void kl_gossip_set_direct(struct kl_gossip *g, u64 now_ns, u32 peer, bool direct);

double kl_gossip_score(const struct kl_gossip *g, u32 peer);
bool kl_gossip_in_mesh(const struct kl_gossip *g, u32 topic, u32 peer);
usize kl_gossip_mesh_count(const struct kl_gossip *g, u32 topic);
usize kl_gossip_held_bytes(const struct kl_gossip *g);

#endif
