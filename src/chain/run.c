/* run: exec over a view, with the sums and roots that a header holds.  Receipts stay in an array of
 * the run; their logs view exec's memory, which lasts as long. */
#include "chain/rules.h"
#include "chain/run_priv.h"

#include <stdlib.h>

#define SCRATCH_MAX  ((usize)2 << 30)
#define SCRATCH_KEPT ((usize)8 << 20)

kl_status kl_run_new(struct kl_run **out, struct kl_exec *exec)
{
    struct kl_run *run = calloc(1, sizeof *run);
    if (!run)
        return KL_NOMEM;
    run->exec = exec;
    kl_arena_init(&run->scratch, SCRATCH_MAX);
    *out = run;
    return KL_OK;
}

void kl_run_free(struct kl_run *run)
{
    if (!run)
        return;
    kl_arena_done(&run->scratch);
    free(run->receipts);
    free(run);
}

struct kl_exec *kl_run_exec(struct kl_run *run)
{
    return run->exec;
}

/* Tells the validator contract that a block begins; one that fails is no fault of the block. */
static kl_status tell(struct kl_run *run)
{
    const kl_run_votes *votes = run->base.votes;
    bool done;
    if (!votes || kl_address_is_zero(&votes->policy))
        return KL_OK;
    return kl_authority_tell(run->exec, &votes->policy, &votes->block, &done);
}

/* The next epoch's validators, behind everything else in an epoch's last block. */
static kl_status ask(struct kl_run *run, kl_run_result *out)
{
    const kl_run_votes *votes = run->base.votes;
    if (!votes || !votes->asks)
        return KL_OK;
    out->next_set = *votes->set;
    if (kl_address_is_zero(&votes->policy))
        return KL_OK;
    return kl_authority_next_set(&out->next_set, run->exec, &votes->policy, votes->set,
                                 votes->block.epoch, votes->tests, &run->scratch, &out->alarm);
}

kl_status kl_run_begin(struct kl_run *run, const kl_run_base *base)
{
    run->base = *base;
    run->count = 0;
    kl_arena_reset(&run->scratch, SCRATCH_KEPT);
    kl_view_reader_init(&run->reader, base->view);
    kl_exec_block block = {.spec = base->spec,
                           .header = base->header,
                           .reader = &run->reader.reader,
                           .hashes = base->hashes};
    KL_TRY(kl_exec_begin(run->exec, &block));
    return tell(run);
}

static kl_status room_for_receipt(struct kl_run *run)
{
    if (run->count < run->cap)
        return KL_OK;
    usize cap = run->cap ? run->cap * 2 : 64;
    kl_receipt *receipts = realloc(run->receipts, cap * sizeof *receipts);
    if (!receipts)
        return KL_NOMEM;
    run->receipts = receipts;
    run->cap = cap;
    return KL_OK;
}

/* The root so far, which receipts carried before Byzantium. */
static kl_status root_so_far(struct kl_run *run, kl_hash *root)
{
    kl_arena_mark mark = kl_arena_here(&run->scratch);
    kl_status status = kl_state_commit(kl_exec_journal(run->exec), run->base.view, NULL, false,
                                       root, &run->scratch, run->base.workers);
    kl_arena_rewind(&run->scratch, mark);
    return status;
}

kl_status kl_run_tx(struct kl_run *run, const kl_tx *tx, struct kl_tracer *tracer,
                    kl_tx_result *result, kl_rule *broken)
{
    kl_tx_result got;
    kl_rule rule;
    KL_TRY(room_for_receipt(run));
    KL_TRY(kl_exec_tx(run->exec, tx, tracer, &got, &rule));
    *broken = rule;
    if (rule != KL_RULE_NONE)
        return KL_OK;
    if (kl_exec_fork(run->base.spec, run->base.header) < KL_BYZANTIUM) {
        got.receipt.has_state_root = true;
        KL_TRY(root_so_far(run, &got.receipt.state_root));
    }
    run->receipts[run->count++] = got.receipt;
    if (result)
        *result = got;
    return KL_OK;
}

kl_status kl_run_end(struct kl_run *run, const kl_run_tail *tail, kl_run_result *out,
                     kl_rule *broken)
{
    kl_exec_outcome outcome;
    kl_rule rule;
    KL_TRY(kl_exec_end(run->exec, tail->ommers, tail->ommer_count, tail->withdrawals,
                       tail->withdrawal_count, &outcome, &rule));
    *broken = rule;
    if (rule != KL_RULE_NONE)
        return KL_OK;
    kl_run_result got = {.gas_used = kl_exec_gas_used(run->exec),
                         .blob_gas_used = kl_exec_blob_gas_used(run->exec),
                         .requests_hash = outcome.requests_hash,
                         .receipts = run->receipts,
                         .receipt_count = run->count,
                         .requests = outcome.requests,
                         .request_count = outcome.request_count};
    for (usize i = 0; i < run->count; i++)
        kl_bloom_merge(&got.bloom, &run->receipts[i].bloom);
    KL_TRY(ask(run, &got));
    KL_TRY(kl_receipts_root(&got.receipts_root, run->receipts, run->count, &run->scratch));
    KL_TRY(kl_state_commit(kl_exec_journal(run->exec), run->base.view, tail->builder,
                           tail->keep_preimages, &got.state_root, &run->scratch,
                           run->base.workers));
    *out = got;
    return KL_OK;
}
