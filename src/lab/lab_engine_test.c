/* The engine once more, with the switches for deliberate bugs: the tests of this layer run on this
 * copy. */
#define KL_SIMPLEX_MUTANTS 1
#include "consensus/simplex.c"
#include "consensus/simplex_collect.c"
#include "consensus/simplex_ring.c"
#include "consensus/simplex_rule.c"
#include "consensus/simplex_status.c"
#include "consensus/simplex_timer.c"

u32 kl_simplex_mutants;

/* For lab_bug_test.c, which may not see the engine's own header. */
void lab_engine_plant(const char *name);
void lab_engine_plant(const char *name)
{
    static const struct {
        const char *name;
        u32 bit;
    } rows[] = {
        {"no gap check", KL_MUTANT_NO_GAP_CHECK},
        {"small quorum", KL_MUTANT_SMALL_QUORUM},
        {"finalize after nullify", KL_MUTANT_FINALIZE_AFTER_NULLIFY},
        {"nullify after finalize", KL_MUTANT_NULLIFY_AFTER_FINALIZE},
        {"foreign epoch", KL_MUTANT_FOREIGN_EPOCH},
        {"signer twice", KL_MUTANT_SIGNER_TWICE},
        {"parent unbound", KL_MUTANT_PARENT_UNBOUND},
        {"no reinjection", KL_MUTANT_NO_REINJECTION},
        {"body not durable", KL_MUTANT_BODY_NOT_DURABLE},
        {"second replaces", KL_MUTANT_SECOND_REPLACES},
        {"none", 0},
    };
    usize i = 0;
    while (strcmp(rows[i].name, name) != 0)
        KL_ASSERT(++i < KL_COUNT_OF(rows));
    kl_simplex_mutants = rows[i].bit;
}
