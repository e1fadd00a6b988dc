/* Deliberate bugs of engine and host, each caught on a recorded seed, and the same seed is good
 * without: the test of the tests.  KEEL_SIM_SEARCH looks for the first seed of each anew. */
#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "lab/world_priv.h"

void lab_engine_plant(const char *name); /* lab_engine_test.c */

#define FAULT(name) (1u << KL_LAB_##name)
#define NETWORK     (FAULT(LOSS) | FAULT(DELAY) | FAULT(PARTITION))

struct bug {
    const char *name;
    const char *engine;
    u32 host;
    kl_lab_attack attack;
    u32 faults, nodes;
    u64 seed;
};

/* Four of the engine's show only where nothing stands behind it: a sign guard refuses nullify
 * beside finalize, and re-injection and first votes take a script (consensus' own tests).  A guard
 * that is begun anew is made whole from the consensus log, and shows where that is not enough. */
static const struct bug bugs[] = {
    {"gap check off", "no gap check", 0, KL_LAB_IS_OLD_PARENT, NETWORK, 4, 24},
    {"quorum one less", "small quorum", 0, KL_LAB_IS_EQUIVOCATE, NETWORK, 4, 1},
    {"foreign epoch accepted", "foreign epoch", 0, KL_LAB_IS_NONE, NETWORK, 4, 4},
    {"a signer counted twice", "signer twice", 0, KL_LAB_IS_NONE, NETWORK, 4, 1},
    {"parent view unbound", "parent unbound", 0, KL_LAB_IS_OLD_PARENT, NETWORK, 4, 39},
    {"body not durable", "body not durable", 0, KL_LAB_IS_NONE, NETWORK | FAULT(CRASH), 4, 1},
    {"guard not synced", "none", KL_LAB_BUG_GUARD_UNSYNCED, KL_LAB_IS_NONE, NETWORK | FAULT(CRASH),
     4, 1},
    {"guard begun anew", "none", KL_LAB_BUG_GUARD_RESET, KL_LAB_IS_NONE,
     NETWORK | FAULT(CRASH) | FAULT(WIPE), 4, 4},
    {"consensus log not synced", "none", KL_LAB_BUG_LOG_UNSYNCED, KL_LAB_IS_NONE,
     NETWORK | FAULT(CRASH), 4, 1},
    {"ledger not synced", "none", KL_LAB_BUG_LEDGER_UNSYNCED, KL_LAB_IS_NONE, FAULT(CRASH), 1, 1},
};

static void run(const struct bug *bug, u64 at, bool planted, kl_lab_result *r)
{
    const kl_lab_options options = {
        .seed = at,
        .nodes = bug->nodes,
        .views = 80,
        .faults = bug->faults | (bug->attack ? FAULT(BYZANTINE) : 0),
        .all = true,
        .scheme = KL_SCHEME_KEYED_HASH,
        .attack = bug->attack,
        .bugs = planted ? bug->host : 0,
        .silent = true,
    };
    lab_engine_plant(planted ? bug->engine : "none");
    kl_lab_run(&options, r);
    lab_engine_plant("none");
}

KL_TEST(lab_bugs_are_caught)
{
    bool searches = getenv("KEEL_SIM_SEARCH");
    for (usize i = 0; i < KL_COUNT_OF(bugs); i++) {
        kl_lab_result r, without;
        u64 at = searches ? 1 : bugs[i].seed, end = searches ? 400 : at + 1;
        do
            run(&bugs[i], at, true, &r);
        while (!r.failed && ++at < end);
        if (searches)
            printf("%s: seed %llu: %s\n", bugs[i].name, (unsigned long long)at,
                   r.failed ? r.broken : "not caught");
        else if (!r.failed)
            kl_test_fail(__FILE__, __LINE__, "%s lives on seed %llu", bugs[i].name,
                         (unsigned long long)at);
        run(&bugs[i], at, false, &without);
        if (without.failed)
            kl_test_fail(__FILE__, __LINE__, "seed %llu fails without %s: %s",
                         (unsigned long long)at, bugs[i].name, without.broken);
    }
}
