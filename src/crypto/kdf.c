/* libcrypto's. */
#include "crypto/kdf.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

void kl_hmac_sha512(u8 out[64], kl_span key, kl_span message)
{
    static const u8 none[1];
    unsigned len = 64;
    KL_ASSERT(key.len <= INT_MAX);
    KL_ASSERT(HMAC(EVP_sha512(), key.len ? key.p : none, (int)key.len,
                   message.len ? message.p : none, message.len, out, &len));
    KL_ASSERT(len == 64);
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
