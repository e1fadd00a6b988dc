/* bls12: BLS12-381 as EIP-2537 spells it, and the opening of a KZG commitment [EIP-4844], on blst.
 *
 * A field element is 64 bytes big-endian with 16 leading zeros, below the modulus; a point of G1 is
 * x ‖ y (128 bytes), of G2 (x.c0, x.c1, y.c0, y.c1) (256 bytes), all zeros the point at infinity.
 * All functions return false for input that breaks the EIP; outputs are then untouched.  Sums of
 * few terms take up to 160 KiB of stack, inside blst. */
#ifndef KL_CRYPTO_BLS12_H
#define KL_CRYPTO_BLS12_H

#include "base/arena.h"
#include "base/hash.h"
#include "base/status.h"

/* Points on the curve; the subgroup is not asked for. */
KL_MUST_USE bool kl_bls12_g1_add(u8 out[128], const u8 a[128], const u8 b[128]);
KL_MUST_USE bool kl_bls12_g2_add(u8 out[256], const u8 a[256], const u8 b[256]);

/* Sum of scalar * point over count pairs of point ‖ scalar (160 and 288 bytes each), all points in
 * the subgroup; count > 0.  KL_NOMEM from the status, *valid from the rule. */
KL_MUST_USE kl_status kl_bls12_g1_msm(bool *valid, u8 out[128], const u8 *pairs, usize count,
                                      struct kl_arena *arena);
KL_MUST_USE kl_status kl_bls12_g2_msm(bool *valid, u8 out[256], const u8 *pairs, usize count,
                                      struct kl_arena *arena);

/* *one: is the product of the pairings of count > 0 pairs of G1 ‖ G2 (384 bytes each) one?  All
 * points in the subgroup. */
KL_MUST_USE bool kl_bls12_pairing(bool *one, const u8 *pairs, usize count);

/* The point that compressed bytes name, infinity included; false when they name none on the curve.
 * The subgroup is not asked for. */
KL_MUST_USE bool kl_bls12_g1_expand(u8 out[128], const u8 compressed[48]);
KL_MUST_USE bool kl_bls12_g2_expand(u8 out[256], const u8 compressed[96]);

KL_MUST_USE bool kl_bls12_map_fp_to_g1(u8 out[128], const u8 fp[64]);
KL_MUST_USE bool kl_bls12_map_fp2_to_g2(u8 out[256], const u8 fp2[128]);

/* True when the polynomial committed to has value y at z, by proof (48-byte compressed points,
 * scalars big-endian and below the group order).  Uses only [tau]G2 of the ceremony, built in. */
bool kl_kzg_verify_opening(const u8 commitment[48], const u8 z[32], const u8 y[32],
                           const u8 proof[48]);

#endif
