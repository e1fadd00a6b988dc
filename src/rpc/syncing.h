/* syncing: how far the node is behind the others, for keel_status. */
#ifndef KL_RPC_SYNCING_H
#define KL_RPC_SYNCING_H

#include "rpc/call.h"

/* Adds "syncing" to an object, only while it is behind, "checkpoint", where there is one, and
 * "filled", once a state was taken. */
void kl_rpc_put_syncing(struct kl_rpc_call *call);

#endif
