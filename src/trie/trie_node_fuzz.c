/* Stored nodes.  Input: the depth of the branch, then the node. */
#include "base/fuzz.h"
#include "trie/node_priv.h"

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    static const kl_hash path; /* of zeros, as far as it goes */
    struct kl_tree_branch at = {.item.key = path.b};
    u8 room[KL_NODE_MAX];
    if (len == 0)
        return 0;
    kl_span node = {bytes + 1, len - 1};
    if (!kl_node_read(&at, node, bytes[0] % 64u))
        return 0;
    KL_ASSERT(at.present && len - 1 <= sizeof room);
    KL_ASSERT(kl_span_eq(kl_span_of(room, kl_node_write(room, &at)), node));
    for (unsigned left = at.present; left; left &= left - 1) {
        unsigned n = (unsigned)__builtin_ctz(left);
        kl_hash key = kl_entry_key(&at, n);
        KL_ASSERT(kl_entry_reaches(&at, n, key.b));
        key.b[31] ^= 1;
        KL_ASSERT(kl_entry_reaches(&at, n, key.b) == !(at.leaf >> n & 1) || at.below == 64);
    }
    return 0;
}
