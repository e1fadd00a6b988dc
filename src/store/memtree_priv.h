/* memtree: an ordered map from keys to values whose versions share structure.
 *
 * A version is a root pointer.  Changes are made in a change set, which never touches what was
 * there before it began: it copies the nodes from the root down to the place of the change, once
 * each, and collects in `old` what its own version does without.  Whoever owns the versions frees
 * that when no version from before the change set is read any more.
 *
 * Thread: one change set at a time; finished versions may be read on any thread. */
#ifndef KL_STORE_MEMTREE_PRIV_H
#define KL_STORE_MEMTREE_PRIV_H

#include <stdatomic.h>

#include "base/span.h"
#include "base/status.h"

enum { KL_MEMTREE_DEPTH_MAX = 16 };

struct kl_memtree_node;
struct kl_memtree_entry;

/* What every piece of a tree on the heap begins with. */
struct kl_memtree_piece {
    struct kl_memtree_piece *next; /* in the list it is on */
    u64 born;                      /* number of the change set that made it */
    u32 bytes;
    bool dead; /* made and given up by the same change set */
};

struct kl_memtree_change {
    u64 number;                     /* larger than that of every change set before */
    struct kl_memtree_piece *fresh; /* all it made */
    struct kl_memtree_piece *old;   /* what it does without */
    _Atomic u64 *bytes;             /* bytes of all pieces on the heap, kept up to date */
};

/* Room for value_len bytes under key, replacing what was there.  KL_NOMEM. */
KL_MUST_USE kl_status kl_memtree_reserve(struct kl_memtree_change *change,
                                         struct kl_memtree_node **root, kl_span key,
                                         usize value_len, u8 **room);
/* KL_OK also when the key is not there; KL_NOMEM. */
KL_MUST_USE kl_status kl_memtree_del(struct kl_memtree_change *change,
                                     struct kl_memtree_node **root, kl_span key);
/* Forgets the list of what was made; frees the part of it that was given up again. */
void kl_memtree_keep(struct kl_memtree_change *change);
/* Frees all that was made; the roots from before are as they were. */
void kl_memtree_undo(struct kl_memtree_change *change);

/* root NULL is the empty tree. */
KL_MUST_USE bool kl_memtree_get(const struct kl_memtree_node *root, kl_span key, kl_span *value);

/* A place between entries: all before it have been passed. */
struct kl_memtree_walk {
    const struct kl_memtree_node *node[KL_MEMTREE_DEPTH_MAX];
    unsigned slot[KL_MEMTREE_DEPTH_MAX];
    unsigned depth; /* levels in use; 0: at the end */
};

/* Goes in front of the first key >= key. */
void kl_memtree_seek(struct kl_memtree_walk *walk, const struct kl_memtree_node *root, kl_span key);
/* Passes one entry and hands it out; false at the end. */
KL_MUST_USE bool kl_memtree_next(struct kl_memtree_walk *walk, kl_span *key, kl_span *value);

/* Frees a list of pieces. */
void kl_memtree_free_list(struct kl_memtree_piece *list, _Atomic u64 *bytes);
/* Frees a whole tree that shares nothing with a live one. */
void kl_memtree_free(struct kl_memtree_node *root, _Atomic u64 *bytes);

#endif
