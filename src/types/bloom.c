/* bloom: three bits of 2,048 for each item, from the first three pairs of bytes of its hash
 * [YP section 4.4.1].  A block's logs have many short items, so they are hashed in batches. */
#include "crypto/keccak.h"
#include "types/receipt.h"

enum { BITS = 2048, BITS_AN_ITEM = 3, BATCH = 32 };

typedef struct place {
    usize byte;
    u8 mask;
} place;

/* Where bit i of an item's three lies; bit 0 of the filter is the last one of its last byte. */
static place place_of(const kl_hash *hash, usize i)
{
    usize bit = kl_load_be16(hash->b + 2 * i) % BITS;
    return (place){sizeof(kl_bloom) - 1 - bit / 8, (u8)(1u << bit % 8)};
}

static void set_bits(kl_bloom *bloom, const kl_hash *hash)
{
    for (usize i = 0; i < BITS_AN_ITEM; i++) {
        place at = place_of(hash, i);
        bloom->b[at.byte] |= at.mask;
    }
}

void kl_bloom_add(kl_bloom *bloom, kl_span item)
{
    kl_hash hash = kl_keccak256(item);
    set_bits(bloom, &hash);
}

static void add_batch(kl_bloom *bloom, const kl_span *items, usize count)
{
    kl_hash hashes[BATCH];
    kl_keccak256_batch(hashes, items, count);
    for (usize i = 0; i < count; i++)
        set_bits(bloom, &hashes[i]);
}

void kl_bloom_add_logs(kl_bloom *bloom, const kl_log_entry *logs, usize count)
{
    kl_span items[BATCH];
    usize filled = 0;
    for (usize i = 0; i < count; i++) {
        if (filled + 1 + logs[i].topic_count > BATCH) {
            add_batch(bloom, items, filled);
            filled = 0;
        }
        items[filled++] = kl_address_span(&logs[i].address);
        for (usize t = 0; t < logs[i].topic_count; t++)
            items[filled++] = kl_hash_span(&logs[i].topics[t]);
    }
    if (filled)
        add_batch(bloom, items, filled);
}

void kl_bloom_merge(kl_bloom *into, const kl_bloom *from)
{
    for (usize i = 0; i < sizeof into->b; i++)
        into->b[i] |= from->b[i];
}

bool kl_bloom_may_hold(const kl_bloom *bloom, kl_span item)
{
    kl_hash hash = kl_keccak256(item);
    for (usize i = 0; i < BITS_AN_ITEM; i++) {
        place at = place_of(&hash, i);
        if (!(bloom->b[at.byte] & at.mask))
            return false;
    }
    return true;
}
