/* node: stored nodes and their entries; docs/formats/trie-node.md draws them.
 *
 *     present u16   which children there are        leaf u16   which of them are leaves
 *     for each child, by rising nibble, an entry:
 *         leaf     the rest of its key                         reference
 *         branch   its depth u8, the rest of its path          reference
 *
 * Children of a branch of depth d lie below d + 1 nibbles.  The rest of a path is the bytes of the
 * path from that containing nibble d + 1 on, so where d is even its first half is the child's own
 * nibble; the unused half at the end of a path of odd length is 0.  A reference is an RLP item.
 *
 * At the empty path, a node of one child is a trie without a branch at its top: the child lies
 * below 0 nibbles and its rest is its whole path. */
#ifndef KL_TRIE_NODE_PRIV_H
#define KL_TRIE_NODE_PRIV_H

#include "trie/tree_priv.h"

enum { KL_NODE_ENTRY_MAX = 1 + 32 + 33, KL_NODE_MAX = 4 + 16 * KL_NODE_ENTRY_MAX };

/* Sets present, leaf, loaded, child and below of a branch of depth `depth` from its stored node;
 * where a node at the empty path has one child, of the place above the trie.  False, with *at
 * partly written, unless a node of some trie is written exactly so. */
KL_MUST_USE bool kl_node_read(struct kl_tree_branch *at, kl_span node, unsigned depth);

/* Writes a node into room, which has KL_NODE_MAX bytes, and returns its length.  All references
 * are known. */
usize kl_node_write(u8 *room, const struct kl_tree_branch *at);

/* How many bytes of a key a leaf's entry below `below` nibbles holds. */
static inline usize kl_entry_leaf_rest(unsigned below)
{
    return 32 - below / 2;
}

/* The same for a branch of depth `depth`. */
static inline usize kl_entry_branch_rest(unsigned below, unsigned depth)
{
    return depth == below ? 0 : (depth + 1) / 2 - below / 2;
}

static inline const u8 *kl_entry_ref(const u8 *entry, unsigned below, bool leaf)
{
    return leaf ? entry + kl_entry_leaf_rest(below)
                : entry + 1 + kl_entry_branch_rest(below, entry[0]);
}

/* The key of a leaf, or of a branch (zero past its path), that is child n of at. */
kl_hash kl_entry_key(const struct kl_tree_branch *at, unsigned n);

/* Whether key, of 64 nibbles and with the path of at as its start, goes through child n. */
bool kl_entry_reaches(const struct kl_tree_branch *at, unsigned n, const u8 *key);

#endif
