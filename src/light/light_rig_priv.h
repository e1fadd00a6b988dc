/* light_rig: chains that were never executed, with real validators, certificates and tries, for the
 * tests of this layer and for light_bundles, which writes bundles for others to judge.
 *
 * Any chain a seed gives is good.  light_corrupt_rig.c makes bundles of it that nobody may believe.
 */
#ifndef KL_LIGHT_LIGHT_RIG_PRIV_H
#define KL_LIGHT_LIGHT_RIG_PRIV_H

#include "base/map.h"
#include "base/rand.h"
#include "light/bundle.h"
#include "trie/trie.h"

enum {
    RIG_EPOCHS = 4,
    RIG_VALIDATORS = 24,
    RIG_BLOCKS = 40,
    RIG_STATES = 3,
    RIG_ACCOUNTS = 24,
    RIG_SLOTS = 12,
};

typedef struct rig_epoch {
    kl_valset set;
    kl_validator validators[RIG_VALIDATORS];
    kl_secret32 secrets[RIG_VALIDATORS];
    kl_span rlp;
    u64 last; /* number of its last block */
} rig_epoch;

typedef struct rig_block {
    kl_header header;
    kl_hash hash;
    kl_consensus_header consensus;
    kl_proposal proposal; /* as it was finalized */
    usize state;
    kl_span rlp, consensus_rlp;
    kl_span finalization; /* none: final through a later block */
} rig_block;

typedef struct rig_account {
    kl_address address;
    kl_account account;
    kl_u256 keys[RIG_SLOTS], values[RIG_SLOTS];
    usize slot_count;
} rig_account;

/* A state, and its stored tries. */
typedef struct rig_state {
    struct kl_trie_source source; /* first */
    struct kl_trie_sink sink;
    struct kl_map nodes;
    struct kl_arena *arena;
    kl_hash root;
    rig_account accounts[RIG_ACCOUNTS];
    usize account_count;
} rig_state;

typedef struct light_rig {
    struct kl_light_source source; /* first */
    struct kl_arena arena;
    const kl_vote_scheme *scheme;
    kl_vote_domain domain;
    rig_epoch epochs[RIG_EPOCHS];
    usize epoch_count;
    rig_block blocks[RIG_BLOCKS]; /* by number */
    u64 head;
    rig_state states[RIG_STATES];
} light_rig;

light_rig *light_rig_new(u8 scheme, u64 *seed);
void light_rig_free(light_rig *rig);

/* A copy in the rig's arena; and what is encoded there. */
kl_span light_rig_keep(light_rig *rig, kl_span bytes);
kl_span light_rig_header(light_rig *rig, const kl_header *header);
kl_span light_rig_consensus(light_rig *rig, const kl_consensus_header *header);

/* Who signs: everybody, or so few that one less would be less than a quorum, or one too few. */
typedef enum rig_signers { RIG_ALL, RIG_QUORUM, RIG_TOO_FEW } rig_signers;

/* The certificate of a subject, signed by validators of epoch for a domain; RLP in the rig's arena.
 * Signing for the wrong set or domain, or by too few, is the caller's wish. */
kl_span light_rig_sign(light_rig *rig, const kl_vote_subject *subject, usize epoch,
                       const kl_vote_domain *domain, rig_signers who, u64 *seed);

/* A bundle for a block, from an epoch on, as the layer's own writer writes and its reader reads it;
 * and what it holds of an account. */
void light_rig_bundle(light_rig *rig, kl_light_bundle *out, u64 number, u64 from_epoch);
void light_rig_account(light_rig *rig, kl_light_bundle *bundle, u64 number, u64 *seed);

/* A good bundle at random, to be judged from the checkpoint of an epoch, or from the genesis when
 * that is 0.  Returns the first of its epochs that counts then. */
usize light_rig_make(light_rig *rig, kl_light_bundle *out, u64 *number, usize epoch, u64 *seed);

/* What the end of an epoch leaves trusted, as a checkpoint of the epoch behind it. */
kl_light_checkpoint light_rig_checkpoint(const light_rig *rig, usize epoch);

/* Writes a bundle as JSON.  spoil: which value is written so that no reader may take it, and how;
 * returns how many values there are. */
typedef struct rig_style {
    bool upper, padded; /* digits in upper case; quantities with leading zeros */
    bool extra;         /* members that nobody knows */
    usize spoil;        /* which value, from 1; 0: none */
    unsigned how;       /* 0 to 7 */
} rig_style;
usize light_rig_write(struct kl_buf *text, const kl_light_bundle *bundle, const rig_style *style);

/* Something wrong, done to a bundle. */
typedef struct rig_corruption {
    const char *name;
    /* False when it cannot be done to this one.  first: the first of its epochs that counts. */
    bool (*run)(light_rig *rig, kl_light_bundle *bundle, usize first, u64 *seed);
} rig_corruption;
extern const rig_corruption light_corruptions[];
extern const usize light_corruption_count;

#endif
