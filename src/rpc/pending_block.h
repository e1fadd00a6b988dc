/* pending_block: the block the node would make next, as far as it can be told beforehand: its
 * header and the pool's pending transactions. */
#ifndef KL_RPC_PENDING_BLOCK_H
#define KL_RPC_PENDING_BLOCK_H

#include "rpc/call.h"

/* In the call's arena; false when it failed and has been said. */
bool kl_rpc_pending_block(struct kl_rpc_call *call, kl_block *out);

#endif
