/* A few swarms over wires in memory, in virtual time. */
#include "p2p/swarm.h"

#include <stdlib.h>

#include "base/test.h"

#define MS UINT64_C(1000000)

enum { NODES = 5, WIRES = 4096 };

/* One connection: two ends with the bytes that are on their way to each. */
struct wire {
    bool open, connected;
    u32 node[2], link[2];
    bool ended[2]; /* this end has closed */
    struct kl_buf to[2];
};

struct node {
    struct kl_swarm_user user;
    struct kl_swarm *swarm;
    kl_secret32 identity;
    bool up, listed[NODES];
    bool peer_up[NODES];
    u32 wire_of[KL_SWARM_LINKS_MAX];
    u64 sent[NODES][KL_SWARM_CLASSES], heard[NODES][KL_SWARM_CLASSES];
    kl_rule why; /* of the newest close */
};

static struct node nodes[NODES];
static struct wire wires[WIRES];
static u32 wire_count;
static kl_peer_id ids[NODES];
static u64 now_ns;
static bool cut[NODES][NODES];
static u64 entropy_seed;
static const char *digests[NODES];

static struct node *of(struct kl_swarm_user *user)
{
    return (struct node *)user;
}

static u32 number(const struct node *node)
{
    return (u32)(node - nodes);
}

static void fill(KL_UNUSED struct kl_entropy *entropy, void *out, usize len)
{
    kl_rand_fill(&entropy_seed, out, len);
}

static struct kl_entropy entropy = {fill};

/* Who stands in a node's place, and where a node stands with another. */
static u32 who(const struct node *node, u32 peer)
{
    const kl_peer_id *id = kl_swarm_id(node->swarm, peer);
    for (u32 i = 0; id && i < NODES; i++)
        if (kl_peer_id_eq(&ids[i], id))
            return i;
    return NODES;
}

static u32 place(u32 node, u32 other)
{
    return (u32)kl_swarm_find(nodes[node].swarm, &ids[other]);
}

/* --- what swarms ask for --- */

static void dial(struct kl_swarm_user *user, i32 at, u32 link)
{
    struct node *node = of(user);
    u32 peer = who(node, (u32)at);
    CHECK(wire_count < WIRES && peer != number(node));
    struct wire *w = &wires[wire_count];
    *w = (struct wire){.open = true, .node = {number(node), peer}, .link = {link, UINT32_MAX}};
    kl_buf_init(&w->to[0], 1 << 24);
    kl_buf_init(&w->to[1], 1 << 24);
    node->wire_of[link] = wire_count++;
}

static void close_link(struct kl_swarm_user *user, u32 link, kl_rule why)
{
    struct node *node = of(user);
    struct wire *w = &wires[node->wire_of[link]];
    node->why = why;
    w->ended[w->node[0] == number(node) && w->link[0] == link ? 0 : 1] = true;
}

static void writable(KL_UNUSED struct kl_swarm_user *user, KL_UNUSED u32 link)
{
}

static void put_number(u8 out[8], u64 n)
{
    kl_store_be64(out, n);
}

static void on_up(struct kl_swarm_user *user, u32 peer)
{
    peer = who(of(user), peer);
    CHECK(!of(user)->peer_up[peer]);
    of(user)->peer_up[peer] = true;
}

static void on_down(struct kl_swarm_user *user, u32 peer)
{
    peer = who(of(user), peer);
    CHECK(of(user)->peer_up[peer]);
    of(user)->peer_up[peer] = false;
}

/* Numbers rise within a class: nothing twice, nothing out of order; a lost connection may lose. */
static void on_frame(struct kl_swarm_user *user, u32 peer, kl_swarm_class class, kl_span frame)
{
    struct node *node = of(user);
    peer = who(node, peer);
    CHECK(frame.len >= 8);
    u64 n = kl_load_be64(frame.p);
    CHECK(n > node->heard[peer][class] && n <= nodes[peer].sent[number(node)][class]);
    for (usize i = 8; i < frame.len; i++)
        CHECK(frame.p[i] == (u8)(n + i));
    node->heard[peer][class] = n;
}

/* --- the world --- */

static void start(u32 i)
{
    struct node *node = &nodes[i];
    kl_swarm_config config = {.identity = &node->identity,
                              .entropy = &entropy,
                              .frame_max = {100000, 100000, 100000},
                              .limits = kl_swarm_limits_usual()};
    config.limits.queue_friend = 1 << 20;
    config.limits.handshakes = 8;
    config.limits.handshake_ns = 2000 * MS;
    memcpy(config.digest, digests[i], sizeof config.digest);
    node->user = (struct kl_swarm_user){.dial = dial,
                                        .close = close_link,
                                        .writable = writable,
                                        .up = on_up,
                                        .down = on_down,
                                        .frame = on_frame};
    memset(node->peer_up, 0, sizeof node->peer_up);
    memset(node->heard, 0, sizeof node->heard);
    CHECK_OK(kl_swarm_new(&node->swarm, &config, &node->user));
    for (u32 k = 0; k < NODES; k++)
        CHECK(!node->listed[k] || (kl_swarm_want(node->swarm, &ids[k], KL_SWARM_VALIDATOR,
                                                 now_ns) == KL_SWARM_NONE) == (k == i));
    node->up = true;
}

static void begin(u64 *seed)
{
    now_ns = 1000 * MS;
    wire_count = 0;
    entropy_seed = kl_rand(seed);
    memset(cut, 0, sizeof cut);
    memset(nodes, 0, sizeof nodes);
    for (u32 i = 0; i < NODES; i++) {
        kl_rand_fill(seed, nodes[i].identity.b, 32);
        ids[i] = kl_peer_id_of(&nodes[i].identity);
        digests[i] = "0011aabb";
        memset(nodes[i].listed, 1, sizeof nodes[i].listed);
    }
    for (u32 i = 0; i < NODES; i++)
        start(i);
}

static void stop(u32 i)
{
    nodes[i].up = false;
    kl_swarm_free(nodes[i].swarm);
    nodes[i].swarm = NULL;
    for (u32 w = 0; w < wire_count; w++)
        for (u32 end = 0; end < 2; end++)
            if (wires[w].open && wires[w].node[end] == i)
                wires[w].ended[end] = true;
}

static void done(void)
{
    for (u32 i = 0; i < NODES; i++)
        if (nodes[i].up)
            stop(i);
    for (u32 w = 0; w < wire_count; w++) {
        kl_buf_done(&wires[w].to[0]);
        kl_buf_done(&wires[w].to[1]);
    }
}

static bool is_linked(const struct wire *w, u32 end)
{
    return !w->ended[end] && w->link[end] != UINT32_MAX && nodes[w->node[end]].up;
}

static void drop(struct wire *w)
{
    w->open = false;
    for (u32 end = 0; end < 2; end++)
        if (is_linked(w, end)) {
            w->ended[end] = true;
            kl_swarm_closed(nodes[w->node[end]].swarm, w->link[end], now_ns);
        }
}

static void connect_wire(struct wire *w)
{
    struct node *to = &nodes[w->node[1]];
    kl_rule why;
    kl_multiaddr remote = {.host = KL_HOST_IP4, .ip = {127, 0, 0, 1}};
    i32 link = to->up && !cut[w->node[0]][w->node[1]]
                   ? kl_swarm_accepted(to->swarm, &remote, now_ns, &why)
                   : KL_SWARM_NONE;
    if (link == KL_SWARM_NONE) {
        drop(w);
        return;
    }
    w->connected = true;
    w->link[1] = (u32)link;
    to->wire_of[link] = (u32)(w - wires);
    if (is_linked(w, 0))
        kl_swarm_opened(nodes[w->node[0]].swarm, w->link[0], &remote, now_ns);
}

/* Carries some bytes from one end to the other; a cut wire carries nothing and says nothing. */
static void carry(struct wire *w, u32 from, u64 *seed)
{
    u32 to = 1 - from;
    bool more;
    struct kl_buf *buf = &w->to[to];
    if (is_linked(w, from))
        kl_swarm_pull(nodes[w->node[from]].swarm, w->link[from], 20000, buf, &more);
    if (cut[w->node[0]][w->node[1]] || !buf->len || !is_linked(w, to))
        return;
    usize some = 1 + kl_rand_below(seed, 30000), len = KL_MIN(buf->len, some);
    u8 *copy = malloc(len);
    CHECK(copy);
    memcpy(copy, buf->p, len);
    memmove(buf->p, buf->p + len, buf->len - len);
    buf->len -= len;
    kl_swarm_feed(nodes[w->node[to]].swarm, w->link[to], kl_span_of(copy, len), now_ns);
    free(copy);
}

static void turn(u64 *seed)
{
    for (u32 i = 0; i < NODES; i++)
        if (nodes[i].up && kl_swarm_due_ns(nodes[i].swarm) <= now_ns)
            kl_swarm_tick(nodes[i].swarm, now_ns);
    for (u32 i = 0; i < wire_count; i++) {
        struct wire *w = &wires[i];
        if (!w->open)
            continue;
        if (!w->connected && is_linked(w, 0))
            connect_wire(w);
        for (u32 end = 0; end < 2 && w->open; end++)
            carry(w, end, seed);
        bool told = !cut[w->node[0]][w->node[1]];
        if (w->open && told && (w->ended[0] || w->ended[1]))
            drop(w);
    }
    now_ns += 5 * MS;
}

static void run(u64 ms, u64 *seed)
{
    for (u64 end_ns = now_ns + ms * MS; now_ns < end_ns;)
        turn(seed);
}

static void send(u32 from, u32 to, kl_swarm_class class, usize len)
{
    static u8 frame[60000];
    u64 n = nodes[from].sent[to][class] + 1;
    put_number(frame, n);
    for (usize i = 8; i < len; i++)
        frame[i] = (u8)(n + i);
    if (kl_swarm_send(nodes[from].swarm, place(from, to), class,
                      kl_span_of(frame, KL_MAX(len, (usize)8))))
        nodes[from].sent[to][class] = n;
}

static void check_all_up(void)
{
    for (u32 i = 0; i < NODES; i++)
        for (u32 k = 0; k < NODES; k++)
            CHECK(!nodes[i].up || !nodes[k].up || i == k || nodes[i].peer_up[k]);
}

/* Everybody dials everybody at once; one connection of two stays, and carries every frame. */
KL_TEST(swarm_connects_and_carries_frames)
{
    begin(seed);
    run(500, seed);
    check_all_up();
    u32 open = 0;
    for (u32 w = 0; w < wire_count; w++)
        open += wires[w].open;
    CHECK_U64(open, NODES * (NODES - 1) / 2);
    for (int i = 0; i < 600; i++) {
        u32 a = (u32)kl_rand_below(seed, NODES), b = (u32)kl_rand_below(seed, NODES);
        if (a != b)
            send(a, b, (kl_swarm_class)kl_rand_below(seed, KL_SWARM_CLASSES),
                 kl_rand_below(seed, 20000));
        if (i % 4 == 0)
            turn(seed);
    }
    run(3000, seed);
    for (u32 i = 0; i < NODES; i++)
        for (u32 k = 0; k < NODES; k++)
            for (u32 c = 0; c < KL_SWARM_CLASSES; c++)
                CHECK_U64(nodes[i].heard[k][c], nodes[k].sent[i][c]);
    done();
}

/* Property: through crashes, restarts and cuts, whoever can reach one another is connected again in
 * bounded time, and frames never come twice or out of order. */
KL_TEST(swarm_comes_back)
{
    begin(seed);
    run(500, seed);
    for (int i = 0; i < 40; i++) {
        u32 a = (u32)kl_rand_below(seed, NODES), b = (u32)kl_rand_below(seed, NODES);
        switch (kl_rand_below(seed, 4)) {
        case 0:
            cut[a][b] = cut[b][a] = true;
            break;
        case 1:
            memset(cut, 0, sizeof cut);
            break;
        case 2:
            if (nodes[a].up)
                stop(a);
            break;
        default:
            if (!nodes[a].up)
                start(a); /* what it sends is numbered on */
            break;
        }
        for (int k = 0; k < 20; k++) {
            a = (u32)kl_rand_below(seed, NODES);
            b = (u32)kl_rand_below(seed, NODES);
            if (a != b && nodes[a].up)
                send(a, b, KL_SWARM_BFT, kl_rand_below(seed, 500));
            turn(seed);
        }
        run(kl_rand_below(seed, 1500), seed);
    }
    memset(cut, 0, sizeof cut);
    for (u32 i = 0; i < NODES; i++)
        if (!nodes[i].up)
            start(i);
    run(10000, seed);
    check_all_up();
    done();
}

/* Who is not in the list is sent away, and so is a node of another network. */
KL_TEST(swarm_refuses_strangers)
{
    begin(seed);
    stop(4);
    memset(nodes[0].listed, 0, sizeof nodes[0].listed);
    stop(0);
    start(0);
    run(3000, seed);
    for (u32 k = 1; k < 4; k++)
        CHECK(!nodes[0].peer_up[k] && !nodes[k].peer_up[0]);
    CHECK(nodes[1].peer_up[2]);
    stop(3);
    digests[3] = "ffffffff";
    start(3);
    run(3000, seed);
    for (u32 k = 1; k < 3; k++)
        CHECK(!nodes[3].peer_up[k] && !nodes[k].peer_up[3]);
    done();
}

/* A peer that stands still is given up, and is back when it goes on. */
KL_TEST(swarm_gives_up_the_silent)
{
    begin(seed);
    run(500, seed);
    for (u32 k = 0; k < NODES; k++)
        cut[2][k] = cut[k][2] = true;
    run(6000, seed);
    CHECK(!nodes[0].peer_up[2] && !nodes[2].peer_up[0] && nodes[0].peer_up[1]);
    CHECK_RULE(nodes[2].why, KL_RULE_SWARM_SILENT);
    memset(cut, 0, sizeof cut);
    run(6000, seed);
    check_all_up();
    done();
}

/* Who is dropped is down at once, and comes back after a pause. */
KL_TEST(swarm_drops_and_dials_again)
{
    begin(seed);
    run(500, seed);
    kl_swarm_drop(nodes[0].swarm, place(0, 1), KL_RULE_VOTE_SIGNATURE, now_ns);
    CHECK(!nodes[0].peer_up[1]);
    CHECK_RULE(nodes[0].why, KL_RULE_VOTE_SIGNATURE);
    run(3000, seed);
    check_all_up();
    done();
}

/* A frame above the limit is not sent, and not taken. */
KL_TEST(swarm_frames_are_bounded)
{
    begin(seed);
    run(500, seed);
    static u8 frame[100001];
    CHECK(!kl_swarm_send(nodes[0].swarm, place(0, 1), KL_SWARM_BFT, KL_SPAN_OF(frame)));
    frame[7] = 1;
    nodes[0].sent[1][KL_SWARM_BFT] = 1;
    for (usize i = 8; i < 100000; i++)
        frame[i] = (u8)(1 + i);
    CHECK(kl_swarm_send(nodes[0].swarm, place(0, 1), KL_SWARM_BFT, kl_span_of(frame, 100000)));
    for (int i = 0; i < 20; i++) /* what is queued is bounded, too */
        (void)kl_swarm_send(nodes[0].swarm, place(0, 2), KL_SWARM_SYNC, kl_span_of(frame, 99999));
    CHECK(!kl_swarm_send(nodes[0].swarm, place(0, 2), KL_SWARM_SYNC, kl_span_of(frame, 99999)));
    CHECK(!kl_swarm_send(nodes[0].swarm, place(0, 0), KL_SWARM_BFT, kl_span_of(frame, 8)));
    CHECK(!kl_swarm_send(nodes[0].swarm, 99, KL_SWARM_BFT, kl_span_of(frame, 8)));
    done();
}
