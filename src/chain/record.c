#include "chain/record.h"

#include "codec/rlp.h"
#include "crypto/keccak.h"

/* Runs an encoder twice: to measure, then into the buffer. */
#define PUT(buf, encode)                                        \
    do {                                                        \
        kl_out put_out = kl_out_counter();                      \
        encode;                                                 \
        usize put_len = put_out.len;                            \
        u8 *put_room = kl_buf_extend((buf), put_len);           \
        if (put_room) {                                         \
            put_out = kl_out_of(put_room, put_len);             \
            encode;                                             \
            KL_ASSERT(!put_out.full && put_out.len == put_len); \
        }                                                       \
    } while (0)

static void genesis(kl_out *out, const kl_header *header, kl_span text)
{
    kl_hash hash = kl_keccak256(text);
    kl_rlp_mark list = kl_rlp_put_begin(out);
    kl_rlp_put_hash(out, &hash);
    kl_header_encode(out, header);
    kl_rlp_put_bytes(out, text);
    kl_rlp_put_end(out, list);
}

void kl_record_put_genesis(struct kl_buf *out, const kl_header *header, kl_span text)
{
    PUT(out, genesis(&put_out, header, text));
}

kl_hash kl_dev_mark(u64 version, const kl_dev_env *env, const kl_devop *op)
{
    u8 room[KL_DEV_ENV_RLP_MAX + 256];
    kl_out out = kl_out_of(room, sizeof room);
    kl_devop plain = *op;
    plain.code = KL_SPAN_NONE;
    kl_out_be64(&out, version);
    kl_dev_env_encode(&out, env);
    kl_devop_encode(&out, &plain);
    KL_ASSERT(!out.full);
    kl_keccak keccak;
    kl_keccak_init(&keccak);
    kl_keccak_add(&keccak, kl_out_done(&out));
    kl_keccak_add(&keccak, op->code);
    return kl_keccak_done(&keccak);
}

static void dev(kl_out *out, const kl_dev_outcome *outcome, const kl_devop *op)
{
    kl_rlp_mark list = kl_rlp_put_begin(out);
    kl_rlp_put_u64(out, outcome->block_number);
    kl_rlp_put_hash(out, &outcome->state_root);
    kl_rlp_put_hash(out, &outcome->mark);
    kl_devop_encode(out, op);
    kl_rlp_put_end(out, list);
}

void kl_record_put_dev(struct kl_buf *out, const kl_dev_outcome *outcome, const kl_devop *op)
{
    PUT(out, dev(&put_out, outcome, op));
}

static void put_parts(kl_out *out, const kl_block *block, const kl_receipt *receipts)
{
    kl_rlp_put_hash(out, &block->hash);
    kl_block_encode(out, block);
    kl_rlp_mark senders = kl_rlp_put_begin(out);
    for (usize i = 0; i < block->tx_count; i++)
        kl_rlp_put_address(out, &block->txs[i].sender);
    kl_rlp_put_end(out, senders);
    kl_rlp_mark stored = kl_rlp_put_begin(out);
    for (usize i = 0; i < block->tx_count; i++)
        kl_receipt_store(out, &receipts[i]);
    kl_rlp_put_end(out, stored);
}

static void block_record(kl_out *out, const kl_block *block, const kl_receipt *receipts)
{
    kl_rlp_mark list = kl_rlp_put_begin(out);
    put_parts(out, block, receipts);
    kl_rlp_put_end(out, list);
}

static void voted_record(kl_out *out, const kl_block *block, const kl_receipt *receipts,
                         const kl_consensus_header *header, const kl_valset *next_set)
{
    kl_rlp_mark list = kl_rlp_put_begin(out);
    put_parts(out, block, receipts);
    kl_consensus_header_encode(out, header);
    if (next_set)
        kl_valset_encode(out, next_set);
    else
        kl_rlp_put_bytes(out, KL_SPAN_NONE);
    kl_rlp_put_end(out, list);
}

void kl_record_put_block(struct kl_buf *out, const kl_block *block, const kl_receipt *receipts)
{
    PUT(out, block_record(&put_out, block, receipts));
}

void kl_record_put_voted(struct kl_buf *out, const kl_block *block, const kl_receipt *receipts,
                         const kl_consensus_header *header, const kl_valset *next_set)
{
    PUT(out, voted_record(&put_out, block, receipts, header, next_set));
}

kl_rule kl_record_genesis(kl_span payload, kl_header *header, kl_span *text)
{
    kl_rlp items;
    kl_span item;
    bool is_list;
    kl_hash stored;
    KL_JUDGE(kl_rlp_open(&items, payload));
    KL_JUDGE(kl_rlp_hash(&items, &stored));
    KL_JUDGE(kl_rlp_item(&items, &item, &is_list));
    KL_JUDGE(kl_header_decode(header, item));
    KL_JUDGE(kl_rlp_bytes(&items, text));
    KL_JUDGE(kl_rlp_close(&items));
    kl_hash hash = kl_keccak256(*text);
    return kl_hash_eq(&hash, &stored) ? KL_RULE_NONE : KL_RULE_LEDGER_HASH;
}

kl_rule kl_record_dev(kl_span payload, kl_dev_outcome *outcome, kl_devop *op)
{
    kl_rlp items;
    kl_span item;
    bool is_list;
    KL_JUDGE(kl_rlp_open(&items, payload));
    KL_JUDGE(kl_rlp_u64(&items, &outcome->block_number));
    KL_JUDGE(kl_rlp_hash(&items, &outcome->state_root));
    KL_JUDGE(kl_rlp_hash(&items, &outcome->mark));
    KL_JUDGE(kl_rlp_item(&items, &item, &is_list));
    KL_JUDGE(kl_devop_decode(op, item));
    return kl_rlp_close(&items);
}

/* What a voted block's record has behind the receipts. */
static kl_rule read_consensus(kl_rlp *items, kl_block_record *record)
{
    bool consensus_is_list, set_is_list;
    KL_JUDGE(kl_rlp_item(items, &record->consensus, &consensus_is_list));
    KL_JUDGE(kl_rlp_item(items, &record->next_set, &set_is_list));
    if (!consensus_is_list || (!set_is_list && record->next_set.len != 1))
        return KL_RULE_RLP_KIND;
    if (set_is_list)
        return KL_RULE_NONE;
    if (record->next_set.p[0] != 0x80)
        return KL_RULE_RLP_KIND;
    record->next_set = KL_SPAN_NONE;
    return KL_RULE_NONE;
}

/* Takes the list that a payload begins with; what is behind it is a finalization, or nothing. */
static kl_rule split_voted(kl_span payload, kl_span *list, kl_span *finalization)
{
    kl_rlp all = {payload};
    bool is_list;
    KL_JUDGE(kl_rlp_item(&all, list, &is_list));
    *finalization = all.rest;
    return KL_RULE_NONE;
}

kl_rule kl_record_block(u8 kind, kl_span payload, kl_block_record *out)
{
    kl_rlp items;
    bool block_is_list, senders_is_list, receipts_is_list;
    kl_block_record record = {.consensus = KL_SPAN_NONE};
    if (kind != KL_RECORD_BLOCK && kind != KL_RECORD_VOTED)
        return KL_RULE_LEDGER_KIND;
    if (kind == KL_RECORD_VOTED)
        KL_JUDGE(split_voted(payload, &payload, &record.finalization));
    KL_JUDGE(kl_rlp_open(&items, payload));
    KL_JUDGE(kl_rlp_hash(&items, &record.hash));
    KL_JUDGE(kl_rlp_item(&items, &record.block, &block_is_list));
    KL_JUDGE(kl_rlp_item(&items, &record.senders, &senders_is_list));
    KL_JUDGE(kl_rlp_item(&items, &record.receipts, &receipts_is_list));
    if (kind == KL_RECORD_VOTED)
        KL_JUDGE(read_consensus(&items, &record));
    KL_JUDGE(kl_rlp_close(&items));
    if (!block_is_list || !senders_is_list || !receipts_is_list)
        return KL_RULE_RLP_KIND;
    *out = record;
    return KL_RULE_NONE;
}

kl_rule kl_record_header(u8 kind, kl_span payload, kl_header *out)
{
    kl_rlp items;
    kl_span item;
    kl_block_record parts;
    bool is_list;
    if (kind == KL_RECORD_GENESIS)
        return kl_record_genesis(payload, out, &item);
    KL_JUDGE(kl_record_block(kind, payload, &parts));
    KL_JUDGE(kl_rlp_open(&items, parts.block));
    KL_JUDGE(kl_rlp_item(&items, &item, &is_list));
    return kl_header_decode(out, item);
}

static kl_rule read_senders(kl_span list, kl_block *block)
{
    kl_rlp items;
    KL_JUDGE(kl_rlp_open(&items, list));
    for (usize i = 0; i < block->tx_count; i++) {
        KL_JUDGE(kl_rlp_address(&items, &block->txs[i].sender));
        block->txs[i].has_sender = true;
    }
    return kl_rlp_close(&items);
}

/* Reads the stored receipts, one a transaction; each adds its gas to the sum. */
static kl_status load_receipts(kl_span list, const kl_block *block, struct kl_arena *arena,
                               const kl_receipt **out, kl_rule *broken)
{
    kl_rlp items;
    u64 cumulative = 0;
    kl_receipt *receipts = KL_ZERO(arena, kl_receipt, block->tx_count);
    if (!receipts)
        return KL_NOMEM;
    *broken = kl_rlp_open(&items, list);
    for (usize i = 0; i < block->tx_count && *broken == KL_RULE_NONE; i++) {
        kl_span item;
        bool is_list;
        *broken = kl_rlp_item(&items, &item, &is_list);
        if (*broken != KL_RULE_NONE)
            break;
        KL_TRY(kl_receipt_load(&receipts[i], item, arena, broken));
        cumulative = kl_add_sat_u64(cumulative, receipts[i].gas_used);
        if (*broken == KL_RULE_NONE && receipts[i].cumulative_gas_used != cumulative)
            *broken = KL_RULE_LEDGER_RECEIPT;
    }
    if (*broken == KL_RULE_NONE)
        *broken = kl_rlp_close(&items);
    *out = receipts;
    return KL_OK;
}

kl_status kl_record_open(const kl_block_record *record, const kl_spec *spec, struct kl_arena *arena,
                         kl_block *block, const kl_receipt **receipts, kl_rule *broken)
{
    KL_TRY(kl_block_decode(block, record->block, spec, arena, broken));
    if (*broken == KL_RULE_NONE && !kl_hash_eq(&record->hash, &block->hash))
        *broken = KL_RULE_LEDGER_HASH;
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    *broken = read_senders(record->senders, block);
    if (*broken != KL_RULE_NONE || !receipts)
        return KL_OK;
    return load_receipts(record->receipts, block, arena, receipts, broken);
}
