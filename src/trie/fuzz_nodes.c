#include "trie/fuzz_nodes.h"

#include "crypto/keccak.h"

u8 fuzz_nodes_room[FUZZ_NODES_ROOM];

static void link_nodes(const kl_span *nodes, usize count)
{
    kl_hash hole, hash;
    memset(&hole, 0xff, sizeof hole);
    while (count-- > 1) {
        usize start = (usize)(nodes[count - 1].p - fuzz_nodes_room);
        hash = kl_keccak256(nodes[count]);
        u8 *at = memmem(fuzz_nodes_room + start, nodes[count - 1].len, &hole, sizeof hole);
        if (at)
            memcpy(at, &hash, sizeof hash);
    }
}

usize fuzz_nodes_read(kl_span nodes[FUZZ_NODES_MAX], kl_span in)
{
    usize count = 0, used = 0;
    while (count < FUZZ_NODES_MAX && in.len >= 2) {
        usize len = kl_load_be16(kl_span_take(&in, 2).p);
        kl_span node = kl_span_take(&in, len);
        if (node.len > FUZZ_NODES_ROOM - used)
            break;
        if (node.len)
            memcpy(fuzz_nodes_room + used, node.p, node.len);
        nodes[count++] = kl_span_of(fuzz_nodes_room + used, node.len);
        used += node.len;
    }
    link_nodes(nodes, count);
    return count;
}
