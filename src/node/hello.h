/* hello: what nodes of a network tell one another before anything else: which chain they are on,
 * and by which forks [EIP-2124].  docs/formats/wire.md draws it.  Thread: any. */
#ifndef KL_NODE_HELLO_H
#define KL_NODE_HELLO_H

#include "base/buf.h"
#include "base/rule.h"
#include "rpc/fork_id.h"

/* Appends ours. */
void kl_hello_put(struct kl_buf *out, const kl_fork_place *place);

/* A peer may be behind us or ahead, as long as neither has missed a fork.  SWARM_NETWORK,
 * SWARM_FORK; the RLP_ rows. */
kl_rule kl_hello_judge(const kl_fork_place *place, kl_span hello);

#endif
