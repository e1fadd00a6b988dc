/* The three schemes behind one table of functions. */
#include "cert/scheme.h"

#include "crypto/address.h"
#include "crypto/bls_sign.h"
#include "crypto/keccak.h"

enum { ADDRESS_LEN = 20, RECOVERABLE_LEN = 65, HASH_LEN = 32 };

_Static_assert((int)KL_BLS_KEY_LEN <= (int)KL_VOTE_KEY_MAX, "a key fits");
_Static_assert((int)KL_BLS_SIGNATURE_LEN <= (int)KL_VOTE_SIGNATURE_MAX &&
                   (int)KL_BLS_SIGNATURE_LEN <= (int)KL_VOTE_PROOF_MAX,
               "a signature fits");

/* secp256k1 */

static bool secp_public_key(u8 *key, const kl_secret32 *secret)
{
    kl_pubkey pubkey;
    if (!kl_secp256k1_pubkey(&pubkey, secret))
        return false;
    kl_address address = kl_address_of_pubkey(&pubkey);
    memcpy(key, address.b, ADDRESS_LEN);
    return true;
}

static bool secp_check_key(const u8 *key, kl_span proof)
{
    kl_address address;
    memcpy(address.b, key, ADDRESS_LEN);
    return proof.len == 0 && !kl_address_is_zero(&address);
}

static bool secp_sign(u8 *signature, const kl_secret32 *secret, kl_span preimage)
{
    kl_hash digest = kl_keccak256(preimage);
    kl_signature made;
    if (!kl_secp256k1_sign(&made, &digest, secret))
        return false;
    kl_u256_to_be(signature, made.r);
    kl_u256_to_be(signature + 32, made.s);
    signature[64] = made.y_parity;
    return true;
}

/* A signature with s above half the order would be a second spelling of the one with n - s. */
static bool secp_verify(const u8 *key, kl_span preimage, const u8 *signature)
{
    kl_hash digest = kl_keccak256(preimage);
    kl_signature parsed = {.r = kl_u256_from_be(signature),
                           .s = kl_u256_from_be(signature + 32),
                           .y_parity = signature[64]};
    kl_pubkey pubkey;
    if (kl_u256_cmp(parsed.s, kl_secp256k1_half_n) > 0 ||
        !kl_secp256k1_recover_var(&pubkey, &digest, &parsed))
        return false;
    kl_address address = kl_address_of_pubkey(&pubkey);
    return memcmp(address.b, key, ADDRESS_LEN) == 0;
}

static const kl_vote_scheme secp256k1 = {
    .id = KL_SCHEME_SECP256K1,
    .name = "secp256k1",
    .key_len = ADDRESS_LEN,
    .signature_len = RECOVERABLE_LEN,
    .public_key = secp_public_key,
    .check_key = secp_check_key,
    .sign = secp_sign,
    .verify = secp_verify,
};

/* bls12-381 */

static bool bls_public_key(u8 *key, const kl_secret32 *secret)
{
    return kl_bls_public_key(key, secret);
}

static bool bls_prove(u8 *proof, const kl_secret32 *secret)
{
    return kl_bls_prove(proof, secret);
}

static bool bls_check_key(const u8 *key, kl_span proof)
{
    return proof.len == KL_BLS_SIGNATURE_LEN && kl_bls_check_proof(key, proof.p);
}

static bool bls_sign(u8 *signature, const kl_secret32 *secret, kl_span preimage)
{
    return kl_bls_sign(signature, secret, preimage);
}

static bool bls_verify(const u8 *key, kl_span preimage, const u8 *signature)
{
    return kl_bls_verify(key, preimage, signature);
}

static const kl_vote_scheme bls12_381 = {
    .id = KL_SCHEME_BLS12_381,
    .name = "bls12-381",
    .key_len = KL_BLS_KEY_LEN,
    .signature_len = KL_BLS_SIGNATURE_LEN,
    .proof_len = KL_BLS_SIGNATURE_LEN,
    .aggregates = true,
    .public_key = bls_public_key,
    .prove = bls_prove,
    .check_key = bls_check_key,
    .sign = bls_sign,
    .verify = bls_verify,
    .aggregate = kl_bls_aggregate,
    .verify_aggregate = kl_bls_verify_aggregate,
};

/* keyed hash */

static bool hash_public_key(u8 *key, const kl_secret32 *secret)
{
    kl_hash hash = kl_keccak256(KL_SPAN_OF(secret->b));
    memcpy(key, hash.b, HASH_LEN);
    return true;
}

static bool hash_check_key(KL_UNUSED const u8 *key, kl_span proof)
{
    return proof.len == 0;
}

static kl_hash hash_of(const u8 *key, kl_span preimage)
{
    kl_keccak k;
    kl_keccak_init(&k);
    kl_keccak_add(&k, kl_span_of(key, HASH_LEN));
    kl_keccak_add(&k, preimage);
    return kl_keccak_done(&k);
}

static bool hash_sign(u8 *signature, const kl_secret32 *secret, kl_span preimage)
{
    u8 key[HASH_LEN];
    if (!hash_public_key(key, secret))
        return false;
    kl_hash hash = hash_of(key, preimage);
    memcpy(signature, hash.b, HASH_LEN);
    return true;
}

static bool hash_verify(const u8 *key, kl_span preimage, const u8 *signature)
{
    kl_hash hash = hash_of(key, preimage);
    return memcmp(hash.b, signature, HASH_LEN) == 0;
}

static const kl_vote_scheme keyed_hash = {
    .id = KL_SCHEME_KEYED_HASH,
    .name = "keyed hash",
    .key_len = HASH_LEN,
    .signature_len = HASH_LEN,
    .public_key = hash_public_key,
    .check_key = hash_check_key,
    .sign = hash_sign,
    .verify = hash_verify,
};

const kl_vote_scheme *kl_vote_scheme_of(u8 id, bool tests)
{
    static const kl_vote_scheme *const schemes[] = {&secp256k1, &bls12_381};
    for (usize i = 0; i < KL_COUNT_OF(schemes); i++)
        if (schemes[i]->id == id)
            return schemes[i];
    return tests && id == KL_SCHEME_KEYED_HASH ? &keyed_hash : NULL;
}
