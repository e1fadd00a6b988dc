/* consensus_header: what a BFT chain says about a block beyond Ethereum's header.  extraData is its
 * hash, 32 bytes, so that keccak(rlp(header)) is the block's hash for every tool.
 *
 *     rlp([version, epoch, view, parent_view, time_ms, next_set_hash, randao_proof, fork_signal,
 *          outbox_root])
 *
 * Consensus header 0 belongs to the genesis: epoch 0, view 0, no randao_proof; it has one item
 * more, config_hash = keccak(canonical config.keel), and its next_set_hash is the set of epoch 0,
 * so that two networks never share a genesis hash by accident. */
#ifndef KL_CERT_CONSENSUS_HEADER_H
#define KL_CERT_CONSENSUS_HEADER_H

#include "base/hash.h"
#include "base/rule.h"
#include "base/span.h"

#define KL_CONSENSUS_VERSION        1u
#define KL_RANDAO_PROOF_LEN         96 /* a signature in G2 */
#define KL_CONSENSUS_HEADER_RLP_MAX 320

typedef struct kl_consensus_header {
    u64 version;
    u64 epoch, view, parent_view;
    u64 time_ms;           /* since 1970, strictly above the parent's; timestamp = time_ms / 1000 */
    kl_hash next_set_hash; /* in an epoch's last block the next epoch's set, zeros elsewhere */
    bool has_randao_proof;
    u8 randao_proof[KL_RANDAO_PROOF_LEN];
    u64 fork_signal; /* bit n: this validator's software knows fork n of the chain's plan */
    kl_hash outbox_root;
    bool is_genesis;
    kl_hash config_hash; /* when is_genesis */
} kl_consensus_header;

void kl_consensus_header_encode(kl_out *out, const kl_consensus_header *header);

/* Judges the form, and what header 0 and the others must and must not have: the RLP_ rows, and
 * CONSENSUS_VERSION, CONSENSUS_FORM. */
kl_rule kl_consensus_header_decode(kl_consensus_header *out, kl_span bytes);

/* keccak(rlp), what extraData must be. */
kl_hash kl_consensus_header_hash(const kl_consensus_header *header);

#endif
