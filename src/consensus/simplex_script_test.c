/* Fixed scripts: what broke others, step by step. */
#include "base/test.h"
#include "consensus/simplex_sim_test.h"

#include <stdlib.h>

static struct sim sim;

static sim_options calm_options(u32 validators)
{
    return (sim_options){.seed = 7,
                         .validators = validators,
                         .kind = SIM_SILENT,
                         .gst_ns = NEVER,
                         .end_ns = 60000 * SIM_MS,
                         .delay_ns = 20 * SIM_MS,
                         .epoch_blocks = 1000,
                         .window = 16};
}

static void cut_all(bool is_cut)
{
    for (u32 a = 0; a < sim.count; a++)
        for (u32 b = 0; b < sim.count; b++)
            sim.cut[a][b] = is_cut;
}

static void power_cut(void)
{
    for (u32 i = 0; i < sim.count; i++)
        if (sim.nodes[i].up)
            sim_crash(&sim, &sim.nodes[i]);
    for (u32 i = 0; i < sim.count; i++)
        sim_start(&sim, &sim.nodes[i]);
}

static void hold(u64 heights)
{
    if (sim.broken[0])
        kl_test_fail(__FILE__, __LINE__, "%s", sim.broken);
    if (sim.height < heights)
        kl_test_fail(__FILE__, __LINE__, "height %llu, at least %llu wanted",
                     (unsigned long long)sim.height, (unsigned long long)heights);
}

/* All crash behind their nullify votes, one validator never comes back: the other three votes make
 * the quorum only if each counts its own. [commonware #4275] */
static u64 all_crash_behind_nullify(u32 mutants)
{
    sim_options o = calm_options(4);
    o.faulty = 1;
    o.mutants = mutants;
    sim_begin(&sim, &o);
    cut_all(true);
    sim_until(&sim, 3000 * SIM_MS);
    CHECK_U64(sim.height, 0);
    power_cut();
    cut_all(false);
    sim_until(&sim, 20000 * SIM_MS);
    return sim.height;
}

KL_TEST(simplex_script_all_crash_behind_nullify)
{
    CHECK(all_crash_behind_nullify(0) >= 10);
    hold(10);
    sim_done(&sim);
    CHECK_U64(all_crash_behind_nullify(KL_MUTANT_NO_REINJECTION), 0);
    sim_done(&sim);
}

/* Power fails everywhere at once, at each moment of an epoch's end and the next one's beginning. */
KL_TEST(simplex_script_power_cut_at_each_moment)
{
    for (u64 at_ms = 0; at_ms < 1200; at_ms += 15) {
        sim_options o = calm_options(4);
        o.epoch_blocks = 2;
        o.seed = at_ms;
        sim_begin(&sim, &o);
        sim_until(&sim, at_ms * SIM_MS);
        power_cut();
        sim_until(&sim, (at_ms + 6000) * SIM_MS);
        hold(8);
        sim_done(&sim);
    }
}

/* The same where logs are slower than guards, and one validator never comes back: what the next
 * leader was about to sign may outlive the Notarization on which it builds, of which then nothing
 * is left but the votes for it. */
KL_TEST(simplex_script_power_cut_takes_a_notarization)
{
    for (u64 at_ms = 1000; at_ms < 3000; at_ms += 13) {
        sim_options o = calm_options(4);
        o.faulty = 1;
        o.log_ns = 250 * SIM_MS;
        o.seed = at_ms;
        sim_begin(&sim, &o);
        sim_until(&sim, at_ms * SIM_MS);
        u64 height = sim.height;
        power_cut();
        sim_until(&sim, (at_ms + 40000) * SIM_MS);
        hold(height + 4);
        sim_done(&sim);
    }
}

KL_TEST(simplex_script_half_and_half_heals)
{
    sim_options o = calm_options(4);
    sim_begin(&sim, &o);
    sim_until(&sim, 2000 * SIM_MS);
    u64 height = sim.height;
    for (u32 a = 0; a < 4; a++)
        for (u32 b = 0; b < 4; b++)
            sim.cut[a][b] = a / 2 != b / 2;
    sim_until(&sim, 40000 * SIM_MS);
    CHECK(sim.height <= height + 2);
    height = sim.height;
    cut_all(false);
    sim_until(&sim, 50000 * SIM_MS); /* within 10 s, without a restart */
    hold(height + 5);
    sim_done(&sim);
}

/* A dead leader costs one timeout, and then nothing, though epochs end and its place is another one
 * in each. */
KL_TEST(simplex_script_dead_leader_is_skipped)
{
    static const u64 epoch_blocks[] = {1000, 8, 3};
    for (u32 i = 0; i < KL_COUNT_OF(epoch_blocks); i++) {
        sim_options o = calm_options(4);
        o.faulty = 1;
        o.epoch_blocks = epoch_blocks[i];
        sim_begin(&sim, &o);
        sim_until(&sim, 5000 * SIM_MS);
        u64 height = sim.height;
        sim_until(&sim, 25000 * SIM_MS);
        hold(height + 80); /* 20 s at three blocks in four views, of which none waits */
        CHECK(sim.sometimes[SOMETIMES_SKIPPED]);
        sim_done(&sim);
    }
}

/* Messages take longer than the genesis says, up to twelve times: every view is given up before its
 * block is notarized, which it is all the same, so that nobody is free to sign finalize.  Patience
 * grows by such views too. */
KL_TEST(simplex_script_messages_slower_than_delta)
{
    for (u32 validators = 4; validators <= 7; validators += 3)
        for (u64 delay_ms = 50; delay_ms <= 1200; delay_ms += 50) {
            sim_options o = calm_options(validators);
            o.steady = true;
            o.delay_ns = delay_ms * SIM_MS;
            o.epoch_blocks = 4;
            sim_begin(&sim, &o);
            for (u32 i = 0; i < validators; i++)
                sim.nodes[i].engine->config.delta_ns = 100 * SIM_MS;
            sim_until(&sim, 200 * o.delay_ns);
            hold(20);
            sim_done(&sim);
        }
}

/* The leader's power fails at each moment, also between its guard's record and the vote. */
KL_TEST(simplex_script_leader_crashes_at_each_moment)
{
    for (u64 at_us = 0; at_us < 800000; at_us += 3700) {
        sim_options o = calm_options(4);
        o.seed = at_us;
        sim_begin(&sim, &o);
        sim_until(&sim, at_us * 1000);
        sim_node *node =
            &sim.nodes[kl_valset_leader(sim_set(&sim, 0), 0, sim.nodes[0].engine->view)];
        sim_crash(&sim, node);
        sim_start(&sim, node);
        sim_until(&sim, at_us * 1000 + 4000 * SIM_MS);
        hold(8);
        sim_done(&sim);
    }
}

/* An idle chain stays silent, and answers the first transaction at once. [Besu #2095] */
KL_TEST(simplex_script_idle_chain_does_not_spin)
{
    sim_options o = calm_options(4);
    sim_begin(&sim, &o);
    for (u32 i = 0; i < 4; i++)
        sim.nodes[i].engine->config.empty_period_ns = 20000 * SIM_MS;
    sim_until(&sim, 5000 * SIM_MS);
    u64 views = sim.nodes[0].engine->view;
    CHECK(views < 8);
    CHECK_U64(kl_simplex_status_of(sim.nodes[0].engine, sim.now_ns).why, KL_SIMPLEX_IDLE);
    kl_bft_event pending = {.kind = KL_BFT_PENDING, .on = true};
    u64 height = sim.height;
    for (u32 i = 0; i < 4; i++)
        sim_step(&sim, &sim.nodes[i], &pending);
    sim_until(&sim, 6000 * SIM_MS);
    hold(height + 1);
    sim_done(&sim);
}

/* An equivocator votes again for something else: its first vote stays in the quorum that forms.
 * [tari-ootle #2649] */
static bool first_vote_counts(u32 mutants)
{
    sim_options o = calm_options(4);
    o.mutants = mutants;
    sim_begin(&sim, &o);
    cut_all(true);
    sim_node *node = &sim.nodes[0];
    kl_vote_subject good = {.kind = KL_VOTE_NOTARIZE,
                            .proposal = {.view = 1, .height = 1, .parent_hash = sim.final[0]}};
    good.proposal.block_hash = sim_block_new(&sim, &sim.final[0], 1)->hash;
    kl_vote_subject other = good;
    other.proposal.block_hash = sim_block_new(&sim, &sim.final[0], 1)->hash;
    const kl_vote_subject *said[] = {&good, &other, &good, &good};
    static const u32 by[] = {1, 1, 2, 3};
    for (u32 i = 0; i < 4; i++) {
        kl_vote vote;
        sim_sign(&sim, &sim.nodes[by[i]], said[i], &vote);
        sim.nodes[by[i]].kind = SIM_EQUIVOCATES; /* nothing here is an honest vote */
        kl_bft_event event = {.kind = KL_BFT_VOTE, .peer = by[i], .vote = &vote};
        sim_step(&sim, node, &event);
    }
    bool counts = node->engine->view == 2;
    sim_done(&sim);
    return counts;
}

KL_TEST(simplex_script_second_vote_leaves_the_first)
{
    CHECK(first_vote_counts(0));
    CHECK(!first_vote_counts(KL_MUTANT_SECOND_REPLACES));
}
