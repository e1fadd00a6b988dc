/* world: a state in memory for tests, made of the very layers a node uses: tables, deltas, views.
 */
#ifndef KL_CLI_WORLD_H
#define KL_CLI_WORLD_H

#include "base/arena.h"
#include "state/state.h"
#include "types/genesis.h"

struct kl_world;

KL_MUST_USE kl_status kl_world_new(struct kl_world **out);
/* All views are closed and all deltas given back. */
void kl_world_free(struct kl_world *world);

/* Version 0: what the list says and nothing else; *root is its state root.  Preimages are for those
 * who want to read all of it (world_dump.h). */
KL_MUST_USE kl_status kl_world_genesis(struct kl_world *world, const kl_alloc *alloc, usize count,
                                       bool preimages, struct kl_arena *scratch,
                                       struct kl_delta **out, kl_hash *root);

/* A view of a version, to be closed with kl_view_close. */
KL_MUST_USE kl_status kl_world_view(struct kl_world *world, struct kl_delta *delta,
                                    struct kl_view **out);

#endif
