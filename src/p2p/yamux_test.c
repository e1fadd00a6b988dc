#include "base/test.h"
#include "p2p/yamux_priv.h"

enum { STREAMS = 64, TEXT = 400000 };

/* A stream as the test knows it: what was written, and what has come out at the other end. */
struct line {
    bool open, ended, heard_end, reset;
    usize sent, heard;
};

struct end {
    struct kl_yamux_user user;
    struct kl_yamux *y;
    struct kl_buf out;
    struct line lines[512]; /* by stream: what this end has heard */
    struct end *other;
    u32 opened, pongs, goaway, untaken_stream;
    usize untaken;
    bool greedy; /* takes nothing until asked */
};

static u8 text[TEXT];
static struct end a, b;

static void hear(struct kl_yamux_user *user, const kl_yamux_event *event)
{
    struct end *end = (struct end *)user;
    CHECK(event->stream < KL_COUNT_OF(end->lines));
    struct line *line = &end->lines[event->stream];
    switch (event->kind) {
    case KL_YAMUX_OPENED:
        CHECK(!line->open);
        line->open = true;
        end->opened++;
        break;
    case KL_YAMUX_DATA: /* the text of every stream begins elsewhere */
        CHECK(line->heard + event->data.len <= end->other->lines[event->stream].sent);
        CHECK(memcmp(text + event->stream + line->heard, event->data.p, event->data.len) == 0);
        line->heard += event->data.len;
        if (end->greedy) {
            end->untaken_stream = event->stream;
            end->untaken += event->data.len;
        } else {
            kl_yamux_took(end->y, event->stream, event->data.len);
        }
        break;
    case KL_YAMUX_ENDED:
        CHECK(!line->heard_end && end->other->lines[event->stream].ended);
        CHECK_U64(line->heard, end->other->lines[event->stream].sent);
        line->heard_end = true;
        break;
    case KL_YAMUX_RESET:
        line->reset = true;
        break;
    case KL_YAMUX_PONG:
        end->pongs = event->value;
        break;
    case KL_YAMUX_GOAWAY:
        end->goaway = 1 + event->value;
        break;
    }
}

static void start(u64 *seed)
{
    kl_yamux_config config = {
        .peer_streams_max = 16, .streams_max = 48, .window = 300000, .queue_max = 100000};
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    a.user.event = b.user.event = hear;
    a.other = &b;
    b.other = &a;
    kl_buf_init(&a.out, 1 << 24);
    kl_buf_init(&b.out, 1 << 24);
    kl_rand_fill(seed, text, sizeof text);
    config.dials = true;
    CHECK_OK(kl_yamux_new(&a.y, &config, &a.user));
    config.dials = false;
    CHECK_OK(kl_yamux_new(&b.y, &config, &b.user));
}

static void stop(void)
{
    kl_yamux_free(a.y);
    kl_yamux_free(b.y);
    kl_buf_done(&a.out);
    kl_buf_done(&b.out);
}

static kl_rule feed(struct end *to, kl_span bytes)
{
    kl_rule broken;
    CHECK_OK(kl_yamux_feed(to->y, bytes, &broken));
    return broken;
}

/* Frames of `from`, cut at random, into `to`. */
static void pass(struct end *from, struct end *to, usize max, u64 *seed)
{
    kl_buf_clear(&from->out);
    (void)kl_yamux_pull(from->y, max, &from->out);
    CHECK(!from->out.failed);
    for (usize at = 0, len; at < from->out.len; at += len) {
        usize some = 1 + kl_rand_below(seed, 30000);
        len = KL_MIN(from->out.len - at, some);
        CHECK_RULE(feed(to, kl_span_of(from->out.p + at, len)), KL_RULE_NONE);
    }
}

static void write_some(struct end *from, u32 id, usize len)
{
    struct line *line = &from->lines[id];
    len = KL_MIN(len, TEXT - id - line->sent);
    if (kl_yamux_write(from->y, id, kl_span_of(text + id + line->sent, len)) == KL_OK)
        line->sent += len;
}

static void act(struct end *end, u64 *seed)
{
    u32 id = 1 + (u32)kl_rand_below(seed, STREAMS), more;
    struct line *line = &end->lines[id];
    switch (kl_rand_below(seed, 12)) {
    case 0:
        if (kl_yamux_open(end->y, (kl_yamux_class)kl_rand_below(seed, 3), &more) == KL_OK) {
            CHECK(more < KL_COUNT_OF(end->lines));
            end->lines[more].open = true;
        }
        break;
    case 1:
        if (line->open && line->sent > 10) {
            kl_yamux_end(end->y, id);
            line->ended = true;
        }
        break;
    case 2:
        kl_yamux_set_class(end->y, id, (kl_yamux_class)kl_rand_below(seed, 3));
        break;
    default:
        if (line->open && !line->ended)
            write_some(end, id, kl_rand_below(seed, 40000));
        break;
    }
}

/* Property: whatever both ends do and however bytes are cut, every stream carries its text, in
 * order and to its end, and is gone when both ends ended it. */
KL_TEST(yamux_streams_carry_text)
{
    for (int round = 0; round < 12; round++) {
        start(seed);
        for (int turn = 0; turn < 600; turn++) {
            act(&a, seed);
            act(&b, seed);
            if (kl_rand_below(seed, 2))
                pass(&a, &b, kl_rand_below(seed, 60000), seed);
            if (kl_rand_below(seed, 2))
                pass(&b, &a, kl_rand_below(seed, 60000), seed);
        }
        pass(&a, &b, SIZE_MAX, seed); /* every stream is known to both */
        pass(&b, &a, SIZE_MAX, seed);
        for (u32 id = 1; id < KL_COUNT_OF(a.lines); id++) {
            a.lines[id].ended = b.lines[id].ended = true;
            kl_yamux_end(a.y, id);
            kl_yamux_end(b.y, id);
        }
        for (int turn = 0; kl_yamux_wants_out(a.y) || kl_yamux_wants_out(b.y); turn++) {
            CHECK(turn < 10000);
            pass(&a, &b, 50000, seed);
            pass(&b, &a, 50000, seed);
        }
        for (u32 id = 1; id < KL_COUNT_OF(a.lines); id++)
            if (!a.lines[id].reset && !b.lines[id].reset) {
                CHECK_U64(a.lines[id].heard, b.lines[id].sent);
                CHECK_U64(b.lines[id].heard, a.lines[id].sent);
            }
        CHECK_U64(kl_yamux_stream_count(a.y), 0);
        CHECK_U64(kl_yamux_stream_count(b.y), 0);
        stop();
    }
}

static u32 open_at(struct end *end, kl_yamux_class class)
{
    u32 id;
    CHECK_OK(kl_yamux_open(end->y, class, &id));
    end->lines[id].open = true;
    return id;
}

/* A vote that comes while a block is being sent waits for one frame of it. */
KL_TEST(yamux_votes_overtake_blocks)
{
    start(seed);
    u32 bulk = open_at(&a, KL_YAMUX_BULK), usual = open_at(&a, KL_YAMUX_USUAL);
    u32 first = open_at(&a, KL_YAMUX_FIRST);
    pass(&a, &b, SIZE_MAX, seed);
    write_some(&a, bulk, 90000);
    write_some(&a, usual, 40000);
    pass(&a, &b, 1, seed);
    CHECK_U64(b.lines[usual].heard, KL_YAMUX_FRAME_MAX);
    CHECK_U64(b.lines[bulk].heard, 0);
    write_some(&a, first, 300);
    pass(&a, &b, 1, seed);
    CHECK_U64(b.lines[first].heard, 300);
    pass(&a, &b, 40000 - KL_YAMUX_FRAME_MAX, seed);
    CHECK_U64(b.lines[usual].heard, 40000);
    CHECK_U64(b.lines[bulk].heard, 0);
    pass(&a, &b, SIZE_MAX, seed);
    CHECK_U64(b.lines[bulk].heard, 90000);
    stop();
}

/* Streams of one class take turns. */
KL_TEST(yamux_streams_take_turns)
{
    start(seed);
    u32 one = open_at(&a, KL_YAMUX_USUAL), two = open_at(&a, KL_YAMUX_USUAL);
    pass(&a, &b, SIZE_MAX, seed);
    write_some(&a, one, 90000);
    write_some(&a, two, 90000);
    for (usize i = 1; i <= 4; i++) {
        pass(&a, &b, 1, seed);
        pass(&a, &b, 1, seed);
        CHECK_U64(b.lines[one].heard, i * KL_YAMUX_FRAME_MAX);
        CHECK_U64(b.lines[two].heard, i * KL_YAMUX_FRAME_MAX);
    }
    stop();
}

/* A queue that is never empty holds what waits, not what has ever gone through it. */
KL_TEST(yamux_queue_of_a_slow_reader_stays_small)
{
    enum { SOME = 5000, WAITING = 20000 };
    u32 id;
    start(seed);
    CHECK_OK(kl_yamux_open(a.y, KL_YAMUX_BULK, &id));
    a.lines[id].open = true;
    while (a.lines[id].sent + id < TEXT) {
        write_some(&a, id, SOME);
        CHECK(yamux_find(a.y, id)->queue.len <= 2 * (WAITING + SOME));
        while (kl_yamux_queued(a.y, id) > WAITING) {
            pass(&a, &b, SOME, seed);
            pass(&b, &a, 1 << 20, seed);
        }
    }
    CHECK(kl_yamux_queued(a.y, id) > 0);
    while (kl_yamux_queued(a.y, id)) {
        pass(&a, &b, 1 << 20, seed);
        pass(&b, &a, 1 << 20, seed);
    }
    CHECK_U64(b.lines[id].heard, a.lines[id].sent);
    stop();
}

/* Nothing leaves beyond the window; what is dealt with opens it again. */
KL_TEST(yamux_windows_hold)
{
    start(seed);
    u32 id = open_at(&a, KL_YAMUX_USUAL);
    b.greedy = true;
    for (int i = 0; i < 20; i++) {
        write_some(&a, id, 30000);
        pass(&a, &b, SIZE_MAX, seed);
        pass(&b, &a, SIZE_MAX, seed);
    }
    CHECK_U64(b.untaken, 300000);
    CHECK_U64(b.lines[id].heard, 300000);
    CHECK(kl_yamux_queued(a.y, id) > 60000);
    CHECK_U64(kl_yamux_write(a.y, id, kl_span_of(text, 50000)), KL_LIMIT);
    kl_yamux_took(b.y, id, 149999); /* less than half: not worth a frame */
    pass(&b, &a, SIZE_MAX, seed);
    pass(&a, &b, SIZE_MAX, seed);
    CHECK_U64(b.lines[id].heard, 300000);
    kl_yamux_took(b.y, id, 1);
    pass(&b, &a, SIZE_MAX, seed);
    pass(&a, &b, SIZE_MAX, seed);
    CHECK_U64(b.lines[id].heard, a.lines[id].sent);
    stop();
}

KL_TEST(yamux_limits_and_farewells)
{
    start(seed);
    u32 id;
    for (int i = 0; i < 48; i++)
        id = open_at(&a, KL_YAMUX_USUAL);
    CHECK_U64(kl_yamux_open(a.y, KL_YAMUX_USUAL, &id), KL_LIMIT);
    pass(&a, &b, SIZE_MAX, seed);
    CHECK_U64(b.opened, 16); /* the rest is reset */
    CHECK_U64(kl_yamux_stream_count(b.y), 16);
    pass(&b, &a, SIZE_MAX, seed);
    CHECK_U64(kl_yamux_stream_count(a.y), 16);
    kl_yamux_ping(a.y, 77);
    pass(&a, &b, SIZE_MAX, seed);
    pass(&b, &a, SIZE_MAX, seed);
    CHECK_U64(a.pongs, 77);
    kl_yamux_reset(a.y, 1);
    CHECK_U64(kl_yamux_write(a.y, 1, KL_SPAN_TEXT("x")), KL_NOTFOUND);
    pass(&a, &b, SIZE_MAX, seed);
    CHECK(b.lines[1].reset && kl_yamux_stream_count(b.y) == 15);
    kl_yamux_go_away(b.y, 0);
    pass(&b, &a, SIZE_MAX, seed);
    CHECK_U64(a.goaway, 1);
    CHECK_U64(kl_yamux_open(a.y, KL_YAMUX_USUAL, &id), KL_LIMIT);
    CHECK_U64(kl_yamux_open(b.y, KL_YAMUX_USUAL, &id), KL_LIMIT);
    stop();
}

/* Frames that no correct peer sends, to the side that listens. */
KL_TEST(yamux_refuses)
{
    static const struct {
        const char *frames;
        kl_rule rule;
    } rows[] = {
        {"010000000000000100000000", KL_RULE_YAMUX_VERSION},
        {"000400000000000100000000", KL_RULE_YAMUX_TYPE},
        {"000000100000000100000000", KL_RULE_YAMUX_FLAGS},
        {"000000000000000100000000", KL_RULE_YAMUX_STREAM}, /* never opened */
        {"000000000000000000000000", KL_RULE_YAMUX_STREAM},
        {"000100010000000200000000", KL_RULE_YAMUX_STREAM}, /* a number of ours */
        {"000100010000000000000000", KL_RULE_YAMUX_STREAM},
        {"000100010000000300000000000100010000000300000000", KL_RULE_YAMUX_STREAM},
        {"0001000100000001fffbffff000100000000000100000001", KL_RULE_YAMUX_WINDOW},
        {"0000000100000001000493e1", KL_RULE_YAMUX_WINDOW}, /* 300,001 bytes */
        {"000200010000000100000000", KL_RULE_YAMUX_STREAM},
        {"000000050000000100000000000000000000000100000000", KL_RULE_YAMUX_WINDOW}, /* ended */
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        start(seed);
        a.lines[1].ended = true;
        CHECK_RULE(feed(&b, kl_test_hex(rows[i].frames)), rows[i].rule);
        CHECK_RULE(feed(&b, KL_SPAN_TEXT("x")), KL_RULE_YAMUX_PING);
        stop();
    }
}

/* Who pings without reading the answers is sent away while little is held for it. */
KL_TEST(yamux_pings_are_bounded)
{
    start(seed);
    kl_rule broken = KL_RULE_NONE;
    int sent = 0;
    for (; broken == KL_RULE_NONE; sent++)
        broken = feed(&b, kl_test_hex("000200010000000000000007"));
    CHECK_RULE(broken, KL_RULE_YAMUX_PING);
    CHECK(sent < 10000);
    stop();
}

/* What carries nothing is counted, and nothing else is. */
KL_TEST(yamux_counts_what_carries_nothing)
{
    static const struct {
        const char *frame;
        u64 light, opened, lost;
    } rows[] = {
        {"000100010000000100004000", 0, 1, 0},     /* a stream, and 16 KiB of window */
        {"000100000000000100003fff", 1, 1, 0},     /* less of it */
        {"000000000000000100000001aa", 2, 1, 0},   /* a byte */
        {"000000000000000100000000", 3, 1, 0},     /* none */
        {"000200010000000000000007", 4, 1, 0},     /* a ping */
        {"000100080000000100000000", 5, 1, 0},     /* reset */
        {"000000000000000100000002aaaa", 6, 1, 2}, /* and spoken of all the same */
        {"000100010000000300000000", 7, 2, 2},     /* another */
    };
    start(seed);
    memset(text, 0xaa, sizeof text);
    a.lines[1].sent = 1;
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        CHECK_RULE(feed(&b, kl_test_hex(rows[i].frame)), KL_RULE_NONE);
        kl_yamux_ado ado = kl_yamux_ado_of(b.y);
        CHECK_U64(ado.light, rows[i].light);
        CHECK_U64(ado.opened, rows[i].opened);
        CHECK_U64(ado.lost, rows[i].lost);
    }
    stop();
}
