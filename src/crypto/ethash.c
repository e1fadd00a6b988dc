/* ethash: items of the dataset are computed when they are asked for, 256 cache rows each.  Rows are
 * 64 bytes, held as little-endian words, which on this machine is how they lie in memory. */
#include "crypto/ethash.h"

#include <stdlib.h>

#include "crypto/keccak_priv.h"

enum {
    ROW = 64, /* bytes of a row: one Keccak-512 */
    WORDS = ROW / 4,
    MIX = 128, /* bytes of the mix: two rows */
    MIX_WORDS = MIX / 4,
    PARENTS = 256,
    ROUNDS = 3,
    ACCESSES = 64,
    CACHE_START = 1 << 24,
    CACHE_GROWTH = 1 << 17,
    DATASET_START = 1 << 30,
    DATASET_GROWTH = 1 << 23,
    RATE_512 = 72, /* bytes of a Keccak-512 block */
};

typedef struct row {
    u32 w[WORDS];
} row;

struct kl_ethash {
    u64 epoch;
    u32 rows;         /* of the cache */
    u32 dataset_rows; /* of the dataset nobody makes */
    row *cache;
};

/* Keccak-512 of less than one block. */
static row keccak512(const void *bytes, usize len)
{
    u64 state[25] = {0};
    u8 block[RATE_512] = {0};
    row out;
    KL_ASSERT(len < RATE_512);
    memcpy(block, bytes, len);
    block[len] = 0x01;
    block[RATE_512 - 1] |= 0x80;
    for (unsigned i = 0; i < RATE_512 / 8; i++)
        state[i] = kl_load_le64(block + 8 * i);
    kl_keccak_f(state);
    memcpy(out.w, state, sizeof out.w);
    return out;
}

static u32 fnv(u32 a, u32 b)
{
    return a * 0x01000193u ^ b;
}

static bool is_prime(u64 n)
{
    if (n % 2 == 0)
        return n == 2;
    for (u64 d = 3; d * d <= n; d += 2)
        if (n % d == 0)
            return false;
    return n > 1;
}

/* The largest size below start + growth * epoch that is a prime number of units. */
static u64 size_of(u64 epoch, u64 start, u64 growth, u64 unit)
{
    u64 size = start + growth * epoch - unit;
    while (!is_prime(size / unit))
        size -= 2 * unit;
    return size;
}

u64 kl_ethash_cache_bytes(u64 epoch)
{
    KL_ASSERT(epoch < KL_ETHASH_EPOCH_MAX);
    return size_of(epoch, CACHE_START, CACHE_GROWTH, ROW);
}

u64 kl_ethash_dataset_bytes(u64 epoch)
{
    KL_ASSERT(epoch < KL_ETHASH_EPOCH_MAX);
    return size_of(epoch, DATASET_START, DATASET_GROWTH, MIX);
}

/* The seed is the hash of the epoch before's; each round stirs every row with a row of its choice.
 */
static void fill(struct kl_ethash *ethash)
{
    kl_hash seed = {0};
    u32 n = ethash->rows;
    row *cache = ethash->cache;
    for (u64 i = 0; i < ethash->epoch; i++)
        seed = kl_keccak256(kl_hash_span(&seed));
    cache[0] = keccak512(seed.b, sizeof seed.b);
    for (u32 i = 1; i < n; i++)
        cache[i] = keccak512(cache[i - 1].w, ROW);
    for (unsigned round = 0; round < ROUNDS; round++)
        for (u32 i = 0; i < n; i++) {
            const row *before = &cache[(i + n - 1) % n], *other = &cache[cache[i].w[0] % n];
            row mixed;
            for (unsigned k = 0; k < WORDS; k++)
                mixed.w[k] = before->w[k] ^ other->w[k];
            cache[i] = keccak512(mixed.w, ROW);
        }
}

kl_status kl_ethash_new(struct kl_ethash **out, u64 epoch)
{
    if (epoch >= KL_ETHASH_EPOCH_MAX)
        return KL_LIMIT;
    struct kl_ethash *ethash = calloc(1, sizeof *ethash);
    if (!ethash)
        return KL_NOMEM;
    ethash->epoch = epoch;
    ethash->rows = (u32)(kl_ethash_cache_bytes(epoch) / ROW);
    ethash->dataset_rows = (u32)(kl_ethash_dataset_bytes(epoch) / ROW);
    ethash->cache = malloc((usize)ethash->rows * sizeof *ethash->cache);
    if (!ethash->cache) {
        kl_ethash_free(ethash);
        return KL_NOMEM;
    }
    fill(ethash);
    *out = ethash;
    return KL_OK;
}

void kl_ethash_free(struct kl_ethash *ethash)
{
    if (!ethash)
        return;
    free(ethash->cache);
    free(ethash);
}

u64 kl_ethash_epoch(const struct kl_ethash *ethash)
{
    return ethash->epoch;
}

static row dataset_row(const struct kl_ethash *ethash, u32 index)
{
    row mix = ethash->cache[index % ethash->rows];
    mix.w[0] ^= index;
    mix = keccak512(mix.w, ROW);
    for (u32 k = 0; k < PARENTS; k++) {
        const row *parent = &ethash->cache[fnv(index ^ k, mix.w[k % WORDS]) % ethash->rows];
        for (unsigned i = 0; i < WORDS; i++)
            mix.w[i] = fnv(mix.w[i], parent->w[i]);
    }
    return keccak512(mix.w, ROW);
}

/* The nonce goes in with its bytes turned around. */
static row seed_of(const kl_hash *seal_hash, const u8 nonce[8])
{
    u8 bytes[40];
    memcpy(bytes, seal_hash->b, 32);
    kl_store_le64(bytes + 32, kl_load_be64(nonce));
    return keccak512(bytes, sizeof bytes);
}

void kl_ethash_light(const struct kl_ethash *ethash, const kl_hash *seal_hash, const u8 nonce[8],
                     kl_hash *mix_out, kl_hash *result)
{
    row seed = seed_of(seal_hash, nonce);
    u32 mix[MIX_WORDS], short_mix[MIX_WORDS / 4];
    u8 last[ROW + 32];
    for (unsigned i = 0; i < MIX_WORDS; i++)
        mix[i] = seed.w[i % WORDS];
    for (u32 i = 0; i < ACCESSES; i++) {
        u32 page = fnv(i ^ seed.w[0], mix[i % MIX_WORDS]) % (ethash->dataset_rows / 2);
        row pair[2] = {dataset_row(ethash, 2 * page), dataset_row(ethash, 2 * page + 1)};
        for (unsigned k = 0; k < MIX_WORDS; k++)
            mix[k] = fnv(mix[k], pair[k / WORDS].w[k % WORDS]);
    }
    for (unsigned i = 0; i < MIX_WORDS; i += 4)
        short_mix[i / 4] = fnv(fnv(fnv(mix[i], mix[i + 1]), mix[i + 2]), mix[i + 3]);
    memcpy(last, seed.w, ROW);
    memcpy(last + ROW, short_mix, sizeof short_mix);
    memcpy(mix_out->b, short_mix, sizeof short_mix);
    *result = kl_keccak256(KL_SPAN_OF(last));
}
