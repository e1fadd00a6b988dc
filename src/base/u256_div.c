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
    u64 v0 = reciprocal_seed[(d >> 55) & 0xff];
    u64 v1 = (v0 << 11) - (v0 * v0 * d40 >> 40) - 1;
    u64 v2 = (v1 << 13) + (v1 * (((u64)1 << 60) - v1 * d40) >> 47);
    u64 e = ((v2 >> 1) & (0 - odd)) - v2 * d63;
    u64 v3 = ((u64)((u128)v2 * e >> 64) >> 1) + (v2 << 31);
    return v3 - (u64)(((u128)v3 * d + d) >> 64) - d;
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
    u128 t = (u128)v * d0;
    p += (u64)(t >> 64);
    if (p < (u64)(t >> 64)) {
        v--;
        if (p > d1 || (p == d1 && (u64)t >= d0))
            v--;
    }
    return v;
}

/* (u1, u0) / d, u1 < d, with v = reciprocal_1(d). */
KL_INLINE u64 div_2by1(u64 *rest, u64 u1, u64 u0, u64 d, u64 v)
{
    u128 q = (u128)v * u1 + ((u128)u1 << 64 | u0);
    u64 q1 = (u64)(q >> 64) + 1;
    u64 r = u0 - q1 * d;
    if (r > (u64)q) {
        q1--;
        r += d;
    }
    if (KL_UNLIKELY(r >= d)) {
        q1++;
        r -= d;
    }
    *rest = r;
    return q1;
}

/* (u2, u1, u0) / d, (u2, u1) < d, with v = reciprocal_2(d). */
KL_INLINE u64 div_3by2(u128 *rest, u64 u2, u64 u1, u64 u0, u128 d, u64 v)
{
    u128 q = (u128)v * u2 + ((u128)u2 << 64 | u1);
    u64 q1 = (u64)(q >> 64);
    u64 r1 = u1 - q1 * (u64)(d >> 64);
    u128 r = ((u128)r1 << 64 | u0) - (u128)(u64)d * q1 - d;
    q1++;
    if ((u64)(r >> 64) >= (u64)q) {
        q1--;
        r += d;
    }
    if (KL_UNLIKELY(r >= d)) {
        q1++;
        r -= d;
    }
    *rest = r;
    return q1;
}

/* u -= d * q over n limbs; the borrow out of them. */
KL_INLINE u64 sub_mul(u64 *u, const u64 *d, unsigned n, u64 q)
{
    u64 borrow = 0;
    for (unsigned i = 0; i < n; i++) {
        u128 p = (u128)d[i] * q + borrow;
        u64 low = (u64)p;
        borrow = (u64)(p >> 64) + (u[i] < low);
        u[i] -= low;
    }
    return borrow;
}

/* u += d over n limbs; the carry out of them. */
KL_INLINE u64 add_back(u64 *u, const u64 *d, unsigned n)
{
    u64 carry = 0;
    for (unsigned i = 0; i < n; i++) {
        u128 s = (u128)u[i] + d[i] + carry;
        u[i] = (u64)s;
        carry = (u64)(s >> 64);
    }
    return carry;
}

/* One quotient limb of u (dn + 1 limbs, its top two below d's) by d (dn >= 3 limbs); u becomes the
 * remainder. */
KL_INLINE u64 step(u64 *u, const u64 *d, unsigned dn, u64 v)
{
    u128 d2 = (u128)d[dn - 1] << 64 | d[dn - 2];
    u128 u2 = (u128)u[dn] << 64 | u[dn - 1];
    if (KL_UNLIKELY(u2 == d2)) {
        u[dn] -= sub_mul(u, d, dn, UINT64_MAX); /* exact: u < d * 2^64 */
        return UINT64_MAX;
    }
    u128 r;
    u64 q = div_3by2(&r, u[dn], u[dn - 1], u[dn - 2], d2, v);
    u64 borrow = sub_mul(u, d, dn - 2, q);
    bool under = r < borrow;
    r -= borrow;
    u[dn - 2] = (u64)r;
    u[dn - 1] = (u64)(r >> 64);
    u[dn] = 0;
    if (KL_UNLIKELY(under)) {
        q--;
        (void)add_back(u, d, dn);
    }
    return q;
}

KL_INLINE unsigned limbs_of(const u64 *x, unsigned n)
{
    while (n && !x[n - 1])
        n--;
    return n;
}

/* The n + 1 limbs of u << shift, shift < 64. */
KL_INLINE void shift_up(u64 *out, const u64 *u, unsigned n, unsigned shift)
{
    u64 carry = 0;
    for (unsigned i = 0; i < n; i++) {
        out[i] = u[i] << shift | carry;
        carry = u[i] >> 1 >> (63 - shift);
    }
    out[n] = carry;
}

/* q (un - dn + 1 limbs) and *rest of the un <= 8 limbs at u by d, whose dn limbs end with a nonzero
 * one; un >= dn, un > 1. */
static void divide(u64 *q, kl_u256 *rest, const u64 *u, unsigned un, const kl_u256 *d, unsigned dn)
{
    unsigned shift = (unsigned)__builtin_clzll(d->w[dn - 1]);
    u64 n[9], v[5];
    shift_up(n, u, un, shift);
    shift_up(v, d->w, dn, shift);
    kl_u256 r = KL_U256_ZERO;
    if (dn == 1) {
        u64 reciprocal = reciprocal_1(v[0]), left = n[un];
        for (unsigned i = un; i-- > 0;)
            q[i] = div_2by1(&left, left, n[i], v[0], reciprocal);
        r.w[0] = left >> shift;
    } else if (dn == 2) {
        u64 reciprocal = reciprocal_2(v[1], v[0]);
        u128 d2 = (u128)v[1] << 64 | v[0], left = (u128)n[un] << 64 | n[un - 1];
        for (unsigned i = un - 1; i-- > 0;)
            q[i] = div_3by2(&left, (u64)(left >> 64), (u64)left, n[i], d2, reciprocal);
        left >>= shift;
        r.w[0] = (u64)left;
        r.w[1] = (u64)(left >> 64);
    } else {
        u64 reciprocal = reciprocal_2(v[dn - 1], v[dn - 2]);
        for (unsigned i = un - dn + 1; i-- > 0;)
            q[i] = dn == 3 ? step(n + i, v, 3, reciprocal) : step(n + i, v, 4, reciprocal);
        for (unsigned i = 0; i < dn; i++) /* n[4] is 0 where dn is 4 */
            r.w[i] = n[i] >> shift | n[i + 1] << 1 << (63 - shift);
    }
    *rest = r;
}

KL_INLINE kl_u256 div_rest(kl_u256 *rest, const kl_u256 *a, const kl_u256 *b)
{
    unsigned an = limbs_of(a->w, 4), bn = limbs_of(b->w, 4);
    if (bn == 0) {
        *rest = KL_U256_ZERO;
        return KL_U256_ZERO;
    }
    if (an < bn) {
        *rest = *a;
        return KL_U256_ZERO;
    }
    if (an == 1) {
        *rest = kl_u256_of(a->w[0] % b->w[0]);
        return kl_u256_of(a->w[0] / b->w[0]);
    }
    kl_u256 q = KL_U256_ZERO;
    divide(q.w, rest, a->w, an, b, bn);
    return q;
}

/* The eight limbs at u modulo m. */
KL_INLINE kl_u256 mod_wide(const u64 u[8], const kl_u256 *m)
{
    unsigned un = limbs_of(u, 8), mn = limbs_of(m->w, 4);
    if (mn == 0)
        return KL_U256_ZERO;
    if (un < mn)
        return (kl_u256){{u[0], u[1], u[2], u[3]}};
    if (un == 1)
        return kl_u256_of(u[0] % m->w[0]);
    u64 q[8];
    kl_u256 rest;
    divide(q, &rest, u, un, m, mn);
    return rest;
}

KL_INLINE void mul_wide(u64 out[8], const kl_u256 *a, const kl_u256 *b)
{
    for (unsigned i = 0; i < 4; i++)
        out[i] = 0;
    for (unsigned i = 0; i < 4; i++) {
        u64 carry = 0;
        for (unsigned j = 0; j < 4; j++) {
            u128 t = (u128)a->w[i] * b->w[j] + out[i + j] + carry;
            out[i + j] = (u64)t;
            carry = (u64)(t >> 64);
        }
        out[i + 4] = carry;
    }
}

kl_u256 kl_u256_div(kl_u256 a, kl_u256 b)
{
    kl_u256 rest;
    return div_rest(&rest, &a, &b);
}

kl_u256 kl_u256_mod(kl_u256 a, kl_u256 b)
{
    kl_u256 rest;
    (void)div_rest(&rest, &a, &b);
    return rest;
}

KL_INLINE kl_u256 negate_if(kl_u256 a, bool negative)
{
    return negative ? kl_u256_sub(KL_U256_ZERO, a) : a;
}

kl_u256 kl_u256_sdiv(kl_u256 a, kl_u256 b)
{
    bool a_negative = a.w[3] >> 63, b_negative = b.w[3] >> 63;
    kl_u256 rest;
    a = negate_if(a, a_negative);
    b = negate_if(b, b_negative);
    return negate_if(div_rest(&rest, &a, &b), a_negative != b_negative);
}

kl_u256 kl_u256_smod(kl_u256 a, kl_u256 b)
{
    bool a_negative = a.w[3] >> 63;
    kl_u256 rest;
    a = negate_if(a, a_negative);
    b = negate_if(b, b.w[3] >> 63);
    (void)div_rest(&rest, &a, &b);
    return negate_if(rest, a_negative);
}

kl_u256 kl_u256_addmod(kl_u256 a, kl_u256 b, kl_u256 m)
{
    kl_u256 sum, less;
    if (m.w[3] && a.w[3] <= m.w[3] && b.w[3] <= m.w[3]) {
        /* Both terms are below 2m: no division. */
        if (!kl_u256_sub_under(&less, a, m))
            a = less;
        if (!kl_u256_sub_under(&less, b, m))
            b = less;
        bool over = kl_u256_add_over(&sum, a, b);
        bool under = kl_u256_sub_under(&less, sum, m);
        return over || !under ? less : sum;
    }
    bool over = kl_u256_add_over(&sum, a, b);
    u64 wide[8] = {sum.w[0], sum.w[1], sum.w[2], sum.w[3], over};
    return mod_wide(wide, &m);
}

kl_u256 kl_u256_mulmod(kl_u256 a, kl_u256 b, kl_u256 m)
{
    u64 wide[8];
    mul_wide(wide, &a, &b);
    return mod_wide(wide, &m);
}

bool kl_u256_muldiv_over(kl_u256 *out, kl_u256 a, kl_u256 b, kl_u256 d)
{
    KL_ASSERT(!kl_u256_is_zero(d));
    u64 wide[8], q[8] = {0};
    mul_wide(wide, &a, &b);
    unsigned n = limbs_of(wide, 8), dn = limbs_of(d.w, 4);
    kl_u256 rest;
    if (n == 1 && dn == 1)
        q[0] = wide[0] / d.w[0];
    else if (n >= dn)
        divide(q, &rest, wide, n, &d, dn);
    *out = (kl_u256){{q[0], q[1], q[2], q[3]}};
    return (q[4] | q[5] | q[6] | q[7]) != 0;
}
