#include "rpc/ws.h"

#include "base/test.h"

enum { MAX = 1000 };

/* Writes a client's frame with the given mask. */
static usize frame(u8 *out, u8 first, kl_span payload, u32 mask)
{
    usize n = 2;
    out[0] = first;
    if (payload.len < 126) {
        out[1] = (u8)(0x80 | payload.len);
    } else {
        out[1] = 0x80 | 126;
        kl_store_be16(out + 2, (u16)payload.len);
        n = 4;
    }
    u8 key[4];
    kl_store_be32(key, mask);
    memcpy(out + n, key, 4);
    n += 4;
    for (usize i = 0; i < payload.len; i++)
        out[n + i] = payload.p[i] ^ key[i % 4];
    return n + payload.len;
}

/* The first event in the bytes of a hex text. */
static kl_rule first_event(const char *hex, kl_ws_event *out)
{
    static u8 buffer[4096];
    kl_span bytes = kl_test_hex(hex);
    memcpy(buffer, bytes.p, bytes.len);
    struct kl_ws ws = {0};
    return kl_ws_next(&ws, buffer, bytes.len, MAX, out);
}

KL_TEST(ws_accept_key_of_the_rfc)
{
    char out[KL_WS_ACCEPT_LEN];
    CHECK_RULE(kl_ws_accept(out, KL_SPAN_TEXT("dGhlIHNhbXBsZSBub25jZQ==")), KL_RULE_NONE);
    CHECK_SPAN(KL_SPAN_OF(out), KL_SPAN_TEXT("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    static const char *const bad[] = {
        "",
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZQ===",
        "dGhlIHNhbXBsZSBub25jZQxx",
        "dGhlIHNhbXBsZSBub25jZ$==",
        "dGhlIHNhbXBsZSBub25jZQx=",
        "dGhlIHNhbXBsZSBub25jZ ==",
    };
    for (usize i = 0; i < KL_COUNT_OF(bad); i++)
        CHECK_RULE(kl_ws_accept(out, kl_span_str(bad[i])), KL_RULE_WS_HANDSHAKE);
    static const char nul[] = "dGhlIHNhbXBsZSBub25jZ\0==";
    CHECK_RULE(kl_ws_accept(out, kl_span_of(nul, 24)), KL_RULE_WS_HANDSHAKE);
}

/* [RFC 6455 section 5.7] */
KL_TEST(ws_example_of_the_rfc)
{
    kl_ws_event event;
    CHECK_RULE(first_event("818537fa213d7f9f4d5158", &event), KL_RULE_NONE);
    CHECK(event.kind == KL_WS_MESSAGE);
    CHECK_SPAN(event.bytes, KL_SPAN_TEXT("Hello"));
    CHECK_RULE(first_event("898537fa213d7f9f4d5158", &event), KL_RULE_NONE);
    CHECK(event.kind == KL_WS_PINGED);
    CHECK_SPAN(event.bytes, KL_SPAN_TEXT("Hello"));
}

KL_TEST(ws_frames_that_are_none)
{
    static const struct {
        const char *what, *hex;
        kl_rule rule;
    } rows[] = {
        {"unmasked", "810548656c6c6f", KL_RULE_WS_FRAME},
        {"unmasked, seen at once", "8105", KL_RULE_WS_FRAME},
        {"reserved bit 1", "c18000000000", KL_RULE_WS_FRAME},
        {"reserved bit 2", "a18000000000", KL_RULE_WS_FRAME},
        {"reserved bit 3", "918000000000", KL_RULE_WS_FRAME},
        {"opcode 3", "838000000000", KL_RULE_WS_FRAME},
        {"opcode 7", "878000000000", KL_RULE_WS_FRAME},
        {"opcode 11", "8b8000000000", KL_RULE_WS_FRAME},
        {"opcode 15", "8f8000000000", KL_RULE_WS_FRAME},
        {"fragmented ping", "098000000000", KL_RULE_WS_FRAME},
        {"fragmented close", "088000000000", KL_RULE_WS_FRAME},
        {"long ping", "89fe007e00000000", KL_RULE_WS_FRAME},
        {"continuation of nothing", "808000000000", KL_RULE_WS_FRAME},
        {"length 5 in 16 bits", "81fe000500000000", KL_RULE_WS_FRAME},
        {"length 126 in 64 bits", "81ff000000000000007e00000000", KL_RULE_WS_FRAME},
        {"length 65535 in 64 bits", "81ff000000000000ffff00000000", KL_RULE_WS_FRAME},
        {"length 2^63", "81ff800000000000000000000000", KL_RULE_WS_FRAME},
        {"length 2^63-1", "81ff7fffffffffffffff00000000", KL_RULE_WS_SIZE},
        {"length 1001", "81fe03e900000000", KL_RULE_WS_SIZE},
        {"close with one byte", "88810000000003", KL_RULE_WS_FRAME},
        {"close 999", "88820000000003e7", KL_RULE_WS_FRAME},
        {"close 1004", "88820000000003ec", KL_RULE_WS_FRAME},
        {"close 1005", "88820000000003ed", KL_RULE_WS_FRAME},
        {"close 1006", "88820000000003ee", KL_RULE_WS_FRAME},
        {"close 1015", "88820000000003f7", KL_RULE_WS_FRAME},
        {"close 2999", "8882000000000bb7", KL_RULE_WS_FRAME},
        {"close 5000", "8882000000001388", KL_RULE_WS_FRAME},
        {"close with a bad reason", "88830000000003e8ff", KL_RULE_WS_UTF8},
        {"text that is not UTF-8", "818100000000ff", KL_RULE_WS_UTF8},
        {"binary that is not UTF-8", "828100000000ff", KL_RULE_NONE},
        {"length 1000, not there yet", "81fe03e800000000", KL_RULE_NONE},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        kl_ws_event event;
        kl_rule rule = first_event(rows[i].hex, &event);
        if (rule != rows[i].rule)
            kl_test_fail(__FILE__, __LINE__, "%s: %s", rows[i].what, kl_rule_name(rule));
    }
    CHECK_U64(kl_ws_code_of(KL_RULE_WS_FRAME), 1002);
    CHECK_U64(kl_ws_code_of(KL_RULE_WS_UTF8), 1007);
    CHECK_U64(kl_ws_code_of(KL_RULE_WS_SIZE), 1009);
}

KL_TEST(ws_close_is_answered_in_kind_and_ends_everything)
{
    static const struct {
        const char *hex;
        unsigned code;
    } rows[] = {
        {"888000000000", 1000},     {"88820000000003e8", 1000}, {"88820000000003f6", 1014},
        {"8882000000000bb8", 3000}, {"8882000000001387", 4999}, {"88840000000003e9c3a9", 1001},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        kl_ws_event event;
        CHECK_RULE(first_event(rows[i].hex, &event), KL_RULE_NONE);
        CHECK(event.kind == KL_WS_CLOSED);
        CHECK_U64(event.code, rows[i].code);
    }
    u8 buffer[64];
    struct kl_ws ws = {0};
    usize len = frame(buffer, 0x88, KL_SPAN_NONE, 7);
    len += frame(buffer + len, 0x81, KL_SPAN_TEXT("late"), 7);
    kl_ws_event event;
    CHECK_RULE(kl_ws_next(&ws, buffer, len, MAX, &event), KL_RULE_NONE);
    CHECK(event.kind == KL_WS_CLOSED);
    CHECK_RULE(kl_ws_next(&ws, buffer, len, MAX, &event), KL_RULE_NONE);
    CHECK(event.kind == KL_WS_WAIT);
    CHECK_U64(kl_ws_compact(&ws, buffer, len), 0);
}

/* A continuation and nothing else goes on with a message; control frames may stand between. */
KL_TEST(ws_order_of_fragments)
{
    u8 buffer[256];
    struct kl_ws ws = {0};
    kl_ws_event event;
    usize len = frame(buffer, 0x01, KL_SPAN_TEXT("caf\xc3"), 0x01020304);
    len += frame(buffer + len, 0x89, KL_SPAN_TEXT("ping"), 0x11223344);
    len += frame(buffer + len, 0x00, KL_SPAN_TEXT("\xa9 "), 0);
    len += frame(buffer + len, 0x00, KL_SPAN_NONE, 5);
    len += frame(buffer + len, 0x8a, KL_SPAN_NONE, 5);
    len += frame(buffer + len, 0x80, KL_SPAN_TEXT("bar"), 0xffffffff);
    len += frame(buffer + len, 0x81, KL_SPAN_NONE, 9);
    CHECK_RULE(kl_ws_next(&ws, buffer, len, MAX, &event), KL_RULE_NONE);
    CHECK(event.kind == KL_WS_PINGED);
    CHECK_SPAN(event.bytes, KL_SPAN_TEXT("ping"));
    CHECK_RULE(kl_ws_next(&ws, buffer, len, MAX, &event), KL_RULE_NONE);
    CHECK(event.kind == KL_WS_PONGED);
    CHECK_RULE(kl_ws_next(&ws, buffer, len, MAX, &event), KL_RULE_NONE);
    CHECK(event.kind == KL_WS_MESSAGE);
    CHECK_SPAN(event.bytes, KL_SPAN_TEXT("caf\xc3\xa9 bar"));
    CHECK_RULE(kl_ws_next(&ws, buffer, len, MAX, &event), KL_RULE_NONE);
    CHECK(event.kind == KL_WS_MESSAGE && event.bytes.len == 0);
    CHECK_RULE(kl_ws_next(&ws, buffer, len, MAX, &event), KL_RULE_NONE);
    CHECK(event.kind == KL_WS_WAIT);

    ws = (struct kl_ws){0};
    len = frame(buffer, 0x01, KL_SPAN_TEXT("a"), 1);
    len += frame(buffer + len, 0x81, KL_SPAN_TEXT("b"), 1);
    CHECK_RULE(kl_ws_next(&ws, buffer, len, MAX, &event), KL_RULE_WS_FRAME);
}

KL_TEST(ws_bounds_the_message_not_only_the_frame)
{
    static u8 buffer[4096], zeros[MAX];
    for (usize second = MAX - 300 - 1; second <= MAX - 300 + 1; second++) {
        struct kl_ws ws = {0};
        kl_ws_event event;
        usize len = frame(buffer, 0x02, kl_span_of(zeros, 300), 1);
        len += frame(buffer + len, 0x80, kl_span_of(zeros, second), 1);
        CHECK_RULE(kl_ws_next(&ws, buffer, len, MAX, &event),
                   second > MAX - 300 ? KL_RULE_WS_SIZE : KL_RULE_NONE);
    }
}

/* A stream of random messages, fragments and control frames, and what must come out of it. */
struct stream {
    u8 bytes[8192], want[8192];
    usize len, want_len;
};

static void add_want(struct stream *s, u8 kind, kl_span bytes)
{
    s->want[s->want_len++] = kind;
    memcpy(s->want + s->want_len, bytes.p, bytes.len);
    s->want_len += bytes.len;
}

static void random_stream(struct stream *s, u64 *seed)
{
    s->len = s->want_len = 0;
    for (u64 messages = 1 + kl_rand_below(seed, 6); messages > 0; messages--) {
        u8 message[MAX];
        usize len = 0;
        u64 pieces = 1 + kl_rand_below(seed, 4);
        for (u64 i = 0; i < pieces; i++) {
            u8 payload[200];
            usize n = (usize)kl_rand_below(seed, i == 0 ? 200 : 20);
            for (usize j = 0; j < n; j++)
                payload[j] = (u8)(kl_rand(seed) & 127);
            u8 first = (u8)((i + 1 == pieces ? 0x80 : 0) | (i == 0 ? 1 : 0));
            if (kl_rand_below(seed, 3) == 0) {
                s->len +=
                    frame(s->bytes + s->len, 0x89, kl_span_of(payload, n % 50), (u32)kl_rand(seed));
                add_want(s, KL_WS_PINGED, kl_span_of(payload, n % 50));
            }
            s->len += frame(s->bytes + s->len, first, kl_span_of(payload, n), (u32)kl_rand(seed));
            memcpy(message + len, payload, n);
            len += n;
        }
        add_want(s, KL_WS_MESSAGE, kl_span_of(message, len));
    }
}

/* Property: however the stream is cut into reads, the same events come out. */
KL_TEST(ws_stream_gives_the_same_events_however_it_arrives)
{
    static struct stream s;
    for (int round = 0; round < 300; round++) {
        random_stream(&s, seed);
        static u8 buffer[8192], got[8192];
        struct kl_ws ws = {0};
        usize len = 0, fed = 0, got_len = 0;
        u64 step = 1 + kl_rand_below(seed, 3) * kl_rand_below(seed, 300);
        while (fed < s.len) {
            u64 wish = 1 + kl_rand_below(seed, step);
            usize n = (usize)KL_MIN(wish, (u64)(s.len - fed));
            memcpy(buffer + len, s.bytes + fed, n);
            fed += n;
            len += n;
            for (;;) {
                kl_ws_event event;
                CHECK_RULE(kl_ws_next(&ws, buffer, len, MAX, &event), KL_RULE_NONE);
                if (event.kind == KL_WS_WAIT)
                    break;
                got[got_len++] = (u8)event.kind;
                memcpy(got + got_len, event.bytes.p, event.bytes.len);
                got_len += event.bytes.len;
            }
            len = kl_ws_compact(&ws, buffer, len);
            CHECK(len <= MAX + KL_WS_FRAME_HEAD_MAX);
        }
        CHECK_U64(len, 0);
        CHECK_SPAN(kl_span_of(got, got_len), kl_span_of(s.want, s.want_len));
    }
}

KL_TEST(ws_heads_are_the_shortest)
{
    static const struct {
        u64 len;
        const char *hex;
    } rows[] = {
        {0, "8100"},
        {125, "817d"},
        {126, "817e007e"},
        {65535, "817effff"},
        {65536, "817f0000000000010000"},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        u8 head[KL_WS_HEAD_MAX];
        usize n = kl_ws_head(head, KL_WS_TEXT, rows[i].len);
        CHECK_HEX(kl_span_of(head, n), rows[i].hex);
    }
}

/* A slow twin: decodes by arithmetic and encodes again. */
static bool slow_utf8(kl_span s)
{
    for (usize i = 0; i < s.len;) {
        u32 c = s.p[i], more = c < 0x80         ? 0
                               : (c >> 5) == 6  ? 1
                               : (c >> 4) == 14 ? 2
                               : (c >> 3) == 30 ? 3
                                                : 9;
        if (more == 9 || i + more >= s.len)
            return false;
        u32 v = more ? c & (0x3fu >> more) : c;
        for (u32 k = 1; k <= more; k++) {
            if (s.p[i + k] >> 6 != 2)
                return false;
            v = v << 6 | (s.p[i + k] & 63);
        }
        u32 least[] = {0, 0x80, 0x800, 0x10000};
        if (v < least[more] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
            return false;
        i += more + 1;
    }
    return true;
}

KL_TEST(ws_utf8_agrees_with_a_slow_twin)
{
    for (u32 v = 0; v < 1u << 24; v += 1 + (u32)kl_rand_below(seed, 5)) {
        u8 s[16] = "abcdefghi";
        kl_store_be32(s + 4, v << 8 | (u32)(kl_rand(seed) & 0xbf) | 0x80);
        CHECK(kl_ws_utf8(kl_span_of(s + 4, 4)) == slow_utf8(kl_span_of(s + 4, 4)));
        CHECK(kl_ws_utf8(kl_span_of(s, 9)) == slow_utf8(kl_span_of(s, 9)));
    }
}
