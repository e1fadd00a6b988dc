/* reward: what proof of work pays for a block and its ommers [YP section 11.3, EIP-649, EIP-1234,
 * EIP-3675]. */
#ifndef KL_EXEC_REWARD_H
#define KL_EXEC_REWARD_H

#include "base/u256.h"
#include "types/fork.h"

/* For the block itself; 0 from Paris on. */
kl_u256 kl_block_reward(kl_fork fork);

/* For the maker of an ommer that is `age` blocks older than the block that includes it, 1 to 7. */
kl_u256 kl_ommer_reward(kl_fork fork, u64 age);

/* For the maker of the block, for each ommer it includes. */
kl_u256 kl_nephew_reward(kl_fork fork);

#endif
