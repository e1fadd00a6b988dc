/* A few nets over loopback, with real threads. */
#include "node/net.h"

#include <stdatomic.h>
#include <time.h>

#include "base/sync.h"
#include "base/test.h"
#include "sys/env.h"

enum { NETS = 4, FRAMES = 300 };

struct end {
    struct kl_net_user user;
    struct kl_net *net;
    kl_secret32 identity;
    kl_peer_id id;
    u16 port;
    atomic_uint up;
    u64 heard[NETS]; /* the net's thread */
    atomic_ullong total;
};

static struct end ends[NETS];
static atomic_uint dropped; /* connections, for breaking a rule */

static void on_up(struct kl_net_user *user, KL_UNUSED u32 peer)
{
    atomic_fetch_add(&((struct end *)user)->up, 1);
}

static void on_down(struct kl_net_user *user, KL_UNUSED u32 peer)
{
    atomic_fetch_sub(&((struct end *)user)->up, 1);
}

static void on_frame(struct kl_net_user *user, u32 peer, kl_span frame)
{
    struct end *end = (struct end *)user;
    CHECK(frame.len >= 8);
    CHECK_U64(kl_load_be64(frame.p), ++end->heard[peer]);
    for (usize i = 8; i < frame.len; i++)
        CHECK(frame.p[i] == (u8)i);
    atomic_fetch_add(&end->total, 1);
}

static void on_dropped(KL_UNUSED struct kl_net_user *user, const kl_net_dropped *what)
{
    CHECK(what->why != KL_RULE_NONE);
    atomic_fetch_add(&dropped, what->why != KL_RULE_SWARM_HANDSHAKE); /* of a dial to who stops */
}

static usize where(KL_UNUSED struct kl_net_addresses *addresses, const kl_peer_id *id,
                   kl_multiaddr out[KL_NET_ADDRS_MAX])
{
    u32 i = 0;
    while (!kl_peer_id_eq(&ends[i].id, id))
        CHECK(++i < NETS);
    out[0] = (kl_multiaddr){
        .host = KL_HOST_IP4, .ip = {127, 0, 0, 1}, .has_port = true, .port = ends[i].port};
    return 1;
}

static void open_net(u32 i)
{
    static struct kl_net_addresses addresses = {.of = where};
    struct end *end = &ends[i];
    end->user = (struct kl_net_user){
        .up = on_up, .down = on_down, .frame = on_frame, .dropped = on_dropped};
    const kl_net_config config = {
        .identity = &end->identity,
        .host = "127.0.0.1",
        .port = end->port,
        .addresses = &addresses,
        .digest = "12345678",
        .frame_max = 1 << 20,
        .clock = kl_sys_clock(),
        .entropy = kl_sys_entropy(),
    };
    CHECK_OK(kl_net_open(&end->net, &config, &end->user));
}

static void start_net(u32 i)
{
    for (u32 j = 0; j < NETS; j++)
        if (j != i)
            kl_net_want(ends[i].net, &ends[j].id, KL_SWARM_VALIDATOR);
    CHECK_OK(kl_net_start(ends[i].net));
}

static void wait_until(bool (*done)(void))
{
    for (int i = 0; !done(); i++) {
        CHECK(i < 60000);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static bool all_up(void)
{
    for (u32 i = 0; i < NETS; i++)
        if (kl_net_up_count(ends[i].net) != NETS - 1)
            return false;
    return true;
}

static bool all_heard(void)
{
    for (u32 i = 0; i < NETS; i++)
        if (atomic_load(&ends[i].total) != (NETS - 1) * FRAMES)
            return false;
    return true;
}

static bool three_are_alone(void)
{
    for (u32 i = 1; i < NETS; i++)
        if (kl_net_up_count(ends[i].net) != NETS - 2)
            return false;
    return true;
}

KL_TEST(net_connects_carries_and_comes_back)
{
    static u8 frame[30000];
    memset(ends, 0, sizeof ends);
    atomic_store(&dropped, 0);
    for (u32 i = 0; i < NETS; i++) {
        kl_rand_fill(seed, ends[i].identity.b, 32);
        ends[i].id = kl_peer_id_of(&ends[i].identity);
        open_net(i);
        ends[i].port = kl_net_port(ends[i].net);
    }
    for (u32 i = 0; i < NETS; i++)
        start_net(i);
    wait_until(all_up);
    for (u64 n = 1; n <= FRAMES; n++)
        for (u32 i = 0; i < NETS; i++) {
            kl_store_be64(frame, n);
            for (usize k = 8; k < sizeof frame; k++)
                frame[k] = (u8)k;
            kl_net_send(ends[i].net, KL_NET_ALL, KL_SWARM_SYNC,
                        kl_span_of(frame, 8 + kl_rand_below(seed, sizeof frame - 8)));
        }
    wait_until(all_heard);
    CHECK_U64(atomic_load(&dropped), 0);
    kl_net_stop(ends[0].net);
    wait_until(three_are_alone); /* it has said goodbye, and its sockets are open */
    CHECK_U64(atomic_load(&dropped), 0);
    kl_net_close(ends[0].net);
    atomic_store(&ends[0].up, 0);
    open_net(0);
    start_net(0);
    wait_until(all_up);
    for (u32 i = 0; i < NETS; i++) {
        kl_net_stop(ends[i].net);
        kl_net_close(ends[i].net);
    }
}
