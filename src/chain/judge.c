/* judge: the same run that builds blocks, and then six comparisons. */
#include "chain/judge.h"

#include "chain/run_priv.h"

static kl_status recover_senders(struct kl_run *run, kl_block *block, kl_rule *broken)
{
    kl_fork fork = kl_exec_fork(run->base.spec, run->base.header);
    kl_rule *verdicts = KL_ZERO(&run->scratch, kl_rule, block->tx_count);
    if (!verdicts && block->tx_count)
        return KL_NOMEM;
    kl_senders_recover_all(run->base.senders, block->txs, verdicts, block->tx_count, fork,
                           run->base.workers);
    kl_rule first = KL_RULE_NONE;
    for (usize i = 0; i < block->tx_count && first == KL_RULE_NONE; i++)
        first = verdicts[i];
    *broken = first;
    return KL_OK;
}

static kl_rule compare(const kl_header *header, const kl_run_result *got, kl_fork fork)
{
    if (header->gas_used != got->gas_used)
        return KL_RULE_BLOCK_GAS_USED;
    if (fork >= KL_CANCUN && header->blob_gas_used != got->blob_gas_used)
        return KL_RULE_BODY_BLOB_GAS;
    if (memcmp(header->logs_bloom.b, got->bloom.b, sizeof got->bloom.b) != 0)
        return KL_RULE_BLOCK_BLOOM;
    if (!kl_hash_eq(&header->receipts_root, &got->receipts_root))
        return KL_RULE_BLOCK_RECEIPTS_ROOT;
    if (fork >= KL_PRAGUE && !kl_hash_eq(&header->requests_hash, &got->requests_hash))
        return KL_RULE_BLOCK_REQUESTS_HASH;
    if (!kl_hash_eq(&header->state_root, &got->state_root))
        return KL_RULE_BLOCK_STATE_ROOT;
    return KL_RULE_NONE;
}

kl_status kl_judge_block(struct kl_run *run, const kl_run_base *base, kl_block *block,
                         struct kl_delta_builder *builder, bool keep_preimages, kl_run_result *out,
                         kl_rule *broken)
{
    kl_fork fork = kl_exec_fork(base->spec, &block->header);
    KL_TRY(kl_run_begin(run, base));
    KL_TRY(recover_senders(run, block, broken));
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    for (usize i = 0; i < block->tx_count; i++) {
        KL_TRY(kl_run_tx(run, &block->txs[i], NULL, NULL, broken));
        if (*broken != KL_RULE_NONE)
            return KL_OK;
    }
    kl_run_tail tail = {.ommers = block->ommers,
                        .ommer_count = block->ommer_count,
                        .withdrawals = block->withdrawals,
                        .withdrawal_count = block->withdrawal_count,
                        .builder = builder,
                        .keep_preimages = keep_preimages};
    KL_TRY(kl_run_end(run, &tail, out, broken));
    if (*broken == KL_RULE_NONE)
        *broken = compare(&block->header, out, fork);
    return KL_OK;
}
