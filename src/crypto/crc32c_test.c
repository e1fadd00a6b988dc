#include "base/test.h"
#include "crypto/crc32c_priv.h"
#include "crypto/digest.h"

/* One bit at a time. */
static u32 slow_crc32c(u32 crc, kl_span bytes)
{
    u32 r = ~crc;
    for (usize i = 0; i < bytes.len; i++) {
        r ^= bytes.p[i];
        for (int bit = 0; bit < 8; bit++)
            r = r & 1 ? r >> 1 ^ 0x82f63b78u : r >> 1;
    }
    return ~r;
}

/* [RFC 3720 appendix B.4] */
KL_TEST(crc32c_known_answers)
{
    static const struct {
        const char *hex;
        u32 crc;
    } row[] = {
        {"", 0},
        {"313233343536373839", 0xe3069283},
        {"0000000000000000000000000000000000000000000000000000000000000000", 0x8a9136aa},
        {"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", 0x62a8ab43},
        {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", 0x46dd794e},
        {"1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100", 0x113fdb5c},
    };
    for (usize i = 0; i < KL_COUNT_OF(row); i++) {
        kl_span bytes = kl_test_hex(row[i].hex);
        CHECK_U64(kl_crc32c(0, bytes), row[i].crc);
        CHECK_U64(kl_crc32c_portable(0, bytes), row[i].crc);
    }
}

KL_TEST(crc32c_matches_bit_by_bit_at_every_length)
{
    u8 bytes[300];
    kl_rand_fill(seed, bytes, sizeof bytes);
    for (usize len = 0; len <= 260; len++) {
        usize at = kl_rand_below(seed, sizeof bytes - len + 1);
        u32 start = (u32)kl_rand(seed);
        kl_span s = kl_span_of(bytes + at, len);
        u32 want = slow_crc32c(start, s);
        CHECK_U64(kl_crc32c(start, s), want);
        CHECK_U64(kl_crc32c_portable(start, s), want);
    }
}

KL_TEST(crc32c_in_pieces_is_crc32c_of_the_whole)
{
    u8 bytes[1000];
    kl_rand_fill(seed, bytes, sizeof bytes);
    for (int i = 0; i < 200; i++) {
        usize len = kl_rand_below(seed, sizeof bytes + 1), cut = kl_rand_below(seed, len + 1);
        u32 whole = kl_crc32c(0, kl_span_of(bytes, len));
        u32 first = kl_crc32c(0, kl_span_of(bytes, cut));
        CHECK_U64(kl_crc32c(first, kl_span_of(bytes + cut, len - cut)), whole);
    }
}
