/* scrub_priv: a trie built again from its leaves and compared with its stored nodes, in little
 * memory. */
#ifndef KL_STATE_SCRUB_PRIV_H
#define KL_STATE_SCRUB_PRIV_H

#include "base/arena.h"
#include "state/state.h"

enum {
    KL_SCRUB_BATCH = 256,     /* leaves applied together */
    KL_SCRUB_NODE_MAX = 2048, /* bytes of a stored node, with room to spare */
    KL_SCRUB_PATHS = 65,      /* lengths a path can have */
};

/* A node on the way to the last leaf: later leaves may still change it. */
typedef struct kl_scrub_edge {
    bool present;
    usize len;
    u8 node[KL_SCRUB_NODE_MAX];
} kl_scrub_edge;

struct kl_scrub_trie {
    struct kl_trie_source source;
    struct kl_kv_read *read;
    struct kl_arena arena; /* of one batch */
    bool has_owner, begun;
    kl_hash owner, root;
    u64 nodes; /* compared */
    kl_trie_change *changes;
    usize count;
    kl_hash last; /* leaf of the batch before; begun says there is one */
    kl_scrub_edge edge[KL_SCRUB_PATHS];
};

struct kl_scrub_trie *kl_scrub_trie_new(struct kl_kv_read *read); /* NULL without memory */
void kl_scrub_trie_free(struct kl_scrub_trie *trie);

/* Starts a trie; owner NULL for that of accounts. */
void kl_scrub_trie_begin(struct kl_scrub_trie *trie, const kl_hash *owner);
/* Adds a leaf, in order of keys.  KL_CORRUPT, with *damage filled, when a stored node differs. */
KL_MUST_USE kl_status kl_scrub_trie_add(struct kl_scrub_trie *trie, const kl_hash *key,
                                        kl_span value, kl_state_damage *damage);
/* After the last leaf: root and nodes are right. */
KL_MUST_USE kl_status kl_scrub_trie_end(struct kl_scrub_trie *trie, kl_state_damage *damage);

#endif
