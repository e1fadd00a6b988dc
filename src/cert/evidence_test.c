#include "cert/cert_rig_priv.h"
#include "codec/rlp.h"

static cert_rig rig;
static const kl_vote_kind kinds[3] = {KL_VOTE_NOTARIZE, KL_VOTE_NULLIFY, KL_VOTE_FINALIZE};

/* Every pair of 3 kinds, 2 views and 2 blocks, against the words of the rules: no second, different
 * notarize; no second, different finalize; not both finalize and nullify; all within a view. */
KL_TEST(evidence_is_what_no_honest_validator_signs)
{
    for (unsigned pair = 0; pair < 144; pair++) {
        unsigned ka = pair % 3, kb = pair / 3 % 3, va = pair / 9 % 2, vb = pair / 18 % 2;
        unsigned ba = pair / 36 % 2, bb = pair / 72;
        kl_vote_subject a = {.kind = kinds[ka], .proposal = {.view = 1 + va}}, b = a;
        b.kind = kinds[kb];
        b.proposal.view = 1 + vb;
        a.proposal.block_hash.b[0] = (u8)ba;
        b.proposal.block_hash.b[0] = (u8)bb;
        kl_evidence_kind want = KL_EVIDENCE_NONE;
        if (va == vb && ka == 0 && kb == 0 && ba != bb)
            want = KL_EVIDENCE_NOTARIZE;
        if (va == vb && ka == 2 && kb == 2 && ba != bb)
            want = KL_EVIDENCE_FINALIZE;
        if (va == vb && ka + kb == 3 && ka != 0 && kb != 0)
            want = KL_EVIDENCE_BOTH;
        CHECK_U64(kl_evidence_of(&a, &b), want);
        CHECK_U64(kl_evidence_of(&b, &a), want);
        b.proposal.epoch++;
        CHECK_U64(kl_evidence_of(&a, &b), KL_EVIDENCE_NONE);
    }
}

static kl_evidence conflicting(u64 *seed)
{
    kl_vote_subject a = cert_rig_subject(kinds[kl_rand_below(seed, 2) * 2], seed), b = a;
    if (a.kind == KL_VOTE_FINALIZE && kl_rand(seed) & 1)
        b = (kl_vote_subject){KL_VOTE_NULLIFY,
                              {.epoch = a.proposal.epoch, .view = a.proposal.view}};
    else
        b.proposal.block_hash.b[7] ^= 1;
    return (kl_evidence){cert_rig_vote(&rig, &a, 2), cert_rig_vote(&rig, &b, 2)};
}

KL_TEST(evidence_is_judged)
{
    for (unsigned i = 0; i < 9; i++) {
        cert_rig_init(&rig, cert_schemes[i % 3], 4, 1, seed);
        kl_evidence good = conflicting(seed), bad = good;
        CHECK_RULE(kl_evidence_check(&good, &rig.set, &rig.domain), KL_RULE_NONE);
        bad.second = bad.first;
        CHECK_RULE(kl_evidence_check(&bad, &rig.set, &rig.domain), KL_RULE_EVIDENCE_NONE);
        bad = good;
        bad.second = cert_rig_vote(&rig, &good.second.subject, 1); /* two people */
        CHECK_RULE(kl_evidence_check(&bad, &rig.set, &rig.domain), KL_RULE_EVIDENCE_NONE);
        bad = good;
        bad.second.signature[9] ^= 1;
        CHECK_RULE(kl_evidence_check(&bad, &rig.set, &rig.domain), KL_RULE_VOTE_SIGNATURE);
        bad = good;
        bad.first.signature[9] ^= 1;
        CHECK_RULE(kl_evidence_check(&bad, &rig.set, &rig.domain), KL_RULE_VOTE_SIGNATURE);
        bad = good;
        bad.first.signer = bad.second.signer = 4;
        CHECK_RULE(kl_evidence_check(&bad, &rig.set, &rig.domain), KL_RULE_VOTE_SIGNER);
        kl_vote_domain other = rig.domain;
        other.chain_id++;
        CHECK_RULE(kl_evidence_check(&good, &rig.set, &other), KL_RULE_VOTE_SIGNATURE);
    }
}

/* Property: the same two votes are the same bytes in either order; the other order is refused, and
 * so are a vote given twice, and every truncation. */
KL_TEST(evidence_round_trips_and_has_no_second_encoding)
{
    for (unsigned i = 0; i < 300; i++) {
        cert_rig_init(&rig, KL_SCHEME_KEYED_HASH, 3, 1, seed);
        kl_evidence a = conflicting(seed), b = {a.second, a.first}, back;
        u8 room[2][KL_EVIDENCE_RLP_MAX], votes[2][KL_VOTE_RLP_MAX];
        kl_out first = kl_out_of(room[0], KL_EVIDENCE_RLP_MAX);
        kl_out second = kl_out_of(room[1], KL_EVIDENCE_RLP_MAX);
        kl_evidence_encode(&first, &a, rig.scheme);
        kl_evidence_encode(&second, &b, rig.scheme);
        CHECK(!first.full);
        CHECK_SPAN(kl_out_done(&first), kl_out_done(&second));
        CHECK_RULE(kl_evidence_decode(&back, kl_out_done(&first), rig.scheme), KL_RULE_NONE);
        CHECK_RULE(kl_evidence_check(&back, &rig.set, &rig.domain), KL_RULE_NONE);
        for (usize len = 0; len < first.len; len++)
            CHECK(kl_evidence_decode(&back, kl_span_of(room[0], len), rig.scheme) != KL_RULE_NONE);
        kl_out one = kl_out_of(votes[0], KL_VOTE_RLP_MAX),
               two = kl_out_of(votes[1], KL_VOTE_RLP_MAX);
        kl_evidence_decode(&back, kl_out_done(&first), rig.scheme);
        kl_vote_encode(&one, &back.first, rig.scheme);
        kl_vote_encode(&two, &back.second, rig.scheme);
        for (int twice = 0; twice < 2; twice++) {
            second = kl_out_of(room[1], KL_EVIDENCE_RLP_MAX);
            kl_rlp_mark list = kl_rlp_put_begin(&second);
            kl_out_span(&second, kl_out_done(&two));
            kl_out_span(&second, twice ? kl_out_done(&two) : kl_out_done(&one));
            kl_rlp_put_end(&second, list);
            CHECK_RULE(kl_evidence_decode(&back, kl_out_done(&second), rig.scheme),
                       KL_RULE_EVIDENCE_ORDER);
        }
    }
}
