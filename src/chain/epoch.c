#include <stdlib.h>

#include "chain/bft_priv.h"

struct kl_epoch *kl_epoch_ref(struct kl_epoch *epoch)
{
    kl_refs_add(&epoch->refs);
    return epoch;
}

void kl_epoch_unref(struct kl_epoch *epoch)
{
    if (epoch && kl_refs_drop(&epoch->refs))
        free(epoch);
}

kl_status kl_epoch_new(struct kl_epoch **out, const kl_spec *spec, u64 number, const kl_valset *set)
{
    struct kl_epoch *epoch = malloc(sizeof *epoch + set->count * sizeof(kl_validator));
    if (!epoch)
        return KL_NOMEM;
    u64 before = kl_mul_sat_u64(number, spec->bft.epoch_blocks);
    kl_refs_init(&epoch->refs);
    epoch->number = number;
    epoch->first_height = kl_add_sat_u64(before, 1);
    epoch->last_height = kl_add_sat_u64(before, spec->bft.epoch_blocks);
    epoch->set = *set;
    epoch->set.validators = epoch->validators;
    memcpy(epoch->validators, set->validators, set->count * sizeof(kl_validator));
    *out = epoch;
    return KL_OK;
}

kl_status kl_epoch_load(struct kl_epoch **out, const struct kl_chain *chain, struct kl_view *view,
                        u64 number, struct kl_arena *scratch)
{
    kl_span encoded;
    kl_valset set;
    kl_rule broken;
    kl_status status = kl_index_get_epoch(view, number, &encoded);
    KL_TRY(status == KL_NOTFOUND ? KL_CORRUPT : status);
    KL_TRY(kl_valset_decode(&set, encoded, chain->tests, scratch, &broken));
    return broken == KL_RULE_NONE ? kl_epoch_new(out, &chain->spec, number, &set) : KL_CORRUPT;
}
