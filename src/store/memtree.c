/* A B+tree with copy on write.
 *
 * Leaves hold pointers to entries in key order.  An inner node holds children and, for each child
 * but the first, a separator: a key greater than all keys in the child before and not greater than
 * any in its own.  Beside each key pointer lies its head, the key's first 8 bytes as a number, so
 * that most comparisons stay inside the node.  Full nodes are split on the way down; a node goes
 * away when it is empty, and is never merged with another: state shrinks seldom, and a sparse tree
 * is still correct.  The depth grows only when the root is full, which bounds it by the number of
 * insertions that ever happened. */
#include "store/memtree_priv.h"

#include <stdlib.h>

enum { FAN = 32, DEPTH_MAX = KL_MEMTREE_DEPTH_MAX };

struct kl_memtree_entry {
    struct kl_memtree_piece piece;
    u32 value_len;
    u16 key_len;
    u8 bytes[]; /* the key, then the value */
};

struct kl_memtree_node {
    struct kl_memtree_piece piece;
    u16 count;
    bool leaf;
    u64 head[FAN];
    struct kl_memtree_entry *key[FAN];
    struct kl_memtree_node *child[]; /* FAN of them unless leaf; key[0] is then NULL */
};

static kl_span key_of(const struct kl_memtree_entry *entry)
{
    return kl_span_of(entry->bytes, entry->key_len);
}

static kl_span value_of(const struct kl_memtree_entry *entry)
{
    return kl_span_of(entry->bytes + entry->key_len, entry->value_len);
}

/* The first 8 bytes, padded with zeros: orders keys as far as it goes. */
static u64 head_of(kl_span key)
{
    u8 b[8] = {0};
    if (key.len)
        memcpy(b, key.p, KL_MIN(key.len, sizeof b));
    return kl_load_be64(b);
}

static bool at_most(const struct kl_memtree_node *node, unsigned slot, u64 head, kl_span key)
{
    if (node->head[slot] != head)
        return node->head[slot] < head;
    return kl_span_cmp(key_of(node->key[slot]), key) <= 0;
}

/* How many of node's keys are <= key; the first child of an inner node counts as one. */
static unsigned rank_of(const struct kl_memtree_node *node, kl_span key)
{
    u64 head = head_of(key);
    unsigned low = node->leaf ? 0 : 1, high = node->count;
    while (low < high) {
        unsigned mid = (low + high) / 2;
        if (at_most(node, mid, head, key))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Whether slot rank - 1 of a leaf holds key itself. */
static bool hits(const struct kl_memtree_node *leaf, unsigned rank, kl_span key)
{
    return rank > 0 && kl_span_eq(key_of(leaf->key[rank - 1]), key);
}

static const struct kl_memtree_node *leaf_of(const struct kl_memtree_node *node, kl_span key)
{
    while (node && !node->leaf)
        node = node->child[rank_of(node, key) - 1];
    return node;
}

bool kl_memtree_get(const struct kl_memtree_node *root, kl_span key, kl_span *value)
{
    const struct kl_memtree_node *leaf = leaf_of(root, key);
    unsigned rank = leaf ? rank_of(leaf, key) : 0;
    if (!leaf || !hits(leaf, rank, key))
        return false;
    *value = value_of(leaf->key[rank - 1]);
    return true;
}

static void *make(struct kl_memtree_change *change, usize bytes)
{
    struct kl_memtree_piece *piece = malloc(bytes);
    if (!piece)
        return NULL;
    *piece = (struct kl_memtree_piece){
        .next = change->fresh, .born = change->number, .bytes = (u32)bytes};
    change->fresh = piece;
    atomic_fetch_add_explicit(change->bytes, bytes, memory_order_relaxed);
    return piece;
}

static void drop(struct kl_memtree_change *change, struct kl_memtree_piece *piece)
{
    if (piece->born == change->number) {
        piece->dead = true;
        return;
    }
    piece->next = change->old;
    change->old = piece;
}

static struct kl_memtree_entry *make_entry(struct kl_memtree_change *change, kl_span key,
                                           usize value_len)
{
    struct kl_memtree_entry *entry = make(change, sizeof *entry + key.len + value_len);
    if (!entry)
        return NULL;
    entry->key_len = (u16)key.len;
    entry->value_len = (u32)value_len;
    memcpy(entry->bytes, key.p, key.len);
    return entry;
}

static struct kl_memtree_node *make_node(struct kl_memtree_change *change, bool leaf)
{
    struct kl_memtree_node *node =
        make(change, sizeof *node + (leaf ? 0 : FAN * sizeof(struct kl_memtree_node *)));
    if (!node)
        return NULL;
    node->count = 0;
    node->leaf = leaf;
    return node;
}

static void copy_slots(struct kl_memtree_node *to, unsigned to_slot,
                       const struct kl_memtree_node *from, unsigned slot, unsigned n)
{
    memmove(to->head + to_slot, from->head + slot, n * sizeof to->head[0]);
    memmove(to->key + to_slot, from->key + slot, n * sizeof to->key[0]);
    if (!to->leaf)
        memmove(to->child + to_slot, from->child + slot, n * sizeof to->child[0]);
}

/* Puts into *link a node that this change set may write: *link itself, or a copy. */
static kl_status own(struct kl_memtree_change *change, struct kl_memtree_node **link)
{
    struct kl_memtree_node *from = *link;
    if (from->piece.born == change->number)
        return KL_OK;
    struct kl_memtree_node *copy = make_node(change, from->leaf);
    if (!copy)
        return KL_NOMEM;
    copy->count = from->count;
    copy_slots(copy, 0, from, 0, from->count);
    drop(change, &from->piece);
    *link = copy;
    return KL_OK;
}

/* Opens a gap at slot and fills it; child is NULL for leaves. */
static void insert(struct kl_memtree_node *node, unsigned slot, struct kl_memtree_entry *key,
                   struct kl_memtree_node *child)
{
    KL_ASSERT(node->count < FAN && slot <= node->count);
    copy_slots(node, slot + 1, node, slot, node->count - slot);
    node->head[slot] = head_of(key_of(key));
    node->key[slot] = key;
    if (child)
        node->child[slot] = child;
    node->count++;
}

/* A key as short as possible that is > low and <= high, where low < high. */
static struct kl_memtree_entry *make_separator(struct kl_memtree_change *change, kl_span low,
                                               kl_span high)
{
    usize same = 0;
    while (same < low.len && low.p[same] == high.p[same])
        same++;
    return make_entry(change, kl_span_sub(high, 0, same + 1), 0);
}

/* Splits the full child at slot of parent, which has room; both are owned.  When the key to come
 * lies behind all others, almost all stay in the left half: keys added in order pack densely. */
static kl_status split(struct kl_memtree_change *change, struct kl_memtree_node *parent,
                       unsigned slot, kl_span key)
{
    struct kl_memtree_node *left = parent->child[slot];
    unsigned at = rank_of(left, key) == FAN ? FAN - 1 : FAN / 2;
    struct kl_memtree_node *right = make_node(change, left->leaf);
    struct kl_memtree_entry *separator =
        left->leaf ? make_separator(change, key_of(left->key[at - 1]), key_of(left->key[at]))
                   : left->key[at];
    if (!right || !separator)
        return KL_NOMEM;
    right->count = (u16)(FAN - at);
    copy_slots(right, 0, left, at, FAN - at);
    left->count = (u16)at;
    if (!right->leaf)
        right->key[0] = NULL;
    insert(parent, slot + 1, separator, right);
    return KL_OK;
}

/* A root above the full root, which then can be split like every other node. */
static kl_status raise_root(struct kl_memtree_change *change, struct kl_memtree_node **root)
{
    struct kl_memtree_node *above = make_node(change, false);
    if (!above)
        return KL_NOMEM;
    above->count = 1;
    above->head[0] = 0;
    above->key[0] = NULL;
    above->child[0] = *root;
    *root = above;
    return KL_OK;
}

/* The owned leaf where key belongs, with room for one more key. */
static kl_status open_leaf(struct kl_memtree_change *change, struct kl_memtree_node **root,
                           kl_span key, struct kl_memtree_node **out)
{
    if (!*root) {
        struct kl_memtree_node *first = make_node(change, true);
        if (!first)
            return KL_NOMEM;
        *out = *root = first;
        return KL_OK;
    }
    KL_TRY(own(change, root));
    if ((*root)->count == FAN)
        KL_TRY(raise_root(change, root));
    struct kl_memtree_node *node = *root;
    while (!node->leaf) {
        unsigned slot = rank_of(node, key) - 1;
        KL_TRY(own(change, &node->child[slot]));
        if (node->child[slot]->count == FAN) {
            KL_TRY(split(change, node, slot, key));
            slot = rank_of(node, key) - 1;
        }
        node = node->child[slot];
    }
    *out = node;
    return KL_OK;
}

kl_status kl_memtree_reserve(struct kl_memtree_change *change, struct kl_memtree_node **root,
                             kl_span key, usize value_len, u8 **room)
{
    struct kl_memtree_node *leaf;
    KL_TRY(open_leaf(change, root, key, &leaf));
    struct kl_memtree_entry *entry = make_entry(change, key, value_len);
    if (!entry)
        return KL_NOMEM;
    unsigned rank = rank_of(leaf, key);
    if (hits(leaf, rank, key)) {
        drop(change, &leaf->key[rank - 1]->piece);
        leaf->key[rank - 1] = entry;
    } else {
        insert(leaf, rank, entry, NULL);
    }
    *room = entry->bytes + key.len;
    return KL_OK;
}

/* Closes the gap at slot of an owned node; its key (if it has one) is given up. */
static void take_out(struct kl_memtree_change *change, struct kl_memtree_node *node, unsigned slot)
{
    if (node->key[slot])
        drop(change, &node->key[slot]->piece);
    node->count--;
    copy_slots(node, slot, node, slot + 1, node->count - slot);
    if (!node->leaf && slot == 0 && node->count > 0) {
        drop(change, &node->key[0]->piece);
        node->key[0] = NULL;
    }
}

kl_status kl_memtree_del(struct kl_memtree_change *change, struct kl_memtree_node **root,
                         kl_span key)
{
    kl_span ignored;
    if (!kl_memtree_get(*root, key, &ignored))
        return KL_OK;
    struct kl_memtree_node *path[DEPTH_MAX];
    unsigned slot[DEPTH_MAX], depth = 0;
    for (struct kl_memtree_node **link = root;; link = &path[depth]->child[slot[depth]], depth++) {
        KL_ASSERT(depth < DEPTH_MAX);
        KL_TRY(own(change, link));
        path[depth] = *link;
        slot[depth] = rank_of(*link, key) - 1;
        if ((*link)->leaf)
            break;
    }
    for (;; depth--) {
        take_out(change, path[depth], slot[depth]);
        if (path[depth]->count > 0)
            break;
        drop(change, &path[depth]->piece);
        if (depth == 0) {
            *root = NULL;
            return KL_OK;
        }
    }
    while (!(*root)->leaf && (*root)->count == 1) {
        struct kl_memtree_node *above = *root;
        *root = above->child[0];
        drop(change, &above->piece);
    }
    return KL_OK;
}

static void free_piece(struct kl_memtree_piece *piece, _Atomic u64 *bytes)
{
    atomic_fetch_sub_explicit(bytes, piece->bytes, memory_order_relaxed);
    free(piece);
}

void kl_memtree_free_list(struct kl_memtree_piece *list, _Atomic u64 *bytes)
{
    while (list) {
        struct kl_memtree_piece *next = list->next;
        free_piece(list, bytes);
        list = next;
    }
}

void kl_memtree_keep(struct kl_memtree_change *change)
{
    while (change->fresh) {
        struct kl_memtree_piece *piece = change->fresh;
        change->fresh = piece->next;
        if (piece->dead)
            free_piece(piece, change->bytes);
    }
}

void kl_memtree_undo(struct kl_memtree_change *change)
{
    kl_memtree_free_list(change->fresh, change->bytes);
    change->fresh = NULL;
    change->old = NULL;
}

/* Goes down to the leftmost leaf under the node at the lowest level of walk. */
static void dive(struct kl_memtree_walk *walk)
{
    for (;;) {
        const struct kl_memtree_node *node = walk->node[walk->depth - 1];
        if (node->leaf)
            return;
        KL_ASSERT(walk->depth < DEPTH_MAX);
        walk->node[walk->depth] = node->child[walk->slot[walk->depth - 1]];
        walk->slot[walk->depth++] = 0;
    }
}

/* Where the lowest level is used up, goes on to the next leaf; depth 0 when there is none. */
static void climb(struct kl_memtree_walk *walk)
{
    while (walk->depth && walk->slot[walk->depth - 1] == walk->node[walk->depth - 1]->count) {
        walk->depth--;
        if (walk->depth)
            walk->slot[walk->depth - 1]++;
    }
    if (walk->depth)
        dive(walk);
}

void kl_memtree_seek(struct kl_memtree_walk *walk, const struct kl_memtree_node *root, kl_span key)
{
    walk->depth = 0;
    for (const struct kl_memtree_node *node = root; node;) {
        KL_ASSERT(walk->depth < DEPTH_MAX);
        unsigned rank = rank_of(node, key);
        unsigned slot = !node->leaf || hits(node, rank, key) ? rank - 1 : rank;
        walk->node[walk->depth] = node;
        walk->slot[walk->depth++] = slot;
        node = node->leaf ? NULL : node->child[slot];
    }
    climb(walk);
}

bool kl_memtree_next(struct kl_memtree_walk *walk, kl_span *key, kl_span *value)
{
    if (walk->depth == 0)
        return false;
    unsigned at = walk->depth - 1;
    const struct kl_memtree_entry *entry = walk->node[at]->key[walk->slot[at]++];
    *key = key_of(entry);
    *value = value_of(entry);
    climb(walk);
    return true;
}

void kl_memtree_free(struct kl_memtree_node *root, _Atomic u64 *bytes)
{
    struct kl_memtree_node *path[DEPTH_MAX];
    unsigned depth = 0;
    if (root)
        path[depth++] = root;
    while (depth) {
        struct kl_memtree_node *node = path[depth - 1];
        if (node->count == 0) {
            free_piece(&node->piece, bytes);
            depth--;
            continue;
        }
        node->count--;
        if (node->key[node->count])
            free_piece(&node->key[node->count]->piece, bytes);
        if (!node->leaf) {
            KL_ASSERT(depth < DEPTH_MAX);
            path[depth++] = node->child[node->count];
        }
    }
}
