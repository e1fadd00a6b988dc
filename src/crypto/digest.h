/* digest: the other hash functions, and the checksum of everything on disk. */
#ifndef KL_CRYPTO_DIGEST_H
#define KL_CRYPTO_DIGEST_H

#include "base/hash.h"

void kl_sha256(u8 out[32], kl_span bytes);
void kl_ripemd160(u8 out[20], kl_span bytes);

/* Broken as a hash; only for protocols that ask for it where nothing depends on it [RFC 6455]. */
void kl_sha1(u8 out[20], kl_span bytes);

/* The compression function F of BLAKE2b [RFC 7693 section 3.2, EIP-152]: h is updated in place. */
void kl_blake2b_f(u64 h[8], const u64 m[16], u64 t0, u64 t1, bool last, u32 rounds);

/* CRC-32C (Castagnoli); start with crc = 0 and pass the last result on to continue. */
u32 kl_crc32c(u32 crc, kl_span bytes);

#endif
