/* difficulty: what proof of work asks of a block, from its parent [YP section 4.3.4, EIP-2,
 * EIP-100, EIP-649, EIP-1234, EIP-2384, EIP-3554, EIP-4345, EIP-5133]. */
#ifndef KL_CHAIN_DIFFICULTY_H
#define KL_CHAIN_DIFFICULTY_H

#include "types/header.h"

/* The difficulty under fork (before Paris) of the block after parent at timestamp, which is later
 * than the parent's. */
kl_u256 kl_difficulty_after(const kl_header *parent, u64 timestamp, kl_fork fork);

#endif
