/* Signatures stand in the signers' order.  The weight is asked before any signature is looked at,
 * so that a certificate of too few costs nothing. */
#include "cert/certificate.h"

#include "cert/vote_priv.h"
#include "codec/rlp.h"

static bool signed_by(const kl_certificate *certificate, u32 i)
{
    return certificate->signers[i / 8] >> (i % 8) & 1;
}

void kl_certificate_make(kl_certificate *out, u8 *room, const kl_vote *const *votes, usize count,
                         const kl_valset *set)
{
    const kl_vote *by_place[KL_VALIDATORS_MAX] = {0};
    const u8 *signatures[KL_VALIDATORS_MAX];
    const kl_vote_scheme *scheme = set->scheme;
    KL_ASSERT(count > 0 && count <= set->count);
    kl_certificate made = {.subject = kl_vote_subject_plain(&votes[0]->subject)};
    u64 weight = 0;
    for (usize i = 0; i < count; i++) {
        u32 place = votes[i]->signer;
        KL_ASSERT(place < set->count && !by_place[place]);
        KL_ASSERT(kl_vote_subject_eq(&votes[i]->subject, &made.subject));
        by_place[place] = votes[i];
        weight += set->validators[place].weight;
    }
    KL_ASSERT(weight >= kl_valset_quorum(set));
    usize n = 0;
    for (u32 i = 0; i < set->count; i++) {
        if (!by_place[i])
            continue;
        made.signers[i / 8] |= (u8)(1u << (i % 8));
        signatures[n++] = by_place[i]->signature;
    }
    if (scheme->aggregates)
        KL_ASSERT(scheme->aggregate(room, signatures, n));
    for (usize i = 0; i < n && !scheme->aggregates; i++)
        memcpy(room + i * scheme->signature_len, signatures[i], scheme->signature_len);
    made.signatures = kl_span_of(room, KL_CERTIFICATE_ROOM(scheme, n));
    *out = made;
}

/* The signers' keys, in order, how many, and their weight. */
static kl_rule signers_of(const u8 *keys[KL_VALIDATORS_MAX], usize *count, u64 *weight,
                          const kl_certificate *certificate, const kl_valset *set)
{
    usize n = 0;
    u64 sum = 0;
    for (u32 i = 0; i < KL_VALIDATORS_MAX; i++) {
        if (!signed_by(certificate, i))
            continue;
        if (i >= set->count)
            return KL_RULE_CERTIFICATE_SIGNERS;
        keys[n++] = set->validators[i].key;
        sum += set->validators[i].weight;
    }
    *count = n;
    *weight = sum;
    return KL_RULE_NONE;
}

kl_rule kl_certificate_weight(u64 *out, const kl_certificate *certificate, const kl_valset *set)
{
    const u8 *keys[KL_VALIDATORS_MAX];
    usize count;
    return signers_of(keys, &count, out, certificate, set);
}

static bool signatures_hold(const kl_certificate *certificate, const kl_vote_scheme *scheme,
                            const u8 *const *keys, usize count, kl_span preimage)
{
    kl_span all = certificate->signatures;
    if (all.len != KL_CERTIFICATE_ROOM(scheme, count))
        return false;
    if (scheme->aggregates)
        return scheme->verify_aggregate(keys, count, preimage, all.p);
    for (usize i = 0; i < count; i++)
        if (!scheme->verify(keys[i], preimage, all.p + i * scheme->signature_len))
            return false;
    return true;
}

kl_rule kl_certificate_check(const kl_certificate *certificate, const kl_valset *set,
                             const kl_vote_domain *domain)
{
    const u8 *keys[KL_VALIDATORS_MAX];
    usize count;
    u64 weight;
    u8 preimage[KL_VOTE_PREIMAGE_LEN];
    KL_JUDGE(signers_of(keys, &count, &weight, certificate, set));
    if (weight < kl_valset_quorum(set))
        return KL_RULE_CERTIFICATE_WEIGHT;
    kl_vote_preimage(preimage, domain, set->scheme->id, &certificate->subject);
    return signatures_hold(certificate, set->scheme, keys, count, KL_SPAN_OF(preimage))
               ? KL_RULE_NONE
               : KL_RULE_CERTIFICATE_SIGNATURE;
}

void kl_certificate_encode(kl_out *out, const kl_certificate *certificate)
{
    usize len = sizeof certificate->signers;
    while (len > 0 && certificate->signers[len - 1] == 0)
        len--;
    kl_rlp_mark list = kl_rlp_put_begin(out);
    kl_vote_put_subject(out, &certificate->subject);
    kl_rlp_put_bytes(out, kl_span_of(certificate->signers, len));
    kl_rlp_put_bytes(out, certificate->signatures);
    kl_rlp_put_end(out, list);
}

kl_rule kl_certificate_decode(kl_certificate *out, kl_span bytes)
{
    kl_rlp items;
    kl_certificate made = {0};
    kl_span signers;
    KL_JUDGE(kl_rlp_open(&items, bytes));
    KL_JUDGE(kl_vote_get_subject(&items, &made.subject));
    KL_JUDGE(kl_rlp_bytes(&items, &signers));
    if (signers.len == 0 || signers.len > sizeof made.signers || signers.p[signers.len - 1] == 0)
        return KL_RULE_CERTIFICATE_SIGNERS;
    memcpy(made.signers, signers.p, signers.len);
    KL_JUDGE(kl_rlp_bytes(&items, &made.signatures));
    if (made.signatures.len > KL_CERTIFICATE_MAX)
        return KL_RULE_CERTIFICATE_SIGNATURE;
    KL_JUDGE(kl_rlp_close(&items));
    *out = made;
    return KL_RULE_NONE;
}
