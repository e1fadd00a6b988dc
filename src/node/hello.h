/* hello: what nodes of a network tell one another before anything else: which chain they are on,
 * by which forks [EIP-2124], and, as validators and their sentries, why they are to be let in.
 * docs/formats/wire.md draws it.  Thread: any. */
#ifndef KL_NODE_HELLO_H
#define KL_NODE_HELLO_H

#include "base/buf.h"
#include "base/rule.h"
#include "rpc/fork_id.h"

/* Appends ours; pass: an announcement (herald.h), or nothing. */
void kl_hello_put(struct kl_buf *out, const kl_fork_place *place, kl_span pass);

/* A peer may be behind us or ahead, as long as neither has missed a fork.  SWARM_NETWORK,
 * SWARM_FORK; the RLP_ rows. */
kl_rule kl_hello_judge(const kl_fork_place *place, kl_span hello);

/* The announcement in one that was judged good; nothing: there is none. */
kl_span kl_hello_pass(kl_span hello);

#endif
