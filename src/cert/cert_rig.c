#include "cert/cert_rig_priv.h"

const u8 cert_schemes[3] = {KL_SCHEME_SECP256K1, KL_SCHEME_BLS12_381, KL_SCHEME_KEYED_HASH};

void cert_rig_init(cert_rig *rig, u8 scheme, u32 count, u64 max_weight, u64 *seed)
{
    memset(rig, 0, sizeof *rig);
    rig->scheme = kl_vote_scheme_of(scheme, true);
    CHECK(rig->scheme && rig->scheme->id == scheme);
    kl_rand_fill(seed, &rig->domain, sizeof rig->domain);
    for (u32 i = 0; i < count; i++) {
        kl_validator *v = &rig->validators[i];
        kl_rand_fill(seed, rig->secrets[i].b, sizeof rig->secrets[i].b);
        rig->secrets[i].b[0] &= 0x3f; /* below the order of every group */
        kl_rand_fill(seed, v->operator.b, sizeof v->operator.b);
        CHECK(rig->scheme->public_key(v->key, &rig->secrets[i]));
        v->weight = 1 + kl_rand_below(seed, max_weight);
    }
    CHECK_RULE(kl_valset_init(&rig->set, rig->scheme, rig->validators, count), KL_RULE_NONE);
}

kl_vote_subject cert_rig_subject(kl_vote_kind kind, u64 *seed)
{
    kl_vote_subject s = {.kind = kind};
    s.proposal.epoch = kl_rand(seed) >> kl_rand_below(seed, 64);
    s.proposal.view = (kl_rand(seed) >> kl_rand_below(seed, 63)) | 1;
    if (kind == KL_VOTE_NULLIFY)
        return s;
    s.proposal.parent_view = kl_rand_below(seed, s.proposal.view);
    s.proposal.height = kl_rand(seed) >> kl_rand_below(seed, 64);
    kl_rand_fill(seed, s.proposal.parent_hash.b, sizeof s.proposal.parent_hash.b);
    kl_rand_fill(seed, s.proposal.block_hash.b, sizeof s.proposal.block_hash.b);
    return s;
}

kl_vote cert_rig_vote(const cert_rig *rig, const kl_vote_subject *subject, u32 signer)
{
    kl_vote vote;
    CHECK(kl_vote_sign(&vote, subject, signer, rig->scheme, &rig->secrets[signer], &rig->domain));
    return vote;
}

bool cert_rig_damage(kl_vote_subject *subject, unsigned kind, u64 *seed)
{
    kl_proposal *p = &subject->proposal;
    u64 bit = (u64)1 << kl_rand_below(seed, 64);
    u8 byte_bit = (u8)(1u << kl_rand_below(seed, 8));
    bool nullify = subject->kind == KL_VOTE_NULLIFY;
    switch (kind) {
    case 0:
        p->epoch ^= bit;
        return true;
    case 1:
        p->view ^= bit;
        return true;
    case 2:
        subject->kind = subject->kind == KL_VOTE_FINALIZE ? KL_VOTE_NOTARIZE : KL_VOTE_FINALIZE;
        return true;
    case 3:
        p->parent_view ^= bit;
        return !nullify;
    case 4:
        p->height ^= bit;
        return !nullify;
    case 5:
        p->parent_hash.b[kl_rand_below(seed, 32)] ^= byte_bit;
        return !nullify;
    case 6:
        p->block_hash.b[kl_rand_below(seed, 32)] ^= byte_bit;
        return !nullify;
    default:
        return false;
    }
}

kl_certificate cert_rig_certificate(const cert_rig *rig, const kl_vote_subject *subject, u8 *room,
                                    u64 *seed)
{
    static kl_vote votes[KL_VALIDATORS_MAX];
    const kl_vote *chosen[KL_VALIDATORS_MAX];
    u32 order[KL_VALIDATORS_MAX], count = rig->set.count;
    for (u32 i = 0; i < count; i++)
        order[i] = i;
    usize n = 0;
    for (u64 weight = 0; weight < kl_valset_quorum(&rig->set); n++) {
        u64 at = n + kl_rand_below(seed, count - n);
        u32 signer = order[at];
        order[at] = order[n];
        votes[n] = cert_rig_vote(rig, subject, signer);
        chosen[n] = &votes[n];
        weight += rig->set.validators[signer].weight;
    }
    kl_certificate made;
    kl_certificate_make(&made, room, chosen, n, &rig->set);
    return made;
}
