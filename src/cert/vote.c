/* A subject is spelled twice: as fixed-width bytes that are signed, and as RLP that travels.  Of a
 * nullify vote only epoch and view count; everything else is left out or zero, wherever it came
 * from. */
#include "cert/vote.h"

#include "cert/vote_priv.h"
#include "codec/rlp.h"

bool kl_proposal_eq(const kl_proposal *a, const kl_proposal *b)
{
    return a->epoch == b->epoch && a->view == b->view && a->parent_view == b->parent_view &&
           a->height == b->height && kl_hash_eq(&a->parent_hash, &b->parent_hash) &&
           kl_hash_eq(&a->block_hash, &b->block_hash);
}

bool kl_vote_subject_eq(const kl_vote_subject *a, const kl_vote_subject *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == KL_VOTE_NULLIFY)
        return a->proposal.epoch == b->proposal.epoch && a->proposal.view == b->proposal.view;
    return kl_proposal_eq(&a->proposal, &b->proposal);
}

kl_vote_subject kl_vote_subject_plain(const kl_vote_subject *subject)
{
    kl_vote_subject plain = *subject;
    if (plain.kind == KL_VOTE_NULLIFY)
        plain.proposal = (kl_proposal){.epoch = plain.proposal.epoch, .view = plain.proposal.view};
    return plain;
}

void kl_vote_preimage(u8 out[KL_VOTE_PREIMAGE_LEN], const kl_vote_domain *domain, u8 scheme,
                      const kl_vote_subject *subject)
{
    kl_vote_subject s = kl_vote_subject_plain(subject);
    kl_out to = kl_out_of(out, KL_VOTE_PREIMAGE_LEN);
    kl_out_span(&to, KL_SPAN_TEXT("keel/1/vote"));
    kl_out_u8(&to, scheme);
    kl_out_be64(&to, domain->chain_id);
    kl_out_span(&to, kl_hash_span(&domain->genesis_hash));
    kl_out_u8(&to, (u8)s.kind);
    kl_out_be64(&to, s.proposal.epoch);
    kl_out_be64(&to, s.proposal.view);
    kl_out_be64(&to, s.proposal.parent_view);
    kl_out_be64(&to, s.proposal.height);
    kl_out_span(&to, kl_hash_span(&s.proposal.parent_hash));
    kl_out_span(&to, kl_hash_span(&s.proposal.block_hash));
    KL_ASSERT(!to.full && to.len == KL_VOTE_PREIMAGE_LEN);
}

bool kl_vote_sign(kl_vote *out, const kl_vote_subject *subject, u32 signer,
                  const kl_vote_scheme *scheme, const kl_secret32 *secret,
                  const kl_vote_domain *domain)
{
    u8 preimage[KL_VOTE_PREIMAGE_LEN];
    kl_vote_preimage(preimage, domain, scheme->id, subject);
    kl_vote vote = {.subject = kl_vote_subject_plain(subject), .signer = signer};
    if (!scheme->sign(vote.signature, secret, KL_SPAN_OF(preimage)))
        return false;
    *out = vote;
    return true;
}

kl_rule kl_vote_check(const kl_vote *vote, const kl_valset *set, const kl_vote_domain *domain)
{
    if (vote->signer >= set->count)
        return KL_RULE_VOTE_SIGNER;
    u8 preimage[KL_VOTE_PREIMAGE_LEN];
    kl_vote_preimage(preimage, domain, set->scheme->id, &vote->subject);
    return set->scheme->verify(set->validators[vote->signer].key, KL_SPAN_OF(preimage),
                               vote->signature)
               ? KL_RULE_NONE
               : KL_RULE_VOTE_SIGNATURE;
}

void kl_vote_put_subject(kl_out *out, const kl_vote_subject *subject)
{
    const kl_proposal *p = &subject->proposal;
    kl_rlp_put_u64(out, (u64)subject->kind);
    kl_rlp_put_u64(out, p->epoch);
    kl_rlp_put_u64(out, p->view);
    if (subject->kind == KL_VOTE_NULLIFY)
        return;
    kl_rlp_put_u64(out, p->parent_view);
    kl_rlp_put_u64(out, p->height);
    kl_rlp_put_hash(out, &p->parent_hash);
    kl_rlp_put_hash(out, &p->block_hash);
}

kl_rule kl_vote_get_subject(kl_rlp *from, kl_vote_subject *out)
{
    u64 kind;
    kl_vote_subject s = {0};
    kl_proposal *p = &s.proposal;
    KL_JUDGE(kl_rlp_u64(from, &kind));
    if (kind < KL_VOTE_NOTARIZE || kind > KL_VOTE_FINALIZE)
        return KL_RULE_VOTE_KIND;
    s.kind = (kl_vote_kind)kind;
    KL_JUDGE(kl_rlp_u64(from, &p->epoch));
    KL_JUDGE(kl_rlp_u64(from, &p->view));
    if (s.kind != KL_VOTE_NULLIFY) {
        KL_JUDGE(kl_rlp_u64(from, &p->parent_view));
        KL_JUDGE(kl_rlp_u64(from, &p->height));
        KL_JUDGE(kl_rlp_hash(from, &p->parent_hash));
        KL_JUDGE(kl_rlp_hash(from, &p->block_hash));
    }
    if (p->parent_view >= p->view) /* of a nullify vote it is 0 */
        return KL_RULE_VOTE_VIEW;
    *out = s;
    return KL_RULE_NONE;
}

void kl_vote_encode(kl_out *out, const kl_vote *vote, const kl_vote_scheme *scheme)
{
    kl_rlp_mark list = kl_rlp_put_begin(out);
    kl_vote_put_subject(out, &vote->subject);
    kl_rlp_put_u64(out, vote->signer);
    kl_rlp_put_bytes(out, kl_span_of(vote->signature, scheme->signature_len));
    kl_rlp_put_end(out, list);
}

kl_rule kl_vote_decode(kl_vote *out, kl_span bytes, const kl_vote_scheme *scheme)
{
    kl_rlp items;
    kl_vote vote = {0};
    u64 signer;
    KL_JUDGE(kl_rlp_open(&items, bytes));
    KL_JUDGE(kl_vote_get_subject(&items, &vote.subject));
    KL_JUDGE(kl_rlp_u64(&items, &signer));
    if (signer >= KL_VALIDATORS_MAX)
        return KL_RULE_VOTE_SIGNER;
    vote.signer = (u32)signer;
    KL_JUDGE(kl_rlp_fixed(&items, vote.signature, scheme->signature_len));
    KL_JUDGE(kl_rlp_close(&items));
    *out = vote;
    return KL_RULE_NONE;
}
