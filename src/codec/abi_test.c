#include "base/test.h"
#include "codec/abi.h"

#define CHECK_IS(rule, want) CHECK_U64(rule, KL_RULE_##want)

/* f(uint, uint32[], bytes10, bytes) is the specification's own example; this is its last member,
 * behind a number, and an array of two byte strings. */
KL_TEST(abi_reads_what_the_specification_writes)
{
    kl_span tuple = kl_test_hex("0000000000000000000000000000000000000000000000000000000000000123"
                                "0000000000000000000000000000000000000000000000000000000000000080"
                                "00000000000000000000000000000000000000000000000000000000000000c0"
                                "000000000000000000000000ffffffffffffffffffffffffffffffffffffff01"
                                "000000000000000000000000000000000000000000000000000000000000000d"
                                "48656c6c6f2c20776f726c642100000000000000000000000000000000000000"
                                "0000000000000000000000000000000000000000000000000000000000000002"
                                "0000000000000000000000000000000000000000000000000000000000000040"
                                "0000000000000000000000000000000000000000000000000000000000000080"
                                "0000000000000000000000000000000000000000000000000000000000000001"
                                "6100000000000000000000000000000000000000000000000000000000000000"
                                "0000000000000000000000000000000000000000000000000000000000000000");
    u64 number;
    usize count;
    kl_address address;
    kl_span bytes, elements;
    CHECK_IS(kl_abi_u64(tuple, 0, &number), NONE);
    CHECK_U64(number, 0x123);
    CHECK_IS(kl_abi_bytes(tuple, 1, &bytes), NONE);
    CHECK_SPAN(bytes, KL_SPAN_TEXT("Hello, world!"));
    CHECK_IS(kl_abi_array(tuple, 2, &count, &elements), NONE);
    CHECK_U64(count, 2);
    CHECK_IS(kl_abi_bytes(elements, 0, &bytes), NONE);
    CHECK_SPAN(bytes, KL_SPAN_TEXT("a"));
    CHECK_IS(kl_abi_bytes(elements, 1, &bytes), NONE);
    CHECK_U64(bytes.len, 0);
    CHECK_IS(kl_abi_address(tuple, 3, &address), NONE);
    CHECK_U64(address.b[19], 1);
    CHECK_IS(kl_abi_u64(tuple, 3, &number), ABI_VALUE);
    CHECK_IS(kl_abi_u64(tuple, 12, &number), ABI_SHORT);
    CHECK_U64(number, 0x123);
    CHECK_IS(kl_abi_address(tuple, 5, &address), ABI_VALUE);
    CHECK_IS(kl_abi_bytes(tuple, 5, &bytes), ABI_VALUE);
}

/* Property: what is written is read; no prefix of it is, and no padding but zeros. */
KL_TEST(abi_bytes_round_trip)
{
    for (usize len = 0; len < 100; len++) {
        u8 text[100], room[256];
        kl_span back;
        kl_rand_fill(seed, text, sizeof text);
        kl_out out = kl_out_of(room, sizeof room);
        kl_abi_put_u64(&out, KL_ABI_WORD);
        kl_abi_put_bytes(&out, kl_span_of(text, len));
        CHECK(!out.full && out.len == KL_ABI_WORD + kl_abi_bytes_len(len));
        CHECK_IS(kl_abi_bytes(kl_out_done(&out), 0, &back), NONE);
        CHECK_SPAN(back, kl_span_of(text, len));
        for (usize cut = 0; cut < out.len; cut++)
            CHECK_IS(kl_abi_bytes(kl_span_of(room, cut), 0, &back), ABI_SHORT);
        for (usize i = 2 * KL_ABI_WORD + len; i < out.len; i++) {
            room[i] ^= 0x10;
            CHECK_IS(kl_abi_bytes(kl_out_done(&out), 0, &back), ABI_VALUE);
            room[i] ^= 0x10;
        }
    }
}

/* Lengths, counts and offsets near the ends of their ranges reach nothing. */
KL_TEST(abi_numbers_from_outside_are_bounded)
{
    u8 two[96] = {[31] = 32, [63] = 2}; /* room for one offset */
    CHECK_IS(kl_abi_array(KL_SPAN_OF(two), 0, &(usize){0}, &(kl_span){0}), ABI_SHORT);
    two[63] = 1;
    CHECK_IS(kl_abi_array(KL_SPAN_OF(two), 0, &(usize){0}, &(kl_span){0}), NONE);
    static const u64 big[] = {
        64, 65, 96, UINT32_MAX, UINT64_MAX, UINT64_MAX - 31, UINT64_MAX - 63, (u64)1 << 63};
    for (usize i = 0; i < KL_COUNT_OF(big); i++) {
        u8 room[96] = {0};
        kl_span back;
        usize count;
        kl_out out = kl_out_of(room, sizeof room);
        kl_abi_put_u64(&out, big[i] < 96 ? 96 : big[i]);
        CHECK_IS(kl_abi_tail(KL_SPAN_OF(room), 0, &back), ABI_SHORT);
        CHECK_IS(kl_abi_bytes(KL_SPAN_OF(room), 0, &back), ABI_SHORT);
        out = kl_out_of(room, sizeof room);
        kl_abi_put_u64(&out, KL_ABI_WORD);
        kl_abi_put_u64(&out, big[i]);
        CHECK_IS(kl_abi_bytes(KL_SPAN_OF(room), 0, &back), ABI_SHORT);
        CHECK_IS(kl_abi_array(KL_SPAN_OF(room), 0, &count, &back), ABI_SHORT);
    }
}
