/* roots: the tries over a block's lists [YP section 4.3.2]; values are the items' consensus bytes.
 */
#include "chain/rules.h"
#include "trie/trie.h"

kl_status kl_transactions_root(kl_hash *out, const kl_tx *txs, usize count,
                               struct kl_arena *scratch)
{
    kl_span *values = KL_TAKE(scratch, kl_span, count);
    if (!values && count)
        return KL_NOMEM;
    for (usize i = 0; i < count; i++)
        values[i] = txs[i].raw;
    return kl_trie_list_root(out, values, count, scratch);
}

/* The bytes that encode(out, item) writes. */
static kl_status encoded(kl_span *value, const void *item,
                         void (*encode)(kl_out *out, const void *item), struct kl_arena *scratch)
{
    kl_out counter = kl_out_counter();
    encode(&counter, item);
    u8 *room = KL_TAKE(scratch, u8, counter.len);
    if (!room)
        return KL_NOMEM;
    kl_out out = kl_out_of(room, counter.len);
    encode(&out, item);
    KL_ASSERT(!out.full && out.len == counter.len);
    *value = kl_out_done(&out);
    return KL_OK;
}

static void encode_withdrawal(kl_out *out, const void *item)
{
    kl_withdrawal_encode(out, item);
}

static void encode_receipt(kl_out *out, const void *item)
{
    kl_receipt_encode(out, item);
}

kl_status kl_withdrawals_root(kl_hash *out, const kl_withdrawal *withdrawals, usize count,
                              struct kl_arena *scratch)
{
    kl_span *values = KL_TAKE(scratch, kl_span, count);
    if (!values && count)
        return KL_NOMEM;
    for (usize i = 0; i < count; i++)
        KL_TRY(encoded(&values[i], &withdrawals[i], encode_withdrawal, scratch));
    return kl_trie_list_root(out, values, count, scratch);
}

kl_status kl_receipts_root(kl_hash *out, const kl_receipt *receipts, usize count,
                           struct kl_arena *scratch)
{
    kl_span *values = KL_TAKE(scratch, kl_span, count);
    if (!values && count)
        return KL_NOMEM;
    for (usize i = 0; i < count; i++)
        KL_TRY(encoded(&values[i], &receipts[i], encode_receipt, scratch));
    return kl_trie_list_root(out, values, count, scratch);
}
