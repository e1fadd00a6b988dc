/* revert: what a reverted call says about its reason. */
#ifndef KL_RPC_REVERT_H
#define KL_RPC_REVERT_H

#include "base/span.h"

/* Reads Error(string) and Panic(uint256) [Solidity ABI]: the reason as text, cut to fit size with
 * its NUL.  False when output has neither form. */
bool kl_revert_reason(char *out, usize size, kl_span output);

#endif
