/* estimate: the least gas limit under which a message succeeds. */
#ifndef KL_RPC_ESTIMATE_H
#define KL_RPC_ESTIMATE_H

#include "rpc/call_env.h"

/* By trial in env, as geth's estimator goes about it.  The limit named in args (at least 21,000),
 * else the block's, bounds it; so do EIP-7825's cap, what the sender can pay for at the price in
 * args, and the node's cap for calls.  False, and said: the message reverts or fails whatever the
 * limit, or needs more than that. */
bool kl_rpc_estimate_gas(struct kl_call_env *env, const kl_tx_args *args, u64 *out);

#endif
