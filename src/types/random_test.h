/* Random but valid objects for tests of this layer. */
#ifndef KL_TYPES_RANDOM_TEST_H
#define KL_TYPES_RANDOM_TEST_H

#include "base/test.h"
#include "crypto/address.h"
#include "types/block.h"

static inline kl_u256 random_u256(u64 *seed)
{
    kl_u256 v;
    kl_rand_fill(seed, &v, sizeof v);
    return kl_u256_shr(v, kl_rand_below(seed, 257));
}

static inline u64 random_u64(u64 *seed)
{
    return kl_rand(seed) >> kl_rand_below(seed, 64);
}

static inline kl_secret32 random_key(u64 *seed)
{
    kl_secret32 key;
    kl_rand_fill(seed, &key, sizeof key);
    key.b[0] &= 0x7f; /* below the order */
    key.b[31] |= 1;   /* not 0 */
    return key;
}

static inline kl_address address_of_key(const kl_secret32 *key)
{
    kl_pubkey pubkey;
    CHECK(kl_secp256k1_pubkey(&pubkey, key));
    return kl_address_of_pubkey(&pubkey);
}

static inline const kl_hash *random_hashes(u64 *seed, usize count, struct kl_arena *arena)
{
    kl_hash *hashes = KL_TAKE(arena, kl_hash, count);
    CHECK(hashes);
    kl_rand_fill(seed, hashes, count * sizeof *hashes);
    return hashes;
}

static inline void random_lists(kl_tx *tx, u64 *seed, struct kl_arena *arena)
{
    tx->access_count = kl_rand_below(seed, 4);
    kl_access *access = KL_ZERO(arena, kl_access, tx->access_count);
    for (usize i = 0; i < tx->access_count; i++) {
        kl_rand_fill(seed, &access[i].address, sizeof access[i].address);
        access[i].slot_count = kl_rand_below(seed, 4);
        access[i].slots = random_hashes(seed, access[i].slot_count, arena);
    }
    tx->access_list = access;
    if (tx->type == KL_TX_BLOB) {
        tx->max_blob_fee = random_u256(seed);
        tx->blob_count = kl_rand_below(seed, 4);
        tx->blob_hashes = random_hashes(seed, tx->blob_count, arena);
    }
    if (tx->type != KL_TX_SET_CODE)
        return;
    tx->authorization_count = kl_rand_below(seed, 3);
    tx->authorizations = KL_ZERO(arena, kl_authorization, tx->authorization_count);
    for (usize i = 0; i < tx->authorization_count; i++) {
        kl_authorization *a = &tx->authorizations[i];
        kl_secret32 key = random_key(seed);
        a->chain_id = random_u256(seed);
        a->nonce = random_u64(seed);
        kl_rand_fill(seed, &a->address, sizeof a->address);
        kl_hash digest = kl_authorization_hash(a);
        CHECK(kl_secp256k1_sign(&a->signature, &digest, &key));
        a->authority = address_of_key(&key);
    }
}

/* A signed transaction of the given type. */
static inline kl_tx random_tx(u64 *seed, u8 type, const kl_secret32 *key, struct kl_arena *arena)
{
    kl_tx tx = {.type = type, .nonce = random_u64(seed), .gas_limit = random_u64(seed)};
    tx.replay_safe = type != KL_TX_LEGACY || (kl_rand(seed) & 1);
    tx.chain_id = tx.replay_safe ? random_u64(seed) : 0;
    tx.max_fee = random_u256(seed);
    tx.max_priority_fee = type >= KL_TX_DYNAMIC_FEE ? random_u256(seed) : tx.max_fee;
    tx.value = random_u256(seed);
    tx.has_to = type >= KL_TX_BLOB || (kl_rand(seed) & 1);
    if (tx.has_to)
        kl_rand_fill(seed, &tx.to, sizeof tx.to);
    usize len = kl_rand_below(seed, kl_rand(seed) & 1 ? 3 : 200);
    u8 *data = KL_TAKE(arena, u8, len);
    CHECK(data);
    kl_rand_fill(seed, data, len);
    tx.data = kl_span_of(data, len);
    if (type != KL_TX_LEGACY)
        random_lists(&tx, seed, arena);
    CHECK_OK(kl_tx_sign(&tx, key, arena));
    return tx;
}

#endif
