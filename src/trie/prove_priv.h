/* prove_priv: a proof that is being put together, for one key or for the two ends of a range. */
#ifndef KL_TRIE_PROVE_PRIV_H
#define KL_TRIE_PROVE_PRIV_H

#include "trie/node_priv.h"

/* Every node but the last uses up a nibble of the key; a range has two keys. */
enum { KL_PROOF_MAX = 2 * 65 };

struct kl_proof {
    struct kl_arena *arena;
    kl_span *nodes;
    usize count;
    usize shared; /* nodes below fewer nibbles are in it already, of another key's way */
};

/* Appends the nodes from the root down to key, or to where it is missing. */
KL_MUST_USE kl_status kl_proof_walk(struct kl_proof *proof, struct kl_tree *tree,
                                    const kl_hash *key);

#endif
