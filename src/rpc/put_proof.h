/* put_proof: what an account holds, with the way to it, as eth_getProof answers [EIP-1186]. */
#ifndef KL_RPC_PUT_PROOF_H
#define KL_RPC_PUT_PROOF_H

#include "rpc/param.h"

enum { KL_PROOF_SLOTS_MAX = 1024 };

/* keys: an array of slots, or missing.  False: it failed and has been said. */
bool kl_rpc_put_proof(struct kl_rpc_call *call, struct kl_view *view, const kl_address *address,
                      kl_arg keys);

#endif
