/* touched: the accounts and storage slots that a running message reads or writes, gathered by a
 * tracer: the access list it would have wanted [EIP-2930]. */
#ifndef KL_RPC_TOUCHED_H
#define KL_RPC_TOUCHED_H

#include "base/arena.h"
#include "base/map.h"
#include "evm/trace.h"
#include "types/tx.h"

struct kl_touched {
    struct kl_tracer tracer; /* for kl_exec_call */
    struct kl_arena *arena;
    struct kl_map accounts, slots;
    struct touched_account *first, **last; /* in order of first touch */
    usize count;                           /* of entries a list would have */
    usize changes;                         /* how much has been added so far */
    bool no_memory;
};

/* Entries live in the arena; seed is of hash tables. */
void kl_touched_init(struct kl_touched *touched, struct kl_arena *arena, u64 seed);
void kl_touched_done(struct kl_touched *touched);

/* An account that is warm anyway and stands in the list only when its slots are touched. */
void kl_touched_leave_out(struct kl_touched *touched, const kl_address *address);
/* Takes over what a list names. */
void kl_touched_add_list(struct kl_touched *touched, const kl_access *list, usize count);

/* What has been gathered, in the arena; KL_NOMEM also when gathering failed so. */
KL_MUST_USE kl_status kl_touched_list(struct kl_touched *touched, const kl_access **out,
                                      usize *count);

#endif
