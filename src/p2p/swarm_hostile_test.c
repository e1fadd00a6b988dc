/* One swarm, and a peer that has shown who it is and then does as it likes: a bare connection
 * (conn.h) played by hand. */
#include "p2p/swarm.h"

#include "base/test.h"
#include "p2p/delimited.h"
#include "p2p/nuisance.h"
#include "p2p/ping.h"

#define MS UINT64_C(1000000)

enum { HELLO, BFT, PROPOSAL, TX, SYNC, PING, IDENTIFY, PUSH, GOSSIP, OF_NOBODY, NAMES };

static const char *const names[NAMES] = {"/keel/0011aabb/hello/1",
                                         "/keel/0011aabb/bft/1",
                                         "/keel/0011aabb/proposal/1",
                                         "/keel/0011aabb/tx/1",
                                         "/keel/0011aabb/sync/1",
                                         KL_PING_NAME,
                                         KL_IDENTIFY_NAME,
                                         KL_IDENTIFY_PUSH_NAME,
                                         KL_GOSSIP_NAME_V11,
                                         "/nobody/1"};

static struct {
    struct kl_swarm_user user;
    struct kl_swarm *swarm;
    i32 link;
    bool closed;
    kl_rule why;
    u32 met, up, frames, rpcs;

    struct kl_conn_user peer;
    struct kl_conn *conn;
    kl_secret32 identity;
    kl_span spans[NAMES];
    kl_conn_protocol protocols[NAMES];
    u32 refused, pings; /* refused: streams of ours */
    bool deaf, mean;    /* reads nothing; opens no window */
    usize owed;         /* what it has not opened */
    u32 owed_on;
    u64 now_ns, random;
} w;

static void fill(KL_UNUSED struct kl_entropy *entropy, void *out, usize len)
{
    kl_rand_fill(&w.random, out, len);
}

static struct kl_entropy entropy = {fill};

static void on_dial(KL_UNUSED struct kl_swarm_user *user, KL_UNUSED i32 peer, KL_UNUSED u32 link)
{
}

static void on_close(KL_UNUSED struct kl_swarm_user *user, u32 link, kl_rule why)
{
    CHECK(!w.closed && (i32)link == w.link);
    w.closed = true;
    w.why = why;
}

static void on_writable(KL_UNUSED struct kl_swarm_user *user, KL_UNUSED u32 link)
{
}

static void on_met(KL_UNUSED struct kl_swarm_user *user, KL_UNUSED u32 peer)
{
    w.met++;
}

static void on_up(KL_UNUSED struct kl_swarm_user *user, KL_UNUSED u32 peer)
{
    w.up++;
}

static void on_down(KL_UNUSED struct kl_swarm_user *user, KL_UNUSED u32 peer)
{
    w.up--;
}

static void on_frame(KL_UNUSED struct kl_swarm_user *user, KL_UNUSED u32 peer,
                     KL_UNUSED kl_swarm_class class, KL_UNUSED kl_span frame)
{
    w.frames++;
}

static void on_gossips(KL_UNUSED struct kl_swarm_user *user, KL_UNUSED u32 peer,
                       KL_UNUSED kl_gossip_version version)
{
}

static void on_rpc(KL_UNUSED struct kl_swarm_user *user, KL_UNUSED u32 peer, KL_UNUSED kl_span rpc)
{
    w.rpcs++;
}

/* The hostile one's side: counts, and answers nothing. */
static void on_conn(KL_UNUSED struct kl_conn_user *user, const kl_conn_event *e)
{
    if (e->kind == KL_CONN_NO_STREAM || e->kind == KL_CONN_RESET)
        w.refused++;
    if (e->kind != KL_CONN_DATA)
        return;
    w.pings += e->data.len == KL_PING_LEN;
    if (!w.mean)
        kl_conn_took(w.conn, e->stream, e->data.len);
    else if (e->data.len > 1000)
        w.owed += e->data.len, w.owed_on = e->stream;
}

static void settle(void)
{
    struct kl_buf buf;
    bool more, any = true;
    kl_rule broken;
    while (any && !w.closed) {
        any = false;
        kl_buf_init(&buf, 1 << 24);
        CHECK_OK(kl_conn_pull(w.conn, 1 << 20, &buf, &more));
        any |= buf.len > 0;
        if (buf.len)
            kl_swarm_feed(w.swarm, (u32)w.link, kl_buf_view(&buf), w.now_ns);
        kl_buf_clear(&buf);
        if (!w.closed && !w.deaf) {
            kl_swarm_pull(w.swarm, (u32)w.link, 1 << 20, &buf, &more);
            any |= buf.len > 0;
            CHECK_OK(kl_conn_feed(w.conn, kl_buf_view(&buf), &broken));
            CHECK_RULE(broken, KL_RULE_NONE);
        }
        kl_buf_done(&buf);
    }
}

static void begin(u64 *seed, usize held)
{
    memset(&w, 0, sizeof w);
    w.now_ns = 1000 * MS;
    w.random = kl_rand(seed);
    kl_secret32 own;
    kl_rand_fill(seed, own.b, sizeof own.b);
    kl_rand_fill(seed, w.identity.b, sizeof w.identity.b);
    kl_swarm_config config = {.identity = &own,
                              .entropy = &entropy,
                              .digest = "0011aabb",
                              .agent = "keel",
                              .open = true,
                              .frame_max = {1 << 22, 1 << 22, 1 << 22, 1 << 22},
                              .limits = kl_swarm_limits_usual()};
    config.limits.held = held ? held : config.limits.held;
    w.user = (struct kl_swarm_user){.dial = on_dial,
                                    .close = on_close,
                                    .writable = on_writable,
                                    .met = on_met,
                                    .up = on_up,
                                    .down = on_down,
                                    .frame = on_frame,
                                    .gossips = on_gossips,
                                    .rpc = on_rpc};
    CHECK_OK(kl_swarm_new(&w.swarm, &config, &w.user));
    for (usize i = 0; i < NAMES; i++)
        w.spans[i] = kl_span_str(names[i]);
    for (usize i = 0; i < NAMES - 1; i++)
        w.protocols[i] = (kl_conn_protocol){w.spans[i], KL_YAMUX_USUAL};
    kl_conn_config peer = {.dials = true,
                           .identity = &w.identity,
                           .protocols = w.protocols,
                           .protocol_count = NAMES - 1,
                           .peer_streams_max = 64,
                           .streams_max = 1024,
                           .window = KL_YAMUX_WINDOW,
                           .queue_max = 1 << 24};
    kl_rand_fill(seed, peer.static_key.b, 32);
    kl_rand_fill(seed, peer.ephemeral.b, 32);
    w.peer.event = on_conn;
    CHECK_OK(kl_conn_new(&w.conn, &peer, &w.peer));
    kl_multiaddr remote = {.host = KL_HOST_IP4, .ip = {1, 2, 3, 4}};
    kl_rule why;
    w.link = kl_swarm_accepted(w.swarm, &remote, w.now_ns, &why);
    CHECK(w.link != KL_SWARM_NONE);
    settle();
    CHECK_U64(w.met, 1);
}

static void end(void)
{
    kl_swarm_free(w.swarm);
    kl_conn_free(w.conn);
}

static u32 stream(usize name)
{
    u32 s;
    CHECK_OK(kl_conn_open_stream(w.conn, &w.spans[name], 1, KL_YAMUX_USUAL, &s));
    settle();
    return s;
}

static void say(u32 s, kl_span bytes)
{
    CHECK_OK(kl_conn_write(w.conn, s, bytes));
    settle();
}

static void wait_ms(u64 ms)
{
    for (u64 until_ns = w.now_ns + ms * MS; w.now_ns < until_ns && !w.closed;) {
        w.now_ns += 100 * MS;
        kl_swarm_tick(w.swarm, w.now_ns);
        settle();
    }
}

static void check_dropped(kl_rule why)
{
    CHECK(w.closed);
    CHECK_RULE(w.why, why);
    CHECK_U64(w.up, 0);
    end();
}

KL_TEST(swarm_hostile_streams_before_the_hello)
{
    begin(seed, 0);
    (void)stream(BFT);
    check_dropped(KL_RULE_SWARM_EARLY);
}

KL_TEST(swarm_hostile_hello_is_bounded)
{
    static const u8 head[4] = {0, 0, 8, 1};
    begin(seed, 0);
    say(stream(HELLO), KL_SPAN_OF(head));
    check_dropped(KL_RULE_SWARM_FRAME);
}

KL_TEST(swarm_hostile_hello_comes_once)
{
    static const u8 hello[4] = {0};
    begin(seed, 0);
    u32 s = stream(HELLO);
    say(s, KL_SPAN_OF(hello));
    CHECK(!w.closed);
    say(s, KL_SPAN_OF(hello));
    check_dropped(KL_RULE_SWARM_HELLO_TWICE);
    begin(seed, 0);
    say(stream(HELLO), KL_SPAN_OF(hello));
    (void)stream(HELLO);
    check_dropped(KL_RULE_SWARM_HELLO_TWICE);
}

/* A hello that is begun is finished in time, or it was none. */
KL_TEST(swarm_hostile_hello_at_a_snails_pace)
{
    static const u8 head[4] = {0, 0, 1, 0};
    begin(seed, 0);
    say(stream(HELLO), KL_SPAN_OF(head));
    CHECK(!w.closed);
    for (u32 i = 0; i < 20 && !w.closed; i++)
        wait_ms(1000);
    check_dropped(KL_RULE_SWARM_HELLO);
}

KL_TEST(swarm_hostile_frames_are_bounded)
{
    static const u8 hello[4] = {0}, head[4] = {0, 0x40, 0, 1};
    begin(seed, 0);
    say(stream(HELLO), KL_SPAN_OF(hello));
    say(stream(BFT), KL_SPAN_OF(head));
    check_dropped(KL_RULE_SWARM_FRAME);
}

/* Frames that are never finished take memory only as their bytes come, and all strangers together
 * have so much of it. */
KL_TEST(swarm_hostile_hoard)
{
    static const u8 hello[4] = {0}, head[4] = {0, 0x40, 0, 0};
    static u8 bytes[100000];
    begin(seed, 1 << 20);
    say(stream(HELLO), KL_SPAN_OF(hello));
    u32 s = stream(SYNC);
    say(s, KL_SPAN_OF(head));
    for (u32 i = 0; i < 10; i++)
        say(s, KL_SPAN_OF(bytes));
    CHECK(!w.closed);
    say(s, KL_SPAN_OF(bytes));
    check_dropped(KL_RULE_SWARM_HOARD);
}

/* Streams that agree on nothing: a few stay, and go with time; all others are reset at once. */
KL_TEST(swarm_hostile_streams_are_bounded)
{
    begin(seed, 0);
    for (u32 i = 0; i < 90; i++)
        (void)stream(OF_NOBODY);
    CHECK(!w.closed);
    CHECK_U64(w.refused, 90);
    wait_ms(4000);
    for (u32 i = 0; i < 90; i++)
        (void)stream(GOSSIP);
    CHECK(!w.closed); /* of gossip the newest counts */
    end();
}

/* --- nuisance --- */

KL_TEST(swarm_hostile_streams_without_end)
{
    u32 count = 0;
    begin(seed, 0);
    for (; !w.closed && count < 1000; count++)
        (void)stream(OF_NOBODY);
    CHECK(count > 100 && count < 250);
    check_dropped(KL_RULE_SWARM_NUISANCE);
}

KL_TEST(swarm_hostile_pings_without_end)
{
    static u8 bytes[64 * KL_PING_LEN];
    u32 count = 0;
    begin(seed, 0);
    for (; !w.closed && count < 10000; count++) {
        kl_conn_ping(w.conn, count);
        settle();
    }
    CHECK(count > 3900 && count < 4100);
    check_dropped(KL_RULE_SWARM_NUISANCE);
    begin(seed, 0);
    u32 s = stream(PING);
    for (count = 0; !w.closed && count < 1000; count++)
        say(s, KL_SPAN_OF(bytes));
    CHECK(count > 60 && count < 70);
    check_dropped(KL_RULE_SWARM_NUISANCE);
}

static void say_hello(void)
{
    static const u8 hello[4] = {0};
    say(stream(HELLO), KL_SPAN_OF(hello));
    CHECK_U64(w.up, 1);
}

/* Far more than any implementation does (docs/bounds.md), for minutes. */
KL_TEST(swarm_bears_a_busy_peer)
{
    static u8 bytes[KL_PING_LEN];
    static const u8 crumb[20];
    begin(seed, 0);
    say_hello();
    u32 s = stream(PING);
    for (u32 second = 0; second < 180 && !w.closed; second++) {
        for (u32 i = 0; i < 50; i++) {
            say(s, KL_SPAN_OF(bytes));
            say(s, KL_SPAN_OF(crumb));
            say(s, kl_span_of(bytes, KL_PING_LEN - sizeof crumb));
            kl_conn_ping(w.conn, i);
            settle();
        }
        for (u32 i = 0; i < 20; i++)
            kl_conn_end(w.conn, stream(IDENTIFY));
        wait_ms(1000);
    }
    CHECK(!w.closed);
    CHECK(w.pings >= 180 * 50);
    end();
}

/* What others count of a peer ends it too, and only then. */
KL_TEST(swarm_nuisance_is_told)
{
    begin(seed, 0);
    kl_swarm_nuisance(w.swarm, 0, KL_NUISANCE_MAX / 2, w.now_ns);
    wait_ms(100);
    CHECK(!w.closed);
    kl_swarm_nuisance(w.swarm, 0, KL_NUISANCE_MAX, w.now_ns);
    wait_ms(100);
    check_dropped(KL_RULE_SWARM_NUISANCE);
}

/* --- who takes nothing --- */

KL_TEST(swarm_hostile_deaf)
{
    begin(seed, 0);
    say_hello();
    wait_ms(20000);
    CHECK(!w.closed);
    w.deaf = true;
    u64 from_ns = w.now_ns;
    while (!w.closed && w.now_ns < from_ns + 60000 * MS) {
        kl_conn_ping(w.conn, 1); /* it is there, and speaks */
        wait_ms(100);
    }
    CHECK(w.now_ns - from_ns >= 10000 * MS && w.now_ns - from_ns <= 16000 * MS);
    check_dropped(KL_RULE_SWARM_DEAF);
}

static void fill_a_window(void)
{
    static u8 frame[100000];
    say_hello();
    for (u32 i = 0; i < 4; i++)
        CHECK(kl_swarm_send(w.swarm, 0, KL_SWARM_SYNC, KL_SPAN_OF(frame)));
}

KL_TEST(swarm_hostile_mean)
{
    begin(seed, 0);
    w.mean = true;
    fill_a_window();
    u64 from_ns = w.now_ns;
    wait_ms(90000);
    CHECK(w.now_ns - from_ns >= 30000 * MS && w.now_ns - from_ns <= 36000 * MS);
    check_dropped(KL_RULE_SWARM_DEAF);
}

/* Who reads a window in a while is slow, and not deaf. */
KL_TEST(swarm_bears_a_slow_reader)
{
    static u8 frame[100000];
    begin(seed, 0);
    w.mean = true;
    fill_a_window();
    for (u32 i = 0; i < 20 && !w.closed; i++) {
        wait_ms(28000);
        kl_conn_took(w.conn, w.owed_on, w.owed);
        w.owed = 0;
        settle();
        (void)kl_swarm_send(w.swarm, 0, KL_SWARM_SYNC, KL_SPAN_OF(frame));
    }
    CHECK_RULE(w.why, KL_RULE_NONE);
    CHECK(!w.closed);
    end();
}

KL_TEST(swarm_hostile_pings)
{
    static u8 bytes[KL_PING_LEN];
    begin(seed, 0);
    u32 first = stream(PING);
    for (u32 i = 0; i < 100; i++)
        (void)stream(PING);
    CHECK(!w.closed);
    CHECK_U64(w.refused, 99);
    say(first, KL_SPAN_OF(bytes));
    CHECK_U64(w.pings, 1);
    end();
}

/* Identify that is too long, malformed, or pushed without end. */
KL_TEST(swarm_hostile_identify)
{
    static u8 bytes[KL_IDENTIFY_MAX + 1];
    begin(seed, 0);
    say(stream(PUSH), KL_SPAN_OF(bytes));
    check_dropped(KL_RULE_IDENTIFY_LONG);
    begin(seed, 0);
    u32 s = stream(PUSH);
    say(s, KL_SPAN_TEXT("\x03\xff\xff\xff"));
    kl_conn_end(w.conn, s);
    settle();
    CHECK(w.closed && w.why != KL_RULE_NONE);
    end();
}

KL_TEST(swarm_hostile_identify_pushes_are_few)
{
    begin(seed, 0);
    for (u32 i = 0; i < 50; i++) {
        u32 s = stream(PUSH);
        if (!w.closed)
            kl_conn_end(w.conn, s);
        settle();
    }
    CHECK(!w.closed);
    CHECK(w.refused >= 40);
    wait_ms(11000);
    u32 before = w.refused;
    (void)stream(PUSH);
    CHECK_U64(w.refused, before);
    end();
}

/* A gossiper's RPC has a length that is looked at first. */
KL_TEST(swarm_hostile_gossip_is_bounded)
{
    begin(seed, 0);
    say(stream(GOSSIP), KL_SPAN_TEXT("\xff\xff\xff\xff\x0f"));
    CHECK(w.closed && w.why != KL_RULE_NONE && w.rpcs == 0);
    end();
}
