/* fill_world: a chain in memory that takes another's blocks and state, for tests. */
#ifndef KL_CHAIN_FILL_WORLD_PRIV_H
#define KL_CHAIN_FILL_WORLD_PRIV_H

#include "chain/bft_world_priv.h"
#include "chain/fill.h"

/* own's chain is closed, and was made by bft_world_begin at some time. */
kl_chain_config fill_world_config(const struct bft_world *own);
/* Begins, or goes on; the note must be that long. */
struct kl_fill *fill_world_open(struct bft_world *own, u64 note_len);
/* Block number of the reader's chain. */
kl_rule fill_world_take(struct bft_world *own, struct kl_fill *fill, struct kl_reader *reader,
                        u64 number);
/* All of the state that a view shows. */
void fill_world_state(struct bft_world *own, struct kl_fill *fill, struct kl_view *view);
/* All of it, from a new chain that is open to one that is open and stands where its peer does. */
void fill_world(struct bft_world *own, struct bft_world *peer);
/* The next block of both, which stand at the same one: made by the peer, judged by own. */
void fill_world_grow(struct bft_world *own, struct bft_world *peer);

#endif
