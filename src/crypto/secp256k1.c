/* libsecp256k1 does the work; this file turns Keel's values into its.  What only reads public data
 * runs on the library's static context.  Secret keys need a context with precomputed generator
 * blinding: one, in static memory, made at the first use and never changed afterwards, so any
 * number of threads may sign with it. */
#include "crypto/secp256k1.h"

#include <secp256k1.h>
#include <secp256k1_preallocated.h>
#include <secp256k1_recovery.h>
#include <sys/random.h>

#include "base/sync.h"

const kl_u256 kl_secp256k1_n = {
    {0xbfd25e8cd0364141, 0xbaaedce6af48a03b, 0xfffffffffffffffe, 0xffffffffffffffff}};
const kl_u256 kl_secp256k1_half_n = {
    {0xdfe92f46681b20a0, 0x5d576e7357a4501d, 0xffffffffffffffff, 0x7fffffffffffffff}};

static const secp256k1_context *secret_context(void)
{
    static kl_mutex mutex = KL_MUTEX_INIT;
    static _Alignas(64) u8 room[1024];
    static secp256k1_context *context;
    kl_lock(&mutex);
    if (!context) {
        KL_ASSERT(secp256k1_context_preallocated_size(SECP256K1_CONTEXT_NONE) <= sizeof room);
        context = secp256k1_context_preallocated_create(room, SECP256K1_CONTEXT_NONE);
        KL_SECRET blind;
        /* Blinding hides the key from those who measure time or power; results do not depend on it,
         * so a machine without entropy merely goes without. */
        if (getrandom(blind.b, sizeof blind.b, GRND_NONBLOCK) == (ssize_t)sizeof blind.b)
            KL_ASSERT(secp256k1_context_randomize(context, blind.b));
    }
    kl_unlock(&mutex);
    return context;
}

static void to_compact(u8 out[64], const kl_signature *signature)
{
    kl_u256_to_be(out, signature->r);
    kl_u256_to_be(out + 32, signature->s);
}

static void from_library(kl_pubkey *out, const secp256k1_pubkey *key)
{
    u8 bytes[65];
    usize len = sizeof bytes;
    (void)secp256k1_ec_pubkey_serialize(secp256k1_context_static, bytes, &len, key,
                                        SECP256K1_EC_UNCOMPRESSED);
    memcpy(out->b, bytes + 1, sizeof out->b);
}

bool kl_secp256k1_recover_var(kl_pubkey *out, const kl_hash *digest, const kl_signature *signature)
{
    const secp256k1_context *ctx = secp256k1_context_static;
    secp256k1_ecdsa_recoverable_signature parsed;
    secp256k1_pubkey key;
    u8 compact[64];
    to_compact(compact, signature);
    if (signature->y_parity > 1 || !secp256k1_ecdsa_recoverable_signature_parse_compact(
                                       ctx, &parsed, compact, signature->y_parity))
        return false;
    if (!secp256k1_ecdsa_recover(ctx, &key, &parsed, digest->b))
        return false;
    from_library(out, &key);
    return true;
}

bool kl_secp256k1_sign(kl_signature *out, const kl_hash *digest, const kl_secret32 *key)
{
    const secp256k1_context *ctx = secret_context();
    secp256k1_ecdsa_recoverable_signature signature;
    if (!secp256k1_ecdsa_sign_recoverable(ctx, &signature, digest->b, key->b, NULL, NULL))
        return false;
    u8 compact[64];
    int recovery_id;
    (void)secp256k1_ecdsa_recoverable_signature_serialize_compact(ctx, compact, &recovery_id,
                                                                  &signature);
    /* 2 and 3 mean that r was reduced by n: one nonce in 2^127, and no Ethereum signature. */
    KL_ASSERT(recovery_id == 0 || recovery_id == 1);
    *out = (kl_signature){kl_u256_from_be(compact), kl_u256_from_be(compact + 32), (u8)recovery_id};
    return true;
}

bool kl_secp256k1_verify_var(const kl_hash *digest, const kl_signature *signature,
                             const kl_pubkey *key)
{
    const secp256k1_context *ctx = secp256k1_context_static;
    secp256k1_ecdsa_signature parsed;
    secp256k1_pubkey point;
    u8 compact[64], bytes[65] = {0x04};
    to_compact(compact, signature);
    memcpy(bytes + 1, key->b, sizeof key->b);
    if (!secp256k1_ec_pubkey_parse(ctx, &point, bytes, sizeof bytes) ||
        !secp256k1_ecdsa_signature_parse_compact(ctx, &parsed, compact))
        return false;
    /* The library verifies low s only. */
    (void)secp256k1_ecdsa_signature_normalize(ctx, &parsed, &parsed);
    return secp256k1_ecdsa_verify(ctx, &parsed, digest->b, &point);
}

bool kl_secp256k1_pubkey(kl_pubkey *out, const kl_secret32 *key)
{
    secp256k1_pubkey point;
    if (!secp256k1_ec_pubkey_create(secret_context(), &point, key->b))
        return false;
    from_library(out, &point);
    return true;
}

bool kl_secp256k1_tweak_add(kl_secret32 *key, const u8 tweak[32])
{
    KL_SECRET sum = *key; /* the library spoils its argument when it fails */
    if (!secp256k1_ec_seckey_tweak_add(secret_context(), sum.b, tweak))
        return false;
    *key = sum;
    return true;
}

void kl_secp256k1_compress(u8 out[33], const kl_pubkey *key)
{
    out[0] = (u8)(0x02 | (key->b[63] & 1));
    memcpy(out + 1, key->b, 32);
}
