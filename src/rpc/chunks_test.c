#include "base/test.h"
#include "rpc/http.h"

/* Takes a chunked body in pieces of the given sizes; *body_len is that of the result, at out. */
static kl_rule take(kl_span raw, usize first, usize second, usize body_max, u8 *out,
                    struct kl_http_chunks *c, usize *used)
{
    u8 buffer[512];
    KL_ASSERT(raw.len <= sizeof buffer);
    memcpy(buffer, raw.p, raw.len);
    usize cuts[] = {0, first, second, raw.len}, body_len = 0;
    *c = (struct kl_http_chunks){0};
    *used = 0;
    for (usize i = 0; i + 1 < KL_COUNT_OF(cuts) && !c->done; i++) {
        usize took, put;
        /* in place: what is decoded moves together at the start of the buffer */
        KL_JUDGE(kl_http_chunks(c, buffer + body_len,
                                kl_span_of(buffer + cuts[i], cuts[i + 1] - cuts[i]), body_max,
                                &took, &put));
        CHECK(c->done || took == cuts[i + 1] - cuts[i]);
        *used += took;
        body_len += put;
        CHECK_U64(body_len, c->body_len);
    }
    memcpy(out, buffer, body_len);
    return KL_RULE_NONE;
}

/* Property: every split of a body into three reads gives the same body, and ends at the same byte.
 */
KL_TEST(chunks_decode_however_they_arrive)
{
    static const char raw[] = "5\r\nhello\r\n0A;ext=\"v\"\r\n, chunked!\r\n1\r\n\n\r\n000\r\n"
                              "Trailer: x\r\nAnother: \xc3\xa9\r\n\r\nPOST";
    static const char body[] = "hello, chunked!\n";
    usize raw_len = sizeof raw - 1, end = raw_len - 4;
    for (usize a = 0; a <= raw_len; a++)
        for (usize b = a; b <= raw_len; b++) {
            u8 out[512];
            struct kl_http_chunks c;
            usize used;
            CHECK_RULE(take(kl_span_of(raw, raw_len), a, b, 16, out, &c, &used), KL_RULE_NONE);
            CHECK(c.done);
            CHECK_U64(used, end);
            CHECK_SPAN(kl_span_of(out, c.body_len), KL_SPAN_TEXT(body));
        }
}

KL_TEST(chunks_refuse_every_other_form)
{
    static const struct {
        const char *raw;
        kl_rule rule;
    } rows[] = {
        {"\r\n", KL_RULE_HTTP_CHUNK},
        {";x\r\n", KL_RULE_HTTP_CHUNK},
        {"g\r\n", KL_RULE_HTTP_CHUNK},
        {"-1\r\n", KL_RULE_HTTP_CHUNK},
        {" 1\r\n", KL_RULE_HTTP_CHUNK},
        {"1 \r\n", KL_RULE_HTTP_CHUNK},
        {"0x1\r\n", KL_RULE_HTTP_CHUNK},
        {"1\nx", KL_RULE_HTTP_CHUNK},
        {"1\rx", KL_RULE_HTTP_CHUNK},
        {"1;a\nb\r\n", KL_RULE_HTTP_CHUNK},
        {"1;\x7f\r\n", KL_RULE_HTTP_CHUNK},
        {"1\r\nxx", KL_RULE_HTTP_CHUNK},
        {"1\r\nx\n", KL_RULE_HTTP_CHUNK},
        {"1\r\nx\rx", KL_RULE_HTTP_CHUNK},
        {"0\r\nX\n", KL_RULE_HTTP_CHUNK},
        {"0\r\nX\rY", KL_RULE_HTTP_CHUNK},
        {"0\r\n\rX", KL_RULE_HTTP_CHUNK},
        {"00000000000000001\r\n", KL_RULE_HTTP_CHUNK}, /* 17 digits */
        {"0000000000000001\r\nx\r\n0\r\n\r\n", KL_RULE_NONE},
        {"fffffffffffffff1\r\n", KL_RULE_HTTP_BODY_SIZE},
        {"9\r\n", KL_RULE_HTTP_BODY_SIZE},
        {"8\r\n12345678\r\n0\r\n\r\n", KL_RULE_NONE},
        {"7\r\n1234567\r\n2\r\n", KL_RULE_HTTP_BODY_SIZE},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        u8 out[512];
        struct kl_http_chunks c;
        usize used;
        CHECK_RULE(take(kl_span_str(rows[i].raw), 0, 0, 8, out, &c, &used), rows[i].rule);
        CHECK(c.done == (rows[i].rule == KL_RULE_NONE));
    }
}

KL_TEST(chunks_bound_what_is_ignored)
{
    static const char *const starts[] = {"0;", "0\r\n"};
    for (usize i = 0; i < KL_COUNT_OF(starts); i++) {
        struct kl_http_chunks c = {0};
        u8 byte[16];
        usize used, put;
        kl_rule rule = kl_http_chunks(&c, byte, kl_span_str(starts[i]), 8, &used, &put);
        CHECK_RULE(rule, KL_RULE_NONE);
        for (usize n = 0; n < KL_HTTP_TRAILER_MAX; n++)
            CHECK_RULE(kl_http_chunks(&c, byte, KL_SPAN_TEXT("a"), 8, &used, &put), KL_RULE_NONE);
        CHECK_RULE(kl_http_chunks(&c, byte, KL_SPAN_TEXT("a"), 8, &used, &put), KL_RULE_HTTP_CHUNK);
    }
}
