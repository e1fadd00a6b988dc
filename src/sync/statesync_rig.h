/* statesync_rig: small states with their tries, and what somebody who fills a database has laid,
 * for the tests of this layer. */
#ifndef KL_SYNC_STATESYNC_RIG_H
#define KL_SYNC_STATESYNC_RIG_H

#include "base/rand.h"
#include "sync/statesync.h"
#include "types/account.h"

enum {
    STATESYNC_ACCOUNTS_MAX = 90,
    STATESYNC_SLOTS_MAX = 24, /* of an account; of a large one: */
    STATESYNC_SLOTS_LARGE = 400,
    STATESYNC_CODES = 4,
    STATESYNC_LEAVES = 5, /* of an answer: every trie takes several */
    STATESYNC_FLAT_MAX = 4096,
};

typedef struct statesync_account {
    kl_hash key; /* first, for sorting */
    kl_account value;
    usize code; /* STATESYNC_CODES: none */
    usize slot_count;
    kl_trie_change slots[STATESYNC_SLOTS_LARGE];
} statesync_account;

struct statesync_node;

/* A state: as its peers have it. */
typedef struct statesync_world {
    struct kl_trie_source source;
    struct kl_trie_sink sink;
    struct kl_arena *arena;
    u64 height;
    kl_hash root;
    usize count;
    statesync_account accounts[STATESYNC_ACCOUNTS_MAX];
    kl_trie_change leaves[STATESYNC_ACCOUNTS_MAX];
    struct statesync_node *nodes;
} statesync_world;

/* Everything lies in the arena.  A later state differs from an earlier one here and there. */
void statesync_world_make(statesync_world *w, u64 height, struct kl_arena *arena, u64 *seed);
void statesync_world_later(statesync_world *w, const statesync_world *before, u64 height,
                           u64 *seed);
/* One account, whose storage is large. */
void statesync_world_large(statesync_world *w, u64 height, struct kl_arena *arena, u64 *seed);
/* What an honest peer answers. */
kl_message statesync_answer(statesync_world *w, const kl_statesync_effect *ask);

/* Leaves of all tries that were laid, in order of owner and key. */
typedef struct statesync_leaf {
    bool has_owner;
    kl_hash owner, key;
    u8 len, value[KL_TRIE_VALUE_MAX];
} statesync_leaf;
typedef struct statesync_flat {
    statesync_leaf leaves[STATESYNC_FLAT_MAX];
    usize count;
    bool codes[STATESYNC_CODES];
} statesync_flat;

/* Does what LAY and LAY_CODE say. */
void statesync_lay(statesync_flat *flat, const kl_statesync_effect *effect, const kl_message *m);
/* The answer to LOOK; storage that is to be empty is emptied. */
void statesync_look(statesync_flat *flat, const kl_hash *from, kl_statesync_event *out,
                    kl_statesync_want wants[KL_STATESYNC_WANTS], struct kl_arena *arena);
kl_hash statesync_root(const statesync_flat *flat, const kl_hash *owner, struct kl_arena *arena);

#endif
