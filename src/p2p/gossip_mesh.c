/* Who is in a topic's mesh, looked after once a beat. */
#include "p2p/gossip_priv.h"

#define BACKOFF_SLACK_NS KL_GOSSIP_BEAT_NS

enum {
    OPPORTUNISTIC_BEATS = 60,
    OPPORTUNISTIC_PEERS = 2,
    LAZY_PART = 4, /* of those who could hear, at least one of so many does */
};

typedef struct candidate {
    u16 peer;
    double score;
} candidate;

struct crowd {
    usize count;
    candidate at[KL_GOSSIP_PEERS_MAX];
};

void gossip_graft(struct kl_gossip *g, u32 peer, u32 topic)
{
    struct gossip_link *link = gossip_link(g, peer, topic);
    link->meshed = true;
    link->active = false;
    link->since_ns = g->now_ns;
    link->delivered = 0;
}

void gossip_prune(struct kl_gossip *g, u32 peer, u32 topic, bool px, u64 wait_s)
{
    struct gossip_link *link = gossip_link(g, peer, topic);
    struct gossip_peer *p = &g->peers[peer];
    if (link->meshed)
        gossip_leave_mesh(g, peer, topic);
    link->backoff_ns = KL_MAX(link->backoff_ns, g->now_ns + wait_s * KL_GOSSIP_BEAT_NS);
    p->told |= gossip_bit(topic);
    p->to_prune |= gossip_bit(topic);
    p->to_graft &= ~gossip_bit(topic);
    if (!px)
        p->no_px |= gossip_bit(topic);
    if (wait_s == KL_GOSSIP_LEAVE_S)
        p->leaving |= gossip_bit(topic);
}

static void invite(struct kl_gossip *g, u32 peer, u32 topic)
{
    gossip_graft(g, peer, topic);
    g->peers[peer].to_graft |= gossip_bit(topic);
}

static void shuffle(struct kl_gossip *g, candidate *at, usize count)
{
    for (usize i = count; i > 1; i--) {
        usize k = kl_rand_below(&g->seed, i);
        candidate c = at[i - 1];
        at[i - 1] = at[k];
        at[k] = c;
    }
}

/* Subscribers who are not direct, of at least some score, in the mesh or outside of it, in random
 * order. */
static void gather(struct kl_gossip *g, struct crowd *crowd, u32 topic, bool meshed, double least)
{
    crowd->count = 0;
    for (u32 i = 0; i < KL_GOSSIP_PEERS_MAX; i++) {
        const struct gossip_peer *p = &g->peers[i];
        if (!p->used || p->info.direct || !(p->topics & gossip_bit(topic)) ||
            p->links[topic].meshed != meshed)
            continue;
        double score = gossip_score(g, i);
        if (score >= least)
            crowd->at[crowd->count++] = (candidate){(u16)i, score};
    }
    shuffle(g, crowd->at, crowd->count);
}

/* Brings up to n of those into the mesh who may be asked. */
static void invite_some(struct kl_gossip *g, u32 topic, usize n, bool outbound, double least)
{
    struct crowd crowd;
    gather(g, &crowd, topic, false, least);
    for (usize i = 0; i < crowd.count && n; i++) {
        u32 peer = crowd.at[i].peer;
        if ((outbound && !g->peers[peer].info.outbound) ||
            g->now_ns <
                kl_add_sat_u64(gossip_link(g, peer, topic)->backoff_ns,
                               gossip_link(g, peer, topic)->backoff_ns ? BACKOFF_SLACK_NS : 0))
            continue;
        invite(g, peer, topic);
        n--;
    }
}

/* By score, the best first; few, so the simplest way. */
static void sort(struct crowd *crowd)
{
    for (usize i = 1; i < crowd->count; i++)
        for (usize k = i; k > 0 && crowd->at[k].score > crowd->at[k - 1].score; k--) {
            candidate c = crowd->at[k];
            crowd->at[k] = crowd->at[k - 1];
            crowd->at[k - 1] = c;
        }
}

/* Keeps the best KL_GOSSIP_D_SCORE, of the others some, and of those whom we dialled
 * KL_GOSSIP_D_OUT, whom nobody else chose. */
static void shrink(struct kl_gossip *g, u32 topic, struct crowd *crowd)
{
    sort(crowd);
    shuffle(g, crowd->at + KL_GOSSIP_D_SCORE, crowd->count - KL_GOSSIP_D_SCORE);
    usize out = 0;
    for (usize i = 0; i < KL_GOSSIP_D; i++)
        out += g->peers[crowd->at[i].peer].info.outbound;
    usize last = KL_GOSSIP_D;
    for (usize i = KL_GOSSIP_D; i < crowd->count && out < KL_GOSSIP_D_OUT; i++) {
        if (!g->peers[crowd->at[i].peer].info.outbound)
            continue;
        do
            last--;
        while (g->peers[crowd->at[last].peer].info.outbound);
        candidate c = crowd->at[i];
        crowd->at[i] = crowd->at[last];
        crowd->at[last] = c;
        out++;
    }
    for (usize i = KL_GOSSIP_D; i < crowd->count; i++)
        gossip_prune(g, crowd->at[i].peer, topic, true, KL_GOSSIP_BACKOFF_S);
}

static usize outbound_in(const struct kl_gossip *g, u32 topic)
{
    usize count = 0;
    for (u32 i = 0; i < KL_GOSSIP_PEERS_MAX; i++)
        count += g->peers[i].used && g->peers[i].links[topic].meshed && g->peers[i].info.outbound;
    return count;
}

/* A mesh of peers who all do little is mended with better ones. */
static void graft_better(struct kl_gossip *g, u32 topic)
{
    struct crowd crowd;
    gather(g, &crowd, topic, true, -1e300);
    if (crowd.count < 2)
        return;
    sort(&crowd);
    double median = crowd.at[crowd.count / 2].score;
    if (median < g->config.score.opportunistic)
        invite_some(g, topic, OPPORTUNISTIC_PEERS, false, median + 1e-9);
}

void gossip_maintain(struct kl_gossip *g, u32 topic)
{
    struct crowd crowd;
    for (u32 i = 0; i < KL_GOSSIP_PEERS_MAX; i++)
        if (g->peers[i].used && gossip_link(g, i, topic)->meshed && gossip_score(g, i) < 0)
            gossip_prune(g, i, topic, false, KL_GOSSIP_BACKOFF_S);
    gather(g, &crowd, topic, true, -1e300);
    if (crowd.count < KL_GOSSIP_D_LOW)
        invite_some(g, topic, KL_GOSSIP_D - crowd.count, false, 0);
    if (crowd.count > KL_GOSSIP_D_HIGH)
        shrink(g, topic, &crowd);
    usize out = outbound_in(g, topic);
    if (crowd.count >= KL_GOSSIP_D_LOW && out < KL_GOSSIP_D_OUT)
        invite_some(g, topic, KL_GOSSIP_D_OUT - out, true, 0);
    if (g->beat % OPPORTUNISTIC_BEATS == 0)
        graft_better(g, topic);
}

void gossip_choose_fanout(struct kl_gossip *g, u32 topic)
{
    struct crowd crowd;
    usize have = 0;
    for (u32 i = 0; i < KL_GOSSIP_PEERS_MAX; i++) {
        struct gossip_link *link = gossip_link(g, i, topic);
        const struct gossip_peer *p = &g->peers[i];
        link->fanout = link->fanout && p->used && (p->topics & gossip_bit(topic)) &&
                       gossip_score(g, i) >= g->config.score.publish;
        have += link->fanout;
    }
    gather(g, &crowd, topic, false, g->config.score.publish);
    for (usize i = 0; i < crowd.count && have < KL_GOSSIP_D; i++) {
        struct gossip_link *link = gossip_link(g, crowd.at[i].peer, topic);
        have += !link->fanout;
        link->fanout = true;
    }
}

/* Those outside the mesh first.  Where there are too few of them, as in a network so small that
 * everybody is in everybody's mesh, some of the mesh too, and direct peers always: what a full
 * queue lost on the way to them would reach them by nobody else. */
void gossip_choose_lazy(struct kl_gossip *g, u32 topic)
{
    struct crowd crowd;
    gather(g, &crowd, topic, false, g->config.score.gossip);
    usize n = KL_MAX((usize)KL_GOSSIP_D_LAZY, crowd.count / LAZY_PART);
    for (usize i = 0; i < crowd.count && n; i++) {
        if (gossip_link(g, crowd.at[i].peer, topic)->fanout)
            continue;
        g->peers[crowd.at[i].peer].to_tell |= gossip_bit(topic);
        n--;
    }
    gather(g, &crowd, topic, true, g->config.score.gossip);
    for (usize i = 0; i < crowd.count && i < n; i++)
        g->peers[crowd.at[i].peer].to_tell |= gossip_bit(topic);
    for (u32 i = 0; i < KL_GOSSIP_PEERS_MAX; i++) {
        struct gossip_peer *p = &g->peers[i];
        if (p->used && p->info.direct)
            p->to_tell |= p->topics & gossip_bit(topic);
    }
}

static void tell_all(struct kl_gossip *g, bool subscribes, u32 topic)
{
    for (u32 i = 0; i < KL_GOSSIP_PEERS_MAX; i++) {
        if (!g->peers[i].used)
            continue;
        gossip_put_subscription(g, subscribes, topic);
        gossip_flush(g, i);
    }
}

void kl_gossip_join(struct kl_gossip *g, u64 now_ns, u32 topic)
{
    g->now_ns = KL_MAX(g->now_ns, now_ns);
    KL_ASSERT(topic < g->config.topic_count);
    if (g->topics[topic].joined)
        return;
    g->topics[topic].joined = true;
    g->topics[topic].fanout_ns = 0;
    for (u32 i = 0; i < KL_GOSSIP_PEERS_MAX; i++) {
        struct gossip_link *link = gossip_link(g, i, topic);
        if (link->fanout && g->peers[i].used && !g->peers[i].info.direct &&
            gossip_score(g, i) >= 0 && g->now_ns >= link->backoff_ns)
            invite(g, i, topic);
        link->fanout = false;
    }
    usize count = kl_gossip_mesh_count(g, topic);
    if (count < KL_GOSSIP_D)
        invite_some(g, topic, KL_GOSSIP_D - count, false, 0);
    tell_all(g, true, topic);
}

void kl_gossip_leave(struct kl_gossip *g, u64 now_ns, u32 topic)
{
    g->now_ns = KL_MAX(g->now_ns, now_ns);
    KL_ASSERT(topic < g->config.topic_count);
    if (!g->topics[topic].joined)
        return;
    g->topics[topic].joined = false;
    for (u32 i = 0; i < KL_GOSSIP_PEERS_MAX; i++)
        if (g->peers[i].used && gossip_link(g, i, topic)->meshed)
            gossip_prune(g, i, topic, false, KL_GOSSIP_LEAVE_S);
    tell_all(g, false, topic);
}
