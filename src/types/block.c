#include "types/block.h"

#include "crypto/keccak.h"
#include "types/decode_priv.h"
#include "types/tx_priv.h"

/* The shortest encodings there are. */
enum { TX_BYTES_MIN = 10, HEADER_BYTES_MIN = 500, WITHDRAWAL_BYTES_MIN = 25 };

static bool is_legacy(kl_span envelope)
{
    return envelope.len && envelope.p[0] >= 0xc0;
}

kl_rule kl_envelope_next(kl_rlp *list, kl_span *out)
{
    kl_rlp look = *list;
    bool is_list;
    KL_JUDGE(kl_rlp_item(&look, out, &is_list));
    if (!is_list) {
        KL_JUDGE(kl_rlp_bytes(list, out));
        if (is_legacy(*out))
            return KL_RULE_TX_TYPE;
    }
    *list = look;
    return KL_RULE_NONE;
}

void kl_envelope_put(kl_out *out, kl_span envelope)
{
    if (is_legacy(envelope))
        kl_out_span(out, envelope);
    else
        kl_rlp_put_bytes(out, envelope);
}

static kl_rule read_txs(kl_rlp *items, kl_block *block, kl_fork fork, struct kl_arena *arena)
{
    kl_rlp list;
    KL_JUDGE(kl_open_counted(items, &list, TX_BYTES_MIN, &block->tx_count));
    usize count = block->tx_count;
    block->txs = KL_TAKE(arena, kl_tx, count);
    kl_span *raws = KL_TAKE(arena, kl_span, count);
    kl_hash *hashes = KL_TAKE(arena, kl_hash, count);
    if (!block->txs || !raws || !hashes)
        return KL_NO_VERDICT;
    for (usize i = 0; i < count; i++) {
        KL_JUDGE(kl_envelope_next(&list, &raws[i]));
        KL_JUDGE(kl_tx_read(&block->txs[i], raws[i], fork, arena));
    }
    kl_keccak256_batch(hashes, raws, count);
    for (usize i = 0; i < count; i++)
        block->txs[i].hash = hashes[i];
    return KL_RULE_NONE;
}

static kl_rule read_header(kl_rlp *items, kl_header *out, kl_span *bytes)
{
    bool is_list;
    KL_JUDGE(kl_rlp_item(items, bytes, &is_list));
    return kl_header_decode(out, *bytes);
}

static kl_rule read_ommers(kl_rlp *items, kl_block *block, struct kl_arena *arena)
{
    kl_rlp list;
    kl_span bytes;
    KL_JUDGE(kl_open_counted(items, &list, HEADER_BYTES_MIN, &block->ommer_count));
    kl_header *ommers = KL_TAKE(arena, kl_header, block->ommer_count);
    if (!ommers)
        return KL_NO_VERDICT;
    for (usize i = 0; i < block->ommer_count; i++)
        KL_JUDGE(read_header(&list, &ommers[i], &bytes));
    block->ommers = ommers;
    return KL_RULE_NONE;
}

static kl_rule read_withdrawal(kl_rlp *list, kl_withdrawal *w)
{
    kl_rlp fields;
    KL_JUDGE(kl_rlp_list(list, &fields));
    KL_JUDGE(kl_rlp_u64(&fields, &w->index));
    KL_JUDGE(kl_rlp_u64(&fields, &w->validator_index));
    KL_JUDGE(kl_rlp_address(&fields, &w->address));
    KL_JUDGE(kl_rlp_u64(&fields, &w->amount));
    return kl_rlp_close(&fields);
}

static kl_rule read_withdrawals(kl_rlp *items, kl_block *block, struct kl_arena *arena)
{
    kl_rlp list;
    KL_JUDGE(kl_open_counted(items, &list, WITHDRAWAL_BYTES_MIN, &block->withdrawal_count));
    kl_withdrawal *withdrawals = KL_TAKE(arena, kl_withdrawal, block->withdrawal_count);
    if (!withdrawals)
        return KL_NO_VERDICT;
    for (usize i = 0; i < block->withdrawal_count; i++)
        KL_JUDGE(read_withdrawal(&list, &withdrawals[i]));
    block->withdrawals = withdrawals;
    block->has_withdrawals = true;
    return KL_RULE_NONE;
}

static kl_rule read_block(kl_block *block, kl_span bytes, const kl_spec *spec,
                          struct kl_arena *arena)
{
    kl_rlp items;
    kl_span header;
    KL_JUDGE(kl_rlp_open(&items, bytes));
    KL_JUDGE(read_header(&items, &block->header, &header));
    block->hash = kl_keccak256(header);
    block->rlp_len = bytes.len;
    kl_fork fork = kl_spec_fork(spec, block->header.number, block->header.timestamp);
    KL_JUDGE(read_txs(&items, block, fork, arena));
    KL_JUDGE(read_ommers(&items, block, arena));
    if (!kl_rlp_end(&items))
        KL_JUDGE(read_withdrawals(&items, block, arena));
    return kl_rlp_close(&items);
}

kl_status kl_block_decode(kl_block *out, kl_span bytes, const kl_spec *spec, struct kl_arena *arena,
                          kl_rule *broken)
{
    kl_block block = {0};
    KL_TRY(kl_settle(read_block(&block, bytes, spec, arena), broken));
    if (*broken == KL_RULE_NONE)
        *out = block;
    return KL_OK;
}

static void put_txs(kl_out *out, const kl_block *block)
{
    kl_rlp_mark list = kl_rlp_put_begin(out);
    for (usize i = 0; i < block->tx_count; i++)
        kl_envelope_put(out, block->txs[i].raw);
    kl_rlp_put_end(out, list);
}

void kl_withdrawal_encode(kl_out *out, const kl_withdrawal *withdrawal)
{
    kl_rlp_mark list = kl_rlp_put_begin(out);
    kl_rlp_put_u64(out, withdrawal->index);
    kl_rlp_put_u64(out, withdrawal->validator_index);
    kl_rlp_put_address(out, &withdrawal->address);
    kl_rlp_put_u64(out, withdrawal->amount);
    kl_rlp_put_end(out, list);
}

static void put_withdrawals(kl_out *out, const kl_block *block)
{
    kl_rlp_mark list = kl_rlp_put_begin(out);
    for (usize i = 0; i < block->withdrawal_count; i++)
        kl_withdrawal_encode(out, &block->withdrawals[i]);
    kl_rlp_put_end(out, list);
}

void kl_block_encode(kl_out *out, const kl_block *block)
{
    kl_rlp_mark whole = kl_rlp_put_begin(out);
    kl_header_encode(out, &block->header);
    put_txs(out, block);
    kl_rlp_mark ommers = kl_rlp_put_begin(out);
    for (usize i = 0; i < block->ommer_count; i++)
        kl_header_encode(out, &block->ommers[i]);
    kl_rlp_put_end(out, ommers);
    if (block->has_withdrawals)
        put_withdrawals(out, block);
    kl_rlp_put_end(out, whole);
}

kl_hash kl_ommers_hash(const kl_header *ommers, usize count)
{
    kl_out payload = kl_out_counter();
    for (usize i = 0; i < count; i++)
        kl_header_encode(&payload, &ommers[i]);
    u8 room[KL_HEADER_RLP_MAX];
    kl_out out = kl_out_of(room, sizeof room);
    kl_rlp_put_list_header(&out, payload.len);
    kl_keccak keccak;
    kl_keccak_init(&keccak);
    kl_keccak_add(&keccak, kl_out_done(&out));
    for (usize i = 0; i < count; i++) {
        out = kl_out_of(room, sizeof room);
        kl_header_encode(&out, &ommers[i]);
        KL_ASSERT(!out.full);
        kl_keccak_add(&keccak, kl_out_done(&out));
    }
    return kl_keccak_done(&keccak);
}
