/* blocktree: the blocks of one blockchain test, every branch of them, with the state after each.
 * The head is the block with the most total difficulty (the first seen of equals), and from Paris
 * on the newest. */
#ifndef KL_CLI_BLOCKTREE_H
#define KL_CLI_BLOCKTREE_H

#include "chain/judge.h"
#include "chain/rules.h"
#include "chain/seal.h"
#include "cli/world.h"

/* A block that was accepted. */
typedef struct kl_treeblock {
    kl_block block;
    kl_u256 total_difficulty;
    struct kl_delta *delta;
    const struct kl_treeblock *parent; /* NULL for the genesis */
    struct kl_treeblock *next;         /* the one accepted before it */
} kl_treeblock;

struct kl_blocktree {
    struct kl_block_hashes hashes; /* of the chain above `asked_from` */
    const kl_treeblock *asked_from;
    kl_spec spec;
    struct kl_world *world;
    struct kl_run *run;
    struct kl_arena *arena;         /* blocks live here */
    const struct kl_ethash *ethash; /* seals are checked with it; NULL: they are not */
    kl_treeblock *newest;
    const kl_treeblock *head;
};

/* Starts with the genesis block of a test; its state is `alloc`.  *good is false when the root or
 * the form of the genesis block is wrong.  Whatever happens, kl_blocktree_done. */
KL_MUST_USE kl_status kl_blocktree_begin(struct kl_blocktree *tree, kl_span genesis_rlp,
                                         const kl_alloc *alloc, usize count, bool *good);
void kl_blocktree_done(struct kl_blocktree *tree);

/* Judges a block and, when nothing is broken, adds it.  Some fixtures were made with blocks of two
 * faults: transactions that cannot run, and a transactions root without them.  Where the root is
 * what is broken, the block is executed all the same and *also is what breaks then. */
KL_MUST_USE kl_status kl_blocktree_add(struct kl_blocktree *tree, kl_span rlp, kl_rule *broken,
                                       kl_rule *also);

#endif
