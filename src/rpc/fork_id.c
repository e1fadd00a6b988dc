#include "rpc/fork_id.h"

#include <stdlib.h>

#define POLYNOMIAL 0xedb88320u /* CRC-32 as in IEEE 802.3, reflected */

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

static u32 add(u32 crc, u64 *activations, usize count)
{
    qsort(activations, count, sizeof *activations, by_number);
    for (usize i = 0; i < count; i++) {
        u8 bytes[8];
        if (i && activations[i] == activations[i - 1])
            continue;
        kl_store_be64(bytes, activations[i]);
        crc = crc32(crc, bytes, sizeof bytes);
    }
    return crc;
}

u32 kl_fork_id(const kl_spec *spec, const kl_hash *genesis_hash, u64 genesis_time, kl_fork fork)
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
    u32 crc = crc32(0, genesis_hash->b, sizeof genesis_hash->b);
    return add(add(crc, heights, height_count), times, time_count);
}
