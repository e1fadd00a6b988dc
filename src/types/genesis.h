/* genesis: a geth-format genesis file: config, header fields, alloc, and config.keel.
 *
 * The roots of the genesis block need a trie and are computed in chain; this is the file's content.
 * config.keel, all members optional: {"engine": "solo", "dev": false, "baseFeeDenominator": 8,
 * "elasticity": 2, "maxBlockBytes": 2097152, "repeatTimestamp": false}. */
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
    const kl_hash *keys; /* storage, key i has value i */
    const kl_u256 *values;
    usize slot_count;
} kl_alloc;

typedef struct kl_genesis {
    kl_spec spec;
    kl_header header; /* without state root and other computed roots */
    const kl_alloc *alloc;
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
