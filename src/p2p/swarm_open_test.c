/* A network that lets strangers in: its limits, hellos, identify, gossip. */
#include "p2p/swarm.h"

#include <stdlib.h>

#include "base/test.h"

#define MS UINT64_C(1000000)
#define S  (1000 * MS)

enum { NODES_MAX = KL_SWARM_PEERS_MAX + 8, PIPES_MAX = 2048, NOBODY = -1 };

struct node {
    struct kl_swarm_user user;
    struct kl_swarm *swarm;
    struct kl_gossip_user gossip_user;
    struct kl_gossip *gossip;
    kl_secret32 identity;
    kl_peer_id id;
    kl_multiaddr at;
    bool closed;  /* lets no strangers in */
    bool listens; /* but those who say its word */
    u32 introduced;
    bool deaf; /* takes no bytes */
    const char *greeting, *digest;
    kl_swarm_limits limits;
    u32 met, up, frames, identified;
    kl_rule why; /* of the newest close */
    kl_identify last;
    kl_multiaddr last_addr, observed;
    char agent[64];
    u32 numbers[KL_SWARM_PEERS_MAX]; /* in gossip, by place */
    kl_gossip_peer_info info;        /* of the newest there */
    u32 delivered;
};

struct pipe {
    bool open;
    u32 node[2], link[2];
    bool gone[2];
};

static struct node nodes[NODES_MAX];
static u32 node_count;
static struct pipe pipes[PIPES_MAX];
static u32 pipe_count;
static u32 target; /* of dials that name nobody */
static u64 now_ns, random_seed;
static const kl_gossip_topic topic = {.name = {(const u8 *)"tx", 2}};

static struct node *of(struct kl_swarm_user *user)
{
    return (struct node *)user;
}

static u32 number(const struct node *n)
{
    return (u32)(n - nodes);
}

static void fill(KL_UNUSED struct kl_entropy *entropy, void *out, usize len)
{
    kl_rand_fill(&random_seed, out, len);
}

static struct kl_entropy entropy = {fill};

/* --- the swarm's user --- */

static u32 who(const kl_peer_id *id)
{
    for (u32 i = 0; i < node_count; i++)
        if (kl_peer_id_eq(&nodes[i].id, id))
            return i;
    return NODES_MAX;
}

static void on_dial(struct kl_swarm_user *user, i32 peer, u32 link)
{
    struct node *n = of(user);
    u32 to = peer == KL_SWARM_NONE ? target : who(kl_swarm_id(n->swarm, (u32)peer));
    CHECK(pipe_count < PIPES_MAX);
    pipes[pipe_count++] =
        (struct pipe){.open = true, .node = {number(n), to}, .link = {link, UINT32_MAX}};
}

static void hang_up(u32 node, u32 link)
{
    for (u32 i = 0; i < pipe_count; i++)
        for (u32 end = 0; end < 2; end++)
            if (pipes[i].open && pipes[i].node[end] == node && pipes[i].link[end] == link)
                pipes[i].gone[end] = true;
}

static void on_close(struct kl_swarm_user *user, u32 link, kl_rule why)
{
    of(user)->why = why;
    hang_up(number(of(user)), link);
}

static void on_writable(KL_UNUSED struct kl_swarm_user *user, KL_UNUSED u32 link)
{
}

static void on_met(struct kl_swarm_user *user, KL_UNUSED u32 peer)
{
    of(user)->met++;
}

static void on_lost(struct kl_swarm_user *user, u32 peer)
{
    CHECK(of(user)->met-- > 0 && kl_swarm_id(of(user)->swarm, peer));
}

static void on_greet(struct kl_swarm_user *user, KL_UNUSED u32 peer, struct kl_buf *out)
{
    kl_buf_span(out, kl_span_str(of(user)->greeting));
}

static kl_rule on_hello(struct kl_swarm_user *user, KL_UNUSED u32 peer, kl_span hello)
{
    return kl_span_eq(hello, kl_span_str(of(user)->greeting)) ? KL_RULE_NONE
                                                              : KL_RULE_SWARM_NETWORK;
}

static kl_swarm_standing on_introduced(struct kl_swarm_user *user, const kl_peer_id *id,
                                       kl_span hello)
{
    struct node *n = of(user);
    n->introduced++;
    CHECK(who(id) < node_count && n->met == 0);
    return kl_span_eq(hello, kl_span_str(n->greeting)) ? KL_SWARM_VALIDATOR : KL_SWARM_STRANGER;
}

static void on_up(struct kl_swarm_user *user, KL_UNUSED u32 peer)
{
    of(user)->up++;
}

static void on_down(struct kl_swarm_user *user, KL_UNUSED u32 peer)
{
    CHECK(of(user)->up-- > 0);
}

static void on_frame(struct kl_swarm_user *user, KL_UNUSED u32 peer, KL_UNUSED kl_swarm_class class,
                     KL_UNUSED kl_span frame)
{
    of(user)->frames++;
}

static void on_identified(struct kl_swarm_user *user, KL_UNUSED u32 peer,
                          const kl_identify *identify)
{
    struct node *n = of(user);
    n->identified++;
    n->last = *identify;
    n->observed = identify->observed;
    n->last_addr = identify->addrs[0];
    memset(n->agent, 0, sizeof n->agent);
    memcpy(n->agent, identify->agent_version.p,
           KL_MIN(identify->agent_version.len, sizeof n->agent - 1));
}

static void on_gossips(struct kl_swarm_user *user, u32 peer, kl_gossip_version version)
{
    struct node *n = of(user);
    n->info = kl_swarm_gossip_info(n->swarm, peer, version);
    CHECK_U64(version, KL_GOSSIP_V12);
    CHECK_OK(kl_gossip_up(n->gossip, now_ns, &n->info, &n->numbers[peer]));
}

static void on_silent(struct kl_swarm_user *user, u32 peer)
{
    kl_gossip_down(of(user)->gossip, now_ns, of(user)->numbers[peer]);
}

static void on_rpc(struct kl_swarm_user *user, u32 peer, kl_span rpc)
{
    struct node *n = of(user);
    CHECK_RULE(kl_gossip_hear(n->gossip, now_ns, n->numbers[peer], rpc), KL_RULE_NONE);
}

static void on_gossip(struct kl_gossip_user *user, const kl_gossip_event *e)
{
    struct node *n = (struct node *)((char *)user - offsetof(struct node, gossip_user));
    if (e->kind == KL_GOSSIP_SEND)
        (void)kl_swarm_gossip(n->swarm, (u32)e->tag, e->bytes, e->keep);
    if (e->kind != KL_GOSSIP_DELIVER)
        return;
    n->delivered++;
    kl_gossip_verdict(n->gossip, now_ns, e->id, KL_GOSSIP_ACCEPT);
}

/* --- the world --- */

static void begin(u64 *seed)
{
    now_ns = 100 * S;
    node_count = pipe_count = 0;
    random_seed = kl_rand(seed);
    memset(nodes, 0, sizeof nodes);
}

/* A node at an IPv4 address; it is opened later, when the test has changed what it wants. */
static u32 add(u8 a, u8 b, u8 c, u8 d)
{
    struct node *n = &nodes[node_count];
    kl_rand_fill(&random_seed, n->identity.b, 32);
    n->id = kl_peer_id_of(&n->identity);
    n->at =
        (kl_multiaddr){.host = KL_HOST_IP4, .ip = {a, b, c, d}, .has_port = true, .port = 30300};
    n->greeting = "us";
    n->digest = "0011aabb";
    n->limits = kl_swarm_limits_usual();
    return node_count++;
}

static void open(u32 i, bool gossips)
{
    struct node *n = &nodes[i];
    kl_swarm_config config = {.identity = &n->identity,
                              .entropy = &entropy,
                              .agent = "keel/test",
                              .open = !n->closed,
                              .frame_max = {100000, 100000, 100000, 100000},
                              .limits = n->limits};
    memcpy(config.digest, n->digest, sizeof config.digest);
    n->user = (struct kl_swarm_user){.dial = on_dial,
                                     .close = on_close,
                                     .writable = on_writable,
                                     .met = on_met,
                                     .lost = on_lost,
                                     .greet = on_greet,
                                     .hello = on_hello,
                                     .up = on_up,
                                     .down = on_down,
                                     .frame = on_frame,
                                     .identified = on_identified};
    if (n->listens)
        n->user.introduced = on_introduced;
    if (gossips) {
        kl_gossip_config router = kl_gossip_config_usual();
        router.topics = &topic;
        router.topic_count = 1;
        router.seen_max = 100;
        n->gossip_user.event = on_gossip;
        n->user.gossips = on_gossips;
        n->user.silent = on_silent;
        n->user.rpc = on_rpc;
        CHECK_OK(kl_gossip_new(&n->gossip, &router, &n->gossip_user));
        kl_gossip_join(n->gossip, now_ns, 0);
    }
    CHECK_OK(kl_swarm_new(&n->swarm, &config, &n->user));
}

static void done(void)
{
    for (u32 i = 0; i < node_count; i++) {
        kl_swarm_free(nodes[i].swarm);
        kl_gossip_free(nodes[i].gossip);
    }
}

static void hang(struct pipe *p)
{
    p->open = false;
    for (u32 end = 0; end < 2; end++)
        if (!p->gone[end] && p->link[end] != UINT32_MAX)
            kl_swarm_closed(nodes[p->node[end]].swarm, p->link[end], now_ns);
}

static void answer(struct pipe *p)
{
    struct node *from = &nodes[p->node[0]], *to = &nodes[p->node[1]];
    kl_rule why;
    i32 link = kl_swarm_accepted(to->swarm, &from->at, now_ns, &why);
    if (link == KL_SWARM_NONE) {
        to->why = why;
        hang(p);
        return;
    }
    p->link[1] = (u32)link;
    kl_swarm_opened(from->swarm, p->link[0], &to->at, now_ns);
}

/* Carries what there is one way; false: nothing. */
static bool carry(struct pipe *p, u32 from)
{
    struct kl_buf buf;
    bool more;
    kl_buf_init(&buf, 1 << 24);
    if (!p->gone[from] && !nodes[p->node[1 - from]].deaf)
        kl_swarm_pull(nodes[p->node[from]].swarm, p->link[from], 20000, &buf, &more);
    bool any = buf.len > 0;
    if (any && p->open && !p->gone[1 - from])
        kl_swarm_feed(nodes[p->node[1 - from]].swarm, p->link[1 - from], kl_buf_view(&buf), now_ns);
    kl_buf_done(&buf);
    return any;
}

/* Until nobody has anything to say at this moment. */
static void settle(void)
{
    for (bool any = true; any;) {
        any = false;
        for (u32 i = 0; i < pipe_count; i++) {
            struct pipe *p = &pipes[i];
            if (p->open && p->link[1] == UINT32_MAX && !p->gone[0]) {
                answer(p);
                any = true;
            }
            for (u32 end = 0; end < 2 && p->open; end++)
                any |= carry(p, end);
            if (p->open && (p->gone[0] || p->gone[1]))
                hang(p);
        }
    }
}

static void run(u64 ms)
{
    for (u64 end_ns = now_ns + ms * MS; now_ns < end_ns; now_ns += 50 * MS) {
        for (u32 i = 0; i < node_count; i++)
            if (nodes[i].swarm && kl_swarm_due_ns(nodes[i].swarm) <= now_ns)
                kl_swarm_tick(nodes[i].swarm, now_ns);
        settle();
    }
}

/* True when the stranger is met afterwards, by both. */
static bool visit(u32 from, u32 to)
{
    target = to;
    (void)kl_swarm_dial(nodes[from].swarm, NULL, now_ns);
    settle();
    return kl_swarm_find(nodes[to].swarm, &nodes[from].id) != KL_SWARM_NONE &&
           kl_swarm_find(nodes[from].swarm, &nodes[to].id) != KL_SWARM_NONE;
}

static u32 stranger(u8 a, u8 b, u8 c, u8 d)
{
    u32 i = add(a, b, c, d);
    open(i, false);
    return i;
}

/* --- limits --- */

/* So many of one address, of one network, and in all; who is refused costs nobody a place. */
KL_TEST(swarm_limits_strangers)
{
    begin(seed);
    u32 us = add(9, 9, 9, 9);
    nodes[us].limits.per_ip = 2;
    nodes[us].limits.per_net = 3;
    nodes[us].limits.inbound = 5;
    open(us, false);
    CHECK(visit(stranger(1, 2, 3, 4), us));
    CHECK(visit(stranger(1, 2, 3, 4), us));
    CHECK(!visit(stranger(1, 2, 3, 4), us));
    CHECK_RULE(nodes[us].why, KL_RULE_SWARM_CROWD);
    CHECK(visit(stranger(1, 2, 3, 5), us));
    CHECK(!visit(stranger(1, 2, 3, 6), us));
    CHECK_RULE(nodes[us].why, KL_RULE_SWARM_CROWD);
    CHECK(visit(stranger(1, 2, 4, 4), us));
    CHECK(visit(stranger(1, 2, 5, 4), us));
    CHECK(!visit(stranger(1, 2, 6, 4), us));
    CHECK_RULE(nodes[us].why, KL_RULE_SWARM_FULL);
    kl_swarm_counts counts = kl_swarm_counts_of(nodes[us].swarm);
    CHECK(counts.met == 5 && counts.inbound == 5 && counts.up == 5 && counts.refused == 3);
    done();
}

/* With too little memory no more strangers come in, by whatever address; who is there stays, and
 * those we want and dial come in. */
KL_TEST(swarm_without_memory_lets_no_strangers_in)
{
    begin(seed);
    u32 us = add(9, 9, 9, 9), friend = add(8, 8, 8, 8), there = stranger(1, 2, 3, 4);
    open(us, false);
    open(friend, false);
    CHECK(visit(there, us));
    kl_swarm_set_sated(nodes[us].swarm, true);
    CHECK(kl_swarm_counts_of(nodes[us].swarm).sated);
    CHECK(!visit(stranger(127, 0, 0, 1), us));
    CHECK_RULE(nodes[us].why, KL_RULE_SWARM_MEMORY);
    u32 late = stranger(5, 2, 3, 4);
    CHECK(!visit(late, us));
    CHECK_RULE(nodes[us].why, KL_RULE_SWARM_MEMORY);
    CHECK(kl_swarm_find(nodes[us].swarm, &nodes[there].id) != KL_SWARM_NONE);
    /* One of the validators dials us. */
    CHECK(kl_swarm_want(nodes[us].swarm, &nodes[friend].id, KL_SWARM_VALIDATOR, now_ns) !=
          KL_SWARM_NONE);
    CHECK(visit(friend, us));
    CHECK_U64(nodes[us].up, 2);
    kl_swarm_set_sated(nodes[us].swarm, false);
    CHECK(visit(late, us)); /* it did nothing wrong */
    done();
}

/* From private addresses come as many as like to. */
KL_TEST(swarm_spares_the_own_site)
{
    begin(seed);
    u32 us = add(9, 9, 9, 9);
    open(us, false);
    for (u32 i = 0; i < 20; i++)
        CHECK(visit(stranger(127, 0, 0, 1), us));
    done();
}

/* Somebody who comes again and again is not even listened to; after a minute it may. */
KL_TEST(swarm_counts_knocks)
{
    begin(seed);
    u32 us = add(9, 9, 9, 9);
    nodes[us].limits.knocks = 4;
    nodes[us].limits.per_ip = 1;
    open(us, false);
    u32 first = stranger(1, 2, 3, 4);
    CHECK(visit(first, us));
    for (u32 i = 0; i < 3; i++) {
        CHECK(!visit(stranger(1, 2, 3, 4), us));
        CHECK_RULE(nodes[us].why, KL_RULE_SWARM_CROWD);
    }
    CHECK(!visit(stranger(1, 2, 3, 4), us));
    CHECK_RULE(nodes[us].why, KL_RULE_SWARM_KNOCKS);
    CHECK(visit(stranger(5, 2, 3, 4), us));
    now_ns += 61 * S;
    CHECK(!visit(stranger(1, 2, 3, 4), us));
    CHECK_RULE(nodes[us].why, KL_RULE_SWARM_CROWD);
    done();
}

/* Many nodes may share an address of our own site, and yet it is not without a bound. */
KL_TEST(swarm_counts_knocks_of_the_own_site)
{
    begin(seed);
    u32 us = add(9, 9, 9, 9);
    nodes[us].limits.knocks_site = 20;
    open(us, false);
    for (u32 i = 0; i < 20; i++)
        CHECK(visit(stranger(127, 0, 0, 1), us));
    CHECK(!visit(stranger(127, 0, 0, 1), us));
    CHECK_RULE(nodes[us].why, KL_RULE_SWARM_KNOCKS);
    CHECK(visit(stranger(10, 0, 0, 1), us));
    now_ns += 61 * S;
    CHECK(visit(stranger(127, 0, 0, 1), us));
    done();
}

/* Half-open connections: so many at once, each for so long. */
KL_TEST(swarm_limits_handshakes)
{
    begin(seed);
    u32 us = add(9, 9, 9, 9), slow = stranger(1, 2, 3, 4);
    nodes[us].limits.handshakes = 3;
    nodes[us].limits.handshake_ns = 5 * S;
    open(us, false);
    kl_rule why;
    for (u32 i = 0; i < 3; i++)
        CHECK(kl_swarm_accepted(nodes[us].swarm, &nodes[slow].at, now_ns, &why) != KL_SWARM_NONE);
    CHECK(kl_swarm_accepted(nodes[us].swarm, &nodes[slow].at, now_ns, &why) == KL_SWARM_NONE);
    CHECK_RULE(why, KL_RULE_SWARM_FULL);
    run(6000);
    CHECK_RULE(nodes[us].why, KL_RULE_SWARM_HANDSHAKE);
    CHECK(visit(stranger(1, 2, 3, 5), us));
    done();
}

/* A friend's place is kept free by nobody, and made when it is wanted: strangers go, those that
 * came last first; friends never. */
KL_TEST(swarm_evicts_strangers_only)
{
    begin(seed);
    u32 us = add(9, 9, 9, 9), friend = add(8, 8, 8, 8), last = 0;
    nodes[us].limits.inbound = KL_SWARM_PEERS_MAX;
    nodes[us].limits.handshakes = KL_SWARM_PEERS_MAX;
    open(us, false);
    open(friend, false);
    CHECK(kl_swarm_want(nodes[us].swarm, &nodes[friend].id, KL_SWARM_FRIEND, now_ns) !=
          KL_SWARM_NONE);
    run(500);
    CHECK_U64(nodes[us].up, 1);
    for (u32 i = 1; i < KL_SWARM_PEERS_MAX; i++) {
        last = stranger(10, 0, (u8)i, 1);
        CHECK(visit(last, us));
        now_ns += MS;
    }
    CHECK_U64(nodes[us].met, KL_SWARM_PEERS_MAX);
    CHECK(!visit(stranger(10, 0, 0, 9), us));
    CHECK_RULE(nodes[us].why, KL_RULE_SWARM_FULL);
    u32 more = add(8, 8, 8, 9);
    open(more, false);
    CHECK(kl_swarm_want(nodes[us].swarm, &nodes[more].id, KL_SWARM_VALIDATOR, now_ns) !=
          KL_SWARM_NONE);
    CHECK_RULE(nodes[us].why, KL_RULE_SWARM_EVICTED);
    CHECK(kl_swarm_find(nodes[us].swarm, &nodes[last].id) == KL_SWARM_NONE);
    CHECK(kl_swarm_find(nodes[us].swarm, &nodes[friend].id) != KL_SWARM_NONE);
    run(500);
    CHECK_U64(nodes[us].up, KL_SWARM_PEERS_MAX);
    CHECK_U64(
        kl_swarm_standing_of(nodes[us].swarm, (u32)kl_swarm_find(nodes[us].swarm, &nodes[more].id)),
        KL_SWARM_VALIDATOR);
    done();
}

/* Of a network that is closed only friends are in; who is a friend no more goes. */
KL_TEST(swarm_closed_is_for_friends)
{
    begin(seed);
    u32 us = add(9, 9, 9, 9), friend = stranger(1, 1, 1, 1);
    nodes[us].closed = true;
    open(us, false);
    CHECK(!visit(friend, us));
    CHECK_RULE(nodes[us].why, KL_RULE_SWARM_STRANGER);
    CHECK(kl_swarm_want(nodes[us].swarm, &nodes[friend].id, KL_SWARM_FRIEND, now_ns) !=
          KL_SWARM_NONE);
    run(500);
    CHECK_U64(nodes[us].up, 1);
    kl_swarm_unwant(nodes[us].swarm, &nodes[friend].id, now_ns);
    CHECK_RULE(nodes[us].why, KL_RULE_SWARM_STRANGER);
    settle();
    CHECK(nodes[us].met == 0 && nodes[friend].met == 0);
    CHECK(kl_swarm_find(nodes[us].swarm, &nodes[friend].id) == KL_SWARM_NONE);
    done();
}

/* Where somebody unknown may say why it is let in, it is, by that alone, as what the user says. */
KL_TEST(swarm_closed_lets_a_guest_in_by_its_hello)
{
    begin(seed);
    u32 us = add(9, 9, 9, 9), guest = add(1, 1, 1, 1), other = add(1, 1, 1, 2);
    nodes[us].closed = nodes[us].listens = true;
    nodes[other].greeting = "them";
    open(us, true);
    open(guest, true);
    open(other, true);
    CHECK(!visit(other, us));
    CHECK_RULE(nodes[us].why, KL_RULE_SWARM_STRANGER);
    CHECK(nodes[us].introduced == 1 && nodes[us].met == 0 && nodes[other].identified == 0);
    CHECK_U64(kl_swarm_counts_of(nodes[us].swarm).refused, 1);
    CHECK(visit(guest, us));
    run(500);
    i32 place = kl_swarm_find(nodes[us].swarm, &nodes[guest].id);
    CHECK(kl_swarm_standing_of(nodes[us].swarm, (u32)place) == KL_SWARM_VALIDATOR);
    CHECK(nodes[us].introduced == 2 && nodes[us].up == 1 && nodes[guest].up == 1);
    CHECK(nodes[guest].identified == 1 && nodes[us].identified == 1);
    CHECK_U64(kl_swarm_counts_of(nodes[us].swarm).gossiping, 1);
    CHECK(visit(guest, us)); /* it is known: its place is its own */
    CHECK(nodes[us].introduced == 2 && nodes[us].met == 1);
    done();
}

/* A guest has the time of a handshake, and takes the room of one. */
KL_TEST(swarm_guests_are_few_and_go)
{
    begin(seed);
    u32 us = add(9, 9, 9, 9);
    nodes[us].closed = nodes[us].listens = true;
    nodes[us].limits.handshakes = 2;
    nodes[us].limits.handshake_ns = 5 * S;
    open(us, false);
    for (u32 i = 0; i < 3; i++) {
        u32 guest = add(1, 1, 1, (u8)(i + 1));
        nodes[guest].digest = "ffffffff"; /* says no hello of ours */
        open(guest, false);
        target = us;
        (void)kl_swarm_dial(nodes[guest].swarm, NULL, now_ns);
        settle();
    }
    CHECK_RULE(nodes[us].why, KL_RULE_SWARM_FULL);
    CHECK(nodes[us].met == 0 && kl_swarm_counts_of(nodes[us].swarm).met == 0);
    run(6000);
    CHECK_RULE(nodes[us].why, KL_RULE_SWARM_STRANGER);
    CHECK_U64(kl_swarm_counts_of(nodes[us].swarm).refused, 3);
    CHECK_U64(nodes[us].introduced, 0);
    done();
}

/* A friend that cannot be reached is dialled again and again, 30 s apart at most. */
KL_TEST(swarm_dials_friends_forever)
{
    begin(seed);
    u32 us = add(9, 9, 9, 9), friend = add(1, 1, 1, 1);
    nodes[friend].closed = true; /* it does not want us */
    open(us, false);
    open(friend, false);
    (void)kl_swarm_want(nodes[us].swarm, &nodes[friend].id, KL_SWARM_FRIEND, now_ns);
    run(200000);
    u32 before = pipe_count;
    CHECK(before >= 10 && before < 30);
    run(31000);
    CHECK(pipe_count > before && pipe_count <= before + 2);
    (void)kl_swarm_want(nodes[friend].swarm, &nodes[us].id, KL_SWARM_FRIEND, now_ns);
    run(31000);
    CHECK(nodes[us].up == 1 && nodes[friend].up == 1);
    done();
}

/* --- hellos --- */

/* Who says another hello than ours is sent away before any of Keel's streams, and does not come
 * back at once; nobody hears a frame of it. */
KL_TEST(swarm_hello_refuses)
{
    begin(seed);
    u32 us = add(9, 9, 9, 9), other = add(1, 1, 1, 1), ours = stranger(2, 2, 2, 2);
    nodes[other].greeting = "somebody else";
    open(us, false);
    open(other, false);
    CHECK(!visit(other, us));
    CHECK(nodes[us].up == 0 && nodes[other].up == 0 && nodes[us].met == 0);
    CHECK(nodes[us].why == KL_RULE_SWARM_NETWORK || nodes[other].why == KL_RULE_SWARM_NETWORK);
    CHECK(visit(ours, us));
    CHECK_U64(nodes[us].up, 1);
    u8 frame[10] = {0};
    u32 place = (u32)kl_swarm_find(nodes[us].swarm, &nodes[ours].id);
    CHECK(kl_swarm_send(nodes[us].swarm, place, KL_SWARM_BFT, KL_SPAN_OF(frame)));
    settle();
    CHECK_U64(nodes[ours].frames, 1);
    done();
}

/* A node of another digest shares no protocol of Keel's: identify tells. */
KL_TEST(swarm_refuses_another_network)
{
    begin(seed);
    u32 us = add(9, 9, 9, 9), other = add(1, 1, 1, 1);
    nodes[other].digest = "ffffffff";
    open(us, false);
    open(other, false);
    (void)visit(other, us);
    run(500);
    CHECK(nodes[us].met == 0 && nodes[other].met == 0 && nodes[us].up == 0);
    CHECK(nodes[us].why == KL_RULE_SWARM_NETWORK || nodes[other].why == KL_RULE_SWARM_NETWORK);
    done();
}

/* A hello that came too late is nobody's fault: whoever is gone for that may be back at once. */
KL_TEST(swarm_bears_who_was_late)
{
    static const kl_rule late[] = {KL_RULE_SWARM_HELLO, KL_RULE_SWARM_HANDSHAKE,
                                   KL_RULE_SWARM_SILENT};
    begin(seed);
    u32 us = add(9, 9, 9, 9), other = stranger(1, 1, 1, 1);
    open(us, false);
    for (usize i = 0; i < KL_COUNT_OF(late); i++) {
        CHECK(visit(other, us));
        u32 place = (u32)kl_swarm_find(nodes[us].swarm, &nodes[other].id);
        kl_swarm_drop(nodes[us].swarm, place, late[i], now_ns);
        settle();
    }
    CHECK(visit(other, us));
    done();
}

/* Who broke a rule is shunned for a minute, at any address. */
KL_TEST(swarm_shuns_offenders)
{
    begin(seed);
    u32 us = add(9, 9, 9, 9), other = stranger(1, 1, 1, 1);
    open(us, false);
    CHECK(visit(other, us));
    u32 place = (u32)kl_swarm_find(nodes[us].swarm, &nodes[other].id);
    kl_swarm_drop(nodes[us].swarm, place, KL_RULE_GOSSIP_FORM, now_ns);
    settle();
    nodes[other].at.ip[0] = 77;
    CHECK(!visit(other, us));
    CHECK_RULE(nodes[us].why, KL_RULE_SWARM_SHUNNED);
    now_ns += 61 * S;
    CHECK(visit(other, us));
    done();
}

/* --- identify --- */

KL_TEST(swarm_identifies_and_pushes)
{
    begin(seed);
    u32 a = stranger(1, 2, 3, 4), b = stranger(5, 6, 7, 8);
    kl_multiaddr where = {.host = KL_HOST_IP4, .ip = {1, 2, 3, 4}, .has_port = true, .port = 4444};
    CHECK(visit(a, b));
    run(1000);
    CHECK(nodes[a].identified == 1 && nodes[b].identified == 1);
    CHECK(strcmp(nodes[a].agent, "keel/test") == 0);
    CHECK_U64(nodes[b].last.addr_count, 0);
    CHECK(kl_multiaddr_eq(&nodes[a].observed, &nodes[a].at)); /* as b sees a */
    CHECK(kl_peer_id_eq(&nodes[a].last.key, &nodes[b].id));
    kl_swarm_set_addrs(nodes[a].swarm, &where, 1, KL_SPAN_NONE);
    run(1000);
    CHECK_U64(nodes[b].identified, 2);
    CHECK(nodes[b].last.addr_count == 1 && kl_multiaddr_eq(&nodes[b].last_addr, &where));
    done();
}

/* An address that was found between a peer's question and its answer to ours is told, too. */
KL_TEST(swarm_pushes_what_changed_early)
{
    begin(seed);
    u32 a = stranger(1, 2, 3, 4), b = stranger(5, 6, 7, 8);
    kl_multiaddr where = {.host = KL_HOST_IP4, .ip = {1, 2, 3, 4}, .has_port = true, .port = 4444};
    CHECK(visit(a, b));
    CHECK(nodes[a].identified == 0);
    kl_swarm_set_addrs(nodes[a].swarm, &where, 1, KL_SPAN_NONE);
    run(1000);
    CHECK(nodes[b].last.addr_count == 1 && kl_multiaddr_eq(&nodes[b].last_addr, &where));
    done();
}

/* --- gossip --- */

/* Three in a line: what one end says reaches the other by way of the middle. */
KL_TEST(swarm_gossip_goes_through_the_middle)
{
    begin(seed);
    u32 line[3];
    for (u32 i = 0; i < 3; i++) {
        line[i] = add((u8)(i + 1), 1, 1, 1);
        open(line[i], true);
    }
    CHECK(visit(line[0], line[1]) && visit(line[1], line[2]));
    for (u32 s = 0; s < 3; s++) {
        run(1000);
        for (u32 i = 0; i < 3; i++)
            kl_gossip_beat(nodes[line[i]].gossip, now_ns);
        settle();
    }
    CHECK_U64(kl_swarm_counts_of(nodes[line[1]].swarm).gossiping, 2);
    static u8 message[20000];
    CHECK_OK(kl_gossip_publish(nodes[line[0]].gossip, now_ns, 0, KL_SPAN_OF(message)));
    settle();
    CHECK(nodes[line[1]].delivered == 1 && nodes[line[2]].delivered == 1);
    CHECK_U64(nodes[line[0]].delivered, 0);
    done();
}

/* Who shares an address of the world with many others counts less; our own site and validators are
 * spared. */
KL_TEST(swarm_gossip_tells_whose_address_counts)
{
    static const u8 none[16] = {0}, counted[16] = {[10] = 0xff, [11] = 0xff, 2, 2, 2, 2};
    begin(seed);
    u32 us = add(9, 9, 9, 9), world = add(2, 2, 2, 2), site = add(10, 0, 0, 1),
        validator = add(3, 3, 3, 3);
    for (u32 i = us; i <= validator; i++)
        open(i, true);
    for (u32 from = world; from <= validator; from++) {
        if (from == validator)
            CHECK(kl_swarm_want(nodes[us].swarm, &nodes[from].id, KL_SWARM_VALIDATOR, now_ns) !=
                  KL_SWARM_NONE);
        CHECK(visit(from, us));
        run(500);
        const kl_gossip_peer_info *info = &nodes[us].info;
        CHECK(kl_peer_id_eq(&info->id, &nodes[from].id));
        CHECK(info->direct == (from == validator) && !info->outbound);
        CHECK(memcmp(info->ip, from == world ? counted : none, 16) == 0);
        CHECK_U64(info->tag, (u64)kl_swarm_find(nodes[us].swarm, &nodes[from].id));
    }
    CHECK(nodes[site].info.outbound);
    done();
}

/* A peer that takes nothing loses what may be lost, and at last its connection; our memory for it
 * is bounded meanwhile. */
KL_TEST(swarm_gossip_bounds_who_takes_nothing)
{
    begin(seed);
    u32 a = add(1, 1, 1, 1), b = add(2, 2, 2, 2);
    open(a, true);
    open(b, true);
    CHECK(visit(a, b));
    run(500);
    u32 place = (u32)kl_swarm_find(nodes[a].swarm, &nodes[b].id), sent = 0;
    static u8 rpc[100000];
    nodes[b].deaf = true;
    while (kl_swarm_gossip(nodes[a].swarm, place, KL_SPAN_OF(rpc), false))
        CHECK(++sent < 100);
    CHECK_U64(nodes[a].up, 1);
    while (kl_swarm_gossip(nodes[a].swarm, place, KL_SPAN_OF(rpc), true))
        CHECK(++sent < 100);
    kl_swarm_tick(nodes[a].swarm, now_ns);
    CHECK_RULE(nodes[a].why, KL_RULE_SWARM_DEAF);
    CHECK_U64(nodes[a].met, 0);
    done();
}
