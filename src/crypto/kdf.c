/* libcrypto's. */
#include "crypto/kdf.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>

static void hmac(u8 *out, unsigned out_len, const EVP_MD *md, kl_span key, kl_span message)
{
    static const u8 none[1];
    unsigned len = out_len;
    KL_ASSERT(key.len <= INT_MAX);
    KL_ASSERT(HMAC(md, key.len ? key.p : none, (int)key.len, message.len ? message.p : none,
                   message.len, out, &len));
    KL_ASSERT(len == out_len);
}

void kl_hmac_sha256(u8 out[32], kl_span key, kl_span message)
{
    hmac(out, 32, EVP_sha256(), key, message);
}

void kl_hmac_sha512(u8 out[64], kl_span key, kl_span message)
{
    hmac(out, 64, EVP_sha512(), key, message);
}

static void free_pkey_ctx(EVP_PKEY_CTX **ctx)
{
    EVP_PKEY_CTX_free(*ctx);
}

void kl_hkdf_sha256(void *out, usize out_len, kl_span salt, kl_span secret, kl_span info)
{
    static const u8 none[1];
    usize len = out_len;
    KL_CLEANUP(free_pkey_ctx) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
    KL_ASSERT(salt.len <= INT_MAX && secret.len <= INT_MAX && info.len <= INT_MAX);
    KL_ASSERT(ctx && EVP_PKEY_derive_init(ctx) == 1 &&
              EVP_PKEY_CTX_set_hkdf_md(ctx, EVP_sha256()) == 1);
    KL_ASSERT(EVP_PKEY_CTX_set1_hkdf_salt(ctx, salt.len ? salt.p : none, (int)salt.len) == 1 &&
              EVP_PKEY_CTX_set1_hkdf_key(ctx, secret.len ? secret.p : none, (int)secret.len) == 1 &&
              EVP_PKEY_CTX_add1_hkdf_info(ctx, info.len ? info.p : none, (int)info.len) == 1);
    KL_ASSERT(EVP_PKEY_derive(ctx, out, &len) == 1 && len == out_len);
}

void kl_pbkdf2_hmac_sha512(void *out, usize out_len, kl_span password, kl_span salt, u32 rounds)
{
    static const u8 none[1];
    KL_ASSERT(out_len <= INT_MAX && password.len <= INT_MAX && salt.len <= INT_MAX);
    KL_ASSERT(rounds > 0 && rounds <= INT_MAX);
    const u8 *text = password.len ? password.p : none;
    KL_ASSERT(PKCS5_PBKDF2_HMAC((const char *)text, (int)password.len, salt.len ? salt.p : none,
                                (int)salt.len, (int)rounds, EVP_sha512(), (int)out_len, out));
}
