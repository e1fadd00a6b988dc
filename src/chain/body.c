/* A body is two RLP items in a row, the block and its consensus header, which hang together by the
 * block's extraData. */
#include "chain/bft_priv.h"
#include "codec/rlp.h"

kl_rule kl_body_split(kl_span bytes, kl_span *block, kl_span *consensus)
{
    kl_rlp items = {bytes};
    bool block_is_list, consensus_is_list;
    KL_JUDGE(kl_rlp_item(&items, block, &block_is_list));
    KL_JUDGE(kl_rlp_item(&items, consensus, &consensus_is_list));
    KL_JUDGE(kl_rlp_close(&items));
    return block_is_list && consensus_is_list ? KL_RULE_NONE : KL_RULE_RLP_KIND;
}

kl_rule kl_body_decode(kl_body *out, kl_span bytes)
{
    kl_body body;
    kl_rlp items;
    kl_span header;
    bool is_list;
    KL_JUDGE(kl_body_split(bytes, &body.block, &body.consensus));
    KL_JUDGE(kl_rlp_open(&items, body.block));
    KL_JUDGE(kl_rlp_item(&items, &header, &is_list));
    KL_JUDGE(kl_header_decode(&body.header, header));
    KL_JUDGE(kl_consensus_header_decode(&body.consensus_header, body.consensus));
    KL_JUDGE(kl_bft_judge_hash(&body.header, body.consensus));
    body.hash = kl_header_hash(&body.header);
    *out = body;
    return KL_RULE_NONE;
}

void kl_body_of_tip(struct kl_buf *out, const struct kl_tip *tip)
{
    kl_block_record record;
    KL_ASSERT(tip->epoch && tip->step == KL_STEP_BLOCK);
    kl_rule broken = kl_record_block(KL_RECORD_VOTED, kl_buf_view(&tip->record), &record);
    KL_ASSERT(broken == KL_RULE_NONE);
    kl_buf_span(out, record.block);
    kl_buf_span(out, record.consensus);
}

kl_vote_domain kl_chain_vote_domain(const struct kl_chain *chain)
{
    return (kl_vote_domain){.chain_id = chain->spec.chain_id, .genesis_hash = chain->genesis_hash};
}

kl_proposal kl_tip_floor(const struct kl_tip *tip)
{
    KL_ASSERT(tip->epoch);
    kl_proposal floor = {
        .epoch = tip->epoch->number,
        .height = tip->header.number,
        .block_hash = tip->hash,
    };
    if (tip->header.number + 1 == tip->epoch->first_height)
        return floor;
    floor.view = tip->consensus.view;
    floor.parent_view = tip->consensus.parent_view;
    floor.parent_hash = tip->header.parent_hash;
    return floor;
}
