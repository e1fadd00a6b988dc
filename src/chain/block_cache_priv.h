/* block_cache: large blocks that were read lately, opened and checked, for all readers.
 *
 * Opening a block of ten thousand transactions takes milliseconds, and whoever asks for one of its
 * receipts mostly asks for more of them.  A record never changes, so neither does what is kept
 * under its version.  Thread: any. */
#ifndef KL_CHAIN_BLOCK_CACHE_PRIV_H
#define KL_CHAIN_BLOCK_CACHE_PRIV_H

#include "base/sync.h"
#include "chain/reader.h"

/* A record this large is worth keeping open. */
#define KL_OPENED_LEAST ((usize)32 << 10)

/* A block in memory of its own. */
struct kl_opened {
    kl_refs refs;
    u64 version;
    struct kl_arena arena;
    kl_stored_block stored;
    struct kl_opened *older; /* the cache's */
};

KL_MUST_USE kl_status kl_opened_new(struct kl_opened **out, u64 version);
void kl_opened_unref(struct kl_opened *opened); /* NULL is fine */

struct kl_block_cache {
    kl_mutex lock;
    struct kl_opened *newest; /* the most recently used first */
};

void kl_block_cache_init(struct kl_block_cache *cache);
void kl_block_cache_done(struct kl_block_cache *cache);

/* A reference to the block of that version, or NULL. */
struct kl_opened *kl_block_cache_get(struct kl_block_cache *cache, u64 version);
/* Keeps it as well; the least recently used go.  One too large for the cache is not kept. */
void kl_block_cache_put(struct kl_block_cache *cache, struct kl_opened *opened);

#endif
