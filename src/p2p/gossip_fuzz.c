/* A router, its user and some peers, all played by the bytes: whatever they do, what is held stays
 * within the limits, and what is sent is well formed. */
#include "base/fuzz.h"
#include "codec/protobuf.h"
#include "p2p/gossip.h"

enum { TOPICS = 3, PEERS = 8, HELD_MAX = 20000, PENDING_MAX = 8 };

static const char names[TOPICS + 1] = "abc";

struct world {
    struct kl_gossip_user user;
    struct kl_gossip *g;
    u64 now;
    kl_span rest;
    u32 peers[PEERS];
    bool up[PEERS];
    u8 ids[16][KL_GOSSIP_ID_LEN];
    usize delivered;
};

static u8 choose(struct world *w)
{
    if (w->rest.len == 0)
        return 0;
    u8 b = *w->rest.p;
    w->rest = kl_span_sub(w->rest, 1, w->rest.len - 1);
    return b;
}

static void hear(struct kl_gossip_user *user, const kl_gossip_event *event)
{
    struct world *w = (struct world *)user;
    kl_span rpc = event->bytes;
    u64 size;
    u8 what;
    switch (event->kind) {
    case KL_GOSSIP_SEND:
        KL_ASSERT(kl_varint(&rpc, &size) == KL_RULE_NONE && size == rpc.len);
        KL_ASSERT(kl_gossip_rpc_check(rpc) == KL_RULE_NONE);
        break;
    case KL_GOSSIP_DELIVER:
        memcpy(w->ids[w->delivered++ % KL_COUNT_OF(w->ids)], event->id, KL_GOSSIP_ID_LEN);
        what = choose(w);
        if (what % 2)
            kl_gossip_verdict(w->g, w->now, event->id, (kl_gossip_verdict_kind)(what / 2 % 3));
        break;
    case KL_GOSSIP_CONNECT:
    case KL_GOSSIP_GRAY:
    case KL_GOSSIP_NUISANCE:
        break;
    }
}

static void change_peer(struct world *w, u32 i)
{
    u8 what = choose(w);
    if (w->up[i]) {
        kl_gossip_down(w->g, w->now, w->peers[i]);
        w->up[i] = false;
        return;
    }
    kl_gossip_peer_info info = {.id = {{(u8)(i + 1)}},
                                .ip = {what & 1},
                                .outbound = what & 2,
                                .direct = (what & 12) == 12,
                                .version = (kl_gossip_version)((what >> 4) % 3)};
    KL_ASSERT(kl_gossip_up(w->g, w->now, &info, &w->peers[i]) == KL_OK);
    w->up[i] = true;
}

/* Bytes as they are, or as the ids of what was delivered in a control item that makes use of them.
 */
static void say(struct world *w, u32 i)
{
    u8 how = choose(w);
    kl_span rpc = kl_span_sub(w->rest, 0, how);
    w->rest = kl_span_sub(w->rest, rpc.len, w->rest.len - rpc.len);
    (void)!kl_gossip_hear(w->g, w->now, w->peers[i], rpc);
    struct kl_gossip_rpc made;
    struct kl_buf out;
    u64 size;
    kl_gossip_rpc_init(&made, 1 << 16);
    kl_buf_init(&out, 1 << 16);
    if (how & 1)
        kl_gossip_put_message(&made, kl_span_of(names + how % TOPICS, 1), rpc);
    kl_gossip_put_iwant(&made, KL_COUNT_OF(w->ids));
    for (usize k = 0; k < KL_COUNT_OF(w->ids); k++)
        kl_gossip_put_want_id(&made, w->ids[k]);
    if (how & 2)
        kl_gossip_put_graft(&made, kl_span_of(names + how % TOPICS, 1));
    kl_gossip_rpc_finish(&made, &out);
    kl_span whole = kl_buf_view(&out);
    KL_ASSERT(kl_varint(&whole, &size) == KL_RULE_NONE);
    KL_ASSERT(kl_gossip_hear(w->g, w->now, w->peers[i], whole) == KL_RULE_NONE);
    kl_gossip_rpc_done(&made);
    kl_buf_done(&out);
}

static void act(struct world *w)
{
    u8 what = choose(w);
    u32 i = what / 8 % PEERS, topic = what / 8 % TOPICS;
    switch (what % 8) {
    case 0:
        change_peer(w, i);
        break;
    case 1:
        w->now += KL_GOSSIP_BEAT_NS * (1 + choose(w) % 70);
        kl_gossip_beat(w->g, w->now);
        break;
    case 2:
        (void)!kl_gossip_publish(w->g, w->now, topic, kl_span_sub(w->rest, 0, choose(w)));
        break;
    case 3:
        kl_gossip_join(w->g, w->now, topic);
        break;
    case 4:
        kl_gossip_leave(w->g, w->now, topic);
        break;
    case 5:
        kl_gossip_verdict(w->g, w->now, w->ids[what / 8 % KL_COUNT_OF(w->ids)],
                          (kl_gossip_verdict_kind)(choose(w) % 3));
        break;
    default:
        if (w->up[i])
            say(w, i);
    }
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    kl_gossip_topic topics[TOPICS];
    kl_gossip_config config = kl_gossip_config_usual();
    struct world w = {.user = {hear}, .now = KL_GOSSIP_BEAT_NS, .rest = kl_span_of(bytes, len)};
    for (u32 t = 0; t < TOPICS; t++)
        topics[t] = (kl_gossip_topic){.name = kl_span_of(names + t, 1),
                                      .score = kl_gossip_topic_score_usual()};
    config.topics = topics;
    config.topic_count = TOPICS;
    config.held_max = HELD_MAX;
    config.message_max = 200;
    config.seen_max = 32;
    config.pending_max = PENDING_MAX;
    config.flood_publish = len & 1;
    KL_ASSERT(kl_gossip_new(&w.g, &config, &w.user) == KL_OK);
    kl_gossip_join(w.g, w.now, 0);
    while (w.rest.len) {
        act(&w);
        KL_ASSERT(kl_gossip_held_bytes(w.g) <= HELD_MAX);
        for (u32 t = 0; t < TOPICS; t++)
            KL_ASSERT(kl_gossip_mesh_count(w.g, t) <= PEERS);
    }
    kl_gossip_free(w.g);
    return 0;
}
