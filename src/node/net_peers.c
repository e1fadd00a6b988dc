/* Who is met, what it says of itself, and how many other threads see. */
#include "node/net_priv.h"

static void on_met(struct kl_swarm_user *user, u32 peer)
{
    struct kl_net *net = net_of(user);
    u32 link = (u32)kl_swarm_link(net->swarm, peer);
    net->places[peer] = (struct net_place){.used = true, .gossip = NET_NOBODY};
    net->changed = true;
    net_dial_ended(net, link);
    if (net->user->met)
        net->user->met(net->user, peer, kl_swarm_id(net->swarm, peer),
                       kl_swarm_link_remote(net->swarm, link),
                       kl_swarm_link_is_outbound(net->swarm, link));
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

static kl_swarm_standing on_introduced(struct kl_swarm_user *user, const kl_peer_id *id,
                                       kl_span hello)
{
    struct kl_net *net = net_of(user);
    return net->user->introduced(net->user, id, hello);
}

/* For others, when it is not too long. */
static void keep_record(struct kl_net *net, u32 peer, kl_span envelope)
{
    struct net_place *place = &net->places[peer];
    if (envelope.len > sizeof place->record)
        return;
    memcpy(place->record, envelope.p, envelope.len);
    place->record_len = envelope.len;
    net_gossip_record(net, peer);
}

/* A signature is verified for it, as often as the swarm lets peers push. */
static void on_identified(struct kl_swarm_user *user, u32 peer, const kl_identify *identify)
{
    struct kl_net *net = net_of(user);
    const kl_peer_id *id = kl_swarm_id(net->swarm, peer);
    kl_peer_record record;
    bool is_signed = kl_peer_record_open(&record, identify->record) == KL_RULE_NONE &&
                     kl_peer_id_eq(&record.peer, id);
    if (is_signed)
        keep_record(net, peer, identify->record);
    if (net->user->identified)
        net->user->identified(net->user, peer, id, identify, is_signed ? &record : NULL);
}

void net_peers_hear(struct kl_swarm_user *user)
{
    if (net_of(user)->user->introduced)
        user->introduced = on_introduced;
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

void net_peers_show(struct kl_net *net)
{
    net->changed = false;
    kl_swarm_counts counts = kl_swarm_counts_of(net->swarm);
    kl_lock(&net->lock);
    net->counts = counts;
    kl_unlock(&net->lock);
}

kl_swarm_counts kl_net_counts(struct kl_net *net)
{
    kl_lock(&net->lock);
    kl_swarm_counts counts = net->counts;
    kl_unlock(&net->lock);
    return counts;
}
