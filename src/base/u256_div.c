/* Division of 256- and 512-bit numbers.
 *
 * Schoolbook division by 64-bit limbs [Knuth, TAOCP 4.3.1, algorithm D] in which every quotient
 * limb comes from a multiplication with a precomputed reciprocal of the divisor's top one or two
 * limbs [Moeller and Granlund, "Improved division by invariant integers", 2011].  Divisors of one
 * and two limbs have loops of their own, because most divisors in contracts are that small. */
#include "base/u256.h"

/* floor((2^19 - 3 * 2^8) / d) for the nine leading bits d of a normalised limb. */
#define R1(d)  (u16)(0x7fd00 / (0x100 + (d)))
#define R4(d)  R1(d), R1((d) + 1), R1((d) + 2), R1((d) + 3)
#define R16(d) R4(d), R4((d) + 4), R4((d) + 8), R4((d) + 12)
#define R64(d) R16(d), R16((d) + 16), R16((d) + 32), R16((d) + 48)
static const u16 reciprocal_seed[256] = {R64(0), R64(64), R64(128), R64(192)};

/* floor((2^128 - 1) / d) - 2^64 for d with its top bit set. */
KL_INLINE u64 reciprocal_1(u64 d)
{
    u64 odd = d & 1, d40 = (d >> 24) + 1, d63 = (d >> 1) + odd;
    u64 v0 = reciprocal_seed[(d >> 55) & 0xff], high;
    u64 v1 = (v0 << 11) - (v0 * v0 * d40 >> 40) - 1;
    u64 v2 = (v1 << 13) + (v1 * (((u64)1 << 60) - v1 * d40) >> 47);
    u64 e = ((v2 >> 1) & (0 - odd)) - v2 * d63;
    (void)kl_limb_mul(&high, v2, e);
    u64 v3 = (high >> 1) + (v2 << 31);
    (void)kl_limb_mul_add(&high, v3, d, d);
    return v3 - high - d;
}

/* floor((2^192 - 1) / (d1, d0)) - 2^64 for d1 with its top bit set. */
KL_INLINE u64 reciprocal_2(u64 d1, u64 d0)
{
    u64 v = reciprocal_1(d1);
    u64 p = d1 * v + d0;
    if (p < d0) {
        v--;
        if (p >= d1) {
            v--;
            p -= d1;
        }
        p -= d1;
    }
    u64 high, low = kl_limb_mul(&high, v, d0);
    p += high;
    if (p < high) {
        v--;
        if (p > d1 || (p == d1 && low >= d0))
            v--;
    }
    return v;
}

/* Both estimates below are one too large about half of the time, so that they are corrected without
 * a branch. */

/* (u1, u0) / d, u1 < d, with v = reciprocal_1(d). */
KL_INLINE u64 div_2by1(u64 *rest, u64 u1, u64 u0, u64 d, u64 v)
{
    u64 q, estimate = kl_limb_mul_add(&q, v, u1, u0);
    q += u1 + 1;
    u64 r = u0 - q * d, over = 0 - (u64)(r > estimate);
    q += over;
    r += d & over;
    if (KL_UNLIKELY(r >= d)) {
        q++;
        r -= d;
    }
    *rest = r;
    return q;
}

KL_INLINE bool less_2(u64 ah, u64 al, u64 bh, u64 bl)
{
    return ah < bh || (ah == bh && al < bl);
}

/* (*u2, *u1, u0) / (d1, d0), (*u2, *u1) < (d1, d0), with v = reciprocal_2(d1, d0); the rest is left
 * in (*u2, *u1). */
KL_INLINE u64 div_3by2(u64 *u2, u64 *u1, u64 u0, u64 d1, u64 d0, u64 v)
{
    u64 q, estimate = kl_limb_mul_add(&q, v, *u2, *u1), high;
    q += *u2;
    u64 r1 = *u1 - q * d1, r0 = u0, low = kl_limb_mul(&high, d0, q);
    (void)kl_limb_sub_2(&r1, &r0, high, low);
    (void)kl_limb_sub_2(&r1, &r0, d1, d0);
    u64 over = 0 - (u64)(r1 >= estimate);
    q += 1 + over;
    (void)kl_limb_add_2(&r1, &r0, d1 & over, d0 & over);
    if (KL_UNLIKELY(!less_2(r1, r0, d1, d0))) {
        q++;
        (void)kl_limb_sub_2(&r1, &r0, d1, d0);
    }
    *u2 = r1;
    *u1 = r0;
    return q;
}

/* A divisor shifted up until its top bit is set, its limbs in the highest places, and the number it
 * divides, whose limbs u[1] … are shifted as they are taken; u[0] is 0. */
struct division {
    u64 d3, d2, d1, d0;
    u64 v; /* the reciprocal of the top of it */
    unsigned shift;
    const u64 *u;
};

KL_INLINE u64 limb(const struct division *x, unsigned i)
{
    return x->u[i + 1] << x->shift | x->u[i] >> 1 >> (63 - x->shift);
}

/* What is shifted out of the topmost of n limbs. */
KL_INLINE u64 limb_above(const struct division *x, unsigned n)
{
    return x->u[n] >> 1 >> (63 - x->shift);
}

/* The estimate of a quotient limb: (*r3, *r2, next) by the two limbs on top, (*r3, *r2) becoming
 * the rest.  True when the quotient cannot be smaller: then the rest is right modulo 2^128 once the
 * limbs below have been taken off. */
KL_INLINE bool estimate(u64 *q, u64 *r3, u64 *r2, u64 next, const struct division *x)
{
    if (KL_UNLIKELY(*r3 == x->d3 && *r2 == x->d2)) {
        *q = UINT64_MAX;
        (void)kl_limb_add_2(r3, r2, 0, next);
        return true;
    }
    *q = div_3by2(r3, r2, next, x->d3, x->d2, x->v);
    return false;
}

/* One quotient limb by a divisor of four: the running rest is r[3] … r[0], next comes behind it. */
KL_INLINE u64 step_4(u64 r[4], u64 next, const struct division *x)
{
    u64 q, high, r1 = r[0], r0 = next;
    bool exact = estimate(&q, &r[3], &r[2], r[1], x);
    u64 p0 = kl_limb_mul(&high, q, x->d0);
    u64 p1 = kl_limb_mul_add(&high, q, x->d1, high);
    bool under = kl_limb_sub_2(&r1, &r0, p1, p0);
    under = kl_limb_sub_2(&r[3], &r[2], 0, high + under); /* high < 2^64 - 1 */
    if (KL_UNLIKELY(under && !exact)) {
        q--;
        bool over = kl_limb_add_2(&r1, &r0, x->d1, x->d0);
        (void)kl_limb_add_2(&r[3], &r[2], x->d3, x->d2);
        (void)kl_limb_add_2(&r[3], &r[2], 0, over);
    }
    r[1] = r1;
    r[0] = r0;
    return q;
}

/* The same by a divisor of three, d3, d2, d1: the running rest is r[3] … r[1]. */
KL_INLINE u64 step_3(u64 r[4], u64 next, const struct division *x)
{
    u64 q, high, r1 = next;
    bool exact = estimate(&q, &r[3], &r[2], r[1], x);
    u64 p1 = kl_limb_mul(&high, q, x->d1);
    bool under = r1 < p1;
    r1 -= p1;
    under = kl_limb_sub_2(&r[3], &r[2], 0, high + under);
    if (KL_UNLIKELY(under && !exact)) {
        q--;
        r1 += x->d1;
        bool over = r1 < x->d1;
        (void)kl_limb_add_2(&r[3], &r[2], x->d3, x->d2);
        (void)kl_limb_add_2(&r[3], &r[2], 0, over);
    }
    r[1] = r1;
    return q;
}

static void divide_by_4(u64 *q, kl_u256 *rest, struct division *x, unsigned un)
{
    u64 r[4] = {limb(x, un - 3), limb(x, un - 2), limb(x, un - 1), limb_above(x, un)};
    x->v = reciprocal_2(x->d3, x->d2);
    for (unsigned i = un - 3; i-- > 0;)
        q[i] = step_4(r, limb(x, i), x);
    *rest = kl_u256_shr((kl_u256){{r[0], r[1], r[2], r[3]}}, x->shift);
}

static void divide_by_3(u64 *q, kl_u256 *rest, struct division *x, unsigned un)
{
    u64 r[4] = {0, limb(x, un - 2), limb(x, un - 1), limb_above(x, un)};
    x->v = reciprocal_2(x->d3, x->d2);
    for (unsigned i = un - 2; i-- > 0;)
        q[i] = step_3(r, limb(x, i), x);
    *rest = kl_u256_shr((kl_u256){{r[1], r[2], r[3], 0}}, x->shift);
}

static void divide_by_2(u64 *q, kl_u256 *rest, struct division *x, unsigned un)
{
    u64 r3 = limb_above(x, un), r2 = limb(x, un - 1);
    x->v = reciprocal_2(x->d3, x->d2);
    for (unsigned i = un - 1; i-- > 0;)
        q[i] = div_3by2(&r3, &r2, limb(x, i), x->d3, x->d2, x->v);
    *rest = kl_u256_shr((kl_u256){{r2, r3, 0, 0}}, x->shift);
}

static void divide_by_1(u64 *q, kl_u256 *rest, struct division *x, unsigned un)
{
    u64 r = limb_above(x, un);
    x->v = reciprocal_1(x->d3);
    for (unsigned i = un; i-- > 0;)
        q[i] = div_2by1(&r, r, limb(x, i), x->d3, x->v);
    *rest = kl_u256_of(r >> x->shift);
}

KL_INLINE unsigned limbs_of(const u64 *x, unsigned n)
{
    while (n && !x[n - 1])
        n--;
    return n;
}

/* q (un - dn + 1 limbs) and *rest of the un limbs u[1] … by d, whose dn limbs end with a nonzero
 * one; un >= dn, u[0] is 0.  q and rest must not be u or d. */
KL_INLINE void divide(u64 *q, kl_u256 *rest, const u64 *u, unsigned un, const u64 *d, unsigned dn)
{
    unsigned up = (unsigned)__builtin_clzll(d[dn - 1]), down = 63 - up;
    struct division x = {.shift = up, .u = u, .d3 = d[dn - 1] << up};
    if (dn == 1) {
        divide_by_1(q, rest, &x, un);
        return;
    }
    x.d3 |= d[dn - 2] >> 1 >> down;
    x.d2 = d[dn - 2] << up;
    if (dn == 2) {
        divide_by_2(q, rest, &x, un);
        return;
    }
    x.d2 |= d[dn - 3] >> 1 >> down;
    x.d1 = d[dn - 3] << up;
    if (dn == 3) {
        divide_by_3(q, rest, &x, un);
        return;
    }
    x.d1 |= d[0] >> 1 >> down;
    x.d0 = d[0] << up;
    divide_by_4(q, rest, &x, un);
}

void kl_u256_divide(kl_u256 *quotient, kl_u256 *rest, const kl_u256 *a, const kl_u256 *b)
{
    unsigned an = limbs_of(a->w, 4), bn = limbs_of(b->w, 4);
    kl_u256 q = KL_U256_ZERO, r = KL_U256_ZERO;
    if (bn != 0 && an < bn) {
        r = *a;
    } else if (bn != 0 && an == 1) {
        q.w[0] = a->w[0] / b->w[0];
        r.w[0] = a->w[0] % b->w[0];
    } else if (bn != 0) {
        u64 u[5] = {0, a->w[0], a->w[1], a->w[2], a->w[3]};
        divide(q.w, &r, u, an, b->w, bn);
    }
    *quotient = q;
    *rest = r;
}

/* The eight limbs u[1] … modulo m; u[0] is 0. */
KL_INLINE kl_u256 mod_wide(const u64 u[9], const kl_u256 *m)
{
    unsigned un = limbs_of(u + 1, 8), mn = limbs_of(m->w, 4);
    if (mn == 0)
        return KL_U256_ZERO;
    if (un < mn)
        return (kl_u256){{u[1], u[2], u[3], u[4]}};
    if (un == 1)
        return kl_u256_of(u[1] % m->w[0]);
    u64 q[8];
    kl_u256 rest;
    divide(q, &rest, u, un, m->w, mn);
    return rest;
}

/* out[1] … out[8] = a * b, and out[0] = 0. */
KL_INLINE void mul_wide(u64 out[9], const kl_u256 *a, const kl_u256 *b)
{
    u64 r[8] = {0};
    for (unsigned i = 0; i < 4; i++) {
        r[i] = kl_limb_mul_add(&r[i + 4], a->w[i], b->w[0], r[i]);
        for (unsigned j = 1; j < 4; j++)
            r[i + j] = kl_limb_mul_add2(&r[i + 4], a->w[i], b->w[j], r[i + j], r[i + 4]);
    }
    out[0] = 0;
    for (unsigned i = 0; i < 8; i++)
        out[i + 1] = r[i];
}

KL_INLINE kl_u256 negate_if(const kl_u256 *a, bool negative)
{
    return negative ? kl_u256_sub(KL_U256_ZERO, *a) : *a;
}

void kl_u256_sdivide(kl_u256 *quotient, kl_u256 *rest, const kl_u256 *a, const kl_u256 *b)
{
    bool a_negative = a->w[3] >> 63, b_negative = b->w[3] >> 63;
    kl_u256 a_abs = negate_if(a, a_negative), b_abs = negate_if(b, b_negative), q, r;
    kl_u256_divide(&q, &r, &a_abs, &b_abs);
    *quotient = negate_if(&q, a_negative != b_negative);
    *rest = negate_if(&r, a_negative);
}

void kl_u256_add_mod(kl_u256 *out, const kl_u256 *a, const kl_u256 *b, const kl_u256 *m)
{
    kl_u256 sum, less;
    if (m->w[3] && a->w[3] <= m->w[3] && b->w[3] <= m->w[3]) {
        /* Both terms are below 2m: no division. */
        kl_u256 x = kl_u256_sub_under(&less, *a, *m) ? *a : less;
        kl_u256 y = kl_u256_sub_under(&less, *b, *m) ? *b : less;
        bool over = kl_u256_add_over(&sum, x, y);
        bool under = kl_u256_sub_under(&less, sum, *m);
        *out = over || !under ? less : sum;
        return;
    }
    bool over = kl_u256_add_over(&sum, *a, *b);
    u64 wide[9] = {0, sum.w[0], sum.w[1], sum.w[2], sum.w[3], over};
    *out = mod_wide(wide, m);
}

void kl_u256_mul_mod(kl_u256 *out, const kl_u256 *a, const kl_u256 *b, const kl_u256 *m)
{
    u64 wide[9];
    mul_wide(wide, a, b);
    *out = mod_wide(wide, m);
}

bool kl_u256_muldiv_over(kl_u256 *out, kl_u256 a, kl_u256 b, kl_u256 d)
{
    KL_ASSERT(!kl_u256_is_zero(d));
    u64 wide[9], q[8] = {0};
    mul_wide(wide, &a, &b);
    unsigned n = limbs_of(wide + 1, 8), dn = limbs_of(d.w, 4);
    kl_u256 rest;
    if (n == 1 && dn == 1)
        q[0] = wide[1] / d.w[0];
    else if (n >= dn)
        divide(q, &rest, wide, n, d.w, dn);
    *out = (kl_u256){{q[0], q[1], q[2], q[3]}};
    return (q[4] | q[5] | q[6] | q[7]) != 0;
}
