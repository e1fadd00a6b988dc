#include "base/map.h"

#include <stdlib.h>

#include "base/test.h"

struct thing {
    u32 value;
    u8 key[12];
    bool inside;
};

/* Property: the map agrees with a flag in each object, through puts, takes and walks. */
KL_TEST(map_agrees_with_flags)
{
    enum { THINGS = 700 };
    static struct thing things[THINGS];
    struct kl_map map;
    kl_map_init(&map, offsetof(struct thing, key), sizeof things[0].key, kl_rand(seed));
    for (u32 i = 0; i < THINGS; i++) {
        things[i] = (struct thing){.value = i};
        memcpy(things[i].key, &i, sizeof i);
    }
    usize inside = 0;
    for (int step = 0; step < 50000; step++) {
        struct thing *t = &things[kl_rand_below(seed, THINGS)];
        CHECK(kl_map_get(&map, t->key) == (t->inside ? t : NULL));
        if (t->inside) {
            CHECK(kl_map_take(&map, t->key) == t);
            inside--;
        } else {
            CHECK_OK(kl_map_put(&map, t));
            inside++;
        }
        t->inside = !t->inside;
        CHECK_U64(map.count, inside);
    }
    usize cursor = 0, seen = 0;
    for (const struct thing *t; (t = kl_map_next(&map, &cursor)) != NULL; seen++)
        CHECK(t->inside);
    CHECK_U64(seen, inside);
    kl_map_clear(&map);
    CHECK(!kl_map_get(&map, things[0].key));
    kl_map_done(&map);
}
