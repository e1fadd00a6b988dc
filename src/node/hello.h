/* hello: what nodes of a network tell one another before anything else: which chain they are on,
 * and by which forks [EIP-2124].  docs/formats/wire.md draws it.  Thread: any. */
#ifndef KL_NODE_HELLO_H
#define KL_NODE_HELLO_H

#include "base/buf.h"
#include "base/rule.h"
#include "types/spec.h"

typedef struct kl_hello_chain {
    const kl_spec *spec;
    const kl_hash *genesis;
    u64 genesis_time;
} kl_hello_chain;

/* Appends ours, of a node whose newest block has that height and time. */
void kl_hello_put(struct kl_buf *out, const kl_hello_chain *chain, u64 number, u64 time);

/* A peer may be behind us or ahead: its forks must be some of ours, up to any one of them.
 * SWARM_NETWORK; the RLP_ rows.  What stands behind the known items is for later versions. */
kl_rule kl_hello_judge(const kl_hello_chain *chain, kl_span hello);

#endif
