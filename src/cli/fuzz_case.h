/* fuzz_case: a state test in memory: a world, a transaction with several gas limits, and the
 * environment it runs in.  The generator makes one, the shrinker reads one from a file and takes
 * things away; both let Keel compute the post states and write it in the GeneralStateTests format.
 */
#ifndef KL_CLI_FUZZ_CASE_H
#define KL_CLI_FUZZ_CASE_H

#include "cli/statecase.h"
#include "codec/json.h"

#define KL_FUZZ_GAS_MAX 16 /* gas limits of one test */

typedef struct kl_fuzz_case {
    kl_fork fork;
    kl_header env; /* the fields that kl_exec_block names */
    kl_alloc *alloc;
    usize alloc_count;
    kl_tx tx; /* what it says; gas limit, signature and hashes come when it is filled */
    kl_secret32 key;
    u64 gas[KL_FUZZ_GAS_MAX];
    usize gas_count;

    /* Filled in: */
    kl_span raw[KL_FUZZ_GAS_MAX]; /* signed */
    kl_statecase end[KL_FUZZ_GAS_MAX];
} kl_fuzz_case;

/* Runs the case with one gas limit, traced if asked. */
KL_MUST_USE kl_status kl_fuzz_case_run(kl_statebench *bench, const kl_fuzz_case *c, u64 gas,
                                       struct kl_arena *arena, struct kl_tracer *tracer,
                                       kl_span *raw, kl_statecase *end);

/* Runs it with all its gas limits; what is filled in lives in the arena. */
KL_MUST_USE kl_status kl_fuzz_case_fill(kl_statebench *bench, kl_fuzz_case *c,
                                        struct kl_arena *arena);

/* Writes a filled case as a member `name` of the open object of a test file. */
void kl_fuzz_case_put(struct kl_json_out *out, const char *name, const kl_fuzz_case *c);

#endif
