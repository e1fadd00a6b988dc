#include "p2p/gossip.h"

#include <stdlib.h>

#include "crypto/digest.h"
#include "p2p/gossip_priv.h"

void gossip_tell(struct kl_gossip *g, const kl_gossip_event *event)
{
    kl_gossip_event tagged = *event;
    tagged.tag = g->peers[event->peer].info.tag;
    g->user->event(g->user, &tagged);
}

static void set_now(struct kl_gossip *g, u64 now_ns)
{
    g->now_ns = KL_MAX(g->now_ns, now_ns);
}

static struct gossip_peer *peer_at(const struct kl_gossip *g, u32 peer)
{
    KL_ASSERT(peer < KL_GOSSIP_PEERS_MAX && g->peers[peer].used);
    return &g->peers[peer];
}

kl_status kl_gossip_new(struct kl_gossip **out, const kl_gossip_config *config,
                        struct kl_gossip_user *user)
{
    KL_ASSERT(config->topic_count <= KL_GOSSIP_TOPICS_MAX);
    KL_ASSERT(config->message_max <= KL_GOSSIP_RPC_MAX / 2 && config->seen_max > 0);
    struct kl_gossip *g = calloc(1, sizeof *g);
    if (!g)
        return KL_NOMEM;
    g->config = *config;
    g->config.topics = NULL;
    g->user = user;
    g->seed = config->seed;
    for (u32 t = 0; t < config->topic_count; t++) {
        KL_ASSERT(config->topics[t].name.len <= KL_GOSSIP_TOPIC_MAX);
        g->topics[t].config = config->topics[t];
    }
    kl_map_init(&g->by_id, offsetof(struct gossip_seen, id), KL_GOSSIP_ID_LEN, config->seed);
    kl_gossip_rpc_init(&g->rpc, 2 * KL_GOSSIP_RPC_MAX);
    kl_gossip_rpc_init(&g->forward, 2 * KL_GOSSIP_RPC_MAX);
    kl_buf_init(&g->out, 4 * KL_GOSSIP_RPC_MAX);
    kl_buf_init(&g->px, KL_GOSSIP_PX_MAX * (KL_GOSSIP_RECORD_MAX + 64));
    g->peers = calloc(KL_GOSSIP_PEERS_MAX, sizeof *g->peers);
    g->memories = calloc(GOSSIP_MEMORIES, sizeof *g->memories);
    g->seen = calloc(config->seen_max, sizeof *g->seen);
    if (!g->peers || !g->memories || !g->seen) {
        kl_gossip_free(g);
        return KL_NOMEM;
    }
    *out = g;
    return KL_OK;
}

void kl_gossip_free(struct kl_gossip *g)
{
    if (!g)
        return;
    for (u64 at = g->data_first; at < g->seen_end; at++)
        free(gossip_seen_at(g, at)->data);
    kl_map_done(&g->by_id);
    kl_gossip_rpc_done(&g->rpc);
    kl_gossip_rpc_done(&g->forward);
    kl_buf_done(&g->out);
    kl_buf_done(&g->px);
    free(g->peers);
    free(g->memories);
    free(g->seen);
    free(g);
}

kl_status kl_gossip_up(struct kl_gossip *g, u64 now_ns, const kl_gossip_peer_info *info, u32 *peer)
{
    u32 free_at = KL_GOSSIP_PEERS_MAX;
    set_now(g, now_ns);
    for (u32 i = KL_GOSSIP_PEERS_MAX; i-- > 0;) {
        KL_ASSERT(!g->peers[i].used || !kl_peer_id_eq(&g->peers[i].info.id, &info->id));
        if (!g->peers[i].used)
            free_at = i;
    }
    if (free_at == KL_GOSSIP_PEERS_MAX)
        return KL_LIMIT;
    struct gossip_peer *p = &g->peers[free_at];
    memset(p, 0, sizeof *p);
    p->used = true;
    p->info = *info;
    gossip_recall(g, free_at);
    gossip_count_ips(g);
    *peer = free_at;
    for (u32 t = 0; t < g->config.topic_count; t++)
        if (g->topics[t].joined)
            gossip_put_subscription(g, true, t);
    gossip_flush(g, free_at);
    return KL_OK;
}

void kl_gossip_down(struct kl_gossip *g, u64 now_ns, u32 peer)
{
    struct gossip_peer *p = peer_at(g, peer);
    set_now(g, now_ns);
    for (u32 t = 0; t < g->config.topic_count; t++)
        if (p->links[t].meshed)
            gossip_leave_mesh(g, peer, t);
    gossip_keep(g, peer);
    gossip_forget_peer(g, peer);
    memset(p, 0, sizeof *p);
    gossip_count_ips(g);
}

kl_rule kl_gossip_hear(struct kl_gossip *g, u64 now_ns, u32 peer, kl_span rpc)
{
    struct gossip_peer *p = peer_at(g, peer);
    set_now(g, now_ns);
    gossip_watch(g, peer);
    if (p->gray)
        return KL_RULE_NONE;
    kl_rule broken = kl_gossip_rpc_check(rpc);
    if (broken != KL_RULE_NONE) {
        p->behaviour++;
        return broken;
    }
    gossip_hear_items(g, peer, rpc);
    gossip_flush(g, peer);
    gossip_watch(g, peer);
    return KL_RULE_NONE;
}

/* One of the direct peers has said it, and so all of them have heard it. */
static bool is_known_to_direct(const struct kl_gossip *g, const struct gossip_seen *s)
{
    for (u32 i = 0; g->config.direct_clique && i < KL_GOSSIP_PEERS_MAX; i++)
        if (g->peers[i].used && g->peers[i].info.direct && (s->peers[i / 64] >> (i % 64) & 1))
            return true;
    return false;
}

/* Those in the mesh and the direct ones, but for who has it or does not want it. */
static void pass_on(struct kl_gossip *g, const struct gossip_seen *s)
{
    bool goes[KL_GOSSIP_PEERS_MAX] = {false}, known = is_known_to_direct(g, s);
    for (u32 i = 0; i < KL_GOSSIP_PEERS_MAX; i++) {
        const struct gossip_peer *p = &g->peers[i];
        goes[i] = p->used && (p->topics & gossip_bit(s->topic)) &&
                  (p->links[s->topic].meshed || (p->info.direct && !known)) &&
                  !(s->peers[i / 64] >> (i % 64) & 1) && !gossip_is_unwanted(g, i, s->id);
    }
    gossip_pass_on(g, s, goes);
}

void kl_gossip_verdict(struct kl_gossip *g, u64 now_ns, const u8 id[KL_GOSSIP_ID_LEN],
                       kl_gossip_verdict_kind verdict)
{
    set_now(g, now_ns);
    struct gossip_seen *s = gossip_find(g, id);
    if (!s || s->state != GOSSIP_PENDING)
        return;
    switch (verdict) {
    case KL_GOSSIP_ACCEPT:
        gossip_settle(g, s, GOSSIP_VALID);
        s->valid_ns = g->now_ns;
        s->beat = g->beat;
        gossip_credit(g, s);
        if (g->topics[s->topic].joined)
            pass_on(g, s);
        break;
    case KL_GOSSIP_REJECT:
        gossip_blame(g, s);
        gossip_settle(g, s, GOSSIP_INVALID);
        break;
    case KL_GOSSIP_IGNORE:
        gossip_settle(g, s, GOSSIP_IGNORED);
        break;
    }
}

/* Whom our own message goes to. */
static bool is_target(const struct kl_gossip *g, u32 peer, u32 topic)
{
    const struct gossip_peer *p = &g->peers[peer];
    if (!p->used || !(p->topics & gossip_bit(topic)))
        return false;
    if (p->info.direct || p->links[topic].meshed || p->links[topic].fanout)
        return true;
    return g->config.flood_publish && gossip_score(g, peer) >= g->config.score.publish;
}

kl_status kl_gossip_publish(struct kl_gossip *g, u64 now_ns, u32 topic, kl_span data)
{
    u8 id[KL_GOSSIP_ID_LEN];
    bool goes[KL_GOSSIP_PEERS_MAX];
    set_now(g, now_ns);
    KL_ASSERT(topic < g->config.topic_count);
    if (data.len > g->config.message_max)
        return KL_LIMIT;
    kl_sha256(id, data);
    if (gossip_find(g, id))
        return KL_OK;
    struct gossip_seen *s = gossip_remember(g, id, topic, data, GOSSIP_NOBODY);
    if (!s)
        return KL_NOMEM;
    if (!g->topics[topic].joined) {
        gossip_choose_fanout(g, topic);
        g->topics[topic].fanout_ns = KL_MAX(g->now_ns, 1);
    }
    for (u32 i = 0; i < KL_GOSSIP_PEERS_MAX; i++)
        goes[i] = is_target(g, i, topic);
    gossip_pass_on(g, s, goes);
    return KL_OK;
}

static void beat_topic(struct kl_gossip *g, u32 topic)
{
    struct gossip_topic *t = &g->topics[topic];
    if (t->joined)
        gossip_maintain(g, topic);
    if (t->fanout_ns && g->now_ns - t->fanout_ns > KL_GOSSIP_FANOUT_NS) {
        t->fanout_ns = 0;
        for (u32 i = 0; i < KL_GOSSIP_PEERS_MAX; i++)
            gossip_link(g, i, topic)->fanout = false;
    }
    if (t->fanout_ns)
        gossip_choose_fanout(g, topic);
    if (t->joined || t->fanout_ns)
        gossip_choose_lazy(g, topic);
}

void kl_gossip_beat(struct kl_gossip *g, u64 now_ns)
{
    set_now(g, now_ns);
    g->beat++;
    gossip_judge_promises(g);
    gossip_decay(g);
    for (u32 i = 0; i < KL_GOSSIP_PEERS_MAX; i++) {
        struct gossip_peer *p = &g->peers[i];
        if (!p->used)
            continue;
        p->haves = p->asked = p->useless = p->unwanted_heard = 0;
        p->answered = 0;
        gossip_watch(g, i);
    }
    for (u32 t = 0; t < g->config.topic_count; t++)
        beat_topic(g, t);
    gossip_flush_all(g);
    gossip_expire(g);
}

void kl_gossip_set_record(struct kl_gossip *g, u32 peer, kl_span envelope)
{
    struct gossip_peer *p = peer_at(g, peer);
    p->record_len = envelope.len <= sizeof p->record ? envelope.len : 0;
    if (p->record_len)
        memcpy(p->record, envelope.p, p->record_len);
}

void kl_gossip_set_direct(struct kl_gossip *g, u64 now_ns, u32 peer, bool direct)
{
    struct gossip_peer *p = peer_at(g, peer);
    set_now(g, now_ns);
    if (p->info.direct == direct)
        return;
    p->info.direct = direct;
    for (u32 t = 0; t < g->config.topic_count; t++)
        if (direct && p->links[t].meshed)
            gossip_prune(g, peer, t, false, KL_GOSSIP_BACKOFF_S);
    gossip_flush(g, peer);
}

double kl_gossip_score(const struct kl_gossip *g, u32 peer)
{
    (void)peer_at(g, peer);
    return gossip_score(g, peer);
}

bool kl_gossip_in_mesh(const struct kl_gossip *g, u32 topic, u32 peer)
{
    return peer_at(g, peer)->links[topic].meshed;
}

usize kl_gossip_mesh_count(const struct kl_gossip *g, u32 topic)
{
    usize count = 0;
    for (u32 i = 0; i < KL_GOSSIP_PEERS_MAX; i++)
        count += g->peers[i].used && g->peers[i].links[topic].meshed;
    return count;
}

usize kl_gossip_held_bytes(const struct kl_gossip *g)
{
    return g->held;
}
