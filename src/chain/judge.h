/* judge: executes a block over its parent's state and compares what comes out with what its header
 * promises.  This is how every block enters the chain. */
#ifndef KL_CHAIN_JUDGE_H
#define KL_CHAIN_JUDGE_H

#include "chain/run.h"

/* Runs block, whose header and body have passed rules.h.  Senders that are missing are recovered on
 * the workers first.  *broken: a TX_ or BLOCK_ row of rule.def; the changes in builder are then
 * worth nothing.  *out lives until the run's next begin. */
KL_MUST_USE kl_status kl_judge_block(struct kl_run *run, const kl_run_base *base, kl_block *block,
                                     struct kl_delta_builder *builder, bool keep_preimages,
                                     kl_run_result *out, kl_rule *broken);

#endif
