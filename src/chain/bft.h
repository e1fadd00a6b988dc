/* bft: what stands beside the blocks of a chain whose validators vote [DESIGN 4 and 7,
 * docs/formats/consensus.md].
 *
 * Blocks are Ethereum's; beside each lies its consensus header, whose hash is the block's
 * extraData, and the Finalization that made it final, unless a later block's did.  Both are parts
 * of the block's ledger record.  What is proposed and travels is the body: the block and its
 * consensus header, one behind the other.
 *
 * Epochs: block n >= 1 belongs to epoch (n - 1) / epoch_blocks.  The genesis names the validators
 * of epoch 0; an epoch's last block commits to those of the next, which are what the policy makes
 * of the state behind it: the policy contract is asked by a system call, and what it says is let in
 * step by step (cert/policy.h).  A contract that fails or talks nonsense leaves the set as it is.
 *
 * Verdicts on a consensus header: the CONSENSUS_ rows of rule.def.  A clock is nobody's business
 * here: whoever votes compares time_ms with its own. */
#ifndef KL_CHAIN_BFT_H
#define KL_CHAIN_BFT_H

#include "base/buf.h"
#include "base/sync.h"
#include "cert/cert.h"
#include "types/types.h"

struct kl_chain;
struct kl_tip;
struct kl_reader;

/* An epoch; immutable, shared by the tips in it. */
struct kl_epoch {
    kl_refs refs;
    u64 number;
    u64 first_height, last_height;
    kl_valset set; /* its validators lie behind */
    kl_validator validators[];
};
struct kl_epoch *kl_epoch_ref(struct kl_epoch *epoch);
void kl_epoch_unref(struct kl_epoch *epoch); /* NULL is fine */

/* What the engine wants of a new block: it goes into the consensus header.  Epoch, parent_view and
 * the leader follow from the parent. */
typedef struct kl_bft_plan {
    u64 view;    /* above the parent's, within the epoch of the parent's tip (asserted) */
    u64 time_ms; /* raised to what the parent allows */
    const u8 *randao_proof; /* KL_RANDAO_PROOF_LEN bytes */
    u64 fork_signal;
} kl_bft_plan;

/* A body in parts; views its bytes. */
typedef struct kl_body {
    kl_span block;     /* RLP */
    kl_header header;  /* of the block */
    kl_hash hash;      /* of the header */
    kl_span consensus; /* RLP of the consensus header */
    kl_consensus_header consensus_header;
} kl_body;

/* The most bytes a body may have. */
#define KL_BODY_MAX (KL_BLOCK_BYTES_MAX + KL_CONSENSUS_HEADER_RLP_MAX + 16u)

/* Reads a body as far as it stands on its own: form of both parts, and that extraData is the
 * consensus header's hash (CONSENSUS_HASH).  Transactions are not looked at. */
kl_rule kl_body_decode(kl_body *out, kl_span bytes);
/* The body of a block's tip that has its record still, for sending: appended to out. */
void kl_body_of_tip(struct kl_buf *out, const struct kl_tip *tip);

/* What votes are signed over on this chain. */
kl_vote_domain kl_chain_vote_domain(const struct kl_chain *chain);

/* The block that the tip ends with, as something that was proposed: with the view of its consensus
 * header, as the floor of an engine wants it.  Behind an epoch's last block (and the genesis) it is
 * the next epoch's anchor: that epoch, view 0. */
kl_proposal kl_tip_floor(const struct kl_tip *tip);

/* Finality of a block as the ledger has it; spans lie in the arena.  KL_NOTFOUND above the head,
 * below what is kept, and where nobody votes.  The genesis has a consensus header alone. */
typedef struct kl_finality {
    kl_span consensus_header; /* RLP */
    kl_span finalization;     /* RLP of a certificate; empty: final through a later block */
} kl_finality;
KL_MUST_USE kl_status kl_reader_finality(struct kl_reader *reader, u64 number,
                                         struct kl_arena *arena, kl_finality *out);
/* A body as it was proposed, for those who are behind. */
KL_MUST_USE kl_status kl_reader_body(struct kl_reader *reader, u64 number, struct kl_arena *arena,
                                     kl_span *out);
/* A block's ledger record without its finalization, which is in *finalization (empty: final through
 * a later block), for those who do not execute (fill.h). */
KL_MUST_USE kl_status kl_reader_record(struct kl_reader *reader, u64 number, struct kl_arena *arena,
                                       kl_span *record, kl_span *finalization);
/* The validators of an epoch, encoded; KL_NOTFOUND for one that has not begun. */
KL_MUST_USE kl_status kl_reader_validators(struct kl_reader *reader, u64 epoch,
                                           struct kl_arena *arena, kl_span *out);

#endif
