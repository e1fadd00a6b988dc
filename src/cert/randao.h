/* randao: each block's share of the chain's randomness, the leader's signature over (epoch, view).
 * BLS signatures are unique, so a leader has no choice but to give its share or none at all.
 *
 *     prevRandao = keccak(parent's prevRandao ‖ randao_proof)
 *
 * The signed bytes are "keel/1/randao" 13 ‖ chain id 8 ‖ genesis hash 32 ‖ epoch 8 ‖ view 8.  Under
 * the keyed hash, for tests, key and proof are hashes filled up with zeros. */
#ifndef KL_CERT_RANDAO_H
#define KL_CERT_RANDAO_H

#include "cert/consensus_header.h"
#include "cert/vote.h"

#define KL_RANDAO_PREIMAGE_LEN 69

/* The key that stands in the validator set of a chain with this vote scheme.  False for a secret
 * that is none. */
KL_MUST_USE bool kl_randao_key(u8 out[KL_RANDAO_KEY_LEN], const kl_vote_scheme *scheme,
                               const kl_secret32 *secret);

KL_MUST_USE bool kl_randao_sign(u8 out[KL_RANDAO_PROOF_LEN], const kl_vote_scheme *scheme,
                                const kl_secret32 *secret, const kl_vote_domain *domain, u64 epoch,
                                u64 view);

bool kl_randao_verify(const u8 proof[KL_RANDAO_PROOF_LEN], const kl_vote_scheme *scheme,
                      const u8 key[KL_RANDAO_KEY_LEN], const kl_vote_domain *domain, u64 epoch,
                      u64 view);

/* prevRandao of the block that carries proof. */
kl_hash kl_randao_mix(const kl_hash *parent, const u8 proof[KL_RANDAO_PROOF_LEN]);

#endif
