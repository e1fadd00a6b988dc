/* What a peer is to hear is gathered, as masks of topics in its struct and as items in rpc, and
 * leaves as one RPC; a message that goes to many is written once. */
#include "p2p/gossip_priv.h"

static void send_out(struct kl_gossip *g, u32 peer, bool keep)
{
    if (!g->out.failed) /* what does not fit into memory is lost, as on a bad line */
        gossip_tell(g, &(kl_gossip_event){.kind = KL_GOSSIP_SEND,
                                          .peer = peer,
                                          .bytes = kl_buf_view(&g->out),
                                          .keep = keep});
}

void gossip_put_subscription(struct kl_gossip *g, bool subscribes, u32 topic)
{
    kl_gossip_put_subscription(&g->rpc, subscribes, gossip_name(g, topic));
    g->rpc_keep = true;
}

/* Others of the topic whom the pruned peer may turn to, chosen at random. */
static void gather_px(struct kl_gossip *g, u32 peer, u32 topic)
{
    u16 known[KL_GOSSIP_PEERS_MAX];
    usize count = 0;
    for (u32 i = 0; i < KL_GOSSIP_PEERS_MAX; i++) {
        const struct gossip_peer *p = &g->peers[i];
        if (p->used && i != peer && p->record_len && (p->topics & gossip_bit(topic)) &&
            gossip_score(g, i) >= 0)
            known[count++] = (u16)i;
    }
    for (usize n = 0; n < KL_GOSSIP_PX_MAX && n < count; n++) {
        usize k = n + kl_rand_below(&g->seed, count - n);
        const struct gossip_peer *p = &g->peers[known[k]];
        known[k] = known[n];
        kl_gossip_put_px(&g->px, &p->info.id, kl_span_of(p->record, p->record_len));
    }
}

static void put_prune(struct kl_gossip *g, u32 peer, u32 topic)
{
    const struct gossip_peer *p = &g->peers[peer];
    bool knows = p->info.version != KL_GOSSIP_V10, leaving = p->leaving & gossip_bit(topic);
    kl_buf_clear(&g->px);
    if (knows && !leaving && !(p->no_px & gossip_bit(topic)))
        gather_px(g, peer, topic);
    kl_gossip_put_prune(&g->rpc, gossip_name(g, topic), knows,
                        leaving ? KL_GOSSIP_LEAVE_S : KL_GOSSIP_BACKOFF_S, kl_buf_view(&g->px));
}

static bool is_recent(const struct kl_gossip *g, const struct gossip_seen *s, u32 topic)
{
    return s->data && s->state == GOSSIP_VALID && s->topic == topic &&
           g->beat - s->beat < KL_GOSSIP_RECENT;
}

/* The ids of the last beats; of more than an RPC may hold, some. */
static void put_ihave(struct kl_gossip *g, u32 topic)
{
    usize count = 0, put = 0;
    for (u64 at = g->data_first; at < g->seen_end; at++)
        count += is_recent(g, gossip_seen_at(g, at), topic);
    if (count == 0)
        return;
    usize most = KL_GOSSIP_IDS_MAX / KL_MAX(g->config.topic_count, 1), skip = 0;
    if (count > most) {
        skip = kl_rand_below(&g->seed, count - most + 1);
        count = most;
    }
    kl_gossip_put_ihave(&g->rpc, gossip_name(g, topic), count);
    for (u64 at = g->data_first; at < g->seen_end && put < count; at++) {
        const struct gossip_seen *s = gossip_seen_at(g, at);
        if (!is_recent(g, s, topic))
            continue;
        if (skip) {
            skip--;
            continue;
        }
        kl_gossip_put_have_id(&g->rpc, s->id);
        put++;
    }
}

void gossip_flush(struct kl_gossip *g, u32 peer)
{
    struct gossip_peer *p = &g->peers[peer];
    for (u32 t = 0; t < g->config.topic_count; t++) {
        if (p->to_prune & gossip_bit(t))
            put_prune(g, peer, t);
        if (p->to_graft & gossip_bit(t))
            kl_gossip_put_graft(&g->rpc, gossip_name(g, t));
        if (p->to_tell & gossip_bit(t))
            put_ihave(g, t);
    }
    bool keep = g->rpc_keep || p->to_graft || p->to_prune;
    g->rpc_keep = false;
    p->to_graft = p->to_prune = p->no_px = p->leaving = p->to_tell = 0;
    bool empty = kl_gossip_rpc_len(&g->rpc) == 0;
    kl_buf_clear(&g->out);
    kl_gossip_rpc_finish(&g->rpc, &g->out); /* which forgets failures, too */
    if (!empty)
        send_out(g, peer, keep);
}

void gossip_flush_all(struct kl_gossip *g)
{
    for (u32 i = 0; i < KL_GOSSIP_PEERS_MAX; i++)
        if (g->peers[i].used)
            gossip_flush(g, i);
}

/* May run inside gossip_flush's caller, from a verdict given at once: so it has buffers of its own,
 * and the out that it uses is not yet, or no longer, the other's. */
static void send_forward(struct kl_gossip *g, const bool goes[KL_GOSSIP_PEERS_MAX])
{
    kl_buf_clear(&g->out);
    kl_gossip_rpc_finish(&g->forward, &g->out);
    for (u32 i = 0; i < KL_GOSSIP_PEERS_MAX; i++)
        if (g->peers[i].used && goes[i])
            send_out(g, i, false);
}

void gossip_pass_on(struct kl_gossip *g, const struct gossip_seen *s,
                    const bool goes[KL_GOSSIP_PEERS_MAX])
{
    kl_gossip_put_message(&g->forward, gossip_name(g, s->topic),
                          kl_span_of(s->data->bytes, s->data->len));
    send_forward(g, goes);
}

void gossip_say_unwanted(struct kl_gossip *g, const struct gossip_seen *s)
{
    bool goes[KL_GOSSIP_PEERS_MAX] = {false}, any = false;
    for (u32 i = 0; i < KL_GOSSIP_PEERS_MAX; i++) {
        const struct gossip_peer *p = &g->peers[i];
        goes[i] = p->used && p->links[s->topic].meshed && p->info.version >= KL_GOSSIP_V12 &&
                  s->from != (i32)i;
        any |= goes[i];
    }
    if (!any)
        return;
    kl_gossip_put_idontwant(&g->forward, 1);
    kl_gossip_put_want_id(&g->forward, s->id);
    send_forward(g, goes);
}

u64 gossip_unwanted_key(const struct kl_gossip *g, const u8 *id)
{
    return kl_map_hash(id, KL_GOSSIP_ID_LEN, g->config.seed) | 1; /* 0: none */
}

bool gossip_is_unwanted(const struct kl_gossip *g, u32 peer, const u8 *id)
{
    u64 key = gossip_unwanted_key(g, id);
    const struct gossip_peer *p = &g->peers[peer];
    for (u32 i = 0; i < GOSSIP_UNWANTED; i++)
        if (p->unwanted[i] == key)
            return true;
    return false;
}
