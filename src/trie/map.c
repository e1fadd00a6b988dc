#include "codec/rlp.h"
#include "crypto/keccak.h"
#include "trie/tree_priv.h"

#include <stdlib.h>

enum { KEY_MAX = 64, INDEX_MAX = 9 };

static const u8 no_key[1];

static kl_status root_of(kl_hash *out, struct kl_tree *tree)
{
    KL_TRY(kl_tree_close(tree));
    KL_TRY(kl_tree_hash(tree->work, NULL));
    *out = kl_tree_root(tree);
    return KL_OK;
}

/* By key, and pairs of one key by their place. */
static int by_key(const void *a, const void *b)
{
    const kl_trie_pair *x = *(const kl_trie_pair *const *)a, *y = *(const kl_trie_pair *const *)b;
    int order = kl_span_cmp(x->key, y->key);
    return order ? order : (x > y) - (x < y);
}

kl_status kl_trie_map_root(kl_hash *out, const kl_trie_pair *pairs, usize count,
                           struct kl_arena *scratch)
{
    const kl_trie_pair **sorted = KL_TAKE(scratch, const kl_trie_pair *, count);
    struct kl_tree_work *work = KL_TAKE(scratch, struct kl_tree_work, 1);
    struct kl_tree tree;
    if (!sorted || !work)
        return KL_NOMEM;
    for (usize i = 0; i < count; i++) {
        KL_ASSERT(pairs[i].key.len <= KEY_MAX);
        sorted[i] = &pairs[i];
    }
    qsort(sorted, count, sizeof *sorted, by_key);
    kl_tree_work_init(work, scratch, NULL);
    KL_TRY(kl_tree_open(&tree, work, NULL, true));
    for (usize i = 0; i < count; i++) {
        kl_span key = sorted[i]->key, value = sorted[i]->value;
        bool overwritten = i + 1 < count && kl_span_eq(key, sorted[i + 1]->key);
        if (!overwritten && value.len)
            KL_TRY(kl_tree_set(&tree, key.len ? key.p : no_key, 2 * key.len, value));
    }
    return root_of(out, &tree);
}

/* Index 0 is written 0x80: behind 0x7f, before 0x81 80. */
static usize index_at(usize rank, usize count)
{
    usize ones = KL_MIN(count, (usize)128) - 1; /* indexes that are their own byte, but not 0 */
    return rank < ones ? rank + 1 : rank == ones ? 0 : rank;
}

kl_status kl_trie_list_root(kl_hash *out, const kl_span *values, usize count,
                            struct kl_arena *scratch)
{
    u8 *keys = KL_TAKE(scratch, u8, count * INDEX_MAX);
    struct kl_tree_work *work = KL_TAKE(scratch, struct kl_tree_work, 1);
    struct kl_tree tree;
    if (!keys || !work)
        return KL_NOMEM;
    kl_tree_work_init(work, scratch, NULL);
    KL_TRY(kl_tree_open(&tree, work, NULL, true));
    for (usize rank = 0; rank < count; rank++) {
        usize index = index_at(rank, count);
        KL_ASSERT(values[index].len);
        kl_out key = kl_out_of(keys + rank * INDEX_MAX, INDEX_MAX);
        kl_rlp_put_u64(&key, index);
        KL_TRY(kl_tree_set(&tree, key.p, 2 * key.len, values[index]));
    }
    return root_of(out, &tree);
}
