/* at: the block, and the state, that a call's block parameter names.  latest, safe and finalized
 * are one: what is published never changes.  pending is the block the node would make next; its
 * state is the newest one, and its transactions are the pool's. */
#ifndef KL_RPC_AT_H
#define KL_RPC_AT_H

#include "rpc/param.h"

/* The height that ref names; *found is false when the chain has no such block.  pending is found at
 * the height of the newest block: callers that can do better look at ref->kind.  False: it failed
 * and has been said. */
bool kl_rpc_number_at(struct kl_rpc_call *call, const kl_block_ref *ref, u64 *number, bool *found);

/* The same for callers to whom a missing block is an error: "header not found". */
bool kl_rpc_number_must(struct kl_rpc_call *call, const kl_block_ref *ref, u64 *number);

/* The state after a block. */
struct kl_rpc_state {
    u64 number;
    struct kl_view *view;
    struct kl_view *own; /* to be closed; NULL when view is the reader's */
};

/* Reads the block parameter (missing: latest) and opens its state.  A state that retention has
 * dropped is an error. */
bool kl_rpc_state_at(struct kl_rpc_call *call, kl_arg block, struct kl_rpc_state *out);
bool kl_rpc_state_of(struct kl_rpc_call *call, const kl_block_ref *ref, struct kl_rpc_state *out);
void kl_rpc_state_done(struct kl_rpc_state *state); /* one that is all 0 is fine */

#endif
