/* fuzz_nodes: the nodes of a proof, out of a fuzz target's input: each as length (two bytes) and
 * bytes, from the root down.  Where a node has 32 bytes of ff in a row, the hash of the node behind
 * it is put, so that the fuzzer need not break Keccak to get past the first node. */
#ifndef KL_TRIE_FUZZ_NODES_H
#define KL_TRIE_FUZZ_NODES_H

#include "base/span.h"

enum { FUZZ_NODES_MAX = 16, FUZZ_NODES_ROOM = 4096 };

/* Where they lie until the next call; may be changed. */
extern u8 fuzz_nodes_room[FUZZ_NODES_ROOM];

/* How many there are. */
usize fuzz_nodes_read(kl_span nodes[FUZZ_NODES_MAX], kl_span in);

#endif
