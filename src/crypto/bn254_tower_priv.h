/* bn254_tower: the extensions of BN254's field in which its pairing takes values:
 *
 *     Fp2 = Fp[u] / (u^2 + 1),  Fp6 = Fp2[v] / (v^3 - xi),  Fp12 = Fp6[w] / (w^2 - v),  xi = 9 + u
 *
 * so w^6 = xi.  Results may share memory with arguments. */
#ifndef KL_CRYPTO_BN254_TOWER_PRIV_H
#define KL_CRYPTO_BN254_TOWER_PRIV_H

#include "crypto/bn254_fp_priv.h"

typedef struct fp2 {
    fp c0, c1;
} fp2;

typedef struct fp6 {
    fp2 c0, c1, c2;
} fp6;

typedef struct fp12 {
    fp6 c0, c1;
} fp12;

#define FP2_ONE  ((fp2){FP_ONE, FP_ZERO})
#define FP12_ONE ((fp12){.c0 = {.c0 = FP2_ONE}})

static inline void fp2_add(fp2 *out, const fp2 *a, const fp2 *b)
{
    fp_add(&out->c0, &a->c0, &b->c0);
    fp_add(&out->c1, &a->c1, &b->c1);
}

static inline void fp2_sub(fp2 *out, const fp2 *a, const fp2 *b)
{
    fp_sub(&out->c0, &a->c0, &b->c0);
    fp_sub(&out->c1, &a->c1, &b->c1);
}

static inline void fp2_double(fp2 *out, const fp2 *a)
{
    fp2_add(out, a, a);
}

static inline void fp2_neg(fp2 *out, const fp2 *a)
{
    fp_neg(&out->c0, &a->c0);
    fp_neg(&out->c1, &a->c1);
}

/* The conjugate is also the p-th power. */
static inline void fp2_conj(fp2 *out, const fp2 *a)
{
    out->c0 = a->c0;
    fp_neg(&out->c1, &a->c1);
}

/* By an element of the base field. */
static inline void fp2_scale(fp2 *out, const fp2 *a, const fp *k)
{
    fp_mul(&out->c0, &a->c0, k);
    fp_mul(&out->c1, &a->c1, k);
}

static inline bool fp2_is_zero(const fp2 *a)
{
    return fp_is_zero(&a->c0) && fp_is_zero(&a->c1);
}

static inline bool fp2_eq(const fp2 *a, const fp2 *b)
{
    return fp_eq(&a->c0, &b->c0) && fp_eq(&a->c1, &b->c1);
}

void kl_fp2_mul(fp2 *out, const fp2 *a, const fp2 *b);
void kl_fp2_sqr(fp2 *out, const fp2 *a);
void kl_fp2_mul_xi(fp2 *out, const fp2 *a);
void kl_fp2_inv_var(fp2 *out, const fp2 *a);

void kl_fp6_mul(fp6 *out, const fp6 *a, const fp6 *b);
void kl_fp6_inv_var(fp6 *out, const fp6 *a);

void kl_fp12_mul(fp12 *out, const fp12 *a, const fp12 *b);
void kl_fp12_sqr(fp12 *out, const fp12 *a);
void kl_fp12_inv_var(fp12 *out, const fp12 *a);
bool kl_fp12_is_one(const fp12 *a);

/* By c0 + c3 w + c4 v w, the shape of a line. */
void kl_fp12_mul_line(fp12 *f, const fp2 *c0, const fp2 *c3, const fp2 *c4);

/* The p^6-th power; the inverse for elements of norm one. */
void kl_fp12_conj(fp12 *out, const fp12 *a);

/* The p^k-th power for k = 1, 2, 3. */
void kl_fp12_frobenius(fp12 *out, const fp12 *a, unsigned k);

/* The square of an element whose (p^4 - p^2 + 1)-th power is one. */
void kl_fp12_cyclotomic_sqr(fp12 *out, const fp12 *a);

/* in^(m (p^12 - 1) / r) with a fixed m prime to r: one where the pairing's value is one. */
void kl_fp12_final_exp_var(fp12 *out, const fp12 *in);

/* xi^(i (p^k - 1) / 6), what frobenius k multiplies w^i by, for k = 1, 2, 3 and i = 1..5. */
extern const fp2 kl_fp12_gamma[3][5];

#endif
