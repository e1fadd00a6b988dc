#include "cert/peer_proof.h"

#include "cert/cert_rig_priv.h"
#include "cert/randao.h"

/* Known answers by ethers and by noble-curves: secret 11…, genesis 22…, peer 33…, chain 31337. */
KL_TEST(peer_proof_known_answers)
{
    static const struct {
        u8 scheme;
        const char *key, *proof;
    } rows[] = {
        {KL_SCHEME_SECP256K1, "19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A",
         "3a8d985a8bdea593003cb2b33d7101c3475cd6f637c29624d98079ab370ae4e0"
         "0340b2d00ef52ac4beb7b9307d151320924ca0d64d01e36213508c03a6789b48"
         "00"},
        {KL_SCHEME_BLS12_381,
         "97248533cef0908a5ebe52c3b487471301bf6369010e6167f63dd74feddac2dfb5336a59a331d38eb0e454d6f"
         "6fcb1a4",
         "8eb8a70f0acc1cc916e9f6d6960b2ea19f1f3a8246f096a0f48d180239ab1195"
         "3258fdcee1c17793463d4356c8e44aa411a06b7ffe3d1824f03a4bb5ded77570"
         "b04fccae2f7c4cfb6d152a325051f8c1460fecf061b33ffb92ac806c3751c7c8"},
    };
    kl_vote_domain domain = {.chain_id = 31337};
    kl_secret32 secret;
    u8 peer[32], got[KL_VOTE_SIGNATURE_MAX];
    memset(domain.genesis_hash.b, 0x22, 32);
    memset(secret.b, 0x11, 32);
    memset(peer, 0x33, 32);
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        const kl_vote_scheme *scheme = kl_vote_scheme_of(rows[i].scheme, false);
        const u8 *key = kl_test_hex(rows[i].key).p;
        CHECK(kl_peer_proof_sign(got, scheme, &secret, &domain, peer, 0x0102030405060708));
        CHECK_SPAN(kl_span_of(got, scheme->signature_len), kl_test_hex(rows[i].proof));
        CHECK(kl_peer_proof_verify(got, scheme, key, &domain, peer, 0x0102030405060708));
    }
}

/* Property, of all schemes: it holds for that peer, seq, chain and genesis, and is no vote and no
 * share of randomness. */
KL_TEST(peer_proof_binds)
{
    for (unsigned s = 0; s < 3; s++) {
        const kl_vote_scheme *scheme = kl_vote_scheme_of(cert_schemes[s], true);
        kl_vote_domain domain = {.chain_id = kl_rand(seed)};
        kl_secret32 secret;
        u8 key[KL_VOTE_KEY_MAX], peer[32], proof[KL_VOTE_SIGNATURE_MAX];
        u64 seq = kl_rand(seed);
        kl_rand_fill(seed, domain.genesis_hash.b, 32);
        kl_rand_fill(seed, secret.b, 32);
        kl_rand_fill(seed, peer, 32);
        secret.b[0] &= 0x3f;
        CHECK(scheme->public_key(key, &secret));
        CHECK(kl_peer_proof_sign(proof, scheme, &secret, &domain, peer, seq));
        CHECK(kl_peer_proof_verify(proof, scheme, key, &domain, peer, seq));
        CHECK(!kl_peer_proof_verify(proof, scheme, key, &domain, peer, seq + 1));
        peer[kl_rand_below(seed, 32)] ^= 1;
        CHECK(!kl_peer_proof_verify(proof, scheme, key, &domain, peer, seq));
        CHECK(kl_peer_proof_sign(proof, scheme, &secret, &domain, peer, seq));
        kl_vote_domain other = domain;
        other.chain_id++;
        CHECK(!kl_peer_proof_verify(proof, scheme, key, &other, peer, seq));
        other = domain;
        other.genesis_hash.b[31] ^= 1;
        CHECK(!kl_peer_proof_verify(proof, scheme, key, &other, peer, seq));
        for (u32 kind = KL_VOTE_NOTARIZE; kind <= KL_VOTE_FINALIZE; kind++) {
            kl_vote_subject subject = cert_rig_subject((kl_vote_kind)kind, seed);
            u8 preimage[KL_VOTE_PREIMAGE_LEN];
            kl_vote_preimage(preimage, &domain, scheme->id, &subject);
            CHECK(!scheme->verify(key, KL_SPAN_OF(preimage), proof));
            /* Not even with the text cut to the same length, or the peer chosen to match. */
            CHECK(memcmp(preimage, "keel/1/peer", 11) != 0);
        }
    }
}
