/* excerpt_settle: an excerpt is judged as a fixture would be, by a block tree.  If it does not hold
 * it is anchored, first with nothing but the state's root, then with the base fee, the gas limit
 * and the time that its first block asks its parent for. */
#include "chain/rules.h"
#include "cli/blocktree.h"
#include "cli/excerpt.h"
#include "crypto/keccak.h"

kl_status kl_excerpt_judge_init(struct kl_excerpt_judge *judge)
{
    const kl_exec_config config = {.evm_memory_limit = (usize)2 << 30,
                                   .journal_memory_limit = (usize)2 << 30};
    *judge = (struct kl_excerpt_judge){0};
    KL_TRY(kl_world_new(&judge->world));
    KL_TRY(kl_exec_new(&judge->exec, &config));
    return kl_run_new(&judge->run, judge->exec);
}

void kl_excerpt_judge_done(struct kl_excerpt_judge *judge)
{
    kl_run_free(judge->run);
    kl_exec_free(judge->exec);
    kl_world_free(judge->world);
}

/* A block that is nothing but this header, and there without a body. */
static kl_status bare_block(kl_span *out, const kl_header *header, kl_fork fork,
                            struct kl_arena *arena)
{
    kl_block block = {.header = *header, .has_withdrawals = fork >= KL_SHANGHAI};
    kl_out room = kl_out_of(KL_TAKE(arena, u8, 2 * KL_HEADER_RLP_MAX), 2 * KL_HEADER_RLP_MAX);
    if (!room.p)
        return KL_NOMEM;
    kl_block_encode(&room, &block);
    *out = kl_out_done(&room);
    return room.full ? KL_NOMEM : KL_OK;
}

static kl_status hold(struct kl_blocktree *tree, const kl_excerpt *x, kl_rule *broken)
{
    kl_span genesis;
    bool good;
    KL_TRY(bare_block(&genesis, &x->parent, x->fork, tree->arena));
    KL_TRY(kl_blocktree_begin(tree, genesis, x->pre, x->pre_count, &good));
    *broken = good ? KL_RULE_NONE : KL_RULE_BLOCK_STATE_ROOT;
    for (usize i = 0; i < x->count && *broken == KL_RULE_NONE; i++) {
        kl_rule also;
        KL_TRY(kl_blocktree_add(tree, x->blocks[i], broken, &also));
    }
    return KL_OK;
}

static kl_status judge_as_is(struct kl_excerpt_judge *judge, kl_excerpt *x, struct kl_arena *arena,
                             kl_rule *broken)
{
    struct kl_blocktree tree = {
        .world = judge->world, .run = judge->run, .arena = arena, .spec = x->spec};
    kl_status status = hold(&tree, x, broken);
    if (status == KL_OK && *broken == KL_RULE_NONE) {
        kl_hash root = {0};
        struct kl_delta *post;
        x->last_hash = tree.head->block.hash;
        status = kl_world_genesis(judge->world, x->post, x->post_count, false, arena, &post, &root);
        if (status == KL_OK)
            kl_delta_unref(post);
        if (!kl_hash_eq(&root, &tree.head->block.header.state_root))
            *broken = KL_RULE_BLOCK_STATE_ROOT;
    }
    kl_blocktree_done(&tree);
    return status;
}

/* The blocks on the anchor, one after the other. */
struct again {
    struct kl_block_hashes hashes;
    struct kl_excerpt_judge *judge;
    kl_excerpt *x;
    struct kl_arena *arena;
    struct kl_delta *delta;
    const kl_hash *known; /* of the blocks so far, the anchor's first */
    u64 first;            /* the anchor's number */
    usize known_count;
};

static kl_status hash_of(struct kl_block_hashes *hashes, u64 number, kl_hash *out)
{
    const struct again *a = (const struct again *)hashes;
    if (number + 1 == a->first)
        *out = a->x->parent.parent_hash;
    else
        *out = number >= a->first && number - a->first < a->known_count
                   ? a->known[number - a->first]
                   : (kl_hash){0};
    return KL_OK;
}

static kl_status run_on(struct again *a, kl_block *block, struct kl_view *view,
                        struct kl_delta_builder *builder, kl_run_result *result, kl_rule *broken)
{
    struct kl_run *run = a->judge->run;
    const kl_run_base base = {
        .spec = &a->x->spec, .header = &block->header, .view = view, .hashes = &a->hashes};
    KL_TRY(kl_run_begin(run, &base));
    for (usize i = 0; i < block->tx_count; i++) {
        *broken = kl_tx_recover(&block->txs[i], a->x->fork);
        if (*broken == KL_RULE_NONE)
            KL_TRY(kl_run_tx(run, &block->txs[i], NULL, NULL, broken));
        if (*broken != KL_RULE_NONE)
            return KL_OK;
    }
    const kl_run_tail tail = {.ommers = block->ommers,
                              .ommer_count = block->ommer_count,
                              .withdrawals = block->withdrawals,
                              .withdrawal_count = block->withdrawal_count,
                              .builder = builder,
                              .keep_preimages = true};
    return kl_run_end(run, &tail, result, broken);
}

static kl_status encode(struct again *a, const kl_block *block, usize index)
{
    usize room = block->rlp_len + KL_HEADER_RLP_MAX;
    kl_out out = kl_out_of(KL_TAKE(a->arena, u8, room), room);
    if (!out.p)
        return KL_NOMEM;
    kl_block_encode(&out, block);
    a->x->blocks[index] = kl_out_done(&out);
    return out.full ? KL_NOMEM : KL_OK;
}

/* Executes block `index` behind the last hash and puts what comes of it in its place. */
static kl_status again(struct again *a, usize index, kl_hash *hashes, kl_rule *broken)
{
    kl_block block;
    kl_run_result result;
    struct kl_view *view;
    struct kl_delta_builder *builder;
    KL_TRY(kl_block_decode(&block, a->x->blocks[index], &a->x->spec, a->arena, broken));
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    block.header.parent_hash = hashes[index];
    KL_TRY(kl_world_view(a->judge->world, a->delta, &view));
    kl_status status = kl_delta_begin(&builder, a->delta, kl_delta_version(a->delta) + 1);
    if (status == KL_OK) {
        status = run_on(a, &block, view, builder, &result, broken);
        struct kl_delta *next = NULL;
        if (status == KL_OK && *broken == KL_RULE_NONE)
            status = kl_delta_seal(builder, &next);
        else
            kl_delta_drop(builder);
        if (next) {
            kl_delta_unref(a->delta);
            a->delta = next;
        }
    }
    kl_view_close(view);
    if (status != KL_OK || *broken != KL_RULE_NONE)
        return status;
    kl_header *h = &block.header;
    h->gas_used = result.gas_used;
    h->state_root = result.state_root;
    h->receipts_root = result.receipts_root;
    h->logs_bloom = result.bloom;
    h->blob_gas_used = result.blob_gas_used;
    h->requests_hash = result.requests_hash;
    hashes[index + 1] = kl_header_hash(h);
    a->known_count = index + 2;
    return encode(a, &block, index);
}

static kl_status run_again(struct again *a, kl_rule *broken)
{
    kl_excerpt *x = a->x;
    kl_hash root, *hashes = KL_ZERO(a->arena, kl_hash, x->count + 1);
    if (!hashes)
        return KL_NOMEM;
    KL_TRY(
        kl_world_genesis(a->judge->world, x->pre, x->pre_count, true, a->arena, &a->delta, &root));
    x->parent.state_root = root;
    hashes[0] = kl_header_hash(&x->parent);
    a->known = hashes;
    a->known_count = 1;
    a->first = x->parent.number;
    *broken = KL_RULE_NONE;
    for (usize i = 0; i < x->count && *broken == KL_RULE_NONE; i++)
        KL_TRY(again(a, i, hashes, broken));
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    struct kl_view *view;
    KL_TRY(kl_world_view(a->judge->world, a->delta, &view));
    kl_status status = kl_state_dump(view, a->arena, &x->post, &x->post_count);
    kl_view_close(view);
    return status;
}

/* What the first block's header asks its parent for [EIP-1559]: gas used at the target leaves the
 * base fee as it is. */
static kl_rule ask_of_parent(kl_excerpt *x, struct kl_arena *arena, kl_status *status)
{
    kl_block block;
    kl_rule broken;
    *status = kl_block_decode(&block, x->blocks[0], &x->spec, arena, &broken);
    if (*status != KL_OK || broken != KL_RULE_NONE)
        return broken;
    x->parent.gas_limit = block.header.gas_limit;
    x->parent.gas_used = block.header.gas_limit / 2;
    x->parent.base_fee = block.header.base_fee;
    if (x->parent.timestamp >= block.header.timestamp)
        x->parent.timestamp = block.header.timestamp - 1;
    return KL_RULE_NONE;
}

static kl_status anchor(struct kl_excerpt_judge *judge, kl_excerpt *x, struct kl_arena *arena,
                        kl_rule *broken)
{
    struct again a = {.hashes.get = hash_of, .judge = judge, .x = x, .arena = arena};
    x->anchored = true;
    kl_status status = run_again(&a, broken);
    kl_delta_unref(a.delta);
    if (status != KL_OK || *broken != KL_RULE_NONE)
        return status;
    return judge_as_is(judge, x, arena, broken);
}

kl_status kl_excerpt_settle(struct kl_excerpt_judge *judge, kl_excerpt *x, struct kl_arena *arena,
                            kl_rule *broken)
{
    kl_status status;
    KL_TRY(judge_as_is(judge, x, arena, broken));
    if (*broken == KL_RULE_NONE)
        return KL_OK;
    KL_TRY(anchor(judge, x, arena, broken));
    if (*broken == KL_RULE_NONE)
        return KL_OK;
    *broken = ask_of_parent(x, arena, &status);
    if (status != KL_OK || *broken != KL_RULE_NONE)
        return status;
    return anchor(judge, x, arena, broken);
}
