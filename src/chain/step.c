#include "chain/chain_priv.h"

/* What the block leaves of the dev environment, when it used something up. */
static kl_status settle_dev(struct kl_tip *tip, struct kl_delta_builder *builder)
{
    if (!tip->dev)
        return KL_OK;
    kl_dev_env env = tip->dev->env;
    if (!kl_dev_block_done(&env))
        return KL_OK;
    KL_TRY(kl_tip_set_dev(tip, &env));
    return kl_index_dev(builder, &env);
}

static kl_status settle_votes(struct kl_tip *tip, struct kl_delta_builder *builder,
                              const kl_step_votes *votes)
{
    tip->consensus = votes->consensus;
    tip->policy_failed = votes->policy_failed;
    if (!votes->next)
        return KL_OK;
    kl_epoch_unref(tip->epoch);
    tip->epoch = kl_epoch_ref(votes->next);
    return kl_index_epoch(builder, tip->epoch->number, &tip->epoch->set);
}

static void put_record(struct kl_tip *tip, const kl_block *block, const kl_receipt *receipts,
                       const kl_step_votes *votes)
{
    if (votes)
        kl_record_put_voted(&tip->record, block, receipts, &votes->consensus,
                            votes->next ? &votes->next->set : NULL);
    else
        kl_record_put_block(&tip->record, block, receipts);
}

static kl_status fill(struct kl_tip *tip, struct kl_delta_builder *builder, const kl_block *block,
                      const kl_receipt *receipts, const kl_step_votes *votes)
{
    KL_TRY(kl_index_block(builder, block, receipts, tip->version));
    KL_TRY(settle_dev(tip, builder));
    if (votes)
        KL_TRY(settle_votes(tip, builder, votes));
    tip->header = block->header;
    tip->hash = block->hash;
    tip->tx_count = block->tx_count;
    put_record(tip, block, receipts, votes);
    return tip->record.failed ? KL_LIMIT : KL_OK;
}

kl_status kl_step_seal_block(const struct kl_tip *parent, struct kl_delta_builder *builder,
                             const kl_block *block, const kl_receipt *receipts,
                             const kl_step_votes *votes, struct kl_tip **out)
{
    struct kl_tip *tip = NULL;
    kl_status status = kl_tip_new(&tip, parent, KL_STEP_BLOCK);
    if (status == KL_OK)
        status = fill(tip, builder, block, receipts, votes);
    if (status == KL_OK)
        status = kl_delta_seal(builder, &tip->delta);
    else
        kl_delta_drop(builder);
    if (status == KL_OK)
        *out = tip;
    else
        kl_tip_unref(tip);
    return status;
}
