/* The engine once more, with the switches for deliberate bugs: the tests link this copy. */
#define KL_SIMPLEX_MUTANTS 1
#include "consensus/simplex.c"
#include "consensus/simplex_collect.c"
#include "consensus/simplex_ring.c"
#include "consensus/simplex_rule.c"
#include "consensus/simplex_status.c"
#include "consensus/simplex_timer.c"

u32 kl_simplex_mutants;
