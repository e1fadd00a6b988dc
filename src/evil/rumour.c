/* Attacks on gossip. */
#include "evil/attack_priv.h"
#include "p2p/gossip.h"

enum { IDS = 5000, RPC_ROOM = KL_GOSSIP_RPC_MAX };

void evil_open_gossip(struct evil_wire *w)
{
    evil_open_other(w, KL_GOSSIP_NAME_V11, KL_SPAN_NONE);
}

void evil_gossip_long(struct evil_wire *w)
{
    evil_open_other(w, KL_GOSSIP_NAME_V11, KL_SPAN_TEXT("\xff\xff\xff\x7f that is long"));
}

void evil_gossip_junk(struct evil_wire *w)
{
    u8 bytes[128];
    evil_random_bytes(w->evil, bytes, sizeof bytes);
    bytes[0] = sizeof bytes - 1;
    evil_queue(w, EVIL_OTHER, KL_SPAN_OF(bytes));
}

static kl_span topic(struct evil_wire *w)
{
    return w->evil->name_spans[EVIL_TX];
}

/* One RPC of what fill puts into it. */
static void say(struct evil_wire *w, void (*fill)(struct evil_wire *w, struct kl_gossip_rpc *rpc))
{
    struct kl_gossip_rpc rpc;
    struct kl_buf out;
    kl_buf_init(&out, RPC_ROOM + 16);
    kl_gossip_rpc_init(&rpc, RPC_ROOM);
    fill(w, &rpc);
    kl_gossip_rpc_finish(&rpc, &out);
    KL_ASSERT(!out.failed);
    evil_queue(w, EVIL_OTHER, kl_buf_view(&out));
    kl_gossip_rpc_done(&rpc);
    kl_buf_done(&out);
}

static void topics(struct evil_wire *w, struct kl_gossip_rpc *rpc)
{
    u8 name[200] = "topic";
    for (usize i = 0; i < KL_GOSSIP_SUBSCRIPTIONS_MAX; i++) {
        evil_random_bytes(w->evil, name + 8, 8);
        kl_gossip_put_subscription(rpc, true, KL_SPAN_OF(name));
    }
}

void evil_gossip_topics(struct evil_wire *w)
{
    say(w, topics);
}

static void ids(struct evil_wire *w, struct kl_gossip_rpc *rpc,
                void (*put)(struct kl_gossip_rpc *rpc, const u8 id[KL_GOSSIP_ID_LEN]))
{
    u8 id[KL_GOSSIP_ID_LEN];
    for (usize i = 0; i < IDS; i++) {
        evil_random_bytes(w->evil, id, sizeof id);
        put(rpc, id);
    }
}

static void ihave(struct evil_wire *w, struct kl_gossip_rpc *rpc)
{
    kl_gossip_put_ihave(rpc, topic(w), IDS);
    ids(w, rpc, kl_gossip_put_have_id);
}

void evil_gossip_ihave(struct evil_wire *w)
{
    say(w, ihave);
}

static void iwant(struct evil_wire *w, struct kl_gossip_rpc *rpc)
{
    kl_gossip_put_iwant(rpc, IDS);
    ids(w, rpc, kl_gossip_put_want_id);
}

void evil_gossip_iwant(struct evil_wire *w)
{
    say(w, iwant);
}

static void idontwant(struct evil_wire *w, struct kl_gossip_rpc *rpc)
{
    kl_gossip_put_idontwant(rpc, IDS);
    ids(w, rpc, kl_gossip_put_want_id);
}

void evil_gossip_idontwant(struct evil_wire *w)
{
    say(w, idontwant);
}

static void graft(struct evil_wire *w, struct kl_gossip_rpc *rpc)
{
    kl_gossip_put_graft(rpc, topic(w));
    kl_gossip_put_prune(rpc, topic(w), true, 60, KL_SPAN_NONE);
    kl_gossip_put_graft(rpc, topic(w));
}

void evil_gossip_graft(struct evil_wire *w)
{
    say(w, graft);
}

static void invalid(struct evil_wire *w, struct kl_gossip_rpc *rpc)
{
    u8 data[200];
    evil_random_bytes(w->evil, data, sizeof data);
    kl_gossip_put_message(rpc, topic(w), KL_SPAN_OF(data));
}

void evil_gossip_invalid(struct evil_wire *w)
{
    say(w, invalid);
}

/* Peers with records that nobody signed. */
static void poison(struct evil_wire *w, struct kl_gossip_rpc *rpc)
{
    struct kl_buf peers;
    u8 record[200];
    kl_buf_init(&peers, 1 << 14);
    for (usize i = 0; i < KL_GOSSIP_PX_MAX; i++) {
        kl_secret32 nobody;
        evil_random_bytes(w->evil, nobody.b, sizeof nobody.b);
        evil_random_bytes(w->evil, record, sizeof record);
        kl_peer_id id = kl_peer_id_of(&nobody);
        kl_gossip_put_px(&peers, &id, i % 2 ? KL_SPAN_OF(record) : KL_SPAN_NONE);
    }
    kl_gossip_put_prune(rpc, topic(w), true, 60, kl_buf_view(&peers));
    kl_buf_done(&peers);
}

void evil_gossip_poison(struct evil_wire *w)
{
    say(w, poison);
}
