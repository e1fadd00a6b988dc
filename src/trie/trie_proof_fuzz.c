/* Proofs from outside.  Input: key length, key, then nodes (fuzz_nodes.h). */
#include "base/fuzz.h"
#include "crypto/keccak.h"
#include "trie/fuzz_nodes.h"
#include "trie/trie.h"

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    kl_span in = {bytes, len}, nodes[FUZZ_NODES_MAX], untouched = KL_SPAN_TEXT("?"),
            value = untouched;
    if (len == 0)
        return 0;
    kl_span key = kl_span_sub(in, 1, bytes[0] % 70u);
    usize count = fuzz_nodes_read(nodes, kl_span_sub(in, 1 + key.len, SIZE_MAX));
    kl_hash root = count ? kl_keccak256(nodes[0]) : kl_keccak_empty_rlp;
    kl_rule rule = kl_trie_check(&value, &root, key, nodes, count);
    if (rule != KL_RULE_NONE) {
        KL_ASSERT(rule == KL_RULE_PROOF_HASH || rule == KL_RULE_PROOF_NODE ||
                  rule == KL_RULE_PROOF_SHORT || rule == KL_RULE_PROOF_TRAILING);
        KL_ASSERT(value.p == untouched.p);
        return 0;
    }
    KL_ASSERT(value.len == 0 || (value.p >= fuzz_nodes_room &&
                                 value.p + value.len <= fuzz_nodes_room + FUZZ_NODES_ROOM));
    if (count) {
        KL_ASSERT(kl_trie_check(&value, &root, key, nodes, count - 1) == KL_RULE_PROOF_SHORT);
        fuzz_nodes_room[len %
                        (usize)(nodes[count - 1].p + nodes[count - 1].len - fuzz_nodes_room)] ^= 1;
        KL_ASSERT(kl_trie_check(&value, &root, key, nodes, count) == KL_RULE_PROOF_HASH);
    }
    return 0;
}
