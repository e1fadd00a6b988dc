/* Hashing goes level by level, leaves first, then the deepest branches: what a node refers to is
 * then known.  The nodes of a level, of all tries, are written side by side into a batch on the
 * stack and hashed together.  A level is cut into parts of fixed size, which workers may take; a
 * part writes nothing but the references of its own nodes, so who takes it does not matter. */
#include "trie/node_priv.h"

#include "crypto/keccak.h"

enum {
    BATCH_COUNT = 32,
    BATCH_ROOM = 24 * 544, /* 24 full branches */
    LEAF_HEAD_MAX = 96,
    PART = 96,             /* nodes in a part: four full batches of branches */
    SHARED_MIN = 4 * PART, /* a smaller level is not worth waking workers */
};

struct batch {
    u8 room[BATCH_ROOM];
    usize used, count;
    kl_span message[BATCH_COUNT];
    kl_trie_ref *ref[BATCH_COUNT];
};

static void flush(struct batch *batch)
{
    kl_hash hash[BATCH_COUNT];
    if (batch->count == 0)
        return;
    kl_keccak256_batch(hash, batch->message, batch->count);
    for (usize i = 0; i < batch->count; i++)
        kl_trie_ref_hash(batch->ref[i], &hash[i]);
    batch->used = 0;
    batch->count = 0;
}

/* Room for a node's head and tail; of a tail too long for any batch, for the head alone. */
static u8 *reserve(struct batch *batch, usize head_max, usize tail_len)
{
    usize need = head_max + (tail_len <= BATCH_ROOM - head_max ? tail_len : 0);
    if (batch->count == BATCH_COUNT || batch->used + need > BATCH_ROOM)
        flush(batch);
    return batch->room + batch->used;
}

/* Adds the node of a head written to reserved room, and a tail. */
static void add(struct batch *batch, kl_trie_ref *ref, kl_span head, kl_span tail)
{
    usize start = (usize)(head.p - batch->room), end = start + head.len;
    if (tail.len > BATCH_ROOM - end) {
        kl_keccak k;
        kl_keccak_init(&k);
        kl_keccak_add(&k, head);
        kl_keccak_add(&k, tail);
        kl_hash hash = kl_keccak_done(&k);
        kl_trie_ref_hash(ref, &hash);
        return;
    }
    if (tail.len)
        memcpy(batch->room + end, tail.p, tail.len);
    kl_span node = kl_span_of(head.p, head.len + tail.len);
    if (node.len < KL_TRIE_HASHED_MIN) {
        kl_trie_ref_node(ref, node);
        return;
    }
    batch->message[batch->count] = node;
    batch->ref[batch->count++] = ref;
    batch->used = start + node.len;
}

void kl_tree_refs(const u8 *refs[16], const struct kl_tree_branch *branch)
{
    for (unsigned n = 0; n < 16; n++) {
        kl_tree_child child = branch->child[n];
        if (!(branch->present >> n & 1))
            refs[n] = NULL;
        else if (branch->loaded >> n & 1)
            refs[n] = child.item->ref.rlp;
        else
            refs[n] = kl_entry_ref(child.entry, branch->below, branch->leaf >> n & 1);
    }
}

static void add_leaf(struct batch *batch, struct kl_tree_item *leaf)
{
    u8 *room = reserve(batch, LEAF_HEAD_MAX, leaf->value.len);
    kl_trie_path path = {leaf->key, leaf->from, leaf->to};
    add(batch, &leaf->ref, kl_trie_leaf_head(room, path, leaf->value), leaf->value);
}

static void add_branch(struct batch *batch, struct kl_tree_item *item)
{
    const u8 *refs[16];
    kl_tree_refs(refs, (const struct kl_tree_branch *)item);
    u8 *room = reserve(batch, KL_TRIE_HEAD_MAX, item->value.len);
    add(batch, &item->ref, kl_trie_branch_head(room, refs, item->value), item->value);
}

static void add_extension(struct batch *batch, struct kl_tree_item *item)
{
    u8 *room = reserve(batch, KL_TRIE_HEAD_MAX, 0);
    kl_trie_path path = {item->key, item->from, item->to};
    add(batch, &item->ref, kl_trie_extension(room, path, item->ref.rlp), KL_SPAN_NONE);
}

struct level {
    struct kl_tree_item **items;
    usize count;
    bool leaves;
};

static void hash_part(void *ctx, usize index)
{
    const struct level *level = ctx;
    usize start = index * PART, end = KL_MIN(start + PART, level->count);
    struct batch batch;
    batch.used = 0;
    batch.count = 0;
    for (usize i = start; i < end; i++) {
        if (level->leaves)
            add_leaf(&batch, level->items[i]);
        else
            add_branch(&batch, level->items[i]);
    }
    flush(&batch);
    for (usize i = start; i < end && !level->leaves; i++)
        if (level->items[i]->from < level->items[i]->to)
            add_extension(&batch, level->items[i]);
    flush(&batch);
}

kl_status kl_tree_hash(struct kl_tree_work *work, struct kl_workers *workers)
{
    for (usize l = KL_TREE_LEVELS; l-- > 0;) {
        struct level level = {.count = work->count[l], .leaves = l == KL_TREE_LEAVES};
        if (level.count == 0)
            continue;
        kl_arena_mark mark = kl_arena_here(work->arena);
        level.items = KL_TAKE(work->arena, struct kl_tree_item *, level.count);
        if (!level.items)
            return KL_NOMEM;
        usize i = 0;
        for (struct kl_tree_item *item = work->level[l]; item; item = item->next)
            level.items[i++] = item;
        kl_workers_run(level.count < SHARED_MIN ? NULL : workers, hash_part, &level,
                       (level.count + PART - 1) / PART);
        kl_arena_rewind(work->arena, mark);
    }
    return KL_OK;
}
