/* Ranges from outside.  Input: how many leaves, then each as the last byte of its key, a length and
 * a value; then nodes (fuzz_nodes.h).  What is taken has the root that the leaves make by
 * themselves where there are no nodes; nothing else may happen. */
#include "base/fuzz.h"
#include "crypto/keccak.h"
#include "trie/fuzz_nodes.h"
#include "trie/trie.h"

enum { LEAVES_MAX = 8 };

static usize read_leaves(kl_trie_change *leaves, kl_span *in)
{
    kl_span head = kl_span_take(in, 1);
    usize count = head.len ? head.p[0] % (LEAVES_MAX + 1) : 0, i = 0;
    for (; i < count && in->len > 2; i++) {
        memset(&leaves[i].key, 0, sizeof leaves[i].key);
        head = kl_span_take(in, 2);
        leaves[i].key.b[0] = head.p[0];
        leaves[i].key.b[31] = head.p[0];
        leaves[i].value = kl_span_take(in, head.p[1]);
    }
    return i;
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    kl_span in = {bytes, len}, nodes[FUZZ_NODES_MAX];
    kl_trie_change leaves[LEAVES_MAX];
    kl_hash first = {{0}}, root, made;
    struct kl_arena arena;
    kl_rule broken;
    if (len == 0)
        return 0;
    first.b[0] = kl_span_take(&in, 1).p[0];
    kl_trie_range range = {.leaves = leaves, .nodes = nodes};
    range.count = read_leaves(leaves, &in);
    range.node_count = fuzz_nodes_read(nodes, in);
    kl_arena_init(&arena, 1 << 20);
    kl_trie_pair pairs[LEAVES_MAX];
    for (usize i = 0; i < range.count; i++)
        pairs[i] = (kl_trie_pair){kl_hash_span(&leaves[i].key), leaves[i].value};
    KL_ASSERT(kl_trie_map_root(&made, pairs, range.count, &arena) == KL_OK);
    root = range.node_count ? kl_keccak256(nodes[0]) : made;
    KL_ASSERT(kl_trie_check_range(&range, &root, &first, &arena, &broken) == KL_OK);
    KL_ASSERT(broken == KL_RULE_NONE || broken == KL_RULE_PROOF_HASH ||
              broken == KL_RULE_PROOF_NODE || broken == KL_RULE_PROOF_SHORT ||
              broken == KL_RULE_PROOF_TRAILING || broken == KL_RULE_PROOF_RANGE);
    if (broken == KL_RULE_NONE && range.count) { /* any leaf more or less is found out */
        range.count--;
        usize nodes_before = range.node_count;
        KL_ASSERT(kl_trie_check_range(&range, &root, &first, &arena, &broken) == KL_OK);
        KL_ASSERT(broken != KL_RULE_NONE || (nodes_before && range.count && !range.complete));
    }
    kl_arena_done(&arena);
    return 0;
}
