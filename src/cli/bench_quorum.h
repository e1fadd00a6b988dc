/* bench_quorum: n Simplex engines over a network of regions, in virtual time, as `keel bench
 * consensus` measures them.  Blocks are names; the disk and an execution take a millisecond each.
 * Votes are signed by the keyed hash, and counted as long as another scheme would make them. */
#ifndef KL_CLI_BENCH_QUORUM_H
#define KL_CLI_BENCH_QUORUM_H

#include "consensus/simplex.h"

#define KL_QUORUM_REGIONS_MAX 10
#define KL_QUORUM_BLOCKS_MAX  1024

typedef struct kl_quorum_config {
    u32 validators, regions; /* validators take regions in turn */
    u32 blocks;              /* how many must be final everywhere */
    u64 block_period_ns;
    u64 body_bytes; /* of a block, which goes with its proposal */
    u64 seed;
} kl_quorum_config;

/* What a run came to.  Latencies are of each block at each validator, in microseconds, in order. */
typedef struct kl_quorum_figures {
    u64 blocks, messages, bytes_secp, bytes_bls; /* bodies apart */
    u64 span_ns;                                 /* virtual, from the first block to the last */
    u64 nullified;
    u32 *notarized_us, *final_us; /* from the proposal's leaving its leader */
    usize latencies;
} kl_quorum_figures;

/* out->... are freed by kl_quorum_done.  No memory is a status. */
KL_MUST_USE kl_status kl_quorum_run(kl_quorum_figures *out, const kl_quorum_config *config);
void kl_quorum_done(kl_quorum_figures *figures);

/* A set of n validators of weight 1, under a scheme; the arrays are the caller's. */
void kl_quorum_set(kl_valset *set, kl_validator *validators, kl_secret32 *secrets, u32 n,
                   const kl_vote_scheme *scheme);

#endif
