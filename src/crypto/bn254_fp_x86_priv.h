/* bn254_fp_x86: the field's operations in x86-64 assembly; see bn254_fp_priv.h.
 *
 * Additions need no special instructions.  Products go through rows: MUL_ROW adds a * b[i] to five
 * words t, REDUCE_ROW adds the multiple of p that clears the lowest of them; after each pair the
 * words change their names by one place, which is the division by 2^64.  mulx leaves the flags
 * alone, adcx uses only the carry flag and adox only the overflow flag, so the low and the high
 * halves of a row's products are added in two chains that run at the same time. */
#ifndef KL_CRYPTO_BN254_FP_X86_PRIV_H
#define KL_CRYPTO_BN254_FP_X86_PRIV_H

#include "crypto/bn254_fp_priv.h"

/* Has the processor mulx, adcx and adox?  Set before main. */
extern bool kl_fp_has_adx;

static const u64 fp_p[5] = {FP_P0, FP_P1, FP_P2, FP_P3, FP_INV};

/* out = t0..t3, less p where that is not below p; t < 2p */
KL_INLINE void fp_store_reduced(fp *out, u64 t0, u64 t1, u64 t2, u64 t3)
{
    u64 s0, s1, s2, s3;
    __asm__("movq %[t0], %[s0]\n\t"
            "movq %[t1], %[s1]\n\t"
            "movq %[t2], %[s2]\n\t"
            "movq %[t3], %[s3]\n\t"
            "subq %[p0], %[t0]\n\t"
            "sbbq %[p1], %[t1]\n\t"
            "sbbq %[p2], %[t2]\n\t"
            "sbbq %[p3], %[t3]\n\t"
            "cmovcq %[s0], %[t0]\n\t"
            "cmovcq %[s1], %[t1]\n\t"
            "cmovcq %[s2], %[t2]\n\t"
            "cmovcq %[s3], %[t3]"
            : [t0] "+&r"(t0), [t1] "+&r"(t1), [t2] "+&r"(t2), [t3] "+&r"(t3), [s0] "=&r"(s0),
              [s1] "=&r"(s1), [s2] "=&r"(s2), [s3] "=&r"(s3)
            : [p0] "m"(fp_p[0]), [p1] "m"(fp_p[1]), [p2] "m"(fp_p[2]), [p3] "m"(fp_p[3])
            : "cc");
    *out = (fp){{t0, t1, t2, t3}};
}

#define FP_ADD_CHAIN(t0, t1, t2, t3, b)                                              \
    __asm__("addq %[b0], %[r0]\n\t"                                                  \
            "adcq %[b1], %[r1]\n\t"                                                  \
            "adcq %[b2], %[r2]\n\t"                                                  \
            "adcq %[b3], %[r3]"                                                      \
            : [r0] "+&r"(t0), [r1] "+&r"(t1), [r2] "+&r"(t2), [r3] "+&r"(t3)         \
            : [b0] "m"((b)[0]), [b1] "m"((b)[1]), [b2] "m"((b)[2]), [b3] "m"((b)[3]) \
            : "cc")

/* a + b without reduction: below 2p. */
KL_INLINE void fp_add_lazy(fp *out, const fp *a, const fp *b)
{
    u64 t0 = a->w[0], t1 = a->w[1], t2 = a->w[2], t3 = a->w[3];
    FP_ADD_CHAIN(t0, t1, t2, t3, b->w);
    *out = (fp){{t0, t1, t2, t3}};
}

KL_INLINE void fp_add(fp *out, const fp *a, const fp *b)
{
    u64 t0 = a->w[0], t1 = a->w[1], t2 = a->w[2], t3 = a->w[3];
    FP_ADD_CHAIN(t0, t1, t2, t3, b->w);
    fp_store_reduced(out, t0, t1, t2, t3);
}

/* v - m, less p where that is not below p; v - m is in [0, 2p) modulo 2^256. */
KL_INLINE void fp_sub_multiple(fp *out, const fp *v, const u64 m[4])
{
    u64 t0 = v->w[0], t1 = v->w[1], t2 = v->w[2], t3 = v->w[3];
    __asm__("subq %[m0], %[t0]\n\t"
            "sbbq %[m1], %[t1]\n\t"
            "sbbq %[m2], %[t2]\n\t"
            "sbbq %[m3], %[t3]"
            : [t0] "+&r"(t0), [t1] "+&r"(t1), [t2] "+&r"(t2), [t3] "+&r"(t3)
            : [m0] "m"(m[0]), [m1] "m"(m[1]), [m2] "m"(m[2]), [m3] "m"(m[3])
            : "cc");
    fp_store_reduced(out, t0, t1, t2, t3);
}

/* Subtracts and adds p back where that borrows. */
KL_INLINE void fp_sub(fp *out, const fp *a, const fp *b)
{
    u64 t0 = a->w[0], t1 = a->w[1], t2 = a->w[2], t3 = a->w[3], s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    __asm__("subq %[b0], %[t0]\n\t"
            "sbbq %[b1], %[t1]\n\t"
            "sbbq %[b2], %[t2]\n\t"
            "sbbq %[b3], %[t3]\n\t"
            "cmovcq %[p0], %[s0]\n\t"
            "cmovcq %[p1], %[s1]\n\t"
            "cmovcq %[p2], %[s2]\n\t"
            "cmovcq %[p3], %[s3]\n\t"
            "addq %[s0], %[t0]\n\t"
            "adcq %[s1], %[t1]\n\t"
            "adcq %[s2], %[t2]\n\t"
            "adcq %[s3], %[t3]"
            : [t0] "+&r"(t0), [t1] "+&r"(t1), [t2] "+&r"(t2), [t3] "+&r"(t3), [s0] "+&r"(s0),
              [s1] "+&r"(s1), [s2] "+&r"(s2), [s3] "+&r"(s3)
            : [b0] "m"(b->w[0]), [b1] "m"(b->w[1]), [b2] "m"(b->w[2]), [b3] "m"(b->w[3]),
              [p0] "m"(fp_p[0]), [p1] "m"(fp_p[1]), [p2] "m"(fp_p[2]), [p3] "m"(fp_p[3])
            : "cc");
    *out = (fp){{t0, t1, t2, t3}};
}

/* The five words t1 t2 t3 t4 t0 += a * b[i], t0 coming in on top; see the file's head. */
#define MUL_ROW(i, t1, t2, t3, t4, t0) \
    "movq 8*" i "(%[B]), %%rdx\n\t"    \
    "xorl %k[" t0 "], %k[" t0 "]\n\t"  \
    "mulxq (%[A]), %[lo], %[hi]\n\t"   \
    "adcxq %[lo], %[" t1 "]\n\t"       \
    "adoxq %[hi], %[" t2 "]\n\t"       \
    "mulxq 8(%[A]), %[lo], %[hi]\n\t"  \
    "adcxq %[lo], %[" t2 "]\n\t"       \
    "adoxq %[hi], %[" t3 "]\n\t"       \
    "mulxq 16(%[A]), %[lo], %[hi]\n\t" \
    "adcxq %[lo], %[" t3 "]\n\t"       \
    "adoxq %[hi], %[" t4 "]\n\t"       \
    "mulxq 24(%[A]), %[lo], %[hi]\n\t" \
    "adcxq %[lo], %[" t4 "]\n\t"       \
    "adoxq %[" t0 "], %[hi]\n\t"       \
    "adcxq %[hi], %[" t0 "]\n\t"

#define MUL_FIRST_ROW                  \
    "movq (%[B]), %%rdx\n\t"           \
    "xorl %k[t4], %k[t4]\n\t"          \
    "mulxq (%[A]), %[t0], %[t1]\n\t"   \
    "mulxq 8(%[A]), %[lo], %[t2]\n\t"  \
    "adcxq %[lo], %[t1]\n\t"           \
    "mulxq 16(%[A]), %[lo], %[t3]\n\t" \
    "adcxq %[lo], %[t2]\n\t"           \
    "mulxq 24(%[A]), %[lo], %[hi]\n\t" \
    "adcxq %[lo], %[t3]\n\t"           \
    "adcxq %[hi], %[t4]\n\t"

/* t0 + m * p has a low word of zero for m = t0 * FP_INV; the other four words are the result. */
#define REDUCE_ROW(t0, t1, t2, t3, t4) \
    "movq 32(%[P]), %%rdx\n\t"         \
    "imulq %[" t0 "], %%rdx\n\t"       \
    "xorl %k[zero], %k[zero]\n\t"      \
    "mulxq (%[P]), %[lo], %[hi]\n\t"   \
    "adcxq %[" t0 "], %[lo]\n\t"       \
    "adoxq %[hi], %[" t1 "]\n\t"       \
    "mulxq 8(%[P]), %[lo], %[hi]\n\t"  \
    "adcxq %[lo], %[" t1 "]\n\t"       \
    "adoxq %[hi], %[" t2 "]\n\t"       \
    "mulxq 16(%[P]), %[lo], %[hi]\n\t" \
    "adcxq %[lo], %[" t2 "]\n\t"       \
    "adoxq %[hi], %[" t3 "]\n\t"       \
    "mulxq 24(%[P]), %[lo], %[hi]\n\t" \
    "adcxq %[lo], %[" t3 "]\n\t"       \
    "adoxq %[hi], %[" t4 "]\n\t"       \
    "adcxq %[zero], %[" t4 "]\n\t"

/* clang-format off */

/* Arguments below 2p. */
KL_INLINE void fp_mul(fp *out, const fp *a, const fp *b)
{
    if (!KL_LIKELY(kl_fp_has_adx)) {
        kl_fp_mul_portable(out, a, b);
        return;
    }
    u64 t0, t1, t2, t3, t4, lo, hi, zero;
    __asm__(MUL_FIRST_ROW
            REDUCE_ROW("t0", "t1", "t2", "t3", "t4")
            MUL_ROW("1", "t1", "t2", "t3", "t4", "t0")
            REDUCE_ROW("t1", "t2", "t3", "t4", "t0")
            MUL_ROW("2", "t2", "t3", "t4", "t0", "t1")
            REDUCE_ROW("t2", "t3", "t4", "t0", "t1")
            MUL_ROW("3", "t3", "t4", "t0", "t1", "t2")
            REDUCE_ROW("t3", "t4", "t0", "t1", "t2")
            : [t0] "=&r"(t0), [t1] "=&r"(t1), [t2] "=&r"(t2), [t3] "=&r"(t3), [t4] "=&r"(t4),
              [lo] "=&r"(lo), [hi] "=&r"(hi), [zero] "=&r"(zero)
            : [A] "r"(a->w), [B] "r"(b->w), [P] "r"(fp_p), "m"(*a), "m"(*b), "m"(fp_p)
            : "rdx", "cc");
    fp_store_reduced(out, t4, t0, t1, t2);
}

/* The product of arguments below 2p. */
KL_INLINE void fpw_mul(fpw *out, const fp *a, const fp *b)
{
    if (!KL_LIKELY(kl_fp_has_adx)) {
        kl_fpw_mul_portable(out, a, b);
        return;
    }
    u64 t0, t1, t2, t3, t4, lo, hi;
    __asm__(MUL_FIRST_ROW
            "movq %[t0], (%[O])\n\t"
            MUL_ROW("1", "t1", "t2", "t3", "t4", "t0")
            "movq %[t1], 8(%[O])\n\t"
            MUL_ROW("2", "t2", "t3", "t4", "t0", "t1")
            "movq %[t2], 16(%[O])\n\t"
            MUL_ROW("3", "t3", "t4", "t0", "t1", "t2")
            : [t0] "=&r"(t0), [t1] "=&r"(t1), [t2] "=&r"(t2), [t3] "=&r"(t3), [t4] "=&r"(t4),
              [lo] "=&r"(lo), [hi] "=&r"(hi), "=m"(*out)
            : [A] "r"(a->w), [B] "r"(b->w), [O] "r"(out->w), "m"(*a), "m"(*b)
            : "rdx", "cc");
    out->w[3] = t3;
    out->w[4] = t4;
    out->w[5] = t0;
    out->w[6] = t1;
    out->w[7] = t2;
}

/* out = a / 2^256 mod p for a < p * 2^256: the low half is reduced and the high half added. */
KL_INLINE void fpw_reduce(fp *out, const fpw *a)
{
    if (!KL_LIKELY(kl_fp_has_adx)) {
        kl_fpw_reduce_portable(out, a);
        return;
    }
    u64 t0 = a->w[0], t1 = a->w[1], t2 = a->w[2], t3 = a->w[3], t4 = 0, lo, hi, zero;
    __asm__(REDUCE_ROW("t0", "t1", "t2", "t3", "t4")
            "xorl %k[t0], %k[t0]\n\t"
            REDUCE_ROW("t1", "t2", "t3", "t4", "t0")
            "xorl %k[t1], %k[t1]\n\t"
            REDUCE_ROW("t2", "t3", "t4", "t0", "t1")
            "xorl %k[t2], %k[t2]\n\t"
            REDUCE_ROW("t3", "t4", "t0", "t1", "t2")
            : [t0] "+&r"(t0), [t1] "+&r"(t1), [t2] "+&r"(t2), [t3] "+&r"(t3), [t4] "+&r"(t4),
              [lo] "=&r"(lo), [hi] "=&r"(hi), [zero] "=&r"(zero)
            : [P] "r"(fp_p), "m"(fp_p)
            : "rdx", "cc");
    FP_ADD_CHAIN(t4, t0, t1, t2, a->w + 4);
    fp_store_reduced(out, t4, t0, t1, t2);
}

/* clang-format on */

#define FP_SUB8(a, b)                                                                         \
    u64 t0 = (a)->w[0], t1 = (a)->w[1], t2 = (a)->w[2], t3 = (a)->w[3];                       \
    u64 t4 = (a)->w[4], t5 = (a)->w[5], t6 = (a)->w[6], t7 = (a)->w[7];                       \
    __asm__("subq (%[B]), %[t0]\n\t"                                                          \
            "sbbq 8(%[B]), %[t1]\n\t"                                                         \
            "sbbq 16(%[B]), %[t2]\n\t"                                                        \
            "sbbq 24(%[B]), %[t3]\n\t"                                                        \
            "sbbq 32(%[B]), %[t4]\n\t"                                                        \
            "sbbq 40(%[B]), %[t5]\n\t"                                                        \
            "sbbq 48(%[B]), %[t6]\n\t"                                                        \
            "sbbq 56(%[B]), %[t7]\n\t"                                                        \
            "sbbq %[borrow], %[borrow]"                                                       \
            : [t0] "+&r"(t0), [t1] "+&r"(t1), [t2] "+&r"(t2), [t3] "+&r"(t3), [t4] "+&r"(t4), \
              [t5] "+&r"(t5), [t6] "+&r"(t6), [t7] "+&r"(t7), [borrow] "=&r"(borrow)          \
            : [B] "r"((b)->w), "m"(*(b))                                                      \
            : "cc")

/* a - b for a >= b. */
KL_INLINE void fpw_sub(fpw *out, const fpw *a, const fpw *b)
{
    u64 borrow;
    FP_SUB8(a, b);
    (void)borrow;
    *out = (fpw){{t0, t1, t2, t3, t4, t5, t6, t7}};
}

/* a - b, plus p * 2^256 where that is negative. */
KL_INLINE void fpw_sub_mod(fpw *out, const fpw *a, const fpw *b)
{
    u64 borrow;
    FP_SUB8(a, b);
    u64 back[4] = {FP_P0 & borrow, FP_P1 & borrow, FP_P2 & borrow, FP_P3 & borrow};
    FP_ADD_CHAIN(t4, t5, t6, t7, back);
    *out = (fpw){{t0, t1, t2, t3, t4, t5, t6, t7}};
}

#endif
