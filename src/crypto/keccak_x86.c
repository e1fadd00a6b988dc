/* Several states at a time in vector registers: eight with AVX-512, four with AVX2 or, where few
 * messages are left, with AVX-512's instructions on half registers (rotations and three-way logic
 * in one instruction).  The functions are compiled for these instructions whatever the rest of the
 * program is compiled for, and called only where the processor has them. */
#include "crypto/keccak_priv.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "crypto/keccak_round_priv.h"

#if !defined(__OPTIMIZE__)
/* Unoptimised, every term of the round has a place of its own on the stack. */
#pragma GCC diagnostic ignored "-Wframe-larger-than="
#endif

#define AVX2   __attribute__((target("avx2")))
#define AVX512 __attribute__((target("avx2,avx512f,avx512vl")))

#define LOAD4(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define LOAD8(p) _mm512_loadu_si512((const void *)(p))

/* a[i] ^= the i-th words of the four rows' 32 bytes from `at` on: a transposition. */
AVX2 KL_INLINE void add4(__m256i *a, const u8 *const *row, usize at)
{
    __m256i r0 = LOAD4(row[0] + at), r1 = LOAD4(row[1] + at);
    __m256i r2 = LOAD4(row[2] + at), r3 = LOAD4(row[3] + at);
    __m256i even01 = _mm256_unpacklo_epi64(r0, r1), odd01 = _mm256_unpackhi_epi64(r0, r1);
    __m256i even23 = _mm256_unpacklo_epi64(r2, r3), odd23 = _mm256_unpackhi_epi64(r2, r3);
    a[0] ^= _mm256_permute2x128_si256(even01, even23, 0x20);
    a[1] ^= _mm256_permute2x128_si256(odd01, odd23, 0x20);
    a[2] ^= _mm256_permute2x128_si256(even01, even23, 0x31);
    a[3] ^= _mm256_permute2x128_si256(odd01, odd23, 0x31);
}

/* Reads the states, clears the fresh ones and adds a block to each. */
AVX2 KL_INLINE void absorb4(__m256i *a, const u64 *state, const u8 *const *block, unsigned fresh)
{
    const __m256i bit = _mm256_set_epi64x(8, 4, 2, 1);
    __m256i drop = _mm256_cmpeq_epi64(_mm256_set1_epi64x(fresh) & bit, bit);
#define READ(i) a[i] = _mm256_andnot_si256(drop, LOAD4(state + 4 * (i)));
    KECCAK_EACH_LANE(READ)
#undef READ
    add4(a, block, 0);
    add4(a + 4, block, 32);
    add4(a + 8, block, 64);
    add4(a + 12, block, 96);
    a[16] ^=
        _mm256_set_epi64x((i64)kl_load_le64(block[3] + 128), (i64)kl_load_le64(block[2] + 128),
                          (i64)kl_load_le64(block[1] + 128), (i64)kl_load_le64(block[0] + 128));
}

AVX2 KL_INLINE void write4(u64 *state, const __m256i *a)
{
#define WRITE(i) _mm256_store_si256((__m256i *)(void *)(state + 4 * (i)), a[i]);
    KECCAK_EACH_LANE(WRITE)
#undef WRITE
}

/* The same for eight. */
AVX512 KL_INLINE void add8(__m512i *a, const u8 *const *row, usize at)
{
    __m512i r0 = LOAD8(row[0] + at), r1 = LOAD8(row[1] + at), r2 = LOAD8(row[2] + at);
    __m512i r3 = LOAD8(row[3] + at), r4 = LOAD8(row[4] + at), r5 = LOAD8(row[5] + at);
    __m512i r6 = LOAD8(row[6] + at), r7 = LOAD8(row[7] + at);
    /* Pairs of words, then pairs of pairs, then halves. */
    __m512i even01 = _mm512_unpacklo_epi64(r0, r1), odd01 = _mm512_unpackhi_epi64(r0, r1);
    __m512i even23 = _mm512_unpacklo_epi64(r2, r3), odd23 = _mm512_unpackhi_epi64(r2, r3);
    __m512i even45 = _mm512_unpacklo_epi64(r4, r5), odd45 = _mm512_unpackhi_epi64(r4, r5);
    __m512i even67 = _mm512_unpacklo_epi64(r6, r7), odd67 = _mm512_unpackhi_epi64(r6, r7);
    __m512i w04 = _mm512_shuffle_i64x2(even01, even23, 0x88);
    __m512i w26 = _mm512_shuffle_i64x2(even01, even23, 0xdd);
    __m512i w15 = _mm512_shuffle_i64x2(odd01, odd23, 0x88);
    __m512i w37 = _mm512_shuffle_i64x2(odd01, odd23, 0xdd);
    __m512i x04 = _mm512_shuffle_i64x2(even45, even67, 0x88);
    __m512i x26 = _mm512_shuffle_i64x2(even45, even67, 0xdd);
    __m512i x15 = _mm512_shuffle_i64x2(odd45, odd67, 0x88);
    __m512i x37 = _mm512_shuffle_i64x2(odd45, odd67, 0xdd);
    a[0] ^= _mm512_shuffle_i64x2(w04, x04, 0x88);
    a[1] ^= _mm512_shuffle_i64x2(w15, x15, 0x88);
    a[2] ^= _mm512_shuffle_i64x2(w26, x26, 0x88);
    a[3] ^= _mm512_shuffle_i64x2(w37, x37, 0x88);
    a[4] ^= _mm512_shuffle_i64x2(w04, x04, 0xdd);
    a[5] ^= _mm512_shuffle_i64x2(w15, x15, 0xdd);
    a[6] ^= _mm512_shuffle_i64x2(w26, x26, 0xdd);
    a[7] ^= _mm512_shuffle_i64x2(w37, x37, 0xdd);
}

AVX512 KL_INLINE void absorb8(__m512i *a, const u64 *state, const u8 *const *block, unsigned fresh)
{
    __mmask8 keep = (__mmask8)~fresh;
#define READ(i) a[i] = _mm512_maskz_load_epi64(keep, state + 8 * (i));
    KECCAK_EACH_LANE(READ)
#undef READ
    add8(a, block, 0);
    add8(a + 8, block, 64);
    a[16] ^= _mm512_set_epi64((i64)kl_load_le64(block[7] + 128), (i64)kl_load_le64(block[6] + 128),
                              (i64)kl_load_le64(block[5] + 128), (i64)kl_load_le64(block[4] + 128),
                              (i64)kl_load_le64(block[3] + 128), (i64)kl_load_le64(block[2] + 128),
                              (i64)kl_load_le64(block[1] + 128), (i64)kl_load_le64(block[0] + 128));
}

#define KECCAK_T             __m256i
#define KECCAK_XOR3(a, b, c) ((a) ^ (b) ^ (c))
#define KECCAK_CHI(a, b, c)  ((a) ^ _mm256_andnot_si256(b, c))
#define KECCAK_ROL(a, n)     (_mm256_slli_epi64(a, n) | _mm256_srli_epi64(a, -(n)&63))

AVX2 static void step4_avx2(u64 *state, const u8 *const *block, unsigned fresh)
{
    __m256i a[25], e[25];
    absorb4(a, state, block, fresh);
    for (unsigned round = 0; round < 24; round += 2) {
        KECCAK_ROUND(e, a, _mm256_set1_epi64x((i64)kl_keccak_round_constant[round]));
        KECCAK_ROUND(a, e, _mm256_set1_epi64x((i64)kl_keccak_round_constant[round + 1]));
    }
    write4(state, a);
}

/* The last argument of a ternary logic instruction is the truth table of (a, b, c). */
#undef KECCAK_XOR3
#undef KECCAK_CHI
#undef KECCAK_ROL
#define KECCAK_XOR3(a, b, c) _mm256_ternarylogic_epi64(a, b, c, 0x96)
#define KECCAK_CHI(a, b, c)  _mm256_ternarylogic_epi64(a, b, c, 0xd2)
#define KECCAK_ROL(a, n)     _mm256_rol_epi64(a, n)

AVX512 static void step4_avx512(u64 *state, const u8 *const *block, unsigned fresh)
{
    __m256i a[25], e[25];
    absorb4(a, state, block, fresh);
    for (unsigned round = 0; round < 24; round += 2) {
        KECCAK_ROUND(e, a, _mm256_set1_epi64x((i64)kl_keccak_round_constant[round]));
        KECCAK_ROUND(a, e, _mm256_set1_epi64x((i64)kl_keccak_round_constant[round + 1]));
    }
    write4(state, a);
}

#undef KECCAK_T
#undef KECCAK_XOR3
#undef KECCAK_CHI
#undef KECCAK_ROL
#define KECCAK_T             __m512i
#define KECCAK_XOR3(a, b, c) _mm512_ternarylogic_epi64(a, b, c, 0x96)
#define KECCAK_CHI(a, b, c)  _mm512_ternarylogic_epi64(a, b, c, 0xd2)
#define KECCAK_ROL(a, n)     _mm512_rol_epi64(a, n)

AVX512 static void step8_avx512(u64 *state, const u8 *const *block, unsigned fresh)
{
    __m512i a[25], e[25];
    absorb8(a, state, block, fresh);
    for (unsigned round = 0; round < 24; round += 2) {
        KECCAK_ROUND(e, a, _mm512_set1_epi64((i64)kl_keccak_round_constant[round]));
        KECCAK_ROUND(a, e, _mm512_set1_epi64((i64)kl_keccak_round_constant[round + 1]));
    }
#define WRITE(i) _mm512_store_si512((void *)(state + 8 * (i)), a[i]);
    KECCAK_EACH_LANE(WRITE)
#undef WRITE
}

usize kl_keccak_units(const kl_keccak_unit **out, usize cap)
{
    static const kl_keccak_unit wide = {"avx512", 8, step8_avx512};
    static const kl_keccak_unit half = {"avx512", 4, step4_avx512};
    static const kl_keccak_unit avx2 = {"avx2", 4, step4_avx2};
    usize count = 0;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && cap >= 2) {
        out[count++] = &wide;
        out[count++] = &half;
    }
    if (__builtin_cpu_supports("avx2") && count < cap)
        out[count++] = &avx2;
    return count;
}

#else

usize kl_keccak_units(const kl_keccak_unit **out, usize cap)
{
    (void)out;
    (void)cap;
    return 0;
}

#endif
