/* excerpt: blocks of a chain as an official blockchain test, which any client can judge: the state
 * before, the parent in the genesis block's place, the blocks, the state after.
 *
 * Where the blocks do not follow from their parent alone, because a dev operation came between, an
 * anchor stands in the parent's place: a header that says what the parent would have to say.  The
 * blocks are then executed again on it, with the hashes that this gives.
 *
 * Thread: one at a time. */
#ifndef KL_CLI_EXCERPT_H
#define KL_CLI_EXCERPT_H

#include "chain/run.h"
#include "cli/world.h"
#include "codec/json.h"
#include "types/types.h"

/* The accounts of a view of the newest state, by order of their hashes, copied into the arena.
 * KL_NOTFOUND: a name is not kept. */
KL_MUST_USE kl_status kl_state_dump(struct kl_view *view, struct kl_arena *arena,
                                    const kl_alloc **out, usize *count);

typedef struct kl_excerpt {
    kl_spec spec; /* one fork from the beginning on, as fixtures have it */
    kl_fork fork;
    bool anchored;
    kl_header parent;
    const kl_alloc *pre, *post;
    usize pre_count, post_count;
    kl_span *blocks; /* RLP */
    usize count;
    kl_hash last_hash;
} kl_excerpt;

/* What judges an excerpt. */
struct kl_excerpt_judge {
    struct kl_world *world;
    struct kl_exec *exec;
    struct kl_run *run;
};
KL_MUST_USE kl_status kl_excerpt_judge_init(struct kl_excerpt_judge *judge);
void kl_excerpt_judge_done(struct kl_excerpt_judge *judge); /* whatever came of init */

/* Makes excerpt, whose parent is the chain's, a test that holds by itself: as it is if it does so,
 * else on an anchor.  *broken: it cannot be, for this rule.  Memory is the arena's. */
KL_MUST_USE kl_status kl_excerpt_settle(struct kl_excerpt_judge *judge, kl_excerpt *excerpt,
                                        struct kl_arena *arena, kl_rule *broken);

/* Writes a settled excerpt as a member of the open object of a test file.  KL_NOMEM. */
KL_MUST_USE kl_status kl_excerpt_put(struct kl_json_out *out, const char *name,
                                     const kl_excerpt *excerpt, struct kl_arena *arena);

#endif
