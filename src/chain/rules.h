/* rules: does a header follow from its parent, and a body from its header?  Nothing is executed and
 * nothing is read: all that a verdict depends on is in the arguments [YP sections 4.3.2 and 4.3.4,
 * EIP-3675 and the EIPs named beside each rule].
 *
 * The seal of proof of work and the consensus header of BFT chains are other files' business; a
 * clock is nobody's: a time ahead of ours is "not yet", never "bad". */
#ifndef KL_CHAIN_RULES_H
#define KL_CHAIN_RULES_H

#include "base/arena.h"
#include "types/types.h"

/* Of a block [YP section 4.3.4]; the most is what the EVM can count. */
#define KL_GAS_LIMIT_MIN 5000u
#define KL_GAS_LIMIT_MAX INT64_MAX

/* What a header is judged against. */
typedef struct kl_parent {
    const kl_header *header;
    kl_hash hash;
    kl_u256
        total_difficulty; /* of its chain up to and with itself; 0 on chains that began at Paris */
} kl_parent;

/* Verdicts: the HEADER_ rows of rule.def. */
kl_rule kl_judge_header(const kl_spec *spec, const kl_header *header, const kl_parent *parent);

/* A block that the judged one descends from. */
typedef struct kl_ancestor {
    const kl_header *header;
    kl_hash hash;
    const kl_header *ommers;
    usize ommer_count;
} kl_ancestor;

/* How far back ommers may reach [YP section 11.1]. */
#define KL_ANCESTORS_MAX 7

/* Judges transactions root, ommers, withdrawals, blob gas and size of a block whose header is good.
 * Of ancestors the parent comes first, then its parent, and so on, KL_ANCESTORS_MAX of them or all
 * there are; they are only looked at when the block has ommers.  Verdicts: the BODY_ and OMMER_
 * rows.  KL_NOMEM. */
KL_MUST_USE kl_status kl_judge_body(const kl_spec *spec, const kl_block *block,
                                    const kl_ancestor *ancestors, usize ancestor_count,
                                    struct kl_arena *scratch, kl_rule *broken);

/* The roots of a body, for judging and for building. */
KL_MUST_USE kl_status kl_transactions_root(kl_hash *out, const kl_tx *txs, usize count,
                                           struct kl_arena *scratch);
KL_MUST_USE kl_status kl_withdrawals_root(kl_hash *out, const kl_withdrawal *withdrawals,
                                          usize count, struct kl_arena *scratch);
KL_MUST_USE kl_status kl_receipts_root(kl_hash *out, const kl_receipt *receipts, usize count,
                                       struct kl_arena *scratch);

#endif
