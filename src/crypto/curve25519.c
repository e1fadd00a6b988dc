/* libcrypto's. */
#include "crypto/curve25519.h"

#include <openssl/err.h>
#include <openssl/evp.h>

static void free_key(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static void free_pkey_ctx(EVP_PKEY_CTX **ctx)
{
    EVP_PKEY_CTX_free(*ctx);
}

static void free_md_ctx(EVP_MD_CTX **ctx)
{
    EVP_MD_CTX_free(*ctx);
}

static void public_of(u8 out[32], int kind, const kl_secret32 *secret)
{
    usize len = 32;
    KL_CLEANUP(free_key)
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(kind, NULL, secret->b, sizeof secret->b);
    KL_ASSERT(key && EVP_PKEY_get_raw_public_key(key, out, &len) == 1 && len == 32);
}

void kl_x25519_public(u8 out[32], const kl_secret32 *secret)
{
    public_of(out, EVP_PKEY_X25519, secret);
}

bool kl_x25519(kl_secret32 *shared, const kl_secret32 *secret, const u8 peer[32])
{
    usize len = 32;
    KL_CLEANUP(free_key)
    EVP_PKEY *mine =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret->b, sizeof secret->b);
    KL_CLEANUP(free_key)
    EVP_PKEY *other = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, peer, 32);
    KL_CLEANUP(free_pkey_ctx) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(mine, NULL);
    KL_ASSERT(mine && other && ctx && EVP_PKEY_derive_init(ctx) == 1);
    /* The library refuses an outcome of zeros, and says so in the thread's error queue, where TLS
     * code would find it. */
    ERR_set_mark();
    KL_SECRET made;
    bool good = EVP_PKEY_derive_set_peer(ctx, other) == 1 &&
                EVP_PKEY_derive(ctx, made.b, &len) == 1 && len == 32;
    ERR_pop_to_mark();
    if (good)
        *shared = made;
    return good;
}

void kl_ed25519_public(u8 out[32], const kl_secret32 *secret)
{
    public_of(out, EVP_PKEY_ED25519, secret);
}

void kl_ed25519_sign(u8 out[KL_ED25519_SIGNATURE_LEN], const kl_secret32 *secret, kl_span message)
{
    usize len = KL_ED25519_SIGNATURE_LEN;
    KL_CLEANUP(free_key)
    EVP_PKEY *key =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret->b, sizeof secret->b);
    KL_CLEANUP(free_md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    KL_ASSERT(key && ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1);
    KL_ASSERT(EVP_DigestSign(ctx, out, &len, message.p, message.len) == 1 &&
              len == KL_ED25519_SIGNATURE_LEN);
}

bool kl_ed25519_verify(const u8 key_bytes[32], kl_span message,
                       const u8 signature[KL_ED25519_SIGNATURE_LEN])
{
    KL_CLEANUP(free_key)
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key_bytes, 32);
    KL_CLEANUP(free_md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    KL_ASSERT(key && ctx);
    ERR_set_mark();
    bool good =
        EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
        EVP_DigestVerify(ctx, signature, KL_ED25519_SIGNATURE_LEN, message.p, message.len) == 1;
    ERR_pop_to_mark();
    return good;
}
