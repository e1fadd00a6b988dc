/* reward: shares of the block reward; the division is exact for all forks. */
#include "exec/reward.h"

#define ETHER 1000000000000000000u

kl_u256 kl_block_reward(kl_fork fork)
{
    u64 ether = fork >= KL_PARIS ? 0 : fork >= KL_CONSTANTINOPLE ? 2 : fork >= KL_BYZANTIUM ? 3 : 5;
    return kl_u256_of(ether * ETHER);
}

kl_u256 kl_ommer_reward(kl_fork fork, u64 age)
{
    KL_ASSERT(age <= 8);
    return kl_u256_mul(kl_u256_shr(kl_block_reward(fork), 3), kl_u256_of(8 - age));
}

kl_u256 kl_nephew_reward(kl_fork fork)
{
    return kl_u256_shr(kl_block_reward(fork), 5);
}
