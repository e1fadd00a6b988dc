#include "sync/compact.h"

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

kl_rule kl_compact_next(kl_rlp *txs, kl_span *envelope)
{
    kl_rlp items = *txs;
    kl_span item;
    bool is_list;
    KL_JUDGE(kl_rlp_item(&items, &item, &is_list));
    if (is_list) { /* of the first form, which is hashed as it stands */
        *txs = items;
        *envelope = item;
        return KL_RULE_NONE;
    }
    return kl_rlp_bytes(txs, envelope);
}

static void put_tx(kl_out *out, kl_span envelope)
{
    if (envelope.len && envelope.p[0] >= 0xc0)
        kl_out_span(out, envelope);
    else
        kl_rlp_put_bytes(out, envelope);
}

void kl_compact_join(kl_out *out, const kl_compact *compact, const kl_span *envelopes, usize count)
{
    kl_rlp_mark block = kl_rlp_put_begin(out);
    kl_out_span(out, compact->header);
    kl_rlp_mark txs = kl_rlp_put_begin(out);
    for (usize i = 0; i < count; i++)
        put_tx(out, envelopes[i]);
    kl_rlp_put_end(out, txs);
    kl_out_span(out, compact->rest);
    kl_rlp_put_end(out, block);
    kl_out_span(out, compact->consensus);
}
