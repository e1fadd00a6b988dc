/* bn254_g1: points of BN254's first group, affine. */
#ifndef KL_CRYPTO_BN254_G1_PRIV_H
#define KL_CRYPTO_BN254_G1_PRIV_H

#include "base/u256.h"
#include "crypto/bn254_fp_priv.h"

/* (0, 0), which is off the curve, is the point at infinity. */
typedef struct g1 {
    fp x, y;
} g1;

static inline bool kl_bn254_g1_is_infinity(const g1 *a)
{
    return fp_is_zero(&a->x) && fp_is_zero(&a->y);
}

/* False for coordinates out of range and points off the curve. */
KL_MUST_USE bool kl_bn254_g1_read(g1 *out, const u8 in[64]);

/* k = k1 +- k2 lambda mod the order, k below it, k1 and k2 below 2^128. */
void kl_bn254_split(kl_u256 *k1, kl_u256 *k2, bool *negative, kl_u256 k);

#endif
