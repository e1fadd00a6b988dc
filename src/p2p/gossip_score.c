/* Scores as the specification has them, P1 to P7 without P5, which is an application's own; every
 * sum is made when it is asked for, from counters that fade each beat. */
#include "p2p/gossip_priv.h"

enum {
    USELESS_UNITS = 16, /* of nuisance */
    LIST_BYTES = 16,    /* of a list that is not looked at, for one more */
};

kl_gossip_topic_score kl_gossip_topic_score_usual(void)
{
    return (kl_gossip_topic_score){
        .weight = 1,
        .time_weight = 0.01,
        .time_cap = 300,
        .first_weight = 0.25,
        .first_decay = 0.98,
        .first_cap = 100,
        .mesh_weight = 0, /* a topic may be silent for long */
        .mesh_decay = 0.98,
        .mesh_cap = 100,
        .mesh_threshold = 10,
        .mesh_window_ns = KL_GOSSIP_BEAT_NS / 100,
        .mesh_activation_ns = 30 * KL_GOSSIP_BEAT_NS,
        .failure_weight = 0,
        .failure_decay = 0.98,
        .invalid_weight = -10,
        .invalid_decay = 0.99,
    };
}

kl_gossip_config kl_gossip_config_usual(void)
{
    return (kl_gossip_config){
        .score = {.topic_cap = 50,
                  .ip_weight = -5,
                  .ip_threshold = 10,
                  .behaviour_weight = -10,
                  .behaviour_threshold = 3,
                  .behaviour_decay = 0.98,
                  .decay_to_zero = 0.01,
                  .retain_ns = 3600 * KL_GOSSIP_BEAT_NS,
                  .gossip = -40,
                  .publish = -80,
                  .gray = -160,
                  .accept_px = 0,
                  .opportunistic = 1},
        .flood_publish = true,
        .message_max = 256 << 10,
        .seen_max = 1 << 15,
        .held_max = 64 << 20,
        .pending_max = 512,
    };
}

static double square(double x)
{
    return x * x;
}

/* How far a peer in the mesh stays behind what it should deliver. */
static double deficit(const kl_gossip_topic_score *params, const struct gossip_link *link)
{
    return link->meshed && link->active && link->delivered < params->mesh_threshold
               ? params->mesh_threshold - link->delivered
               : 0;
}

static double topic_score(const struct kl_gossip *g, u32 topic, const struct gossip_link *link)
{
    const kl_gossip_topic_score *params = &g->topics[topic].config.score;
    double time = link->meshed ? (double)(g->now_ns - link->since_ns) / 1e9 : 0;
    double sum = params->time_weight * KL_MIN(time, params->time_cap);
    sum += params->first_weight * link->first;
    sum += params->mesh_weight * square(deficit(params, link));
    sum += params->failure_weight * link->failure;
    sum += params->invalid_weight * square(link->invalid);
    return params->weight * sum;
}

double gossip_score(const struct kl_gossip *g, u32 peer)
{
    const struct gossip_peer *p = &g->peers[peer];
    const kl_gossip_score_params *params = &g->config.score;
    double sum = 0;
    for (u32 t = 0; t < g->config.topic_count; t++)
        sum += topic_score(g, t, &p->links[t]);
    sum = KL_MIN(sum, params->topic_cap);
    if (p->same_ip > params->ip_threshold)
        sum += params->ip_weight * square((double)(p->same_ip - params->ip_threshold));
    if (p->behaviour > params->behaviour_threshold)
        sum += params->behaviour_weight * square(p->behaviour - params->behaviour_threshold);
    return sum;
}

static void fade(const struct kl_gossip *g, double *counter, double by)
{
    *counter *= by;
    if (*counter < g->config.score.decay_to_zero)
        *counter = 0;
}

void gossip_decay(struct kl_gossip *g)
{
    for (u32 i = 0; i < KL_GOSSIP_PEERS_MAX; i++) {
        struct gossip_peer *p = &g->peers[i];
        if (!p->used)
            continue;
        fade(g, &p->behaviour, g->config.score.behaviour_decay);
        for (u32 t = 0; t < g->config.topic_count; t++) {
            const kl_gossip_topic_score *params = &g->topics[t].config.score;
            struct gossip_link *link = &p->links[t];
            fade(g, &link->first, params->first_decay);
            fade(g, &link->delivered, params->mesh_decay);
            fade(g, &link->failure, params->failure_decay);
            fade(g, &link->invalid, params->invalid_decay);
            if (link->meshed && g->now_ns - link->since_ns > params->mesh_activation_ns)
                link->active = true;
        }
    }
}

void gossip_nuisance(struct kl_gossip *g, u32 peer, u64 units)
{
    if (units)
        gossip_tell(g,
                    &(kl_gossip_event){.kind = KL_GOSSIP_NUISANCE, .peer = peer, .units = units});
}

void gossip_nuisance_list(struct kl_gossip *g, u32 peer, kl_gossip_list rest)
{
    gossip_nuisance(g, peer, rest.rest.len / LIST_BYTES);
}

void gossip_useless_list(struct kl_gossip *g, u32 peer, kl_gossip_list rest)
{
    gossip_useless(g, peer);
    gossip_nuisance_list(g, peer, rest);
}

/* Some of it happens to everybody: messages cross one another.  More of it is a flood. */
void gossip_useless(struct kl_gossip *g, u32 peer)
{
    struct gossip_peer *p = &g->peers[peer];
    gossip_nuisance(g, peer, USELESS_UNITS);
    if (p->useless < KL_GOSSIP_USELESS_MAX)
        p->useless++;
    else
        p->behaviour++;
}

void gossip_watch(struct kl_gossip *g, u32 peer)
{
    struct gossip_peer *p = &g->peers[peer];
    double score = gossip_score(g, peer);
    bool gray = !p->info.direct && score < g->config.score.gray;
    if (gray && !p->gray)
        gossip_tell(g, &(kl_gossip_event){.kind = KL_GOSSIP_GRAY, .peer = peer, .score = score});
    p->gray = gray;
}

static bool has_sent(const struct gossip_seen *s, u32 peer)
{
    return s->peers[peer / 64] >> (peer % 64) & 1;
}

static void count_delivery(struct kl_gossip *g, u32 topic, struct gossip_link *link)
{
    if (link->meshed)
        link->delivered = KL_MIN(link->delivered + 1, g->topics[topic].config.score.mesh_cap);
}

/* A message was accepted: who was first, and who sent it while it was judged. */
void gossip_credit(struct kl_gossip *g, const struct gossip_seen *s)
{
    for (u32 i = 0; i < KL_GOSSIP_PEERS_MAX; i++) {
        if (!g->peers[i].used || !has_sent(s, i))
            continue;
        struct gossip_link *link = gossip_link(g, i, s->topic);
        if (s->from == (i32)i)
            link->first = KL_MIN(link->first + 1, g->topics[s->topic].config.score.first_cap);
        count_delivery(g, s->topic, link);
    }
}

void gossip_blame(struct kl_gossip *g, const struct gossip_seen *s)
{
    for (u32 i = 0; i < KL_GOSSIP_PEERS_MAX; i++)
        if (g->peers[i].used && has_sent(s, i))
            gossip_link(g, i, s->topic)->invalid++;
}

void gossip_duplicate(struct kl_gossip *g, struct gossip_seen *s, u32 peer)
{
    struct gossip_link *link = gossip_link(g, peer, s->topic);
    if (s->state == GOSSIP_INVALID)
        link->invalid++;
    if (has_sent(s, peer)) {
        gossip_useless(g, peer);
        return;
    }
    s->peers[peer / 64] |= (u64)1 << (peer % 64);
    if (s->state == GOSSIP_VALID &&
        g->now_ns - s->valid_ns <= g->topics[s->topic].config.score.mesh_window_ns)
        count_delivery(g, s->topic, link);
}

/* Whoever leaves a mesh in debt takes the debt along. */
void gossip_leave_mesh(struct kl_gossip *g, u32 peer, u32 topic)
{
    struct gossip_link *link = gossip_link(g, peer, topic);
    link->failure += square(deficit(&g->topics[topic].config.score, link));
    link->meshed = link->active = false;
}

void gossip_count_ips(struct kl_gossip *g)
{
    static const u8 none[16] = {0};
    for (u32 i = 0; i < KL_GOSSIP_PEERS_MAX; i++) {
        struct gossip_peer *p = &g->peers[i];
        p->same_ip = 0;
        if (!p->used || memcmp(p->info.ip, none, sizeof none) == 0)
            continue;
        for (u32 k = 0; k < KL_GOSSIP_PEERS_MAX; k++)
            p->same_ip +=
                g->peers[k].used && memcmp(g->peers[k].info.ip, p->info.ip, sizeof none) == 0;
    }
}

/* A place for a memory: its own, a free one, or that which would go first. */
static struct gossip_memory *memory_for(struct kl_gossip *g, const kl_peer_id *id)
{
    struct gossip_memory *best = &g->memories[0];
    for (usize i = 0; i < GOSSIP_MEMORIES; i++) {
        struct gossip_memory *m = &g->memories[i];
        if (m->used && kl_peer_id_eq(&m->id, id))
            return m;
        if (best->used && (!m->used || m->until_ns < best->until_ns))
            best = m;
    }
    return best;
}

void gossip_keep(struct kl_gossip *g, u32 peer)
{
    const struct gossip_peer *p = &g->peers[peer];
    u64 until =
        gossip_score(g, peer) < 0 ? kl_add_sat_u64(g->now_ns, g->config.score.retain_ns) : 0;
    for (u32 t = 0; t < g->config.topic_count; t++)
        until = KL_MAX(until, p->links[t].backoff_ns);
    if (until <= g->now_ns)
        return;
    struct gossip_memory *m = memory_for(g, &p->info.id);
    *m = (struct gossip_memory){
        .used = true, .id = p->info.id, .until_ns = until, .behaviour = p->behaviour};
    for (u32 t = 0; t < g->config.topic_count; t++) /* what was good is not kept */
        m->links[t] = (struct gossip_link){.backoff_ns = p->links[t].backoff_ns,
                                           .failure = p->links[t].failure,
                                           .invalid = p->links[t].invalid};
}

void gossip_recall(struct kl_gossip *g, u32 peer)
{
    struct gossip_peer *p = &g->peers[peer];
    for (usize i = 0; i < GOSSIP_MEMORIES; i++) {
        struct gossip_memory *m = &g->memories[i];
        if (!m->used || !kl_peer_id_eq(&m->id, &p->info.id))
            continue;
        m->used = false;
        if (m->until_ns <= g->now_ns)
            return;
        p->behaviour = m->behaviour;
        memcpy(p->links, m->links, sizeof p->links);
        return;
    }
}
