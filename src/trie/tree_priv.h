/* tree: the part of a trie that is in memory while it is built or changed.
 *
 * Keys are put in, or taken out, in rising order.  A cursor stands on the branch where the last key
 * went; whatever the next key leaves behind is closed: a branch left with one child gives it to its
 * parent, and below a branch that stays, what is in memory is final and is listed by its depth for
 * hashing.  So depth on the C stack never grows, and each branch is looked at once on the way in
 * and once on the way out.
 *
 * A child that is not in memory is an entry of the stored node its branch was read from. */
#ifndef KL_TRIE_TREE_PRIV_H
#define KL_TRIE_TREE_PRIV_H

#include "trie/form_priv.h"
#include "trie/trie.h"

/* A leaf, or the head of a branch. */
struct kl_tree_item {
    struct kl_tree_item *next; /* of its level */
    const u8 *key;             /* a leaf's key; a key whose first `to` nibbles lead to the branch */
    kl_span value;             /* of a leaf, empty: is still at the source; of a branch: its own */
    u16 from, to;              /* which part of key is its path below its parent; set when listed */
    kl_trie_ref ref;
};

typedef union kl_tree_child {
    struct kl_tree_item *item; /* bit set in `loaded` */
    const u8 *entry;           /* otherwise: see node_priv.h */
} kl_tree_child;

/* A branch, or the place above a trie that has its top as only child. */
struct kl_tree_branch {
    struct kl_tree_item item; /* first: an item whose bit is not in `leaf` is a branch */
    struct kl_tree_branch *parent;
    const kl_hash *owner;
    kl_span stored;                 /* the node it was read from; empty for one made here */
    unsigned below;                 /* depth of its children's paths: item.to + 1; 0 above a trie */
    unsigned present, leaf, loaded; /* of child n: bit n */
    kl_tree_child child[16];
};

/* Depths of branches, and one level more for leaves. */
enum { KL_TREE_LEAVES = KL_TRIE_NIBBLES_MAX, KL_TREE_LEVELS };

/* What the tries of one call share. */
struct kl_tree_work {
    struct kl_arena *arena;
    struct kl_trie_source *source; /* NULL: nothing is stored */
    struct kl_tree_item *level[KL_TREE_LEVELS];
    usize count[KL_TREE_LEVELS];
    struct kl_tree_branch *dead; /* stored branches that are gone, by item.next */
};

struct kl_tree {
    struct kl_tree_work *work;
    struct kl_tree_branch above;
    struct kl_tree_branch *cursor;
    const u8 *last; /* the last key, of last_to nibbles */
    usize last_to;
    kl_span stored; /* what is stored at the empty path */
};

void kl_tree_work_init(struct kl_tree_work *work, struct kl_arena *arena,
                       struct kl_trie_source *source);

/* Starts a trie; reads what is stored at its empty path unless it is to be taken as empty. */
KL_MUST_USE kl_status kl_tree_open(struct kl_tree *tree, struct kl_tree_work *work,
                                   const kl_hash *owner, bool fresh);

/* Puts value at key, of `to` nibbles, or takes away what is there when value is empty.  Keys rise
 * strictly (asserted); key and value stay where they are until the work is over. */
KL_MUST_USE kl_status kl_tree_set(struct kl_tree *tree, const u8 *key, usize to, kl_span value);

/* After the last key: lists what is left. */
KL_MUST_USE kl_status kl_tree_close(struct kl_tree *tree);

/* Sets the references of all that is listed. */
KL_MUST_USE kl_status kl_tree_hash(struct kl_tree_work *work, struct kl_workers *workers);

/* The root of a trie whose top is not in memory, or has been hashed. */
kl_hash kl_tree_root(const struct kl_tree *tree);

/* Which child of at key goes to. */
static inline unsigned kl_tree_slot(const struct kl_tree_branch *at, const u8 *key)
{
    return at->below ? kl_trie_nibble(key, at->below - 1) : 0;
}

/* The references of a branch's children, NULL where there is none. */
void kl_tree_refs(const u8 *refs[16], const struct kl_tree_branch *branch);

/* Whether the path of child n is a part of key, so that the child lies on the way to key. */
bool kl_tree_reaches(const struct kl_tree_branch *at, unsigned n, const u8 *key, usize to);

/* Brings child n into memory; a leaf comes without its value. */
KL_MUST_USE kl_status kl_tree_load(struct kl_tree_work *work, struct kl_tree_branch *at,
                                   unsigned n);

/* The value of a leaf that came without it. */
KL_MUST_USE kl_status kl_tree_fetch(struct kl_tree_work *work, const kl_hash *owner,
                                    struct kl_tree_item *leaf);

#endif
