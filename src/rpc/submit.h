/* submit: a transaction on its way into the pool, and why it is turned away. */
#ifndef KL_RPC_SUBMIT_H
#define KL_RPC_SUBMIT_H

#include "rpc/call.h"

/* Decodes an envelope as the next block would and finds its sender; tx views raw and the call's
 * arena.  Transactions that name their sender instead of a signature have none. */
bool kl_rpc_decode_tx(struct kl_rpc_call *call, kl_span raw, kl_tx *out);

/* Admits tx, which has its sender.  On a chain that makes a block for each transaction it returns
 * behind that block, and so refuses what the next block could not hold.  *broken is the rule that
 * kept it out, for callers that can do something about it; all failures are said. */
bool kl_rpc_submit(struct kl_rpc_call *call, const kl_tx *tx, const kl_rpc_submission *how,
                   kl_rule *broken);

#endif
