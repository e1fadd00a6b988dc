/* world_dump: a whole state as JSON. */
#ifndef KL_CLI_WORLD_DUMP_H
#define KL_CLI_WORLD_DUMP_H

#include "base/arena.h"
#include "codec/json.h"
#include "state/state.h"

typedef enum kl_dump_shape {
    KL_DUMP_ALLOC, /* like a genesis file's alloc, what is empty left out */
    KL_DUMP_STATE, /* as geth's evm run dumps it, with roots and hashes */
} kl_dump_shape;

/* {address: account} in order of addresses, of every account in the view, whose version and all
 * below it were made with preimages (KL_CORRUPT where one is missing).  KL_NOMEM. */
KL_MUST_USE kl_status kl_world_dump(struct kl_json_out *out, struct kl_view *view,
                                    kl_dump_shape shape, struct kl_arena *scratch);

#endif
