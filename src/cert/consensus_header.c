#include "cert/consensus_header.h"

#include "codec/rlp.h"
#include "crypto/keccak.h"

void kl_consensus_header_encode(kl_out *out, const kl_consensus_header *h)
{
    kl_rlp_mark list = kl_rlp_put_begin(out);
    kl_rlp_put_u64(out, h->version);
    kl_rlp_put_u64(out, h->epoch);
    kl_rlp_put_u64(out, h->view);
    kl_rlp_put_u64(out, h->parent_view);
    kl_rlp_put_u64(out, h->time_ms);
    kl_rlp_put_hash(out, &h->next_set_hash);
    kl_rlp_put_bytes(out,
                     kl_span_of(h->randao_proof, h->has_randao_proof ? KL_RANDAO_PROOF_LEN : 0));
    kl_rlp_put_u64(out, h->fork_signal);
    kl_rlp_put_hash(out, &h->outbox_root);
    if (h->is_genesis)
        kl_rlp_put_hash(out, &h->config_hash);
    kl_rlp_put_end(out, list);
}

static kl_rule judge_form(const kl_consensus_header *h)
{
    if (h->version != KL_CONSENSUS_VERSION)
        return KL_RULE_CONSENSUS_VERSION;
    bool good = h->is_genesis ? h->epoch == 0 && h->view == 0 && h->parent_view == 0 &&
                                    !h->has_randao_proof && !kl_hash_is_zero(&h->next_set_hash)
                              : h->parent_view < h->view && h->has_randao_proof;
    return good ? KL_RULE_NONE : KL_RULE_CONSENSUS_FORM;
}

kl_rule kl_consensus_header_decode(kl_consensus_header *out, kl_span bytes)
{
    kl_rlp items;
    kl_consensus_header h = {0};
    kl_span proof;
    KL_JUDGE(kl_rlp_open(&items, bytes));
    KL_JUDGE(kl_rlp_u64(&items, &h.version));
    KL_JUDGE(kl_rlp_u64(&items, &h.epoch));
    KL_JUDGE(kl_rlp_u64(&items, &h.view));
    KL_JUDGE(kl_rlp_u64(&items, &h.parent_view));
    KL_JUDGE(kl_rlp_u64(&items, &h.time_ms));
    KL_JUDGE(kl_rlp_hash(&items, &h.next_set_hash));
    KL_JUDGE(kl_rlp_bytes(&items, &proof));
    if (proof.len != 0 && proof.len != KL_RANDAO_PROOF_LEN)
        return KL_RULE_RLP_LENGTH;
    h.has_randao_proof = proof.len != 0;
    if (h.has_randao_proof)
        memcpy(h.randao_proof, proof.p, proof.len);
    KL_JUDGE(kl_rlp_u64(&items, &h.fork_signal));
    KL_JUDGE(kl_rlp_hash(&items, &h.outbox_root));
    h.is_genesis = !kl_rlp_end(&items);
    if (h.is_genesis)
        KL_JUDGE(kl_rlp_hash(&items, &h.config_hash));
    KL_JUDGE(kl_rlp_close(&items));
    KL_JUDGE(judge_form(&h));
    *out = h;
    return KL_RULE_NONE;
}

kl_hash kl_consensus_header_hash(const kl_consensus_header *header)
{
    u8 room[KL_CONSENSUS_HEADER_RLP_MAX];
    kl_out out = kl_out_of(room, sizeof room);
    kl_consensus_header_encode(&out, header);
    KL_ASSERT(!out.full);
    return kl_keccak256(kl_out_done(&out));
}
