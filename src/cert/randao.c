#include "cert/randao.h"

#include "crypto/bls_sign.h"
#include "crypto/keccak.h"

_Static_assert((int)KL_RANDAO_KEY_LEN == (int)KL_BLS_KEY_LEN &&
                   (int)KL_RANDAO_PROOF_LEN == (int)KL_BLS_SIGNATURE_LEN,
               "randao keys are BLS keys under every scheme");

/* The scheme of tests signs both alike; the others leave it to BLS. */
static bool for_tests(const kl_vote_scheme *scheme)
{
    return scheme->id == KL_SCHEME_KEYED_HASH;
}

static void preimage_of(u8 out[KL_RANDAO_PREIMAGE_LEN], const kl_vote_domain *domain, u64 epoch,
                        u64 view)
{
    kl_out to = kl_out_of(out, KL_RANDAO_PREIMAGE_LEN);
    kl_out_span(&to, KL_SPAN_TEXT("keel/1/randao"));
    kl_out_be64(&to, domain->chain_id);
    kl_out_span(&to, kl_hash_span(&domain->genesis_hash));
    kl_out_be64(&to, epoch);
    kl_out_be64(&to, view);
    KL_ASSERT(!to.full && to.len == KL_RANDAO_PREIMAGE_LEN);
}

bool kl_randao_key(u8 out[KL_RANDAO_KEY_LEN], const kl_vote_scheme *scheme,
                   const kl_secret32 *secret)
{
    u8 key[KL_RANDAO_KEY_LEN] = {0};
    if (for_tests(scheme) ? !scheme->public_key(key, secret) : !kl_bls_public_key(key, secret))
        return false;
    memcpy(out, key, sizeof key);
    return true;
}

bool kl_randao_sign(u8 out[KL_RANDAO_PROOF_LEN], const kl_vote_scheme *scheme,
                    const kl_secret32 *secret, const kl_vote_domain *domain, u64 epoch, u64 view)
{
    u8 preimage[KL_RANDAO_PREIMAGE_LEN], proof[KL_RANDAO_PROOF_LEN] = {0};
    preimage_of(preimage, domain, epoch, view);
    kl_span bytes = KL_SPAN_OF(preimage);
    if (for_tests(scheme) ? !scheme->sign(proof, secret, bytes)
                          : !kl_bls_sign(proof, secret, bytes))
        return false;
    memcpy(out, proof, sizeof proof);
    return true;
}

bool kl_randao_verify(const u8 proof[KL_RANDAO_PROOF_LEN], const kl_vote_scheme *scheme,
                      const u8 key[KL_RANDAO_KEY_LEN], const kl_vote_domain *domain, u64 epoch,
                      u64 view)
{
    static const u8 zeros[KL_RANDAO_PROOF_LEN];
    u8 preimage[KL_RANDAO_PREIMAGE_LEN];
    preimage_of(preimage, domain, epoch, view);
    kl_span bytes = KL_SPAN_OF(preimage);
    if (!for_tests(scheme))
        return kl_bls_verify(key, bytes, proof);
    usize len = scheme->signature_len;
    return scheme->verify(key, bytes, proof) &&
           memcmp(proof + len, zeros, KL_RANDAO_PROOF_LEN - len) == 0;
}

kl_hash kl_randao_mix(const kl_hash *parent, const u8 proof[KL_RANDAO_PROOF_LEN])
{
    kl_keccak k;
    kl_keccak_init(&k);
    kl_keccak_add(&k, kl_hash_span(parent));
    kl_keccak_add(&k, kl_span_of(proof, KL_RANDAO_PROOF_LEN));
    return kl_keccak_done(&k);
}
