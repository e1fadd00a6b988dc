/* call_override: what the caller of eth_call and its like puts in the place of the chain's own
 * [geth StateOverride, BlockOverrides]. */
#ifndef KL_RPC_CALL_OVERRIDE_H
#define KL_RPC_CALL_OVERRIDE_H

#include "rpc/call_env.h"

/* {address: {balance, nonce, code, state | stateDiff}}, in the call's arena; 0 of them when arg is
 * missing. */
bool kl_arg_state_overrides(struct kl_rpc_call *call, kl_arg arg, const kl_state_override **out,
                            usize *count);

/* {number, time, gasLimit, feeRecipient, prevRandao, difficulty, baseFeePerGas, blobBaseFee} and
 * geth's older names, applied to header; *blob_base_fee is set when has_blob_base_fee. */
bool kl_arg_block_overrides(struct kl_rpc_call *call, kl_arg arg, kl_header *header,
                            bool *has_blob_base_fee, kl_u256 *blob_base_fee);

/* Applies overrides to the journal as if by a transaction before everything. */
KL_MUST_USE kl_status kl_state_override_apply(struct kl_journal *journal,
                                              const kl_state_override *overrides, usize count);

#endif
