/* Who is let in, and who goes when there is too little room. */
#include "p2p/reach.h"
#include "p2p/swarm_priv.h"

#define MINUTE_NS (60 * SWARM_S)
#define SHUN_NS   MINUTE_NS

/* --- addresses --- */

/* What one owner has: an IPv4 address, an IPv6 /64; or, wide, its network: /24, /48. */
static void key_of(u8 out[16], const kl_multiaddr *a, bool wide)
{
    bool is_v6 = a->host == KL_HOST_IP6;
    usize len = is_v6 ? (wide ? 6 : 8) : (wide ? 3 : 4);
    memset(out, 0, 16);
    memcpy(out, a->ip, len);
    out[15] = is_v6 ? 6 : 4;
}

/* Who comes from a loopback or private address is of our own site, where many may share one. */
static bool counts(const kl_multiaddr *a)
{
    kl_reach reach = kl_reach_of(a);
    return a->host != KL_HOST_NONE && reach != KL_REACH_HOST && reach != KL_REACH_SITE;
}

/* --- connections --- */

static struct swarm_knock *knock_of(struct kl_swarm *s, const u8 key[16])
{
    struct swarm_knock *oldest = &s->knocks[0];
    for (usize i = 0; i < SWARM_KNOCKS_MAX; i++) {
        struct swarm_knock *k = &s->knocks[i];
        if (k->count && memcmp(k->key, key, sizeof k->key) == 0)
            return k;
        if (oldest->count && (!k->count || k->since_ns < oldest->since_ns))
            oldest = k;
    }
    memcpy(oldest->key, key, sizeof oldest->key);
    oldest->count = 0;
    oldest->since_ns = s->now_ns;
    return oldest;
}

kl_rule swarm_knock(struct kl_swarm *s, const kl_multiaddr *remote)
{
    u8 key[16];
    u32 most = counts(remote) ? s->config.limits.knocks : s->config.limits.knocks_site;
    if (remote->host == KL_HOST_NONE)
        return KL_RULE_NONE;
    key_of(key, remote, false);
    struct swarm_knock *k = knock_of(s, key);
    if (k->since_ns + MINUTE_NS <= s->now_ns) {
        k->count = 0;
        k->since_ns = s->now_ns;
    }
    if (k->count >= most)
        return KL_RULE_SWARM_KNOCKS;
    k->count++;
    return KL_RULE_NONE;
}

/* --- strangers --- */

static bool is_inbound_stranger(const struct swarm_link *link)
{
    return link && link->is_met && !link->over && !link->dialled && !swarm_is_friend(link);
}

static u32 count_like(const struct swarm_link *link, bool wide)
{
    const struct kl_swarm *s = link->swarm;
    u8 key[16], other[16];
    u32 count = 0;
    key_of(key, &link->remote, wide);
    for (u32 i = 0; i < s->link_end; i++) {
        if (!is_inbound_stranger(s->links[i]))
            continue;
        key_of(other, &s->links[i]->remote, wide);
        count += memcmp(key, other, sizeof key) == 0;
    }
    return count;
}

static u32 inbound_count(const struct kl_swarm *s)
{
    u32 count = 0;
    for (u32 i = 0; i < s->link_end; i++)
        count += is_inbound_stranger(s->links[i]);
    return count;
}

u32 swarm_least(const struct kl_swarm *s, bool inbound)
{
    u32 least = SWARM_NOBODY;
    for (u32 i = 0; i < s->link_end; i++) {
        const struct swarm_link *link = s->links[i], *than = NULL;
        if (!link || !link->is_met || link->over || swarm_is_friend(link))
            continue;
        if (inbound && (link->dialled || link->hello_heard ||
                        link->opened_ns + s->config.limits.handshake_ns > s->now_ns))
            continue;
        than = least == SWARM_NOBODY ? NULL : s->links[least];
        if (!than || (than->hello_heard && !link->hello_heard) ||
            (than->hello_heard == link->hello_heard && than->opened_ns < link->opened_ns))
            least = i;
    }
    return least;
}

kl_rule swarm_admit(struct swarm_link *link)
{
    struct kl_swarm *s = link->swarm;
    if (!s->config.open)
        return KL_RULE_SWARM_STRANGER;
    if (swarm_is_shunned(s, &link->id))
        return KL_RULE_SWARM_SHUNNED;
    if (s->sated)
        return KL_RULE_SWARM_MEMORY;
    if (counts(&link->remote) && (count_like(link, false) >= s->config.limits.per_ip ||
                                  count_like(link, true) >= s->config.limits.per_net))
        return KL_RULE_SWARM_CROWD;
    if (inbound_count(s) < s->config.limits.inbound)
        return KL_RULE_NONE;
    u32 least = swarm_least(s, true);
    if (least == SWARM_NOBODY)
        return KL_RULE_SWARM_FULL;
    swarm_end(s, least, KL_RULE_SWARM_EVICTED);
    return KL_RULE_NONE;
}

void swarm_shun(struct kl_swarm *s, const kl_peer_id *id)
{
    if (swarm_is_shunned(s, id))
        return;
    s->shunned[s->next_shunned] = (struct swarm_shunned){*id, s->now_ns + SHUN_NS};
    s->next_shunned = (s->next_shunned + 1) % SWARM_SHUNNED_MAX;
}

bool swarm_is_shunned(const struct kl_swarm *s, const kl_peer_id *id)
{
    for (usize i = 0; i < SWARM_SHUNNED_MAX; i++)
        if (s->shunned[i].until_ns > s->now_ns && kl_peer_id_eq(&s->shunned[i].id, id))
            return true;
    return false;
}

/* --- memory --- */

void kl_swarm_set_sated(struct kl_swarm *s, bool sated)
{
    s->sated = sated;
}

static usize held_of(const struct swarm_link *link)
{
    usize sum = 0;
    for (usize c = 0; c < KL_SWARM_CLASSES; c++)
        sum += link->in[c].frame.len;
    return sum;
}

void swarm_bound_held(struct kl_swarm *s)
{
    struct swarm_link *most = NULL;
    usize sum = 0;
    for (u32 i = 0; i < s->link_end; i++) {
        struct swarm_link *link = s->links[i];
        if (!link || link->over || swarm_is_friend(link))
            continue;
        sum += held_of(link);
        if (!most || held_of(link) > held_of(most))
            most = link;
    }
    if (sum > s->config.limits.held)
        swarm_fail(most, KL_RULE_SWARM_HOARD);
}

usize swarm_waiting(const struct kl_swarm *s)
{
    usize sum = 0;
    for (u32 i = 0; i < s->link_end; i++) {
        const struct swarm_link *link = s->links[i];
        if (!link || !link->is_up || swarm_is_friend(link))
            continue;
        for (usize c = 0; c < KL_SWARM_CLASSES; c++)
            sum += kl_conn_queued(link->conn, link->out[c]);
    }
    return sum;
}
