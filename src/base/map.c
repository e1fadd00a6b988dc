/* Linear probing with backward-shift deletion: no tombstones, so look-ups stay short however many
 * objects have come and gone. */
#include "base/map.h"

#include <stdlib.h>

enum { CAP_MIN = 16 };

struct kl_map_slot {
    u64 hash; /* 0 marks a free slot; a real hash of 0 is stored as 1 */
    void *object;
};

void kl_map_init(struct kl_map *map, usize key_offset, usize key_len, u64 seed)
{
    *map = (struct kl_map){.key_offset = key_offset, .key_len = key_len, .seed = seed};
}

void kl_map_done(struct kl_map *map)
{
    free(map->slots);
    map->slots = NULL;
    map->cap = map->count = 0;
}

static u64 mix(u64 a, u64 b)
{
    u128 product = (u128)a * b;
    return (u64)product ^ (u64)(product >> 64);
}

u64 kl_map_hash(const void *key, usize len, u64 seed)
{
    const u8 *p = key;
    u64 h = seed ^ 0x9e3779b97f4a7c15u;
    for (; len >= 16; p += 16, len -= 16)
        h = mix(kl_load_le64(p) ^ h, kl_load_le64(p + 8) ^ 0xd6e8feb86659fd93u ^ seed);
    u8 tail[16] = {0};
    memcpy(tail, p, len);
    h = mix(kl_load_le64(tail) ^ h, kl_load_le64(tail + 8) ^ 0xa0761d6478bd642fu ^ (u64)len);
    return mix(h, 0xe7037ed1a0b428dbu ^ seed);
}

static u64 hash_of(const struct kl_map *map, const void *key)
{
    u64 h = kl_map_hash(key, map->key_len, map->seed);
    return h ? h : 1;
}

static const u8 *key_of(const struct kl_map *map, const void *object)
{
    return (const u8 *)object + map->key_offset;
}

/* The slot of key, or the free slot where the search for it ends. */
static usize find(const struct kl_map *map, const void *key, u64 hash)
{
    usize mask = map->cap - 1, i = hash & mask;
    for (; map->slots[i].hash; i = (i + 1) & mask)
        if (map->slots[i].hash == hash &&
            memcmp(key_of(map, map->slots[i].object), key, map->key_len) == 0)
            break;
    return i;
}

void *kl_map_get(const struct kl_map *map, const void *key)
{
    if (map->count == 0)
        return NULL;
    usize i = find(map, key, hash_of(map, key));
    return map->slots[i].hash ? map->slots[i].object : NULL;
}

static kl_status resize(struct kl_map *map, usize cap)
{
    struct kl_map_slot *slots = calloc(cap, sizeof *slots);
    if (!slots)
        return KL_NOMEM;
    for (usize i = 0; i < map->cap; i++) {
        if (!map->slots[i].hash)
            continue;
        usize to = map->slots[i].hash & (cap - 1);
        while (slots[to].hash)
            to = (to + 1) & (cap - 1);
        slots[to] = map->slots[i];
    }
    free(map->slots);
    map->slots = slots;
    map->cap = cap;
    return KL_OK;
}

kl_status kl_map_put(struct kl_map *map, void *object)
{
    if ((map->count + 1) * 4 > map->cap * 3)
        KL_TRY(resize(map, map->cap ? map->cap * 2 : CAP_MIN));
    u64 hash = hash_of(map, key_of(map, object));
    usize i = find(map, key_of(map, object), hash);
    KL_ASSERT(!map->slots[i].hash);
    map->slots[i] = (struct kl_map_slot){hash, object};
    map->count++;
    return KL_OK;
}

void *kl_map_take(struct kl_map *map, const void *key)
{
    if (map->count == 0)
        return NULL;
    usize mask = map->cap - 1, hole = find(map, key, hash_of(map, key));
    if (!map->slots[hole].hash)
        return NULL;
    void *object = map->slots[hole].object;
    for (usize i = (hole + 1) & mask; map->slots[i].hash; i = (i + 1) & mask) {
        usize home = map->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            map->slots[hole] = map->slots[i];
            hole = i;
        }
    }
    map->slots[hole] = (struct kl_map_slot){0, NULL};
    map->count--;
    return object;
}

void kl_map_clear(struct kl_map *map)
{
    if (map->count)
        memset(map->slots, 0, map->cap * sizeof *map->slots);
    map->count = 0;
}

void *kl_map_next(const struct kl_map *map, usize *cursor)
{
    while (*cursor < map->cap) {
        const struct kl_map_slot *slot = &map->slots[(*cursor)++];
        if (slot->hash)
            return slot->object;
    }
    return NULL;
}
