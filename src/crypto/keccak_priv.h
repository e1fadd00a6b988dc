/* keccak_priv: the parts of Keccak that keccak.c, keccak_batch.c and keccak_x86.c share. */
#ifndef KL_CRYPTO_KECCAK_PRIV_H
#define KL_CRYPTO_KECCAK_PRIV_H

#include "crypto/keccak.h"

/* The rate of Keccak-256: bytes of a block. */
#define KECCAK_RATE 136

#define KECCAK_LANES_MAX 8

/* Several states side by side: word w of state l is at state[w * lanes + l], state is aligned to
 * 64. A step clears the states whose bit is set in `fresh`, adds a block to each, and permutes all
 * of them. */
typedef struct kl_keccak_unit {
    const char *name;
    usize lanes;
    void (*step)(u64 *state, const u8 *const *block, unsigned fresh);
} kl_keccak_unit;

/* The units this machine can run, the best first and those of one kind by falling number of lanes;
 * at most cap are written.  The same on every call. */
usize kl_keccak_units(const kl_keccak_unit **out, usize cap);

/* kl_keccak256_batch on a unit of the caller's choice. */
void kl_keccak_batch_on(const kl_keccak_unit *unit, kl_hash *out, const kl_span *in, usize count);

/* Fills the KECCAK_RATE bytes at block with the last rest.len < KECCAK_RATE bytes of a message and
 * the padding. */
static inline void kl_keccak_pad(u8 *block, kl_span rest)
{
    memset(block, 0, KECCAK_RATE);
    if (rest.len)
        memcpy(block, rest.p, rest.len);
    block[rest.len] = 0x01;
    block[KECCAK_RATE - 1] |= 0x80;
}

/* Keccak-f[1600], in the portable spelling, and in the fastest one for this machine. */
void kl_keccak_f_portable(u64 state[25]);
void kl_keccak_f(u64 state[25]);

#endif
