/* The net's thread, and what other threads ask of it: everything that they say is a command in a
 * queue, and done there in turn. */
#include "node/net.h"

#include <stdlib.h>

#include "node/net_priv.h"
#include "sys/env.h"

#define QUEUE_MAX     ((usize)64 << 20) /* bytes from other threads that wait */
#define ANSWERS_MAX   ((usize)16 << 20) /* beside which no answer is queued */
#define NO_ROOM_NS    UINT64_C(100000000)
#define SETTLE_PASSES 4

enum { ACCEPTS_MAX = 64 }; /* in a turn */

/* The net whose thread this is: it looks at what waits by itself. */
static _Thread_local const struct kl_net *here;

u64 net_now(const struct kl_net *net)
{
    return kl_loop_now(net->loop);
}

/* --- what the swarm asks for --- */

void net_tell_dropped(struct kl_net *net, u32 link, const char *address, kl_rule why)
{
    kl_net_dropped dropped = {.at_ns = net_now(net), .address = "?", .why = why};
    i32 peer = KL_SWARM_NONE;
    dropped.has_id =
        link < KL_SWARM_LINKS_MAX && kl_swarm_link_peer(net->swarm, link, &dropped.id, &peer);
    dropped.listed =
        peer != KL_SWARM_NONE && kl_swarm_standing_of(net->swarm, (u32)peer) != KL_SWARM_STRANGER;
    if (address)
        memcpy(dropped.address, address, sizeof dropped.address);
    net->user->dropped(net->user, &dropped);
}

static void close_link(struct kl_swarm_user *user, u32 link, kl_rule why)
{
    struct kl_net *net = net_of(user);
    struct net_socket *s = net->sockets[link];
    net_dial_ended(net, link);
    if (why != KL_RULE_NONE)
        net_tell_dropped(net, link, s ? s->address : NULL, why);
    net_drop_socket(net, link);
    net->failed[link] = false;
}

static void writable(struct kl_swarm_user *user, u32 link)
{
    struct kl_net *net = net_of(user);
    if (net->sockets[link])
        net->sockets[link]->dirty = net->any_dirty = true;
}

/* --- turns --- */

static void settle_failed(struct kl_net *net)
{
    while (net->any_failed) {
        net->any_failed = false;
        for (u32 i = 0; i < net->link_end; i++) {
            if (!net->failed[i])
                continue;
            net->failed[i] = false;
            net_dial_ended(net, i);
            kl_swarm_closed(net->swarm, i, net_now(net));
        }
    }
}

static void settle_gray(struct kl_net *net)
{
    for (u32 i = 0; net->any_gray && i < KL_SWARM_PEERS_MAX; i++) {
        bool gray = net->places[i].used && net->places[i].gray;
        net->places[i].gray = false;
        if (gray)
            kl_swarm_drop(net->swarm, i, KL_RULE_SWARM_GRAY, net_now(net));
    }
    net->any_gray = false;
}

static void settle_sockets(struct kl_net *net)
{
    for (int pass = 0; net->any_dirty && pass < SETTLE_PASSES; pass++) {
        net->any_dirty = false;
        for (u32 i = 0; i < net->link_end; i++) {
            struct net_socket *s = net->sockets[i];
            if (!s || !s->dirty || s->dialling)
                continue;
            s->dirty = false;
            if (!net_flush(s))
                net_lose(net, i);
        }
    }
}

void net_settle(struct kl_net *net)
{
    settle_failed(net);
    settle_gray(net);
    settle_sockets(net);
    if (net->changed)
        net_peers_show(net);
    u64 due_ns = KL_MIN(kl_swarm_due_ns(net->swarm), net_dial_due_ns(net));
    due_ns = KL_MIN(due_ns, net->beat_ns);
    if (net->listen_ns)
        due_ns = KL_MIN(due_ns, net->listen_ns);
    kl_loop_set(net->loop, &net->timer, due_ns);
}

static bool on_listener(struct kl_watch *watch, KL_UNUSED unsigned what)
{
    struct kl_net *net = watch->owner;
    kl_status status = KL_OK;
    for (int i = 0; i < ACCEPTS_MAX && status == KL_OK; i++) {
        int fd;
        status = kl_tcp_accept(&fd, watch->fd);
        if (status == KL_OK)
            (void)net_accept(net, fd);
    }
    if (status != KL_OK && status != KL_AGAIN) { /* who waits goes on waiting */
        net->listen_ns = net_now(net) + NO_ROOM_NS;
        kl_loop_change(net->loop, watch, 0);
    }
    net_settle(net);
    return true;
}

static void weigh(struct kl_net *net)
{
    u64 max = net->config.memory_max;
    if (max)
        kl_swarm_set_sated(net->swarm, kl_memory_taken(net->memory) >= max - max / 5);
}

static void on_timer(struct kl_timer *timer)
{
    struct kl_net *net = timer->owner;
    u64 now_ns = net_now(net);
    if (net->listen_ns && net->listen_ns <= now_ns) {
        net->listen_ns = 0;
        kl_loop_change(net->loop, &net->listener, KL_READY_READ);
    }
    kl_swarm_tick(net->swarm, now_ns);
    net_dial_tick(net);
    if (net->beat_ns <= now_ns) {
        net->beat_ns = now_ns + KL_GOSSIP_BEAT_NS;
        net->changed = true;
        weigh(net);
        if (net->gossip)
            kl_gossip_beat(net->gossip, now_ns);
    }
    net_settle(net);
}

/* --- commands --- */

static struct net_command *take_all(struct kl_net *net)
{
    kl_lock(&net->lock);
    struct net_command *list = net->first;
    net->first = NULL;
    net->last = &net->first;
    net->queued = 0;
    kl_unlock(&net->lock);
    return list;
}

static bool is_meant(const struct kl_net *net, u32 at, u32 peer)
{
    return at == KL_NET_ALL || at == peer ||
           (at == KL_NET_KNOWN && kl_swarm_standing_of(net->swarm, peer) != KL_SWARM_STRANGER);
}

static void send_frame(struct kl_net *net, const struct net_command *c)
{
    for (u32 i = 0; i < KL_SWARM_PEERS_MAX; i++)
        if (is_meant(net, c->at, i))
            (void)kl_swarm_send(net->swarm, i, c->class, kl_span_of(c->bytes, c->len));
}

static void change_standing(struct kl_net *net, const struct net_command *c)
{
    if (c->ask == NET_WANT)
        (void)kl_swarm_want(net->swarm, &c->id, c->standing, net_now(net));
    else
        kl_swarm_unwant(net->swarm, &c->id, net_now(net));
    i32 peer = kl_swarm_find(net->swarm, &c->id);
    if (peer != KL_SWARM_NONE)
        net_gossip_standing(net, (u32)peer);
}

/* Of an address that is not dialled at all, what is known is told: whether its peer is connected.
 */
static void dial_once(struct kl_net *net, const kl_multiaddr *addr)
{
    const kl_peer_id *id = addr->has_peer ? &addr->peer : NULL;
    struct kl_net_addresses *a = net->config.addresses;
    net->dialled = addr;
    i32 link = kl_swarm_dial(net->swarm, id, net_now(net));
    net->dialled = NULL;
    if (link != KL_SWARM_NONE || !a || !a->tried)
        return;
    i32 peer = id ? kl_swarm_find(net->swarm, id) : KL_SWARM_NONE;
    bool met = peer != KL_SWARM_NONE && kl_swarm_link(net->swarm, (u32)peer) != KL_SWARM_NONE;
    a->tried(a, id, addr, met);
}

static void obey(struct kl_net *net, const struct net_command *c)
{
    kl_multiaddr addrs[KL_NET_ADDRS_MAX];
    switch (c->ask) {
    case NET_FRAME:
        send_frame(net, c);
        break;
    case NET_DROP:
        kl_swarm_drop(net->swarm, c->at, c->why, net_now(net));
        break;
    case NET_NUISANCE:
        kl_swarm_nuisance(net->swarm, c->at, c->units, net_now(net));
        break;
    case NET_WANT:
    case NET_UNWANT:
        change_standing(net, c);
        break;
    case NET_DIAL:
        memcpy(addrs, c->bytes, sizeof addrs[0]);
        dial_once(net, addrs);
        break;
    case NET_ADDRS:
        if (c->len)
            memcpy(addrs, c->bytes, c->len);
        net_gossip_addrs(net, addrs, c->len / sizeof addrs[0]);
        break;
    case NET_PUBLISH:
        net_gossip_publish(net, c->at, kl_span_of(c->bytes, c->len));
        break;
    case NET_VERDICT:
        if (net->gossip)
            kl_gossip_verdict(net->gossip, net_now(net), c->message, c->verdict);
        break;
    }
}

/* False: there was nothing to do. */
static bool obey_all(struct kl_net *net)
{
    struct net_command *list = take_all(net);
    if (!list)
        return false;
    for (struct net_command *c = list, *next; c; c = next) {
        next = c->next;
        obey(net, c);
        free(c);
    }
    return true;
}

static void on_resolved(void *ctx)
{
    kl_loop_wake(((struct kl_net *)ctx)->loop);
}

/* Peers hear that nothing more comes, in so far as they take it at once. */
static void take_leave(struct kl_net *net)
{
    for (u32 i = 0; net->gossip && i < net->config.topic_count; i++)
        kl_gossip_leave(net->gossip, net_now(net), i);
    kl_swarm_leave(net->swarm);
    settle_sockets(net);
}

static void *net_main(void *ctx)
{
    struct kl_net *net = ctx;
    here = net;
    kl_swarm_tick(net->swarm, kl_mono_ns(net->config.clock));
    while (!atomic_load(&net->stop)) {
        do
            net_settle(net);
        while (obey_all(net));
        (void)!kl_loop_turn(net->loop, UINT64_MAX);
        net_dial_resolved(net);
    }
    take_leave(net);
    here = NULL;
    return NULL;
}

/* Whether there is room for one more.  Answers, of which somebody may ask for all he can, leave
 * most of it to votes and proposals. */
static bool has_room(const struct net_command *c, usize queued)
{
    if (c->ask != NET_FRAME && c->ask != NET_PUBLISH)
        return true;
    bool is_answer = c->ask == NET_FRAME && c->class == KL_SWARM_SYNC;
    return queued + c->len <= (is_answer ? ANSWERS_MAX : QUEUE_MAX);
}

static void queue(struct kl_net *net, const struct net_command *what, kl_span bytes)
{
    struct net_command *c = malloc(sizeof *c + bytes.len);
    if (!c)
        return;
    *c = *what;
    c->len = bytes.len;
    if (bytes.len)
        memcpy(c->bytes, bytes.p, bytes.len);
    kl_lock(&net->lock);
    bool room = has_room(c, net->queued);
    if (room) {
        *net->last = c;
        net->last = &c->next;
        net->queued += bytes.len;
    }
    kl_unlock(&net->lock);
    if (!room)
        free(c);
    else if (here != net)
        kl_loop_wake(net->loop);
}

void kl_net_send(struct kl_net *net, u32 peer, kl_swarm_class class, kl_span frame)
{
    queue(net, &(struct net_command){.ask = NET_FRAME, .at = peer, .class = class}, frame);
}

void kl_net_drop(struct kl_net *net, u32 peer, kl_rule why)
{
    KL_ASSERT(why != KL_RULE_NONE);
    queue(net, &(struct net_command){.ask = NET_DROP, .at = peer, .why = why}, KL_SPAN_NONE);
}

void kl_net_nuisance(struct kl_net *net, u32 peer, u64 units)
{
    if (here == net)
        kl_swarm_nuisance(net->swarm, peer, units, net_now(net));
    else
        queue(net, &(struct net_command){.ask = NET_NUISANCE, .at = peer, .units = units},
              KL_SPAN_NONE);
}

void kl_net_want(struct kl_net *net, const kl_peer_id *id, kl_swarm_standing standing)
{
    KL_ASSERT(standing != KL_SWARM_STRANGER);
    queue(net, &(struct net_command){.ask = NET_WANT, .id = *id, .standing = standing},
          KL_SPAN_NONE);
}

void kl_net_unwant(struct kl_net *net, const kl_peer_id *id)
{
    queue(net, &(struct net_command){.ask = NET_UNWANT, .id = *id}, KL_SPAN_NONE);
}

void kl_net_dial(struct kl_net *net, const kl_multiaddr *addr)
{
    queue(net, &(struct net_command){.ask = NET_DIAL}, kl_span_of((const u8 *)addr, sizeof *addr));
}

void kl_net_set_addrs(struct kl_net *net, const kl_multiaddr *addrs, usize count)
{
    KL_ASSERT(count <= KL_NET_ADDRS_MAX);
    queue(net, &(struct net_command){.ask = NET_ADDRS},
          kl_span_of((const u8 *)addrs, count * sizeof *addrs));
}

void kl_net_publish(struct kl_net *net, u32 topic, kl_span data)
{
    queue(net, &(struct net_command){.ask = NET_PUBLISH, .at = topic}, data);
}

void kl_net_verdict(struct kl_net *net, const u8 id[KL_GOSSIP_ID_LEN],
                    kl_gossip_verdict_kind verdict)
{
    struct net_command c = {.ask = NET_VERDICT, .verdict = verdict};
    memcpy(c.message, id, sizeof c.message);
    queue(net, &c, KL_SPAN_NONE);
}

u32 kl_net_up_count(struct kl_net *net)
{
    return atomic_load(&net->up);
}

u64 kl_net_sent_bytes(struct kl_net *net)
{
    return atomic_load(&net->sent_bytes);
}

/* --- life --- */

static kl_status open_swarm(struct kl_net *net)
{
    kl_swarm_config config = {
        .identity = &net->identity,
        .entropy = net->config.entropy,
        .agent = "keel",
        .open = net->config.open,
        .limits = kl_swarm_limits_usual(),
    };
    for (usize i = 0; i < KL_SWARM_CLASSES; i++)
        config.frame_max[i] = net->config.frame_max;
    if (net->config.votes_max)
        config.frame_max[KL_SWARM_BFT] = net->config.votes_max;
    memcpy(config.digest, net->config.digest, sizeof config.digest);
    return kl_swarm_new(&net->swarm, &config, &net->swarm_user);
}

static kl_status open_all(struct kl_net *net)
{
    KL_TRY(kl_tcp_listen(&net->listener.fd, net->config.host, net->config.port));
    KL_TRY(kl_loop_open(&net->loop, net->config.clock));
    KL_TRY(kl_loop_add(net->loop, &net->listener, KL_READY_READ, false));
    struct kl_names *names = net->config.names ? net->config.names : kl_sys_names();
    KL_TRY(kl_resolver_new(&net->resolver, names, on_resolved, net));
    KL_TRY(net_gossip_open(net));
    return open_swarm(net);
}

static void init(struct kl_net *net, const kl_net_config *config, struct kl_net_user *user)
{
    net->config = *config;
    net->identity = *config->identity;
    net->self = kl_peer_id_of(&net->identity);
    net->config.identity = &net->identity;
    net->memory = config->memory ? config->memory : kl_sys_memory();
    net->user = user;
    net->swarm_user =
        (struct kl_swarm_user){.dial = net_dial_link, .close = close_link, .writable = writable};
    net_peers_hear(&net->swarm_user);
    net->listener = (struct kl_watch){.ready = on_listener, .owner = net, .fd = -1};
    net->timer = (struct kl_timer){.fire = on_timer, .owner = net};
    net->last = &net->first;
    kl_mutex_init(&net->lock);
}

kl_status kl_net_open(struct kl_net **out, const kl_net_config *config, struct kl_net_user *user)
{
    KL_ASSERT(config->topic_count <= KL_NET_TOPICS_MAX);
    struct kl_net *net = calloc(1, sizeof *net);
    if (!net)
        return KL_NOMEM;
    init(net, config, user);
    kl_status status = open_all(net);
    if (status != KL_OK) {
        kl_net_close(net);
        return status;
    }
    *out = net;
    return KL_OK;
}

u16 kl_net_port(const struct kl_net *net)
{
    return kl_tcp_port(net->listener.fd);
}

kl_status kl_net_start(struct kl_net *net)
{
    KL_TRY(kl_thread_start(&net->thread, "keel net", net_main, net));
    net->running = true;
    return KL_OK;
}

void kl_net_stop(struct kl_net *net)
{
    atomic_store(&net->stop, true);
    kl_loop_wake(net->loop);
    if (net->running)
        kl_thread_join(net->thread);
    net->running = false;
}

void kl_net_close(struct kl_net *net)
{
    if (!net)
        return;
    KL_ASSERT(!net->running);
    kl_resolver_free(net->resolver);
    for (u32 i = 0; i < net->link_end; i++)
        net_drop_socket(net, i);
    for (struct net_command *c = take_all(net), *next; c; c = next) {
        next = c->next;
        free(c);
    }
    net_dial_done(net);
    kl_swarm_free(net->swarm);
    kl_gossip_free(net->gossip);
    if (net->loop)
        kl_loop_close(net->loop);
    kl_tcp_close(net->listener.fd);
    kl_mutex_done(&net->lock);
    kl_secret32_wipe(&net->identity);
    free(net);
}
