#include "cert/cert_rig_priv.h"
#include "codec/rlp.h"

static cert_rig rig;
static const kl_vote_kind kinds[3] = {KL_VOTE_NOTARIZE, KL_VOTE_NULLIFY, KL_VOTE_FINALIZE};

/* Byte by byte, as the header draws it. */
KL_TEST(vote_preimage_is_drawn_in_the_header)
{
    kl_vote_domain domain = {.chain_id = 0x0102030405060708};
    kl_vote_subject s = {
        .kind = KL_VOTE_FINALIZE,
        .proposal = {.epoch = 0x11, .view = 0x22, .parent_view = 0x21, .height = 3}};
    memset(domain.genesis_hash.b, 0xaa, 32);
    memset(s.proposal.parent_hash.b, 0xbb, 32);
    memset(s.proposal.block_hash.b, 0xcc, 32);
    u8 got[KL_VOTE_PREIMAGE_LEN];
    kl_vote_preimage(got, &domain, 2, &s);
    CHECK_HEX(KL_SPAN_OF(got), "6b65656c2f312f766f7465 02 0102030405060708"
                               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 03"
                               "0000000000000011 0000000000000022 0000000000000021 0000000000000003"
                               "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
                               "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc");
    s.kind = KL_VOTE_NULLIFY;
    kl_vote_preimage(got, &domain, 255, &s);
    CHECK_HEX(KL_SPAN_OF(got), "6b65656c2f312f766f7465 ff 0102030405060708"
                               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 02"
                               "0000000000000011 0000000000000022 0000000000000000 0000000000000000"
                               "0000000000000000000000000000000000000000000000000000000000000000"
                               "0000000000000000000000000000000000000000000000000000000000000000");
}

/* Property: two subjects are equal exactly when their preimages are. */
KL_TEST(vote_equality_is_that_of_what_is_signed)
{
    kl_vote_domain domain = {.chain_id = 1};
    for (int i = 0; i < 3000; i++) {
        u8 first[KL_VOTE_PREIMAGE_LEN], second[KL_VOTE_PREIMAGE_LEN];
        kl_vote_subject a = cert_rig_subject(kinds[kl_rand_below(seed, 3)], seed), b = a;
        (void)cert_rig_damage(&b, (unsigned)kl_rand_below(seed, 8), seed);
        kl_vote_preimage(first, &domain, 1, &a);
        kl_vote_preimage(second, &domain, 1, &b);
        CHECK(kl_vote_subject_eq(&a, &b) == kl_span_eq(KL_SPAN_OF(first), KL_SPAN_OF(second)));
        CHECK(a.kind != b.kind || a.kind == KL_VOTE_NULLIFY ||
              kl_vote_subject_eq(&a, &b) == kl_proposal_eq(&a.proposal, &b.proposal));
    }
}

/* Property: a vote holds, and no longer when any field of subject or domain changes, nor under
 * another's key, nor with any bit of the signature flipped. */
KL_TEST(vote_binds_every_field)
{
    for (unsigned s = 0; s < KL_COUNT_OF(cert_schemes); s++) {
        for (unsigned k = 0; k < 3 * (s == 1 ? 1 : 4); k++) {
            cert_rig_init(&rig, cert_schemes[s], 3, 1, seed);
            kl_vote_subject subject = cert_rig_subject(kinds[k % 3], seed);
            kl_vote vote = cert_rig_vote(&rig, &subject, 1),
                    again = cert_rig_vote(&rig, &subject, 1);
            CHECK(memcmp(vote.signature, again.signature, rig.scheme->signature_len) == 0);
            CHECK_RULE(kl_vote_check(&vote, &rig.set, &rig.domain), KL_RULE_NONE);
            for (unsigned d = 0;; d++) {
                kl_vote bad = vote;
                if (!cert_rig_damage(&bad.subject, d, seed))
                    break;
                CHECK_RULE(kl_vote_check(&bad, &rig.set, &rig.domain), KL_RULE_VOTE_SIGNATURE);
            }
            kl_vote_domain other = rig.domain;
            other.chain_id ^= (u64)1 << kl_rand_below(seed, 64);
            CHECK_RULE(kl_vote_check(&vote, &rig.set, &other), KL_RULE_VOTE_SIGNATURE);
            other = rig.domain;
            other.genesis_hash.b[kl_rand_below(seed, 32)] ^= 1;
            CHECK_RULE(kl_vote_check(&vote, &rig.set, &other), KL_RULE_VOTE_SIGNATURE);
            kl_vote bad = vote;
            bad.signer = 2;
            CHECK_RULE(kl_vote_check(&bad, &rig.set, &rig.domain), KL_RULE_VOTE_SIGNATURE);
            bad.signer = 3;
            CHECK_RULE(kl_vote_check(&bad, &rig.set, &rig.domain), KL_RULE_VOTE_SIGNER);
            for (usize bit = 0; bit < 8 * rig.scheme->signature_len; bit += s == 1 ? 23 : 1) {
                bad = vote;
                bad.signature[bit / 8] ^= (u8)(1u << (bit % 8));
                CHECK_RULE(kl_vote_check(&bad, &rig.set, &rig.domain), KL_RULE_VOTE_SIGNATURE);
            }
        }
    }
}

/* A signature under one scheme says nothing under another, even where the key is the same bytes. */
KL_TEST(vote_binds_the_scheme)
{
    u8 first[KL_VOTE_PREIMAGE_LEN], second[KL_VOTE_PREIMAGE_LEN];
    kl_vote_domain domain = {.chain_id = 1};
    kl_vote_subject subject = cert_rig_subject(KL_VOTE_NOTARIZE, seed);
    kl_vote_preimage(first, &domain, KL_SCHEME_SECP256K1, &subject);
    kl_vote_preimage(second, &domain, KL_SCHEME_BLS12_381, &subject);
    CHECK(!kl_span_eq(KL_SPAN_OF(first), KL_SPAN_OF(second)));
}

/* Property: votes come back; no truncation decodes; what a damaged one decodes to writes back the
 * same bytes. */
KL_TEST(vote_round_trips_and_has_no_second_encoding)
{
    unsigned survived = 0;
    for (unsigned i = 0; i < 6000; i++) {
        const kl_vote_scheme *scheme = kl_vote_scheme_of(cert_schemes[i % 3], true);
        kl_vote vote = {.subject = cert_rig_subject(kinds[kl_rand_below(seed, 3)], seed),
                        .signer = (u32)kl_rand_below(seed, KL_VALIDATORS_MAX)};
        kl_rand_fill(seed, vote.signature, scheme->signature_len);
        u8 room[KL_VOTE_RLP_MAX + 1] = {0}, again[KL_VOTE_RLP_MAX];
        kl_vote back;
        kl_out out = kl_out_of(room, KL_VOTE_RLP_MAX), copy = kl_out_of(again, sizeof again);
        kl_vote_encode(&out, &vote, scheme);
        CHECK(!out.full);
        CHECK_RULE(kl_vote_decode(&back, kl_out_done(&out), scheme), KL_RULE_NONE);
        CHECK(kl_vote_subject_eq(&back.subject, &vote.subject) && back.signer == vote.signer);
        CHECK(memcmp(back.signature, vote.signature, sizeof vote.signature) == 0);
        for (usize len = 0; i < 60 && len < out.len; len++)
            CHECK(kl_vote_decode(&back, kl_span_of(room, len), scheme) != KL_RULE_NONE);
        CHECK_RULE(kl_vote_decode(&back, kl_span_of(room, out.len + 1), scheme),
                   KL_RULE_RLP_TRAILING);
        room[kl_rand_below(seed, i % 2 ? out.len : 30)] = (u8)kl_rand(seed);
        if (kl_vote_decode(&back, kl_out_done(&out), scheme) != KL_RULE_NONE)
            continue;
        survived++;
        kl_vote_encode(&copy, &back, scheme);
        CHECK_SPAN(kl_out_done(&copy), kl_out_done(&out));
    }
    CHECK(survived > 1000);
}

static kl_rule decode(kl_vote_kind kind, u64 view, u64 parent_view, u64 signer)
{
    const kl_vote_scheme *scheme = kl_vote_scheme_of(KL_SCHEME_KEYED_HASH, true);
    u8 room[KL_VOTE_RLP_MAX];
    kl_vote vote = {
        .subject = {.kind = kind, .proposal = {.view = view, .parent_view = parent_view}},
        .signer = (u32)signer};
    kl_out out = kl_out_of(room, sizeof room);
    kl_vote_encode(&out, &vote, scheme);
    return kl_vote_decode(&vote, kl_out_done(&out), scheme);
}

KL_TEST(vote_decoder_refuses)
{
    CHECK_RULE(decode(KL_VOTE_NOTARIZE, 2, 1, 255), KL_RULE_NONE);
    CHECK_RULE(decode((kl_vote_kind)0, 2, 1, 0), KL_RULE_VOTE_KIND);
    CHECK_RULE(decode((kl_vote_kind)4, 2, 1, 0), KL_RULE_VOTE_KIND);
    CHECK_RULE(decode(KL_VOTE_NOTARIZE, 0, 0, 0), KL_RULE_VOTE_VIEW);
    CHECK_RULE(decode(KL_VOTE_FINALIZE, 2, 2, 0), KL_RULE_VOTE_VIEW);
    CHECK_RULE(decode(KL_VOTE_NULLIFY, 0, 0, 0), KL_RULE_VOTE_VIEW);
    CHECK_RULE(decode(KL_VOTE_NULLIFY, 1, 7, 0), KL_RULE_NONE); /* its parent is not written */
    CHECK_RULE(decode(KL_VOTE_NULLIFY, 1, 0, 256), KL_RULE_VOTE_SIGNER);
}
