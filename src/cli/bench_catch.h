/* bench_catch: how long a node without data takes to answer as the others of a fleet do, by
 * executing all blocks or by taking their state.
 *
 * Thread: one.  What goes wrong is told on stderr where it happens. */
#ifndef KL_CLI_BENCH_CATCH_H
#define KL_CLI_BENCH_CATCH_H

#include "cli/bench_fleet.h"

typedef struct kl_bench_caught {
    u64 height;  /* blocks it lacked, and has */
    u64 took_ns; /* from its start to the same answers, about states, blocks and receipts */
    u64 cpu_ns;  /* of its process, until then */
    /* By state, when it went that way: what was taken, and how long either part took. */
    bool by_state;
    u64 blocks, blocks_ms, leaves, leaves_ms;
} kl_bench_caught;

/* Node `late` of a fleet that stands still, and of which nobody else is down, begins anew.
 * KL_TIMEOUT; KL_CANCELED: the fleet is to stop; KL_CORRUPT: its answers are others. */
KL_MUST_USE kl_status kl_bench_catch_up(struct kl_fleet *fleet, u32 late, bool by_blocks,
                                        const kl_address *account, kl_bench_caught *out);

#endif
