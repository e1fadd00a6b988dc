#include "types/header.h"

#include "codec/rlp.h"
#include "crypto/keccak.h"

/* [EIP-1559], [EIP-4895], [EIP-4844 and EIP-4788], [EIP-7685]. */
enum { TAIL_LONDON = 1, TAIL_SHANGHAI = 2, TAIL_CANCUN = 5, TAIL_PRAGUE = 6 };

u8 kl_header_tail(kl_fork fork)
{
    return fork >= KL_PRAGUE     ? TAIL_PRAGUE
           : fork >= KL_CANCUN   ? TAIL_CANCUN
           : fork >= KL_SHANGHAI ? TAIL_SHANGHAI
           : fork >= KL_LONDON   ? TAIL_LONDON
                                 : 0;
}

static void put_tail(kl_out *out, const kl_header *h)
{
    if (h->tail >= TAIL_LONDON)
        kl_rlp_put_u256(out, h->base_fee);
    if (h->tail >= TAIL_SHANGHAI)
        kl_rlp_put_hash(out, &h->withdrawals_root);
    if (h->tail >= TAIL_CANCUN) {
        kl_rlp_put_u64(out, h->blob_gas_used);
        kl_rlp_put_u64(out, h->excess_blob_gas);
        kl_rlp_put_hash(out, &h->parent_beacon_root);
    }
    if (h->tail >= TAIL_PRAGUE)
        kl_rlp_put_hash(out, &h->requests_hash);
}

void kl_header_encode(kl_out *out, const kl_header *h)
{
    KL_ASSERT(h->extra_len <= KL_EXTRA_DATA_MAX);
    kl_rlp_mark list = kl_rlp_put_begin(out);
    kl_rlp_put_hash(out, &h->parent_hash);
    kl_rlp_put_hash(out, &h->ommers_hash);
    kl_rlp_put_address(out, &h->coinbase);
    kl_rlp_put_hash(out, &h->state_root);
    kl_rlp_put_hash(out, &h->transactions_root);
    kl_rlp_put_hash(out, &h->receipts_root);
    kl_rlp_put_bytes(out, KL_SPAN_OF(h->logs_bloom.b));
    kl_rlp_put_u256(out, h->difficulty);
    kl_rlp_put_u64(out, h->number);
    kl_rlp_put_u64(out, h->gas_limit);
    kl_rlp_put_u64(out, h->gas_used);
    kl_rlp_put_u64(out, h->timestamp);
    kl_rlp_put_bytes(out, kl_span_of(h->extra_data, h->extra_len));
    kl_rlp_put_hash(out, &h->mix_hash);
    kl_rlp_put_bytes(out, KL_SPAN_OF(h->nonce));
    put_tail(out, h);
    kl_rlp_put_end(out, list);
}

static kl_rule read_extra(kl_rlp *items, kl_header *h)
{
    kl_span extra;
    KL_JUDGE(kl_rlp_bytes(items, &extra));
    if (extra.len > KL_EXTRA_DATA_MAX)
        return KL_RULE_HEADER_EXTRA_DATA;
    h->extra_len = (u8)extra.len;
    if (extra.len)
        memcpy(h->extra_data, extra.p, extra.len);
    return KL_RULE_NONE;
}

/* Whatever is there must be one of the four tails in full. */
static kl_rule read_tail(kl_rlp *items, kl_header *h)
{
    if (kl_rlp_end(items))
        return KL_RULE_NONE;
    KL_JUDGE(kl_rlp_u256(items, &h->base_fee));
    h->tail = TAIL_LONDON;
    if (kl_rlp_end(items))
        return KL_RULE_NONE;
    KL_JUDGE(kl_rlp_hash(items, &h->withdrawals_root));
    h->tail = TAIL_SHANGHAI;
    if (kl_rlp_end(items))
        return KL_RULE_NONE;
    KL_JUDGE(kl_rlp_u64(items, &h->blob_gas_used));
    KL_JUDGE(kl_rlp_u64(items, &h->excess_blob_gas));
    KL_JUDGE(kl_rlp_hash(items, &h->parent_beacon_root));
    h->tail = TAIL_CANCUN;
    if (kl_rlp_end(items))
        return KL_RULE_NONE;
    KL_JUDGE(kl_rlp_hash(items, &h->requests_hash));
    h->tail = TAIL_PRAGUE;
    return kl_rlp_close(items);
}

kl_rule kl_header_decode(kl_header *out, kl_span bytes)
{
    kl_rlp items;
    kl_header h = {0};
    KL_JUDGE(kl_rlp_open(&items, bytes));
    KL_JUDGE(kl_rlp_hash(&items, &h.parent_hash));
    KL_JUDGE(kl_rlp_hash(&items, &h.ommers_hash));
    KL_JUDGE(kl_rlp_address(&items, &h.coinbase));
    KL_JUDGE(kl_rlp_hash(&items, &h.state_root));
    KL_JUDGE(kl_rlp_hash(&items, &h.transactions_root));
    KL_JUDGE(kl_rlp_hash(&items, &h.receipts_root));
    KL_JUDGE(kl_rlp_fixed(&items, h.logs_bloom.b, sizeof h.logs_bloom.b));
    KL_JUDGE(kl_rlp_u256(&items, &h.difficulty));
    KL_JUDGE(kl_rlp_u64(&items, &h.number));
    KL_JUDGE(kl_rlp_u64(&items, &h.gas_limit));
    KL_JUDGE(kl_rlp_u64(&items, &h.gas_used));
    KL_JUDGE(kl_rlp_u64(&items, &h.timestamp));
    KL_JUDGE(read_extra(&items, &h));
    KL_JUDGE(kl_rlp_hash(&items, &h.mix_hash));
    KL_JUDGE(kl_rlp_fixed(&items, h.nonce, sizeof h.nonce));
    KL_JUDGE(read_tail(&items, &h));
    *out = h;
    return KL_RULE_NONE;
}

kl_hash kl_header_hash(const kl_header *header)
{
    u8 room[KL_HEADER_RLP_MAX];
    kl_out out = kl_out_of(room, sizeof room);
    kl_header_encode(&out, header);
    KL_ASSERT(!out.full);
    return kl_keccak256(kl_out_done(&out));
}
