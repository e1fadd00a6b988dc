/* What proves a block final, for those who have not seen it happen. */
#include "chain/bft_priv.h"
#include "chain/reader_priv.h"

/* The record of block number >= 1, whole and in parts, the block being the one that the index
 * names. */
static kl_status read_record(struct kl_reader *reader, u64 number, struct kl_arena *arena,
                             kl_record *record, kl_block_record *out)
{
    kl_hash hash;
    u64 version;
    KL_TRY(kl_index_get_height(reader->view, number, &hash, &version));
    KL_TRY(kl_seglog_read(reader->chain->ledger, version, arena, record, NULL));
    if (kl_record_block(record->kind, record->payload, out) != KL_RULE_NONE ||
        !kl_hash_eq(&out->hash, &hash))
        return KL_CORRUPT;
    return KL_OK;
}

static kl_status read_parts(struct kl_reader *reader, u64 number, struct kl_arena *arena,
                            kl_block_record *out)
{
    kl_record record;
    return read_record(reader, number, arena, &record, out);
}

kl_status kl_reader_record(struct kl_reader *reader, u64 number, struct kl_arena *arena,
                           kl_span *out, kl_span *finalization)
{
    kl_record record;
    kl_block_record parts;
    if (number == 0 || !kl_chain_votes(reader->chain))
        return KL_NOTFOUND;
    KL_TRY(read_record(reader, number, arena, &record, &parts));
    *out = kl_span_sub(record.payload, 0, record.payload.len - parts.finalization.len);
    *finalization = parts.finalization;
    return KL_OK;
}

static kl_status genesis_finality(const struct kl_chain *chain, struct kl_arena *arena,
                                  kl_finality *out)
{
    u8 *room = KL_TAKE(arena, u8, KL_CONSENSUS_HEADER_RLP_MAX);
    if (!room)
        return KL_NOMEM;
    kl_out writer = kl_out_of(room, KL_CONSENSUS_HEADER_RLP_MAX);
    kl_consensus_header_encode(&writer, &chain->first_consensus);
    *out = (kl_finality){.consensus_header = kl_out_done(&writer)};
    return KL_OK;
}

kl_status kl_reader_finality(struct kl_reader *reader, u64 number, struct kl_arena *arena,
                             kl_finality *out)
{
    kl_block_record parts;
    if (!kl_chain_votes(reader->chain))
        return KL_NOTFOUND;
    if (number == 0)
        return genesis_finality(reader->chain, arena, out);
    KL_TRY(read_parts(reader, number, arena, &parts));
    *out = (kl_finality){.consensus_header = parts.consensus, .finalization = parts.finalization};
    return KL_OK;
}

kl_status kl_reader_body(struct kl_reader *reader, u64 number, struct kl_arena *arena, kl_span *out)
{
    kl_block_record parts;
    if (number == 0 || !kl_chain_votes(reader->chain))
        return KL_NOTFOUND;
    KL_TRY(read_parts(reader, number, arena, &parts));
    usize len = parts.block.len + parts.consensus.len;
    u8 *room = kl_arena_take(arena, len, 1);
    if (!room)
        return KL_NOMEM;
    memcpy(room, parts.block.p, parts.block.len);
    memcpy(room + parts.block.len, parts.consensus.p, parts.consensus.len);
    *out = kl_span_of(room, len);
    return KL_OK;
}

kl_status kl_reader_validators(struct kl_reader *reader, u64 epoch, struct kl_arena *arena,
                               kl_span *out)
{
    kl_span stored;
    if (!kl_chain_votes(reader->chain))
        return KL_NOTFOUND;
    KL_TRY(kl_index_get_epoch(reader->view, epoch, &stored));
    kl_span copy = kl_arena_copy(arena, stored);
    if (!copy.p)
        return KL_NOMEM;
    *out = copy;
    return KL_OK;
}
