/* What a peer says, item by item.  Nothing here trusts a topic, an id or a number. */
#include "crypto/digest.h"
#include "p2p/gossip_priv.h"
#include "p2p/peer_record.h"

enum {
    GRAFT_FLOOD_S = 10, /* a GRAFT so soon behind a PRUNE costs twice */
    PENDING_PART = 4,
    GRAFT_UNITS = 16, /* of nuisance */
};

/* KL_GOSSIP_TOPICS_MAX for topics that are not the config's. */
static u32 topic_of(const struct kl_gossip *g, kl_span name)
{
    for (u32 t = 0; t < g->config.topic_count; t++)
        if (kl_span_eq(gossip_name(g, t), name))
            return t;
    return KL_GOSSIP_TOPICS_MAX;
}

static bool is_joined(const struct kl_gossip *g, u32 topic)
{
    return topic < KL_GOSSIP_TOPICS_MAX && g->topics[topic].joined;
}

static void hear_subscription(struct kl_gossip *g, u32 peer, u32 topic, bool subscribes)
{
    struct gossip_peer *p = &g->peers[peer];
    if (topic == KL_GOSSIP_TOPICS_MAX) {
        gossip_nuisance(g, peer, 1);
        return;
    }
    if (subscribes) {
        p->topics |= gossip_bit(topic);
        return;
    }
    p->topics &= ~gossip_bit(topic);
    p->links[topic].fanout = false;
    if (p->links[topic].meshed)
        gossip_leave_mesh(g, peer, topic);
}

static void hear_message(struct kl_gossip *g, u32 peer, u32 topic, const kl_gossip_item *item)
{
    u8 id[KL_GOSSIP_ID_LEN];
    struct gossip_peer *p = &g->peers[peer];
    if (!is_joined(g, topic)) {
        gossip_useless(g, peer);
        return;
    }
    if (item->is_signed || item->data.len > g->config.message_max) {
        p->links[topic].invalid++;
        return;
    }
    kl_sha256(id, item->data);
    struct gossip_seen *s = gossip_find(g, id);
    if (s) {
        gossip_duplicate(g, s, peer);
        return;
    }
    if (g->pending < g->config.pending_max && p->pending < g->config.pending_max / PENDING_PART)
        s = gossip_remember(g, id, topic, item->data, (i32)peer);
    if (!s) {
        gossip_kept_promise(g, id);
        return;
    }
    if (item->data.len >= KL_GOSSIP_UNWANTED_MIN)
        gossip_say_unwanted(g, s);
    gossip_tell(g, &(kl_gossip_event){.kind = KL_GOSSIP_DELIVER,
                                      .peer = peer,
                                      .topic = topic,
                                      .id = s->id,
                                      .bytes = kl_span_of(s->data->bytes, s->data->len)});
}

void gossip_kept_promise(struct kl_gossip *g, const u8 *id)
{
    for (u32 i = 0; i < KL_GOSSIP_PEERS_MAX; i++)
        for (usize k = 0; g->peers[i].used && k < GOSSIP_PROMISES; k++) {
            struct gossip_promise *promise = &g->peers[i].promises[k];
            if (promise->due_ns && memcmp(promise->id, id, KL_GOSSIP_ID_LEN) == 0)
                promise->due_ns = 0;
        }
}

void gossip_judge_promises(struct kl_gossip *g)
{
    for (u32 i = 0; i < KL_GOSSIP_PEERS_MAX; i++)
        for (usize k = 0; g->peers[i].used && k < GOSSIP_PROMISES; k++) {
            struct gossip_promise *promise = &g->peers[i].promises[k];
            if (promise->due_ns == 0 || g->now_ns < promise->due_ns)
                continue;
            promise->due_ns = 0;
            if (!gossip_find(g, promise->id))
                g->peers[i].behaviour++;
        }
}

/* One of the ids that it was asked for, chosen by us. */
static void take_promise(struct kl_gossip *g, u32 peer, const u8 *id)
{
    for (usize k = 0; k < GOSSIP_PROMISES; k++) {
        struct gossip_promise *promise = &g->peers[peer].promises[k];
        if (promise->due_ns)
            continue;
        memcpy(promise->id, id, KL_GOSSIP_ID_LEN);
        promise->due_ns = g->now_ns + KL_GOSSIP_FOLLOW_NS;
        return;
    }
}

static void hear_ihave(struct kl_gossip *g, u32 peer, u32 topic, kl_gossip_list list)
{
    struct gossip_peer *p = &g->peers[peer];
    const u8 *id, *chosen = NULL;
    u32 count = 0, most;
    if (gossip_score(g, peer) < g->config.score.gossip) {
        gossip_nuisance_list(g, peer, list);
        return;
    }
    if (p->haves == KL_GOSSIP_IHAVES_MAX || !is_joined(g, topic)) {
        gossip_useless_list(g, peer, list);
        return;
    }
    p->haves++;
    most = KL_GOSSIP_IDS_MAX - p->asked;
    for (kl_gossip_list ids = list; count < most && kl_gossip_next_id(&ids, &id);)
        if (!gossip_find(g, id)) {
            count++;
            if (kl_rand_below(&g->seed, count) == 0)
                chosen = id;
        }
    if (count == 0)
        return;
    p->asked += count;
    kl_gossip_put_iwant(&g->rpc, count);
    while (count && kl_gossip_next_id(&list, &id))
        if (!gossip_find(g, id)) {
            kl_gossip_put_want_id(&g->rpc, id);
            count--;
        }
    take_promise(g, peer, chosen);
}

static void hear_iwant(struct kl_gossip *g, u32 peer, kl_gossip_list list)
{
    struct gossip_peer *p = &g->peers[peer];
    const u8 *id;
    u64 unknown = 0;
    if (gossip_score(g, peer) < g->config.score.gossip) {
        gossip_nuisance_list(g, peer, list);
        return;
    }
    while (kl_gossip_next_id(&list, &id)) {
        struct gossip_seen *s = gossip_find(g, id);
        if (!s || !s->data || s->state != GOSSIP_VALID) {
            unknown++;
            continue;
        }
        if (s->data->asked[peer] == KL_GOSSIP_ANSWERS_MAX ||
            s->data->len > KL_GOSSIP_ANSWER_BYTES_MAX - p->answered) {
            gossip_useless(g, peer);
            continue;
        }
        s->data->asked[peer]++;
        p->answered += s->data->len;
        kl_gossip_put_message(&g->rpc, gossip_name(g, s->topic),
                              kl_span_of(s->data->bytes, s->data->len));
        if (kl_gossip_rpc_len(&g->rpc) >= GOSSIP_CHUNK)
            gossip_flush(g, peer);
    }
    gossip_nuisance(g, peer, unknown);
}

/* Who was started again, or whose connection broke before our PRUNE came, knows of no back-off: on
 * each connection one GRAFT costs nothing. */
static void graft_too_early(struct kl_gossip *g, u32 peer, u32 topic)
{
    struct gossip_peer *p = &g->peers[peer];
    u64 left_ns = p->links[topic].backoff_ns - g->now_ns;
    gossip_nuisance(g, peer, GRAFT_UNITS);
    if (p->told & gossip_bit(topic)) {
        p->behaviour++;
        if (left_ns > (KL_GOSSIP_BACKOFF_S - GRAFT_FLOOD_S) * KL_GOSSIP_BEAT_NS)
            p->behaviour++;
    }
    gossip_prune(g, peer, topic, false, KL_GOSSIP_BACKOFF_S);
}

static void hear_graft(struct kl_gossip *g, u32 peer, u32 topic)
{
    struct gossip_peer *p = &g->peers[peer];
    if (!is_joined(g, topic)) {
        gossip_useless(g, peer);
        return;
    }
    struct gossip_link *link = &p->links[topic];
    if (link->meshed)
        return;
    if (g->now_ns < link->backoff_ns) {
        graft_too_early(g, peer, topic);
    } else if (p->info.direct || gossip_score(g, peer) < 0) {
        gossip_prune(g, peer, topic, false, KL_GOSSIP_BACKOFF_S);
    } else if (kl_gossip_mesh_count(g, topic) >= KL_GOSSIP_D_HIGH && !p->info.outbound) {
        gossip_prune(g, peer, topic, true, KL_GOSSIP_BACKOFF_S);
    } else {
        p->topics |= gossip_bit(topic); /* who grafts has subscribed, whatever comes first */
        gossip_graft(g, peer, topic);
    }
}

static void hear_px(struct kl_gossip *g, u32 peer, kl_gossip_list list)
{
    kl_gossip_px px;
    while (kl_gossip_next_px(&list, &px)) {
        kl_peer_record record;
        if (!px.has_peer || kl_peer_record_open(&record, px.record) != KL_RULE_NONE ||
            !kl_peer_id_eq(&record.peer, &px.peer))
            continue;
        gossip_tell(
            g, &(kl_gossip_event){
                   .kind = KL_GOSSIP_CONNECT, .peer = peer, .id = px.peer.key, .record = &record});
    }
}

static void hear_prune(struct kl_gossip *g, u32 peer, u32 topic, const kl_gossip_item *item)
{
    struct gossip_link *link;
    u64 wait = KL_GOSSIP_BACKOFF_S * KL_GOSSIP_BEAT_NS;
    if (topic == KL_GOSSIP_TOPICS_MAX) {
        gossip_useless(g, peer);
        return;
    }
    link = gossip_link(g, peer, topic);
    bool meshed = link->meshed;
    if (item->has_backoff)
        wait = kl_mul_sat_u64(item->backoff_s, KL_GOSSIP_BEAT_NS);
    wait = KL_MIN(wait, KL_GOSSIP_BACKOFF_MAX);
    link->backoff_ns = KL_MAX(link->backoff_ns, g->now_ns + wait);
    g->peers[peer].told |= gossip_bit(topic);
    if (meshed)
        gossip_leave_mesh(g, peer, topic);
    else
        gossip_useless_list(g, peer, item->list);
    if (meshed && is_joined(g, topic) && gossip_score(g, peer) >= g->config.score.accept_px)
        hear_px(g, peer, item->list);
}

static void hear_idontwant(struct kl_gossip *g, u32 peer, kl_gossip_list list)
{
    struct gossip_peer *p = &g->peers[peer];
    const u8 *id;
    while (kl_gossip_next_id(&list, &id)) {
        if (p->unwanted_heard == GOSSIP_UNWANTED) {
            gossip_useless_list(g, peer, list);
            return;
        }
        p->unwanted_heard++;
        p->unwanted[p->unwanted_at++ % GOSSIP_UNWANTED] = gossip_unwanted_key(g, id);
    }
}

void gossip_hear_items(struct kl_gossip *g, u32 peer, kl_span rpc)
{
    kl_gossip_cursor cursor = {.rpc = rpc};
    kl_gossip_item item;
    while (kl_gossip_next(&cursor, &item)) {
        u32 topic = topic_of(g, item.topic);
        switch (item.kind) {
        case KL_GOSSIP_SUBSCRIBE:
        case KL_GOSSIP_UNSUBSCRIBE:
            hear_subscription(g, peer, topic, item.kind == KL_GOSSIP_SUBSCRIBE);
            break;
        case KL_GOSSIP_MESSAGE:
            hear_message(g, peer, topic, &item);
            break;
        case KL_GOSSIP_IHAVE:
            hear_ihave(g, peer, topic, item.list);
            break;
        case KL_GOSSIP_IWANT:
            hear_iwant(g, peer, item.list);
            break;
        case KL_GOSSIP_GRAFT:
            hear_graft(g, peer, topic);
            break;
        case KL_GOSSIP_PRUNE:
            hear_prune(g, peer, topic, &item);
            break;
        case KL_GOSSIP_IDONTWANT:
            hear_idontwant(g, peer, item.list);
            break;
        }
    }
}
