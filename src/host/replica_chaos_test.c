/* Seeds: loss, frames that overtake one another, nodes that are cut off, power cuts of one or all,
 * with some of what was unsynced left; then calm, in which everybody must come to one height and
 * every transaction into one block.  KEEL_CHAOS=N runs N seeds. */
#include <stdio.h>
#include <stdlib.h>

#include "host/replica_rig_test.h"
#include "sim/disk.h"

static struct rig rig;

static void crash(u32 node, u64 *seed)
{
    rig_crash_how(&rig, node, (unsigned)kl_rand_below(seed, 3));
    rig_until(&rig, rig.now_ns + kl_rand_below(seed, 3 * RIG_S));
    rig_open(&rig, node);
}

static void crash_all(u64 *seed)
{
    for (u32 i = 0; i < rig.count; i++)
        rig_crash_how(&rig, i, (unsigned)kl_rand_below(seed, 3));
    for (u32 i = 0; i < rig.count; i++)
        rig_open(&rig, i);
}

static void disturb(u64 *seed, bool loses)
{
    u32 node = (u32)kl_rand_below(seed, rig.count);
    switch (kl_rand_below(seed, 6)) {
    case 0:
        crash(node, seed);
        break;
    case 1:
        crash_all(seed);
        break;
    case 2:
        rig.cut[node] = !rig.cut[node];
        break;
    case 3:
        rig.loss_percent = loses ? (u32)kl_rand_below(seed, 40) : 0;
        break;
    case 4:
        rig.delay_ns = kl_rand_below(seed, 400 * RIG_MS);
        break;
    default:
        if (rig.nodes[node].up)
            (void)rig_submit(&rig, node, node % RIG_ACCOUNTS);
    }
    rig_until(&rig, rig.now_ns + kl_rand_below(seed, 2 * RIG_S));
}

static void run(u64 number)
{
    static const u32 counts[] = {1, 2, 3, 4, 4, 4, 5, 7};
    u64 seed = number * 77;
    u32 count = counts[kl_rand_below(&seed, KL_COUNT_OF(counts))];
    rig_init(&rig, count, 2 + kl_rand_below(&seed, 30), number);
    rig.empty_ms = kl_rand_below(&seed, 3) ? 0 : 3000;
    rig_start(&rig);
    bool loses = kl_rand_below(&seed, 2);
    for (u32 i = 0; i < 25; i++)
        disturb(&seed, loses);
    rig.loss_percent = 0;
    rig.delay_ns = 0;
    memset(rig.cut, 0, sizeof rig.cut);
    for (u32 i = 0; i < rig.count; i++) { /* the connections are made anew */
        for (u32 k = 0; k < rig.count; k++)
            if (k != i)
                kl_replica_connected(rig.nodes[i].replica, k);
    }
    u64 height = rig.height;
    if (!rig_reaches(&rig, height + 3, 120 * RIG_S))
        kl_test_fail(__FILE__, __LINE__, "seed %llu, %u nodes: stuck above height %llu",
                     (unsigned long long)number, count, (unsigned long long)height);
    rig_until(&rig, rig.now_ns + RIG_S);
    for (u32 i = 0; i < rig.count; i++)
        if (rig.nodes[i].penalties || rig.nodes[i].found || rig.nodes[i].alarm[0] ||
            kl_replica_health(rig.nodes[i].replica) != KL_OK)
            kl_test_fail(__FILE__, __LINE__, "seed %llu: node %u: %zu penalties, %zu found, %s",
                         (unsigned long long)number, i, rig.nodes[i].penalties, rig.nodes[i].found,
                         rig.nodes[i].alarm);
    rig_done(&rig);
}

KL_TEST(replica_chaos)
{
    const char *wanted = getenv("KEEL_CHAOS"), *one = getenv("KEEL_CHAOS_SEED");
    u64 count = wanted ? strtoull(wanted, NULL, 10) : 12;
    u64 from = one ? strtoull(one, NULL, 10) : 1;
    if (one)
        count = 1;
    for (u64 number = from; number < from + count; number++)
        run(number);
}
