/* dev: what the evm_, anvil_ and hardhat_ methods share.  They answer as Anvil does. */
#ifndef KL_RPC_DEV_PRIV_H
#define KL_RPC_DEV_PRIV_H

#include "rpc/param.h"

/* Applies the operation and waits until readers see it; false when that has been said to fail.  A
 * reader opened before does not see it. */
KL_MUST_USE bool kl_rpc_dev_apply(struct kl_rpc_call *call, kl_devop *op);
/* The same, answering null. */
KL_MUST_USE bool kl_rpc_dev_done(struct kl_rpc_call *call, kl_devop *op);

/* The newest published dev environment, and seconds of chain time now; false when the chain cannot
 * be read. */
KL_MUST_USE bool kl_rpc_dev_env(struct kl_rpc_call *call, const kl_dev_env **out);
u64 kl_rpc_dev_wall_s(const struct kl_rpc_call *call);

/* The next block gets this timestamp, and time goes on from it. */
KL_MUST_USE bool kl_rpc_dev_next_timestamp(struct kl_rpc_call *call, u64 timestamp);

#endif
