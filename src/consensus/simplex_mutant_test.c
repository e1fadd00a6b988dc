/* The engine once more, with the switches for deliberate bugs and with leaders by a script:
 * the tests link this copy. */
#define KL_SIMPLEX_MUTANTS 1
#include "consensus/simplex_sim_test.h"

const u8 *sim_leaders;
u32 sim_leader_count;

static u32 scripted_leader(const kl_valset *set, u64 epoch, u64 view)
{
    return sim_leaders && view && view <= sim_leader_count ? sim_leaders[view - 1]
                                                           : kl_valset_leader(set, epoch, view);
}

#define kl_valset_leader scripted_leader
#include "consensus/simplex.c"
#include "consensus/simplex_collect.c"
#include "consensus/simplex_ring.c"
#include "consensus/simplex_rule.c"
#include "consensus/simplex_status.c"
#include "consensus/simplex_timer.c"

u32 kl_simplex_mutants;
