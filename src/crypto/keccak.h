/* keccak: Keccak-256 as Ethereum uses it (the SHA-3 submission's padding 0x01, rate 136)
 * [YP section 3; FIPS 202 for the permutation]. */
#ifndef KL_CRYPTO_KECCAK_H
#define KL_CRYPTO_KECCAK_H

#include "base/hash.h"

/* The hash of no bytes, and of the RLP of nothing: the root of an empty trie. */
extern const kl_hash kl_keccak_empty;      /* c5d24601… */
extern const kl_hash kl_keccak_empty_rlp;  /* 56e81f17…, keccak(0x80) */
extern const kl_hash kl_keccak_empty_list; /* 1dcc4de8…, keccak(0xc0) */

kl_hash kl_keccak256(kl_span bytes);

/* out[i] = keccak256(in[i]).  Runs several lanes at once where the processor can (AVX-512, AVX2,
 * chosen at run time, portable otherwise); the result never depends on that.  Messages of different
 * lengths share lanes well; the longest ones should not stand last. */
void kl_keccak256_batch(kl_hash *out, const kl_span *in, usize count);

/* In pieces. */
typedef struct kl_keccak {
    u64 state[25];
    unsigned filled; /* bytes of the current block */
} kl_keccak;
void kl_keccak_init(kl_keccak *k);
void kl_keccak_add(kl_keccak *k, kl_span bytes);
/* Leaves *k as kl_keccak_init does. */
kl_hash kl_keccak_done(kl_keccak *k);

/* Which implementation a batch uses on this machine: "avx512", "avx2" or "portable". */
const char *kl_keccak_lanes(void);

#endif
