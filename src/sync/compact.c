#include "sync/compact.h"

#include "types/block.h"

kl_hash kl_compact_hash(const kl_compact *compact, usize place)
{
    kl_hash hash;
    KL_ASSERT(place < kl_compact_count(compact));
    memcpy(hash.b, compact->hashes.p + place * sizeof hash.b, sizeof hash.b);
    return hash;
}

kl_rule kl_compact_split(kl_compact *out, kl_rlp *txs, kl_span body)
{
    kl_compact compact = {0};
    kl_rlp items = {body}, block, list;
    bool is_list;
    KL_JUDGE(kl_rlp_list(&items, &block));
    KL_JUDGE(kl_rlp_item(&items, &compact.consensus, &is_list));
    KL_JUDGE(kl_rlp_close(&items));
    KL_JUDGE(kl_rlp_item(&block, &compact.header, &is_list));
    KL_JUDGE(kl_rlp_list(&block, &list));
    compact.rest = block.rest;
    *out = compact;
    *txs = list;
    return KL_RULE_NONE;
}

void kl_compact_join(kl_out *out, const kl_compact *compact, const kl_span *envelopes, usize count)
{
    kl_rlp_mark block = kl_rlp_put_begin(out);
    kl_out_span(out, compact->header);
    kl_rlp_mark txs = kl_rlp_put_begin(out);
    for (usize i = 0; i < count; i++)
        kl_envelope_put(out, envelopes[i]);
    kl_rlp_put_end(out, txs);
    kl_out_span(out, compact->rest);
    kl_rlp_put_end(out, block);
    kl_out_span(out, compact->consensus);
}
