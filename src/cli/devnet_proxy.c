#include "cli/devnet_proxy.h"

#include <stdlib.h>

#include "sys/tcp.h"

#define HOST "127.0.0.1"

enum {
    LINKS_MAX = 4 * KL_DEVNET_NODES_MAX * KL_DEVNET_NODES_MAX,
    READ_BYTES = 1 << 16,
};

struct door;

/* One side of a link: 0 has dialled, 1 is dialled. */
struct side {
    struct kl_watch watch; /* fd -1: there is none, or no more */
    struct link *link;
    struct kl_devnet_pipe in; /* what it has said */
    bool dialling, ended;     /* it says no more */
    unsigned interest;
};

struct link {
    struct door *door;
    struct side sides[2];
    struct kl_timer timer;
    struct link *before, *after;
};

struct door {
    struct kl_devnet_proxy *proxy;
    struct kl_watch watch;
    u32 from, to;
};

struct kl_devnet_proxy {
    struct kl_loop *loop;
    u32 count;
    u16 ports[KL_DEVNET_NODES_MAX];
    u64 rng;
    struct door doors[KL_DEVNET_NODES_MAX][KL_DEVNET_NODES_MAX];
    kl_devnet_way ways[KL_DEVNET_NODES_MAX][KL_DEVNET_NODES_MAX];
    struct link *links;
    u32 link_count;
};

/* How what a side says reaches the other. */
static const kl_devnet_way *way_of(const struct link *link, u32 side)
{
    const struct door *door = link->door;
    return side == 0 ? &door->proxy->ways[door->from][door->to]
                     : &door->proxy->ways[door->to][door->from];
}

static void close_side(struct side *side)
{
    if (side->watch.fd < 0)
        return;
    kl_loop_remove(side->link->door->proxy->loop, &side->watch);
    kl_tcp_close(side->watch.fd);
    side->watch.fd = -1;
}

static void drop(struct link *link)
{
    struct kl_devnet_proxy *p = link->door->proxy;
    for (u32 i = 0; i < 2; i++) {
        close_side(&link->sides[i]);
        free(link->sides[i].in.bytes);
    }
    kl_loop_unset(p->loop, &link->timer);
    if (link->before)
        link->before->after = link->after;
    else
        p->links = link->after;
    if (link->after)
        link->after->before = link->before;
    p->link_count--;
    free(link);
}

static void want(struct side *side, unsigned interest)
{
    if (side->watch.fd >= 0 && side->interest != interest)
        kl_loop_change(side->link->door->proxy->loop, &side->watch, interest);
    side->interest = interest;
}

/* Hands over what has arrived from the other side; false when this one is gone. */
static bool hand_over(struct link *link, u32 to, bool *blocked, u64 now_ns)
{
    struct side *side = &link->sides[to], *other = &link->sides[!to];
    *blocked = false;
    for (;;) {
        kl_span ready = kl_devnet_pipe_ready(&other->in, way_of(link, !to), now_ns);
        usize put;
        if (!ready.len)
            return true;
        kl_status status = kl_tcp_write(side->watch.fd, ready, &put);
        if (status == KL_AGAIN) {
            *blocked = true;
            return true;
        }
        if (status != KL_OK)
            return false;
        kl_devnet_pipe_taken(&other->in, put);
    }
}

/* Dials when both ways are whole. */
static bool dial(struct link *link)
{
    struct side *side = &link->sides[1];
    const struct door *door = link->door;
    if (way_of(link, 0)->cut || way_of(link, 1)->cut)
        return true;
    if (kl_tcp_dial(&side->watch.fd, HOST, door->proxy->ports[door->to]) != KL_OK)
        return false;
    side->dialling = true;
    side->interest = KL_READY_WRITE;
    if (kl_loop_add(door->proxy->loop, &side->watch, side->interest, false) == KL_OK)
        return true;
    kl_tcp_close(side->watch.fd);
    side->watch.fd = -1;
    return false;
}

/* Whether nothing that a side has said is left to hand over, and no more will come; or nobody is
 * left to hear it. */
static bool is_over(const struct link *link, u32 side)
{
    const struct side *from = &link->sides[side];
    return from->ended &&
           (link->sides[!side].watch.fd < 0 || (!from->in.len && !way_of(link, side)->cut));
}

/* What is possible now is done; the link may be gone afterwards. */
static void settle(struct link *link)
{
    struct kl_devnet_proxy *p = link->door->proxy;
    u64 now_ns = kl_loop_now(p->loop), due_ns = UINT64_MAX;
    struct side *dialled = &link->sides[1];
    bool good = dialled->watch.fd >= 0 || dialled->ended || dial(link);
    bool up = dialled->watch.fd >= 0 && !dialled->dialling;
    bool blocked[2] = {false, false};
    for (u32 to = 0; to < 2 && good && up; to++)
        if (link->sides[to].watch.fd >= 0)
            good = hand_over(link, to, &blocked[to], now_ns);
    if (!good || is_over(link, 0) || is_over(link, 1)) {
        drop(link);
        return;
    }
    for (u32 i = 0; i < 2; i++) {
        struct side *side = &link->sides[i];
        bool reads = !side->ended && kl_devnet_pipe_room(&side->in) > 0;
        if (!side->dialling)
            want(side, (reads ? KL_READY_READ : 0u) | (blocked[i] ? KL_READY_WRITE : 0u));
        if (up && !blocked[!i])
            due_ns = KL_MIN(due_ns, kl_devnet_pipe_due_ns(&side->in, way_of(link, i)));
    }
    if (due_ns == UINT64_MAX)
        kl_loop_unset(p->loop, &link->timer);
    else
        kl_loop_set(p->loop, &link->timer, due_ns);
}

static void on_timer(struct kl_timer *timer)
{
    settle(timer->owner);
}

static void end_side(struct side *side)
{
    side->ended = true;
    close_side(side); /* what it was to hear, nobody hears */
}

static void read_some(struct link *link, u32 i)
{
    static u8 bytes[READ_BYTES];
    struct side *side = &link->sides[i];
    struct kl_devnet_proxy *p = link->door->proxy;
    usize got, room = KL_MIN(kl_devnet_pipe_room(&side->in), sizeof bytes);
    if (!room)
        return;
    kl_status status = kl_tcp_read(side->watch.fd, bytes, room, &got);
    if (status == KL_AGAIN)
        return;
    if (status != KL_OK || got == 0)
        end_side(side);
    else
        kl_devnet_pipe_put(&side->in, kl_span_of(bytes, got), way_of(link, i), kl_loop_now(p->loop),
                           &p->rng);
}

static bool on_ready(struct kl_watch *watch, unsigned what)
{
    struct side *side = watch->owner;
    struct link *link = side->link;
    u32 i = side == &link->sides[1];
    if (side->dialling) {
        side->dialling = false;
        if (kl_tcp_dialled(watch->fd) != KL_OK) {
            drop(link);
            return true;
        }
        want(side, KL_READY_READ);
    } else if (what & (KL_READY_READ | KL_READY_HANGUP)) {
        if ((what & KL_READY_HANGUP) && !kl_devnet_pipe_room(&side->in))
            end_side(side);
        else
            read_some(link, i);
    }
    settle(link);
    return true;
}

static struct link *link_new(struct door *door, int fd)
{
    struct kl_devnet_proxy *p = door->proxy;
    struct link *link = p->link_count < LINKS_MAX ? calloc(1, sizeof *link) : NULL;
    if (!link)
        return NULL;
    link->door = door;
    link->timer = (struct kl_timer){.fire = on_timer, .owner = link};
    for (u32 i = 0; i < 2; i++) {
        struct side *side = &link->sides[i];
        side->link = link;
        side->watch = (struct kl_watch){.ready = on_ready, .owner = side, .fd = i ? -1 : fd};
        side->in.bytes = malloc(KL_DEVNET_PIPE_BYTES);
    }
    link->sides[0].interest = KL_READY_READ;
    if (!link->sides[0].in.bytes || !link->sides[1].in.bytes ||
        kl_loop_add(p->loop, &link->sides[0].watch, KL_READY_READ, false) != KL_OK) {
        free(link->sides[0].in.bytes);
        free(link->sides[1].in.bytes);
        free(link);
        return NULL;
    }
    link->after = p->links;
    if (link->after)
        link->after->before = link;
    p->links = link;
    p->link_count++;
    return link;
}

static bool on_door(struct kl_watch *watch, KL_UNUSED unsigned what)
{
    struct door *door = watch->owner;
    int fd;
    while (kl_tcp_accept(&fd, watch->fd) == KL_OK) {
        struct link *link = link_new(door, fd);
        if (link)
            settle(link);
        else
            kl_tcp_close(fd);
    }
    return true;
}

static kl_status open_door(struct kl_devnet_proxy *p, u32 from, u32 to)
{
    struct door *door = &p->doors[from][to];
    *door = (struct door){.proxy = p, .from = from, .to = to};
    door->watch = (struct kl_watch){.ready = on_door, .owner = door, .fd = -1};
    KL_TRY(kl_tcp_listen(&door->watch.fd, HOST, 0));
    return kl_loop_add(p->loop, &door->watch, KL_READY_READ, false);
}

kl_status kl_devnet_proxy_open(struct kl_devnet_proxy **out, struct kl_loop *loop, u32 count,
                               const u16 *ports, u64 seed)
{
    KL_ASSERT(count <= KL_DEVNET_NODES_MAX);
    struct kl_devnet_proxy *p = calloc(1, sizeof *p);
    if (!p)
        return KL_NOMEM;
    p->loop = loop;
    p->count = count;
    p->rng = seed;
    memcpy(p->ports, ports, count * sizeof *ports);
    kl_status status = KL_OK;
    for (u32 from = 0; from < count; from++)
        for (u32 to = 0; to < count; to++)
            p->doors[from][to].watch.fd = -1;
    for (u32 from = 0; from < count; from++)
        for (u32 to = 0; to < count && status == KL_OK; to++)
            if (from != to)
                status = open_door(p, from, to);
    if (status != KL_OK) {
        kl_devnet_proxy_close(p);
        return status;
    }
    *out = p;
    return KL_OK;
}

void kl_devnet_proxy_close(struct kl_devnet_proxy *p)
{
    if (!p)
        return;
    while (p->links)
        drop(p->links);
    for (u32 from = 0; from < p->count; from++)
        for (u32 to = 0; to < p->count; to++) {
            struct kl_watch *watch = &p->doors[from][to].watch;
            if (watch->fd < 0)
                continue;
            kl_loop_remove(p->loop, watch);
            kl_tcp_close(watch->fd);
        }
    free(p);
}

u16 kl_devnet_proxy_port(const struct kl_devnet_proxy *p, u32 from, u32 to)
{
    return kl_tcp_port(p->doors[from][to].watch.fd);
}

kl_devnet_way *kl_devnet_proxy_way(struct kl_devnet_proxy *p, u32 from, u32 to)
{
    return &p->ways[from][to];
}

void kl_devnet_proxy_changed(struct kl_devnet_proxy *p)
{
    for (struct link *link = p->links, *after; link; link = after) {
        after = link->after;
        settle(link);
    }
}
