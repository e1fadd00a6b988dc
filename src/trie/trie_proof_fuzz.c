/* Proofs from outside.  Input: key length, key, then nodes, each as length (two bytes) and bytes,
 * from the root down.  Where a node has 32 bytes of ff in a row, the hash of the node behind it is
 * put, so that the fuzzer need not break Keccak to get past the first node. */
#include "crypto/keccak.h"
#include "trie/form_priv.h"
#include "trie/trie.h"

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len);

enum { NODES_MAX = 16, ROOM = 4096 };

static u8 room[ROOM];

static usize read_nodes(kl_span *nodes, kl_span in)
{
    usize count = 0, used = 0;
    while (count < NODES_MAX && in.len >= 2) {
        usize size = kl_load_be16(in.p);
        kl_span body = kl_span_sub(in, 2, size);
        if (body.len > ROOM - used)
            break;
        if (body.len)
            memcpy(room + used, body.p, body.len);
        nodes[count++] = kl_span_of(room + used, body.len);
        used += body.len;
        in = kl_span_sub(in, 2 + size, SIZE_MAX);
    }
    return count;
}

static void link_nodes(const kl_span *nodes, usize count)
{
    kl_hash hole, hash;
    memset(&hole, 0xff, sizeof hole);
    while (count-- > 1) {
        usize start = (usize)(nodes[count - 1].p - room);
        hash = kl_keccak256(nodes[count]);
        u8 *at = memmem(room + start, nodes[count - 1].len, &hole, sizeof hole);
        if (at)
            memcpy(at, &hash, sizeof hash);
    }
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    kl_span in = {bytes, len}, nodes[NODES_MAX], untouched = KL_SPAN_TEXT("?"), value = untouched;
    if (len == 0)
        return 0;
    kl_span key = kl_span_sub(in, 1, bytes[0] % 70u);
    usize count = read_nodes(nodes, kl_span_sub(in, 1 + key.len, SIZE_MAX));
    link_nodes(nodes, count);
    kl_hash root = count ? kl_keccak256(nodes[0]) : kl_keccak_empty_rlp;
    kl_rule rule = kl_trie_check(&value, &root, key, nodes, count);
    if (rule != KL_RULE_NONE) {
        KL_ASSERT(rule == KL_RULE_PROOF_HASH || rule == KL_RULE_PROOF_NODE ||
                  rule == KL_RULE_PROOF_SHORT || rule == KL_RULE_PROOF_TRAILING);
        KL_ASSERT(value.p == untouched.p);
        return 0;
    }
    KL_ASSERT(value.len == 0 || (value.p >= room && value.p + value.len <= room + ROOM));
    if (count) {
        KL_ASSERT(kl_trie_check(&value, &root, key, nodes, count - 1) == KL_RULE_PROOF_SHORT);
        room[len % (usize)(nodes[count - 1].p + nodes[count - 1].len - room)] ^= 1;
        KL_ASSERT(kl_trie_check(&value, &root, key, nodes, count) == KL_RULE_PROOF_HASH);
    }
    return 0;
}
