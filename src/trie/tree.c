#include "trie/node_priv.h"

#include "crypto/keccak.h"

void kl_tree_work_init(struct kl_tree_work *work, struct kl_arena *arena,
                       struct kl_trie_source *source)
{
    *work = (struct kl_tree_work){.arena = arena, .source = source};
}

/* How many nibbles two keys have in common from the start. */
static usize common(const u8 *a, usize a_to, const u8 *b, usize b_to)
{
    usize most = KL_MIN(a_to, b_to), i = 0;
    while (i + 16 <= most && kl_load_be64(a + i / 2) == kl_load_be64(b + i / 2))
        i += 16;
    while (i + 2 <= most && a[i / 2] == b[i / 2])
        i += 2;
    return i + (i < most && (a[i / 2] ^ b[i / 2]) < 16);
}

static struct kl_tree_branch *branch_of(struct kl_tree_item *item)
{
    return (struct kl_tree_branch *)item;
}

static void put_child(struct kl_tree_branch *at, unsigned n, struct kl_tree_item *item, bool leaf)
{
    unsigned bit = 1u << n;
    at->present |= bit;
    at->loaded |= bit;
    at->leaf = leaf ? at->leaf | bit : at->leaf & ~bit;
    at->child[n].item = item;
    if (!leaf)
        branch_of(item)->parent = at;
}

static void drop_child(struct kl_tree_branch *at, unsigned n)
{
    at->present &= ~(1u << n);
    at->loaded &= ~(1u << n);
    at->leaf &= ~(1u << n);
}

static struct kl_tree_item *make_leaf(struct kl_tree_work *work, const u8 *key, usize to,
                                      kl_span value)
{
    struct kl_tree_item *leaf = KL_TAKE(work->arena, struct kl_tree_item, 1);
    if (leaf)
        *leaf = (struct kl_tree_item){.key = key, .value = value, .to = (u16)to};
    return leaf;
}

static struct kl_tree_branch *make_branch(struct kl_tree_work *work, const kl_hash *owner,
                                          const u8 *key, usize depth)
{
    struct kl_tree_branch *branch = KL_ZERO(work->arena, struct kl_tree_branch, 1);
    if (!branch)
        return NULL;
    branch->item.key = key;
    branch->item.to = (u16)depth;
    branch->below = (unsigned)depth + 1;
    branch->owner = owner;
    return branch;
}

static kl_status read_node(struct kl_tree_work *work, const kl_hash *owner, const u8 *key,
                           usize depth, kl_span *out)
{
    u8 path[KL_TRIE_NIBBLES_MAX];
    for (usize i = 0; i < (depth + 1) / 2; i++) {
        path[2 * i] = key[i] >> 4;
        path[2 * i + 1] = key[i] & 15;
    }
    return work->source->node(work->source, owner, kl_span_of(path, depth), out);
}

static kl_status load_branch(struct kl_tree_work *work, struct kl_tree_branch *at, unsigned n,
                             const u8 *key)
{
    usize depth = at->child[n].entry[0];
    struct kl_tree_branch *branch = make_branch(work, at->owner, key, depth);
    if (!branch)
        return KL_NOMEM;
    kl_status status = read_node(work, at->owner, key, depth, &branch->stored);
    if (status == KL_NOTFOUND)
        return KL_CORRUPT;
    KL_TRY(status);
    if (!kl_node_read(branch, branch->stored, (unsigned)depth))
        return KL_CORRUPT;
    put_child(at, n, &branch->item, false);
    return KL_OK;
}

kl_status kl_tree_load(struct kl_tree_work *work, struct kl_tree_branch *at, unsigned n)
{
    if (at->loaded >> n & 1)
        return KL_OK;
    kl_hash *key = KL_TAKE(work->arena, kl_hash, 1);
    if (!key)
        return KL_NOMEM;
    *key = kl_entry_key(at, n);
    if (!(at->leaf >> n & 1))
        return load_branch(work, at, n, key->b);
    struct kl_tree_item *leaf = make_leaf(work, key->b, 2 * sizeof *key, KL_SPAN_NONE);
    if (!leaf)
        return KL_NOMEM;
    put_child(at, n, leaf, true);
    return KL_OK;
}

kl_status kl_tree_fetch(struct kl_tree_work *work, const kl_hash *owner, struct kl_tree_item *leaf)
{
    kl_hash key;
    kl_span value;
    memcpy(key.b, leaf->key, sizeof key.b);
    kl_status status = work->source->leaf(work->source, owner, &key, &value);
    if (status == KL_NOTFOUND)
        return KL_CORRUPT;
    KL_TRY(status);
    if (value.len == 0 || value.len > KL_TRIE_VALUE_MAX)
        return KL_CORRUPT;
    leaf->value = value;
    return KL_OK;
}

bool kl_tree_reaches(const struct kl_tree_branch *at, unsigned n, const u8 *key, usize to)
{
    if (!(at->loaded >> n & 1))
        return kl_entry_reaches(at, n, key);
    const struct kl_tree_item *item = at->child[n].item;
    return common(item->key, item->to, key, to) == item->to &&
           (!(at->leaf >> n & 1) || item->to == to);
}

/* What is in memory below a branch that stays will not change any more. */
static kl_status list_children(struct kl_tree_work *work, struct kl_tree_branch *branch)
{
    for (unsigned left = branch->loaded; left; left &= left - 1) {
        unsigned n = (unsigned)__builtin_ctz(left);
        struct kl_tree_item *item = branch->child[n].item;
        bool leaf = branch->leaf >> n & 1;
        if (leaf && item->value.len == 0)
            KL_TRY(kl_tree_fetch(work, branch->owner, item));
        usize level = leaf ? KL_TREE_LEAVES : item->to;
        item->from = (u16)branch->below;
        item->next = work->level[level];
        work->level[level] = item;
        work->count[level]++;
    }
    return KL_OK;
}

/* Closes the branch the cursor stands on, and goes up. */
static kl_status leave(struct kl_tree *tree)
{
    struct kl_tree_branch *branch = tree->cursor, *up = branch->parent;
    unsigned n = kl_tree_slot(up, branch->item.key);
    int count = __builtin_popcount(branch->present);
    tree->cursor = up;
    if (count + (branch->item.value.len > 0) >= 2)
        return list_children(tree->work, branch);
    if (branch->stored.len) {
        branch->item.next = tree->work->dead ? &tree->work->dead->item : NULL;
        tree->work->dead = branch;
    }
    drop_child(up, n);
    if (count == 1) {
        unsigned only = (unsigned)__builtin_ctz(branch->present);
        KL_TRY(kl_tree_load(tree->work, branch, only));
        put_child(up, n, branch->child[only].item, branch->leaf >> only & 1);
    }
    return KL_OK;
}

kl_status kl_tree_open(struct kl_tree *tree, struct kl_tree_work *work, const kl_hash *owner,
                       bool fresh)
{
    *tree = (struct kl_tree){.work = work, .above = {.owner = owner}, .cursor = &tree->above};
    if (fresh)
        return KL_OK;
    kl_status status = read_node(work, owner, NULL, 0, &tree->stored);
    if (status == KL_NOTFOUND) {
        tree->stored = KL_SPAN_NONE;
        return KL_OK;
    }
    KL_TRY(status);
    struct kl_tree_branch *top = make_branch(work, owner, kl_keccak_empty.b, 0);
    if (!top)
        return KL_NOMEM;
    if (!kl_node_read(top, tree->stored, 0))
        return KL_CORRUPT;
    if (top->below == 0) {
        tree->above.present = top->present;
        tree->above.leaf = top->leaf;
        tree->above.child[0] = top->child[0];
        return KL_OK;
    }
    top->stored = tree->stored;
    put_child(&tree->above, 0, &top->item, false);
    return KL_OK;
}

/* Puts a branch between at and its child n, where the child's path and key part. */
static kl_status split(struct kl_tree_work *work, struct kl_tree_branch *at, unsigned n,
                       const u8 *key, usize to)
{
    struct kl_tree_item *item = at->child[n].item;
    bool leaf = at->leaf >> n & 1;
    usize depth = common(item->key, item->to, key, to);
    struct kl_tree_branch *branch = make_branch(work, at->owner, key, depth);
    if (!branch)
        return KL_NOMEM;
    if (depth == item->to)
        branch->item.value = item->value;
    else
        put_child(branch, kl_tree_slot(branch, item->key), item, leaf);
    put_child(at, n, &branch->item, false);
    return KL_OK;
}

/* Moves the cursor up to where key is below it. */
static kl_status follow(struct kl_tree *tree, const u8 *key, usize to)
{
    if (tree->last) {
        usize same = common(tree->last, tree->last_to, key, to);
        KL_ASSERT(same < to && (same == tree->last_to ||
                                kl_trie_nibble(key, same) > kl_trie_nibble(tree->last, same)));
        while (tree->cursor->below > same + 1)
            KL_TRY(leave(tree));
    }
    tree->last = key;
    tree->last_to = to;
    return KL_OK;
}

kl_status kl_tree_set(struct kl_tree *tree, const u8 *key, usize to, kl_span value)
{
    KL_TRY(follow(tree, key, to));
    for (;;) {
        struct kl_tree_branch *at = tree->cursor;
        unsigned n = kl_tree_slot(at, key);
        bool present = at->present >> n & 1, leaf = at->leaf >> n & 1;
        bool through = present && kl_tree_reaches(at, n, key, to);
        if (value.len == 0 && !through)
            return KL_OK;
        if (value.len == 0 && leaf) {
            drop_child(at, n);
            return KL_OK;
        }
        if (!present || (leaf && through)) {
            struct kl_tree_item *made = make_leaf(tree->work, key, to, value);
            if (!made)
                return KL_NOMEM;
            put_child(at, n, made, true);
            return KL_OK;
        }
        KL_TRY(kl_tree_load(tree->work, at, n));
        if (!through)
            KL_TRY(split(tree->work, at, n, key, to));
        tree->cursor = branch_of(at->child[n].item);
    }
}

kl_status kl_tree_close(struct kl_tree *tree)
{
    while (tree->cursor != &tree->above)
        KL_TRY(leave(tree));
    return list_children(tree->work, &tree->above);
}

kl_hash kl_tree_root(const struct kl_tree *tree)
{
    const struct kl_tree_branch *above = &tree->above;
    if (!above->present)
        return kl_keccak_empty_rlp;
    return kl_trie_ref_root(above->loaded ? above->child[0].item->ref.rlp
                                          : kl_entry_ref(above->child[0].entry, 0, above->leaf));
}
