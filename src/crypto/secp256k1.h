/* secp256k1: Ethereum's signature scheme [SEC 1, SEC 2], on libsecp256k1. */
#ifndef KL_CRYPTO_SECP256K1_H
#define KL_CRYPTO_SECP256K1_H

#include "base/u256.h"
#include "base/wipe.h"

/* An uncompressed public key without its leading 0x04: x ‖ y, big-endian. */
typedef struct kl_pubkey {
    u8 b[64];
} kl_pubkey;

/* A recoverable signature. */
typedef struct kl_signature {
    kl_u256 r, s;
    u8 y_parity; /* 0 or 1 */
} kl_signature;

/* The order of the group, and half of it rounded down [EIP-2]. */
extern const kl_u256 kl_secp256k1_n;
extern const kl_u256 kl_secp256k1_half_n;

/* The key that made the signature over digest; false when r, s or y_parity is out of range or there
 * is no such key.  s above half the order is accepted: whether it may be is the caller's rule. */
KL_MUST_USE bool kl_secp256k1_recover_var(kl_pubkey *out, const kl_hash *digest,
                                          const kl_signature *signature);

/* Signs with a deterministic nonce [RFC 6979] and low s; false when the key is 0 or >= n. */
KL_MUST_USE bool kl_secp256k1_sign(kl_signature *out, const kl_hash *digest,
                                   const kl_secret32 *key);

/* True when signature (any s) over digest is by key. */
bool kl_secp256k1_verify_var(const kl_hash *digest, const kl_signature *signature,
                             const kl_pubkey *key);

/* The public key of a private key; false when it is 0 or >= n. */
KL_MUST_USE bool kl_secp256k1_pubkey(kl_pubkey *out, const kl_secret32 *key);

/* key + tweak mod n, as BIP-32 derives; false when the sum or the tweak is out of range. */
KL_MUST_USE bool kl_secp256k1_tweak_add(kl_secret32 *key, const u8 tweak[32]);

/* The 33-byte compressed form of a public key. */
void kl_secp256k1_compress(u8 out[33], const kl_pubkey *key);

#endif
