/* Every trie is changed in memory (tree_priv.h), all are hashed together, and what then differs
 * from what is stored goes to the sink: branches by their paths, and at the empty path the place
 * above a trie that has no branch at its top. */
#include "trie/node_priv.h"

static kl_status change(struct kl_tree *tree, const kl_trie_update *update)
{
    for (usize i = 0; i < update->count; i++) {
        const kl_trie_change *c = &update->changes[i];
        KL_ASSERT(c->value.len <= KL_TRIE_VALUE_MAX);
        KL_TRY(kl_tree_set(tree, c->key.b, 2 * sizeof c->key.b, c->value));
    }
    return kl_tree_close(tree);
}

static kl_status emit(struct kl_trie_sink *sink, const struct kl_tree_branch *branch, kl_span node)
{
    u8 path[64];
    for (usize i = 0; i < branch->item.to; i++)
        path[i] = (u8)kl_trie_nibble(branch->item.key, i);
    return sink->node(sink, branch->owner, kl_span_of(path, branch->item.to), node);
}

static kl_status emit_changed(struct kl_trie_sink *sink, const struct kl_tree_branch *branch,
                              kl_span stored)
{
    u8 room[KL_NODE_MAX];
    kl_span node = kl_span_of(room, kl_node_write(room, branch));
    return kl_span_eq(node, stored) ? KL_OK : emit(sink, branch, node);
}

static kl_status emit_branches(struct kl_trie_sink *sink, const struct kl_tree_work *work)
{
    for (usize depth = 0; depth < 64; depth++)
        for (struct kl_tree_item *item = work->level[depth]; item; item = item->next) {
            const struct kl_tree_branch *branch = (const struct kl_tree_branch *)item;
            KL_TRY(emit_changed(sink, branch, branch->stored));
        }
    for (const struct kl_tree_branch *branch = work->dead; branch;
         branch = (const struct kl_tree_branch *)branch->item.next)
        if (branch->item.to > 0)
            KL_TRY(emit(sink, branch, KL_SPAN_NONE));
    return KL_OK;
}

/* The empty path, unless a branch stands there. */
static kl_status emit_top(struct kl_trie_sink *sink, const struct kl_tree *tree)
{
    const struct kl_tree_branch *above = &tree->above;
    if (!above->present)
        return tree->stored.len ? emit(sink, above, KL_SPAN_NONE) : KL_OK;
    if (above->loaded && (above->leaf || above->child[0].item->to > 0))
        return emit_changed(sink, above, tree->stored);
    return KL_OK;
}

kl_status kl_trie_apply(kl_trie_update *updates, usize count, struct kl_trie_source *source,
                        struct kl_trie_sink *sink, struct kl_arena *scratch,
                        struct kl_workers *workers)
{
    struct kl_tree_work *work = KL_TAKE(scratch, struct kl_tree_work, 1);
    struct kl_tree *trees = KL_TAKE(scratch, struct kl_tree, count);
    if (!work || !trees)
        return KL_NOMEM;
    kl_tree_work_init(work, scratch, source);
    for (usize i = 0; i < count; i++) {
        KL_TRY(kl_tree_open(&trees[i], work, updates[i].owner, updates[i].fresh));
        KL_TRY(change(&trees[i], &updates[i]));
    }
    KL_TRY(kl_tree_hash(work, workers));
    if (sink)
        KL_TRY(emit_branches(sink, work));
    for (usize i = 0; i < count && sink; i++)
        KL_TRY(emit_top(sink, &trees[i]));
    for (usize i = 0; i < count; i++)
        updates[i].root = kl_tree_root(&trees[i]);
    return KL_OK;
}

kl_status kl_trie_root(kl_hash *out, const kl_hash *owner, struct kl_trie_source *source,
                       struct kl_arena *scratch)
{
    struct kl_tree_work *work = KL_TAKE(scratch, struct kl_tree_work, 1);
    struct kl_tree tree;
    if (!work)
        return KL_NOMEM;
    kl_tree_work_init(work, scratch, source);
    KL_TRY(kl_tree_open(&tree, work, owner, false));
    KL_TRY(kl_tree_close(&tree));
    KL_TRY(kl_tree_hash(work, NULL));
    *out = kl_tree_root(&tree);
    return KL_OK;
}
