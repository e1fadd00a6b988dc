/* tx_args: the transaction object of eth_call, eth_estimateGas, eth_sendTransaction and the like
 * [execution-apis GenericTransaction]. */
#ifndef KL_RPC_TX_ARGS_H
#define KL_RPC_TX_ARGS_H

#include "rpc/param.h"
#include "types/tx.h"

/* What was given; the rest is for the method to choose.  Lists live in the call's arena. */
typedef struct kl_tx_args {
    bool has_from, has_to, has_gas, has_nonce, has_chain_id, has_value, has_data;
    bool has_gas_price, has_max_fee, has_max_priority_fee, has_max_blob_fee;
    bool has_access_list, has_blob_hashes, has_authorizations;
    kl_address from, to;
    u64 gas, nonce, chain_id;
    kl_u256 value, gas_price, max_fee, max_priority_fee, max_blob_fee;
    kl_span data; /* "input", or "data": tools send either, or both with the same bytes */
    const kl_access *access_list;
    usize access_count;
    const kl_hash *blob_hashes;
    usize blob_count;
    kl_authorization *authorizations;
    usize authorization_count;
} kl_tx_args;

/* Also judges what cannot stand together: a gas price beside an EIP-1559 fee, data beside another
 * input.  *out is untouched on failure. */
bool kl_arg_tx(struct kl_rpc_call *call, kl_arg arg, kl_tx_args *out);

/* [{address, storageKeys}], in the call's arena. */
bool kl_arg_access_list(struct kl_rpc_call *call, kl_arg arg, const kl_access **out, usize *count);

#endif
