/* Judging a bundle: its parts in order, each with what those before it have proven. */
#include "light/bundle.h"

#include <stdio.h>

static kl_status fail(kl_light_fault *fault, kl_rule rule, const char *where)
{
    fault->rule = rule;
    snprintf(fault->where, sizeof fault->where, "%s", where);
    return KL_OK;
}

static kl_status fail_at(kl_light_fault *fault, kl_rule rule, const char *where, usize index)
{
    fault->rule = rule;
    snprintf(fault->where, sizeof fault->where, "%s[%zu]", where, index);
    return KL_OK;
}

kl_status kl_light_bundle_start(struct kl_light *light, const kl_light_bundle *bundle,
                                const u64 *chain_id, const kl_hash *genesis_hash,
                                struct kl_arena *scratch, kl_light_fault *fault)
{
    kl_rule broken;
    const kl_vote_domain domain = {chain_id ? *chain_id : bundle->chain_id, *genesis_hash};
    if (!bundle->has_genesis)
        return fail(fault, KL_RULE_LIGHT_MEMBER, "genesis");
    KL_TRY(kl_light_start(light, &domain, &bundle->genesis, scratch, &broken));
    return fail(fault, broken, broken ? "genesis" : "");
}

/* The end of an epoch that was trusted to be over before. */
static kl_rule is_past(bool *past, const kl_light_change *change, u64 epoch)
{
    kl_consensus_header consensus;
    KL_JUDGE(kl_consensus_header_decode(&consensus, change->consensus_header));
    *past = consensus.epoch < epoch;
    return KL_RULE_NONE;
}

static kl_status follow_epochs(struct kl_light *light, const kl_light_bundle *bundle,
                               struct kl_arena *scratch, kl_light_fault *fault)
{
    u64 first = light->epoch;
    for (usize i = 0; i < bundle->epoch_count; i++) {
        bool past = false;
        kl_rule broken = is_past(&past, &bundle->epochs[i], first);
        if (broken == KL_RULE_NONE && !past)
            KL_TRY(kl_light_advance(light, &bundle->epochs[i], scratch, &broken));
        if (broken != KL_RULE_NONE)
            return fail_at(fault, broken, "epochs", i);
    }
    return KL_OK;
}

static void blame_final(kl_light_fault *fault, kl_rule broken, const kl_light_finality *f, usize at)
{
    if (at == f->header_count || f->header_count == 0)
        fail(fault, broken, f->header_count ? "finalization" : "headers");
    else
        fail_at(fault, broken, "headers", at);
}

kl_status kl_light_bundle_judge(struct kl_light *light, kl_light_result *out,
                                const kl_light_bundle *bundle, struct kl_arena *scratch,
                                kl_light_fault *fault)
{
    kl_light_result result = {0};
    usize at;
    fail(fault, KL_RULE_NONE, "");
    if (bundle->chain_id != light->domain.chain_id)
        return fail(fault, KL_RULE_LIGHT_ANCHOR, "chainId");
    if (bundle->has_genesis && !kl_hash_eq(&bundle->genesis_hash, &light->domain.genesis_hash))
        return fail(fault, KL_RULE_LIGHT_ANCHOR, "genesis.hash");
    KL_TRY(follow_epochs(light, bundle, scratch, fault));
    if (fault->rule != KL_RULE_NONE)
        return KL_OK;
    kl_rule broken = kl_light_final(light, &result.block, &bundle->finality, &at);
    if (broken != KL_RULE_NONE) {
        blame_final(fault, broken, &bundle->finality, at);
        return KL_OK;
    }
    if (bundle->has_account) {
        broken = kl_light_prove(&result.account_exists, &bundle->account,
                                &result.block.header.state_root, &at);
        if (broken != KL_RULE_NONE)
            return at == bundle->account.slot_count
                       ? fail(fault, broken, "account")
                       : fail_at(fault, broken, "account.storageProof", at);
    }
    *out = result;
    return KL_OK;
}
