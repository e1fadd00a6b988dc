#include "codec/base58.h"

#include "base/test.h"

/* [the Base58 encoding scheme, test vectors] */
KL_TEST(base58_known_answers)
{
    static const struct {
        const char *text, *base58;
    } rows[] = {
        {"Hello World!", "2NEpo7TZRRrLZSi2U"},
        {"The quick brown fox jumps over the lazy dog.",
         "USm3fpXnKG5EUBx2ndxBDMPVciP5hGey2Jh4NDv6gmeo1LkMeiKrLJUUBk6Z"},
        {"", ""},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        char text[KL_BASE58_TEXT_MAX];
        usize len = kl_base58_encode(text, kl_span_str(rows[i].text));
        CHECK_SPAN(kl_span_of(text, len), kl_span_str(rows[i].base58));
    }
    char text[KL_BASE58_TEXT_MAX];
    (void)kl_base58_encode(text, kl_test_hex("0000287fb4cd"));
    CHECK_SPAN(kl_span_str(text), kl_span_str("11233QC4"));
}

KL_TEST(base58_round_trip)
{
    for (int i = 0; i < 2000; i++) {
        u8 bytes[KL_BASE58_BYTES_MAX], back[KL_BASE58_BYTES_MAX];
        char text[KL_BASE58_TEXT_MAX];
        usize len = kl_rand_below(seed, sizeof bytes + 1), got;
        kl_rand_fill(seed, bytes, sizeof bytes);
        memset(bytes, kl_rand_below(seed, 2) ? 0 : 255, kl_rand_below(seed, len + 1));
        usize text_len = kl_base58_encode(text, kl_span_of(bytes, len));
        CHECK_RULE(kl_base58_decode(back, &got, kl_span_of(text, text_len)), KL_RULE_NONE);
        CHECK_SPAN(kl_span_of(back, got), kl_span_of(bytes, len));
    }
}

KL_TEST(base58_refuses)
{
    u8 out[KL_BASE58_BYTES_MAX];
    usize len = 7;
    static const char *const bad[] = {"0", "O", "I", "l", "a b", "2NEpo7TZRRrLZSi2U+"};
    for (usize i = 0; i < KL_COUNT_OF(bad); i++)
        CHECK_RULE(kl_base58_decode(out, &len, kl_span_str(bad[i])), KL_RULE_BASE58_DIGIT);
    CHECK_RULE(kl_base58_decode(out, &len, kl_span_of("\0", 1)), KL_RULE_BASE58_DIGIT);
    u8 many[200];
    memset(many, '1', sizeof many);
    CHECK_RULE(kl_base58_decode(out, &len, kl_span_of(many, 65)), KL_RULE_BASE58_LENGTH);
    memset(many, 'z', sizeof many);
    CHECK_RULE(kl_base58_decode(out, &len, KL_SPAN_OF(many)), KL_RULE_BASE58_LENGTH);
    CHECK_U64(len, 7);
}
