/* rand: a small seeded generator for tests, the simulator and back-off jitter.  Never for keys. */
#ifndef KL_BASE_RAND_H
#define KL_BASE_RAND_H

#include "base/int.h"

/* The next 64 bits; *state is the whole state and may start as anything (splitmix64). */
static inline u64 kl_rand(u64 *state)
{
    u64 z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Uniform enough in [0, n); n > 0. */
static inline u64 kl_rand_below(u64 *state, u64 n)
{
    return (u64)(((u128)kl_rand(state) * n) >> 64);
}

static inline void kl_rand_fill(u64 *state, void *out, usize len)
{
    u8 *p = out;
    for (; len >= 8; p += 8, len -= 8)
        kl_store_le64(p, kl_rand(state));
    if (len) {
        u8 last[8];
        kl_store_le64(last, kl_rand(state));
        memcpy(p, last, len);
    }
}

#endif
