/* The router of gossip, and our own record, which peers pass on. */
#include <stdio.h>

#include "node/net_priv.h"
#include "p2p/peer_record.h"

static struct kl_net *of_gossip(struct kl_gossip_user *user)
{
    return (struct kl_net *)((char *)user - offsetof(struct kl_net, gossip_user));
}

/* --- what the router says --- */

static void on_connect(struct kl_net *net, const kl_gossip_event *e)
{
    const kl_peer_id *from = kl_swarm_id(net->swarm, (u32)e->tag);
    if (from && net->user->heard_of)
        net->user->heard_of(net->user, from, e->record);
}

static void on_event(struct kl_gossip_user *user, const kl_gossip_event *e)
{
    struct kl_net *net = of_gossip(user);
    u32 peer = (u32)e->tag;
    switch (e->kind) {
    case KL_GOSSIP_SEND:
        (void)kl_swarm_gossip(net->swarm, peer, e->bytes, e->keep);
        break;
    case KL_GOSSIP_DELIVER:
        if (net->user->deliver)
            net->user->deliver(net->user, peer, e->topic, e->id, e->bytes);
        break;
    case KL_GOSSIP_CONNECT:
        on_connect(net, e);
        break;
    case KL_GOSSIP_GRAY:
        net->places[peer].gray = net->any_gray = true;
        break;
    case KL_GOSSIP_NUISANCE:
        kl_swarm_nuisance(net->swarm, peer, e->units, net_now(net));
        break;
    }
}

/* --- what it is told --- */

static void on_gossips(struct kl_swarm_user *user, u32 peer, kl_gossip_version version)
{
    struct kl_net *net = net_of(user);
    const kl_gossip_peer_info info = kl_swarm_gossip_info(net->swarm, peer, version);
    KL_ASSERT(kl_gossip_up(net->gossip, net_now(net), &info, &net->places[peer].gossip) == KL_OK);
    net->changed = true;
    net_gossip_record(net, peer);
}

static void on_silent(struct kl_swarm_user *user, u32 peer)
{
    struct kl_net *net = net_of(user);
    struct net_place *place = &net->places[peer];
    kl_gossip_down(net->gossip, net_now(net), place->gossip);
    place->gossip = NET_NOBODY;
    net->changed = true;
}

static void on_rpc(struct kl_swarm_user *user, u32 peer, kl_span rpc)
{
    struct kl_net *net = net_of(user);
    kl_rule broken = kl_gossip_hear(net->gossip, net_now(net), net->places[peer].gossip, rpc);
    if (broken != KL_RULE_NONE)
        kl_swarm_drop(net->swarm, peer, broken, net_now(net));
}

void net_gossip_record(struct kl_net *net, u32 peer)
{
    const struct net_place *place = &net->places[peer];
    if (place->gossip != NET_NOBODY && place->record_len)
        kl_gossip_set_record(net->gossip, place->gossip,
                             kl_span_of(place->record, place->record_len));
}

void net_gossip_standing(struct kl_net *net, u32 peer)
{
    const struct net_place *place = &net->places[peer];
    net->changed = true;
    if (place->used && place->gossip != NET_NOBODY)
        kl_gossip_set_direct(net->gossip, net_now(net), place->gossip,
                             kl_swarm_standing_of(net->swarm, peer) == KL_SWARM_VALIDATOR);
}

/* What cannot be said is lost: too long, or no memory. */
void net_gossip_publish(struct kl_net *net, u32 topic, kl_span data)
{
    if (net->gossip && topic < net->config.topic_count)
        (void)!kl_gossip_publish(net->gossip, net_now(net), topic, data);
}

/* A record replaces earlier ones of ours, those of earlier lives too, by the wall clock. */
void net_gossip_addrs(struct kl_net *net, const kl_multiaddr *addrs, usize count)
{
    u8 bytes[KL_RECORD_MAX];
    kl_out out = kl_out_of(bytes, sizeof bytes);
    u64 wall_ms = kl_wall_ns(net->config.clock) / 1000000;
    net->record_seq = KL_MAX(net->record_seq + 1, wall_ms);
    kl_peer_record record = {.peer = net->self, .seq = net->record_seq, .count = count};
    if (count)
        memcpy(record.addrs, addrs, count * sizeof *addrs);
    kl_peer_record_seal(&out, &record, &net->identity);
    kl_swarm_set_addrs(net->swarm, addrs, count,
                       out.len <= KL_GOSSIP_RECORD_MAX ? kl_span_of(bytes, out.len) : KL_SPAN_NONE);
}

kl_status net_gossip_open(struct kl_net *net)
{
    kl_gossip_config config = kl_gossip_config_usual();
    kl_gossip_topic topics[KL_NET_TOPICS_MAX];
    u32 count = net->config.topic_count;
    if (count == 0)
        return KL_OK;
    for (u32 i = 0; i < count; i++) {
        snprintf(net->topic_names[i], sizeof net->topic_names[i], "/keel/%s/%s/1",
                 net->config.digest, net->config.topics[i]);
        topics[i] =
            (kl_gossip_topic){kl_span_str(net->topic_names[i]), kl_gossip_topic_score_usual()};
    }
    config.topics = topics;
    config.topic_count = count;
    config.direct_clique = true;
    kl_entropy_fill(net->config.entropy, &config.seed, sizeof config.seed);
    net->gossip_user.event = on_event;
    net->swarm_user.gossips = on_gossips;
    net->swarm_user.silent = on_silent;
    net->swarm_user.rpc = on_rpc;
    KL_TRY(kl_gossip_new(&net->gossip, &config, &net->gossip_user));
    for (u32 i = 0; i < count; i++)
        kl_gossip_join(net->gossip, 0, i);
    return KL_OK;
}
