/* fee: what to offer for a place in the next block. */
#ifndef KL_RPC_FEE_H
#define KL_RPC_FEE_H

#include "rpc/call.h"

/* The tip per gas that is likely to be enough, in wei: 1 gwei while blocks have room to spare, and
 * when the newest block is nearly full what three of five of its transactions paid at most, up to
 * 500 gwei.  False when that has been said to fail. */
bool kl_rpc_suggest_tip(struct kl_rpc_call *call, kl_u256 *out);

/* What a blob costs per unit in a block with this header; 0 before there were blobs. */
kl_u256 kl_rpc_blob_fee(const kl_spec *spec, const kl_header *header);

/* What gas has earned the producer of a block: tips, sorted, with the gas they were paid for. */
typedef struct kl_tip_paid {
    kl_u256 tip; /* per gas, after the base fee */
    u64 gas;
} kl_tip_paid;
/* Of a block's transactions, lowest tip first; in the call's arena, NULL when it is exhausted. */
kl_tip_paid *kl_rpc_tips_paid(struct kl_rpc_call *call, const kl_stored_block *block);

#endif
