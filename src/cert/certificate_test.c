#include "cert/cert_rig_priv.h"
#include "codec/rlp.h"

static cert_rig rig;
static u8 room[KL_CERTIFICATE_MAX];
static const kl_vote_kind kinds[3] = {KL_VOTE_NOTARIZE, KL_VOTE_NULLIFY, KL_VOTE_FINALIZE};

static kl_rule check(const kl_certificate *certificate)
{
    return kl_certificate_check(certificate, &rig.set, &rig.domain);
}

static u64 weight_of(const kl_certificate *certificate) /* the slow twin */
{
    u64 sum = 0;
    for (u32 i = 0; i < rig.set.count; i++)
        sum += certificate->signers[i / 8] & (1u << (i % 8)) ? rig.set.validators[i].weight : 0;
    return sum;
}

/* Property: a quorum's votes make a certificate that holds and weighs what they weigh; under
 * another subject, chain or genesis it does not hold. */
KL_TEST(certificate_of_a_quorum_holds_and_binds_every_field)
{
    for (unsigned s = 0; s < 3; s++) {
        for (unsigned k = 0; k < (s == 1 ? 6 : 30); k++) {
            cert_rig_init(&rig, cert_schemes[s], 1 + (u32)kl_rand_below(seed, s == 1 ? 7 : 12),
                          1 + kl_rand_below(seed, 20), seed);
            kl_vote_subject subject = cert_rig_subject(kinds[k % 3], seed);
            kl_certificate c = cert_rig_certificate(&rig, &subject, room, seed);
            u64 weight = 0;
            CHECK_RULE(check(&c), KL_RULE_NONE);
            CHECK_RULE(kl_certificate_weight(&weight, &c, &rig.set), KL_RULE_NONE);
            CHECK_U64(weight, weight_of(&c));
            for (unsigned d = 0;; d++) {
                kl_certificate bad = c;
                if (!cert_rig_damage(&bad.subject, d, seed))
                    break;
                CHECK_RULE(check(&bad), KL_RULE_CERTIFICATE_SIGNATURE);
            }
            kl_vote_domain other = rig.domain;
            other.chain_id ^= (u64)1 << kl_rand_below(seed, 64);
            CHECK_RULE(kl_certificate_check(&c, &rig.set, &other), KL_RULE_CERTIFICATE_SIGNATURE);
            other = rig.domain;
            other.genesis_hash.b[kl_rand_below(seed, 32)] ^= 4;
            CHECK_RULE(kl_certificate_check(&c, &rig.set, &other), KL_RULE_CERTIFICATE_SIGNATURE);
        }
    }
}

/* Whoever signs with the set of another epoch, or under another scheme, has signed nothing here. */
KL_TEST(certificate_of_another_set_does_not_hold)
{
    static cert_rig other;
    kl_vote_subject subject = cert_rig_subject(KL_VOTE_FINALIZE, seed);
    cert_rig_init(&rig, KL_SCHEME_KEYED_HASH, 7, 1, seed);
    cert_rig_init(&other, KL_SCHEME_KEYED_HASH, 7, 1, seed);
    other.domain = rig.domain;
    kl_certificate c = cert_rig_certificate(&other, &subject, room, seed);
    CHECK_RULE(kl_certificate_check(&c, &other.set, &other.domain), KL_RULE_NONE);
    CHECK_RULE(check(&c), KL_RULE_CERTIFICATE_SIGNATURE);
    kl_vote_scheme impostor = *rig.scheme; /* the same keys and functions under another number */
    impostor.id = 77;
    c = cert_rig_certificate(&rig, &subject, room, seed);
    CHECK_RULE(check(&c), KL_RULE_NONE);
    rig.set.scheme = &impostor;
    CHECK_RULE(check(&c), KL_RULE_CERTIFICATE_SIGNATURE);
}

/* Property: for every weight one below a quorum is too little and a quorum is enough, whatever the
 * scheme thinks of the signatures. */
KL_TEST(certificate_needs_a_quorum)
{
    for (u64 w = 2; w <= 300; w++) {
        cert_rig_init(&rig, KL_SCHEME_KEYED_HASH, 2, 1, seed);
        u64 q = 2 * w / 3 + 1;
        for (u64 first = q - 1; first <= q && first < w; first++) {
            rig.validators[0].weight = first;
            rig.validators[1].weight = w - first;
            CHECK_RULE(kl_valset_init(&rig.set, rig.scheme, rig.validators, 2), KL_RULE_NONE);
            kl_vote_subject subject = cert_rig_subject(KL_VOTE_NOTARIZE, seed);
            kl_vote vote = cert_rig_vote(&rig, &subject, 0);
            kl_certificate c = {
                .subject = subject, .signers = {1}, .signatures = kl_span_of(vote.signature, 32)};
            CHECK_RULE(check(&c), first == q ? KL_RULE_NONE : KL_RULE_CERTIFICATE_WEIGHT);
        }
    }
}

/* A signer counted twice cannot be written down; what comes nearest, its signature in another's
 * place, or once more behind the others, does not hold. */
KL_TEST(certificate_counts_a_signer_once)
{
    for (unsigned s = 0; s < 3; s++) {
        cert_rig_init(&rig, cert_schemes[s], 4, 1, seed);
        usize len = rig.scheme->signature_len;
        kl_vote_subject subject = cert_rig_subject(KL_VOTE_NOTARIZE, seed);
        kl_vote first = cert_rig_vote(&rig, &subject, 0), second = cert_rig_vote(&rig, &subject, 1);
        kl_certificate c = {.subject = subject, .signers = {7}};
        if (rig.scheme->aggregates) { /* twice the second one's signature in the sum */
            const u8 *const twice[3] = {first.signature, second.signature, second.signature};
            CHECK(rig.scheme->aggregate(room, twice, 3));
            c.signatures = kl_span_of(room, len);
        } else {
            memcpy(room, first.signature, len);
            memcpy(room + len, second.signature, len);
            memcpy(room + 2 * len, second.signature, len);
            c.signatures = kl_span_of(room, 3 * len);
        }
        CHECK_RULE(check(&c), KL_RULE_CERTIFICATE_SIGNATURE);
        c.signers[0] = 3;
        CHECK_RULE(check(&c), KL_RULE_CERTIFICATE_WEIGHT);
    }
}

KL_TEST(certificate_signers_are_of_the_set)
{
    for (unsigned s = 0; s < 3; s++) {
        cert_rig_init(&rig, cert_schemes[s], 5, 1, seed);
        kl_vote_subject subject = cert_rig_subject(KL_VOTE_NULLIFY, seed);
        kl_certificate c = cert_rig_certificate(&rig, &subject, room, seed);
        u64 weight = 77;
        for (u32 bit = 5; bit < KL_VALIDATORS_MAX; bit++) {
            kl_certificate bad = c;
            bad.signers[bit / 8] |= (u8)(1u << (bit % 8));
            CHECK_RULE(check(&bad), KL_RULE_CERTIFICATE_SIGNERS);
            CHECK_RULE(kl_certificate_weight(&weight, &bad, &rig.set), KL_RULE_CERTIFICATE_SIGNERS);
            CHECK_U64(weight, 77);
        }
        kl_certificate more = c; /* one who has not signed */
        more.signers[0] = 0x1f;
        CHECK_RULE(check(&more), KL_RULE_CERTIFICATE_SIGNATURE);
        for (usize cut = 0; cut < c.signatures.len; cut += 1 + c.signatures.len / 50) {
            kl_certificate bad = c;
            bad.signatures.len = cut;
            CHECK_RULE(check(&bad), KL_RULE_CERTIFICATE_SIGNATURE);
        }
        kl_certificate longer = c;
        longer.signatures.len++;
        CHECK_RULE(check(&longer), KL_RULE_CERTIFICATE_SIGNATURE);
        for (usize at = 0; at < c.signatures.len; at += s == 1 ? 17 : 3) {
            room[at] ^= 0x10;
            CHECK_RULE(check(&c), KL_RULE_CERTIFICATE_SIGNATURE);
            room[at] ^= 0x10;
        }
        CHECK_RULE(check(&c), KL_RULE_NONE);
    }
}

/* The order in which votes came leaves no trace. */
KL_TEST(certificate_does_not_depend_on_the_order_of_votes)
{
    for (unsigned s = 0; s < 3; s++) {
        cert_rig_init(&rig, cert_schemes[s], 4, 1, seed);
        kl_vote_subject subject = cert_rig_subject(KL_VOTE_FINALIZE, seed);
        kl_vote votes[3];
        for (u32 i = 0; i < 3; i++)
            votes[i] = cert_rig_vote(&rig, &subject, i + 1);
        const kl_vote *const there[3] = {&votes[0], &votes[1], &votes[2]};
        const kl_vote *const back[3] = {&votes[2], &votes[0], &votes[1]};
        u8 other_room[3 * KL_VOTE_SIGNATURE_MAX];
        kl_certificate a, b;
        kl_certificate_make(&a, room, there, 3, &rig.set);
        kl_certificate_make(&b, other_room, back, 3, &rig.set);
        CHECK_SPAN(a.signatures, b.signatures);
        CHECK(memcmp(a.signers, b.signers, sizeof a.signers) == 0 && a.signers[0] == 0x0e);
    }
}

/* Property: certificates come back; no truncation decodes; what a damaged one decodes to writes
 * back the same bytes. */
KL_TEST(certificate_round_trips_and_has_no_second_encoding)
{
    static u8 bytes[KL_CERTIFICATE_RLP_MAX + 1], again[KL_CERTIFICATE_RLP_MAX];
    unsigned survived = 0;
    for (unsigned i = 0; i < 2000; i++) {
        kl_certificate c = {.subject = cert_rig_subject(kinds[kl_rand_below(seed, 3)], seed)}, back;
        kl_rand_fill(seed, room, sizeof room);
        kl_rand_fill(seed, c.signers, 1 + kl_rand_below(seed, sizeof c.signers));
        c.signers[0] |= 1;
        c.signatures = kl_span_of(room, i ? kl_rand_below(seed, 300) : KL_CERTIFICATE_MAX);
        kl_out out = kl_out_of(bytes, KL_CERTIFICATE_RLP_MAX),
               copy = kl_out_of(again, sizeof again);
        kl_certificate_encode(&out, &c);
        CHECK(!out.full);
        CHECK_RULE(kl_certificate_decode(&back, kl_out_done(&out)), KL_RULE_NONE);
        CHECK(kl_vote_subject_eq(&back.subject, &c.subject));
        CHECK(memcmp(back.signers, c.signers, sizeof c.signers) == 0);
        CHECK_SPAN(back.signatures, c.signatures);
        for (usize len = 0; len < out.len; len += 1 + out.len / 100)
            CHECK(kl_certificate_decode(&back, kl_span_of(bytes, len)) != KL_RULE_NONE);
        bytes[out.len] = 0;
        CHECK_RULE(kl_certificate_decode(&back, kl_span_of(bytes, out.len + 1)),
                   KL_RULE_RLP_TRAILING);
        bytes[kl_rand_below(seed, KL_MIN(out.len, 120))] = (u8)kl_rand(seed);
        if (kl_certificate_decode(&back, kl_out_done(&out)) != KL_RULE_NONE)
            continue;
        survived++;
        kl_certificate_encode(&copy, &back);
        CHECK_SPAN(kl_out_done(&copy), kl_out_done(&out));
    }
    CHECK(survived > 500);
}

KL_TEST(certificate_decoder_refuses)
{
    kl_certificate c;
    /* nullify, epoch 0, view 1, signers, no signatures */
    CHECK_RULE(kl_certificate_decode(&c, kl_test_hex("c502800101 80")), KL_RULE_NONE);
    CHECK_RULE(kl_certificate_decode(&c, kl_test_hex("c502800180 80")),
               KL_RULE_CERTIFICATE_SIGNERS); /* nobody */
    CHECK_RULE(kl_certificate_decode(&c, kl_test_hex("c502800100 80")),
               KL_RULE_CERTIFICATE_SIGNERS); /* nobody, in a byte */
    CHECK_RULE(kl_certificate_decode(&c, kl_test_hex("c7028001820100 80")),
               KL_RULE_CERTIFICATE_SIGNERS); /* a trailing zero */
    CHECK_RULE(
        kl_certificate_decode(
            &c, kl_test_hex("e6028001a1"
                            "000000000000000000000000000000000000000000000000000000000000000001"
                            "80")),
        KL_RULE_CERTIFICATE_SIGNERS); /* 33 bytes of them */
    CHECK_RULE(kl_certificate_decode(&c, kl_test_hex("c504800101 80")), KL_RULE_VOTE_KIND);
    CHECK_RULE(kl_certificate_decode(&c, kl_test_hex("c502808001 80")), KL_RULE_VOTE_VIEW);
    CHECK_RULE(kl_certificate_decode(&c, kl_test_hex("c60280010180 80")), KL_RULE_RLP_COUNT);
    CHECK_RULE(kl_certificate_decode(&c, kl_test_hex("c4028001 01")), KL_RULE_RLP_COUNT);
}
