/* Deliberate bugs, each caught on a recorded seed: the test of the tests.  KEEL_SIM_SEARCH looks
 * for the first seed of each anew. */
#include "base/test.h"
#include "consensus/simplex_sim_test.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct sim_bug {
    const char *name;
    u32 mutants, host_mutants;
    sim_kind kind; /* of the one faulty validator; SIM_HONEST: none */
    bool crashes;
    u64 seed;
} sim_bug;

static const sim_bug bugs[] = {
    {"gap check off", KL_MUTANT_NO_GAP_CHECK, 0, SIM_OLD_PARENT, false, 1},
    {"quorum one less", KL_MUTANT_SMALL_QUORUM, 0, SIM_EQUIVOCATES, false, 1},
    {"finalize after nullify", KL_MUTANT_FINALIZE_AFTER_NULLIFY, 0, SIM_HONEST, false, 1},
    {"nullify after finalize", KL_MUTANT_NULLIFY_AFTER_FINALIZE, 0, SIM_HONEST, false, 1},
    {"guard not synced", 0, SIM_GUARD_UNSYNCED, SIM_HONEST, true, 1},
    {"guard reset at an epoch", 0, SIM_GUARD_RESET, SIM_HONEST, true, 10},
    {"foreign epoch accepted", KL_MUTANT_FOREIGN_EPOCH, 0, SIM_HONEST, false, 8},
    {"a signer counted twice", KL_MUTANT_SIGNER_TWICE, 0, SIM_HONEST, false, 1},
    {"parent view unbound", KL_MUTANT_PARENT_UNBOUND, 0, SIM_FALSE_PARENT, false, 1},
    {"body not durable", KL_MUTANT_BODY_NOT_DURABLE, 0, SIM_HONEST, true, 1},
};

/* Two more are caught by scripts, see simplex_script_test.c: no re-injection, and a second vote
 * that replaces the first. */

static struct sim sim;

static bool is_caught(const sim_bug *bug, u64 seed, char broken[160])
{
    sim_options o = sim_swarm(seed, 4);
    o.kind = bug->kind;
    o.faulty = bug->kind == SIM_HONEST ? 0 : 1;
    o.crashes = bug->crashes;
    o.loss_percent = 15;
    o.partitions = true;
    o.idle = false;
    o.mutants = bug->mutants;
    o.host_mutants = bug->host_mutants;
    sim_run(&sim, &o);
    memcpy(broken, sim.broken, sizeof sim.broken);
    sim_done(&sim);
    return broken[0];
}

KL_TEST(simplex_bugs_are_caught)
{
    bool searches = getenv("KEEL_SIM_SEARCH");
    for (usize i = 0; i < KL_COUNT_OF(bugs); i++) {
        char broken[160] = "";
        u64 from = searches ? 1 : bugs[i].seed, count = searches ? 400 : 1, at = from;
        while (at < from + count && !is_caught(&bugs[i], at, broken))
            at++;
        if (searches)
            printf("%s: seed %llu: %s\n", bugs[i].name, (unsigned long long)at, broken);
        else if (!broken[0])
            kl_test_fail(__FILE__, __LINE__, "%s lives on seed %llu", bugs[i].name,
                         (unsigned long long)at);
        char correct[160];
        sim_bug fixed = bugs[i];
        fixed.mutants = fixed.host_mutants = 0;
        if (is_caught(&fixed, at, correct))
            kl_test_fail(__FILE__, __LINE__, "seed %llu fails without %s: %s",
                         (unsigned long long)at, bugs[i].name, correct);
    }
}
