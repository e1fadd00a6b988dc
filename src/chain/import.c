/* Judging a block from outside: its form, its header against the parent's, its body against its
 * header, and at last what it does.  On a dev chain what dev operations have set for the next block
 * stands in for the rule it overrides, and impersonated accounts need no signature. */
#include "chain/chain_priv.h"
#include "chain/judge.h"
#include "chain/rules.h"
#include "exec/fees.h"

/* The header with what dev operations allow put right, so that the rules see nothing odd. */
static kl_header as_judged(const kl_spec *spec, const struct kl_tip *parent,
                           const kl_header *header)
{
    kl_header h = *header;
    const kl_dev_env *env = &parent->dev->env;
    if (env->has_base_fee && kl_u256_eq(env->base_fee, h.base_fee))
        h.base_fee = kl_base_fee_after(spec, &parent->header, h.number, h.timestamp);
    if (env->has_gas_limit && env->gas_limit == h.gas_limit && h.gas_used <= h.gas_limit) {
        h.gas_limit = parent->header.gas_limit;
        h.gas_used = KL_MIN(h.gas_used, h.gas_limit);
    }
    return h;
}

static kl_rule judge_header(const struct kl_chain *chain, const struct kl_tip *parent,
                            const kl_header *header)
{
    const kl_parent against = {.header = &parent->header, .hash = parent->hash};
    kl_header h = parent->dev ? as_judged(&chain->spec, parent, header) : *header;
    return kl_judge_header(&chain->spec, &h, &against);
}

/* Senders of transactions that impersonation lets in. */
static void impersonate(const struct kl_tip *parent, kl_block *block)
{
    kl_address sender;
    for (usize i = 0; parent->dev && i < block->tx_count; i++)
        if (kl_tx_impersonates(&block->txs[i], &sender) &&
            kl_dev_impersonated(&parent->dev->env, &sender)) {
            block->txs[i].sender = sender;
            block->txs[i].has_sender = true;
            kl_tx_recover_authorities(&block->txs[i]);
        }
}

/* A block whose chain stands elsewhere: ancestors are not at hand, so that one with ommers is not
 * taken in here. */
static kl_status judge_form(struct kl_chain *chain, const struct kl_tip *parent, kl_span rlp,
                            kl_block *block, kl_rule *broken)
{
    KL_TRY(kl_block_decode(block, rlp, &chain->spec, &chain->arena, broken));
    if (*broken == KL_RULE_NONE)
        *broken = judge_header(chain, parent, &block->header);
    if (*broken == KL_RULE_NONE)
        KL_TRY(kl_judge_body(&chain->spec, block, NULL, 0, &chain->arena, broken));
    if (*broken == KL_RULE_NONE)
        impersonate(parent, block);
    return KL_OK;
}

static kl_status execute(struct kl_chain *chain, struct kl_run *run, struct kl_view *view,
                         kl_block *block, struct kl_delta_builder *builder, kl_run_result *result,
                         kl_rule *broken)
{
    struct kl_view_hashes hashes;
    kl_view_hashes_init(&hashes, view);
    const kl_run_base base = {
        .spec = &chain->spec,
        .header = &block->header,
        .view = view,
        .hashes = &hashes.hashes,
        .workers = chain->workers,
    };
    return kl_judge_block(run, &base, block, builder, chain->keep_preimages, result, broken);
}

kl_status kl_chain_judge(struct kl_chain *chain, struct kl_run *run, struct kl_tip *parent,
                         kl_span block_rlp, struct kl_tip **out, kl_rule *broken)
{
    kl_block block;
    kl_run_result result;
    struct kl_view *view;
    struct kl_delta_builder *builder;
    kl_arena_reset(&chain->arena, KL_STEP_KEEP);
    KL_TRY(judge_form(chain, parent, block_rlp, &block, broken));
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    KL_TRY(kl_chain_view(chain, parent, &view));
    kl_status status = kl_delta_begin(&builder, parent->delta, parent->version + 1);
    if (status == KL_OK) {
        status = execute(chain, run, view, &block, builder, &result, broken);
        if (status == KL_OK && *broken == KL_RULE_NONE)
            status = kl_step_seal_block(parent, builder, &block, result.receipts, out);
        else
            kl_delta_drop(builder);
    }
    kl_view_close(view);
    return status;
}
