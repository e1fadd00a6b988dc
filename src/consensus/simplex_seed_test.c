/* Seeds: a fixed number in every run, more by KEEL_SIM_SEEDS; one again by KEEL_SIM_SEED and
 * KEEL_SIM_NODES. */
#include "base/test.h"
#include "consensus/simplex_sim_test.h"

#include <stdio.h>
#include <stdlib.h>

static struct sim sim;
/* By number of validators. */
static u64 seeds[SIM_NODES_MAX + 1], views[SIM_NODES_MAX + 1];
static u64 sometimes[SIM_NODES_MAX + 1][SOMETIMES_COUNT];

static const char *const names[SOMETIMES_COUNT] = {
    [SOMETIMES_FINAL] = "final",       [SOMETIMES_NULLIFIED] = "nullified",
    [SOMETIMES_BOTH] = "both",         [SOMETIMES_SKIPPED] = "skipped",
    [SOMETIMES_EVIDENCE] = "evidence", [SOMETIMES_RESTART] = "restart",
    [SOMETIMES_EPOCH] = "epoch",       [SOMETIMES_REPROPOSAL] = "reproposal",
    [SOMETIMES_SYNC] = "sync",         [SOMETIMES_SERVE_LOG] = "serve log",
    [SOMETIMES_PENALTY] = "penalty",   [SOMETIMES_SPLIT] = "split",
    [SOMETIMES_REVIVED] = "revived",   [SOMETIMES_HURRIED] = "hurried",
    [SOMETIMES_FORFEIT] = "forfeit",   [SOMETIMES_RETOLD] = "retold",
};

static u64 number(const char *name, u64 otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 0) : otherwise;
}

/* Of 50 seeds two sign with secp256k1, and one with BLS, for a while too short to ask for
 * liveness. */
static sim_options options_of(u64 seed, u32 validators)
{
    sim_options o = sim_swarm(seed, validators);
    bool secp = seed % 25 == 7 && validators <= 10, bls = seed % 50 == 33 && validators <= 7;
    o.scheme = secp ? KL_SCHEME_SECP256K1 : bls ? KL_SCHEME_BLS12_381 : KL_SCHEME_KEYED_HASH;
    if (secp || bls) {
        o.gst_ns = (bls ? 2000 : 5000) * SIM_MS;
        o.end_ns = o.gst_ns + (bls ? 4000 : 15000) * SIM_MS;
        o.brief = true;
        o.epoch_blocks = 3 + seed / 20 % 4;
    }
    return o;
}

static void run(u64 seed, u32 validators)
{
    sim_options o = options_of(seed, validators);
    sim_run(&sim, &o);
    views[validators] += sim.honest_views;
    seeds[validators]++;
    for (u32 i = 0; i < SOMETIMES_COUNT; i++)
        sometimes[validators][i] += sim.sometimes[i] != 0;
    char broken[sizeof sim.broken];
    memcpy(broken, sim.broken, sizeof broken);
    sim_done(&sim);
    if (broken[0])
        kl_test_fail(__FILE__, __LINE__,
                     "%s\n  replay: KEEL_SIM_SEED=%llu KEEL_SIM_NODES=%u consensus_test 0x1 "
                     "simplex_seeds",
                     broken, (unsigned long long)seed, validators);
}

/* What a campaign of so many seeds with n validators must have met: of few seeds, over all n. */
static void look_for(u32 n, u64 count, const u64 met[SOMETIMES_COUNT])
{
    printf("simplex, n = %2u: %llu seeds:", n, (unsigned long long)count);
    for (u32 i = 0; i < SOMETIMES_COUNT; i++)
        printf(" %s %llu%s", names[i], (unsigned long long)met[i],
               i + 1 < SOMETIMES_COUNT ? "," : "\n");
    for (u32 i = 0; i < SOMETIMES_COUNT; i++)
        if (!met[i])
            kl_test_fail(__FILE__, __LINE__, "%s never happened for n = %u", names[i], n);
}

KL_TEST(simplex_seeds_keep_every_promise)
{
    static const u32 sizes[] = {1, 3, 4, 5, 6, 7, 10, 4};
    const char *one = getenv("KEEL_SIM_SEED");
    if (one) {
        run(strtoull(one, NULL, 0), (u32)number("KEEL_SIM_NODES", 4));
        return;
    }
    u64 from = number("KEEL_SIM_FROM", 1), count = number("KEEL_SIM_SEEDS", 200), all_views = 0;
    for (u64 at = from; at < from + count; at++)
        run(at, (u32)number("KEEL_SIM_NODES", sizes[at % KL_COUNT_OF(sizes)]));
    u64 all[SOMETIMES_COUNT] = {0};
    for (u32 n = 1; n <= SIM_NODES_MAX; n++) {
        all_views += views[n];
        for (u32 i = 0; i < SOMETIMES_COUNT; i++)
            all[i] += sometimes[n][i];
        if (n >= 4 && seeds[n] >= 1000)
            look_for(n, seeds[n], sometimes[n]);
    }
    printf("simplex: %llu seeds, %llu honest node-views\n", (unsigned long long)count,
           (unsigned long long)all_views);
    if (count >= 200 && !getenv("KEEL_SIM_NODES"))
        look_for(0, count, all);
}

/* More than F are faulty: agreement breaks now and then, and then they can be shown. */
KL_TEST(simplex_forks_name_the_faulty)
{
    u64 forked = 0, count = number("KEEL_SIM_FORKS", 60);
    for (u64 at = 1; at <= count; at++) {
        u32 n = at % 2 ? 4 : 7;
        sim_options o = {.seed = at,
                         .validators = n,
                         .faulty = sim_faulty_max(n) + 1,
                         .kind = at % 4 < 2 ? SIM_TWIN : SIM_EQUIVOCATES,
                         .forks = true,
                         .gst_ns = NEVER,
                         .end_ns = 20000 * SIM_MS,
                         .delay_ns = 40 * SIM_MS,
                         .partitions = at % 3 == 0,
                         .epoch_blocks = 1000,
                         .window = 16};
        sim_run(&sim, &o);
        forked += sim.forked;
        char broken[sizeof sim.broken];
        memcpy(broken, sim.broken, sizeof broken);
        sim_done(&sim);
        if (broken[0])
            kl_test_fail(__FILE__, __LINE__, "%s: seed %llu, n = %u", broken,
                         (unsigned long long)at, n);
    }
    printf("simplex: %llu forks in %llu runs with more than F faulty\n", (unsigned long long)forked,
           (unsigned long long)count);
    CHECK(forked >= count / 10);
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
