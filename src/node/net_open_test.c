/* Nets of an open network over loopback: doors, names, gossip, hellos. */
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "base/sync.h"
#include "base/test.h"
#include "node/net.h"
#include "sys/env.h"

enum { TX, OTHER, TOPICS, ENDS = 4, MESSAGE_LEN = 64 };

/* All fields but the first few are the lock's. */
struct end {
    struct kl_net_user user;
    struct kl_net_addresses addresses;
    struct kl_net *net;
    kl_secret32 identity;
    kl_peer_id id;
    const char *greeting;
    kl_multiaddr where[KL_NET_ADDRS_MAX];
    usize where_count;

    u32 up, met, delivered, false_delivered, good, bad, identified, records;
    kl_peer_id good_id;
    kl_rule dropped;
    struct kl_memory memory;
    u64 taken, memory_max;
};

/* A message that begins so is against the rules. */
enum { FALSE_BYTE = 0xff };

static struct end ends[ENDS];
static kl_mutex lock = KL_MUTEX_INIT;

static struct end *of(struct kl_net_user *user)
{
    return (struct end *)user;
}

static void add(u32 *what, u32 by)
{
    kl_lock(&lock);
    *what += by;
    kl_unlock(&lock);
}

static u32 get(const u32 *what)
{
    kl_lock(&lock);
    u32 value = *what;
    kl_unlock(&lock);
    return value;
}

static void on_up(struct kl_net_user *user, KL_UNUSED u32 peer)
{
    add(&of(user)->up, 1);
}

static void on_down(struct kl_net_user *user, KL_UNUSED u32 peer)
{
    add(&of(user)->up, (u32)-1);
}

static void on_frame(KL_UNUSED struct kl_net_user *user, KL_UNUSED u32 peer,
                     KL_UNUSED kl_span frame)
{
}

static void on_dropped(struct kl_net_user *user, const kl_net_dropped *dropped)
{
    kl_lock(&lock);
    of(user)->dropped = dropped->why;
    kl_unlock(&lock);
}

static void on_met(struct kl_net_user *user, KL_UNUSED u32 peer, KL_UNUSED const kl_peer_id *id,
                   const kl_multiaddr *remote, KL_UNUSED bool outbound)
{
    CHECK(remote->host == KL_HOST_IP4 && remote->ip[0] == 127 && remote->has_port);
    add(&of(user)->met, 1);
}

static void on_lost(struct kl_net_user *user, KL_UNUSED u32 peer, KL_UNUSED const kl_peer_id *id)
{
    add(&of(user)->met, (u32)-1);
}

static void on_greet(struct kl_net_user *user, KL_UNUSED u32 peer, struct kl_buf *out)
{
    kl_buf_span(out, kl_span_str(of(user)->greeting));
}

static kl_rule on_hello(struct kl_net_user *user, KL_UNUSED u32 peer,
                        KL_UNUSED const kl_peer_id *id, kl_span hello)
{
    return kl_span_eq(hello, kl_span_str(of(user)->greeting)) ? KL_RULE_NONE
                                                              : KL_RULE_SWARM_NETWORK;
}

static void on_identified(struct kl_net_user *user, KL_UNUSED u32 peer, const kl_peer_id *id,
                          const kl_identify *identify, const kl_peer_record *record)
{
    CHECK_SPAN(identify->agent_version, KL_SPAN_TEXT("keel"));
    add(&of(user)->identified, 1);
    CHECK((record != NULL) == (identify->record.len > 0));
    if (!record)
        return;
    CHECK(kl_peer_id_eq(&record->peer, id) && record->count == 1);
    add(&of(user)->records, 1);
}

static void on_deliver(struct kl_net_user *user, KL_UNUSED u32 peer, u32 topic,
                       const u8 id[KL_GOSSIP_ID_LEN], kl_span data)
{
    bool is_false = data.p[0] == FALSE_BYTE;
    CHECK(topic == TX && data.len == MESSAGE_LEN);
    add(is_false ? &of(user)->false_delivered : &of(user)->delivered, 1);
    kl_net_verdict(of(user)->net, id, is_false ? KL_GOSSIP_REJECT : KL_GOSSIP_ACCEPT);
}

/* --- addresses --- */

static struct end *of_addresses(struct kl_net_addresses *a)
{
    return (struct end *)((char *)a - offsetof(struct end, addresses));
}

static usize where_of(struct kl_net_addresses *a, KL_UNUSED const kl_peer_id *id,
                      kl_multiaddr out[KL_NET_ADDRS_MAX])
{
    struct end *end = of_addresses(a);
    memcpy(out, end->where, sizeof end->where);
    return end->where_count;
}

static void on_tried(struct kl_net_addresses *a, const kl_peer_id *id, const kl_multiaddr *addr,
                     bool good)
{
    struct end *end = of_addresses(a);
    CHECK(addr->has_port && (!good || id));
    kl_lock(&lock);
    end->good += good;
    end->bad += !good;
    if (good)
        end->good_id = *id;
    kl_unlock(&lock);
}

static u64 taken_of(struct kl_memory *memory)
{
    struct end *end = (struct end *)((char *)memory - offsetof(struct end, memory));
    kl_lock(&lock);
    u64 taken = end->taken;
    kl_unlock(&lock);
    return taken;
}

/* Names of the test: one is known from its third look-up on. */
static u32 asked;

static usize find(KL_UNUSED struct kl_names *names, const char *name,
                  KL_UNUSED kl_names_family family, kl_tcp_address *out, usize max)
{
    CHECK(max > 0 && strcmp(name, "node.test") == 0);
    add(&asked, 1);
    *out = (kl_tcp_address){.ip = {127, 0, 0, 1}};
    return get(&asked) >= 3;
}

static struct kl_names names = {find};

/* --- the world --- */

static void begin(u64 *seed)
{
    memset(ends, 0, sizeof ends);
    asked = 0;
    for (u32 i = 0; i < ENDS; i++) {
        kl_rand_fill(seed, ends[i].identity.b, 32);
        ends[i].id = kl_peer_id_of(&ends[i].identity);
        ends[i].greeting = "us";
    }
}

static void open(u32 i, bool lets_in)
{
    struct end *end = &ends[i];
    end->user = (struct kl_net_user){.up = on_up,
                                     .down = on_down,
                                     .frame = on_frame,
                                     .dropped = on_dropped,
                                     .met = on_met,
                                     .lost = on_lost,
                                     .greet = on_greet,
                                     .hello = on_hello,
                                     .identified = on_identified,
                                     .deliver = on_deliver};
    end->memory = (struct kl_memory){taken_of};
    end->addresses = (struct kl_net_addresses){.of = where_of, .tried = on_tried};
    const kl_net_config config = {
        .identity = &end->identity,
        .host = "127.0.0.1",
        .addresses = &end->addresses,
        .digest = "12345678",
        .open = lets_in,
        .frame_max = 1 << 20,
        .topics = {[TX] = "tx", [OTHER] = "other"},
        .topic_count = TOPICS,
        .memory_max = end->memory_max,
        .memory = &end->memory,
        .names = &names,
        .clock = kl_sys_clock(),
        .entropy = kl_sys_entropy(),
    };
    CHECK_OK(kl_net_open(&end->net, &config, &end->user));
    CHECK_OK(kl_net_start(end->net));
}

static void close_all(void)
{
    for (u32 i = 0; i < ENDS; i++) {
        if (ends[i].net)
            kl_net_stop(ends[i].net);
        kl_net_close(ends[i].net);
    }
}

static kl_multiaddr address(u32 i)
{
    return (kl_multiaddr){.host = KL_HOST_IP4,
                          .ip = {127, 0, 0, 1},
                          .has_port = true,
                          .port = kl_net_port(ends[i].net)};
}

static void wait_for(const u32 *what, u32 least)
{
    for (int i = 0; get(what) < least; i++) {
        CHECK(i < 60000);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

/* Until the last one that an end dropped broke that rule. */
static void wait_for_drop(u32 i, kl_rule rule)
{
    kl_rule why = KL_RULE_NONE;
    for (int n = 0; why != rule; n++) {
        CHECK(n < 60000);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        kl_lock(&lock);
        why = ends[i].dropped;
        kl_unlock(&lock);
    }
}

static void connect(u32 from, u32 to)
{
    kl_multiaddr addr = address(to);
    u32 before = get(&ends[to].up);
    kl_net_dial(ends[from].net, &addr);
    wait_for(&ends[to].up, before + 1);
}

/* --- tests --- */

/* Whoever is behind a door is met; it is seen, and its address was a good one. */
KL_TEST(net_open_lets_strangers_in)
{
    begin(seed);
    open(0, true);
    open(1, false);
    connect(1, 0);
    wait_for(&ends[1].up, 1);
    wait_for(&ends[1].good, 1);
    CHECK(kl_peer_id_eq(&ends[1].good_id, &ends[0].id));
    for (int i = 0; kl_net_counts(ends[0].net).inbound != 1; i++) {
        CHECK(i < 60000);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    CHECK_U64(kl_net_counts(ends[0].net).outbound, 0);
    wait_for(&ends[1].identified, 1);
    /* The other one is closed. */
    kl_multiaddr closed = address(1);
    open(2, true);
    kl_net_dial(ends[2].net, &closed);
    wait_for_drop(1, KL_RULE_SWARM_STRANGER);
    CHECK_U64(get(&ends[1].met), 1);
    close_all();
}

static void take(u32 i, u64 bytes, bool sated)
{
    kl_lock(&lock);
    ends[i].taken = bytes;
    kl_unlock(&lock);
    for (int n = 0; kl_net_counts(ends[i].net).sated != sated; n++) {
        CHECK(n < 60000);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

/* With four fifths of its memory taken a net lets no more strangers in; with less it does again. */
KL_TEST(net_open_bounds_memory)
{
    begin(seed);
    ends[0].memory_max = 1000;
    ends[0].taken = 799;
    open(0, true);
    open(1, false);
    open(2, false);
    connect(1, 0);
    take(0, 800, true);
    kl_multiaddr addr = address(0);
    kl_net_dial(ends[2].net, &addr);
    wait_for_drop(0, KL_RULE_SWARM_MEMORY);
    CHECK_U64(get(&ends[0].up), 1);
    take(0, 799, false);
    connect(2, 0);
    CHECK_U64(get(&ends[0].up), 2);
    close_all();
}

/* A message goes through the middle of three in a line, when the middle finds it good, and not when
 * it does not. */
KL_TEST(net_open_gossips_through_the_middle)
{
    begin(seed);
    for (u32 i = 0; i < 3; i++)
        open(i, true);
    connect(0, 1);
    connect(2, 1);
    u8 text[MESSAGE_LEN] = {0};
    for (u32 n = 0; get(&ends[2].delivered) == 0; n++) { /* until the meshes have formed */
        CHECK(n < 60000);
        kl_store_be32(text, n);
        kl_net_publish(ends[0].net, TX, KL_SPAN_OF(text));
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    text[0] = FALSE_BYTE;
    kl_net_publish(ends[0].net, TX, KL_SPAN_OF(text));
    wait_for(&ends[1].false_delivered, 1);
    text[0] = 1; /* what comes behind it goes on */
    u32 before = get(&ends[2].delivered);
    for (u32 n = 0; get(&ends[2].delivered) == before; n++) {
        CHECK(n < 60000);
        kl_store_be32(text + 4, n);
        kl_net_publish(ends[0].net, TX, KL_SPAN_OF(text));
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    CHECK_U64(get(&ends[2].false_delivered), 0);
    close_all();
}

/* Who says another hello is sent away, and its address was a bad one for that. */
KL_TEST(net_open_hello_refuses)
{
    begin(seed);
    open(0, true);
    ends[1].greeting = "them";
    open(1, true);
    kl_multiaddr addr = address(0);
    kl_net_dial(ends[1].net, &addr);
    for (int i = 0; i < 60000; i++) {
        kl_lock(&lock);
        bool over =
            ends[0].dropped == KL_RULE_SWARM_NETWORK || ends[1].dropped == KL_RULE_SWARM_NETWORK;
        kl_unlock(&lock);
        if (over)
            break;
        CHECK(i < 59999);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    CHECK(get(&ends[0].up) == 0 && get(&ends[1].up) == 0);
    close_all();
}

/* A friend's name is looked up anew at each dial, until it says where the friend is; of several
 * addresses each has its turn. */
KL_TEST(net_open_looks_names_up_at_each_dial)
{
    begin(seed);
    open(0, true);
    open(1, false);
    struct end *end = &ends[1];
    end->where[0] = (kl_multiaddr){.host = KL_HOST_DNS4,
                                   .name_len = 9,
                                   .name = "node.test",
                                   .has_port = true,
                                   .port = kl_net_port(ends[0].net)};
    end->where_count = 1;
    kl_net_want(end->net, &ends[0].id, KL_SWARM_FRIEND);
    wait_for(&end->up, 1);
    wait_for(&end->good, 1);
    CHECK(get(&asked) == 3 && get(&end->bad) == 2);

    open(2, false);
    end = &ends[2];
    int fd;
    CHECK_OK(kl_tcp_listen(&fd, "127.0.0.1", 0)); /* nobody listens there later */
    end->where[0] = address(0);
    end->where[0].port = kl_tcp_port(fd);
    kl_tcp_close(fd);
    end->where[1] = address(1); /* somebody else is there */
    end->where[2] = address(0);
    end->where_count = 3;
    kl_net_want(end->net, &ends[0].id, KL_SWARM_FRIEND);
    wait_for(&end->bad, 2);
    close_all();
}

/* What a node says of where it is reaches those whom it knows, signed. */
KL_TEST(net_open_tells_where_it_is)
{
    begin(seed);
    open(0, true);
    open(1, true);
    connect(1, 0);
    kl_multiaddr addr = address(1);
    kl_net_set_addrs(ends[1].net, &addr, 1);
    wait_for(&ends[0].records, 1);
    close_all();
}
