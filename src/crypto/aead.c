/* libcrypto's; the cipher's context is made once for a key, which costs more than a short message.
 */
#include "crypto/aead.h"

#include <openssl/evp.h>
#include <stdlib.h>

struct kl_aead {
    EVP_CIPHER_CTX *seal, *open;
};

static bool init(struct kl_aead *aead, const kl_secret32 *key)
{
    aead->seal = EVP_CIPHER_CTX_new();
    aead->open = EVP_CIPHER_CTX_new();
    return aead->seal && aead->open &&
           EVP_EncryptInit_ex(aead->seal, EVP_chacha20_poly1305(), NULL, key->b, NULL) == 1 &&
           EVP_DecryptInit_ex(aead->open, EVP_chacha20_poly1305(), NULL, key->b, NULL) == 1;
}

struct kl_aead *kl_aead_new(const kl_secret32 *key)
{
    struct kl_aead *aead = calloc(1, sizeof *aead);
    if (aead && !init(aead, key)) {
        kl_aead_free(aead);
        return NULL;
    }
    return aead;
}

void kl_aead_free(struct kl_aead *aead)
{
    if (!aead)
        return;
    EVP_CIPHER_CTX_free(aead->seal); /* wipes the key */
    EVP_CIPHER_CTX_free(aead->open);
    free(aead);
}

void kl_aead_seal(struct kl_aead *aead, u8 *out, const u8 nonce[KL_AEAD_NONCE_LEN], kl_span extra,
                  kl_span plain)
{
    EVP_CIPHER_CTX *ctx = aead->seal;
    u8 rest[1]; /* a stream cipher leaves none */
    int n = 0;
    KL_ASSERT(plain.len <= KL_AEAD_PLAIN_MAX && extra.len <= KL_AEAD_PLAIN_MAX);
    KL_ASSERT(EVP_EncryptInit_ex(ctx, NULL, NULL, NULL, nonce) == 1);
    if (extra.len)
        KL_ASSERT(EVP_EncryptUpdate(ctx, NULL, &n, extra.p, (int)extra.len) == 1);
    if (plain.len)
        KL_ASSERT(EVP_EncryptUpdate(ctx, out, &n, plain.p, (int)plain.len) == 1 &&
                  (usize)n == plain.len);
    KL_ASSERT(EVP_EncryptFinal_ex(ctx, rest, &n) == 1 && n == 0);
    KL_ASSERT(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, KL_AEAD_TAG_LEN, out + plain.len) ==
              1);
}

bool kl_aead_open(struct kl_aead *aead, u8 *out, const u8 nonce[KL_AEAD_NONCE_LEN], kl_span extra,
                  kl_span sealed)
{
    EVP_CIPHER_CTX *ctx = aead->open;
    u8 rest[1], tag[KL_AEAD_TAG_LEN];
    int n = 0;
    if (sealed.len < KL_AEAD_TAG_LEN || sealed.len > KL_AEAD_PLAIN_MAX)
        return false;
    usize len = sealed.len - KL_AEAD_TAG_LEN;
    memcpy(tag, sealed.p + len, sizeof tag);
    KL_ASSERT(extra.len <= KL_AEAD_PLAIN_MAX);
    KL_ASSERT(EVP_DecryptInit_ex(ctx, NULL, NULL, NULL, nonce) == 1);
    if (extra.len)
        KL_ASSERT(EVP_DecryptUpdate(ctx, NULL, &n, extra.p, (int)extra.len) == 1);
    if (len)
        KL_ASSERT(EVP_DecryptUpdate(ctx, out, &n, sealed.p, (int)len) == 1 && (usize)n == len);
    KL_ASSERT(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, KL_AEAD_TAG_LEN, tag) == 1);
    return EVP_DecryptFinal_ex(ctx, rest, &n) == 1;
}
