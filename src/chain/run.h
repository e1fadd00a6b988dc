/* run: a block being executed, for judging it and for building it alike, so that what is built is
 * what is judged.
 *
 *     kl_run_begin    system calls before the first transaction
 *     kl_run_tx …     each one kept or refused
 *     kl_run_end      rewards, withdrawals, requests; roots, bloom and sums
 *
 * Thread: one at a time. */
#ifndef KL_CHAIN_RUN_H
#define KL_CHAIN_RUN_H

#include "chain/authority.h"
#include "exec/exec.h"
#include "state/commit.h"

/* Of a block that validators vote on: what the validator contract is told before the first
 * transaction, and whether it is asked for the next validators behind the last. */
typedef struct kl_run_votes {
    kl_address policy; /* the contract; zeros: there is none, and the set never changes */
    kl_authority_block block;
    const kl_valset *set; /* of the epoch */
    bool asks;            /* it is the epoch's last block */
    bool tests;           /* see kl_chain_config */
} kl_run_votes;

/* What a run stands on.  Everything pointed to must stay until the next run begins. */
typedef struct kl_run_base {
    const kl_spec *spec;
    const kl_header *header;        /* the fields that kl_exec_block names */
    struct kl_view *view;           /* the parent's state */
    struct kl_block_hashes *hashes; /* the parent's chain */
    struct kl_workers *workers;     /* may be NULL */
    struct kl_senders *senders;     /* for judging; may be NULL */
    const kl_run_votes *votes;      /* NULL where nobody votes */
} kl_run_base;

/* What execution determines of a header, and what else it leaves behind. */
typedef struct kl_run_result {
    u64 gas_used, blob_gas_used;
    kl_hash state_root, receipts_root;
    kl_hash requests_hash; /* from Prague on */
    kl_bloom bloom;
    const kl_receipt *receipts; /* one a transaction, in the run's arena */
    usize receipt_count;
    const kl_span *requests; /* see kl_exec_outcome */
    usize request_count;
    /* When the validator contract was asked: the next epoch's set, which views the current one's
     * validators or memory that lives until the next begin; and what the contract did. */
    kl_valset next_set;
    kl_authority_alarm alarm;
} kl_run_result;

struct kl_run;

/* A run executes on exec, which it uses alone, and keeps receipts in memory of its own. */
KL_MUST_USE kl_status kl_run_new(struct kl_run **out, struct kl_exec *exec);
void kl_run_free(struct kl_run *run);

struct kl_exec *kl_run_exec(struct kl_run *run);

KL_MUST_USE kl_status kl_run_begin(struct kl_run *run, const kl_run_base *base);

/* Executes tx, which must have its sender; see kl_exec_tx.  The receipt of one that is kept goes to
 * the end of the run's receipts, with its logs.  result may be NULL. */
KL_MUST_USE kl_status kl_run_tx(struct kl_run *run, const kl_tx *tx, struct kl_tracer *tracer,
                                kl_tx_result *result, kl_rule *broken);

/* Ends the block.  builder gets its changes (NULL: the root alone is wanted), with preimages if
 * asked.  *out lives until the next begin. */
typedef struct kl_run_tail {
    const kl_header *ommers;
    usize ommer_count;
    const kl_withdrawal *withdrawals;
    usize withdrawal_count;
    struct kl_delta_builder *builder;
    bool keep_preimages;
} kl_run_tail;
KL_MUST_USE kl_status kl_run_end(struct kl_run *run, const kl_run_tail *tail, kl_run_result *out,
                                 kl_rule *broken);

#endif
