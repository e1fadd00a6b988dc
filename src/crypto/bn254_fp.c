/* The field's portable operations, inversion and bytes.
 *
 * Inversion runs division steps [Bernstein, Yang 2019] on f = p and g = a: each step makes g even
 * by adding or subtracting f and halves it.  62 steps at a time are done on the lowest words only
 * and collected in a 2 x 2 matrix (divided by 2^62), which is then applied to the full f and g, and
 * to d and e, for which d * a = f and e * a = g hold modulo p.  When g is 0, f is 1 or -1. */
#include "crypto/bn254_fp_priv.h"

#if defined(__x86_64__)
#include <cpuid.h>

bool kl_fp_has_adx;

__attribute__((constructor)) static void look_for_adx(void)
{
    unsigned a, b, c, d;
    kl_fp_has_adx = __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_BMI2) && (b & bit_ADX);
}
#endif

static const fp p = {{FP_P0, FP_P1, FP_P2, FP_P3}};

/* out = t, less p where that is not below p; t < 2p */
static void reduce_once(fp *out, const u64 t[4])
{
    u64 s[4], borrow = 0;
    for (unsigned i = 0; i < 4; i++) {
        u128 d = (u128)t[i] - p.w[i] - borrow;
        s[i] = (u64)d;
        borrow = (u64)(d >> 64) & 1;
    }
    for (unsigned i = 0; i < 4; i++)
        out->w[i] = borrow ? t[i] : s[i];
}

void kl_fp_add_portable(fp *out, const fp *a, const fp *b)
{
    u64 t[4];
    u128 sum = 0;
    for (unsigned i = 0; i < 4; i++) {
        sum = (u128)a->w[i] + b->w[i] + (u64)(sum >> 64);
        t[i] = (u64)sum;
    }
    reduce_once(out, t);
}

void kl_fp_sub_portable(fp *out, const fp *a, const fp *b)
{
    u64 t[4], borrow = 0;
    for (unsigned i = 0; i < 4; i++) {
        u128 d = (u128)a->w[i] - b->w[i] - borrow;
        t[i] = (u64)d;
        borrow = (u64)(d >> 64) & 1;
    }
    u128 sum = 0;
    for (unsigned i = 0; i < 4; i++) {
        sum = (u128)t[i] + (borrow ? p.w[i] : 0) + (u64)(sum >> 64);
        out->w[i] = (u64)sum;
    }
}

void kl_fp_sub_multiple_portable(fp *out, const fp *v, const u64 m[4])
{
    u64 t[4], borrow = 0;
    for (unsigned i = 0; i < 4; i++) {
        u128 d = (u128)v->w[i] - m[i] - borrow;
        t[i] = (u64)d;
        borrow = (u64)(d >> 64) & 1;
    }
    reduce_once(out, t);
}

/* The low word of t + a * b + *carry, whose high word becomes *carry. */
KL_INLINE u64 add_product(u64 t, u64 a, u64 b, u64 *carry)
{
    u128 sum = (u128)a * b + t + *carry;
    *carry = (u64)(sum >> 64);
    return (u64)sum;
}

void kl_fpw_mul_portable(fpw *out, const fp *a, const fp *b)
{
    fpw t = {{0}};
    for (unsigned i = 0; i < 4; i++) {
        u64 carry = 0;
        for (unsigned j = 0; j < 4; j++)
            t.w[i + j] = add_product(t.w[i + j], a->w[j], b->w[i], &carry);
        t.w[i + 4] = carry;
    }
    *out = t;
}

void kl_fpw_reduce_portable(fp *out, const fpw *a)
{
    fpw t = *a;
    u64 over = 0;
    for (unsigned i = 0; i < 4; i++) {
        u64 m = t.w[i] * FP_INV, carry = 0;
        for (unsigned j = 0; j < 4; j++)
            t.w[i + j] = add_product(t.w[i + j], m, p.w[j], &carry);
        u128 sum = (u128)t.w[i + 4] + carry + over;
        t.w[i + 4] = (u64)sum;
        over = (u64)(sum >> 64);
    }
    reduce_once(out, t.w + 4);
}

void kl_fp_mul_portable(fp *out, const fp *a, const fp *b)
{
    fpw t;
    kl_fpw_mul_portable(&t, a, b);
    kl_fpw_reduce_portable(out, &t);
}

static u64 sub8(fpw *out, const fpw *a, const fpw *b)
{
    u64 borrow = 0;
    for (unsigned i = 0; i < 8; i++) {
        u128 d = (u128)a->w[i] - b->w[i] - borrow;
        out->w[i] = (u64)d;
        borrow = (u64)(d >> 64) & 1;
    }
    return borrow;
}

void kl_fpw_sub_portable(fpw *out, const fpw *a, const fpw *b)
{
    (void)sub8(out, a, b);
}

void kl_fpw_sub_mod_portable(fpw *out, const fpw *a, const fpw *b)
{
    u64 borrow = sub8(out, a, b);
    u128 sum = 0;
    for (unsigned i = 0; i < 4; i++) {
        sum = (u128)out->w[4 + i] + (borrow ? p.w[i] : 0) + (u64)(sum >> 64);
        out->w[4 + i] = (u64)sum;
    }
}

/* (u v; q r): what 2^62 times the steps make of (f, g). */
typedef struct matrix {
    i64 u, v, q, r;
} matrix;

/* 62 division steps on the low words of f and g; returns the new eta.  eta is negative where the
 * next odd g changes places with f. */
static i64 divsteps(matrix *out, i64 eta, u64 f, u64 g)
{
    /* As unsigned numbers, so that they may wrap; the results fit. */
    u64 u = 1, v = 0, q = 0, r = 1;
    for (unsigned left = 62;;) {
        /* Halve g while it is even; the ones above stop the count at `left`. */
        unsigned zeros = (unsigned)__builtin_ctzll(g | UINT64_MAX << left);
        g >>= zeros;
        u <<= zeros;
        v <<= zeros;
        eta -= zeros;
        left -= zeros;
        if (left == 0)
            break;
        if (eta < 0) {
            u64 f_old = f, u_old = u, v_old = v;
            eta = -eta;
            f = g, g = -f_old;
            u = q, q = -u_old;
            v = r, r = -v_old;
        }
        /* Add the multiple w of f that clears the low bits of g: six at most, and not more than
         * there are steps left before the next exchange or in this round.  1 / f is 3 f ^ 2 to five
         * bits, and f * (2 - f * that) doubles the bits. */
        unsigned bits = (unsigned)KL_MIN(KL_MIN((u64)eta + 1, (u64)left), 6u);
        u64 inverse = (3 * f) ^ 2;
        inverse *= 2 - f * inverse;
        u64 w = -g * inverse & (((u64)1 << bits) - 1);
        g += f * w;
        q += u * w;
        r += v * w;
    }
    *out = (matrix){(i64)u, (i64)v, (i64)q, (i64)r};
    return eta;
}

static u64 magnitude(i64 v)
{
    return v < 0 ? -(u64)v : (u64)v;
}

/* (u * a + v * b) / 2^64 mod p */
static fp combine_mod(const fp *a, const fp *b, i64 u, i64 v)
{
    fp x = *a, y = *b;
    if (u < 0)
        fp_neg(&x, &x);
    if (v < 0)
        fp_neg(&y, &y);
    u64 t[5] = {0}, carry = 0, mu = magnitude(u), mv = magnitude(v);
    for (unsigned i = 0; i < 4; i++)
        t[i] = add_product(0, x.w[i], mu, &carry);
    t[4] = carry;
    carry = 0;
    for (unsigned i = 0; i < 4; i++)
        t[i] = add_product(t[i], y.w[i], mv, &carry);
    t[4] += carry;
    u64 m = t[0] * FP_INV;
    carry = 0;
    for (unsigned i = 0; i < 4; i++)
        t[i] = add_product(t[i], p.w[i], m, &carry);
    t[4] += carry;
    reduce_once(&x, t + 1);
    return x;
}

/* t += a * v, all two's complement, for v != -2^63 */
static void add_signed_product(u64 t[5], const u64 a[4], i64 v)
{
    u64 m = magnitude(v), carry = 0, sign = v < 0 ? UINT64_MAX : 0, one = v < 0;
    u64 x[5];
    /* -a is ~a + 1; the top word is the sign. */
    for (unsigned i = 0; i < 5; i++) {
        u64 word = i < 4 ? a[i] : (a[3] >> 63 ? UINT64_MAX : 0);
        u128 sum = (u128)(word ^ sign) + one;
        x[i] = (u64)sum;
        one = (u64)(sum >> 64);
    }
    for (unsigned i = 0; i < 4; i++)
        t[i] = add_product(t[i], x[i], m, &carry);
    t[4] += x[4] * m + carry;
}

/* (u * f + v * g) / 2^62, which is exact */
static void combine(u64 out[4], const u64 f[4], const u64 g[4], i64 u, i64 v)
{
    u64 t[5] = {0};
    add_signed_product(t, f, u);
    add_signed_product(t, g, v);
    for (unsigned i = 0; i < 4; i++)
        out[i] = t[i] >> 62 | t[i + 1] << 2;
}

void kl_fp_inv_var(fp *out, const fp *a)
{
    /* 2^768: makes the inverse of a * 2^256 that of a, times 2^256, and pays for one reduction. */
    static const fp cube = {
        {0xb1cd6dafda1530df, 0x62f210e6a7283db6, 0xef7f0b0c0ada0afb, 0x20fd6e902d592544}};
    fp d = FP_ZERO, e = {{1, 0, 0, 0}}, f = p, g = *a;
    unsigned rounds = 0;
    for (i64 eta = -1; !fp_is_zero(&g); rounds++) {
        matrix m;
        eta = divsteps(&m, eta, f.w[0], g.w[0]);
        fp f_old = f, d_old = d;
        combine(f.w, f_old.w, g.w, m.u, m.v);
        combine(g.w, f_old.w, g.w, m.q, m.r);
        d = combine_mod(&d_old, &e, m.u, m.v);
        e = combine_mod(&d_old, &e, m.q, m.r);
    }
    if (f.w[3] >> 63)
        fp_neg(&d, &d);
    fp_mul(&d, &d, &cube);
    /* A round divided d and e by 2^64, f and g by 2^62. */
    for (unsigned i = 0; i < 2 * rounds; i++)
        fp_double(&d, &d);
    *out = d;
}

bool kl_fp_read(fp *out, const u8 in[32])
{
    static const fp square = {
        {0xf32cfc5b538afa89, 0xb5e71911d44501fb, 0x47ab1eff0a417ff6, 0x06d89f71cab8351f}};
    fp v, reduced;
    for (unsigned i = 0; i < 4; i++)
        v.w[i] = kl_load_be64(in + 24 - 8 * i);
    reduce_once(&reduced, v.w);
    if (!fp_eq(&reduced, &v))
        return false;
    fp_mul(out, &v, &square);
    return true;
}

void kl_fp_write(u8 out[32], const fp *a)
{
    fp v;
    fp_mul(&v, a, &(fp){{1, 0, 0, 0}});
    for (unsigned i = 0; i < 4; i++)
        kl_store_be64(out + 24 - 8 * i, v.w[i]);
}
