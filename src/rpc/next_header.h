/* next_header: the header that a block made at this moment on top of head would have, as far as it
 * is known before its transactions run: for pending calls and for questions about fees. */
#ifndef KL_RPC_NEXT_HEADER_H
#define KL_RPC_NEXT_HEADER_H

#include "rpc/call.h"

/* gas_used, roots, bloom, and what else execution determines are 0. */
void kl_rpc_next_header(struct kl_rpc_call *call, const struct kl_tip *head, kl_header *out);

#endif
