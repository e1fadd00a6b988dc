#include "cert/cert_rig_priv.h"

/* Property: a proof holds, is the same each time, and binds chain, genesis, epoch, view and key. */
KL_TEST(randao_binds_everything)
{
    for (unsigned s = 0; s < 3; s++) {
        const kl_vote_scheme *scheme = kl_vote_scheme_of(cert_schemes[s], true);
        u8 key[KL_RANDAO_KEY_LEN], proof[KL_RANDAO_PROOF_LEN], again[KL_RANDAO_PROOF_LEN];
        kl_secret32 secret;
        kl_vote_domain domain, other;
        u64 epoch = kl_rand(seed), view = kl_rand(seed);
        kl_rand_fill(seed, secret.b, 32);
        kl_rand_fill(seed, &domain, sizeof domain);
        secret.b[0] &= 0x3f;
        CHECK(kl_randao_key(key, scheme, &secret));
        CHECK(kl_randao_sign(proof, scheme, &secret, &domain, epoch, view));
        CHECK(kl_randao_sign(again, scheme, &secret, &domain, epoch, view));
        CHECK(memcmp(proof, again, sizeof proof) == 0);
        CHECK(kl_randao_verify(proof, scheme, key, &domain, epoch, view));
        CHECK(!kl_randao_verify(proof, scheme, key, &domain, epoch ^ 1, view));
        CHECK(!kl_randao_verify(proof, scheme, key, &domain, epoch, view ^ 1));
        other = domain;
        other.chain_id ^= 1;
        CHECK(!kl_randao_verify(proof, scheme, key, &other, epoch, view));
        other = domain;
        other.genesis_hash.b[31] ^= 1;
        CHECK(!kl_randao_verify(proof, scheme, key, &other, epoch, view));
        for (usize at = 0; at < sizeof proof; at += 5) {
            memcpy(again, proof, sizeof again);
            again[at] ^= 8;
            CHECK(!kl_randao_verify(again, scheme, key, &domain, epoch, view));
        }
        secret.b[5] ^= 1;
        CHECK(kl_randao_key(key, scheme, &secret));
        CHECK(!kl_randao_verify(proof, scheme, key, &domain, epoch, view));
    }
}

/* Made by an independent library (@noble/curves) from the bytes that docs/formats/consensus.md
 * draws: secret 263dbd79…, chain id 1234, genesis hash 32 times 0xab, epoch 5, view 9. */
KL_TEST(randao_known_answer)
{
    const kl_vote_scheme *scheme = kl_vote_scheme_of(KL_SCHEME_SECP256K1, false);
    u8 proof[KL_RANDAO_PROOF_LEN];
    kl_secret32 secret;
    kl_vote_domain domain = {.chain_id = 1234};
    memset(domain.genesis_hash.b, 0xab, 32);
    memcpy(secret.b,
           kl_test_hex("263dbd792f5b1be47ed85f8938c0f29586af0d3ac7b977f21c278fe1462040e3").p, 32);
    CHECK(kl_randao_sign(proof, scheme, &secret, &domain, 5, 9));
    CHECK_HEX(KL_SPAN_OF(proof),
              "8d96b82ef6600195097fb16f179d99a01602e5b7f06c5cc9a6fd9973b1345cc6"
              "f5b569890c2848a8247f6c9680500c980cb03d94cad718b1705b3c93b5b72a8f"
              "2142dfdd448258e0f733f6f1974733cc6e0381763a43659e59873d7a89e49a4a");
    kl_hash zero = {0}, mix = kl_randao_mix(&zero, proof);
    CHECK_HEX(kl_hash_span(&mix),
              "784e488509f63165e9ed090dce602ce5d770e847c802ab118c45b2d1ddb64735");
}

/* Votes of both schemes for the same subject, by the same library. */
KL_TEST(vote_known_answers)
{
    kl_vote_domain domain = {.chain_id = 1234};
    kl_vote_subject subject = {
        .kind = KL_VOTE_FINALIZE,
        .proposal = {.epoch = 5, .view = 9, .parent_view = 7, .height = 100}};
    kl_secret32 secret;
    kl_vote vote;
    memset(domain.genesis_hash.b, 0xab, 32);
    memset(subject.proposal.parent_hash.b, 0xcd, 32);
    memset(subject.proposal.block_hash.b, 0xef, 32);
    memcpy(secret.b,
           kl_test_hex("263dbd792f5b1be47ed85f8938c0f29586af0d3ac7b977f21c278fe1462040e3").p, 32);
    CHECK(kl_vote_sign(&vote, &subject, 0, kl_vote_scheme_of(KL_SCHEME_BLS12_381, false), &secret,
                       &domain));
    CHECK_HEX(kl_span_of(vote.signature, 96),
              "934b0b66c2a56f95ecfe49ae372e70db099b190b2993043aac80a4124e9e5c55"
              "c166b18b8338b6143b76b8ff583dc99912040e2fe746ca50a690258d4948f2bc"
              "f95b784cb84bec5feb40fc1984bf8fecf41325dbed1f8e3abaee5816646ff2ee");
    CHECK(kl_vote_sign(&vote, &subject, 0, kl_vote_scheme_of(KL_SCHEME_SECP256K1, false), &secret,
                       &domain));
    CHECK_HEX(kl_span_of(vote.signature, 65),
              "fa351ad764c5905ed04bad0b1489baba9de42c036d267fafad26ffde1c46ade7"
              "70bf5628d74b7afb16707826151b35eca298e89de302845b07bb1ab50443e2b8"
              "00");
}
