/* named: what a state holds, under its names.  The tables have hashes; the names are their
 * preimages, which the state must have kept: KL_NOTFOUND for one it has not. */
#ifndef KL_CLI_NAMED_H
#define KL_CLI_NAMED_H

#include "base/arena.h"
#include "state/view.h"

typedef struct kl_named_account {
    kl_address address;
    kl_hash hash;
} kl_named_account;

typedef struct kl_named_slot {
    kl_hash slot;
    kl_u256 value;
} kl_named_slot;

/* All accounts of a view of the newest state, and all slots of one, by order of their hashes, in
 * the arena.  KL_NOTFOUND, KL_CORRUPT, KL_NOMEM. */
KL_MUST_USE kl_status kl_named_accounts(struct kl_view *view, struct kl_arena *arena,
                                        kl_named_account **out, usize *count);
KL_MUST_USE kl_status kl_named_slots(struct kl_view *view, const kl_hash *account,
                                     struct kl_arena *arena, kl_named_slot **out, usize *count);

#endif
