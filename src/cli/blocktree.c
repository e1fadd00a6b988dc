#include "cli/blocktree.h"

static const kl_treeblock *find(const struct kl_blocktree *tree, const kl_hash *hash)
{
    for (const kl_treeblock *b = tree->newest; b; b = b->next)
        if (kl_hash_eq(&b->block.hash, hash))
            return b;
    return NULL;
}

static kl_status hash_of(struct kl_block_hashes *hashes, u64 number, kl_hash *out)
{
    const struct kl_blocktree *tree = (const struct kl_blocktree *)hashes;
    const kl_treeblock *b = tree->asked_from;
    while (b && b->block.header.number > number)
        b = b->parent;
    *out = b && b->block.header.number == number ? b->block.hash : (kl_hash){0};
    return KL_OK;
}

kl_status kl_blocktree_begin(struct kl_blocktree *tree, kl_span genesis_rlp, const kl_alloc *alloc,
                             usize count, bool *good)
{
    kl_rule broken;
    kl_hash root;
    kl_treeblock *genesis = KL_ZERO(tree->arena, kl_treeblock, 1);
    tree->hashes.get = hash_of;
    tree->newest = NULL;
    if (!genesis)
        return KL_NOMEM;
    KL_TRY(kl_block_decode(&genesis->block, genesis_rlp, &tree->spec, tree->arena, &broken));
    tree->newest = genesis;
    tree->head = genesis;
    KL_TRY(kl_world_genesis(tree->world, alloc, count, false, tree->arena, &genesis->delta, &root));
    genesis->total_difficulty = genesis->block.header.difficulty;
    *good = broken == KL_RULE_NONE && kl_hash_eq(&root, &genesis->block.header.state_root);
    return KL_OK;
}

void kl_blocktree_done(struct kl_blocktree *tree)
{
    for (kl_treeblock *b = tree->newest; b; b = b->next)
        kl_delta_unref(b->delta);
    tree->newest = NULL;
}

static usize ancestors_of(const kl_treeblock *parent, kl_ancestor out[KL_ANCESTORS_MAX])
{
    usize n = 0;
    for (const kl_treeblock *b = parent; b && n < KL_ANCESTORS_MAX; b = b->parent)
        out[n++] = (kl_ancestor){.header = &b->block.header,
                                 .hash = b->block.hash,
                                 .ommers = b->block.ommers,
                                 .ommer_count = b->block.ommer_count};
    return n;
}

/* Fixtures stay within the first epoch. */
static kl_rule judge_seals(const struct kl_blocktree *tree, const kl_block *block)
{
    if (!tree->ethash || kl_u256_is_zero(block->header.difficulty))
        return KL_RULE_NONE;
    KL_JUDGE(kl_judge_seal(tree->ethash, &block->header));
    for (usize i = 0; i < block->ommer_count; i++)
        KL_JUDGE(kl_judge_seal(tree->ethash, &block->ommers[i]));
    return KL_RULE_NONE;
}

static kl_status judge_form(const struct kl_blocktree *tree, const kl_block *block,
                            const kl_treeblock *parent, kl_rule *broken)
{
    kl_parent above = {.header = &parent->block.header,
                       .hash = parent->block.hash,
                       .total_difficulty = parent->total_difficulty};
    kl_ancestor ancestors[KL_ANCESTORS_MAX];
    *broken = kl_judge_header(&tree->spec, &block->header, &above);
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    usize count = ancestors_of(parent, ancestors);
    KL_TRY(kl_judge_body(&tree->spec, block, ancestors, count, tree->arena, broken));
    if (*broken == KL_RULE_NONE)
        *broken = judge_seals(tree, block);
    return KL_OK;
}

static kl_status execute_on(struct kl_blocktree *tree, kl_treeblock *b, struct kl_view *view,
                            kl_rule *broken)
{
    struct kl_delta_builder *builder;
    kl_run_result result;
    kl_run_base base = {
        .spec = &tree->spec, .header = &b->block.header, .view = view, .hashes = &tree->hashes};
    tree->asked_from = b->parent;
    KL_TRY(kl_delta_begin(&builder, b->parent->delta, kl_delta_version(b->parent->delta) + 1));
    kl_status status = kl_judge_block(tree->run, &base, &b->block, builder, false, &result, broken);
    if (status == KL_OK && *broken == KL_RULE_NONE)
        return kl_delta_seal(builder, &b->delta);
    kl_delta_drop(builder);
    return status;
}

/* Sets b->delta when nothing is broken. */
static kl_status execute(struct kl_blocktree *tree, kl_treeblock *b, kl_rule *broken)
{
    struct kl_view *view;
    KL_TRY(kl_world_view(tree->world, b->parent->delta, &view));
    kl_status status = execute_on(tree, b, view, broken);
    kl_view_close(view);
    return status;
}

static void add(struct kl_blocktree *tree, kl_treeblock *b)
{
    b->total_difficulty = kl_u256_add(b->parent->total_difficulty, b->block.header.difficulty);
    b->next = tree->newest;
    tree->newest = b;
    bool stake = kl_u256_is_zero(b->block.header.difficulty);
    if (stake || kl_u256_lt(tree->head->total_difficulty, b->total_difficulty))
        tree->head = b;
}

kl_status kl_blocktree_add(struct kl_blocktree *tree, kl_span rlp, kl_rule *broken, kl_rule *also)
{
    kl_treeblock *b = KL_ZERO(tree->arena, kl_treeblock, 1);
    *also = KL_RULE_NONE;
    if (!b)
        return KL_NOMEM;
    KL_TRY(kl_block_decode(&b->block, rlp, &tree->spec, tree->arena, broken));
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    b->parent = find(tree, &b->block.header.parent_hash);
    if (!b->parent) {
        *broken = KL_RULE_HEADER_PARENT;
        return KL_OK;
    }
    if (find(tree, &b->block.hash)) /* again: nothing changes */
        return KL_OK;
    KL_TRY(judge_form(tree, &b->block, b->parent, broken));
    if (*broken == KL_RULE_BODY_TRANSACTIONS_ROOT) {
        KL_TRY(execute(tree, b, also));
        kl_delta_unref(b->delta);
        return KL_OK;
    }
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    KL_TRY(execute(tree, b, broken));
    if (*broken == KL_RULE_NONE)
        add(tree, b);
    return KL_OK;
}
