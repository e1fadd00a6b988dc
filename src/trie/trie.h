/* trie: Ethereum's Merkle-Patricia trie [YP appendix D].
 *
 * A stored trie keeps its branch nodes only, each under its path; a leaf is the flat state's own
 * entry, an extension is the gap between two branches.  Updating reads the nodes on the paths that
 * change and nothing else, and hashes level by level, deepest first, so that the nodes of a level
 * go through the multi-lane Keccak together.  docs/formats/trie-node.md draws a stored node.
 *
 *   trie.h   stored tries: update, prove keys and ranges, check proofs; roots of lists and of small
 *            maps
 *
 * Thread: any; the source and sink are called from the calling thread only. */
#ifndef KL_TRIE_TRIE_H
#define KL_TRIE_TRIE_H

#include "base/arena.h"
#include "base/env.h"
#include "base/hash.h"
#include "base/rule.h"
#include "base/status.h"

/* Which trie: that of accounts (owner NULL), or the storage of the account whose keccak(address) is
 * owner. */

/* Where stored nodes and leaves come from.  Spans handed out must live until the call that asked
 * for them returns to its caller. */
struct kl_trie_source {
    /* The stored node at path (one nibble a byte, 0 to 63 of them); KL_NOTFOUND. */
    kl_status (*node)(struct kl_trie_source *source, const kl_hash *owner, kl_span path,
                      kl_span *out);
    /* The value of the leaf at key, as it stands in the trie (RLP); KL_NOTFOUND. */
    kl_status (*leaf)(struct kl_trie_source *source, const kl_hash *owner, const kl_hash *key,
                      kl_span *out);
};

/* Where changed nodes go, in no promised order and each path once.  An empty node means: delete
 * what is at path.  Path and node are gone when the call returns. */
struct kl_trie_sink {
    kl_status (*node)(struct kl_trie_sink *sink, const kl_hash *owner, kl_span path, kl_span node);
};

/* A leaf's new value (RLP, at most KL_TRIE_VALUE_MAX bytes), or its removal when value is empty. */
#define KL_TRIE_VALUE_MAX 128
typedef struct kl_trie_change {
    kl_hash key;
    kl_span value;
} kl_trie_change;

/* One trie's changes: sorted by key, no key twice. */
typedef struct kl_trie_update {
    const kl_hash *owner;
    bool fresh; /* the trie is to be taken as empty; its stored nodes are not read (nor deleted) */
    const kl_trie_change *changes;
    usize count;
    kl_hash root; /* out */
} kl_trie_update;

/* Applies all updates, of different tries, together: sets their roots and hands every node that
 * differs from the stored one to the sink (NULL: only the roots are asked for).  Removing what is
 * not there changes nothing.  The source answers as before the update throughout.  Workers take
 * part in hashing when there is much of it; the results are the same with and without. KL_CORRUPT
 * when stored nodes contradict one another or the leaves; KL_NOMEM when scratch is exhausted;
 * whatever source and sink return.  After a failure the sink may have been given a part of the
 * nodes, and no root is set.  Scratch: about 300 bytes for each node and leaf on the way. */
KL_MUST_USE kl_status kl_trie_apply(kl_trie_update *updates, usize count,
                                    struct kl_trie_source *source, struct kl_trie_sink *sink,
                                    struct kl_arena *scratch, struct kl_workers *workers);

/* The root of a stored trie. */
KL_MUST_USE kl_status kl_trie_root(kl_hash *out, const kl_hash *owner,
                                   struct kl_trie_source *source, struct kl_arena *scratch);

/* The RLP of the nodes from the root down to key, or to where it is missing [EIP-1186]; nodes of
 * less than 32 bytes stand inside their parents, as in the trie.  An empty trie gives no nodes.
 * Nodes live in the arena.  KL_CORRUPT when the stored nodes do not make a proof that holds. */
KL_MUST_USE kl_status kl_trie_prove(const kl_span **nodes, usize *count, const kl_hash *owner,
                                    const kl_hash *key, struct kl_trie_source *source,
                                    struct kl_arena *arena);

/* Judges a proof that says: under root, key has *value (empty: is missing).  *value views the
 * nodes. There is exactly one proof for each key; all else is refused: PROOF_HASH, PROOF_NODE,
 * PROOF_SHORT, PROOF_TRAILING.  key may have any length; nodes may be any bytes. */
kl_rule kl_trie_check(kl_span *value, const kl_hash *root, kl_span key, const kl_span *nodes,
                      usize count);

/* A range: all leaves from a key on, up to the last one here. */
typedef struct kl_trie_range {
    const kl_trie_change *leaves; /* rising; values not empty */
    usize count;
    const kl_span *nodes; /* what shows that none is missing */
    usize node_count;
    bool complete; /* there are no leaves behind the last one */
} kl_trie_range;

/* The leaves of a stored trie from `first` on, until there are leaf_max of them or their keys and
 * values make byte_max (at least one, if there is one), and the proof: the nodes on the way to
 * first, then those on the way to the last leaf that are not among them; none at all where the
 * leaves are the whole trie.  Everything lives in the arena.  KL_CORRUPT as kl_trie_prove. */
KL_MUST_USE kl_status kl_trie_prove_range(kl_trie_range *out, const kl_hash *owner,
                                          const kl_hash *first, usize leaf_max, usize byte_max,
                                          struct kl_trie_source *source, struct kl_arena *arena);

/* Judges leaves and nodes that somebody gives for the range from `first` on under root: they are
 * every leaf between first and the last one; without leaves, there is none from first on.  Sets
 * range->complete.  *broken: PROOF_RANGE (leaves out of order, before first, or too long), the rows
 * of kl_trie_check, PROOF_HASH for leaves that are not those of the root.  KL_NOMEM when scratch is
 * exhausted, about 300 bytes a leaf. */
KL_MUST_USE kl_status kl_trie_check_range(kl_trie_range *range, const kl_hash *root,
                                          const kl_hash *first, struct kl_arena *scratch,
                                          kl_rule *broken);

/* The root of the trie that maps rlp(i) to values[i]: transactions, receipts, withdrawals.  Values
 * are not empty. */
KL_MUST_USE kl_status kl_trie_list_root(kl_hash *out, const kl_span *values, usize count,
                                        struct kl_arena *scratch);

/* The root of the trie of any pairs, in any order; of equal keys the last one counts, an empty
 * value removes.  Keys up to 64 bytes. */
typedef struct kl_trie_pair {
    kl_span key, value;
} kl_trie_pair;
KL_MUST_USE kl_status kl_trie_map_root(kl_hash *out, const kl_trie_pair *pairs, usize count,
                                       struct kl_arena *scratch);

#endif
