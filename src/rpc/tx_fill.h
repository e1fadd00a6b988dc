/* tx_fill: a whole transaction from what a caller has named of it. */
#ifndef KL_RPC_TX_FILL_H
#define KL_RPC_TX_FILL_H

#include "rpc/tx_args.h"

/* Chooses what is missing, as geth does: the sender (the node's first account), the nonce behind
 * what the pool has, the fees (the suggested tip on top of twice the base fee), the gas (an
 * estimate in the next block), the type (the least that holds what is named; EIP-1559 fees where
 * there are any).  There is no signature yet.  *out views args. */
bool kl_rpc_fill_tx(struct kl_rpc_call *call, const kl_tx_args *args, kl_tx *out);

/* Encodes with whatever signature is set: raw and hash; tx becomes a view of its own envelope, as
 * the pool wants it. */
bool kl_rpc_seal_tx(struct kl_rpc_call *call, kl_tx *tx);

/* Signs with the sender's key or, of an impersonated account of a dev chain, in its name; sets
 * the signature and seals. */
bool kl_rpc_sign_tx(struct kl_rpc_call *call, kl_tx *tx);

#endif
