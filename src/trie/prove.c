/* A proof is rebuilt from the stored nodes.  It is then checked like anybody's, so that damaged
 * nodes give KL_CORRUPT and not a proof that others would refuse. */
#include "trie/prove_priv.h"

#include "crypto/keccak.h"

/* Appends a node given as head and tail, which stands below `depth` nibbles, unless it is there
 * already or stands inside its parent. */
static kl_status append(struct kl_proof *proof, usize depth, kl_span head, kl_span tail)
{
    usize len = head.len + tail.len;
    if (depth < proof->shared || (proof->count > 0 && len < KL_TRIE_HASHED_MIN))
        return KL_OK;
    u8 *p = KL_TAKE(proof->arena, u8, len);
    if (!p)
        return KL_NOMEM;
    KL_ASSERT(proof->count < KL_PROOF_MAX);
    memcpy(p, head.p, head.len);
    if (tail.len)
        memcpy(p + head.len, tail.p, tail.len);
    proof->nodes[proof->count++] = kl_span_of(p, len);
    return KL_OK;
}

static kl_status append_leaf(struct kl_proof *proof, struct kl_tree_work *work,
                             const struct kl_tree_branch *at, unsigned n)
{
    u8 room[KL_TRIE_HEAD_MAX];
    struct kl_tree_item *leaf = at->child[n].item;
    KL_TRY(kl_tree_fetch(work, at->owner, leaf));
    kl_trie_path path = {leaf->key, at->below, leaf->to};
    return append(proof, at->below, kl_trie_leaf_head(room, path, leaf->value), leaf->value);
}

/* The extension to child n of at, where it has one, and the child itself if key goes there. */
static kl_status append_branch(struct kl_proof *proof, const struct kl_tree_branch *at, unsigned n,
                               bool through)
{
    u8 room[KL_TRIE_HEAD_MAX], extension_room[KL_TRIE_HEAD_MAX];
    const u8 *refs[16];
    const struct kl_tree_item *item = at->child[n].item;
    kl_tree_refs(refs, (const struct kl_tree_branch *)item);
    kl_span node = kl_trie_branch_head(room, refs, KL_SPAN_NONE);
    if (item->to > at->below) {
        kl_trie_ref ref;
        kl_trie_ref_node(&ref, node);
        kl_trie_path path = {item->key, at->below, item->to};
        KL_TRY(append(proof, at->below, kl_trie_extension(extension_room, path, ref.rlp),
                      KL_SPAN_NONE));
    }
    return through ? append(proof, item->to, node, KL_SPAN_NONE) : KL_OK;
}

kl_status kl_proof_walk(struct kl_proof *proof, struct kl_tree *tree, const kl_hash *key)
{
    struct kl_tree_branch *at = &tree->above;
    for (;;) {
        unsigned n = kl_tree_slot(at, key->b);
        if (!(at->present >> n & 1))
            return KL_OK;
        bool through = kl_tree_reaches(at, n, key->b, 2 * sizeof key->b);
        KL_TRY(kl_tree_load(tree->work, at, n));
        if (at->leaf >> n & 1)
            return append_leaf(proof, tree->work, at, n);
        KL_TRY(append_branch(proof, at, n, through));
        if (!through)
            return KL_OK;
        at = (struct kl_tree_branch *)at->child[n].item;
    }
}

static bool holds(const struct kl_proof *proof, const kl_hash *key)
{
    kl_span value;
    kl_hash root = proof->count ? kl_keccak256(proof->nodes[0]) : kl_keccak_empty_rlp;
    return kl_trie_check(&value, &root, kl_hash_span(key), proof->nodes, proof->count) ==
           KL_RULE_NONE;
}

kl_status kl_trie_prove(const kl_span **nodes, usize *count, const kl_hash *owner,
                        const kl_hash *key, struct kl_trie_source *source, struct kl_arena *arena)
{
    struct kl_tree_work *work = KL_TAKE(arena, struct kl_tree_work, 1);
    struct kl_proof proof = {.arena = arena, .nodes = KL_TAKE(arena, kl_span, KL_PROOF_MAX)};
    struct kl_tree tree;
    if (!work || !proof.nodes)
        return KL_NOMEM;
    kl_tree_work_init(work, arena, source);
    KL_TRY(kl_tree_open(&tree, work, owner, false));
    KL_TRY(kl_proof_walk(&proof, &tree, key));
    if (!holds(&proof, key))
        return KL_CORRUPT;
    *nodes = proof.nodes;
    *count = proof.count;
    return KL_OK;
}
