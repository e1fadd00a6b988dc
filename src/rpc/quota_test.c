#include "rpc/quota.h"

#include "base/test.h"

#define SECOND UINT64_C(1000000000)

static struct kl_quota quota;

static kl_tcp_address at(u8 a, u8 b, u8 c, u8 d)
{
    return (kl_tcp_address){.ip = {a, b, c, d}};
}

static u64 taken(u32 place, u64 tries, u64 now_ns)
{
    u64 count = 0;
    for (u64 i = 0; i < tries; i++)
        count += kl_quota_take(&quota, place, now_ns);
    return count;
}

KL_TEST(quota_is_a_bucket_that_fills_with_time)
{
    kl_quota_init(&quota, 100, *seed);
    kl_tcp_address one = at(192, 0, 2, 1);
    u32 place = kl_quota_place(&quota, &one);
    CHECK(place < KL_QUOTA_PLACES);
    CHECK_U64(taken(place, 1000, 5 * SECOND), 400);
    CHECK_U64(taken(place, 1000, 5 * SECOND), 0);
    CHECK_U64(taken(place, 1000, 6 * SECOND), 100);
    CHECK_U64(taken(place, 1000, 6 * SECOND + SECOND / 100), 1);
    CHECK_U64(taken(place, 1000, 100 * SECOND), 400); /* no more than that is saved up */
    /* Less than one in the time that may come at once. */
    kl_quota_init(&quota, 1, *seed);
    place = kl_quota_place(&quota, &one);
    CHECK_U64(taken(place, 10, 5 * SECOND), 4);
}

KL_TEST(quota_is_of_an_address)
{
    kl_quota_init(&quota, 10, *seed);
    u32 places[256];
    usize shared = 0;
    for (u32 i = 0; i < 256; i++) {
        kl_tcp_address a = at(198, 51, 100, (u8)i);
        places[i] = kl_quota_place(&quota, &a);
        a.port = 77; /* means nothing */
        CHECK_U64(kl_quota_place(&quota, &a), places[i]);
        for (u32 j = 0; j < i; j++)
            shared += places[i] == places[j];
    }
    CHECK(shared < 40); /* 8 of them, in the mean */
    /* Of IPv6 the network. */
    kl_tcp_address six = {.six = true, .ip = {0x20, 1, 0x0d, 0xb8, 1, 2, 3, 4, 5}};
    u32 place = kl_quota_place(&quota, &six);
    six.ip[15] = 9;
    CHECK_U64(kl_quota_place(&quota, &six), place);
    CHECK(place < KL_QUOTA_PLACES);
    /* Our own machine's, and where there is no bound. */
    kl_tcp_address own = at(127, 0, 0, 5), own_six = {.six = true, .ip = {[15] = 1}};
    CHECK_U64(kl_quota_place(&quota, &own), KL_QUOTA_NO_PLACE);
    CHECK_U64(kl_quota_place(&quota, &own_six), KL_QUOTA_NO_PLACE);
    CHECK_U64(taken(KL_QUOTA_NO_PLACE, 1000, 1), 1000);
    kl_quota_init(&quota, 0, *seed);
    kl_tcp_address any = at(192, 0, 2, 1);
    CHECK_U64(kl_quota_place(&quota, &any), KL_QUOTA_NO_PLACE);
}
