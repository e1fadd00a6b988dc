/* Deliberate bugs, each caught on a recorded seed: the test of the tests.  Seeds are those of the
 * swarm, nothing is set up for the bug but one Byzantine kind where only that kind can profit from
 * it.  KEEL_SIM_SEARCH looks for seeds anew. */
#include "base/test.h"
#include "consensus/simplex_sim_test.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct sim_bug {
    const char *name;
    u32 mutants, host_mutants;
    sim_kind kind; /* of the faulty; SIM_KINDS: as the swarm has it */
    char only;     /* the assertion that must break; 0: any */
    u64 seed;
} sim_bug;

static const sim_bug bugs[] = {
    {"gap check off", KL_MUTANT_NO_GAP_CHECK, 0, SIM_OLD_PARENT, '1', 1001},
    {"quorum one less", KL_MUTANT_SMALL_QUORUM, 0, SIM_KINDS, '1', 1015},
    {"finalize after nullify", KL_MUTANT_FINALIZE_AFTER_NULLIFY, 0, SIM_KINDS, '7', 1009},
    {"nullify after finalize", KL_MUTANT_NULLIFY_AFTER_FINALIZE, 0, SIM_KINDS, '1', 1003},
    {"guard not synced", 0, SIM_GUARD_UNSYNCED, SIM_KINDS, '7', 1034},
    {"guard reset at an epoch", 0, SIM_GUARD_RESET, SIM_KINDS, '7', 1012},
    {"foreign epoch accepted", KL_MUTANT_FOREIGN_EPOCH, 0, SIM_KINDS, 0, 1022},
    {"a signer counted twice", KL_MUTANT_SIGNER_TWICE, 0, SIM_KINDS, '1', 1005},
    {"parent view unbound", KL_MUTANT_PARENT_UNBOUND, 0, SIM_FALSE_PARENT, '1', 1001},
    {"body not durable", KL_MUTANT_BODY_NOT_DURABLE, 0, SIM_KINDS, '8', 1002},
};

/* Six more are caught by scripts, see simplex_script_test.c: no re-injection, a second vote that
 * replaces the first, a turn that is not durable or is used again, a leader's vote that nobody else
 * keeps, and a view that is given up for good. */

static struct sim sim;

static bool is_caught(const sim_bug *bug, u64 seed, char broken[160])
{
    sim_options o = sim_swarm(seed, 4);
    o.kind = bug->kind;
    if (bug->kind != SIM_KINDS)
        o.faulty = 1;
    o.only = bug->only;
    o.mutants = bug->mutants;
    o.host_mutants = bug->host_mutants;
    sim_run(&sim, &o);
    memcpy(broken, sim.broken, sizeof sim.broken);
    sim_done(&sim);
    return broken[0];
}

/* Seeds from 1000 on, and what breaks on each. */
static void search(const sim_bug *bug)
{
    char broken[160];
    for (u64 seed = 1000, found = 0; seed < 3000 && found < 3; seed++)
        if (is_caught(bug, seed, broken)) {
            printf("%s: seed %llu: %s\n", bug->name, (unsigned long long)seed, broken);
            found++;
        }
}

KL_TEST(simplex_bugs_are_caught)
{
    for (usize i = 0; i < KL_COUNT_OF(bugs); i++) {
        char broken[160];
        sim_bug fixed = bugs[i];
        fixed.mutants = fixed.host_mutants = 0;
        if (getenv("KEEL_SIM_SEARCH"))
            search(&bugs[i]);
        else if (!is_caught(&bugs[i], bugs[i].seed, broken))
            kl_test_fail(__FILE__, __LINE__, "%s lives on seed %llu: KEEL_SIM_SEARCH=1",
                         bugs[i].name, (unsigned long long)bugs[i].seed);
        else if (is_caught(&fixed, bugs[i].seed, broken))
            kl_test_fail(__FILE__, __LINE__, "seed %llu fails without %s: %s",
                         (unsigned long long)bugs[i].seed, bugs[i].name, broken);
    }
}
