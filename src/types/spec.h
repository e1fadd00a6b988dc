/* spec: the chain spec, everything about a chain that its members agreed on before its first block.
 * It comes from a geth-format genesis file (genesis.h); a verdict is a function of the input, the
 * parent state and this. */
#ifndef KL_TYPES_SPEC_H
#define KL_TYPES_SPEC_H

#include "base/u256.h"
#include "types/fork.h"

/* When a fork begins.  Paris begins by total difficulty, at a height, or with the chain. */
typedef struct kl_activation {
    enum { KL_AT_NEVER, KL_AT_BLOCK, KL_AT_TIME } by;
    u64 at;
} kl_activation;

/* How many blobs a block aims at and may hold, and how fast their price moves [EIP-4844,
 * EIP-7840]. */
typedef struct kl_blob_schedule {
    u32 target, max;
    u64 update_fraction;
} kl_blob_schedule;

/* Who decides the next block. */
typedef enum kl_engine {
    KL_ENGINE_SOLO,     /* one producer, this node */
    KL_ENGINE_EXTERNAL, /* blocks come from outside: official fixtures, an Ethereum history */
    KL_ENGINE_SIMPLEX,  /* validators vote; every block is final */
} kl_engine;

/* What the members of a chain whose validators vote agreed on; docs/formats/consensus.md. */
typedef struct kl_bft_spec {
    u8 scheme;           /* of votes, see cert/scheme.h */
    u64 epoch_blocks;    /* at least 1 */
    u64 block_period_ms; /* between blocks under load */
    u64 empty_period_ms; /* how long an idle chain stays silent; 0: a block every period */
    u64 delta_ms;        /* what a message takes: the unit of patience; at least 1 */
    kl_address policy;   /* the contract that names the next validators; zeros: they never change */
} kl_bft_spec;

/* The most bytes a block's RLP may have from Osaka on [EIP-7934]. */
#define KL_BLOCK_BYTES_MAX 8388608u

typedef struct kl_spec {
    u64 chain_id;
    kl_activation fork[KL_FORK_COUNT]; /* Frontier at block 0 */
    kl_u256 terminal_total_difficulty; /* 0: Paris from the first block on; KL_U256_MAX: Paris does
                                          not come by difficulty */
    bool dao_fork;                     /* the DAO's balances move at dao_fork_block */
    u64 dao_fork_block;
    kl_blob_schedule blobs[KL_FORK_COUNT]; /* a fork without update_fraction inherits */
    kl_address deposit_contract;           /* EIP-6110 */
    u64 base_fee_denominator;              /* 8 [EIP-1559] */
    u64 elasticity;                        /* 2 [EIP-1559] */
    u64 max_block_bytes;                   /* of a block's RLP, never above EIP-7934's limit */
    kl_engine engine;
    kl_bft_spec bft;       /* with KL_ENGINE_SIMPLEX */
    bool dev;              /* dev operations are allowed (config.keel.dev) */
    bool repeat_timestamp; /* a block may carry its parent's timestamp */
    bool proof_of_work;    /* ethash seals are checked (fixtures that ask for it) */
} kl_spec;

/* The rules for one block.  A fork never holds before one listed earlier that is still to come; one
 * that never comes is passed over.  Where Paris comes by difficulty only, it is the caller who sees
 * from a difficulty of 0 that it has come. */
kl_fork kl_spec_fork(const kl_spec *spec, u64 number, u64 timestamp);

/* A spec with everything up to fork active from the first block, chain id 1, mainnet's numbers. */
void kl_spec_init(kl_spec *spec, kl_fork fork);

/* The blob schedule in force under fork; zeros before Cancun. */
kl_blob_schedule kl_spec_blobs(const kl_spec *spec, kl_fork fork);

#endif
