/* Sockets, and dials: of each peer, addresses in turn; of a name, what it stands for at that
 * moment, in turn.  A host that lets us wait costs HOST_NS, all of them together what the swarm
 * allows. */
#include <stdlib.h>

#include "node/net_priv.h"

#define HOST_NS UINT64_C(3000000000)

enum {
    READ_BYTES = 1 << 16,
    READS_MAX = 4,   /* of one socket in a turn */
    PULL = 32 << 10, /* bytes framed at once: what comes later can overtake the rest */
};

static void next_host(struct kl_net *net, u32 link);

/* --- sockets --- */

void net_drop_socket(struct kl_net *net, u32 link)
{
    struct net_socket *s = net->sockets[link];
    if (!s)
        return;
    net->sockets[link] = NULL;
    kl_loop_remove(net->loop, &s->watch);
    kl_tcp_close(s->watch.fd);
    kl_buf_done(&s->out);
    free(s);
}

static void want(struct net_socket *s, unsigned interest)
{
    if (s->interest != interest)
        kl_loop_change(s->net->loop, &s->watch, interest);
    s->interest = interest;
}

bool net_flush(struct net_socket *s)
{
    struct kl_net *net = s->net;
    bool more = true;
    while (more || s->out_at < s->out.len) {
        if (s->out_at == s->out.len) {
            s->out_at = 0;
            kl_buf_clear(&s->out);
            kl_swarm_pull(net->swarm, s->link, PULL, &s->out, &more);
            if (!s->out.len)
                break;
        }
        usize put;
        kl_status status = kl_tcp_write(
            s->watch.fd, kl_span_of(s->out.p + s->out_at, s->out.len - s->out_at), &put);
        if (status == KL_AGAIN) {
            want(s, KL_READY_READ | KL_READY_WRITE);
            return true;
        }
        if (status != KL_OK)
            return false;
        s->out_at += put;
        atomic_fetch_add(&net->sent_bytes, put);
    }
    want(s, KL_READY_READ);
    return true;
}

void net_lose(struct kl_net *net, u32 link)
{
    net_dial_ended(net, link);
    net_drop_socket(net, link);
    kl_swarm_closed(net->swarm, link, net_now(net));
}

/* Reads; the link may be gone afterwards. */
static void read_some(struct kl_net *net, u32 link)
{
    static _Thread_local u8 bytes[READ_BYTES];
    for (int i = 0; i < READS_MAX && net->sockets[link]; i++) {
        usize got;
        kl_status status = kl_tcp_read(net->sockets[link]->watch.fd, bytes, sizeof bytes, &got);
        if (status == KL_AGAIN)
            return;
        if (status != KL_OK || got == 0) {
            net_lose(net, link);
            return;
        }
        kl_swarm_feed(net->swarm, link, kl_span_of(bytes, got), net_now(net));
        if (got < sizeof bytes)
            return;
    }
}

static kl_multiaddr multiaddr_of(const kl_tcp_address *at)
{
    kl_multiaddr addr = {
        .host = at->six ? KL_HOST_IP6 : KL_HOST_IP4, .has_port = true, .port = at->port};
    memcpy(addr.ip, at->ip, at->six ? 16 : 4);
    return addr;
}

/* A dial of one host has succeeded, or not. */
static void on_dialled(struct kl_net *net, struct net_socket *s)
{
    u32 link = s->link;
    kl_tcp_address at;
    if (kl_tcp_dialled(s->watch.fd) != KL_OK || !kl_tcp_peer_address(s->watch.fd, &at)) {
        net_drop_socket(net, link);
        next_host(net, link);
        return;
    }
    s->dialling = false;
    kl_tcp_peer(s->watch.fd, s->address);
    want(s, KL_READY_READ);
    net->dials[link]->due_ns = UINT64_MAX;
    kl_multiaddr remote = multiaddr_of(&at);
    kl_swarm_opened(net->swarm, link, &remote, net_now(net));
}

static bool on_ready(struct kl_watch *watch, unsigned what)
{
    struct net_socket *s = (struct net_socket *)watch;
    struct kl_net *net = s->net;
    u32 link = s->link;
    if (s->dialling) {
        on_dialled(net, s);
    } else {
        bool writes = (what & KL_READY_WRITE) != 0;
        s->dirty |= writes;
        net->any_dirty |= writes;
        if (what & (KL_READY_READ | KL_READY_HANGUP))
            read_some(net, link);
    }
    net_settle(net);
    return true;
}

static bool add_socket(struct kl_net *net, u32 link, int fd, bool dialling)
{
    struct net_socket *s = calloc(1, sizeof *s);
    if (!s)
        return false;
    s->watch = (struct kl_watch){.ready = on_ready, .fd = fd};
    s->net = net;
    s->link = link;
    s->dialling = dialling;
    kl_tcp_peer(fd, s->address);
    s->interest = dialling ? KL_READY_WRITE : KL_READY_READ;
    kl_buf_init(&s->out, SIZE_MAX);
    if (kl_loop_add(net->loop, &s->watch, s->interest, false) != KL_OK) {
        free(s);
        return false;
    }
    net->sockets[link] = s;
    net->link_end = KL_MAX(net->link_end, link + 1);
    return true;
}

i32 net_accept(struct kl_net *net, int fd)
{
    kl_tcp_address at;
    kl_rule why;
    if (!kl_tcp_peer_address(fd, &at)) {
        kl_tcp_close(fd);
        return KL_SWARM_NONE;
    }
    kl_multiaddr remote = multiaddr_of(&at);
    i32 link = kl_swarm_accepted(net->swarm, &remote, net_now(net), &why);
    if (link == KL_SWARM_NONE) {
        char address[KL_TCP_TEXT_MAX];
        kl_tcp_peer(fd, address);
        kl_tcp_close(fd);
        net_tell_dropped(net, KL_SWARM_LINKS_MAX, address, why);
    } else if (!add_socket(net, (u32)link, fd, false)) {
        kl_tcp_close(fd);
        kl_swarm_closed(net->swarm, (u32)link, net_now(net));
        link = KL_SWARM_NONE;
    } else {
        net->sockets[link]->dirty = net->any_dirty = true;
    }
    return link;
}

/* --- dials --- */

static void tell_tried(struct kl_net *net, const struct net_dial *d, const kl_peer_id *id,
                       bool good)
{
    struct kl_net_addresses *a = net->config.addresses;
    if (a->tried && d->at < d->count)
        a->tried(a, id, &d->where[d->at], good);
}

/* Whom the link is with, if that is certain: not whom a dial hoped for. */
static bool is_met(const struct kl_net *net, u32 link, const struct net_dial *d, kl_peer_id *id)
{
    i32 peer;
    if (!kl_swarm_link_peer(net->swarm, link, id, &peer) || kl_peer_id_eq(id, &net->self))
        return false;
    if (kl_swarm_link_is_open(net->swarm, link) || !d->has_id)
        return true;
    /* Both have dialled: the other connection stays, and it was there. */
    peer = kl_swarm_find(net->swarm, id);
    return peer != KL_SWARM_NONE && kl_swarm_link(net->swarm, (u32)peer) != KL_SWARM_NONE;
}

void net_dial_ended(struct kl_net *net, u32 link)
{
    struct net_dial *d = net->dials[link];
    kl_peer_id id;
    if (!d)
        return;
    net->dials[link] = NULL;
    bool good = is_met(net, link, d, &id);
    tell_tried(net, d, good ? &id : d->has_id ? &d->id : NULL, good);
    free(d);
}

static kl_tcp_address host_of(const kl_multiaddr *addr)
{
    kl_tcp_address at = {.six = addr->host == KL_HOST_IP6, .port = addr->port};
    memcpy(at.ip, addr->ip, sizeof at.ip);
    return at;
}

/* What the address at hand stands for; a name is asked for. */
static void expand(struct kl_net *net, u32 link)
{
    struct net_dial *d = net->dials[link];
    const kl_multiaddr *addr = &d->where[d->at];
    d->host_count = d->host_at = 0;
    d->due_ns = 0;
    if (!addr->has_port || addr->host == KL_HOST_NONE)
        return;
    if (addr->host < KL_HOST_DNS)
        d->hosts[d->host_count++] = host_of(addr);
    else if (kl_resolver_ask(net->resolver, (u64)d->turn << 32 | link, addr))
        d->due_ns = UINT64_MAX;
}

/* Begins to connect to the next host there is; false: none is left of the address at hand. */
static bool dial_host(struct kl_net *net, u32 link)
{
    struct net_dial *d = net->dials[link];
    while (d->host_at < d->host_count) {
        int fd = -1;
        if (kl_tcp_dial_address(&fd, &d->hosts[d->host_at++]) != KL_OK)
            continue;
        if (add_socket(net, link, fd, true)) {
            d->due_ns = kl_add_sat_u64(net_now(net), HOST_NS);
            return true;
        }
        kl_tcp_close(fd);
    }
    return false;
}

static void next_host(struct kl_net *net, u32 link)
{
    struct net_dial *d = net->dials[link];
    while (!dial_host(net, link)) {
        tell_tried(net, d, d->has_id ? &d->id : NULL, false);
        if (++d->at >= d->count) {
            net->failed[link] = net->any_failed = true;
            return;
        }
        expand(net, link);
        if (d->due_ns == UINT64_MAX)
            return;
    }
}

static void fill(struct kl_net *net, struct net_dial *d, i32 peer)
{
    struct kl_net_addresses *a = net->config.addresses;
    if (peer == KL_SWARM_NONE) {
        d->where[d->count++] = *net->dialled;
        d->has_id = net->dialled->has_peer;
        d->id = net->dialled->peer;
        return;
    }
    d->has_id = true;
    d->id = *kl_swarm_id(net->swarm, (u32)peer);
    d->count = KL_MIN(a->of(a, &d->id, d->where), (usize)KL_NET_ADDRS_MAX);
}

void net_dial_link(struct kl_swarm_user *user, i32 peer, u32 link)
{
    struct kl_net *net = net_of(user);
    struct net_dial *d = calloc(1, sizeof *d);
    net->dials[link] = d;
    net->link_end = KL_MAX(net->link_end, link + 1);
    if (d) {
        d->turn = ++net->next_turn;
        fill(net, d, peer);
    }
    if (!d || d->count == 0) {
        net->failed[link] = net->any_failed = true;
        return;
    }
    expand(net, link);
    if (d->due_ns != UINT64_MAX)
        next_host(net, link);
}

static void hear_hosts(struct kl_net *net, struct net_dial *d, const kl_resolved *answer)
{
    struct kl_net_addresses *a = net->config.addresses;
    for (usize i = 0; i < answer->count && d->host_count < NET_HOSTS_MAX; i++) {
        kl_tcp_address at = answer->at[i];
        at.port = d->where[d->at].port;
        kl_multiaddr found = multiaddr_of(&at);
        if (!a->admits || a->admits(a, &d->where[d->at], &found))
            d->hosts[d->host_count++] = at;
    }
}

void net_dial_resolved(struct kl_net *net)
{
    kl_resolved answer;
    while (kl_resolver_take(net->resolver, &answer)) {
        u32 link = (u32)answer.tag;
        struct net_dial *d = net->dials[link];
        if (!d || d->turn != answer.tag >> 32)
            continue;
        hear_hosts(net, d, &answer);
        next_host(net, link);
    }
}

void net_dial_tick(struct kl_net *net)
{
    for (u32 i = 0; i < net->link_end; i++) {
        if (!net->dials[i] || net->failed[i] || net->dials[i]->due_ns > net_now(net))
            continue;
        net_drop_socket(net, i);
        next_host(net, i);
    }
}

u64 net_dial_due_ns(const struct kl_net *net)
{
    u64 due_ns = UINT64_MAX;
    for (u32 i = 0; i < net->link_end; i++)
        if (net->dials[i] && !net->failed[i])
            due_ns = KL_MIN(due_ns, net->dials[i]->due_ns);
    return due_ns;
}

void net_dial_done(struct kl_net *net)
{
    for (u32 i = 0; i < net->link_end; i++)
        free(net->dials[i]);
}
