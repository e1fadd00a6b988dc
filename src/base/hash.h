/* hash: the two fixed-size names of Ethereum, 32-byte hashes and 20-byte addresses. */
#ifndef KL_BASE_HASH_H
#define KL_BASE_HASH_H

#include "base/span.h"

typedef struct kl_hash {
    u8 b[32];
} kl_hash;

typedef struct kl_address {
    u8 b[20];
} kl_address;

static inline bool kl_hash_eq(const kl_hash *a, const kl_hash *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

static inline bool kl_hash_is_zero(const kl_hash *a)
{
    static const kl_hash zero;
    return kl_hash_eq(a, &zero);
}

/* To the next one in order, as a key of a trie; false: it is the last, and stays. */
static inline bool kl_hash_next(kl_hash *hash)
{
    usize i = sizeof hash->b;
    while (i > 0 && hash->b[i - 1] == 0xff)
        i--;
    if (i == 0)
        return false;
    hash->b[i - 1]++;
    memset(hash->b + i, 0, sizeof hash->b - i);
    return true;
}

static inline bool kl_address_eq(const kl_address *a, const kl_address *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

static inline bool kl_address_is_zero(const kl_address *a)
{
    static const kl_address zero;
    return kl_address_eq(a, &zero);
}

static inline kl_span kl_hash_span(const kl_hash *h)
{
    return kl_span_of(h->b, sizeof h->b);
}

static inline kl_span kl_address_span(const kl_address *a)
{
    return kl_span_of(a->b, sizeof a->b);
}

#endif
