/* bft_priv: what the files of chain share of votes: epochs, consensus headers. */
#ifndef KL_CHAIN_BFT_PRIV_H
#define KL_CHAIN_BFT_PRIV_H

#include "chain/chain_priv.h"

static inline bool kl_chain_votes(const struct kl_chain *chain)
{
    return chain->spec.engine == KL_ENGINE_SIMPLEX;
}

/* epoch.c: an epoch with a copy of set.  KL_NOMEM. */
KL_MUST_USE kl_status kl_epoch_new(struct kl_epoch **out, const kl_spec *spec, u64 number,
                                   const kl_valset *set);
/* The epoch of block number >= 1. */
static inline u64 kl_epoch_of(const kl_spec *spec, u64 number)
{
    return (number - 1) / spec->bft.epoch_blocks;
}
/* The epoch as the state has it.  KL_CORRUPT. */
KL_MUST_USE kl_status kl_epoch_load(struct kl_epoch **out, const struct kl_chain *chain,
                                    struct kl_view *view, u64 number, struct kl_arena *scratch);
/* Does an epoch begin behind this block? */
static inline bool kl_is_anchor(const kl_spec *spec, u64 number)
{
    return number % spec->bft.epoch_blocks == 0;
}

/* genesis_votes.c: consensus header 0 and epoch 0 become the chain's; *fault is what is wrong with
 * the file.  Nothing to do where nobody votes.  KL_NOMEM. */
KL_MUST_USE kl_status kl_chain_learn_votes(struct kl_chain *chain, const kl_genesis *genesis,
                                           kl_file_fault *fault);

/* What a block's consensus header is judged against. */
typedef struct kl_bft_parent {
    const kl_header *header;
    const kl_consensus_header *consensus;
    const kl_valset *set; /* of the block's epoch; NULL: it is not known, and no signature judged */
} kl_bft_parent;

/* consensus.c: the header of a block on top of parent, but for next_set_hash. */
kl_consensus_header kl_bft_header(const kl_spec *spec, const kl_bft_parent *parent,
                                  const kl_bft_plan *plan);
/* A block and its consensus header, which was read by itself, against the parent: all but what
 * execution gives.  header has passed kl_judge_header. */
kl_rule kl_bft_judge(const struct kl_chain *chain, const kl_bft_parent *parent,
                     const kl_block *block, const kl_consensus_header *consensus);
/* The leader's share of randomness alone. */
kl_rule kl_bft_judge_share(const struct kl_chain *chain, const kl_valset *set,
                           const kl_consensus_header *consensus);
/* extraData against the consensus header's bytes. */
kl_rule kl_bft_judge_hash(const kl_header *header, kl_span consensus);
/* The finalization in a block's record; set NULL: no signature is judged. */
kl_rule kl_bft_judge_final(const struct kl_chain *chain, const kl_block *block,
                           const kl_consensus_header *consensus, const kl_valset *set,
                           kl_span finalization);
/* What the run of a block on top of parent's tip needs. */
kl_run_votes kl_bft_run_votes(const struct kl_chain *chain, const struct kl_tip *parent,
                              const kl_consensus_header *consensus);

/* body.c: the two parts of a body, each by itself. */
kl_rule kl_body_split(kl_span bytes, kl_span *block, kl_span *consensus);

/* unexecuted.c: what a record is judged against when it cannot be executed. */
struct kl_unexecuted {
    struct kl_chain *chain;
    struct kl_arena *arena;
    bool linked; /* parent is that of the next block */
    kl_header parent;
    kl_hash parent_hash;
    kl_consensus_header consensus; /* the parent's, where validators vote */
    struct kl_epoch *epoch;        /* of the next block; NULL: the records began in it */
    kl_hash off_pin;               /* behind PIN_BLOCK: what stands in the pinned one's place */
};
/* A block's record, which becomes the next one's parent when nothing is broken. */
KL_MUST_USE kl_status kl_unexecuted_judge(struct kl_unexecuted *j, u8 kind, kl_span payload,
                                          kl_rule *broken);

/* import.c: judges a block; consensus is the RLP of its consensus header, where validators vote. */
KL_MUST_USE kl_status kl_judge_parts(struct kl_chain *chain, struct kl_run *run,
                                     struct kl_tip *parent, kl_span block, kl_span consensus,
                                     struct kl_tip **out, kl_rule *broken);

#endif
