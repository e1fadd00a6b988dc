/* twin: the slow second implementation that tests compare with, and stored tries in memory.
 *
 * The twin hashes a sorted array of pairs from scratch, by recursion over nibbles as the Yellow
 * Paper writes it down, and names the nodes that must be stored.  It shares no code with the layer.
 * Only tests, fuzz targets and the benchmark include this. */
#ifndef KL_TRIE_TWIN_PRIV_H
#define KL_TRIE_TWIN_PRIV_H

#include <stdlib.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/rand.h"
#include "crypto/keccak.h"
#include "trie/trie.h"

/* Stored nodes and leaves, of any tries.  A key is owner (zeros for none), how many nibbles the
 * path has (TWIN_LEAF for a leaf), and 64 nibbles packed. */
enum { TWIN_LEAF = 0xff, TWIN_KEY = 32 + 1 + 32 };

struct twin_entry {
    u8 key[TWIN_KEY];
    usize len;
    u8 bytes[];
};

struct twin_store {
    struct kl_map map;
    usize reads, fail_read; /* the fail_read-th read fails; 0: none does */
};

static inline void twin_store_init(struct twin_store *store)
{
    *store = (struct twin_store){0};
    kl_map_init(&store->map, offsetof(struct twin_entry, key), TWIN_KEY, 7);
}

static inline void twin_store_clear(struct twin_store *store)
{
    usize cursor = 0;
    for (void *entry = kl_map_next(&store->map, &cursor); entry;
         entry = kl_map_next(&store->map, &cursor))
        free(entry);
    kl_map_clear(&store->map);
}

static inline void twin_store_done(struct twin_store *store)
{
    twin_store_clear(store);
    kl_map_done(&store->map);
}

static inline void twin_key(u8 *out, const kl_hash *owner, kl_span path, u8 kind)
{
    memset(out, 0, TWIN_KEY);
    if (owner)
        memcpy(out, owner->b, sizeof owner->b);
    out[32] = kind;
    for (usize i = 0; i < path.len; i++)
        out[33 + i / 2] |= (u8)(path.p[i] << (i % 2 ? 0 : 4));
}

/* Puts or, with an empty value, takes away. */
static inline void twin_put(struct twin_store *store, const u8 *key, kl_span value)
{
    free(kl_map_take(&store->map, key));
    if (value.len == 0)
        return;
    struct twin_entry *entry = malloc(sizeof *entry + value.len);
    KL_ASSERT(entry);
    memcpy(entry->key, key, TWIN_KEY);
    entry->len = value.len;
    memcpy(entry->bytes, value.p, value.len);
    KL_ASSERT(kl_map_put(&store->map, entry) == KL_OK);
}

static inline void twin_put_node(struct twin_store *store, const kl_hash *owner, kl_span path,
                                 kl_span node)
{
    u8 key[TWIN_KEY];
    twin_key(key, owner, path, (u8)path.len);
    twin_put(store, key, node);
}

static inline void twin_put_leaf(struct twin_store *store, const kl_hash *owner,
                                 const kl_hash *leaf, kl_span value)
{
    u8 key[TWIN_KEY];
    twin_key(key, owner, KL_SPAN_NONE, TWIN_LEAF);
    memcpy(key + 33, leaf->b, sizeof leaf->b);
    twin_put(store, key, value);
}

static inline kl_status twin_get(struct twin_store *store, const u8 *key, kl_span *out)
{
    if (++store->reads == store->fail_read)
        return KL_IO;
    const struct twin_entry *entry = kl_map_get(&store->map, key);
    if (!entry)
        return KL_NOTFOUND;
    *out = kl_span_of(entry->bytes, entry->len);
    return KL_OK;
}

/* A source that reads a store, and a sink that collects what is to be written there. */
struct twin_io {
    struct kl_trie_source source; /* first */
    struct kl_trie_sink sink;
    struct twin_store *from;
    struct kl_buf written; /* key, u32 length, bytes; and so on */
    usize writes, fail_write;
};

static inline kl_status twin_node(struct kl_trie_source *source, const kl_hash *owner, kl_span path,
                                  kl_span *out)
{
    u8 key[TWIN_KEY];
    twin_key(key, owner, path, (u8)path.len);
    return twin_get(((struct twin_io *)source)->from, key, out);
}

static inline kl_status twin_leaf(struct kl_trie_source *source, const kl_hash *owner,
                                  const kl_hash *leaf, kl_span *out)
{
    u8 key[TWIN_KEY];
    twin_key(key, owner, KL_SPAN_NONE, TWIN_LEAF);
    memcpy(key + 33, leaf->b, sizeof leaf->b);
    return twin_get(((struct twin_io *)source)->from, key, out);
}

static inline kl_status twin_sink(struct kl_trie_sink *sink, const kl_hash *owner, kl_span path,
                                  kl_span node)
{
    u8 *start = (u8 *)sink - offsetof(struct twin_io, sink);
    struct twin_io *io = (struct twin_io *)(void *)start;
    u8 key[TWIN_KEY], len[4];
    if (++io->writes == io->fail_write)
        return KL_FULL;
    twin_key(key, owner, path, (u8)path.len);
    kl_store_be32(len, (u32)node.len);
    kl_buf_bytes(&io->written, key, sizeof key);
    kl_buf_bytes(&io->written, len, sizeof len);
    kl_buf_span(&io->written, node);
    return KL_OK;
}

static inline void twin_io_init(struct twin_io *io, struct twin_store *from)
{
    *io = (struct twin_io){.source = {twin_node, twin_leaf}, .sink = {twin_sink}, .from = from};
    kl_buf_init(&io->written, SIZE_MAX / 2);
}

static inline void twin_io_done(struct twin_io *io)
{
    kl_buf_done(&io->written);
}

/* Writes what the sink has collected; returns how many nodes that were. */
static inline usize twin_io_write(struct twin_io *io)
{
    kl_span left = kl_buf_view(&io->written);
    usize count = 0;
    for (; left.len; count++) {
        u32 len = kl_load_be32(left.p + TWIN_KEY);
        twin_put(io->from, left.p, kl_span_of(left.p + TWIN_KEY + 4, len));
        left = kl_span_sub(left, TWIN_KEY + 4 + len, SIZE_MAX);
    }
    kl_buf_clear(&io->written);
    return count;
}

/* A pair, its key as nibbles. */
struct twin_pair {
    u8 path[128];
    usize nibbles;
    u8 value[256];
    usize len;
};

static inline void twin_pair_set(struct twin_pair *pair, kl_span key, kl_span value)
{
    KL_ASSERT(key.len <= 64 && value.len <= sizeof pair->value);
    pair->nibbles = 2 * key.len;
    for (usize i = 0; i < pair->nibbles; i++)
        pair->path[i] = (u8)(i % 2 ? key.p[i / 2] & 15 : key.p[i / 2] >> 4);
    pair->len = value.len;
    if (value.len)
        memcpy(pair->value, value.p, value.len);
}

/* What the twin builds: where nodes go, if anywhere, and under whose name. */
struct twin {
    struct twin_store *store;
    const kl_hash *owner;
    const struct twin_pair *pairs;
};

static inline void twin_header(struct kl_buf *out, u8 kind, usize len)
{
    u8 bytes[9], n = 0;
    if (len < 56) {
        bytes[n++] = (u8)(kind + len);
    } else {
        u8 width = 1;
        while (width < 8 && len >> 8 * width)
            width++;
        bytes[n++] = (u8)(kind + 55 + width);
        while (width--)
            bytes[n++] = (u8)(len >> 8 * width);
    }
    kl_buf_bytes(out, bytes, n);
}

static inline void twin_string(struct kl_buf *out, kl_span s)
{
    if (s.len != 1 || s.p[0] >= 0x80)
        twin_header(out, 0x80, s.len);
    kl_buf_span(out, s);
}

static inline void twin_prefix(struct kl_buf *out, const u8 *path, usize count, bool leaf)
{
    u8 bytes[66] = {0}, flags = (u8)((leaf ? 2 : 0) + count % 2);
    bytes[0] = (u8)(flags << 4);
    for (usize i = 0, at = 2 - count % 2; i < count; i++, at++)
        bytes[at / 2] |= (u8)(path[i] << (at % 2 ? 0 : 4));
    twin_string(out, kl_span_of(bytes, 1 + count / 2));
}

static inline void twin_list(struct kl_buf *out, struct kl_buf *items)
{
    twin_header(out, 0xc0, items->len);
    kl_buf_span(out, kl_buf_view(items));
    kl_buf_done(items);
}

/* node as its parent holds it. */
static inline void twin_ref(struct kl_buf *out, struct kl_buf *node)
{
    kl_hash hash = kl_keccak256(kl_buf_view(node));
    if (node->len < 32)
        kl_buf_span(out, kl_buf_view(node));
    else
        twin_string(out, kl_hash_span(&hash));
    kl_buf_done(node);
}

static inline void twin_build(struct twin *t, struct kl_buf *out, usize from, usize to,
                              usize depth);

/* An entry of a stored node: the child of pairs [from, to) below `below` nibbles. */
static inline void twin_entry(struct twin *t, struct kl_buf *out, usize from, usize to, usize below,
                              kl_span ref)
{
    const struct twin_pair *pair = &t->pairs[from];
    usize end = below;
    if (to - from == 1)
        end = 64;
    else
        while (pair->path[end] == t->pairs[to - 1].path[end])
            end++;
    if (to - from > 1)
        kl_buf_bytes(out, &(u8){(u8)end}, 1);
    for (usize i = below / 2; i < (end + 1) / 2 && end > below; i++) {
        u8 high = pair->path[2 * i], low = 2 * i + 1 < end ? pair->path[2 * i + 1] : 0;
        kl_buf_bytes(out, &(u8){(u8)(high << 4 | low)}, 1);
    }
    kl_buf_span(out, ref);
}

/* The seventeen items of the branch of pairs [from, to) at depth, and the node stored for it. */
static inline void twin_branch(struct twin *t, struct kl_buf *out, usize from, usize to,
                               usize depth)
{
    struct kl_buf items, entries;
    u8 masks[4] = {0};
    kl_buf_init(&items, SIZE_MAX / 2);
    kl_buf_init(&entries, SIZE_MAX / 2);
    const struct twin_pair *ends = t->pairs[from].nibbles == depth ? &t->pairs[from++] : NULL;
    for (u8 n = 0; n < 16; n++) {
        usize end = from;
        while (end < to && t->pairs[end].path[depth] == n)
            end++;
        if (end == from) {
            twin_string(&items, KL_SPAN_NONE);
            continue;
        }
        struct kl_buf node;
        kl_buf_init(&node, SIZE_MAX / 2);
        twin_build(t, &node, from, end, depth + 1);
        usize start = items.len;
        twin_ref(&items, &node);
        masks[n < 8 ? 1 : 0] |= (u8)(1 << n % 8);
        if (end - from == 1)
            masks[n < 8 ? 3 : 2] |= (u8)(1 << n % 8);
        if (t->store)
            twin_entry(t, &entries, from, end, depth + 1,
                       kl_span_of(items.p + start, items.len - start));
        from = end;
    }
    twin_string(&items, ends ? kl_span_of(ends->value, ends->len) : KL_SPAN_NONE);
    if (t->store) {
        struct kl_buf node;
        kl_buf_init(&node, SIZE_MAX / 2);
        kl_buf_bytes(&node, masks, sizeof masks);
        kl_buf_span(&node, kl_buf_view(&entries));
        twin_put_node(t->store, t->owner, kl_span_of(t->pairs[to - 1].path, depth),
                      kl_buf_view(&node));
        kl_buf_done(&node);
    }
    kl_buf_done(&entries);
    twin_list(out, &items);
}

/* The node of pairs [from, to), which have their first depth nibbles in common. */
static inline void twin_build(struct twin *t, struct kl_buf *out, usize from, usize to, usize depth)
{
    const struct twin_pair *first = &t->pairs[from], *last = &t->pairs[to - 1];
    struct kl_buf items, child;
    usize end = depth;
    kl_buf_init(&items, SIZE_MAX / 2);
    kl_buf_init(&child, SIZE_MAX / 2);
    if (to - from == 1) {
        twin_prefix(&items, first->path + depth, first->nibbles - depth, true);
        twin_string(&items, kl_span_of(first->value, first->len));
        twin_list(out, &items);
        return;
    }
    while (end < first->nibbles && first->path[end] == last->path[end])
        end++;
    if (end == depth) {
        twin_branch(t, out, from, to, depth);
        return;
    }
    twin_prefix(&items, first->path + depth, end - depth, false);
    twin_branch(t, &child, from, to, end);
    twin_ref(&items, &child);
    twin_list(out, &items);
}

/* The root of pairs, sorted by key; with a store, puts every node there that must be stored. */
static inline kl_hash twin_root(const struct twin_pair *pairs, usize count,
                                struct twin_store *store, const kl_hash *owner)
{
    struct twin t = {store, owner, pairs};
    struct kl_buf node;
    kl_buf_init(&node, SIZE_MAX / 2);
    if (count == 0)
        twin_string(&node, KL_SPAN_NONE);
    else
        twin_build(&t, &node, 0, count, 0);
    kl_hash root = kl_keccak256(kl_buf_view(&node));
    kl_buf_done(&node);
    if (store && count && (count == 1 || pairs[0].path[0] == pairs[count - 1].path[0])) {
        struct kl_buf top;
        u8 masks[4] = {0}, n = pairs[0].path[0];
        masks[n < 8 ? 1 : 0] = (u8)(1 << n % 8);
        if (count == 1)
            memcpy(masks + 2, masks, 2);
        kl_buf_init(&top, SIZE_MAX / 2);
        kl_buf_bytes(&top, masks, sizeof masks);
        u8 ref[33] = {0xa0};
        memcpy(ref + 1, root.b, sizeof root.b);
        twin_entry(&t, &top, 0, count, 0, kl_span_of(ref, sizeof ref));
        twin_put_node(store, owner, KL_SPAN_NONE, kl_buf_view(&top));
        kl_buf_done(&top);
    }
    return root;
}

/* The proof for path: the nodes on the way to it, in memory of the arena.  Pairs are not none. */
static inline usize twin_prove(const struct twin_pair *pairs, usize count, const u8 *path,
                               usize nibbles, kl_span *nodes, struct kl_arena *arena)
{
    struct twin t = {NULL, NULL, pairs};
    usize from = 0, to = count, depth = 0, used = 0;
    bool branch = false; /* below an extension */
    for (;;) {
        struct kl_buf node;
        kl_buf_init(&node, SIZE_MAX / 2);
        if (branch)
            twin_branch(&t, &node, from, to, depth);
        else
            twin_build(&t, &node, from, to, depth);
        if (used == 0 || node.len >= 32)
            nodes[used++] = kl_arena_copy(arena, kl_buf_view(&node));
        kl_buf_done(&node);
        const struct twin_pair *first = &pairs[from], *last = &pairs[to - 1];
        if (to - from == 1)
            return used;
        usize end = depth;
        while (end < first->nibbles && first->path[end] == last->path[end])
            end++;
        branch = end > depth;
        if (branch) {
            if (nibbles < end || memcmp(first->path + depth, path + depth, end - depth) != 0)
                return used;
            depth = end;
            continue;
        }
        if (first->nibbles == depth)
            from++;
        while (nibbles > depth && from < to && pairs[from].path[depth] != path[depth])
            from++;
        while (nibbles > depth && to > from && pairs[to - 1].path[depth] != path[depth])
            to--;
        if (nibbles == depth || from == to)
            return used;
        depth++;
    }
}

/* A key that shares a long start, or all but one nibble, with old. */
static inline kl_hash twin_near_key(u64 *seed, const kl_hash *old)
{
    kl_hash key = *old;
    u64 how = kl_rand_below(seed, 3);
    usize nibble = how == 0 ? 63 - kl_rand_below(seed, 4) : kl_rand_below(seed, 64);
    key.b[nibble / 2] ^= (u8)((1 + kl_rand_below(seed, 15)) << (nibble % 2 ? 0 : 4));
    if (how == 1)
        kl_rand_fill(seed, key.b + nibble / 2 + 1, sizeof key.b - nibble / 2 - 1);
    return key;
}

/* Mostly a few bytes, so that nodes stand inside their parents. */
static inline usize twin_value(u64 *seed, u8 *out)
{
    usize most = kl_rand_below(seed, 3) ? 3 : KL_TRIE_VALUE_MAX,
          len = 1 + kl_rand_below(seed, most);
    kl_rand_fill(seed, out, len);
    return len;
}

#endif
