/* A short list: what is large enough to be kept is also so large that few of it fit. */
#include "chain/block_cache_priv.h"

#include <stdlib.h>

#include "chain/chain_priv.h"

#define CACHE_BYTES ((usize)48 << 20)

kl_status kl_opened_new(struct kl_opened **out, u64 version)
{
    struct kl_opened *opened = calloc(1, sizeof *opened);
    if (!opened)
        return KL_NOMEM;
    kl_refs_init(&opened->refs);
    opened->version = version;
    kl_arena_init(&opened->arena, SIZE_MAX);
    *out = opened;
    return KL_OK;
}

void kl_opened_unref(struct kl_opened *opened)
{
    if (!opened || !kl_refs_drop(&opened->refs))
        return;
    kl_arena_done(&opened->arena);
    free(opened);
}

void kl_block_cache_init(struct kl_block_cache *cache)
{
    *cache = (struct kl_block_cache){0};
    kl_mutex_init(&cache->lock);
}

void kl_block_cache_done(struct kl_block_cache *cache)
{
    for (struct kl_opened *o = cache->newest, *older; o; o = older) {
        older = o->older;
        kl_opened_unref(o);
    }
    kl_mutex_done(&cache->lock);
}

/* Takes the block of that version out of the list; the lock is held. */
static struct kl_opened *take(struct kl_block_cache *cache, u64 version)
{
    for (struct kl_opened **link = &cache->newest; *link; link = &(*link)->older)
        if ((*link)->version == version) {
            struct kl_opened *found = *link;
            *link = found->older;
            return found;
        }
    return NULL;
}

static void put_first(struct kl_block_cache *cache, struct kl_opened *opened)
{
    opened->older = cache->newest;
    cache->newest = opened;
}

struct kl_opened *kl_block_cache_get(struct kl_block_cache *cache, u64 version)
{
    kl_lock(&cache->lock);
    struct kl_opened *found = take(cache, version);
    if (found) {
        put_first(cache, found);
        kl_refs_add(&found->refs);
    }
    kl_unlock(&cache->lock);
    return found;
}

/* The list's end from the first block that does not fit any more. */
static struct kl_opened *cut(struct kl_block_cache *cache)
{
    usize bytes = 0;
    for (struct kl_opened **link = &cache->newest; *link; link = &(*link)->older) {
        bytes += (*link)->arena.held;
        if (bytes > CACHE_BYTES) {
            struct kl_opened *rest = *link;
            *link = NULL;
            return rest;
        }
    }
    return NULL;
}

void kl_block_cache_put(struct kl_block_cache *cache, struct kl_opened *opened)
{
    if (opened->arena.held > CACHE_BYTES)
        return;
    kl_refs_add(&opened->refs);
    kl_lock(&cache->lock);
    struct kl_opened *twin = take(cache, opened->version); /* another reader was here meanwhile */
    put_first(cache, opened);
    struct kl_opened *rest = cut(cache);
    kl_unlock(&cache->lock);
    kl_opened_unref(twin);
    for (struct kl_opened *older; rest; rest = older) {
        older = rest->older;
        kl_opened_unref(rest);
    }
}
