#include "exec/reward.h"

#include "base/test.h"

#define FINNEY 1000000000000000u

static u64 finney(kl_u256 wei)
{
    u64 n;
    CHECK(kl_u256_is_zero(kl_u256_mod(wei, kl_u256_of(FINNEY / 1000))));
    CHECK(kl_u256_to_u64(&n, kl_u256_div(wei, kl_u256_of(FINNEY))));
    return n;
}

KL_TEST(reward_falls_by_fork)
{
    CHECK_U64(finney(kl_block_reward(KL_FRONTIER)), 5000);
    CHECK_U64(finney(kl_block_reward(KL_SPURIOUS)), 5000);
    CHECK_U64(finney(kl_block_reward(KL_BYZANTIUM)), 3000);
    CHECK_U64(finney(kl_block_reward(KL_CONSTANTINOPLE)), 2000);
    CHECK_U64(finney(kl_block_reward(KL_GRAY_GLACIER)), 2000);
    CHECK_U64(finney(kl_block_reward(KL_PARIS)), 0);
    CHECK_U64(finney(kl_block_reward(KL_FORK_NEWEST)), 0);
}

KL_TEST(reward_of_ommers_falls_by_age)
{
    for (u64 age = 1; age <= 7; age++)
        CHECK_U64(finney(kl_ommer_reward(KL_FRONTIER, age)), 5000 * (8 - age) / 8);
    CHECK_U64(finney(kl_ommer_reward(KL_BYZANTIUM, 1)), 2625);
    CHECK_U64(finney(kl_nephew_reward(KL_BYZANTIUM)), 93); /* 93.75 */
    CHECK_U64(finney(kl_nephew_reward(KL_CONSTANTINOPLE)), 62);
}
