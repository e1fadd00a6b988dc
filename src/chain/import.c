/* Judging a block from outside: its form, its header against the parent's, its body against its
 * header, and at last what it does.  On a dev chain what dev operations have set for the next block
 * stands in for the rule it overrides, and impersonated accounts need no signature. */
#include "chain/bft_priv.h"
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

struct judging {
    struct kl_chain *chain;
    struct kl_run *run;
    struct kl_tip *parent;
    kl_block block;
    kl_run_result result;
    bool voted; /* validators vote; what follows is filled */
    kl_step_votes votes;
};

static kl_rule read_consensus(struct judging *j, kl_span rlp)
{
    if (!j->voted)
        return KL_RULE_NONE;
    KL_JUDGE(kl_consensus_header_decode(&j->votes.consensus, rlp));
    return kl_bft_judge_hash(&j->block.header, rlp);
}

static kl_rule judge_consensus(const struct judging *j)
{
    const struct kl_tip *parent = j->parent;
    if (!j->voted)
        return KL_RULE_NONE;
    const kl_bft_parent above = {&parent->header, &parent->consensus, &parent->epoch->set};
    return kl_bft_judge(j->chain, &above, &j->block, &j->votes.consensus);
}

/* A block whose chain stands elsewhere: ancestors are not at hand, so that one with ommers is not
 * taken in here. */
static kl_status judge_form(struct judging *j, kl_span rlp, kl_span consensus, kl_rule *broken)
{
    struct kl_chain *chain = j->chain;
    KL_TRY(kl_block_decode(&j->block, rlp, &chain->spec, &chain->arena, broken));
    if (*broken == KL_RULE_NONE)
        *broken = read_consensus(j, consensus);
    if (*broken == KL_RULE_NONE)
        *broken = judge_header(chain, j->parent, &j->block.header);
    if (*broken == KL_RULE_NONE)
        KL_TRY(kl_judge_body(&chain->spec, &j->block, NULL, 0, &chain->arena, broken));
    if (*broken == KL_RULE_NONE)
        *broken = judge_consensus(j);
    if (*broken == KL_RULE_NONE)
        impersonate(j->parent, &j->block);
    return KL_OK;
}

/* The validators of the next epoch must be those that the block commits to. */
static kl_status judge_next_set(struct judging *j, const kl_run_votes *run, kl_rule *broken)
{
    kl_step_votes *votes = &j->votes;
    if (*broken != KL_RULE_NONE || !run->asks)
        return KL_OK;
    votes->policy_failed = kl_authority_failed(&j->result.alarm);
    KL_TRY(kl_epoch_new(&votes->next, &j->chain->spec, j->parent->epoch->number + 1,
                        &j->result.next_set));
    if (!kl_hash_eq(&votes->consensus.next_set_hash, &votes->next->set.hash))
        *broken = KL_RULE_CONSENSUS_NEXT_SET;
    return KL_OK;
}

static kl_status execute(struct judging *j, struct kl_view *view, struct kl_delta_builder *builder,
                         kl_rule *broken)
{
    struct kl_chain *chain = j->chain;
    struct kl_view_hashes hashes;
    kl_run_votes votes = {.asks = false};
    kl_view_hashes_init(&hashes, view);
    if (j->voted)
        votes = kl_bft_run_votes(chain, j->parent, &j->votes.consensus);
    const kl_run_base base = {
        .spec = &chain->spec,
        .header = &j->block.header,
        .view = view,
        .hashes = &hashes.hashes,
        .workers = chain->workers,
        .senders = chain->senders,
        .votes = j->voted ? &votes : NULL,
    };
    KL_TRY(kl_judge_block(j->run, &base, &j->block, builder, chain->keep_preimages, &j->result,
                          broken));
    return judge_next_set(j, &votes, broken);
}

static kl_status judge_on_view(struct judging *j, struct kl_view *view, struct kl_tip **out,
                               kl_rule *broken)
{
    struct kl_delta_builder *builder;
    KL_TRY(kl_delta_begin(&builder, j->parent->delta, j->parent->version + 1));
    kl_status status = execute(j, view, builder, broken);
    if (status == KL_OK && *broken == KL_RULE_NONE)
        return kl_step_seal_block(j->parent, builder, &j->block, j->result.receipts,
                                  j->voted ? &j->votes : NULL, out);
    kl_delta_drop(builder);
    return status;
}

kl_status kl_judge_parts(struct kl_chain *chain, struct kl_run *run, struct kl_tip *parent,
                         kl_span block, kl_span consensus, struct kl_tip **out, kl_rule *broken)
{
    struct judging j = {
        .chain = chain, .run = run, .parent = parent, .voted = kl_chain_votes(chain)};
    struct kl_view *view;
    kl_arena_reset(&chain->arena, KL_STEP_KEEP);
    KL_TRY(judge_form(&j, block, consensus, broken));
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    KL_TRY(kl_chain_view(chain, parent, &view));
    kl_status status = judge_on_view(&j, view, out, broken);
    kl_epoch_unref(j.votes.next);
    kl_view_close(view);
    return status;
}

kl_status kl_chain_judge(struct kl_chain *chain, struct kl_run *run, struct kl_tip *parent,
                         kl_span block, struct kl_tip **out, kl_rule *broken)
{
    kl_span consensus = KL_SPAN_NONE;
    *broken = kl_chain_votes(chain) ? kl_body_split(block, &block, &consensus) : KL_RULE_NONE;
    return *broken == KL_RULE_NONE
               ? kl_judge_parts(chain, run, parent, block, consensus, out, broken)
               : KL_OK;
}
