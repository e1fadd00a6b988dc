/* A range is read by walking the stored trie in the order of its keys, from the first on; the ways
 * to its two ends prove it. */
#include "trie/prove_priv.h"

struct reading {
    struct kl_tree *tree;
    const kl_hash *first;
    struct kl_arena *arena;
    kl_trie_change *leaves;
    usize count, leaf_max, bytes, byte_max;
    bool full;
};

/* Where a child's keys lie: -1 all before first, 1 all behind it (or at it), 0 on both sides. */
static int side(const struct kl_tree_item *item, const kl_hash *first)
{
    for (usize i = 0; i < item->to; i++) {
        unsigned a = kl_trie_nibble(item->key, i), b = kl_trie_nibble(first->b, i);
        if (a != b)
            return a < b ? -1 : 1;
    }
    return item->to == 2 * sizeof first->b;
}

static kl_status take_leaf(struct reading *r, struct kl_tree_item *leaf)
{
    if (r->count == r->leaf_max || (r->count && r->bytes >= r->byte_max)) {
        r->full = true;
        return KL_OK;
    }
    KL_TRY(kl_tree_fetch(r->tree->work, r->tree->above.owner, leaf));
    kl_span value = kl_arena_copy(r->arena, leaf->value);
    if (!value.p)
        return KL_NOMEM;
    kl_trie_change *out = &r->leaves[r->count++];
    memcpy(out->key.b, leaf->key, sizeof out->key.b);
    out->value = value;
    r->bytes += sizeof out->key + value.len;
    return KL_OK;
}

/* The slot behind the one in which at stands. */
static unsigned slot_behind(const struct kl_tree_branch *at)
{
    return kl_tree_slot(at->parent, at->item.key) + 1;
}

static kl_status read_leaves(struct reading *r)
{
    struct kl_tree_branch *at = &r->tree->above;
    unsigned n = 0;
    while (!r->full) {
        unsigned left = n < 16 ? at->present >> n << n : 0;
        if (!left) {
            if (at == &r->tree->above)
                return KL_OK;
            n = slot_behind(at);
            at = at->parent;
            continue;
        }
        n = (unsigned)__builtin_ctz(left);
        KL_TRY(kl_tree_load(r->tree->work, at, n));
        struct kl_tree_item *item = at->child[n].item;
        int where = side(item, r->first);
        if (where >= 0 && !(at->leaf >> n & 1)) {
            at = (struct kl_tree_branch *)item;
            n = where > 0 ? 0 : kl_trie_nibble(r->first->b, item->to);
            continue;
        }
        if (where > 0)
            KL_TRY(take_leaf(r, item));
        n++;
    }
    return KL_OK;
}

/* How many nibbles two keys have in common. */
static usize common(const kl_hash *a, const kl_hash *b)
{
    usize i = 0;
    while (i < 2 * sizeof a->b && kl_trie_nibble(a->b, i) == kl_trie_nibble(b->b, i))
        i++;
    return i;
}

/* In a tree of its own: references are those of stored nodes. */
static kl_status prove_ends(struct kl_proof *proof, const struct reading *r)
{
    static const kl_hash lowest;
    struct kl_tree tree;
    proof->nodes = KL_TAKE(proof->arena, kl_span, KL_PROOF_MAX);
    if (!proof->nodes)
        return KL_NOMEM;
    if (!r->full && kl_hash_eq(r->first, &lowest))
        return KL_OK;
    KL_TRY(kl_tree_open(&tree, r->tree->work, r->tree->above.owner, false));
    KL_TRY(kl_proof_walk(proof, &tree, r->first));
    if (r->count == 0)
        return KL_OK;
    const kl_hash *last = &r->leaves[r->count - 1].key;
    proof->shared = common(r->first, last) + 1;
    return proof->shared <= 2 * sizeof last->b ? kl_proof_walk(proof, &tree, last) : KL_OK;
}

/* What is handed out has been judged like anybody's. */
static kl_status judge(const kl_trie_range *range, const kl_hash *owner, const kl_hash *first,
                       struct kl_trie_source *source, struct kl_arena *arena)
{
    kl_trie_range again = *range;
    kl_rule broken;
    kl_hash root;
    KL_TRY(kl_trie_root(&root, owner, source, arena));
    KL_TRY(kl_trie_check_range(&again, &root, first, arena, &broken));
    return broken == KL_RULE_NONE && again.complete == range->complete ? KL_OK : KL_CORRUPT;
}

kl_status kl_trie_prove_range(kl_trie_range *out, const kl_hash *owner, const kl_hash *first,
                              usize leaf_max, usize byte_max, struct kl_trie_source *source,
                              struct kl_arena *arena)
{
    struct kl_tree_work *work = KL_TAKE(arena, struct kl_tree_work, 1);
    struct kl_proof proof = {.arena = arena};
    struct kl_tree tree;
    struct reading r = {
        .tree = &tree,
        .first = first,
        .arena = arena,
        .leaves = KL_TAKE(arena, kl_trie_change, leaf_max),
        .leaf_max = leaf_max,
        .byte_max = byte_max,
    };
    KL_ASSERT(leaf_max > 0);
    if (!work || !r.leaves)
        return KL_NOMEM;
    kl_tree_work_init(work, arena, source);
    KL_TRY(kl_tree_open(&tree, work, owner, false));
    KL_TRY(read_leaves(&r));
    KL_TRY(prove_ends(&proof, &r));
    const kl_trie_range range = {r.leaves, r.count, proof.nodes, proof.count, !r.full};
    KL_TRY(judge(&range, owner, first, source, arena));
    *out = range;
    return KL_OK;
}
