#include "p2p/nuisance.h"

#include "base/test.h"

#define S UINT64_C(1000000000)

KL_TEST(nuisance_fades_and_is_bounded)
{
    kl_nuisance n = {0};
    CHECK(kl_nuisance_add(&n, KL_NUISANCE_MAX, 5 * S));
    CHECK(!kl_nuisance_add(&n, 1, 5 * S));
    CHECK(!kl_nuisance_add(&n, KL_NUISANCE_RATE, 6 * S));
    CHECK(kl_nuisance_add(&n, 0, 7 * S));
    CHECK(kl_nuisance_add(&n, KL_NUISANCE_MAX, 100 * S)); /* all has faded, and no more than that */
    CHECK(!kl_nuisance_add(&n, UINT64_MAX, 100 * S));
    CHECK(kl_nuisance_add(&n, 0, UINT64_MAX));
}

/* Little at a time fades as much as all at once, however often it is looked at. */
KL_TEST(nuisance_below_the_rate_is_borne_for_ever)
{
    kl_nuisance n = {0}, often = {0};
    u64 now_ns = 77;
    for (u32 i = 0; i < 200000; i++) {
        now_ns += S / KL_NUISANCE_RATE + kl_rand_below(seed, 2);
        CHECK(kl_nuisance_add(&n, 1, now_ns));
    }
    for (u32 i = 0; i < 100000; i++) {
        now_ns += S / KL_NUISANCE_RATE / 10;
        CHECK(kl_nuisance_add(&often, i % 10 == 0, now_ns));
    }
    u32 borne = 0;
    for (; borne < 1000000 && kl_nuisance_add(&n, 3, now_ns += 2 * S / KL_NUISANCE_RATE); borne++)
        ;
    CHECK(borne >= KL_NUISANCE_MAX - 2 && borne <= KL_NUISANCE_MAX + 2);
}
