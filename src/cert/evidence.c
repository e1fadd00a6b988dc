#include "cert/evidence.h"

#include "codec/rlp.h"

kl_evidence_kind kl_evidence_of(const kl_vote_subject *a, const kl_vote_subject *b)
{
    if (a->proposal.epoch != b->proposal.epoch || a->proposal.view != b->proposal.view)
        return KL_EVIDENCE_NONE;
    if ((a->kind == KL_VOTE_NULLIFY && b->kind == KL_VOTE_FINALIZE) ||
        (a->kind == KL_VOTE_FINALIZE && b->kind == KL_VOTE_NULLIFY))
        return KL_EVIDENCE_BOTH;
    if (a->kind != b->kind || kl_vote_subject_eq(a, b))
        return KL_EVIDENCE_NONE;
    return a->kind == KL_VOTE_NOTARIZE ? KL_EVIDENCE_NOTARIZE : KL_EVIDENCE_FINALIZE;
}

kl_rule kl_evidence_check(const kl_evidence *evidence, const kl_valset *set,
                          const kl_vote_domain *domain)
{
    const kl_vote *first = &evidence->first, *second = &evidence->second;
    if (first->signer != second->signer ||
        kl_evidence_of(&first->subject, &second->subject) == KL_EVIDENCE_NONE)
        return KL_RULE_EVIDENCE_NONE;
    KL_JUDGE(kl_vote_check(first, set, domain));
    return kl_vote_check(second, set, domain);
}

static kl_span vote_bytes(u8 room[KL_VOTE_RLP_MAX], const kl_vote *vote,
                          const kl_vote_scheme *scheme)
{
    kl_out out = kl_out_of(room, KL_VOTE_RLP_MAX);
    kl_vote_encode(&out, vote, scheme);
    KL_ASSERT(!out.full);
    return kl_out_done(&out);
}

void kl_evidence_encode(kl_out *out, const kl_evidence *evidence, const kl_vote_scheme *scheme)
{
    u8 room[2][KL_VOTE_RLP_MAX];
    kl_span a = vote_bytes(room[0], &evidence->first, scheme);
    kl_span b = vote_bytes(room[1], &evidence->second, scheme);
    bool in_order = kl_span_cmp(a, b) <= 0;
    kl_rlp_mark list = kl_rlp_put_begin(out);
    kl_out_span(out, in_order ? a : b);
    kl_out_span(out, in_order ? b : a);
    kl_rlp_put_end(out, list);
}

kl_rule kl_evidence_decode(kl_evidence *out, kl_span bytes, const kl_vote_scheme *scheme)
{
    kl_rlp items;
    kl_evidence made;
    kl_span a, b;
    bool is_list; /* what is none, no vote decodes from */
    KL_JUDGE(kl_rlp_open(&items, bytes));
    KL_JUDGE(kl_rlp_item(&items, &a, &is_list));
    KL_JUDGE(kl_rlp_item(&items, &b, &is_list));
    KL_JUDGE(kl_rlp_close(&items));
    KL_JUDGE(kl_vote_decode(&made.first, a, scheme));
    KL_JUDGE(kl_vote_decode(&made.second, b, scheme));
    if (kl_span_cmp(a, b) >= 0)
        return KL_RULE_EVIDENCE_ORDER;
    *out = made;
    return KL_RULE_NONE;
}
