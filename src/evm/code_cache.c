/* The cache is cut into shards by the first bits of the hash, so that threads seldom meet at a
 * lock.  Each shard is a map and a list from the most to the least recently used. */
#include <stdlib.h>

#include "base/map.h"
#include "base/sync.h"
#include "evm/code.h"
#include "evm/code_priv.h"

#define SHARDS 16

struct entry {
    kl_hash hash;
    struct kl_code *code;
    usize bytes; /* what it counts */
    struct entry *newer, *older;
};

struct shard {
    kl_mutex lock;
    struct kl_map map;
    struct entry *newest, *oldest;
    usize bytes, limit;
};

struct kl_code_cache {
    struct shard shards[SHARDS];
};

kl_status kl_code_cache_new(struct kl_code_cache **out, usize bytes, u64 seed)
{
    struct kl_code_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return KL_NOMEM;
    for (usize i = 0; i < SHARDS; i++) {
        struct shard *shard = &cache->shards[i];
        kl_mutex_init(&shard->lock);
        kl_map_init(&shard->map, offsetof(struct entry, hash), sizeof(kl_hash), seed);
        shard->limit = bytes / SHARDS;
    }
    *out = cache;
    return KL_OK;
}

static void unlink_entry(struct shard *shard, struct entry *e)
{
    *(e->newer ? &e->newer->older : &shard->newest) = e->older;
    *(e->older ? &e->older->newer : &shard->oldest) = e->newer;
}

static void link_newest(struct shard *shard, struct entry *e)
{
    e->newer = NULL;
    e->older = shard->newest;
    *(shard->newest ? &shard->newest->newer : &shard->oldest) = e;
    shard->newest = e;
}

static void drop_oldest(struct shard *shard)
{
    struct entry *e = shard->oldest;
    unlink_entry(shard, e);
    (void)kl_map_take(&shard->map, &e->hash);
    shard->bytes -= e->bytes;
    kl_code_unref(e->code);
    free(e);
}

void kl_code_cache_free(struct kl_code_cache *cache)
{
    if (!cache)
        return;
    for (usize i = 0; i < SHARDS; i++) {
        struct shard *shard = &cache->shards[i];
        while (shard->oldest)
            drop_oldest(shard);
        kl_map_done(&shard->map);
        kl_mutex_done(&shard->lock);
    }
    free(cache);
}

static struct shard *shard_of(struct kl_code_cache *cache, const kl_hash *hash)
{
    return &cache->shards[hash->b[0] % SHARDS];
}

struct kl_code *kl_code_cache_get(struct kl_code_cache *cache, const kl_hash *code_hash)
{
    struct shard *shard = shard_of(cache, code_hash);
    struct kl_code *code = NULL;
    kl_lock(&shard->lock);
    struct entry *e = kl_map_get(&shard->map, code_hash);
    if (e) {
        unlink_entry(shard, e);
        link_newest(shard, e);
        code = kl_code_ref(e->code);
    }
    kl_unlock(&shard->lock);
    return code;
}

void kl_code_cache_put(struct kl_code_cache *cache, const kl_hash *code_hash, struct kl_code *code)
{
    struct shard *shard = shard_of(cache, code_hash);
    usize bytes = sizeof(struct entry) + code->len + code->len / 8 + KL_CODE_PAD;
    struct entry *e = bytes <= shard->limit ? calloc(1, sizeof *e) : NULL;
    if (!e)
        return;
    *e = (struct entry){.hash = *code_hash, .code = kl_code_ref(code), .bytes = bytes};
    kl_lock(&shard->lock);
    bool added = !kl_map_get(&shard->map, code_hash) && kl_map_put(&shard->map, e) == KL_OK;
    if (added) {
        link_newest(shard, e);
        shard->bytes += bytes;
        while (shard->bytes > shard->limit)
            drop_oldest(shard);
    }
    kl_unlock(&shard->lock);
    if (!added) {
        kl_code_unref(e->code);
        free(e);
    }
}
