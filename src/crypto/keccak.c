/* One state at a time.  The permutation exists twice from one text: as plain C, and compiled for
 * BMI (and-not in one instruction, rotations that keep their source), which nearly every x86 since
 * 2013 has; it saves a sixth. */
#include "crypto/keccak.h"

#include "crypto/keccak_priv.h"

#define KECCAK_T             u64
#define KECCAK_XOR3(a, b, c) ((a) ^ (b) ^ (c))
#define KECCAK_CHI(a, b, c)  ((a) ^ (~(b) & (c)))
#define KECCAK_ROL(a, n)     ((a) << (n) | (a) >> (-(n)&63))
#include "crypto/keccak_round_priv.h"

const u64 kl_keccak_round_constant[24] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
    0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
    0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
    0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

const kl_hash kl_keccak_empty = {{0xc5, 0xd2, 0x46, 0x01, 0x86, 0xf7, 0x23, 0x3c, 0x92, 0x7e, 0x7d,
                                  0xb2, 0xdc, 0xc7, 0x03, 0xc0, 0xe5, 0x00, 0xb6, 0x53, 0xca, 0x82,
                                  0x27, 0x3b, 0x7b, 0xfa, 0xd8, 0x04, 0x5d, 0x85, 0xa4, 0x70}};
const kl_hash kl_keccak_empty_rlp = {{0x56, 0xe8, 0x1f, 0x17, 0x1b, 0xcc, 0x55, 0xa6,
                                      0xff, 0x83, 0x45, 0xe6, 0x92, 0xc0, 0xf8, 0x6e,
                                      0x5b, 0x48, 0xe0, 0x1b, 0x99, 0x6c, 0xad, 0xc0,
                                      0x01, 0x62, 0x2f, 0xb5, 0xe3, 0x63, 0xb4, 0x21}};
const kl_hash kl_keccak_empty_list = {{0x1d, 0xcc, 0x4d, 0xe8, 0xde, 0xc7, 0x5d, 0x7a,
                                       0xab, 0x85, 0xb5, 0x67, 0xb6, 0xcc, 0xd4, 0x1a,
                                       0xd3, 0x12, 0x45, 0x1b, 0x94, 0x8a, 0x74, 0x13,
                                       0xf0, 0xa1, 0x42, 0xfd, 0x40, 0xd4, 0x93, 0x47}};

KL_INLINE void permute(u64 state[25])
{
    u64 a[25], e[25];
#define LOAD(i)  a[i] = state[i];
#define STORE(i) state[i] = a[i];
    KECCAK_EACH_LANE(LOAD)
    for (unsigned round = 0; round < 24; round += 2) {
        KECCAK_ROUND(e, a, kl_keccak_round_constant[round]);
        KECCAK_ROUND(a, e, kl_keccak_round_constant[round + 1]);
    }
    KECCAK_EACH_LANE(STORE)
#undef LOAD
#undef STORE
}

void kl_keccak_f_portable(u64 state[25])
{
    permute(state);
}

#if defined(__x86_64__)
__attribute__((target("bmi,bmi2"))) static void permute_bmi(u64 state[25])
{
    permute(state);
}

void kl_keccak_f(u64 state[25])
{
    if (KL_LIKELY(__builtin_cpu_supports("bmi2") && __builtin_cpu_supports("bmi")))
        permute_bmi(state);
    else
        permute(state);
}
#else
void kl_keccak_f(u64 state[25])
{
    permute(state);
}
#endif

static void absorb(u64 state[25], const u8 *block)
{
    for (unsigned i = 0; i < KECCAK_RATE / 8; i++)
        state[i] ^= kl_load_le64(block + 8 * i);
    kl_keccak_f(state);
}

/* Adds the last, incomplete block and reads the hash. */
static kl_hash finish(u64 state[25], kl_span rest)
{
    u8 block[KECCAK_RATE];
    kl_keccak_pad(block, rest);
    absorb(state, block);
    kl_hash hash;
    for (unsigned i = 0; i < 4; i++)
        kl_store_le64(hash.b + 8 * i, state[i]);
    return hash;
}

kl_hash kl_keccak256(kl_span bytes)
{
    u64 state[25] = {0};
    for (; bytes.len >= KECCAK_RATE; bytes.p += KECCAK_RATE, bytes.len -= KECCAK_RATE)
        absorb(state, bytes.p);
    return finish(state, bytes);
}

void kl_keccak_init(kl_keccak *k)
{
    *k = (kl_keccak){.filled = 0};
}

/* The bytes of the current block are added to the state as they come: byte i of a block belongs to
 * byte i % 8 of word i / 8, least significant first. */
void kl_keccak_add(kl_keccak *k, kl_span bytes)
{
    while (bytes.len) {
        if (k->filled == 0 && bytes.len >= KECCAK_RATE) {
            absorb(k->state, bytes.p);
            bytes = kl_span_sub(bytes, KECCAK_RATE, bytes.len);
            continue;
        }
        usize n = KL_MIN(bytes.len, (usize)(KECCAK_RATE - k->filled));
        for (usize i = 0; i < n; i++) {
            usize at = k->filled + i;
            k->state[at / 8] ^= (u64)bytes.p[i] << at % 8 * 8;
        }
        bytes = kl_span_sub(bytes, n, bytes.len);
        k->filled += (unsigned)n;
        if (k->filled == KECCAK_RATE) {
            kl_keccak_f(k->state);
            k->filled = 0;
        }
    }
}

kl_hash kl_keccak_done(kl_keccak *k)
{
    k->state[k->filled / 8] ^= (u64)0x01 << k->filled % 8 * 8;
    k->state[KECCAK_RATE / 8 - 1] ^= (u64)0x80 << 56;
    kl_keccak_f(k->state);
    kl_hash hash;
    for (unsigned i = 0; i < 4; i++)
        kl_store_le64(hash.b + 8 * i, k->state[i]);
    kl_keccak_init(k);
    return hash;
}
