/* One ring holds every id of the last two minutes in the order they came, the data of the newest
 * ones with it.  Data goes after KL_GOSSIP_HISTORY beats, or earlier when held_max is reached; the
 * id goes when its time is over, or earlier when seen_max is reached. */
#include <stdlib.h>

#include "p2p/gossip_priv.h"

struct gossip_seen *gossip_seen_at(const struct kl_gossip *g, u64 place)
{
    return &g->seen[place % g->config.seen_max];
}

struct gossip_seen *gossip_find(const struct kl_gossip *g, const u8 *id)
{
    return kl_map_get(&g->by_id, id);
}

static usize held_by(usize len)
{
    return sizeof(struct gossip_data) + len;
}

static void drop_data(struct kl_gossip *g, struct gossip_seen *s)
{
    if (!s->data)
        return;
    g->held -= held_by(s->data->len);
    free(s->data);
    s->data = NULL;
}

void gossip_settle(struct kl_gossip *g, struct gossip_seen *s, gossip_state state)
{
    if (s->state == GOSSIP_PENDING && state != GOSSIP_PENDING) {
        g->pending--;
        if (s->from != GOSSIP_NOBODY)
            g->peers[s->from].pending--;
    }
    s->state = state;
    if (state != GOSSIP_VALID)
        drop_data(g, s);
}

/* Takes the oldest out. */
static void forget_first(struct kl_gossip *g)
{
    struct gossip_seen *s = gossip_seen_at(g, g->seen_first);
    if (s->state == GOSSIP_PENDING)
        gossip_settle(g, s, GOSSIP_IGNORED);
    drop_data(g, s);
    KL_ASSERT(kl_map_take(&g->by_id, s->id) == s);
    g->seen_first++;
    g->data_first = KL_MAX(g->data_first, g->seen_first);
}

/* Gives up the oldest data that waits for nothing; false when there is none. */
static bool drop_oldest(struct kl_gossip *g)
{
    for (u64 at = g->data_first; at < g->seen_end; at++) {
        struct gossip_seen *s = gossip_seen_at(g, at);
        if (!s->data && at == g->data_first)
            g->data_first++;
        if (s->data && s->state != GOSSIP_PENDING) {
            drop_data(g, s);
            return true;
        }
    }
    return false;
}

struct gossip_seen *gossip_remember(struct kl_gossip *g, const u8 *id, u32 topic, kl_span data,
                                    i32 from)
{
    usize need = held_by(data.len);
    while (need > g->config.held_max - g->held)
        if (!drop_oldest(g))
            return NULL;
    if (g->seen_end - g->seen_first == g->config.seen_max)
        forget_first(g);
    struct gossip_data *copy = malloc(need);
    if (!copy)
        return NULL;
    struct gossip_seen *s = gossip_seen_at(g, g->seen_end);
    *s = (struct gossip_seen){.at_ns = g->now_ns,
                              .valid_ns = g->now_ns,
                              .beat = g->beat,
                              .state = from == GOSSIP_NOBODY ? GOSSIP_VALID : GOSSIP_PENDING,
                              .topic = topic,
                              .from = from,
                              .data = copy};
    memcpy(s->id, id, sizeof s->id);
    if (kl_map_put(&g->by_id, s) != KL_OK) {
        free(copy);
        s->data = NULL;
        return NULL;
    }
    memset(copy->asked, 0, sizeof copy->asked);
    copy->len = data.len;
    if (data.len)
        memcpy(copy->bytes, data.p, data.len);
    g->held += need;
    g->seen_end++;
    if (s->state == GOSSIP_PENDING) {
        g->pending++;
        g->peers[from].pending++;
        s->peers[from / 64] |= (u64)1 << (from % 64);
    }
    return s;
}

/* A verdict that has not come by the time a message would be forgotten does not come: the message
 * is passed over. */
void gossip_expire(struct kl_gossip *g)
{
    while (g->seen_first < g->seen_end &&
           g->now_ns - gossip_seen_at(g, g->seen_first)->at_ns >= KL_GOSSIP_SEEN_NS)
        forget_first(g);
    for (u64 at = g->data_first; at < g->seen_end; at++) {
        struct gossip_seen *s = gossip_seen_at(g, at);
        u64 age = g->beat - s->beat;
        if (s->data && s->state == GOSSIP_PENDING && age >= 2 * KL_GOSSIP_HISTORY)
            gossip_settle(g, s, GOSSIP_IGNORED);
        if (s->data && s->state == GOSSIP_VALID && age >= KL_GOSSIP_HISTORY)
            drop_data(g, s);
        if (!s->data && at == g->data_first)
            g->data_first++;
    }
}

void gossip_forget_peer(struct kl_gossip *g, u32 peer)
{
    for (u64 at = g->seen_first; at < g->seen_end; at++) {
        struct gossip_seen *s = gossip_seen_at(g, at);
        s->peers[peer / 64] &= ~((u64)1 << (peer % 64));
        if (s->from == (i32)peer)
            s->from = GOSSIP_NOBODY;
        if (s->data)
            s->data->asked[peer] = 0;
    }
}
