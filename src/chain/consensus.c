/* A consensus header is judged like a header: against its parent, and against the block it stands
 * beside.  What is cheap comes first, the leader's signature last. */
#include "chain/bft_priv.h"
#include "crypto/keccak.h"

/* The view that a child names; behind an epoch's last block views begin anew. */
static u64 view_of_parent(const kl_spec *spec, const kl_bft_parent *parent)
{
    return kl_is_anchor(spec, parent->header->number) ? 0 : parent->consensus->view;
}

kl_consensus_header kl_bft_header(const kl_spec *spec, const kl_bft_parent *parent,
                                  const kl_bft_plan *plan)
{
    kl_consensus_header h = {
        .version = KL_CONSENSUS_VERSION,
        .epoch = kl_epoch_of(spec, parent->header->number + 1),
        .view = plan->view,
        .parent_view = view_of_parent(spec, parent),
        .time_ms = KL_MAX(plan->time_ms, kl_add_sat_u64(parent->consensus->time_ms, 1)),
        .has_randao_proof = true,
        .fork_signal = plan->fork_signal,
    };
    KL_ASSERT(h.view > h.parent_view);
    memcpy(h.randao_proof, plan->randao_proof, sizeof h.randao_proof);
    return h;
}

static kl_rule judge_place(const kl_spec *spec, const kl_bft_parent *parent,
                           const kl_header *header, const kl_consensus_header *h)
{
    if (h->is_genesis)
        return KL_RULE_CONSENSUS_FORM;
    if (h->epoch != kl_epoch_of(spec, header->number))
        return KL_RULE_CONSENSUS_EPOCH;
    if (h->parent_view != view_of_parent(spec, parent))
        return KL_RULE_CONSENSUS_PARENT_VIEW;
    if (h->time_ms <= parent->consensus->time_ms)
        return KL_RULE_CONSENSUS_TIME;
    if (header->timestamp != h->time_ms / 1000)
        return KL_RULE_CONSENSUS_TIMESTAMP;
    if (kl_is_anchor(spec, header->number) == kl_hash_is_zero(&h->next_set_hash))
        return KL_RULE_CONSENSUS_NEXT_SET;
    return kl_hash_is_zero(&h->outbox_root) ? KL_RULE_NONE : KL_RULE_CONSENSUS_OUTBOX;
}

kl_rule kl_bft_judge_share(const struct kl_chain *chain, const kl_valset *set,
                           const kl_consensus_header *h)
{
    const kl_vote_domain domain = kl_chain_vote_domain(chain);
    const kl_validator *leader = &set->validators[kl_valset_leader(set, h->epoch, h->view)];
    return kl_randao_verify(h->randao_proof, set->scheme, leader->randao_key, &domain, h->epoch,
                            h->view)
               ? KL_RULE_NONE
               : KL_RULE_CONSENSUS_RANDAO;
}

kl_rule kl_bft_judge(const struct kl_chain *chain, const kl_bft_parent *parent,
                     const kl_block *block, const kl_consensus_header *consensus)
{
    const kl_header *header = &block->header, *above = parent->header;
    KL_JUDGE(judge_place(&chain->spec, parent, header, consensus));
    if (memcmp(header->parent_beacon_root.b, above->extra_data, sizeof(kl_hash)) != 0)
        return KL_RULE_CONSENSUS_PARENT_ROOT;
    if (block->withdrawal_count)
        return KL_RULE_CONSENSUS_WITHDRAWALS;
    kl_hash mix = kl_randao_mix(&above->mix_hash, consensus->randao_proof);
    if (!kl_hash_eq(&header->mix_hash, &mix))
        return KL_RULE_CONSENSUS_MIX;
    return parent->set ? kl_bft_judge_share(chain, parent->set, consensus) : KL_RULE_NONE;
}

kl_rule kl_bft_judge_hash(const kl_header *header, kl_span consensus)
{
    kl_hash hash = kl_keccak256(consensus);
    kl_span extra = kl_span_of(header->extra_data, header->extra_len);
    return kl_span_eq(extra, kl_hash_span(&hash)) ? KL_RULE_NONE : KL_RULE_CONSENSUS_HASH;
}

/* An epoch's last block may have been proposed again, in later views, until it was final: as its
 * own parent. */
static bool names(const kl_proposal *p, const kl_block *block, const kl_consensus_header *h,
                  bool is_last)
{
    if (p->epoch != h->epoch || p->height != block->header.number ||
        !kl_hash_eq(&p->block_hash, &block->hash))
        return false;
    if (p->view == h->view)
        return p->parent_view == h->parent_view &&
               kl_hash_eq(&p->parent_hash, &block->header.parent_hash);
    return is_last && p->view > h->view && p->parent_view >= h->view &&
           kl_hash_eq(&p->parent_hash, &p->block_hash);
}

kl_rule kl_bft_judge_final(const struct kl_chain *chain, const kl_block *block,
                           const kl_consensus_header *consensus, const kl_valset *set,
                           kl_span finalization)
{
    kl_certificate certificate;
    const kl_vote_domain domain = kl_chain_vote_domain(chain);
    bool is_last = kl_is_anchor(&chain->spec, block->header.number);
    if (finalization.len == 0)
        return is_last ? KL_RULE_CERTIFICATE_MISSING : KL_RULE_NONE;
    KL_JUDGE(kl_certificate_decode(&certificate, finalization));
    if (certificate.subject.kind != KL_VOTE_FINALIZE ||
        !names(&certificate.subject.proposal, block, consensus, is_last))
        return KL_RULE_CERTIFICATE_BLOCK;
    return set ? kl_certificate_check(&certificate, set, &domain) : KL_RULE_NONE;
}

kl_run_votes kl_bft_run_votes(const struct kl_chain *chain, const struct kl_tip *parent,
                              const kl_consensus_header *consensus)
{
    const kl_valset *set = &parent->epoch->set;
    const u32 leader = kl_valset_leader(set, consensus->epoch, consensus->view);
    kl_run_votes votes = {
        .policy = chain->spec.bft.policy,
        .block = {.epoch = consensus->epoch,
                  .view = consensus->view,
                  .parent_view = consensus->parent_view,
                  .time_ms = consensus->time_ms,
                  .set = set->hash},
        .set = set,
        .asks = kl_is_anchor(&chain->spec, parent->header.number + 1),
        .tests = chain->tests,
    };
    memcpy(votes.block.leader.b, set->validators[leader].operator.b, sizeof(kl_address));
    return votes;
}
