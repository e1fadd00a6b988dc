/* bn254_fp: the base field of BN254, integers modulo
 *
 *     p = 36 x^4 + 36 x^3 + 24 x^2 + 6 x + 1,  x = 4965661367192848881
 *
 * in Montgomery form (a stands for a * 2^256 mod p), four words, always below p.  Wide values are
 * unreduced products; they stay below p * 2^256, which fpw_reduce brings back to one element.
 * Results may share memory with arguments.
 *
 * On x86-64 the chains of carries are in assembly (gcc spells them several times longer), and
 * products use mulx, adcx and adox where the processor has them; the portable functions do the
 * same for all other machines and for the tests. */
#ifndef KL_CRYPTO_BN254_FP_PRIV_H
#define KL_CRYPTO_BN254_FP_PRIV_H

#include "base/int.h"

typedef struct fp {
    u64 w[4];
} fp;

typedef struct fpw {
    u64 w[8];
} fpw;

#define FP_P0   0x3c208c16d87cfd47u
#define FP_P1   0x97816a916871ca8du
#define FP_P2   0xb85045b68181585du
#define FP_P3   0x30644e72e131a029u
#define FP_INV  0x87d20782e4866389u /* -1 / p mod 2^64 */
#define FP_ZERO ((fp){{0, 0, 0, 0}})
/* 1, that is 2^256 mod p */
#define FP_ONE \
    ((fp){{0xd35d438dc58f0d9d, 0x0a78eb28f5c70b3d, 0x666ea36f7879462c, 0x0e0a77c19a07df2f}})

void kl_fp_add_portable(fp *out, const fp *a, const fp *b);
void kl_fp_sub_portable(fp *out, const fp *a, const fp *b);
void kl_fp_sub_multiple_portable(fp *out, const fp *v, const u64 m[4]);
void kl_fp_mul_portable(fp *out, const fp *a, const fp *b);
void kl_fpw_mul_portable(fpw *out, const fp *a, const fp *b);
void kl_fpw_sub_portable(fpw *out, const fpw *a, const fpw *b);
void kl_fpw_sub_mod_portable(fpw *out, const fpw *a, const fpw *b);
void kl_fpw_reduce_portable(fp *out, const fpw *a);

/* out = 1 / a, and 0 for 0; variable time. */
void kl_fp_inv_var(fp *out, const fp *a);

/* Big-endian bytes; false for what is not below p. */
KL_MUST_USE bool kl_fp_read(fp *out, const u8 in[32]);
void kl_fp_write(u8 out[32], const fp *a);

static inline bool fp_is_zero(const fp *a)
{
    return (a->w[0] | a->w[1] | a->w[2] | a->w[3]) == 0;
}

static inline bool fp_eq(const fp *a, const fp *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

#if defined(__x86_64__) && defined(__OPTIMIZE__)
#include "crypto/bn254_fp_x86_priv.h"
#else

#define fp_add          kl_fp_add_portable
#define fp_sub          kl_fp_sub_portable
#define fp_sub_multiple kl_fp_sub_multiple_portable
#define fp_mul          kl_fp_mul_portable
#define fpw_mul         kl_fpw_mul_portable
#define fpw_sub         kl_fpw_sub_portable
#define fpw_sub_mod     kl_fpw_sub_mod_portable
#define fpw_reduce      kl_fpw_reduce_portable

/* a + b without reduction: below 2p. */
static inline void fp_add_lazy(fp *out, const fp *a, const fp *b)
{
    u128 t = 0;
    for (unsigned i = 0; i < 4; i++) {
        t = (u128)a->w[i] + b->w[i] + (u64)(t >> 64);
        out->w[i] = (u64)t;
    }
}

#endif

static inline void fp_double(fp *out, const fp *a)
{
    fp_add(out, a, a);
}

static inline void fp_neg(fp *out, const fp *a)
{
    fp_sub(out, &FP_ZERO, a);
}

static inline void fp_sqr(fp *out, const fp *a)
{
    fp_mul(out, a, a);
}

#endif
