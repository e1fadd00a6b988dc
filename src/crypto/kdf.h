/* kdf: keys from secrets [RFC 2104, RFC 5869, RFC 8018]. */
#ifndef KL_CRYPTO_KDF_H
#define KL_CRYPTO_KDF_H

#include "base/span.h"

void kl_hmac_sha256(u8 out[32], kl_span key, kl_span message);
void kl_hmac_sha512(u8 out[64], kl_span key, kl_span message);
void kl_pbkdf2_hmac_sha512(void *out, usize out_len, kl_span password, kl_span salt, u32 rounds);

/* HKDF-SHA256, extract and expand; at most 255 * 32 bytes. */
void kl_hkdf_sha256(void *out, usize out_len, kl_span salt, kl_span secret, kl_span info);

#endif
