#include <stdio.h>

#include "base/test.h"
#include "rpc/conn_rig_priv.h"

static const u64 second = 1000000000;

static const kl_rpc_limits small = {
    .body_bytes = 300,
    .header_timeout_ns = 30000000000,
    .idle_timeout_ns = 120000000000,
    .socket_queue_bytes = 100,
    .buffer_bytes = 1 << 20,
};

#define UPGRADE                                                          \
    "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\n" \
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static const char switched[] = "HTTP/1.1 101 Switching Protocols\r\nDate: " RIG_DATE
                               "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                               "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

static void check_out(struct rig *rig, kl_span want)
{
    CHECK_SPAN(kl_buf_view(&rig->out), want);
    kl_buf_clear(&rig->out);
}

static void open_socket(struct rig *rig)
{
    rig_open(rig, &small);
    (void)rig_feed(rig, KL_SPAN_TEXT(UPGRADE KEY "\r\n"));
    check_out(rig, KL_SPAN_TEXT(switched));
    CHECK(kl_conn_is_socket(&rig->conn));
}

/* A masked frame of the client's. */
static void send_frame(struct rig *rig, u8 first, const char *payload)
{
    static const u8 mask[4] = {0xde, 0xad, 0xbe, 0xef};
    u8 bytes[1024];
    usize len = strlen(payload), n = 2;
    bytes[0] = first;
    bytes[1] = (u8)(0x80 | KL_MIN(len, (usize)126));
    if (len >= 126) {
        kl_store_be16(bytes + 2, (u16)len);
        n = 4;
    }
    memcpy(bytes + n, mask, 4);
    for (usize i = 0; i < len; i++)
        bytes[n + 4 + i] = (u8)payload[i] ^ mask[i % 4];
    (void)rig_feed(rig, kl_span_of(bytes, n + 4 + len));
}

/* A Close frame of ours with this code, and the end. */
static void check_close(struct rig *rig, unsigned code)
{
    kl_span out = kl_buf_view(&rig->out);
    CHECK(out.len >= 4 && out.p[0] == 0x88 && out.p[1] == out.len - 2);
    CHECK_U64(kl_load_be16(out.p + 2), code);
    CHECK(rig->finished && !kl_conn_is_socket(&rig->conn));
    rig_end(rig);
    CHECK(rig->closed);
    rig_close(rig);
}

KL_TEST(conn_socket_handshake)
{
    struct rig rig;
    open_socket(&rig);
    rig_close(&rig);
    static const struct {
        const char *sent;
        const char *start, *holds;
    } rows[] = {
        {UPGRADE "\r\n", "HTTP/1.1 400", "handshake"},
        {UPGRADE "Sec-WebSocket-Key: x\r\n\r\n", "HTTP/1.1 400", "handshake"},
        {"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" KEY "\r\n",
         "HTTP/1.1 426", "Sec-WebSocket-Version: 13\r\n"},
        {"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" KEY
         "Sec-WebSocket-Version: 8\r\n\r\n",
         "HTTP/1.1 426", "Sec-WebSocket-Version: 13\r\n"},
        {UPGRADE KEY "Content-Length: 1\r\n\r\nx", "HTTP/1.1 400", "only POST"},
        {UPGRADE KEY "Origin: https://evil.example\r\n\r\n", "HTTP/1.1 403", "origin"},
        {"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n" KEY "\r\n", "HTTP/1.1 200", "hello"},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        rig_open(&rig, &small);
        (void)rig_feed(&rig, kl_span_str(rows[i].sent));
        kl_buf_bytes(&rig.out, "", 1);
        const char *out = (const char *)rig.out.p;
        if (strncmp(out, rows[i].start, strlen(rows[i].start)) != 0 || !strstr(out, rows[i].holds))
            kl_test_fail(__FILE__, __LINE__, "%s\nanswered with\n%s", rows[i].sent, out);
        CHECK(!kl_conn_is_socket(&rig.conn));
        rig_close(&rig);
    }
}

KL_TEST(conn_socket_messages_are_answered_in_order)
{
    struct rig rig;
    open_socket(&rig);
    send_frame(&rig, 0x81, "abc");
    check_out(&rig, KL_SPAN_TEXT("\x81\x05[abc]"));
    send_frame(&rig, 0x82, "binary");
    check_out(&rig, KL_SPAN_TEXT("\x81\x08[binary]"));
    send_frame(&rig, 0x01, "a");
    send_frame(&rig, 0x89, "ping");
    check_out(&rig, KL_SPAN_TEXT("\x8a\x04ping"));
    send_frame(&rig, 0x00, "b");
    send_frame(&rig, 0x8a, "pong that nobody asked for");
    send_frame(&rig, 0x80, "c");
    check_out(&rig, KL_SPAN_TEXT("\x81\x05[abc]"));
    send_frame(&rig, 0x81, "quiet");
    check_out(&rig, KL_SPAN_NONE);
    CHECK_U64(rig.calls, 4);
    CHECK_U64(atomic_load(&rig.env.budget.used), 0);
    rig_close(&rig);
}

/* Frames that arrive together with the handshake, in every split. */
KL_TEST(conn_socket_every_split_gives_the_same_answers)
{
    static const char sent[] = UPGRADE KEY "\r\n"
                                           "\x81\x83\0\0\0\0abc"
                                           "\x01\x81\0\0\0\0x"
                                           "\x89\x80\0\0\0\0"
                                           "\x80\x81\0\0\0\0y"
                                           "\x88\x82\0\0\0\0\x03\xe9"
                                           "\x81\x81\0\0\0\0z";
    usize len = sizeof sent - 1;
    for (usize cut = 0; cut <= len; cut++) {
        struct rig rig;
        rig_open(&rig, &small);
        (void)rig_feed(&rig, kl_span_of(sent, cut));
        (void)rig_feed(&rig, kl_span_of(sent + cut, len - cut));
        CHECK(rig.out.len > sizeof switched - 1);
        kl_span frames = kl_span_sub(kl_buf_view(&rig.out), sizeof switched - 1, rig.out.len);
        CHECK_SPAN(frames, KL_SPAN_TEXT("\x81\x05[abc]\x8a\0\x81\x04[xy]\x88\x02\x03\xe9"));
        CHECK_U64(rig.calls, 2);
        CHECK(rig.finished);
        rig_close(&rig);
    }
}

KL_TEST(conn_socket_errors_close_with_their_code)
{
    static const struct {
        const char *frame;
        usize len;
        unsigned code;
    } rows[] = {
        {"\x81\x03xyz", 5, 1002},          {"\x83\x80\0\0\0\0", 6, 1002},
        {"\x81\x81\0\0\0\0\xff", 7, 1007}, {"\x81\xfe\x01\x2d\0\0\0\0", 8, 1009}, /* 301 bytes */
        {"\x88\x80\0\0\0\0", 6, 1000},     {"\x88\x82\0\0\0\0\x0f\xa0", 8, 4000},
        {"\x88\x81\0\0\0\0\x03", 7, 1002},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        struct rig rig;
        open_socket(&rig);
        (void)rig_feed(&rig, kl_span_of(rows[i].frame, rows[i].len));
        CHECK_U64(rig.calls, 0);
        check_close(&rig, rows[i].code);
    }
}

KL_TEST(conn_socket_is_pinged_and_must_answer)
{
    struct rig rig;
    open_socket(&rig);
    rig_wait(&rig, 120 * second - 1);
    check_out(&rig, KL_SPAN_NONE);
    rig_wait(&rig, 1);
    check_out(&rig, KL_SPAN_TEXT("\x89\0"));
    rig_wait(&rig, 119 * second);
    send_frame(&rig, 0x8a, "");
    rig_wait(&rig, 119 * second);
    CHECK(!rig.closed && rig.out.len == 0);
    rig_wait(&rig, second);
    check_out(&rig, KL_SPAN_TEXT("\x89\0"));
    rig_wait(&rig, 120 * second);
    CHECK(rig.closed && rig.out.len == 0);
    rig_close(&rig);
}

KL_TEST(conn_socket_message_has_a_deadline_as_a_whole)
{
    struct rig rig;
    open_socket(&rig);
    send_frame(&rig, 0x01, "a");
    for (int i = 0; i < 29; i++) {
        rig_wait(&rig, second);
        send_frame(&rig, 0x00, "b");
        CHECK(rig.out.len == 0);
    }
    rig_wait(&rig, second);
    check_close(&rig, 1008);
}

KL_TEST(conn_socket_news_waits_for_answers_and_is_bounded)
{
    struct rig rig;
    open_socket(&rig);
    CHECK(kl_conn_hears(&rig.conn));
    kl_conn_push(&rig.conn, KL_SPAN_TEXT("\x81\x01n"));
    (void)rig_run(&rig);
    check_out(&rig, KL_SPAN_TEXT("\x81\x01n"));

    rig.window = 2;
    send_frame(&rig, 0x81, "abc");
    CHECK(!kl_conn_hears(&rig.conn)); /* half of the answer is still here */
    rig.window = SIZE_MAX;
    (void)rig_run(&rig);
    CHECK(kl_conn_hears(&rig.conn));
    check_out(&rig, KL_SPAN_TEXT("\x81\x05[abc]"));

    static const u8 news[50];
    rig.window = 0;
    kl_conn_push(&rig.conn, KL_SPAN_OF(news));
    CHECK(rig_run(&rig) == KL_CONN_WRITE && kl_conn_hears(&rig.conn));
    kl_conn_push(&rig.conn, KL_SPAN_OF(news));
    CHECK(rig_run(&rig) == KL_CONN_WRITE && kl_conn_hears(&rig.conn));
    kl_conn_push(&rig.conn, kl_span_of(news, 1));
    CHECK(rig_run(&rig) == KL_CONN_CLOSE);
    rig_close(&rig);
}

KL_TEST(conn_socket_goes_down_with_the_server)
{
    struct rig rig;
    open_socket(&rig);
    kl_conn_stop(&rig.conn);
    (void)rig_run(&rig);
    check_close(&rig, 1001);
}

KL_TEST(conn_socket_without_memory_closes_with_its_code)
{
    struct rig rig;
    open_socket(&rig);
    rig.env.budget.limit = 0;
    (void)rig_feed(&rig, KL_SPAN_TEXT("\x81\x85\0\0"));
    check_close(&rig, 1013);
}

KL_TEST(conn_frames_of_every_length)
{
    for (usize len = 0; len < 70000; len += len < 140 ? 1 : 9973) {
        struct kl_buf buf;
        kl_buf_init(&buf, 1 << 20);
        kl_buf_str(&buf, "before");
        u8 *room = kl_buf_extend(&buf, KL_WS_HEAD_MAX + len);
        CHECK(room);
        memset(room + KL_WS_HEAD_MAX, 'm', len);
        kl_conn_frame(&buf, 6);
        u8 head[KL_WS_HEAD_MAX];
        usize head_len = kl_ws_head(head, KL_WS_TEXT, len);
        CHECK_U64(buf.len, 6 + head_len + len);
        CHECK_SPAN(kl_span_of(buf.p, 6), KL_SPAN_TEXT("before"));
        CHECK_SPAN(kl_span_of(buf.p + 6, head_len), kl_span_of(head, head_len));
        for (usize i = 0; i < len; i++)
            CHECK(buf.p[6 + head_len + i] == 'm');
        kl_buf_done(&buf);
    }
}
