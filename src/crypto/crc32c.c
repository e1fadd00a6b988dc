/* CRC-32C, polynomial 0x1edc6f41 bit-reversed [RFC 3720 section 12.1], by the processor's own
 * instruction where it has one (8 bytes in 3 cycles), byte by byte with a table elsewhere. */
#include "crypto/crc32c_priv.h"
#include "crypto/digest.h"

/* What the 8 bits of a byte leave in the register, by linearity from those of each single bit. */
#define T1(n)                                                                              \
    (((n)&1 ? 0xf26b8303u : 0) ^ ((n)&2 ? 0xe13b70f7u : 0) ^ ((n)&4 ? 0xc79a971fu : 0) ^   \
     ((n)&8 ? 0x8ad958cfu : 0) ^ ((n)&16 ? 0x105ec76fu : 0) ^ ((n)&32 ? 0x20bd8edeu : 0) ^ \
     ((n)&64 ? 0x417b1dbcu : 0) ^ ((n)&128 ? 0x82f63b78u : 0))
#define T4(n)  T1(n), T1((n) + 1), T1((n) + 2), T1((n) + 3)
#define T16(n) T4(n), T4((n) + 4), T4((n) + 8), T4((n) + 12)
#define T64(n) T16(n), T16((n) + 16), T16((n) + 32), T16((n) + 48)

static const u32 table[256] = {T64(0), T64(64), T64(128), T64(192)};

u32 kl_crc32c_portable(u32 crc, kl_span bytes)
{
    u32 r = ~crc;
    for (usize i = 0; i < bytes.len; i++)
        r = r >> 8 ^ table[(r ^ bytes.p[i]) & 0xff];
    return ~r;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static u32 crc32c_sse42(u32 crc, kl_span bytes)
{
    u64 r = ~crc;
    for (; bytes.len >= 8; bytes.p += 8, bytes.len -= 8)
        r = _mm_crc32_u64(r, kl_load_le64(bytes.p));
    u32 r32 = (u32)r;
    for (usize i = 0; i < bytes.len; i++)
        r32 = _mm_crc32_u8(r32, bytes.p[i]);
    return ~r32;
}

u32 kl_crc32c(u32 crc, kl_span bytes)
{
    if (KL_LIKELY(__builtin_cpu_supports("sse4.2")))
        return crc32c_sse42(crc, bytes);
    return kl_crc32c_portable(crc, bytes);
}
#else
u32 kl_crc32c(u32 crc, kl_span bytes)
{
    return kl_crc32c_portable(crc, bytes);
}
#endif
