#include "base/span.h"

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
