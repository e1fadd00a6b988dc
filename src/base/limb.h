/* limb: carries between 64-bit limbs, for arithmetic on long numbers.
 *
 * The portable forms say what is meant.  On x86-64 assembly does it, because gcc 12 keeps sums of
 * u128 in memory instead of making carry chains of them; that is worth a factor of two to division
 * and multiplication of 256-bit words. */
#ifndef KL_BASE_LIMB_H
#define KL_BASE_LIMB_H

#include "base/int.h"

/* clang always chooses memory when a constraint lets it. */
#if defined(__clang__)
#define KL_LIMB_IN "r"
#else
#define KL_LIMB_IN "rm"
#endif

/* a * b; returns the low limb. */
KL_INLINE u64 kl_limb_mul(u64 *high, u64 a, u64 b)
{
    u128 t = (u128)a * b;
    *high = (u64)(t >> 64);
    return (u64)t;
}

/* a * b + c, which always fits two limbs. */
KL_INLINE u64 kl_limb_mul_add(u64 *high, u64 a, u64 b, u64 c)
{
#if defined(__x86_64__)
    u64 low, up;
    __asm__("mulq %3\n\taddq %4, %0\n\tadcq $0, %1"
            : "=&a"(low), "=&d"(up)
            : "0"(a), "r"(b), KL_LIMB_IN(c)
            : "cc");
    *high = up;
    return low;
#else
    u128 t = (u128)a * b + c;
    *high = (u64)(t >> 64);
    return (u64)t;
#endif
}

/* a * b + c + d, which always fits two limbs too. */
KL_INLINE u64 kl_limb_mul_add2(u64 *high, u64 a, u64 b, u64 c, u64 d)
{
#if defined(__x86_64__)
    u64 low, up;
    __asm__("mulq %3\n\taddq %4, %0\n\tadcq $0, %1\n\taddq %5, %0\n\tadcq $0, %1"
            : "=&a"(low), "=&d"(up)
            : "0"(a), "r"(b), KL_LIMB_IN(c), KL_LIMB_IN(d)
            : "cc");
    *high = up;
    return low;
#else
    u128 t = (u128)a * b + c + d;
    *high = (u64)(t >> 64);
    return (u64)t;
#endif
}

/* (*h, *l) += (bh, bl); true when it wrapped. */
KL_INLINE bool kl_limb_add_2(u64 *h, u64 *l, u64 bh, u64 bl)
{
#if defined(__x86_64__)
    bool over;
    __asm__("addq %4, %1\n\tadcq %3, %0"
            : "+r"(*h), "+&r"(*l), "=@ccc"(over)
            : KL_LIMB_IN(bh), KL_LIMB_IN(bl));
    return over;
#else
    u128 a = (u128)*h << 64 | *l, sum = a + ((u128)bh << 64 | bl);
    *h = (u64)(sum >> 64);
    *l = (u64)sum;
    return sum < a;
#endif
}

/* (*h, *l) -= (bh, bl); true when it wrapped. */
KL_INLINE bool kl_limb_sub_2(u64 *h, u64 *l, u64 bh, u64 bl)
{
#if defined(__x86_64__)
    bool under;
    __asm__("subq %4, %1\n\tsbbq %3, %0"
            : "+r"(*h), "+&r"(*l), "=@ccc"(under)
            : KL_LIMB_IN(bh), KL_LIMB_IN(bl));
    return under;
#else
    u128 a = (u128)*h << 64 | *l, b = (u128)bh << 64 | bl;
    *h = (u64)((a - b) >> 64);
    *l = (u64)(a - b);
    return a < b;
#endif
}

/* a += b over four limbs; true when it wrapped. */
KL_INLINE bool kl_limb_add_4(u64 a[4], const u64 b[4])
{
#if defined(__x86_64__)
    u64 a0 = a[0], a1 = a[1], a2 = a[2], a3 = a[3];
    bool over;
    __asm__("addq %5, %0\n\tadcq %6, %1\n\tadcq %7, %2\n\tadcq %8, %3"
            : "+&r"(a0), "+&r"(a1), "+&r"(a2), "+&r"(a3), "=@ccc"(over)
            : KL_LIMB_IN(b[0]), KL_LIMB_IN(b[1]), KL_LIMB_IN(b[2]), KL_LIMB_IN(b[3]));
    a[0] = a0, a[1] = a1, a[2] = a2, a[3] = a3;
    return over;
#else
    u64 carry = 0;
    for (unsigned i = 0; i < 4; i++) {
        u128 t = (u128)a[i] + b[i] + carry;
        a[i] = (u64)t;
        carry = (u64)(t >> 64);
    }
    return carry != 0;
#endif
}

/* a -= b over four limbs; true when it wrapped. */
KL_INLINE bool kl_limb_sub_4(u64 a[4], const u64 b[4])
{
#if defined(__x86_64__)
    u64 a0 = a[0], a1 = a[1], a2 = a[2], a3 = a[3];
    bool under;
    __asm__("subq %5, %0\n\tsbbq %6, %1\n\tsbbq %7, %2\n\tsbbq %8, %3"
            : "+&r"(a0), "+&r"(a1), "+&r"(a2), "+&r"(a3), "=@ccc"(under)
            : KL_LIMB_IN(b[0]), KL_LIMB_IN(b[1]), KL_LIMB_IN(b[2]), KL_LIMB_IN(b[3]));
    a[0] = a0, a[1] = a1, a[2] = a2, a[3] = a3;
    return under;
#else
    u64 borrow = 0;
    for (unsigned i = 0; i < 4; i++) {
        u128 t = (u128)a[i] - b[i] - borrow;
        a[i] = (u64)t;
        borrow = (u64)(t >> 64) & 1;
    }
    return borrow != 0;
#endif
}

#endif
