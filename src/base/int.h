/* int: the integers Keel counts with, their byte order, and arithmetic that says when it overflows.
 *
 * Anything that came from outside is added and multiplied through kl_add_*, kl_sub_* and kl_mul_*:
 * they return false and leave *out alone when the result does not fit. */
#ifndef KL_BASE_INT_H
#define KL_BASE_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/check.h"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t i32;
typedef int64_t i64;
typedef size_t usize;
__extension__ typedef unsigned __int128 u128;

#define KL_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The smaller and the greater of two, as `?:` types them; each is evaluated once.  Not for constant
 * expressions.  The names differ, so that one may stand in the other. */
#define KL_MIN(a, b) KL_PICK_(a, <, b, __COUNTER__)
#define KL_MAX(a, b) KL_PICK_(a, >, b, __COUNTER__)

#define KL_PICK_(a, is, b, n)  KL_PICK__(a, is, b, n)
#define KL_PICK__(a, is, b, n) KL_PICK___(a, is, b, kl_a_##n, kl_b_##n)
#define KL_PICK___(a, is, b, x, y)                \
    __extension__({                               \
        __typeof__((a)is(b) ? (a) : (b)) x = (a); \
        __typeof__(x) y = (b);                    \
        x is y ? x : y;                           \
    })

KL_MUST_USE static inline bool kl_add_u64(u64 *out, u64 a, u64 b)
{
    u64 sum;
    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *out = sum;
    return true;
}

KL_MUST_USE static inline bool kl_mul_u64(u64 *out, u64 a, u64 b)
{
    u64 product;
    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *out = product;
    return true;
}

KL_MUST_USE static inline bool kl_add_usize(usize *out, usize a, usize b)
{
    usize sum;
    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *out = sum;
    return true;
}

/* a + b, or UINT64_MAX where the sum does not fit. */
static inline u64 kl_add_sat_u64(u64 a, u64 b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* a * b, or UINT64_MAX where the product does not fit. */
static inline u64 kl_mul_sat_u64(u64 a, u64 b)
{
    u64 product;
    return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

/* How many whole 32-byte words hold len bytes. */
static inline u64 kl_words(u64 len)
{
    return len / 32 + (len % 32 != 0);
}

static inline u16 kl_load_be16(const u8 *p)
{
    u16 v;
    memcpy(&v, p, sizeof v);
    return __builtin_bswap16(v);
}

static inline u32 kl_load_be32(const u8 *p)
{
    u32 v;
    memcpy(&v, p, sizeof v);
    return __builtin_bswap32(v);
}

static inline u64 kl_load_be64(const u8 *p)
{
    u64 v;
    memcpy(&v, p, sizeof v);
    return __builtin_bswap64(v);
}

static inline u32 kl_load_le32(const u8 *p)
{
    u32 v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline u64 kl_load_le64(const u8 *p)
{
    u64 v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void kl_store_be16(u8 *p, u16 v)
{
    v = __builtin_bswap16(v);
    memcpy(p, &v, sizeof v);
}

static inline void kl_store_be32(u8 *p, u32 v)
{
    v = __builtin_bswap32(v);
    memcpy(p, &v, sizeof v);
}

static inline void kl_store_be64(u8 *p, u64 v)
{
    v = __builtin_bswap64(v);
    memcpy(p, &v, sizeof v);
}

static inline void kl_store_le32(u8 *p, u32 v)
{
    memcpy(p, &v, sizeof v);
}

static inline void kl_store_le64(u8 *p, u64 v)
{
    memcpy(p, &v, sizeof v);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "Keel runs on little-endian machines");
_Static_assert(sizeof(usize) == 8, "Keel runs on 64-bit machines");

#endif
