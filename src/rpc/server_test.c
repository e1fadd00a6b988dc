#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/test.h"
#include "rpc/fake_priv.h"
#include "rpc/server_priv.h"
#include "sys/env.h"
#include "sys/tcp.h"

static const u64 second = 1000000000;

static struct kl_rpc *start(kl_rpc_config *config)
{
    struct kl_rpc *rpc = NULL;
    if (!config->clock)
        config->clock = kl_sys_clock();
    CHECK_OK(kl_rpc_start_with(&rpc, config, kl_fake_methods));
    CHECK(kl_rpc_port(rpc) != 0);
    return rpc;
}

static struct kl_rpc *start_default(void)
{
    kl_rpc_config config = kl_fake_config();
    return start(&config);
}

static int dial(struct kl_rpc *rpc)
{
    int fd;
    CHECK_OK(kl_tcp_connect(&fd, "127.0.0.1", kl_rpc_port(rpc)));
    return fd;
}

static void wait_for(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    CHECK(poll(&p, 1, 20000) == 1);
}

static void put(int fd, kl_span bytes)
{
    while (bytes.len) {
        usize n = 0;
        kl_status status = kl_tcp_write(fd, bytes, &n);
        if (status == KL_AGAIN) {
            wait_for(fd, POLLOUT);
            continue;
        }
        CHECK_OK(status);
        bytes = kl_span_sub(bytes, n, bytes.len);
    }
}

/* Reads len bytes, or up to the end of the stream; returns how many. */
static usize get(int fd, void *out, usize len)
{
    usize got = 0;
    while (got < len) {
        usize n = 0;
        kl_status status = kl_tcp_read(fd, (u8 *)out + got, len - got, &n);
        if (status == KL_AGAIN) {
            wait_for(fd, POLLIN);
            continue;
        }
        if (status != KL_OK || n == 0)
            break;
        got += n;
    }
    return got;
}

static bool ended(int fd)
{
    u8 byte;
    return get(fd, &byte, 1) == 0;
}

#define REQUEST(method, params) \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" method "\",\"params\":" params "}"
#define RESULT(text) "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":" text "}"

static void post(int fd, const char *json)
{
    char head[128];
    int n = snprintf(head, sizeof head, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
                     strlen(json));
    put(fd, kl_span_of(head, (usize)n));
    put(fd, kl_span_str(json));
}

/* Reads an answer's head and checks its body. */
static void expect(int fd, const char *body)
{
    char head[1024], got[2048];
    usize len = 0;
    while (len < 4 || memcmp(head + len - 4, "\r\n\r\n", 4) != 0) {
        CHECK(len < sizeof head - 1);
        if (get(fd, head + len, 1) != 1)
            kl_test_fail(__FILE__, __LINE__, "the stream ended after %.*s", (int)len, head);
        len++;
    }
    head[len] = 0;
    const char *length = strstr(head, "Content-Length: ");
    CHECK(length);
    usize body_len = strtoul(length + 16, NULL, 10);
    CHECK(body_len <= sizeof got);
    CHECK_U64(get(fd, got, body_len), body_len);
    CHECK_SPAN(kl_span_of(got, body_len), kl_span_str(body));
}

static void ask(int fd, const char *json, const char *want)
{
    post(fd, json);
    expect(fd, want);
}

static kl_rpc_stats stats_of(struct kl_rpc *rpc)
{
    kl_rpc_stats stats;
    kl_rpc_stats_of(rpc, &stats);
    return stats;
}

static void until_connections(struct kl_rpc *rpc, usize count)
{
    while (stats_of(rpc).connections != count)
        usleep(500);
}

KL_TEST(server_answers_on_one_connection_and_on_many)
{
    struct kl_rpc *rpc = start_default();
    int fd[20];
    for (usize i = 0; i < KL_COUNT_OF(fd); i++)
        fd[i] = dial(rpc);
    for (int round = 0; round < 3; round++)
        for (usize i = 0; i < KL_COUNT_OF(fd); i++)
            ask(fd[i], REQUEST("fake_add", "[\"0x2\",\"0x3\"]"), RESULT("\"0x5\""));
    CHECK_U64(stats_of(rpc).connections, KL_COUNT_OF(fd));
    CHECK_U64(stats_of(rpc).requests, 3 * KL_COUNT_OF(fd));
    CHECK_U64(stats_of(rpc).buffer_bytes, 0);
    for (usize i = 0; i < KL_COUNT_OF(fd); i++)
        kl_tcp_close(fd[i]);
    until_connections(rpc, 0);
    kl_rpc_stop(rpc, second);
}

KL_TEST(server_port_taken)
{
    struct kl_rpc *rpc = start_default(), *other = NULL;
    kl_rpc_config config = kl_fake_config();
    config.clock = kl_sys_clock();
    config.port = kl_rpc_port(rpc);
    CHECK(kl_rpc_start_with(&other, &config, kl_fake_methods) == KL_BUSY);
    config.host = "no.address";
    CHECK(kl_rpc_start_with(&other, &config, kl_fake_methods) == KL_NOTFOUND);
    CHECK(!other);
    kl_rpc_stop(rpc, second);
}

KL_TEST(server_pipelined_requests_are_answered_in_order)
{
    struct kl_rpc *rpc = start_default();
    int fd = dial(rpc);
    for (int i = 0; i < 50; i++) {
        char json[128];
        snprintf(json, sizeof json, REQUEST("fake_add", "[\"0x%x\"]"), i);
        post(fd, json);
    }
    for (int i = 0; i < 50; i++) {
        char want[128];
        snprintf(want, sizeof want, RESULT("\"0x%x\""), i + 1);
        expect(fd, want);
    }
    kl_tcp_close(fd);
    kl_rpc_stop(rpc, second);
}

KL_TEST(server_shows_a_person_what_it_is)
{
    struct kl_rpc *rpc = start_default();
    int fd = dial(rpc);
    put(fd, KL_SPAN_TEXT("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    expect(fd,
           "Keel/test\n\nJSON-RPC: POST to any path of this address, or open a WebSocket to it.\n");
    put(fd, KL_SPAN_TEXT("BROKEN\r\n\r\n"));
    expect(fd, "400 Bad Request: http: malformed request line\n");
    CHECK(ended(fd));
    kl_tcp_close(fd);
    kl_rpc_stop(rpc, second);
}

/* A body and an answer much larger than a socket takes at once. */
KL_TEST(server_large_requests_and_answers)
{
    enum { LEN = 3000000 };
    static char sent[LEN + 200], got[LEN + 200];
    kl_rpc_config config = kl_fake_config();
    config.limits.body_bytes = config.limits.response_bytes = LEN + 200;
    struct kl_rpc *rpc = start(&config);
    int n = snprintf(sent, sizeof sent,
                     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"fake_echo\",\"params\":[\"");
    memset(sent + n, 'x', LEN);
    memcpy(sent + n + LEN, "\"]}", 4);
    for (int round = 0; round < 2; round++) {
        int fd = dial(rpc);
        char head[200];
        post(fd, sent);
        usize start_len = strlen(RESULT("")) - 1; /* without the brace at the end */
        usize head_len = 0;
        while (head_len < 4 || memcmp(head + head_len - 4, "\r\n\r\n", 4) != 0) {
            CHECK(head_len < sizeof head);
            CHECK_U64(get(fd, head + head_len++, 1), 1);
        }
        CHECK_U64(get(fd, got, start_len + LEN + 3), start_len + LEN + 3);
        CHECK(memcmp(got + start_len + 1, sent + n, LEN) == 0);
        kl_tcp_close(fd);
    }
    CHECK(stats_of(rpc).buffer_peak_bytes <= 4 * LEN);
    until_connections(rpc, 0);
    CHECK_U64(stats_of(rpc).buffer_bytes, 0);
    kl_rpc_stop(rpc, second);
}

/* One lane, and a call in it that does not end: the other clients are served all the same, even
 * when more calls hang. */
KL_TEST(server_long_calls_hold_nobody_up)
{
    struct kl_rpc *rpc = start_default();
    atomic_store(&kl_fake_go, false);
    int slow[5], quick = dial(rpc);
    for (usize i = 0; i < KL_COUNT_OF(slow); i++) {
        slow[i] = dial(rpc);
        post(slow[i], REQUEST("fake_wait", "[]"));
        while (atomic_load(&kl_fake_waiting) != i + 1)
            usleep(500);
        ask(quick, REQUEST("fake_add", "[\"0x1\"]"), RESULT("\"0x2\""));
    }
    /* what a client sends behind its slow call waits for it */
    post(slow[0], REQUEST("fake_add", "[\"0x7\"]"));
    ask(quick, REQUEST("fake_add", "[\"0x1\"]"), RESULT("\"0x2\""));
    CHECK(stats_of(rpc).taken_over >= KL_COUNT_OF(slow));
    CHECK(stats_of(rpc).threads > 2);
    atomic_store(&kl_fake_go, true);
    for (usize i = 0; i < KL_COUNT_OF(slow); i++)
        expect(slow[i], RESULT("\"gone\""));
    expect(slow[0], RESULT("\"0x8\""));
    ask(slow[1], REQUEST("fake_add", "[\"0x1\"]"), RESULT("\"0x2\""));
    for (usize i = 0; i < KL_COUNT_OF(slow); i++)
        kl_tcp_close(slow[i]);
    kl_tcp_close(quick);
    until_connections(rpc, 0);
    kl_rpc_stop(rpc, second);
}

/* More long calls than there are threads: they are waited for, and then everything goes on. */
KL_TEST(server_recovers_when_all_threads_are_busy)
{
    enum { SLOW = KL_RPC_SPARES_MAX + 5 };
    struct kl_rpc *rpc = start_default();
    atomic_store(&kl_fake_go, false);
    int fd[SLOW];
    for (usize i = 0; i < SLOW; i++) {
        fd[i] = dial(rpc);
        post(fd[i], REQUEST("fake_wait", "[]"));
    }
    while (atomic_load(&kl_fake_waiting) < KL_RPC_SPARES_MAX + 1)
        usleep(500);
    CHECK_U64(stats_of(rpc).threads, KL_RPC_SPARES_MAX + 1);
    atomic_store(&kl_fake_go, true);
    for (usize i = 0; i < SLOW; i++) {
        expect(fd[i], RESULT("\"gone\""));
        kl_tcp_close(fd[i]);
    }
    kl_rpc_stop(rpc, second);
}

KL_TEST(server_calls_end_in_time_or_with_their_client)
{
    kl_rpc_config config = kl_fake_config();
    config.limits.call_timeout_ns = 20000000;
    struct kl_rpc *rpc = start(&config);
    int fd = dial(rpc);
    ask(fd, REQUEST("fake_until_expired", "[]"),
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32000,"
        "\"message\":\"execution aborted (timeout = 0.02s)\"}}");
    kl_rpc_stop(rpc, second);
    kl_tcp_close(fd);

    config.limits.call_timeout_ns = 3600 * second;
    rpc = start(&config);
    fd = dial(rpc);
    post(fd, REQUEST("fake_until_expired", "[]"));
    while (atomic_load(&kl_fake_waiting) == 0)
        usleep(500);
    struct linger hard = {.l_onoff = 1}; /* closes with a reset, as a killed process may */
    CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard) == 0);
    kl_tcp_close(fd);
    while (atomic_load(&kl_fake_waiting) != 0)
        usleep(500);
    until_connections(rpc, 0);
    kl_rpc_stop(rpc, second);
}

KL_TEST(server_too_many_connections)
{
    kl_rpc_config config = kl_fake_config();
    config.limits.connection_max = 3;
    struct kl_rpc *rpc = start(&config);
    int fd[3];
    for (usize i = 0; i < KL_COUNT_OF(fd); i++) {
        fd[i] = dial(rpc);
        ask(fd[i], REQUEST("fake_add", "[\"0x1\"]"), RESULT("\"0x2\""));
    }
    int more = dial(rpc);
    expect(more, "too many connections\n");
    CHECK(ended(more));
    kl_tcp_close(more);
    CHECK_U64(stats_of(rpc).refused, 1);
    kl_tcp_close(fd[0]);
    until_connections(rpc, 2);
    more = dial(rpc);
    ask(more, REQUEST("fake_add", "[\"0x1\"]"), RESULT("\"0x2\""));
    kl_tcp_close(more);
    kl_tcp_close(fd[1]);
    kl_tcp_close(fd[2]);
    kl_rpc_stop(rpc, second);
}

/* A clock that moves when the test says so, under a server with real sockets. */
struct set_clock {
    struct kl_clock clock;
    _Atomic u64 ns;
};

static u64 set_now(struct kl_clock *clock)
{
    return atomic_load(&((struct set_clock *)clock)->ns);
}

KL_TEST(server_thousand_slow_connections_hold_little)
{
    enum { CLIENTS = 1000 };
    static int fd[CLIENTS];
    struct set_clock clock = {.clock = {set_now, set_now}, .ns = second};
    kl_rpc_config config = kl_fake_config();
    config.clock = &clock.clock;
    config.limits.connection_max = CLIENTS + 1;
    if (kl_tcp_room() < 2 * CLIENTS + 400)
        kl_test_skip("this process may not have 2,400 descriptors");
    struct kl_rpc *rpc = start(&config);
    for (usize i = 0; i < CLIENTS; i++) {
        fd[i] = dial(rpc);
        put(fd[i], KL_SPAN_TEXT("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\nX: "));
    }
    while (stats_of(rpc).buffer_bytes < CLIENTS * 1024)
        usleep(500);
    CHECK_U64(stats_of(rpc).buffer_bytes, CLIENTS * 1024);
    int quick = dial(rpc);
    ask(quick, REQUEST("fake_add", "[\"0x1\"]"), RESULT("\"0x2\""));
    atomic_fetch_add(&clock.ns, 31 * second); /* a header's time is over for all of them */
    for (usize i = 0; i < CLIENTS; i++)
        kl_loop_wake(rpc->lanes[0].loop);
    expect(fd[0], "408 Request Timeout: the request took too long to arrive\n");
    while (stats_of(rpc).buffer_bytes > 0)
        usleep(500);
    atomic_fetch_add(&clock.ns, 3 * second);
    kl_loop_wake(rpc->lanes[0].loop);
    until_connections(rpc, 1);
    ask(quick, REQUEST("fake_add", "[\"0x1\"]"), RESULT("\"0x2\""));
    for (usize i = 0; i < CLIENTS; i++)
        kl_tcp_close(fd[i]);
    kl_tcp_close(quick);
    kl_rpc_stop(rpc, 0);
}

KL_TEST(server_stops_in_the_middle_of_things)
{
    for (int grace = 0; grace < 2; grace++) {
        kl_rpc_config config = kl_fake_config();
        config.threads = 2;
        config.limits.call_timeout_ns = 3600 * second;
        struct kl_rpc *rpc = start(&config);
        int idle = dial(rpc), half = dial(rpc), slow = dial(rpc);
        ask(idle, REQUEST("fake_add", "[\"0x1\"]"), RESULT("\"0x2\""));
        put(half, KL_SPAN_TEXT("POST / HTTP/1.1\r\n"));
        post(slow, REQUEST("fake_until_expired", "[]"));
        while (atomic_load(&kl_fake_waiting) == 0)
            usleep(500);
        kl_rpc_stop(rpc, (u64)grace * 50000000);
        CHECK(ended(idle));
        kl_tcp_close(idle);
        kl_tcp_close(half);
        kl_tcp_close(slow);
    }
}

/* WebSocket. */

static int dial_socket(struct kl_rpc *rpc)
{
    static const char upgrade[] = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
                                  "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    char head[512];
    int fd = dial(rpc);
    put(fd, kl_span_of(upgrade, sizeof upgrade - 1));
    usize len = 0;
    while (len < 4 || memcmp(head + len - 4, "\r\n\r\n", 4) != 0)
        CHECK_U64(get(fd, head + len++, 1), 1);
    CHECK(memcmp(head, "HTTP/1.1 101 ", 13) == 0);
    return fd;
}

static void put_frame(int fd, const char *json)
{
    u8 frame[1024] = {0x81};
    usize len = strlen(json), n = len < 126 ? 2 : 4;
    frame[1] = (u8)(0x80 | (len < 126 ? len : 126));
    if (n == 4)
        kl_store_be16(frame + 2, (u16)len);
    memset(frame + n, 0, 4);
    memcpy(frame + n + 4, json, len);
    put(fd, kl_span_of(frame, n + 4 + len));
}

static usize get_frame(int fd, char *out, usize size)
{
    u8 head[4];
    CHECK_U64(get(fd, head, 2), 2);
    CHECK(head[0] == 0x81);
    usize len = head[1];
    if (len == 126) {
        CHECK_U64(get(fd, head + 2, 2), 2);
        len = kl_load_be16(head + 2);
    }
    CHECK(len < size);
    CHECK_U64(get(fd, out, len), len);
    out[len] = 0;
    return len;
}

static void expect_frame(int fd, const char *want)
{
    char got[1024];
    usize len = get_frame(fd, got, sizeof got);
    CHECK_SPAN(kl_span_of(got, len), kl_span_str(want));
}

/* Subscribes, and returns the subscription's id. */
static void subscribe(int fd, const char *topic, char id[40])
{
    char json[128], got[256], want[128];
    snprintf(json, sizeof json, REQUEST("fake_subscribe", "[\"%s\"]"), topic);
    put_frame(fd, json);
    (void)get_frame(fd, got, sizeof got);
    const char *at = strstr(got, "\"0x");
    CHECK(at && strlen(at) == 36 + 1);
    memcpy(id, at + 1, 34);
    id[34] = 0;
    snprintf(want, sizeof want, RESULT("\"%s\""), id);
    CHECK_SPAN(kl_span_str(got), kl_span_str(want));
}

static void expect_notice(int fd, const char *id, const char *result)
{
    char want[256];
    snprintf(
        want, sizeof want,
        "{\"jsonrpc\":\"2.0\",\"method\":\"eth_subscription\",\"params\":{\"subscription\":\"%s\","
        "\"result\":%s}}",
        id, result);
    expect_frame(fd, want);
}

static void new_tip(struct kl_rpc *rpc, u64 number)
{
    struct kl_tip tip = {.step = KL_STEP_BLOCK, .version = number, .header.number = number};
    kl_rpc_notify_tip(rpc, &tip);
}

static void new_pending(struct kl_rpc *rpc, u8 last)
{
    kl_tx tx = {.hash.b[31] = last};
    kl_rpc_notify_pending(rpc, &tx);
}

#define ZEROS "000000000000000000000000000000000000000000000000000000000000"

KL_TEST(server_websocket_calls_and_news)
{
    struct kl_rpc *rpc = start_default();
    int a = dial_socket(rpc), b = dial_socket(rpc), http = dial(rpc);
    char blocks[40], hashes[40], others[40];
    new_tip(rpc, 1); /* before anybody subscribed */
    new_pending(rpc, 1);
    subscribe(a, "numbers", blocks);
    subscribe(a, "hashes", hashes);
    subscribe(b, "numbers", others);
    put_frame(a, REQUEST("fake_add", "[\"0x1\"]"));
    expect_frame(a, RESULT("\"0x2\""));
    new_tip(rpc, 2);
    expect_notice(a, blocks, "\"0x2\"");
    expect_notice(a, blocks, "\"0x2\"");
    expect_notice(b, others, "\"0x2\"");
    expect_notice(b, others, "\"0x2\"");
    new_pending(rpc, 0xab);
    expect_notice(a, hashes, "\"0x" ZEROS "00ab\"");

    char json[128];
    snprintf(json, sizeof json, REQUEST("fake_unsubscribe", "[\"%s\"]"), blocks);
    put_frame(a, json);
    expect_frame(a, RESULT("true"));
    put_frame(a, json);
    expect_frame(a, RESULT("false"));
    snprintf(json, sizeof json, REQUEST("fake_unsubscribe", "[\"%s\"]"), others);
    put_frame(a, json); /* another client's */
    expect_frame(a, RESULT("false"));
    new_tip(rpc, 3);
    new_pending(rpc, 0xcd);
    expect_notice(a, hashes, "\"0x" ZEROS "00cd\"");
    expect_notice(b, others, "\"0x3\"");

    ask(http, REQUEST("fake_subscribe", "[\"numbers\"]"),
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601,"
        "\"message\":\"notifications not supported\"}}");
    kl_tcp_close(a);
    kl_tcp_close(b);
    kl_tcp_close(http);
    until_connections(rpc, 0);
    kl_rpc_stop(rpc, second);
}

KL_TEST(server_websocket_subscriptions_are_bounded_and_can_fail)
{
    struct kl_rpc *rpc = start_default();
    int fd = dial_socket(rpc);
    char id[40];
    put_frame(fd, REQUEST("fake_subscribe", "[\"closed\"]"));
    expect_frame(
        fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":\"closed\"}}");
    for (int i = 0; i < 3; i++)
        subscribe(fd, "numbers", id);
    put_frame(fd, REQUEST("fake_subscribe", "[\"numbers\"]"));
    expect_frame(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32005,"
                     "\"message\":\"too many subscriptions\"}}");
    kl_tcp_close(fd);
    fd = dial_socket(rpc);
    subscribe(fd, "broken", id);
    new_tip(rpc, 1);
    CHECK(ended(fd));
    kl_tcp_close(fd);
    until_connections(rpc, 0);
    kl_rpc_stop(rpc, second);
}

/* A client that does not read its news is dropped, whatever the kernel still takes for it. */
KL_TEST(server_websocket_that_does_not_read_is_dropped)
{
    struct kl_rpc *rpc = start_default();
    int fd = dial_socket(rpc), other = dial_socket(rpc);
    char id[40], id2[40];
    subscribe(fd, "numbers", id);
    u64 number = 0;
    while (stats_of(rpc).connections == 2)
        new_tip(rpc, ++number);
    CHECK(stats_of(rpc).buffer_peak_bytes <= 64 << 10);
    subscribe(other, "numbers", id2);
    new_tip(rpc, 7);
    expect_notice(other, id2, "\"0x7\"");
    kl_tcp_close(fd);
    kl_tcp_close(other);
    kl_rpc_stop(rpc, second);
}

/* News that comes while the client's call is in work on another thread is told after the answer. */
KL_TEST(server_websocket_news_comes_after_the_answer)
{
    struct kl_rpc *rpc = start_default();
    int fd = dial_socket(rpc), other = dial(rpc);
    char id[40];
    subscribe(fd, "numbers", id);
    atomic_store(&kl_fake_go, false);
    put_frame(fd, REQUEST("fake_wait", "[]"));
    while (atomic_load(&kl_fake_waiting) == 0)
        usleep(500);
    ask(other, REQUEST("fake_add", "[\"0x1\"]"), RESULT("\"0x2\"")); /* the lane has been taken */
    new_tip(rpc, 5);
    ask(other, REQUEST("fake_add", "[\"0x1\"]"), RESULT("\"0x2\""));
    atomic_store(&kl_fake_go, true);
    expect_frame(fd, RESULT("\"gone\""));
    expect_notice(fd, id, "\"0x5\"");
    kl_tcp_close(fd);
    kl_tcp_close(other);
    kl_rpc_stop(rpc, second);
}

/* Many clients at once on several lanes, with calls of every kind, news and hang-ups. */
struct client {
    struct kl_rpc *rpc;
    kl_thread thread;
    u64 seed;
    _Atomic bool failed;
};

static void *client_main(void *ctx)
{
    struct client *c = ctx;
    for (int i = 0; i < 30; i++) {
        int fd;
        if (kl_tcp_connect(&fd, "127.0.0.1", kl_rpc_port(c->rpc)) != KL_OK) {
            atomic_store(&c->failed, true);
            return NULL;
        }
        for (u64 n = kl_rand_below(&c->seed, 8); n > 0; n--) {
            static const char ask_add[] = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 61\r\n\r\n"
                                          "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"fake_add\","
                                          "\"params\":[\"0x1\"]}";
            char got[400];
            usize put_len = 0, got_len = 0, total = 0;
            if (kl_tcp_write(fd, kl_span_of(ask_add, sizeof ask_add - 1), &put_len) != KL_OK)
                break;
            while (!memmem(got, total, "\"result\":\"0x2\"}", 15) && total < sizeof got) {
                kl_status status = kl_tcp_read(fd, got + total, sizeof got - total, &got_len);
                if (status == KL_OK && got_len == 0)
                    break;
                total += status == KL_OK ? got_len : 0;
            }
            if (!memmem(got, total, "\"result\":\"0x2\"}", 15))
                atomic_store(&c->failed, true);
        }
        kl_tcp_close(fd);
    }
    return NULL;
}

KL_TEST(server_many_clients_on_several_lanes)
{
    kl_rpc_config config = kl_fake_config();
    config.threads = 3;
    struct kl_rpc *rpc = start(&config);
    static struct client clients[8];
    for (usize i = 0; i < KL_COUNT_OF(clients); i++) {
        clients[i] = (struct client){.rpc = rpc, .seed = kl_rand(seed)};
        CHECK_OK(kl_thread_start(&clients[i].thread, "keel client", client_main, &clients[i]));
    }
    int fd = dial_socket(rpc);
    char id[40];
    subscribe(fd, "hashes", id);
    for (int i = 0; i < 100; i++) {
        new_tip(rpc, (u64)i);
        new_pending(rpc, 1);
        expect_notice(fd, id, "\"0x" ZEROS "0001\"");
    }
    for (usize i = 0; i < KL_COUNT_OF(clients); i++) {
        kl_thread_join(clients[i].thread);
        CHECK(!atomic_load(&clients[i].failed));
    }
    kl_tcp_close(fd);
    until_connections(rpc, 0);
    kl_rpc_stop(rpc, second);
}
