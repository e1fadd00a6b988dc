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

static kl_status fill(struct kl_tip *tip, struct kl_delta_builder *builder, const kl_block *block,
                      const kl_receipt *receipts)
{
    KL_TRY(kl_index_block(builder, block, receipts, tip->version));
    KL_TRY(settle_dev(tip, builder));
    tip->header = block->header;
    tip->hash = block->hash;
    tip->tx_count = block->tx_count;
    kl_record_put_block(&tip->record, block, receipts);
    return tip->record.failed ? KL_LIMIT : KL_OK;
}

kl_status kl_step_seal_block(const struct kl_tip *parent, struct kl_delta_builder *builder,
                             const kl_block *block, const kl_receipt *receipts, struct kl_tip **out)
{
    struct kl_tip *tip = NULL;
    kl_status status = kl_tip_new(&tip, parent, KL_STEP_BLOCK);
    if (status == KL_OK)
        status = fill(tip, builder, block, receipts);
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
