/* map: finds an object by a key of fixed length that lies inside the object.
 *
 * Open addressing over pointers; the map never owns the objects, and an object's address and key
 * must not change while it is in the map.  The hash is keyed by a seed, so that outsiders who
 * choose keys cannot choose collisions.  Thread: one at a time. */
#ifndef KL_BASE_MAP_H
#define KL_BASE_MAP_H

#include "base/span.h"
#include "base/status.h"

struct kl_map {
    struct kl_map_slot *slots;
    usize cap, count;          /* cap is 0 or a power of two */
    usize key_offset, key_len; /* where the key lies in an object, in bytes */
    u64 seed;
};

/* An empty map; takes nothing from the heap yet. */
void kl_map_init(struct kl_map *map, usize key_offset, usize key_len, u64 seed);
void kl_map_done(struct kl_map *map);

/* The object under key (key_len bytes), or NULL. */
void *kl_map_get(const struct kl_map *map, const void *key);

/* Adds object under its own key, which must not be in the map yet (asserted).  KL_NOMEM. */
KL_MUST_USE kl_status kl_map_put(struct kl_map *map, void *object);

/* Takes out and returns the object under key, or NULL. */
void *kl_map_take(struct kl_map *map, const void *key);

/* Forgets all objects, keeps the room. */
void kl_map_clear(struct kl_map *map);

/* Walks over all objects in no promised order: start with *cursor = 0, ends with NULL.  The map
 * must not change during a walk. */
void *kl_map_next(const struct kl_map *map, usize *cursor);

/* The keyed hash the map uses; good enough for tables, not for cryptography. */
u64 kl_map_hash(const void *key, usize len, u64 seed);

#endif
