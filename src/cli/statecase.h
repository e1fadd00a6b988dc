/* statecase: one transaction on a state, as state tests run it: alone in its block, behind it a
 * block reward of nothing, then a root and the hash of its log entries.
 *
 * A bench is one thread's: its world holds the pre-states, its machine runs on them. */
#ifndef KL_CLI_STATECASE_H
#define KL_CLI_STATECASE_H

#include "cli/world.h"
#include "exec/exec.h"

typedef struct kl_statebench {
    struct kl_world *world;
    struct kl_exec *exec;
    struct kl_code_cache *codes;
    struct kl_arena arena;         /* of the case under way */
    struct kl_block_hashes hashes; /* what BLOCKHASH sees: keccak of the number in decimal */
} kl_statebench;

/* KL_NOMEM.  Whatever comes of it, the bench is for kl_statebench_done. */
KL_MUST_USE kl_status kl_statebench_init(kl_statebench *bench);
void kl_statebench_done(kl_statebench *bench);

/* Gives back what the last case took. */
void kl_statebench_clear(kl_statebench *bench);

/* What a case came to. */
typedef struct kl_statecase {
    kl_rule broken; /* why the transaction was refused; what runs is below */
    kl_hash root, logs;
    kl_halt halt;
    u64 gas_used, refund;
} kl_statecase;

/* Runs tx on the state of pre under the header's environment.  *end starts out with what made tx
 * none, in broken; the transaction is not looked at then.  tracer may be NULL. */
KL_MUST_USE kl_status kl_statecase_run(kl_statebench *bench, const kl_spec *spec,
                                       const kl_header *header, struct kl_delta *pre,
                                       const kl_tx *tx, struct kl_tracer *tracer,
                                       kl_statecase *end);

#endif
