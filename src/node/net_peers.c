/* Who is met, what it says of itself, and what other threads see of that. */
#include "node/net_priv.h"
#include "p2p/peer_record.h"

#define RECORD_NS UINT64_C(1000000000) /* between two records of one peer that are looked at */

static void on_met(struct kl_swarm_user *user, u32 peer)
{
    struct kl_net *net = net_of(user);
    u32 link = (u32)kl_swarm_link(net->swarm, peer);
    struct net_place *place = &net->places[peer];
    *place = (struct net_place){
        .used = true,
        .outbound = kl_swarm_link_is_outbound(net->swarm, link),
        .gossip = NET_NOBODY,
        .since_ns = net_now(net),
    };
    net->changed = true;
    net_dial_ended(net, link);
    if (net->user->met)
        net->user->met(net->user, peer, kl_swarm_id(net->swarm, peer),
                       kl_swarm_link_remote(net->swarm, link), place->outbound);
}

static void on_lost(struct kl_swarm_user *user, u32 peer)
{
    struct kl_net *net = net_of(user);
    net->places[peer].used = false;
    net->changed = true;
    if (net->user->lost)
        net->user->lost(net->user, peer, kl_swarm_id(net->swarm, peer));
}

static void on_up(struct kl_swarm_user *user, u32 peer)
{
    struct kl_net *net = net_of(user);
    atomic_fetch_add(&net->up, 1);
    net->changed = true;
    net->user->up(net->user, peer);
}

static void on_down(struct kl_swarm_user *user, u32 peer)
{
    struct kl_net *net = net_of(user);
    atomic_fetch_sub(&net->up, 1);
    net->changed = true;
    net->user->down(net->user, peer);
}

static void on_frame(struct kl_swarm_user *user, u32 peer, KL_UNUSED kl_swarm_class class,
                     kl_span frame)
{
    net_of(user)->user->frame(net_of(user)->user, peer, frame);
}

static void on_greet(struct kl_swarm_user *user, u32 peer, struct kl_buf *out)
{
    struct kl_net *net = net_of(user);
    if (net->user->greet)
        net->user->greet(net->user, peer, out);
}

static kl_rule on_hello(struct kl_swarm_user *user, u32 peer, kl_span hello)
{
    struct kl_net *net = net_of(user);
    return net->user->hello
               ? net->user->hello(net->user, peer, kl_swarm_id(net->swarm, peer), hello)
               : KL_RULE_NONE;
}

/* For people: what is no printable letter becomes a question mark. */
static void keep_agent(struct net_place *place, kl_span agent)
{
    usize len = KL_MIN(agent.len, sizeof place->agent - 1);
    for (usize i = 0; i < len; i++) {
        bool plain =
            agent.p[i] > 0x20 && agent.p[i] < 0x7f && agent.p[i] != '"' && agent.p[i] != '\\';
        place->agent[i] = plain ? (char)agent.p[i] : '?';
    }
    place->agent[len] = 0;
}

/* A signature is verified for it: not more often than is good. */
static void keep_record(struct kl_net *net, u32 peer, kl_span envelope)
{
    struct net_place *place = &net->places[peer];
    kl_peer_record record;
    u64 now_ns = net_now(net);
    bool early = place->record_ns && now_ns < place->record_ns + RECORD_NS;
    if (!net->gossip || early || envelope.len == 0 || envelope.len > sizeof place->record)
        return;
    place->record_ns = KL_MAX(now_ns, 1u);
    if (kl_peer_record_open(&record, envelope) != KL_RULE_NONE ||
        !kl_peer_id_eq(&record.peer, kl_swarm_id(net->swarm, peer)))
        return;
    memcpy(place->record, envelope.p, envelope.len);
    place->record_len = envelope.len;
    net_gossip_record(net, peer);
}

static void on_identified(struct kl_swarm_user *user, u32 peer, const kl_identify *identify)
{
    struct kl_net *net = net_of(user);
    keep_agent(&net->places[peer], identify->agent_version);
    keep_record(net, peer, identify->record);
    net->changed = true;
    if (net->user->identified)
        net->user->identified(net->user, peer, kl_swarm_id(net->swarm, peer), identify);
}

void net_peers_hear(struct kl_swarm_user *user)
{
    user->met = on_met;
    user->lost = on_lost;
    user->up = on_up;
    user->down = on_down;
    user->frame = on_frame;
    user->greet = on_greet;
    user->hello = on_hello;
    user->identified = on_identified;
}

/* --- as seen from outside --- */

static void show_one(const struct kl_net *net, u32 peer, kl_net_peer_info *out)
{
    const struct net_place *place = &net->places[peer];
    u32 link = (u32)kl_swarm_link(net->swarm, peer);
    *out = (kl_net_peer_info){
        .peer = peer,
        .id = *kl_swarm_id(net->swarm, peer),
        .remote = *kl_swarm_link_remote(net->swarm, link),
        .standing = kl_swarm_standing_of(net->swarm, peer),
        .outbound = place->outbound,
        .up = kl_swarm_is_up(net->swarm, peer),
        .gossips = place->gossip != NET_NOBODY,
        .since_ns = place->since_ns,
    };
    memcpy(out->agent, place->agent, sizeof out->agent);
}

void net_peers_show(struct kl_net *net)
{
    net->changed = false;
    kl_lock(&net->lock);
    net->counts = kl_swarm_counts_of(net->swarm);
    net->seen_count = 0;
    for (u32 i = 0; i < KL_SWARM_PEERS_MAX; i++)
        if (net->places[i].used && kl_swarm_link(net->swarm, i) != KL_SWARM_NONE)
            show_one(net, i, &net->seen[net->seen_count++]);
    kl_unlock(&net->lock);
}

kl_swarm_counts kl_net_counts(struct kl_net *net)
{
    kl_lock(&net->lock);
    kl_swarm_counts counts = net->counts;
    kl_unlock(&net->lock);
    return counts;
}

u32 kl_net_peers(struct kl_net *net, kl_net_peer_info *out, u32 max)
{
    kl_lock(&net->lock);
    u32 count = net->seen_count;
    if (max && count)
        memcpy(out, net->seen, KL_MIN(count, max) * sizeof *out);
    kl_unlock(&net->lock);
    return count;
}
