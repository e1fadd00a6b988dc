/* authority_rig: the validator contract in a state of its own, with people around it whose keys are
 * known, for tests: no chain, but blocks and epochs as a chain would make them. */
#ifndef KL_CHAIN_AUTHORITY_RIG_PRIV_H
#define KL_CHAIN_AUTHORITY_RIG_PRIV_H

#include "base/test.h"
#include "chain/authority_priv.h"

enum { RIG_PEOPLE = 12, RIG_SLOTS = 8192 };

struct rig_hashes {
    struct kl_block_hashes hashes; /* stands first: it is found by it */
    const struct authority_rig *rig;
};

typedef struct authority_rig {
    struct kl_state_reader reader; /* stands first: it is found by it */
    struct rig_hashes hashes;
    kl_spec spec;
    kl_header header;
    kl_vote_domain domain;
    struct kl_exec *exec;
    struct kl_arena arena; /* sets, genesis */
    struct rig_slot {
        kl_hash key_hash;
        kl_u256 value;
    } slots[RIG_SLOTS]; /* the contract's, as of the end of the last block */
    usize slot_count;

    const kl_vote_scheme *scheme;
    /* Person i votes with secrets[i]; the first count of the genesis are validators. */
    kl_secret32 secrets[RIG_PEOPLE];
    kl_policy_entry people[RIG_PEOPLE];
    u8 proofs[RIG_PEOPLE][2][KL_VOTE_PROOF_MAX];

    u64 epoch, view;
    kl_valset set;    /* of the epoch */
    kl_valset before; /* of the epoch before */
    u64 gas_used;     /* by the last call */
} authority_rig;

void rig_init(authority_rig *rig, u8 scheme, kl_authority_mode mode, usize count, u64 *seed);
void rig_done(authority_rig *rig);

/* Another account in the contract's place, and a block begun on it. */
void rig_load(authority_rig *rig, const kl_alloc *account);

/* Other keys for a person, with their proofs. */
void rig_rekey(authority_rig *rig, usize person, u64 *seed);

/* The next block; its first thing is what the contract is told.  rig_block_of lets another block be
 * told. */
void rig_block(authority_rig *rig);
void rig_block_of(authority_rig *rig, const kl_authority_block *block);
/* Forgets what happened in this block, the telling included. */
void rig_undo(authority_rig *rig);
/* Ends the epoch: the next block is the next one's first. */
void rig_epoch(authority_rig *rig);

/* A call of the contract, which must go well; its output lives until the next one. */
kl_span rig_ok(authority_rig *rig, const kl_address *from, kl_span input);
/* Does it go well? */
bool rig_goes(authority_rig *rig, const kl_address *from, kl_span input);
/* One that must revert with the error that is named, "NotSystem()". */
void rig_refused(authority_rig *rig, const kl_address *from, kl_span input, const char *error);

/* Events of the last call, by signature. */
usize rig_events(authority_rig *rig, const char *signature);

/* A contract's answer of one number, to a function without arguments. */
u64 rig_number(authority_rig *rig, const char *function);

/* Calldata in static memory, good until the eighth call after it; words are numbers. */
kl_span rig_input(const char *function, usize count, const u64 *words);
kl_span rig_propose(authority_rig *rig, unsigned kind, usize target, u64 weight);
kl_span rig_vote(u64 id, bool agreed);
kl_span rig_ready(authority_rig *rig, usize person);
/* Calldata of report() with any bytes as evidence, and no points. */
kl_span rig_report(kl_span evidence, const kl_valset *set);

static inline const kl_address *rig_operator(const authority_rig *rig, usize person)
{
    return &rig->people[person].validator.operator;
}

/* Is a person in the current set; and its place, which it must have. */
bool rig_validates(const authority_rig *rig, usize person);
u32 rig_place(const kl_valset *set, const kl_address *operator);

#endif
