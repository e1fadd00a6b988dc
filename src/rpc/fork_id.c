#include "rpc/fork_id.h"

#include <stdlib.h>

#define POLYNOMIAL 0xedb88320u /* CRC-32 as in IEEE 802.3, reflected */

#define TIMES_FROM UINT64_C(1438269973) /* heights stay below: mainnet's first block */

enum { ACTIVATIONS_MAX = KL_FORK_COUNT + 1 }; /* the DAO's has a place of its own */

static u32 crc32(u32 crc, const u8 *bytes, usize len)
{
    crc = ~crc;
    for (usize i = 0; i < len; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
    }
    return ~crc;
}

static int by_number(const void *a, const void *b)
{
    u64 x = *(const u64 *)a, y = *(const u64 *)b;
    return (x > y) - (x < y);
}

/* Sorted, and each once; returns how many. */
static usize tidy(u64 *activations, usize count)
{
    usize kept = 0;
    qsort(activations, count, sizeof *activations, by_number);
    for (usize i = 0; i < count; i++)
        if (i == 0 || activations[i] != activations[i - 1])
            activations[kept++] = activations[i];
    return kept;
}

static u32 add(u32 crc, u64 activation)
{
    u8 bytes[8];
    kl_store_be64(bytes, activation);
    return crc32(crc, bytes, sizeof bytes);
}

/* All activations up to and with those of fork: heights, and then times. */
struct activations {
    usize heights, count;
    u64 at[2 * ACTIVATIONS_MAX];
};

static void gather(struct activations *out, const kl_spec *spec, u64 genesis_time, kl_fork fork)
{
    u64 heights[ACTIVATIONS_MAX], times[ACTIVATIONS_MAX];
    usize height_count = 0, time_count = 0;
    for (usize i = 0; i <= fork; i++) {
        kl_activation a = spec->fork[i];
        if (a.by == KL_AT_BLOCK && a.at > 0)
            heights[height_count++] = a.at;
        if (a.by == KL_AT_TIME && a.at > genesis_time)
            times[time_count++] = a.at;
    }
    if (spec->dao_fork && spec->dao_fork_block > 0 && fork > KL_HOMESTEAD)
        heights[height_count++] = spec->dao_fork_block;
    out->heights = tidy(heights, height_count);
    out->count = out->heights + tidy(times, time_count);
    memcpy(out->at, heights, out->heights * sizeof *heights);
    memcpy(out->at + out->heights, times, (out->count - out->heights) * sizeof *times);
}

u32 kl_fork_id(const kl_spec *spec, const kl_hash *genesis_hash, u64 genesis_time, kl_fork fork)
{
    struct activations a;
    gather(&a, spec, genesis_time, fork);
    u32 id = crc32(0, genesis_hash->b, sizeof genesis_hash->b);
    for (usize i = 0; i < a.count; i++)
        id = add(id, a.at[i]);
    return id;
}

/* Those that come at a height, or a time, which a chain that stands there has passed. */
static bool is_passed(const kl_fork_place *place, const struct activations *a, usize i)
{
    return a->at[i] <= (i < a->heights ? place->number : place->timestamp);
}

/* The checksum after each: ids[i] is that of those before i. */
static usize sums(const kl_fork_place *place, const struct activations *a,
                  u32 ids[2 * ACTIVATIONS_MAX + 1])
{
    usize passed = 0;
    ids[0] = crc32(0, place->genesis_hash->b, sizeof place->genesis_hash->b);
    for (usize i = 0; i < a->count; i++)
        ids[i + 1] = add(ids[i], a->at[i]);
    while (passed < a->count && is_passed(place, a, passed))
        passed++;
    return passed;
}

kl_fork_stamp kl_fork_stamp_of(const kl_fork_place *place)
{
    struct activations a;
    u32 ids[2 * ACTIVATIONS_MAX + 1];
    gather(&a, place->spec, place->genesis_time, KL_FORK_NEWEST);
    usize passed = sums(place, &a, ids);
    return (kl_fork_stamp){ids[passed], passed < a.count ? a.at[passed] : 0};
}

/* Whether a fork that only the peer knows of lies behind us: a time where we know of times, and
 * whatever is too big for a height. */
static bool is_behind(const kl_fork_place *place, const struct activations *a, usize passed,
                      u64 next)
{
    bool by_time = passed >= a->heights && a->count > a->heights;
    return next <= (by_time ? place->timestamp : place->number) ||
           (next > TIMES_FROM && next <= place->timestamp);
}

bool kl_fork_fits(const kl_fork_place *place, kl_fork_stamp peer)
{
    struct activations a;
    u32 ids[2 * ACTIVATIONS_MAX + 1];
    gather(&a, place->spec, place->genesis_time, KL_FORK_NEWEST);
    usize passed = sums(place, &a, ids);
    if (peer.id == ids[passed])
        return peer.next == 0 || !is_behind(place, &a, passed, peer.next);
    for (usize i = 0; i < passed; i++)
        if (peer.id == ids[i])
            return peer.next == a.at[i]; /* behind us, and it knows where it goes */
    for (usize i = passed + 1; i <= a.count; i++)
        if (peer.id == ids[i])
            return true; /* ahead of us, where we are going */
    return false;
}
