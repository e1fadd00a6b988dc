#include "rpc/http.h"

#include <stdio.h>

#include "base/test.h"

#define HOST "Host: x\r\n"

static kl_rule parse(kl_http_request *r, const char *head)
{
    return kl_http_parse(r, kl_span_str(head));
}

KL_TEST(http_reads_a_plain_post)
{
    kl_http_request r;
    CHECK_RULE(parse(&r,
                     "POST /any/path?q=1 HTTP/1.1\r\nHOST: node:8545\r\ncontent-LENGTH:  17 \r\n"
                     "Origin: https://a.example\r\nX-Other: \t caf\xc3\xa9 \r\n\r\n"),
               KL_RULE_NONE);
    CHECK(r.method == KL_HTTP_POST && r.keep_alive && r.has_length && !r.chunked && !r.expects);
    CHECK_U64(r.length, 17);
    CHECK_SPAN(r.path, KL_SPAN_TEXT("/any/path"));
    CHECK_SPAN(r.host, KL_SPAN_TEXT("node:8545"));
    CHECK_SPAN(r.origin, KL_SPAN_TEXT("https://a.example"));
}

KL_TEST(http_paths)
{
    static const struct {
        const char *target, *path;
    } rows[] = {
        {"/", "/"},        {"/a/b?c?d", "/a/b"},   {"*", "*"}, {"http://x:1/a?b", "/a"},
        {"http://x", "/"}, {"http://", "http://"}, {"?", ""},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        char head[128];
        int n = snprintf(head, sizeof head, "GET %s HTTP/1.1\r\n" HOST "\r\n", rows[i].target);
        kl_http_request r;
        CHECK_RULE(kl_http_parse(&r, kl_span_of(head, (usize)n)), KL_RULE_NONE);
        CHECK_SPAN(r.path, kl_span_str(rows[i].path));
    }
}

KL_TEST(http_methods_and_versions)
{
    static const struct {
        const char *line;
        kl_rule rule;
        kl_http_method method;
    } rows[] = {
        {"GET / HTTP/1.1", KL_RULE_NONE, KL_HTTP_GET},
        {"HEAD / HTTP/1.1", KL_RULE_NONE, KL_HTTP_HEAD},
        {"POST / HTTP/1.0", KL_RULE_NONE, KL_HTTP_POST},
        {"OPTIONS * HTTP/1.1", KL_RULE_NONE, KL_HTTP_OPTIONS},
        {"PUT http://x/y HTTP/1.1", KL_RULE_NONE, KL_HTTP_OTHER},
        {"post / HTTP/1.1", KL_RULE_NONE, KL_HTTP_OTHER}, /* methods tell case apart */
        {"GET / HTTP/2.0", KL_RULE_HTTP_VERSION, 0},
        {"GET / HTTP/1.2", KL_RULE_HTTP_VERSION, 0},
        {"GET / HTTP/1.10", KL_RULE_HTTP_VERSION, 0},
        {"GET / HTTP/", KL_RULE_HTTP_LINE, 0},
        {"GET / http/1.1", KL_RULE_HTTP_LINE, 0},
        {"GET / HTTP/1.1 ", KL_RULE_HTTP_VERSION, 0},
        {"GET /", KL_RULE_HTTP_LINE, 0},
        {"GET ", KL_RULE_HTTP_LINE, 0},
        {"GET", KL_RULE_HTTP_LINE, 0},
        {"", KL_RULE_HTTP_LINE, 0},
        {"GET  / HTTP/1.1", KL_RULE_HTTP_LINE, 0},
        {"GET\t/ HTTP/1.1", KL_RULE_HTTP_LINE, 0},
        {"GET /a b HTTP/1.1", KL_RULE_HTTP_LINE, 0},
        {"GET /\x01 HTTP/1.1", KL_RULE_HTTP_LINE, 0},
        {"GET /\xc3\xa9 HTTP/1.1", KL_RULE_HTTP_LINE, 0},
        {"G(T / HTTP/1.1", KL_RULE_HTTP_LINE, 0},
        {" GET / HTTP/1.1", KL_RULE_HTTP_LINE, 0},
        {"GET / HTTP/1.1\r", KL_RULE_HTTP_VERSION, 0},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        char head[128];
        int n = snprintf(head, sizeof head, "%s\r\n" HOST "\r\n", rows[i].line);
        kl_http_request r;
        CHECK_RULE(kl_http_parse(&r, kl_span_of(head, (usize)n)), rows[i].rule);
        if (rows[i].rule == KL_RULE_NONE)
            CHECK(r.method == rows[i].method);
    }
}

/* Everything a proxy could read in another way than we do [RFC 9112 section 11.2]. */
KL_TEST(http_refuses_what_has_two_readings)
{
    static const struct {
        const char *fields;
        kl_rule rule;
    } rows[] = {
        {HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", KL_RULE_HTTP_BOTH_LENGTHS},
        {HOST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", KL_RULE_HTTP_BOTH_LENGTHS},
        {HOST "Content-Length: 5\r\nContent-Length: 6\r\n", KL_RULE_HTTP_LENGTH},
        {HOST "Content-Length: 5\r\nContent-Length: 5\r\n", KL_RULE_HTTP_LENGTH},
        {HOST "Content-Length: 5, 5\r\n", KL_RULE_HTTP_LENGTH},
        {HOST "Content-Length: +5\r\n", KL_RULE_HTTP_LENGTH},
        {HOST "Content-Length: -1\r\n", KL_RULE_HTTP_LENGTH},
        {HOST "Content-Length: 0x5\r\n", KL_RULE_HTTP_LENGTH},
        {HOST "Content-Length: 5 5\r\n", KL_RULE_HTTP_LENGTH},
        {HOST "Content-Length:\r\n", KL_RULE_HTTP_LENGTH},
        {HOST "Content-Length: 18446744073709551616\r\n", KL_RULE_HTTP_LENGTH},
        {HOST "Transfer-Encoding: identity\r\n", KL_RULE_HTTP_CODING},
        {HOST "Transfer-Encoding: gzip, chunked\r\n", KL_RULE_HTTP_CODING},
        {HOST "Transfer-Encoding: chunked, chunked\r\n", KL_RULE_HTTP_CODING},
        {HOST "Transfer-Encoding: xchunked\r\n", KL_RULE_HTTP_CODING},
        {HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", KL_RULE_HTTP_CODING},
        {HOST "Transfer-Encoding : chunked\r\n", KL_RULE_HTTP_FIELD},
        {HOST "Content-Length : 5\r\n", KL_RULE_HTTP_FIELD},
        {HOST "X: a\r\n folded: b\r\n", KL_RULE_HTTP_FIELD},
        {HOST "X: a\nContent-Length: 5\r\n", KL_RULE_HTTP_FIELD},
        {HOST "X: a\rContent-Length: 5\r\n", KL_RULE_HTTP_FIELD},
        {HOST "no colon\r\n", KL_RULE_HTTP_FIELD},
        {HOST "nocolon\r\n", KL_RULE_HTTP_FIELD},
        {HOST ": empty name\r\n", KL_RULE_HTTP_FIELD},
        {HOST "X: \x01\r\n", KL_RULE_HTTP_FIELD},
        {HOST "X: \x7f\r\n", KL_RULE_HTTP_FIELD},
        {HOST "X\xc3\xa9: a\r\n", KL_RULE_HTTP_FIELD},
        {"", KL_RULE_HTTP_HOST},
        {HOST HOST, KL_RULE_HTTP_HOST},
        {HOST "Expect: 200-ok\r\n", KL_RULE_HTTP_EXPECT},
        {HOST "Sec-WebSocket-Key: a\r\nSec-WebSocket-Key: a\r\n", KL_RULE_WS_HANDSHAKE},
        {"Host:\r\n", KL_RULE_NONE},
        {HOST "Content-Length: 18446744073709551615\r\n", KL_RULE_NONE},
        {HOST "Content-Length: 00005\r\n", KL_RULE_NONE},
        {HOST "Transfer-Encoding: Chunked\r\n", KL_RULE_NONE},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        char head[256];
        int n = snprintf(head, sizeof head, "POST / HTTP/1.1\r\n%s\r\n", rows[i].fields);
        kl_http_request r;
        CHECK_RULE(kl_http_parse(&r, kl_span_of(head, (usize)n)), rows[i].rule);
    }
    static const u8 nul[] = "POST / HTTP/1.1\r\nHost: x\0y\r\n\r\n";
    kl_http_request r;
    CHECK_RULE(kl_http_parse(&r, kl_span_of(nul, sizeof nul - 1)), KL_RULE_HTTP_FIELD);
    CHECK_RULE(parse(&r, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
               KL_RULE_HTTP_CODING);
    CHECK_RULE(parse(&r, "POST / HTTP/1.1\r\n" HOST "\r\nmore"), KL_RULE_HTTP_FIELD);
    CHECK_RULE(parse(&r, "POST / HTTP/1.1\r\n" HOST), KL_RULE_HTTP_FIELD);
}

KL_TEST(http_keep_alive_and_upgrade)
{
    static const struct {
        const char *head;
        bool keep_alive, upgrade;
    } rows[] = {
        {"GET / HTTP/1.1\r\n" HOST, true, false},
        {"GET / HTTP/1.1\r\n" HOST "Connection: close\r\n", false, false},
        {"GET / HTTP/1.1\r\n" HOST "Connection: x,, Close ,y\r\n", false, false},
        {"GET / HTTP/1.1\r\n" HOST "Connection: closed\r\n", true, false},
        {"GET / HTTP/1.0\r\n", false, false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n", true, false},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\nConnection: close\r\n", false, false},
        {"GET / HTTP/1.1\r\n" HOST "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n",
         true, true},
        {"GET / HTTP/1.1\r\n" HOST "Upgrade: websocket\r\n", true, false},
        {"GET / HTTP/1.1\r\n" HOST "Connection: upgrade\r\nUpgrade: h2c\r\n", true, false},
        {"GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n", false, false},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        char head[256];
        int n = snprintf(head, sizeof head, "%s\r\n", rows[i].head);
        kl_http_request r;
        CHECK_RULE(kl_http_parse(&r, kl_span_of(head, (usize)n)), KL_RULE_NONE);
        CHECK(r.keep_alive == rows[i].keep_alive);
        CHECK(r.upgrade == rows[i].upgrade);
    }
}

KL_TEST(http_expect_preflight_and_websocket_fields)
{
    kl_http_request r;
    CHECK_RULE(
        parse(&r, "POST / HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n"),
        KL_RULE_NONE);
    CHECK(r.expects);
    CHECK_RULE(parse(&r, "POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n\r\n"), KL_RULE_NONE);
    CHECK(!r.expects); /* nothing to wait for */
    CHECK_RULE(parse(&r, "OPTIONS / HTTP/1.1\r\n" HOST "Access-Control-Request-Method: POST\r\n"
                         "Access-Control-Request-Private-Network: true\r\n\r\n"),
               KL_RULE_NONE);
    CHECK(r.preflight && r.private_network);
    CHECK_RULE(parse(&r, "GET / HTTP/1.1\r\n" HOST "Sec-WebSocket-Key: abc\r\n"
                         "Sec-WebSocket-Version: 13\r\n\r\n"),
               KL_RULE_NONE);
    CHECK_SPAN(r.ws_key, KL_SPAN_TEXT("abc"));
    CHECK_U64(r.ws_version, 13);
    CHECK_RULE(parse(&r, "GET / HTTP/1.1\r\n" HOST "Sec-WebSocket-Version: x\r\n\r\n"),
               KL_RULE_NONE);
    CHECK_U64(r.ws_version, 0);
}

KL_TEST(http_counts_fields)
{
    static char head[8192];
    for (int fields = KL_HTTP_FIELD_MAX - 1; fields <= KL_HTTP_FIELD_MAX + 1; fields++) {
        int n = snprintf(head, sizeof head, "GET / HTTP/1.1\r\n" HOST);
        for (int i = 1; i < fields; i++)
            n += snprintf(head + n, sizeof head - (usize)n, "X-%d: y\r\n", i);
        n += snprintf(head + n, sizeof head - (usize)n, "\r\n");
        kl_http_request r;
        CHECK_RULE(kl_http_parse(&r, kl_span_of(head, (usize)n)),
                   fields > KL_HTTP_FIELD_MAX ? KL_RULE_HTTP_HEAD_SIZE : KL_RULE_NONE);
    }
}

/* Property: however the bytes arrive, the head ends at the same place, and never too early. */
KL_TEST(http_head_is_found_however_it_arrives)
{
    static const char *const heads[] = {
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\nHost: x\n\n",
        "GET / HTTP/1.1\nHost: x\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n\n",
        "\n\n",
    };
    for (usize h = 0; h < KL_COUNT_OF(heads); h++) {
        char bytes[128];
        usize head_len = strlen(heads[h]);
        int n = snprintf(bytes, sizeof bytes, "%s%s", heads[h], "body\r\n\r\n");
        usize len = (usize)n;
        for (usize first = 0; first <= len; first++)
            for (usize second = first; second <= len; second++) {
                usize seen = 0;
                usize a = kl_http_head_len(kl_span_of(bytes, first), &seen);
                CHECK_U64(a, first >= head_len ? head_len : 0);
                if (a)
                    continue;
                usize b = kl_http_head_len(kl_span_of(bytes, second), &seen);
                CHECK_U64(b, second >= head_len ? head_len : 0);
                if (!b)
                    CHECK_U64(kl_http_head_len(kl_span_of(bytes, len), &seen), head_len);
            }
    }
}

KL_TEST(http_what_is_no_http_is_known_by_its_first_byte)
{
    static const char *const first[] = {"\x16", "\r\n\x16", "{", "\x80", " "};
    for (usize i = 0; i < KL_COUNT_OF(first); i++) {
        usize seen = 0, len = strlen(first[i]);
        kl_span bytes = kl_span_of(first[i], len);
        CHECK_U64(kl_http_head_len(kl_span_sub(bytes, 0, len - 1), &seen), 0);
        CHECK_U64(kl_http_head_len(bytes, &seen), len);
        kl_http_request r;
        CHECK_RULE(kl_http_parse(&r, bytes), KL_RULE_HTTP_LINE);
    }
}

KL_TEST(http_statuses_of_rules)
{
    CHECK_U64(kl_http_status_of(KL_RULE_HTTP_FIELD), 400);
    CHECK_U64(kl_http_status_of(KL_RULE_HTTP_BODY_SIZE), 413);
    CHECK_U64(kl_http_status_of(KL_RULE_HTTP_HEAD_SIZE), 431);
    CHECK_U64(kl_http_status_of(KL_RULE_HTTP_EXPECT), 417);
    CHECK_U64(kl_http_status_of(KL_RULE_HTTP_CODING), 501);
    CHECK_U64(kl_http_status_of(KL_RULE_HTTP_VERSION), 505);
    CHECK_U64(kl_http_status_of(KL_RULE_WS_VERSION), 426);
}
