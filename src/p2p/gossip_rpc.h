/* gossip_rpc: what gossipsub's peers say to one another [libp2p specs: pubsub, gossipsub 1.0 to
 * 1.2], under StrictNoSign: a message is its topic and its data, and its id the SHA-256 of the
 * data.
 *
 * Reading has two steps.  kl_gossip_rpc_check walks over the whole RPC, its form and its counts;
 * only what passed it may be read item by item.  So a bad RPC changes nothing, and nothing is
 * stored on the way.  Thread: any; spans are views of the RPC. */
#ifndef KL_P2P_GOSSIP_RPC_H
#define KL_P2P_GOSSIP_RPC_H

#include "base/buf.h"
#include "base/rule.h"
#include "p2p/peer_id.h"

enum {
    KL_GOSSIP_ID_LEN = 32,
    KL_GOSSIP_TOPIC_MAX = 256, /* bytes of a name */

    /* In one RPC: */
    KL_GOSSIP_RPC_MAX = 1 << 20, /* bytes */
    KL_GOSSIP_SUBSCRIPTIONS_MAX = 256,
    KL_GOSSIP_MESSAGES_MAX = 4096,
    KL_GOSSIP_CONTROLS_MAX = 512,
    KL_GOSSIP_IDS_MAX = 5000, /* had, wanted and not wanted, together of each */
    KL_GOSSIP_PX_MAX = 16,    /* in one PRUNE */
};

typedef enum kl_gossip_kind {
    KL_GOSSIP_SUBSCRIBE,   /* topic */
    KL_GOSSIP_UNSUBSCRIBE, /* topic */
    KL_GOSSIP_MESSAGE,     /* topic, data, is_signed */
    KL_GOSSIP_IHAVE,       /* topic, list: ids */
    KL_GOSSIP_IWANT,       /* list: ids */
    KL_GOSSIP_GRAFT,       /* topic */
    KL_GOSSIP_PRUNE,       /* topic, list: peers; has_backoff, backoff_s */
    KL_GOSSIP_IDONTWANT,   /* list: ids */
} kl_gossip_kind;

typedef struct kl_gossip_list {
    kl_span rest;
    u32 number;
} kl_gossip_list;

typedef struct kl_gossip_item {
    kl_gossip_kind kind;
    bool is_signed; /* has a sender, number, signature or key */
    bool has_backoff;
    u64 backoff_s;
    kl_span topic, data;
    kl_gossip_list list;
} kl_gossip_item;

/* GOSSIP_FORM, GOSSIP_COUNT (a limit above), the rows of kl_pb_next. */
kl_rule kl_gossip_rpc_check(kl_span rpc);

/* Items of a checked RPC (asserted), in their order; false at the end. */
typedef struct kl_gossip_cursor {
    kl_span rpc, control;
} kl_gossip_cursor;
bool kl_gossip_next(kl_gossip_cursor *cursor, kl_gossip_item *item);

/* The ids of a list; those of another length are passed over. */
bool kl_gossip_next_id(kl_gossip_list *list, const u8 **id);
/* The peers of a PRUNE; of those with a kind of key that is not known here has_peer is false. */
typedef struct kl_gossip_px {
    bool has_peer;
    kl_peer_id peer;
    kl_span record; /* an envelope, or nothing */
} kl_gossip_px;
bool kl_gossip_next_px(kl_gossip_list *list, kl_gossip_px *px);

/* An RPC to be sent: items in any order, then finish appends it to out behind its length, and
 * clears it.  Failures show in out, or in body or control: see buf.h. */
struct kl_gossip_rpc {
    struct kl_buf body, control;
};

void kl_gossip_rpc_init(struct kl_gossip_rpc *rpc, usize limit);
void kl_gossip_rpc_done(struct kl_gossip_rpc *rpc);
usize kl_gossip_rpc_len(const struct kl_gossip_rpc *rpc);
void kl_gossip_rpc_finish(struct kl_gossip_rpc *rpc, struct kl_buf *out);

void kl_gossip_put_subscription(struct kl_gossip_rpc *rpc, bool subscribes, kl_span topic);
void kl_gossip_put_message(struct kl_gossip_rpc *rpc, kl_span topic, kl_span data);
void kl_gossip_put_graft(struct kl_gossip_rpc *rpc, kl_span topic);
/* Heads; count ids, or px_len bytes of peers, follow. */
void kl_gossip_put_ihave(struct kl_gossip_rpc *rpc, kl_span topic, usize count);
void kl_gossip_put_iwant(struct kl_gossip_rpc *rpc, usize count);
void kl_gossip_put_idontwant(struct kl_gossip_rpc *rpc, usize count);
/* An id behind one of these heads. */
void kl_gossip_put_have_id(struct kl_gossip_rpc *rpc, const u8 id[KL_GOSSIP_ID_LEN]);
void kl_gossip_put_want_id(struct kl_gossip_rpc *rpc, const u8 id[KL_GOSSIP_ID_LEN]);
/* peers: made by kl_gossip_put_px; has_backoff false for peers who know none. */
void kl_gossip_put_prune(struct kl_gossip_rpc *rpc, kl_span topic, bool has_backoff, u64 backoff_s,
                         kl_span peers);
void kl_gossip_put_px(struct kl_buf *peers, const kl_peer_id *peer, kl_span record);

#endif
