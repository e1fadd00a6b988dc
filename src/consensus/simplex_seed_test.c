/* Seeds: a fixed number in every run, more by KEEL_SIM_SEEDS; one again by KEEL_SIM_SEED and
 * KEEL_SIM_NODES. */
#include "base/test.h"
#include "consensus/simplex_sim_test.h"

#include <stdio.h>
#include <stdlib.h>

static struct sim sim;
static u64 node_views, seeds_run, sometimes[SOMETIMES_COUNT];

static u64 number(const char *name, u64 otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 0) : otherwise;
}

static void run(u64 seed, u32 validators)
{
    sim_options o = sim_swarm(seed, validators);
    sim_run(&sim, &o);
    node_views += sim.honest_views;
    seeds_run++;
    for (u32 i = 0; i < SOMETIMES_COUNT; i++)
        sometimes[i] += sim.sometimes[i] != 0;
    char broken[sizeof sim.broken];
    memcpy(broken, sim.broken, sizeof broken);
    sim_done(&sim);
    if (broken[0])
        kl_test_fail(__FILE__, __LINE__,
                     "%s\n  replay: KEEL_SIM_SEED=%llu KEEL_SIM_NODES=%u consensus_test 0x1 "
                     "simplex_seeds",
                     broken, (unsigned long long)seed, validators);
}

KL_TEST(simplex_seeds_keep_every_promise)
{
    static const u32 sizes[] = {1, 3, 4, 5, 6, 7, 10, 4};
    const char *one = getenv("KEEL_SIM_SEED");
    if (one) {
        run(strtoull(one, NULL, 0), (u32)number("KEEL_SIM_NODES", 4));
        return;
    }
    u64 from = number("KEEL_SIM_FROM", 1), count = number("KEEL_SIM_SEEDS", 160);
    for (u64 at = from; at < from + count; at++)
        run(at, (u32)number("KEEL_SIM_NODES", sizes[at % KL_COUNT_OF(sizes)]));
    printf("simplex: %llu seeds, %llu honest node-views\n", (unsigned long long)seeds_run,
           (unsigned long long)node_views);
    static const char *const names[] = {"final",    "nullified", "both",   "skipped",
                                        "evidence", "restart",   "epoch",  "reproposal",
                                        "sync",     "serve log", "penalty"};
    for (u32 i = 0; i < SOMETIMES_COUNT; i++) {
        printf("  %s in %llu\n", names[i], (unsigned long long)sometimes[i]);
        bool possible = i != SOMETIMES_EVIDENCE || number("KEEL_SIM_NODES", 4) > 3;
        if (!sometimes[i] && possible && count >= 160)
            kl_test_fail(__FILE__, __LINE__, "%s never happened", names[i]);
    }
}

KL_TEST(simplex_seed_is_the_same_run_each_time)
{
    u64 traces[2];
    for (u32 i = 0; i < 2; i++) {
        sim_options o = sim_swarm(77, 4);
        sim_run(&sim, &o);
        traces[i] = sim.trace;
        sim_done(&sim);
    }
    CHECK_U64(traces[0], traces[1]);
}
