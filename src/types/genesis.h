/* genesis: a geth-format genesis file: config, header fields, alloc, and config.keel.
 *
 * The state root of the genesis block needs a trie and is computed in chain; this is the file's
 * content.  What geth takes, this takes, with geth's defaults: numbers as numbers or strings, names
 * in any case, unknown members passed over.  What geth would do otherwise than Keel can, forks out
 * of order, and unknown members of config.keel are faults.
 * config.keel, all members optional: {"engine": "solo", "dev": false, "baseFeeDenominator": 8,
 * "elasticity": 2, "maxBlockBytes": 2097152, "repeatTimestamp": false, "bft": {…}}; bft goes with
 * the engine "simplex", and must.  docs/formats/genesis.md has every member. */
#ifndef KL_TYPES_GENESIS_H
#define KL_TYPES_GENESIS_H

#include "base/arena.h"
#include "codec/json.h"
#include "types/header.h"
#include "types/spec.h"

typedef struct kl_alloc {
    kl_address address;
    u64 nonce;
    kl_u256 balance;
    kl_span code;
    const kl_hash *keys; /* storage in order of keys, key i has value i, never 0 */
    const kl_u256 *values;
    usize slot_count;
} kl_alloc;

/* A validator of epoch 0, its keys as they were given: of the lengths that the scheme has; whether
 * they are keys is for cert to say.  What the scheme has no proof of is empty. */
typedef struct kl_genesis_validator {
    kl_address operator;
    kl_span key, proof, randao_key, randao_proof;
    u64 weight;
    usize line; /* in the file */
} kl_genesis_validator;

typedef struct kl_genesis {
    kl_spec spec;
    kl_header header; /* without the state root; where validators vote, extra_data as given */
    const kl_genesis_validator *validators; /* with KL_ENGINE_SIMPLEX */
    usize validator_count;
    const kl_alloc *alloc; /* in order of addresses, none twice */
    usize alloc_count;
} kl_genesis;

/* What is wrong with a file, for its author. */
typedef struct kl_file_fault {
    kl_rule rule;
    usize line;     /* 1-based; 0 when it is no one line */
    char where[64]; /* the member at fault, "config.cancunTime" */
} kl_file_fault;

/* Reads the text of a genesis file; fault->rule is KL_RULE_NONE for a good one.  KL_NOMEM. */
KL_MUST_USE kl_status kl_genesis_parse(kl_genesis *out, kl_span text, struct kl_arena *arena,
                                       kl_file_fault *fault);

#endif
