/* blst hashes to the curve, signs and pairs; its check of one pairing also asks key and signature
 * for their subgroups and the key for infinity.  What stands here is the ciphersuite's two domains
 * and the order in which outside bytes become points. */
#include "crypto/bls_sign.h"

#include <blst.h>

#include "base/sync.h"

static const char domain_message[] = "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";
static const char domain_proof[] = "BLS_POP_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

static void scalar_wipe(blst_scalar *scalar)
{
    kl_wipe(scalar, sizeof *scalar);
}

static bool secret_read(blst_scalar *out, const kl_secret32 *secret)
{
    blst_scalar_from_bendian(out, secret->b);
    return blst_sk_check(out);
}

bool kl_bls_public_key(u8 out[KL_BLS_KEY_LEN], const kl_secret32 *secret)
{
    KL_CLEANUP(scalar_wipe) blst_scalar scalar;
    if (!secret_read(&scalar, secret))
        return false;
    blst_p1 key;
    blst_sk_to_pk_in_g1(&key, &scalar);
    blst_p1_compress(out, &key);
    return true;
}

static bool sign(u8 out[KL_BLS_SIGNATURE_LEN], const kl_secret32 *secret, kl_span message,
                 const char *domain)
{
    KL_CLEANUP(scalar_wipe) blst_scalar scalar;
    if (!secret_read(&scalar, secret))
        return false;
    blst_p2 point, signature;
    blst_hash_to_g2(&point, message.p, message.len, (const byte *)domain, strlen(domain), NULL, 0);
    blst_sign_pk_in_g1(&signature, &point, &scalar);
    blst_p2_compress(out, &signature);
    return true;
}

static bool key_read(blst_p1_affine *out, const u8 key[KL_BLS_KEY_LEN])
{
    return blst_p1_uncompress(out, key) == BLST_SUCCESS && !blst_p1_affine_is_inf(out);
}

/* Keys that were opened lately: opening one takes a root in the field, adding one takes a twentieth
 * of that, and a certificate has the keys of a set that stays for an epoch.  A key stands in one of
 * WINDOW places from where its bytes put it; where all are taken, one makes way.  What is found
 * there has the very bytes that were asked for, so only the time depends on it. */
enum { OPENED = 512, WINDOW = 16 };
static struct {
    kl_mutex lock;
    u32 turn;
    struct opened {
        bool used;
        u8 bytes[KL_BLS_KEY_LEN];
        blst_p1_affine point;
    } keys[OPENED];
} opened = {.lock = KL_MUTEX_INIT};

/* NULL: it is no key.  Under the lock, and good until the next one is opened. */
static const blst_p1_affine *key_open(const u8 key[KL_BLS_KEY_LEN])
{
    u32 from = (u32)(kl_load_be64(key + KL_BLS_KEY_LEN - 8) % OPENED), at = from;
    blst_p1_affine point;
    for (u32 i = 0; i < WINDOW; i++) {
        at = (from + i) % OPENED;
        if (!opened.keys[at].used)
            break;
        if (memcmp(opened.keys[at].bytes, key, KL_BLS_KEY_LEN) == 0)
            return &opened.keys[at].point;
    }
    if (!key_read(&point, key))
        return NULL;
    if (opened.keys[at].used)
        at = (from + opened.turn++ % WINDOW) % OPENED;
    struct opened *place = &opened.keys[at];
    place->used = true;
    memcpy(place->bytes, key, KL_BLS_KEY_LEN);
    place->point = point;
    return &place->point;
}

/* False when one is no key. */
static bool keys_sum(blst_p1 *out, const u8 *const *keys, usize count)
{
    usize i = 0;
    *out = (blst_p1){0};
    kl_lock(&opened.lock);
    for (; i < count; i++) {
        const blst_p1_affine *point = key_open(keys[i]);
        if (!point)
            break;
        blst_p1_add_or_double_affine(out, out, point);
    }
    kl_unlock(&opened.lock);
    return i == count;
}

static bool verify(const blst_p1_affine *key, kl_span message, const u8 bytes[KL_BLS_SIGNATURE_LEN],
                   const char *domain)
{
    blst_p2_affine signature;
    return blst_p2_uncompress(&signature, bytes) == BLST_SUCCESS &&
           blst_core_verify_pk_in_g1(key, &signature, true, message.p, message.len,
                                     (const byte *)domain, strlen(domain), NULL, 0) == BLST_SUCCESS;
}

bool kl_bls_sign(u8 out[KL_BLS_SIGNATURE_LEN], const kl_secret32 *secret, kl_span message)
{
    return sign(out, secret, message, domain_message);
}

bool kl_bls_key_valid(const u8 key[KL_BLS_KEY_LEN])
{
    blst_p1_affine point;
    return key_read(&point, key) && blst_p1_affine_in_g1(&point);
}

bool kl_bls_verify(const u8 key[KL_BLS_KEY_LEN], kl_span message,
                   const u8 signature[KL_BLS_SIGNATURE_LEN])
{
    blst_p1_affine point;
    return key_read(&point, key) && verify(&point, message, signature, domain_message);
}

bool kl_bls_prove(u8 out[KL_BLS_SIGNATURE_LEN], const kl_secret32 *secret)
{
    u8 key[KL_BLS_KEY_LEN];
    return kl_bls_public_key(key, secret) && sign(out, secret, KL_SPAN_OF(key), domain_proof);
}

bool kl_bls_check_proof(const u8 key[KL_BLS_KEY_LEN], const u8 proof[KL_BLS_SIGNATURE_LEN])
{
    blst_p1_affine point;
    return key_read(&point, key) &&
           verify(&point, kl_span_of(key, KL_BLS_KEY_LEN), proof, domain_proof);
}

bool kl_bls_aggregate(u8 out[KL_BLS_SIGNATURE_LEN], const u8 *const *signatures, usize count)
{
    KL_ASSERT(count > 0);
    blst_p2 sum = {0};
    for (usize i = 0; i < count; i++) {
        blst_p2_affine point;
        if (blst_p2_uncompress(&point, signatures[i]) != BLST_SUCCESS ||
            !blst_p2_affine_in_g2(&point))
            return false;
        blst_p2_add_or_double_affine(&sum, &sum, &point);
    }
    blst_p2_compress(out, &sum);
    return true;
}

bool kl_bls_verify_aggregate(const u8 *const *keys, usize count, kl_span message,
                             const u8 signature[KL_BLS_SIGNATURE_LEN])
{
    KL_ASSERT(count > 0);
    blst_p1 sum;
    if (!keys_sum(&sum, keys, count))
        return false;
    blst_p1_affine key;
    blst_p1_to_affine(&key, &sum);
    return !blst_p1_affine_is_inf(&key) && verify(&key, message, signature, domain_message);
}
