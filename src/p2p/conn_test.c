#include "p2p/conn.h"

#include "base/test.h"

enum { STREAMS = 200, TEXT = 100000 };

static const kl_conn_protocol protocols[] = {
    {{(const u8 *)"/echo/1", 7}, KL_YAMUX_USUAL},
    {{(const u8 *)"/sink/1", 7}, KL_YAMUX_BULK},
};
static const kl_span asked[] = {
    {(const u8 *)"/echo/2", 7}, {(const u8 *)"/echo/1", 7}, {(const u8 *)"/sink/1", 7}};
static const kl_span unknown[] = {{(const u8 *)"/x", 2}, {(const u8 *)"/y", 2}};

struct stream {
    bool there, ours, ended;
    usize protocol, sent, heard;
};

struct end {
    struct kl_conn_user user;
    struct kl_conn *conn;
    struct kl_buf out;
    kl_secret32 identity;
    kl_peer_id id, peer;
    bool is_open;
    u32 refused, value;
    struct stream streams[STREAMS];
    kl_rule broken;
};

static struct end a, b;
static u8 text[TEXT];

/* Who is asked for an echo sends everything back; who asked hears its own text. */
static void on_data(struct end *end, const kl_conn_event *event)
{
    struct stream *s = &end->streams[event->stream];
    CHECK(s->there);
    if (s->ours) {
        CHECK(s->heard + event->data.len <= s->sent);
        CHECK(memcmp(text + s->heard, event->data.p, event->data.len) == 0);
    } else if (s->protocol == 0) {
        CHECK_OK(kl_conn_write(end->conn, event->stream, event->data));
    }
    s->heard += event->data.len;
    kl_conn_took(end->conn, event->stream, event->data.len);
}

static void hear(struct kl_conn_user *user, const kl_conn_event *event)
{
    struct end *end = (struct end *)user;
    CHECK(event->stream < STREAMS);
    struct stream *s = &end->streams[event->stream];
    switch (event->kind) {
    case KL_CONN_OPEN:
        end->is_open = true;
        end->peer = *event->peer;
        break;
    case KL_CONN_STREAM:
        *s = (struct stream){.there = true, .ours = event->ours, .protocol = event->protocol};
        break;
    case KL_CONN_NO_STREAM:
        CHECK(!s->there);
        end->refused++;
        break;
    case KL_CONN_DATA:
        on_data(end, event);
        break;
    case KL_CONN_ENDED:
        s->ended = true;
        kl_conn_end(end->conn, event->stream);
        break;
    case KL_CONN_RESET:
        s->there = false;
        break;
    case KL_CONN_PONG:
    case KL_CONN_GOAWAY:
        end->value = event->value;
        break;
    }
}

static void start(struct end *end, bool dials, const kl_peer_id *expected, u64 *seed)
{
    memset(end, 0, sizeof *end);
    kl_rand_fill(seed, end->identity.b, 32);
    kl_conn_config config = {
        .dials = dials,
        .identity = &end->identity,
        .expected = expected,
        .protocols = protocols,
        .protocol_count = KL_COUNT_OF(protocols),
        .peer_streams_max = 20,
        .streams_max = 40,
        .window = KL_YAMUX_WINDOW,
        .queue_max = 1 << 20,
    };
    kl_rand_fill(seed, config.static_key.b, 32);
    kl_rand_fill(seed, config.ephemeral.b, 32);
    end->id = kl_peer_id_of(&end->identity);
    end->user.event = hear;
    kl_buf_init(&end->out, 1 << 24);
    CHECK_OK(kl_conn_new(&end->conn, &config, &end->user));
}

static void stop(void)
{
    kl_conn_free(a.conn);
    kl_conn_free(b.conn);
    kl_buf_done(&a.out);
    kl_buf_done(&b.out);
}

static bool pass(struct end *from, struct end *to, u64 *seed)
{
    bool more;
    kl_buf_clear(&from->out);
    CHECK_OK(kl_conn_pull(from->conn, kl_rand_below(seed, 60000), &from->out, &more));
    for (usize at = 0, len; at < from->out.len && to->broken == KL_RULE_NONE; at += len) {
        usize some = 1 + kl_rand_below(seed, kl_rand_below(seed, 4) ? 50000 : 20);
        len = KL_MIN(from->out.len - at, some);
        CHECK_OK(kl_conn_feed(to->conn, kl_span_of(from->out.p + at, len), &to->broken));
    }
    return from->out.len > 0;
}

static void settle(u64 *seed)
{
    int turns = 0;
    for (bool there = true, back = true; there || back;) {
        there = pass(&a, &b, seed);
        back = pass(&b, &a, seed);
        CHECK(turns++ < 10000);
        if (a.broken != KL_RULE_NONE || b.broken != KL_RULE_NONE)
            break;
    }
}

/* Property: both ends learn who the other is, and every stream either way speaks what was asked
 * for and carries all of its text there and back. */
KL_TEST(conn_carries_protocols)
{
    kl_rand_fill(seed, text, sizeof text);
    for (int round = 0; round < 10; round++) {
        u32 ids[8];
        start(&b, false, NULL, seed);
        start(&a, true, round % 2 ? &b.id : NULL, seed);
        settle(seed);
        CHECK(a.is_open && b.is_open && kl_conn_is_open(a.conn));
        CHECK(kl_peer_id_eq(&a.peer, &b.id) && kl_peer_id_eq(&b.peer, &a.id));
        for (usize i = 0; i < KL_COUNT_OF(ids); i++)
            CHECK_OK(kl_conn_open_stream(i % 2 ? a.conn : b.conn, asked + i % 2,
                                         KL_COUNT_OF(asked) - i % 2, KL_YAMUX_USUAL, &ids[i]));
        settle(seed);
        for (usize i = 0; i < KL_COUNT_OF(ids); i++) {
            struct end *end = i % 2 ? &a : &b;
            struct stream *s = &end->streams[ids[i]];
            CHECK(s->there && s->ours);
            CHECK_U64(s->protocol, 1 - i % 2); /* "/echo/1" either way */
            s->sent = kl_rand_below(seed, TEXT);
            CHECK_OK(kl_conn_write(end->conn, ids[i], kl_span_of(text, s->sent)));
            kl_conn_end(end->conn, ids[i]);
        }
        settle(seed);
        for (usize i = 0; i < KL_COUNT_OF(ids); i++) {
            const struct stream *s = &(i % 2 ? &a : &b)->streams[ids[i]];
            CHECK_U64(s->heard, s->sent);
            CHECK(s->ended);
        }
        CHECK_U64(kl_conn_stream_count(a.conn), 0);
        CHECK_U64(kl_conn_stream_count(b.conn), 0);
        CHECK(!kl_conn_wants_out(a.conn) && !kl_conn_wants_out(b.conn));
        stop();
    }
}

KL_TEST(conn_refuses_unknown_protocols)
{
    u32 id;
    start(&b, false, NULL, seed);
    start(&a, true, NULL, seed);
    settle(seed);
    CHECK_OK(kl_conn_open_stream(a.conn, unknown, 2, KL_YAMUX_USUAL, &id));
    settle(seed);
    CHECK_U64(a.refused, 1);
    CHECK_U64(kl_conn_stream_count(a.conn), 0);
    CHECK_U64(kl_conn_stream_count(b.conn), 0);
    kl_conn_ping(a.conn, 5);
    settle(seed);
    CHECK_U64(a.value, 5);
    stop();
}

KL_TEST(conn_knows_whom_it_dialled)
{
    kl_peer_id other = {{7}};
    start(&b, false, NULL, seed);
    start(&a, true, &other, seed);
    settle(seed);
    CHECK_RULE(a.broken, KL_RULE_NOISE_PEER);
    CHECK(!b.is_open && !a.is_open);
    stop();
}

/* What talks to the port without being a peer is sent away. */
KL_TEST(conn_refuses_strangers)
{
    static const struct {
        const char *bytes;
        kl_rule rule;
    } rows[] = {
        {"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: browser\r\nAccept: text/html\r\n\r\n",
         KL_RULE_MULTISTREAM_LINE},
        {"\x13/multistream/2.0.0\n", KL_RULE_MULTISTREAM_HEADER},
        {"\x16\x03\x01\x02\x01\x01\x01\x01\xfc\x03\x03 and so on, as TLS begins",
         KL_RULE_MULTISTREAM_LINE},
        {"\x13/multistream/1.0.0\n\x0b/tls/1.0.0\n", KL_RULE_NONE}, /* "na": it may try again */
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        kl_rule broken;
        start(&a, false, NULL, seed);
        start(&b, false, NULL, seed);
        CHECK_OK(kl_conn_feed(b.conn, kl_span_str(rows[i].bytes), &broken));
        if (broken != rows[i].rule)
            kl_test_fail(__FILE__, __LINE__, "row %zu: %s", i, kl_rule_text(broken));
        stop();
    }
}
