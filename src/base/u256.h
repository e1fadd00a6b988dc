/* u256: the EVM's 256-bit word.  A plain value, four native limbs, least significant first; all
 * arithmetic is modulo 2^256 unless a name says otherwise.  Byte order exists only in the
 * conversions, which name it.
 *
 * Signed operations read the word as two's complement, as the EVM does [YP appendix H.2]. */
#ifndef KL_BASE_U256_H
#define KL_BASE_U256_H

#include "base/hash.h"
#include "base/limb.h"

typedef struct kl_u256 {
    u64 w[4];
} kl_u256;

#define KL_U256_ZERO ((kl_u256){{0, 0, 0, 0}})
#define KL_U256_ONE  ((kl_u256){{1, 0, 0, 0}})
#define KL_U256_MAX  ((kl_u256){{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}})

KL_INLINE kl_u256 kl_u256_of(u64 v)
{
    return (kl_u256){{v, 0, 0, 0}};
}

KL_INLINE bool kl_u256_is_zero(kl_u256 a)
{
    return (a.w[0] | a.w[1] | a.w[2] | a.w[3]) == 0;
}

KL_INLINE bool kl_u256_eq(kl_u256 a, kl_u256 b)
{
    return ((a.w[0] ^ b.w[0]) | (a.w[1] ^ b.w[1]) | (a.w[2] ^ b.w[2]) | (a.w[3] ^ b.w[3])) == 0;
}

/* *out = a + b; true when it wrapped. */
KL_INLINE bool kl_u256_add_over(kl_u256 *out, kl_u256 a, kl_u256 b)
{
    bool over = kl_limb_add_4(a.w, b.w);
    *out = a;
    return over;
}

/* *out = a - b; true when it wrapped, that is when a < b. */
KL_INLINE bool kl_u256_sub_under(kl_u256 *out, kl_u256 a, kl_u256 b)
{
    bool under = kl_limb_sub_4(a.w, b.w);
    *out = a;
    return under;
}

KL_INLINE kl_u256 kl_u256_add(kl_u256 a, kl_u256 b)
{
    kl_u256 r;
    (void)kl_u256_add_over(&r, a, b);
    return r;
}

KL_INLINE kl_u256 kl_u256_sub(kl_u256 a, kl_u256 b)
{
    kl_u256 r;
    (void)kl_u256_sub_under(&r, a, b);
    return r;
}

KL_INLINE bool kl_u256_lt(kl_u256 a, kl_u256 b)
{
    kl_u256 r;
    return kl_u256_sub_under(&r, a, b);
}

KL_INLINE bool kl_u256_slt(kl_u256 a, kl_u256 b)
{
    bool a_negative = a.w[3] >> 63, b_negative = b.w[3] >> 63;
    return a_negative != b_negative ? a_negative : kl_u256_lt(a, b);
}

/* <0, 0 or >0, unsigned. */
KL_INLINE int kl_u256_cmp(kl_u256 a, kl_u256 b)
{
    return kl_u256_eq(a, b) ? 0 : kl_u256_lt(a, b) ? -1 : 1;
}

KL_INLINE kl_u256 kl_u256_and(kl_u256 a, kl_u256 b)
{
    return (kl_u256){{a.w[0] & b.w[0], a.w[1] & b.w[1], a.w[2] & b.w[2], a.w[3] & b.w[3]}};
}

KL_INLINE kl_u256 kl_u256_or(kl_u256 a, kl_u256 b)
{
    return (kl_u256){{a.w[0] | b.w[0], a.w[1] | b.w[1], a.w[2] | b.w[2], a.w[3] | b.w[3]}};
}

KL_INLINE kl_u256 kl_u256_xor(kl_u256 a, kl_u256 b)
{
    return (kl_u256){{a.w[0] ^ b.w[0], a.w[1] ^ b.w[1], a.w[2] ^ b.w[2], a.w[3] ^ b.w[3]}};
}

KL_INLINE kl_u256 kl_u256_not(kl_u256 a)
{
    return (kl_u256){{~a.w[0], ~a.w[1], ~a.w[2], ~a.w[3]}};
}

/* True, and *out set, when a fits 64 bits. */
KL_MUST_USE KL_INLINE bool kl_u256_to_u64(u64 *out, kl_u256 a)
{
    if (a.w[1] | a.w[2] | a.w[3])
        return false;
    *out = a.w[0];
    return true;
}

/* a, or UINT64_MAX where it does not fit 64 bits. */
KL_INLINE u64 kl_u256_sat_u64(kl_u256 a)
{
    return (a.w[1] | a.w[2] | a.w[3]) ? UINT64_MAX : a.w[0];
}

/* Number of significant bits, 0 for 0. */
KL_INLINE unsigned kl_u256_bits(kl_u256 a)
{
    for (unsigned i = 4; i-- > 0;)
        if (a.w[i])
            return i * 64 + 64 - (unsigned)__builtin_clzll(a.w[i]);
    return 0;
}

/* Number of significant bytes, 0 for 0. */
KL_INLINE unsigned kl_u256_bytes(kl_u256 a)
{
    return (kl_u256_bits(a) + 7) / 8;
}

KL_INLINE kl_u256 kl_u256_from_be(const u8 b[32])
{
    return (kl_u256){
        {kl_load_be64(b + 24), kl_load_be64(b + 16), kl_load_be64(b + 8), kl_load_be64(b)}};
}

KL_INLINE void kl_u256_to_be(u8 b[32], kl_u256 a)
{
    kl_store_be64(b, a.w[3]);
    kl_store_be64(b + 8, a.w[2]);
    kl_store_be64(b + 16, a.w[1]);
    kl_store_be64(b + 24, a.w[0]);
}

KL_INLINE kl_u256 kl_u256_from_hash(const kl_hash *h)
{
    return kl_u256_from_be(h->b);
}

KL_INLINE kl_hash kl_u256_to_hash(kl_u256 a)
{
    kl_hash h;
    kl_u256_to_be(h.b, a);
    return h;
}

KL_INLINE kl_u256 kl_u256_from_address(const kl_address *a)
{
    return (kl_u256){{kl_load_be64(a->b + 12), kl_load_be64(a->b + 4), kl_load_be32(a->b), 0}};
}

/* The low 160 bits. */
KL_INLINE kl_address kl_u256_to_address(kl_u256 a)
{
    kl_address r;
    kl_store_be32(r.b, (u32)a.w[2]);
    kl_store_be64(r.b + 4, a.w[1]);
    kl_store_be64(r.b + 12, a.w[0]);
    return r;
}

/* Big-endian bytes, 32 at most (asserted), as a number. */
kl_u256 kl_u256_from_be_bytes(kl_span bytes);

/* Shifts by n bits; n >= 256 gives 0, or all sign bits for sar. */
KL_INLINE kl_u256 kl_u256_shl(kl_u256 a, u64 n)
{
    unsigned bits = n & 63, back = 63 - bits;
    u64 r0 = a.w[0] << bits;
    u64 r1 = a.w[1] << bits | a.w[0] >> 1 >> back;
    u64 r2 = a.w[2] << bits | a.w[1] >> 1 >> back;
    u64 r3 = a.w[3] << bits | a.w[2] >> 1 >> back;
    kl_u256 r = n & 64 ? (kl_u256){{0, r0, r1, r2}} : (kl_u256){{r0, r1, r2, r3}};
    r = n & 128 ? (kl_u256){{0, 0, r.w[0], r.w[1]}} : r;
    return n < 256 ? r : KL_U256_ZERO;
}

/* The same downwards, with fill (0 or all ones) coming in from above. */
KL_INLINE kl_u256 kl_u256_shr_fill(kl_u256 a, u64 n, u64 fill)
{
    unsigned bits = n & 63, back = 63 - bits;
    u64 r0 = a.w[0] >> bits | a.w[1] << 1 << back;
    u64 r1 = a.w[1] >> bits | a.w[2] << 1 << back;
    u64 r2 = a.w[2] >> bits | a.w[3] << 1 << back;
    u64 r3 = a.w[3] >> bits | fill << 1 << back;
    kl_u256 r = n & 64 ? (kl_u256){{r1, r2, r3, fill}} : (kl_u256){{r0, r1, r2, r3}};
    r = n & 128 ? (kl_u256){{r.w[2], r.w[3], fill, fill}} : r;
    return n < 256 ? r : (kl_u256){{fill, fill, fill, fill}};
}

KL_INLINE kl_u256 kl_u256_shr(kl_u256 a, u64 n)
{
    return kl_u256_shr_fill(a, n, 0);
}

KL_INLINE kl_u256 kl_u256_sar(kl_u256 a, u64 n)
{
    return kl_u256_shr_fill(a, n, 0 - (a.w[3] >> 63));
}

KL_INLINE kl_u256 kl_u256_mul(kl_u256 a, kl_u256 b)
{
    u64 top = a.w[0] * b.w[3] + a.w[1] * b.w[2] + a.w[2] * b.w[1] + a.w[3] * b.w[0];
    u64 c, high, r0, r1, r2;
    r0 = kl_limb_mul(&c, a.w[0], b.w[0]);
    r1 = kl_limb_mul_add(&c, a.w[0], b.w[1], c);
    r2 = kl_limb_mul_add(&high, a.w[0], b.w[2], c);
    top += high;
    r1 = kl_limb_mul_add(&c, a.w[1], b.w[0], r1);
    r2 = kl_limb_mul_add2(&high, a.w[1], b.w[1], r2, c);
    top += high;
    r2 = kl_limb_mul_add(&high, a.w[2], b.w[0], r2);
    return (kl_u256){{r0, r1, r2, top + high}};
}

/* *out = a * b modulo 2^256; true when the full product does not fit. */
bool kl_u256_mul_over(kl_u256 *out, kl_u256 a, kl_u256 b);

/* *quotient = a / b and *rest = a mod b; by zero both are 0, as in the EVM.  Outputs may be inputs.
 * The second reads its inputs as signed; the rest has the sign of a. */
KL_NOINLINE void kl_u256_divide(kl_u256 *quotient, kl_u256 *rest, const kl_u256 *a,
                                const kl_u256 *b);
KL_NOINLINE void kl_u256_sdivide(kl_u256 *quotient, kl_u256 *rest, const kl_u256 *a,
                                 const kl_u256 *b);

/* (a + b) mod m and (a * b) mod m over the integers; 0 for m == 0.  out may be an input. */
KL_NOINLINE void kl_u256_add_mod(kl_u256 *out, const kl_u256 *a, const kl_u256 *b,
                                 const kl_u256 *m);
KL_NOINLINE void kl_u256_mul_mod(kl_u256 *out, const kl_u256 *a, const kl_u256 *b,
                                 const kl_u256 *m);

/* The same by value. */
KL_INLINE kl_u256 kl_u256_div(kl_u256 a, kl_u256 b)
{
    kl_u256_divide(&a, &b, &a, &b);
    return a;
}

KL_INLINE kl_u256 kl_u256_mod(kl_u256 a, kl_u256 b)
{
    kl_u256_divide(&a, &b, &a, &b);
    return b;
}

KL_INLINE kl_u256 kl_u256_sdiv(kl_u256 a, kl_u256 b)
{
    kl_u256_sdivide(&a, &b, &a, &b);
    return a;
}

KL_INLINE kl_u256 kl_u256_smod(kl_u256 a, kl_u256 b)
{
    kl_u256_sdivide(&a, &b, &a, &b);
    return b;
}

KL_INLINE kl_u256 kl_u256_addmod(kl_u256 a, kl_u256 b, kl_u256 m)
{
    kl_u256_add_mod(&a, &a, &b, &m);
    return a;
}

KL_INLINE kl_u256 kl_u256_mulmod(kl_u256 a, kl_u256 b, kl_u256 m)
{
    kl_u256_mul_mod(&a, &a, &b, &m);
    return a;
}

/* a * b / d over the integers, for fee arithmetic; d != 0 (asserted).  True when the quotient does
 * not fit 256 bits; *out is then its low 256 bits. */
bool kl_u256_muldiv_over(kl_u256 *out, kl_u256 a, kl_u256 b, kl_u256 d);

/* base ^ exponent modulo 2^256. */
kl_u256 kl_u256_exp(kl_u256 base, kl_u256 exponent);

/* The EVM's SIGNEXTEND: extends the sign of byte `index` (0 is the least significant). */
KL_INLINE void kl_u256_sign_extend(kl_u256 *a, kl_u256 index)
{
    u64 i = kl_u256_sat_u64(index);
    if (i > 30)
        return;
    unsigned limb = (unsigned)i / 8, shift = 56 - (unsigned)i % 8 * 8;
    i64 extended = (i64)(a->w[limb] << shift) >> shift;
    a->w[limb] = (u64)extended;
    for (unsigned j = 3; j > limb; j--)
        a->w[j] = (u64)(extended >> 63);
}

/* The EVM's BYTE: byte `index`, 0 the most significant; 0 for index > 31. */
KL_INLINE kl_u256 kl_u256_byte(kl_u256 index, kl_u256 a)
{
    u64 i = kl_u256_sat_u64(index);
    if (i > 31)
        return KL_U256_ZERO;
    return kl_u256_of(a.w[3 - i / 8] >> (56 - i % 8 * 8) & 0xff);
}

/* Decimal text of a, NUL-terminated, into text; returns its length without the NUL. */
#define KL_U256_DECIMAL_MAX 79
usize kl_u256_decimal(char text[KL_U256_DECIMAL_MAX], kl_u256 a);

/* Reads a decimal number without sign or blanks; false for anything else and for overflow. */
KL_MUST_USE bool kl_u256_from_decimal(kl_u256 *out, kl_span text);

#endif
