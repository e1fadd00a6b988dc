/* peer_proof: a validator says under its vote key which peer it is, so that others know whom to
 * keep connected with.
 *
 * The signed bytes are "keel/1/peer" 11 ‖ scheme 1 ‖ chain id 8 ‖ genesis hash 32 ‖ peer's Ed25519
 * key 32 ‖ seq 8: no vote and no share of randomness begins so, or is as long.  seq is that of the
 * peer's record that the proof travels with; of two proofs for one key that with the higher seq
 * counts.  Signing it needs no guard: whatever is signed here says nothing of any block.
 * Thread: any. */
#ifndef KL_CERT_PEER_PROOF_H
#define KL_CERT_PEER_PROOF_H

#include "cert/vote.h"

enum { KL_PEER_PROOF_PREIMAGE_LEN = 92 };

/* out: KL_VOTE_SIGNATURE_MAX bytes at least.  False for a secret that is none. */
KL_MUST_USE bool kl_peer_proof_sign(u8 *out, const kl_vote_scheme *scheme,
                                    const kl_secret32 *secret, const kl_vote_domain *domain,
                                    const u8 peer[32], u64 seq);

bool kl_peer_proof_verify(const u8 *proof, const kl_vote_scheme *scheme, const u8 *key,
                          const kl_vote_domain *domain, const u8 peer[32], u64 seq);

#endif
