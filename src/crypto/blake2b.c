/* BLAKE2b's compression function [RFC 7693 section 3.2] with a free number of rounds, as EIP-152
 * asks.  The ten message schedules are written out, so that the words of a round have fixed places
 * and the state stays in registers.  A round is bound by the chain of dependent operations of its
 * two halves; vector registers shorten it little and cost the gathering of the message words. */
#include "crypto/digest.h"

static const u64 iv[8] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

#define ROR(x, n) ((x) >> (n) | (x) << (64 - (n)))

#define G(v, a, b, c, d, x, y)             \
    do {                                   \
        (v)[a] += (v)[b] + (x);            \
        (v)[d] = ROR((v)[d] ^ (v)[a], 32); \
        (v)[c] += (v)[d];                  \
        (v)[b] = ROR((v)[b] ^ (v)[c], 24); \
        (v)[a] += (v)[b] + (y);            \
        (v)[d] = ROR((v)[d] ^ (v)[a], 16); \
        (v)[c] += (v)[d];                  \
        (v)[b] = ROR((v)[b] ^ (v)[c], 63); \
    } while (0)

#define ROUND(v, m, s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, sa, sb, sc, sd, se, sf) \
    do {                                                                            \
        G(v, 0, 4, 8, 12, (m)[s0], (m)[s1]);                                        \
        G(v, 1, 5, 9, 13, (m)[s2], (m)[s3]);                                        \
        G(v, 2, 6, 10, 14, (m)[s4], (m)[s5]);                                       \
        G(v, 3, 7, 11, 15, (m)[s6], (m)[s7]);                                       \
        G(v, 0, 5, 10, 15, (m)[s8], (m)[s9]);                                       \
        G(v, 1, 6, 11, 12, (m)[sa], (m)[sb]);                                       \
        G(v, 2, 7, 8, 13, (m)[sc], (m)[sd]);                                        \
        G(v, 3, 4, 9, 14, (m)[se], (m)[sf]);                                        \
    } while (0)

/* v after `rounds` rounds; round r uses schedule r mod 10. */
static void mix(u64 v[16], const u64 m[16], u32 rounds)
{
#define STEP(...)      \
    if (rounds-- == 0) \
        return;        \
    ROUND(v, m, __VA_ARGS__);

    for (;;) {
        STEP(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
        STEP(14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3)
        STEP(11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4)
        STEP(7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8)
        STEP(9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13)
        STEP(2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9)
        STEP(12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11)
        STEP(13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10)
        STEP(6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5)
        STEP(10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0)
    }
#undef STEP
}

void kl_blake2b_f(u64 h[8], const u64 m[16], u64 t0, u64 t1, bool last, u32 rounds)
{
    u64 v[16];
    for (unsigned i = 0; i < 8; i++) {
        v[i] = h[i];
        v[i + 8] = iv[i];
    }
    v[12] ^= t0;
    v[13] ^= t1;
    if (last)
        v[14] = ~v[14];
    mix(v, m, rounds);
    for (unsigned i = 0; i < 8; i++)
        h[i] ^= v[i] ^ v[i + 8];
}
