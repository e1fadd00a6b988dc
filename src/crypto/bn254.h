/* bn254: the pairing curve of Ethereum's first zero-knowledge precompiles ("alt_bn128")
 * [EIP-196, EIP-197].  Coordinates are 32-byte big-endian and must be below the field's modulus;
 * (0, 0) is the point at infinity.  Points of G2 are (x.im, x.re, y.im, y.re).
 * All functions are variable time and return false for input that is not a point (or, in G2, not in
 * the subgroup). */
#ifndef KL_CRYPTO_BN254_H
#define KL_CRYPTO_BN254_H

#include "base/span.h"

KL_MUST_USE bool kl_bn254_add_var(u8 out[64], const u8 a[64], const u8 b[64]);

/* The scalar may be any 256-bit number. */
KL_MUST_USE bool kl_bn254_mul_var(u8 out[64], const u8 point[64], const u8 scalar[32]);

/* *one says whether the product of the pairings of count (G1, G2) pairs, 192 bytes each, is one;
 * for count == 0 it is. */
KL_MUST_USE bool kl_bn254_pairing_var(bool *one, const u8 *pairs, usize count);

#endif
