#include "cert/cert_rig_priv.h"
#include "crypto/keccak.h"
#include "crypto/secp256k1.h"

KL_TEST(scheme_numbers)
{
    for (unsigned id = 0; id < 256; id++) {
        const kl_vote_scheme *chain = kl_vote_scheme_of((u8)id, false);
        const kl_vote_scheme *test = kl_vote_scheme_of((u8)id, true);
        CHECK((chain != NULL) == (id == 1 || id == 2));
        CHECK((test != NULL) == (id == 1 || id == 2 || id == 255));
        if (!test)
            continue;
        CHECK(test->id == id && test->key_len <= KL_VOTE_KEY_MAX);
        CHECK(test->signature_len <= KL_VOTE_SIGNATURE_MAX && test->proof_len <= KL_VOTE_PROOF_MAX);
    }
}

/* Property, of all schemes: deterministic; holds for its key and message and no other; refuses a
 * secret that is none. */
KL_TEST(scheme_signs_and_verifies)
{
    for (unsigned s = 0; s < 3; s++) {
        const kl_vote_scheme *scheme = kl_vote_scheme_of(cert_schemes[s], true);
        for (unsigned i = 0; i < 5; i++) {
            u8 key[KL_VOTE_KEY_MAX], other[KL_VOTE_KEY_MAX], proof[KL_VOTE_PROOF_MAX];
            u8 a[KL_VOTE_SIGNATURE_MAX] = {0}, b[KL_VOTE_SIGNATURE_MAX] = {0};
            kl_secret32 secret, second;
            u64 message = kl_rand(seed), changed = message ^ 1;
            kl_rand_fill(seed, secret.b, 32);
            kl_rand_fill(seed, second.b, 32);
            secret.b[0] &= 0x3f;
            second.b[0] &= 0x3f;
            CHECK(scheme->public_key(key, &secret) && scheme->public_key(other, &second));
            CHECK(scheme->sign(a, &secret, KL_SPAN_OF(message)));
            CHECK(scheme->sign(b, &secret, KL_SPAN_OF(message)));
            CHECK(memcmp(a, b, sizeof a) == 0);
            CHECK(scheme->verify(key, KL_SPAN_OF(message), a));
            CHECK(!scheme->verify(key, KL_SPAN_OF(changed), a));
            CHECK(!scheme->verify(other, KL_SPAN_OF(message), a));
            kl_span shown = KL_SPAN_NONE;
            if (scheme->proof_len) {
                CHECK(!scheme->check_key(key, KL_SPAN_NONE));
                CHECK(scheme->prove(proof, &secret));
                shown = kl_span_of(proof, scheme->proof_len);
                CHECK(!scheme->check_key(other, shown));
            } else {
                CHECK(!scheme->check_key(key, KL_SPAN_OF(message)));
            }
            CHECK(scheme->check_key(key, shown));
        }
        kl_secret32 none = {0};
        u8 room[KL_VOTE_SIGNATURE_MAX];
        bool hash = cert_schemes[s] == KL_SCHEME_KEYED_HASH;
        CHECK(scheme->public_key(room, &none) == hash);
        CHECK(scheme->sign(room, &none, KL_SPAN_NONE) == hash);
    }
}

/* The other root, n - s with the other parity, recovers the same key; it is refused. */
KL_TEST(scheme_secp256k1_has_one_spelling)
{
    const kl_vote_scheme *scheme = kl_vote_scheme_of(KL_SCHEME_SECP256K1, false);
    for (unsigned i = 0; i < 50; i++) {
        u8 key[KL_VOTE_KEY_MAX], signature[KL_VOTE_SIGNATURE_MAX] = {0};
        kl_secret32 secret;
        u64 message = kl_rand(seed);
        kl_rand_fill(seed, secret.b, 32);
        CHECK(scheme->public_key(key, &secret));
        CHECK(scheme->sign(signature, &secret, KL_SPAN_OF(message)));
        kl_u256 s = kl_u256_from_be(signature + 32);
        CHECK(kl_u256_cmp(s, kl_secp256k1_half_n) <= 0 && signature[64] <= 1);
        kl_u256_to_be(signature + 32, kl_u256_sub(kl_secp256k1_n, s));
        signature[64] ^= 1;
        kl_hash digest = kl_keccak256(KL_SPAN_OF(message));
        kl_signature other = {kl_u256_from_be(signature), kl_u256_from_be(signature + 32),
                              signature[64]};
        kl_pubkey recovered;
        CHECK(kl_secp256k1_recover_var(&recovered, &digest, &other));
        CHECK(!scheme->verify(key, KL_SPAN_OF(message), signature));
    }
    u8 zero[KL_VOTE_KEY_MAX] = {0};
    CHECK(!scheme->check_key(zero, KL_SPAN_NONE));
}
