/* A range is judged by building the trie again: what lies outside of it is taken from the nodes on
 * the ways to its two ends, as references that nobody looks into; what lies inside is made of the
 * leaves alone, and whatever the nodes say of it is passed over.  When the trie has the root that
 * was asked about, the leaves are those of that root [EIP-1186 for the nodes; Ethereum's snap
 * protocol for the idea].
 *
 * The ways part once, so two nodes at most wait to be looked at, the left one first.  Each takes at
 * least one nibble of a key, so the walk is as long as two keys at most, whatever the nodes say. */
#include "trie/node_priv.h"

#include "crypto/keccak.h"

enum { NIBBLES = 64, WAITING_MAX = 2 };

/* A child that lies on the way to an end. */
struct place {
    struct kl_tree_branch *at;
    unsigned n;
    kl_span ref;
    bool left, right; /* its path is the start of first's, of last's */
};

struct judging {
    struct kl_tree tree;
    struct kl_tree_work work;
    struct kl_trie_source source;
    struct kl_arena *arena;
    kl_trie_range *range;
    const kl_hash *first, *last; /* last NULL: no leaves */
    usize used;                  /* nodes */
    struct place waiting[WAITING_MAX];
    usize waiting_count;
    kl_status status; /* KL_NOMEM */
};

static kl_status no_node(struct kl_trie_source *source, const kl_hash *owner, kl_span path,
                         kl_span *out)
{
    (void)source, (void)owner, (void)path, (void)out;
    return KL_NOTFOUND;
}

static kl_status no_leaf(struct kl_trie_source *source, const kl_hash *owner, const kl_hash *key,
                         kl_span *out)
{
    (void)source, (void)owner, (void)key, (void)out;
    return KL_NOTFOUND;
}

static kl_rule next_hashed(struct judging *j, const u8 *hash, kl_span *out)
{
    if (j->used == j->range->node_count)
        return KL_RULE_PROOF_SHORT;
    kl_span node = j->range->nodes[j->used];
    kl_hash got = kl_keccak256(node);
    if (memcmp(got.b, hash, sizeof got.b) != 0)
        return KL_RULE_PROOF_HASH;
    if (j->used > 0 && node.len < KL_TRIE_HASHED_MIN)
        return KL_RULE_PROOF_NODE;
    j->used++;
    *out = node;
    return KL_RULE_NONE;
}

static kl_rule read_ref(struct judging *j, kl_span ref, kl_trie_form *form)
{
    kl_span node = ref;
    if (ref.p[0] == KL_TRIE_TAG_HASH)
        KL_JUDGE(next_hashed(j, ref.p + 1, &node));
    return kl_trie_form_read(form, node);
}

/* A reference that stays closed.  It passes for a stored leaf that nobody has the value of, so that
 * a key that leads there ends in KL_CORRUPT. */
static void put_closed(struct judging *j, struct kl_tree_branch *at, unsigned n, kl_span ref)
{
    usize rest = kl_entry_leaf_rest(at->below);
    u8 *entry = KL_ZERO(j->arena, u8, rest + sizeof(kl_trie_ref));
    if (!entry) {
        j->status = KL_NOMEM;
        return;
    }
    memcpy(entry + rest, ref.p, ref.len);
    at->present |= 1u << n;
    at->leaf |= 1u << n;
    at->child[n].entry = entry;
}

/* Compares the path of a node with the part of an end's key that lies below depth. */
static int compare(const kl_trie_form *form, usize count, const kl_hash *key, usize depth)
{
    usize start = 2 * form->prefix.len - count;
    for (usize i = 0; i < count; i++) {
        unsigned a = kl_trie_nibble(form->prefix.p, start + i);
        unsigned b = kl_trie_nibble(key->b, depth + i);
        if (a != b)
            return a < b ? -1 : 1;
    }
    return 0;
}

/* A leaf or an extension on the way: where its keys lie.  -1 before the range, 1 behind it, 0
 * inside or still on the way, which left and right say. */
static int narrow(const struct judging *j, struct place *p, const kl_trie_form *form, usize count,
                  usize depth)
{
    int l = p->left ? compare(form, count, j->first, depth) : 1;
    int r = p->right ? compare(form, count, j->last, depth) : -1;
    p->left = l == 0;
    p->right = r == 0;
    return l < 0 ? -1 : r > 0 ? 1 : 0;
}

static void wait_for(struct judging *j, struct place place)
{
    KL_ASSERT(j->waiting_count < WAITING_MAX);
    j->waiting[j->waiting_count++] = place;
}

/* A branch on the way, below depth nibbles, becomes one in memory. */
static kl_rule open_branch(struct judging *j, const struct place *p, const kl_trie_form *form,
                           usize depth)
{
    struct kl_tree_branch *branch = KL_ZERO(j->arena, struct kl_tree_branch, 1);
    if (depth >= NIBBLES || form->value.len)
        return KL_RULE_PROOF_NODE;
    if (!branch) {
        j->status = KL_NOMEM;
        return KL_RULE_NONE;
    }
    *branch = (struct kl_tree_branch){
        .item = {.key = p->left ? j->first->b : j->last->b, .to = (u16)depth},
        .parent = p->at,
        .below = (unsigned)depth + 1,
    };
    p->at->present |= 1u << p->n;
    p->at->loaded |= 1u << p->n;
    p->at->child[p->n].item = &branch->item;
    for (unsigned m = 16; m-- > 0;) { /* the left one is the last to wait, and the next */
        int l = p->left ? (int)m - (int)kl_trie_nibble(j->first->b, depth) : 1;
        int r = p->right ? (int)m - (int)kl_trie_nibble(j->last->b, depth) : -1;
        if (!form->child[m].len)
            continue;
        if (l < 0 || r > 0)
            put_closed(j, branch, m, form->child[m]);
        else if (l == 0 || r == 0)
            wait_for(j, (struct place){branch, m, form->child[m], l == 0, r == 0});
        j->range->complete &= r <= 0;
    }
    return KL_RULE_NONE;
}

static kl_rule open_place(struct judging *j, struct place p)
{
    usize depth = p.at->below;
    kl_trie_form form;
    KL_JUDGE(read_ref(j, p.ref, &form));
    if (form.kind == KL_TRIE_BRANCH)
        return open_branch(j, &p, &form, depth);
    usize count = kl_trie_form_nibbles(&form);
    bool is_leaf = form.kind == KL_TRIE_LEAF;
    if (is_leaf ? depth + count != NIBBLES : depth + count >= NIBBLES)
        return KL_RULE_PROOF_NODE;
    int where = narrow(j, &p, &form, count, depth);
    j->range->complete &= where <= 0;
    if (where) {
        put_closed(j, p.at, p.n, p.ref);
        return KL_RULE_NONE;
    }
    if (is_leaf || !(p.left || p.right))
        return KL_RULE_NONE; /* inside */
    KL_JUDGE(read_ref(j, form.child[0], &form));
    return form.kind == KL_TRIE_BRANCH ? open_branch(j, &p, &form, depth + count)
                                       : KL_RULE_PROOF_NODE;
}

/* Puts into memory what lies outside. */
static kl_rule open_ways(struct judging *j, const kl_hash *root)
{
    u8 ref[33];
    ref[0] = KL_TRIE_TAG_HASH;
    memcpy(ref + 1, root->b, sizeof root->b);
    wait_for(j, (struct place){&j->tree.above, 0, KL_SPAN_OF(ref), true, j->last != NULL});
    while (j->waiting_count && j->status == KL_OK)
        KL_JUDGE(open_place(j, j->waiting[--j->waiting_count]));
    return j->used < j->range->node_count ? KL_RULE_PROOF_TRAILING : KL_RULE_NONE;
}

static kl_rule judge_leaves(const kl_trie_range *range, const kl_hash *first)
{
    for (usize i = 0; i < range->count; i++) {
        const kl_trie_change *leaf = &range->leaves[i];
        int order = memcmp(leaf->key.b, i ? leaf[-1].key.b : first->b, sizeof leaf->key.b);
        if (order < 0 || (i && order == 0) || !leaf->value.len ||
            leaf->value.len > KL_TRIE_VALUE_MAX)
            return KL_RULE_PROOF_RANGE;
    }
    return KL_RULE_NONE;
}

/* Puts what lies inside, and hashes.  The way to first is gone down in any case, so that what is in
 * memory of it is hashed. */
static kl_status build(struct judging *j, kl_hash *root)
{
    const kl_trie_range *range = j->range;
    if (!range->count || !kl_hash_eq(&range->leaves[0].key, j->first))
        KL_TRY(kl_tree_set(&j->tree, j->first->b, NIBBLES, KL_SPAN_NONE));
    for (usize i = 0; i < range->count; i++)
        KL_TRY(kl_tree_set(&j->tree, range->leaves[i].key.b, NIBBLES, range->leaves[i].value));
    KL_TRY(kl_tree_close(&j->tree));
    KL_TRY(kl_tree_hash(&j->work, NULL));
    *root = kl_tree_root(&j->tree);
    return KL_OK;
}

kl_status kl_trie_check_range(kl_trie_range *range, const kl_hash *root, const kl_hash *first,
                              struct kl_arena *scratch, kl_rule *broken)
{
    struct judging *j = KL_ZERO(scratch, struct judging, 1);
    kl_hash made;
    if (!j)
        return KL_NOMEM;
    j->source = (struct kl_trie_source){.node = no_node, .leaf = no_leaf};
    j->arena = scratch;
    j->range = range;
    j->first = first;
    j->last = range->count ? &range->leaves[range->count - 1].key : NULL;
    j->status = KL_OK;
    range->complete = true;
    kl_tree_work_init(&j->work, scratch, &j->source);
    KL_TRY(kl_tree_open(&j->tree, &j->work, NULL, true));
    *broken = judge_leaves(range, first);
    if (*broken == KL_RULE_NONE && range->node_count)
        *broken = open_ways(j, root);
    KL_TRY(j->status);
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    kl_status status = build(j, &made);
    if (status != KL_OK && status != KL_CORRUPT)
        return status;
    if (status == KL_CORRUPT || !kl_hash_eq(&made, root))
        *broken = KL_RULE_PROOF_HASH;
    return KL_OK;
}
