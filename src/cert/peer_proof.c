#include "cert/peer_proof.h"

_Static_assert((int)KL_PEER_PROOF_PREIMAGE_LEN != (int)KL_VOTE_PREIMAGE_LEN,
               "told apart by length alone, too");

static void preimage_of(u8 out[KL_PEER_PROOF_PREIMAGE_LEN], const kl_vote_scheme *scheme,
                        const kl_vote_domain *domain, const u8 peer[32], u64 seq)
{
    kl_out to = kl_out_of(out, KL_PEER_PROOF_PREIMAGE_LEN);
    kl_out_span(&to, KL_SPAN_TEXT("keel/1/peer"));
    kl_out_u8(&to, scheme->id);
    kl_out_be64(&to, domain->chain_id);
    kl_out_span(&to, kl_hash_span(&domain->genesis_hash));
    kl_out_bytes(&to, peer, 32);
    kl_out_be64(&to, seq);
    KL_ASSERT(!to.full && to.len == KL_PEER_PROOF_PREIMAGE_LEN);
}

bool kl_peer_proof_sign(u8 *out, const kl_vote_scheme *scheme, const kl_secret32 *secret,
                        const kl_vote_domain *domain, const u8 peer[32], u64 seq)
{
    u8 preimage[KL_PEER_PROOF_PREIMAGE_LEN];
    preimage_of(preimage, scheme, domain, peer, seq);
    return scheme->sign(out, secret, KL_SPAN_OF(preimage));
}

bool kl_peer_proof_verify(const u8 *proof, const kl_vote_scheme *scheme, const u8 *key,
                          const kl_vote_domain *domain, const u8 peer[32], u64 seq)
{
    u8 preimage[KL_PEER_PROOF_PREIMAGE_LEN];
    preimage_of(preimage, scheme, domain, peer, seq);
    return scheme->verify(key, KL_SPAN_OF(preimage), proof);
}
