#include "base/span.h"

#include "base/hash.h"
#include "base/int.h"
#include "base/test.h"

/* Property: the checked sum agrees with 128-bit arithmetic. */
KL_TEST(add_u64_matches_the_wide_sum)
{
    for (int i = 0; i < 10000; i++) {
        u64 a = kl_rand(seed), b = kl_rand(seed) >> (kl_rand(seed) % 64), got = 7;
        u128 want = (u128)a + b;
        if (kl_add_u64(&got, a, b))
            CHECK(got == want);
        else
            CHECK((want >> 64) != 0 && got == 7);
    }
}

KL_TEST(spans_order_bytewise_with_prefixes_first)
{
    CHECK(kl_span_cmp(KL_SPAN_TEXT("ab"), KL_SPAN_TEXT("abc")) < 0);
    CHECK(kl_span_cmp(KL_SPAN_TEXT("b"), KL_SPAN_TEXT("abc")) > 0);
    CHECK(kl_span_cmp(KL_SPAN_NONE, KL_SPAN_NONE) == 0);
    CHECK(kl_span_sub(KL_SPAN_TEXT("abc"), 3, 1).len == 0);
    CHECK_SPAN(kl_span_sub(KL_SPAN_TEXT("abc"), 1, 9), KL_SPAN_TEXT("bc"));
}

KL_TEST(a_full_writer_stays_full_and_writes_nothing)
{
    u8 room[4] = {0};
    kl_out out = kl_out_of(room, sizeof room);
    kl_out_be32(&out, 0x01020304);
    CHECK(!out.full);
    kl_out_u8(&out, 9);
    CHECK(out.full && out.len == 4);
    kl_out counter = kl_out_counter();
    kl_out_bytes(&counter, room, 4);
    CHECK_U64(counter.len, 4);
}

KL_TEST(spans_are_cut_from_the_front)
{
    kl_span text = KL_SPAN_TEXT("abcde");
    CHECK(kl_span_eq(kl_span_take(&text, 2), KL_SPAN_TEXT("ab")));
    CHECK(kl_span_eq(kl_span_take(&text, 0), KL_SPAN_NONE) && text.len == 3);
    CHECK(kl_span_eq(kl_span_take(&text, 9), KL_SPAN_TEXT("cde")) && text.len == 0);
    CHECK(kl_span_take(&text, 1).len == 0);
}

KL_TEST(hashes_have_a_next_one)
{
    kl_hash hash = {{0}}, last;
    CHECK(kl_hash_next(&hash) && hash.b[31] == 1);
    memset(hash.b + 30, 0xff, 2);
    CHECK(kl_hash_next(&hash) && hash.b[29] == 1 && hash.b[30] == 0 && hash.b[31] == 0);
    memset(&hash, 0xff, sizeof hash);
    last = hash;
    CHECK(!kl_hash_next(&hash) && kl_hash_eq(&hash, &last));
    hash.b[0] = 7;
    CHECK(kl_hash_next(&hash) && hash.b[0] == 8 && hash.b[1] == 0 && hash.b[31] == 0);
}
