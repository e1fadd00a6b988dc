/* A rest is laid out like the same bytes of the key, so it is compared and copied as bytes.  A
 * reference shorter than a hash holds the child's path a second time; reading compares the two. */
#include "trie/node_priv.h"

#include "codec/rlp.h"

enum { HEADER = 4, DEPTH_LAST = 63, EMBEDDED_DEPTH = 4 };

/* An embedded child: canonical RLP, of the right form, with the path its entry says. */
static bool embedded_fits(kl_span ref, bool leaf, kl_trie_path path)
{
    kl_trie_form form;
    if (kl_rlp_check(ref, EMBEDDED_DEPTH) != KL_RULE_NONE ||
        kl_trie_form_read(&form, ref) != KL_RULE_NONE)
        return false;
    if (!leaf && path.from == path.to)
        return form.kind == KL_TRIE_BRANCH && form.value.len == 0;
    return form.kind == (leaf ? KL_TRIE_LEAF : KL_TRIE_EXTENSION) &&
           kl_trie_form_nibbles(&form) == path.to - path.from && kl_trie_form_fits(&form, path);
}

/* Judges the entry of child n at the start of bytes; its length, or 0. */
static usize read_entry(const struct kl_tree_branch *at, unsigned n, kl_span bytes)
{
    bool leaf = at->leaf >> n & 1;
    unsigned below = at->below;
    usize to = 64, start = 0, rest = kl_entry_leaf_rest(below);
    if (!leaf) {
        if (bytes.len == 0)
            return 0;
        to = bytes.p[0];
        if (to < KL_MAX(below, 1u) || to > DEPTH_LAST)
            return 0;
        start = 1;
        rest = kl_entry_branch_rest(below, (unsigned)to);
    }
    if (bytes.len <= start + rest)
        return 0;
    const u8 *path = bytes.p + start;
    if (rest && (below == 0 || below % 2) && path[0] >> 4 != n)
        return 0;
    if (rest && to % 2 && path[rest - 1] & 15)
        return 0;
    kl_span ref = kl_span_sub(bytes, start + rest, SIZE_MAX);
    usize ref_len = kl_trie_ref_len(ref.p[0]);
    if (ref_len == 0 || ref_len > ref.len)
        return 0;
    if (ref_len < 33 &&
        (below == 0 || !embedded_fits(kl_span_sub(ref, 0, ref_len), leaf,
                                      (kl_trie_path){path, below % 2, to - below / 2 * 2})))
        return 0;
    return start + rest + ref_len;
}

bool kl_node_read(struct kl_tree_branch *at, kl_span node, unsigned depth)
{
    if (node.len < HEADER)
        return false;
    at->present = kl_load_be16(node.p);
    at->leaf = kl_load_be16(node.p + 2);
    unsigned count = (unsigned)__builtin_popcount(at->present);
    if (count == 0 || (count == 1 && depth > 0) || (at->leaf & ~at->present))
        return false;
    at->below = count == 1 ? 0 : depth + 1;
    at->loaded = 0;
    kl_span rest = kl_span_sub(node, HEADER, SIZE_MAX);
    for (unsigned left = at->present; left; left &= left - 1) {
        unsigned n = (unsigned)__builtin_ctz(left);
        at->child[n].entry = rest.p;
        usize len = read_entry(at, n, rest);
        if (len == 0)
            return false;
        rest = kl_span_sub(rest, len, SIZE_MAX);
    }
    if (count == 1) {
        at->child[0] = at->child[__builtin_ctz(at->present)];
        at->present = 1;
        at->leaf = at->leaf != 0;
    }
    return rest.len == 0;
}

static u8 *put(u8 *p, const void *bytes, usize len)
{
    memcpy(p, bytes, len);
    return p + len;
}

/* The entry of a child in memory. */
static u8 *put_entry(u8 *p, unsigned below, const struct kl_tree_item *item, bool leaf)
{
    KL_ASSERT(item->ref.len);
    usize rest = kl_entry_leaf_rest(below);
    if (!leaf) {
        *p++ = (u8)item->to;
        rest = kl_entry_branch_rest(below, item->to);
    }
    p = put(p, item->key + below / 2, rest);
    if (!leaf && rest && item->to % 2)
        p[-1] &= 0xf0;
    return put(p, item->ref.rlp, item->ref.len);
}

static u8 *put_stored(u8 *p, const struct kl_tree_branch *at, unsigned n)
{
    const u8 *entry = at->child[n].entry;
    const u8 *ref = kl_entry_ref(entry, at->below, at->leaf >> n & 1);
    return put(p, entry, (usize)(ref - entry) + kl_trie_ref_len(ref[0]));
}

/* The nibble of the only child above a trie. */
static unsigned first_nibble(const struct kl_tree_branch *above)
{
    kl_tree_child child = above->child[0];
    return (above->loaded ? child.item->key[0] : child.entry[above->leaf ? 0 : 1]) >> 4;
}

usize kl_node_write(u8 *room, const struct kl_tree_branch *at)
{
    unsigned shift = at->below ? 0 : first_nibble(at);
    kl_store_be16(room, (u16)(at->present << shift));
    kl_store_be16(room + 2, (u16)(at->leaf << shift));
    u8 *p = room + HEADER;
    for (unsigned left = at->present; left; left &= left - 1) {
        unsigned n = (unsigned)__builtin_ctz(left);
        if (at->loaded >> n & 1)
            p = put_entry(p, at->below, at->child[n].item, at->leaf >> n & 1);
        else
            p = put_stored(p, at, n);
    }
    return (usize)(p - room);
}

kl_hash kl_entry_key(const struct kl_tree_branch *at, unsigned n)
{
    kl_hash key = {0};
    const u8 *entry = at->child[n].entry;
    unsigned below = at->below;
    usize rest = kl_entry_leaf_rest(below);
    if (!(at->leaf >> n & 1)) {
        rest = kl_entry_branch_rest(below, entry[0]);
        entry++;
    }
    if (below) {
        memcpy(key.b, at->item.key, below / 2);
        u8 *last = &key.b[(below - 1) / 2];
        *last = (u8)(below % 2 ? n << 4 : (*last & 0xf0) | n);
    }
    memcpy(key.b + below / 2, entry, rest);
    return key;
}

bool kl_entry_reaches(const struct kl_tree_branch *at, unsigned n, const u8 *key)
{
    const u8 *entry = at->child[n].entry;
    key += at->below / 2;
    if (at->leaf >> n & 1)
        return memcmp(entry, key, kl_entry_leaf_rest(at->below)) == 0;
    usize rest = kl_entry_branch_rest(at->below, entry[0]), whole = rest - (rest && entry[0] % 2);
    return memcmp(entry + 1, key, whole) == 0 &&
           (whole == rest || (entry[1 + whole] ^ key[whole]) < 16);
}
