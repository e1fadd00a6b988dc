/* jsonrpc: JSON-RPC 2.0 [jsonrpc.org/specification]: requests and batches in, answers out.
 *
 * Ids of any JSON type come back byte for byte.  A request without an id is a notification and gets
 * no answer.  params may be missing, null, an array, or an object with the names of method.def.
 * Where the specification is silent, answers are geth's. */
#ifndef KL_RPC_JSONRPC_H
#define KL_RPC_JSONRPC_H

#include "base/buf.h"
#include "rpc/call.h"

/* Appends the answer to text to out; nothing when there is none to give.  session: NULL over HTTP.
 * False when there was no memory even to say so. */
KL_MUST_USE bool kl_jsonrpc_serve(struct kl_rpc_worker *worker, struct kl_rpc_session *session,
                                  kl_span text, struct kl_buf *out);

#endif
