#include "node/net.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/sync.h"
#include "sys/loop.h"
#include "sys/thread.h"

#define QUEUE_MAX ((usize)64 << 20) /* bytes from other threads that wait */

enum {
    READ_BYTES = 1 << 16,
    READS_MAX = 4,   /* of one socket in a turn */
    PULL = 32 << 10, /* bytes framed at once: what comes later can overtake the rest */
};

struct socket {
    struct kl_watch watch; /* first */
    struct kl_net *net;
    u32 link;
    bool dialling, dirty;
    char address[KL_TCP_TEXT_MAX];
    unsigned interest;
    struct kl_buf out;
    usize out_at;
};

/* A frame on its way to the net's thread. */
struct sending {
    struct sending *next;
    u32 peer;
    kl_swarm_class class;
    kl_rule drop; /* not a frame, but the end of the connection */
    usize len;
    u8 bytes[];
};

struct kl_net {
    kl_net_config config;
    kl_secret32 identity;
    kl_net_peer peers[KL_SWARM_PEERS_MAX];
    struct kl_net_user *user;
    struct kl_swarm_user swarm_user;
    struct kl_swarm *swarm;
    struct kl_loop *loop;
    struct kl_watch listener;
    struct kl_timer timer;
    struct socket *sockets[KL_SWARM_LINKS_MAX];
    bool failed[KL_SWARM_LINKS_MAX]; /* could not be dialled: told when nothing else runs */
    bool any_failed;
    kl_thread thread;
    bool running;
    atomic_bool stop;
    atomic_uint up;
    atomic_ullong sent_bytes;

    kl_mutex lock; /* the queue's */
    struct sending *first, **last;
    usize queued;
};

/* The net whose thread this is: it looks at what waits by itself. */
static _Thread_local struct kl_net *here;

static struct kl_net *of(struct kl_swarm_user *user)
{
    return (struct kl_net *)((char *)user - offsetof(struct kl_net, swarm_user));
}

/* --- sockets --- */

static void drop_socket(struct kl_net *net, u32 link)
{
    struct socket *s = net->sockets[link];
    if (!s)
        return;
    net->sockets[link] = NULL;
    kl_loop_remove(net->loop, &s->watch);
    kl_tcp_close(s->watch.fd);
    kl_buf_done(&s->out);
    free(s);
}

static void want(struct socket *s, unsigned interest)
{
    if (s->interest != interest)
        kl_loop_change(s->net->loop, &s->watch, interest);
    s->interest = interest;
}

/* Sends what there is; false when the connection is gone. */
static bool flush(struct socket *s)
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

static void lose(struct kl_net *net, u32 link)
{
    drop_socket(net, link);
    kl_swarm_closed(net->swarm, link, kl_loop_now(net->loop));
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
            lose(net, link);
            return;
        }
        kl_swarm_feed(net->swarm, link, kl_span_of(bytes, got), kl_loop_now(net->loop));
        if (got < sizeof bytes)
            return;
    }
}

/* What follows a turn of the swarm: failed dials are told, and what is to be sent is. */
static void settle(struct kl_net *net)
{
    while (net->any_failed) {
        net->any_failed = false;
        for (u32 i = 0; i < KL_SWARM_LINKS_MAX; i++)
            if (net->failed[i]) {
                net->failed[i] = false;
                kl_swarm_closed(net->swarm, i, kl_loop_now(net->loop));
            }
    }
    for (u32 i = 0; i < KL_SWARM_LINKS_MAX; i++) {
        struct socket *s = net->sockets[i];
        if (!s || !s->dirty || s->dialling)
            continue;
        s->dirty = false;
        if (!flush(s))
            lose(net, i);
    }
    u64 due_ns = kl_swarm_due_ns(net->swarm);
    if (due_ns == UINT64_MAX)
        kl_loop_unset(net->loop, &net->timer);
    else
        kl_loop_set(net->loop, &net->timer, due_ns);
}

static bool on_ready(struct kl_watch *watch, unsigned what)
{
    struct socket *s = (struct socket *)watch;
    struct kl_net *net = s->net;
    u32 link = s->link;
    if (s->dialling) {
        if (kl_tcp_dialled(watch->fd) != KL_OK) {
            lose(net, link);
        } else {
            s->dialling = false;
            kl_tcp_peer(watch->fd, s->address);
            want(s, KL_READY_READ);
            kl_multiaddr remote = {.host = KL_HOST_NONE};
            kl_swarm_opened(net->swarm, link, &remote, kl_loop_now(net->loop));
        }
        settle(net);
        return true;
    }
    s->dirty |= (what & KL_READY_WRITE) != 0;
    if (what & (KL_READY_READ | KL_READY_HANGUP))
        read_some(net, link);
    settle(net);
    return true;
}

static bool add_socket(struct kl_net *net, u32 link, int fd, bool dialling)
{
    struct socket *s = calloc(1, sizeof *s);
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
    return true;
}

/* --- what the swarm asks for --- */

static const kl_net_peer *where(const struct kl_net *net, const kl_peer_id *id)
{
    for (u32 i = 0; i < net->config.peer_count; i++)
        if (kl_peer_id_eq(&net->peers[i].id, id))
            return &net->peers[i];
    return NULL;
}

static void dial(struct kl_swarm_user *user, i32 peer, u32 link)
{
    struct kl_net *net = of(user);
    const kl_net_peer *at = where(net, kl_swarm_id(net->swarm, (u32)peer));
    int fd = -1;
    if (at && kl_tcp_dial(&fd, at->host, at->port) == KL_OK && add_socket(net, link, fd, true))
        return;
    kl_tcp_close(fd);
    net->failed[link] = net->any_failed = true;
}

static void tell_dropped(struct kl_net *net, u32 link, kl_rule why)
{
    kl_net_dropped dropped = {.at_ns = kl_loop_now(net->loop), .address = "?", .why = why};
    i32 peer = KL_SWARM_NONE;
    dropped.has_id = kl_swarm_link_peer(net->swarm, link, &dropped.id, &peer);
    dropped.listed =
        peer != KL_SWARM_NONE && kl_swarm_standing_of(net->swarm, (u32)peer) != KL_SWARM_STRANGER;
    if (net->sockets[link])
        memcpy(dropped.address, net->sockets[link]->address, sizeof dropped.address);
    net->user->dropped(net->user, &dropped);
}

static void close_link(struct kl_swarm_user *user, u32 link, kl_rule why)
{
    struct kl_net *net = of(user);
    if (why != KL_RULE_NONE)
        tell_dropped(net, link, why);
    drop_socket(net, link);
    net->failed[link] = false;
}

static void writable(struct kl_swarm_user *user, u32 link)
{
    struct socket *s = of(user)->sockets[link];
    if (s)
        s->dirty = true;
}

static void on_up(struct kl_swarm_user *user, u32 peer)
{
    struct kl_net *net = of(user);
    atomic_fetch_add(&net->up, 1);
    net->user->up(net->user, peer);
}

static void on_down(struct kl_swarm_user *user, u32 peer)
{
    struct kl_net *net = of(user);
    atomic_fetch_sub(&net->up, 1);
    net->user->down(net->user, peer);
}

static void on_frame(struct kl_swarm_user *user, u32 peer, KL_UNUSED kl_swarm_class class,
                     kl_span frame)
{
    of(user)->user->frame(of(user)->user, peer, frame);
}

/* --- its thread --- */

static bool on_listener(struct kl_watch *watch, KL_UNUSED unsigned what)
{
    struct kl_net *net = watch->owner;
    int fd;
    while (kl_tcp_accept(&fd, watch->fd) == KL_OK) {
        kl_multiaddr remote = {.host = KL_HOST_NONE};
        kl_rule why;
        i32 link = kl_swarm_accepted(net->swarm, &remote, kl_loop_now(net->loop), &why);
        if (link == KL_SWARM_NONE) {
            kl_tcp_close(fd);
        } else if (!add_socket(net, (u32)link, fd, false)) {
            kl_tcp_close(fd);
            kl_swarm_closed(net->swarm, (u32)link, kl_loop_now(net->loop));
        } else {
            net->sockets[link]->dirty = true;
        }
    }
    settle(net);
    return true;
}

static void on_timer(struct kl_timer *timer)
{
    struct kl_net *net = timer->owner;
    kl_swarm_tick(net->swarm, kl_loop_now(net->loop));
    settle(net);
}

static struct sending *take_all(struct kl_net *net)
{
    kl_lock(&net->lock);
    struct sending *list = net->first;
    net->first = NULL;
    net->last = &net->first;
    net->queued = 0;
    kl_unlock(&net->lock);
    return list;
}

static void send_all(struct kl_net *net)
{
    for (struct sending *s = take_all(net), *next; s; s = next) {
        next = s->next;
        kl_span frame = kl_span_of(s->bytes, s->len);
        if (s->drop != KL_RULE_NONE)
            kl_swarm_drop(net->swarm, s->peer, s->drop, kl_loop_now(net->loop));
        for (u32 i = 0; i < KL_SWARM_PEERS_MAX && s->drop == KL_RULE_NONE; i++)
            if (s->peer == KL_NET_ALL || s->peer == i)
                (void)kl_swarm_send(net->swarm, i, s->class, frame);
        free(s);
    }
}

/* Whoever is told of an end while frames are sent may send more. */
static bool waits(struct kl_net *net)
{
    kl_lock(&net->lock);
    bool any = net->first != NULL;
    kl_unlock(&net->lock);
    return any;
}

static void *net_main(void *ctx)
{
    struct kl_net *net = ctx;
    here = net;
    kl_swarm_tick(net->swarm, kl_mono_ns(net->config.clock));
    settle(net);
    while (!atomic_load(&net->stop)) {
        (void)!kl_loop_turn(net->loop, waits(net) ? 0 : UINT64_MAX);
        send_all(net);
        settle(net);
    }
    return NULL;
}

static void queue(struct kl_net *net, const struct sending *what, kl_span frame)
{
    struct sending *s = malloc(sizeof *s + frame.len);
    if (!s)
        return;
    *s = *what;
    s->len = frame.len;
    if (frame.len)
        memcpy(s->bytes, frame.p, frame.len);
    kl_lock(&net->lock);
    bool room = net->queued + frame.len <= QUEUE_MAX;
    if (room) {
        *net->last = s;
        net->last = &s->next;
        net->queued += frame.len;
    }
    kl_unlock(&net->lock);
    if (!room)
        free(s);
    else if (here != net)
        kl_loop_wake(net->loop);
}

void kl_net_send(struct kl_net *net, u32 peer, kl_swarm_class class, kl_span frame)
{
    queue(net, &(struct sending){.peer = peer, .class = class}, frame);
}

void kl_net_drop(struct kl_net *net, u32 peer, kl_rule why)
{
    KL_ASSERT(why != KL_RULE_NONE);
    queue(net, &(struct sending){.peer = peer, .drop = why}, KL_SPAN_NONE);
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
        .limits = kl_swarm_limits_usual(),
    };
    for (usize i = 0; i < KL_SWARM_CLASSES; i++)
        config.frame_max[i] = net->config.frame_max;
    memcpy(config.digest, net->config.digest, sizeof config.digest);
    KL_TRY(kl_swarm_new(&net->swarm, &config, &net->swarm_user));
    for (u32 i = 0; i < net->config.peer_count; i++)
        (void)kl_swarm_want(net->swarm, &net->peers[i].id, KL_SWARM_VALIDATOR, 0);
    return KL_OK;
}

static kl_status open_all(struct kl_net *net)
{
    KL_TRY(kl_tcp_listen(&net->listener.fd, net->config.host, net->config.port));
    KL_TRY(kl_loop_open(&net->loop, net->config.clock));
    KL_TRY(kl_loop_add(net->loop, &net->listener, KL_READY_READ, false));
    return open_swarm(net);
}

kl_status kl_net_open(struct kl_net **out, const kl_net_config *config, struct kl_net_user *user)
{
    KL_ASSERT(config->peer_count <= KL_SWARM_PEERS_MAX);
    struct kl_net *net = calloc(1, sizeof *net);
    if (!net)
        return KL_NOMEM;
    net->config = *config;
    net->identity = *config->identity;
    if (config->peer_count)
        memcpy(net->peers, config->peers, config->peer_count * sizeof *config->peers);
    net->user = user;
    net->swarm_user = (struct kl_swarm_user){.dial = dial,
                                             .close = close_link,
                                             .writable = writable,
                                             .up = on_up,
                                             .down = on_down,
                                             .frame = on_frame};
    net->listener = (struct kl_watch){.ready = on_listener, .owner = net, .fd = -1};
    net->timer = (struct kl_timer){.fire = on_timer, .owner = net};
    net->last = &net->first;
    kl_mutex_init(&net->lock);
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
    for (u32 i = 0; i < KL_SWARM_LINKS_MAX; i++)
        drop_socket(net, i);
    for (struct sending *s = take_all(net), *next; s; s = next) {
        next = s->next;
        free(s);
    }
    kl_swarm_free(net->swarm);
    if (net->loop)
        kl_loop_close(net->loop);
    kl_tcp_close(net->listener.fd);
    kl_mutex_done(&net->lock);
    kl_secret32_wipe(&net->identity);
    free(net);
}
