#include "codec/hex.h"

#include "base/test.h"

static kl_rule u64_of(u64 *v, const char *text)
{
    return kl_hex_u64(v, kl_span_str(text));
}

KL_TEST(hex_bytes_round_trip)
{
    for (int i = 0; i < 3000; i++) {
        u8 bytes[300], back[300];
        char digits[600];
        usize len = kl_rand_below(seed, sizeof bytes + 1);
        kl_rand_fill(seed, bytes, len);
        kl_hex_digits(digits, kl_span_of(bytes, len));
        for (usize k = 0; k < 2 * len; k++) {
            unsigned nibble = k % 2 ? bytes[k / 2] & 15u : bytes[k / 2] >> 4;
            CHECK(digits[k] == "0123456789abcdef"[nibble]);
            if (kl_rand(seed) & 1 && digits[k] >= 'a')
                digits[k] = (char)(digits[k] - 'a' + 'A');
        }
        CHECK_RULE(kl_hex_parse(back, len, kl_span_of(digits, 2 * len)), KL_RULE_NONE);
        CHECK_SPAN(kl_span_of(back, len), kl_span_of(bytes, len));
    }
}

/* Property: of the 256 bytes exactly the 22 digits are digits, at every place of a long text. */
KL_TEST(hex_refuses_every_other_byte)
{
    u8 digits[80], back[40];
    for (usize at = 0; at < sizeof digits; at++)
        for (unsigned c = 0; c < 256; c++) {
            memset(digits, '7', sizeof digits);
            digits[at] = (u8)c;
            bool good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
            CHECK_RULE(kl_hex_parse(back, sizeof back, KL_SPAN_OF(digits)),
                       good ? KL_RULE_NONE : KL_RULE_HEX_DIGIT);
        }
}

KL_TEST(hex_lengths_are_exact)
{
    u8 two[2];
    CHECK_RULE(kl_hex_parse(two, 2, KL_SPAN_TEXT("aabbc")), KL_RULE_HEX_LENGTH);
    CHECK_RULE(kl_hex_parse(two, 2, KL_SPAN_TEXT("aabbcc")), KL_RULE_HEX_LENGTH);
    CHECK_RULE(kl_hex_parse(two, 2, KL_SPAN_TEXT("aa")), KL_RULE_HEX_LENGTH);
    CHECK_RULE(kl_hex_fixed(two, 2, KL_SPAN_TEXT("0xaABb")), KL_RULE_NONE);
    CHECK_HEX(kl_span_of(two, 2), "aabb");
    CHECK_RULE(kl_hex_fixed(two, 2, KL_SPAN_TEXT("aabb")), KL_RULE_HEX_PREFIX);
    CHECK_RULE(kl_hex_fixed(two, 2, KL_SPAN_TEXT("0")), KL_RULE_HEX_PREFIX);
    CHECK_RULE(kl_hex_fixed(two, 2, KL_SPAN_TEXT("0xaaB")), KL_RULE_HEX_LENGTH);
    CHECK_RULE(kl_hex_fixed(two, 0, KL_SPAN_TEXT("0x")), KL_RULE_NONE);
}

KL_TEST(hex_data_goes_into_the_arena)
{
    struct kl_arena arena;
    kl_arena_init(&arena, 1 << 16);
    bool no_memory;
    kl_span data = KL_SPAN_TEXT("untouched");
    CHECK_RULE(kl_hex_data(&data, KL_SPAN_TEXT("0x00fF"), &arena, &no_memory), KL_RULE_NONE);
    CHECK_HEX(data, "00ff");
    CHECK_RULE(kl_hex_data(&data, KL_SPAN_TEXT("0x0"), &arena, &no_memory), KL_RULE_HEX_LENGTH);
    CHECK_RULE(kl_hex_data(&data, KL_SPAN_TEXT("0x0g"), &arena, &no_memory), KL_RULE_HEX_DIGIT);
    CHECK_RULE(kl_hex_data(&data, KL_SPAN_TEXT("00"), &arena, &no_memory), KL_RULE_HEX_PREFIX);
    CHECK_HEX(data, "00ff");
    CHECK_RULE(kl_hex_data(&data, KL_SPAN_TEXT("0x"), &arena, &no_memory), KL_RULE_NONE);
    CHECK(data.p == NULL && data.len == 0 && !no_memory);
    struct kl_arena none;
    kl_arena_init(&none, 0);
    CHECK_RULE(kl_hex_data(&data, KL_SPAN_TEXT("0x00"), &none, &no_memory), KL_RULE_NONE);
    CHECK(no_memory);
    kl_arena_done(&arena);
}

KL_TEST(hex_numbers_are_read_leniently)
{
    u64 v = 7;
    CHECK_RULE(u64_of(&v, "0x"), KL_RULE_HEX_EMPTY);
    CHECK_RULE(u64_of(&v, "12"), KL_RULE_HEX_PREFIX);
    CHECK_RULE(u64_of(&v, ""), KL_RULE_HEX_PREFIX);
    CHECK_RULE(u64_of(&v, "0xg"), KL_RULE_HEX_DIGIT);
    CHECK_RULE(u64_of(&v, "0x10000000000000000"), KL_RULE_HEX_WIDE);
    CHECK_U64(v, 7);
    CHECK_RULE(u64_of(&v, "0x0"), KL_RULE_NONE);
    CHECK_U64(v, 0);
    CHECK_RULE(u64_of(&v, "0X0000000000000000000000000000000000000000000000000000001F"),
               KL_RULE_NONE);
    CHECK_U64(v, 31);
    CHECK_RULE(u64_of(&v, "0xffffffffffffffff"), KL_RULE_NONE);
    CHECK(v == UINT64_MAX);
}

KL_TEST(hex_numbers_round_trip)
{
    char text[KL_HEX_U256_MAX];
    for (int i = 0; i < 5000; i++) {
        u8 be[32];
        kl_rand_fill(seed, be, sizeof be);
        memset(be, 0, kl_rand_below(seed, 33));
        kl_u256 v = kl_u256_from_be(be), back;
        usize len = kl_hex_of_u256(text, v);
        unsigned digits = KL_MAX(1u, (kl_u256_bits(v) + 3) / 4);
        CHECK_U64(len, 2 + digits);
        CHECK(text[len] == 0);
        CHECK_RULE(kl_hex_u256(&back, kl_span_of(text, len)), KL_RULE_NONE);
        CHECK(kl_u256_eq(back, v));
        char small[KL_HEX_U64_MAX];
        len = kl_hex_of_u64(small, v.w[0]);
        kl_u256 low = kl_u256_of(v.w[0]);
        CHECK_U64(kl_hex_of_u256(text, low), len);
        CHECK(memcmp(small, text, len + 1) == 0);
    }
    CHECK_U64(kl_hex_of_u256(text, KL_U256_MAX), 66);
    CHECK_U64(kl_hex_of_u64(text, 0), 3);
    CHECK_SPAN(kl_span_str(text), KL_SPAN_TEXT("0x0"));
}
