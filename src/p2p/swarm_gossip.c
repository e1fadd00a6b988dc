/* Gossip's streams: one of each side, RPCs behind their lengths.  A peer is said to gossip as soon
 * as it is known that it does, so that nothing of its first RPC is lost; what is said to it before
 * our stream is agreed on waits. */
#include "p2p/reach.h"
#include "p2p/swarm_priv.h"

void swarm_begin_gossip(struct swarm_link *link, kl_gossip_version version)
{
    struct kl_swarm *s = link->swarm;
    if (!s->user->gossips || link->gossips || link->over)
        return;
    usize first = SWARM_P_GOSSIP12 + (KL_GOSSIP_V12 - version);
    if (kl_conn_open_stream(link->conn, &s->name_spans[first], SWARM_PROTOCOLS - first,
                            KL_YAMUX_USUAL, &link->gossip_out) != KL_OK) {
        swarm_fail(link, KL_RULE_NONE);
        return;
    }
    link->gossips = true;
    s->user->gossips(s->user, link->peer, version);
}

static void our_stream(struct swarm_link *link)
{
    link->gossip_ready = true;
    if (kl_conn_write(link->conn, link->gossip_out, kl_buf_view(&link->gossip_wait)) != KL_OK)
        swarm_fail(link, KL_RULE_NONE);
    kl_buf_done(&link->gossip_wait);
    kl_buf_init(&link->gossip_wait, 0);
}

void swarm_gossip_stream(struct swarm_link *link, const kl_conn_event *e)
{
    if (e->ours) {
        our_stream(link);
        return;
    }
    if (link->gossip_in)
        kl_conn_reset(link->conn, link->gossip_in);
    kl_delimited_done(&link->gossip);
    kl_delimited_init(&link->gossip, KL_GOSSIP_RPC_MAX);
    link->gossip_in = e->stream;
    swarm_begin_gossip(link, (kl_gossip_version)(KL_GOSSIP_V12 - (e->protocol - SWARM_P_GOSSIP12)));
}

void swarm_gossip_data(struct swarm_link *link, kl_span data)
{
    struct kl_swarm *s = link->swarm;
    if (!link->gossips) /* it does not listen to us */
        swarm_nuisance(link, data.len / KL_NUISANCE_LOST_BYTES);
    while (data.len && !link->over && link->gossips) {
        kl_span rpc;
        bool whole;
        kl_rule broken = KL_RULE_NONE;
        kl_status status = kl_delimited_next(&link->gossip, &data, &rpc, &whole, &broken);
        if (status != KL_OK || broken != KL_RULE_NONE)
            swarm_fail(link, broken);
        else if (whole)
            s->user->rpc(s->user, link->peer, rpc);
    }
}

/* The peer may end its stream and open another; without ours it would hear nothing any more. */
void swarm_gossip_gone(struct swarm_link *link, u32 stream)
{
    struct kl_swarm *s = link->swarm;
    if (link->gossip_in == stream) {
        link->gossip_in = 0;
        kl_conn_end(link->conn, stream);
        return;
    }
    link->gossip_out = 0;
    if (link->gossip_ready) {
        swarm_fail(link, KL_RULE_NONE);
        return;
    }
    link->gossips = false;
    kl_buf_clear(&link->gossip_wait);
    if (s->user->silent)
        s->user->silent(s->user, link->peer);
}

static kl_status queue_rpc(struct swarm_link *link, kl_span rpc)
{
    if (link->gossip_ready)
        return kl_conn_write(link->conn, link->gossip_out, rpc);
    kl_buf_span(&link->gossip_wait, rpc);
    return link->gossip_wait.failed ? KL_NOMEM : KL_OK;
}

bool kl_swarm_gossip(struct kl_swarm *s, u32 place, kl_span rpc, bool keep)
{
    i32 at = kl_swarm_link(s, place);
    struct swarm_link *link = at == KL_SWARM_NONE ? NULL : s->links[at];
    if (!link || link->over || !link->gossips)
        return false;
    usize queued =
        link->gossip_ready ? kl_conn_queued(link->conn, link->gossip_out) : link->gossip_wait.len;
    if (queued + rpc.len > (keep ? 2 : 1) * SWARM_GOSSIP_MAX) {
        if (keep)
            swarm_fail(link, KL_RULE_SWARM_DEAF);
        return false;
    }
    if (queue_rpc(link, rpc) != KL_OK) {
        swarm_fail(link, KL_RULE_NONE);
        return false;
    }
    s->user->writable(s->user, (u32)at);
    return true;
}

/* An IPv6 owner has a /64. */
static void ip_of(u8 out[16], const kl_multiaddr *remote)
{
    if (kl_reach_of(remote) != KL_REACH_WORLD)
        return;
    if (remote->host == KL_HOST_IP6) {
        memcpy(out, remote->ip, 8);
    } else {
        out[10] = out[11] = 0xff;
        memcpy(out + 12, remote->ip, 4);
    }
}

kl_gossip_peer_info kl_swarm_gossip_info(const struct kl_swarm *s, u32 peer,
                                         kl_gossip_version version)
{
    u32 link = (u32)kl_swarm_link(s, peer);
    kl_gossip_peer_info info = {
        .id = *kl_swarm_id(s, peer),
        .outbound = kl_swarm_link_is_outbound(s, link),
        .direct = kl_swarm_standing_of(s, peer) == KL_SWARM_VALIDATOR,
        .version = version,
        .tag = peer,
    };
    if (!info.direct)
        ip_of(info.ip, kl_swarm_link_remote(s, link));
    return info;
}
