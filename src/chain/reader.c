/* A reader is a view of the state at one tip.  The indexes are part of the state, so whatever they
 * say of blocks, transactions and logs belongs to that tip too; the ledger itself only ever grows,
 * so its records can be read without a lock. */
#include "chain/reader.h"

#include <stdlib.h>

#include "chain/reader_priv.h"

kl_status kl_reader_open(struct kl_chain *chain, struct kl_reader **out)
{
    struct kl_reader *reader = malloc(sizeof *reader);
    if (!reader)
        return KL_NOMEM;
    *reader = (struct kl_reader){.chain = chain, .tip = kl_chain_published(chain)};
    kl_status status = kl_chain_view(chain, reader->tip, &reader->view);
    if (status != KL_OK) {
        kl_reader_close(reader);
        return status;
    }
    *out = reader;
    return KL_OK;
}

void kl_reader_close(struct kl_reader *reader)
{
    if (!reader)
        return;
    for (usize i = 0; i < reader->held_count; i++)
        kl_opened_unref(reader->held[i]);
    kl_view_close(reader->view);
    kl_tip_unref(reader->tip);
    free(reader);
}

const struct kl_tip *kl_reader_tip(const struct kl_reader *reader)
{
    return reader->tip;
}

struct kl_view *kl_reader_view(struct kl_reader *reader)
{
    return reader->view;
}

/* The version that the state of a block ends with: the one before the next block's. */
static kl_status last_version(struct kl_reader *reader, u64 number, u64 *out)
{
    kl_hash hash;
    u64 next;
    if (number > reader->tip->header.number)
        return KL_NOTFOUND;
    if (number == reader->tip->header.number) {
        *out = reader->tip->version;
        return KL_OK;
    }
    KL_TRY(kl_index_get_height(reader->view, number + 1, &hash, &next));
    *out = next - 1;
    return KL_OK;
}

kl_status kl_reader_state(struct kl_reader *reader, u64 number, struct kl_view **out)
{
    u64 version;
    KL_TRY(last_version(reader, number, &version));
    if (version == reader->tip->version)
        return kl_chain_view(reader->chain, reader->tip, out);
    return kl_chain_view_at(reader->chain, version, out);
}

u64 kl_reader_oldest_state(struct kl_reader *reader)
{
    u64 oldest = kl_state_oldest(reader->chain->state), low = 0;
    u64 high = reader->tip->header.number;
    while (low < high) {
        u64 middle = low + (high - low) / 2, version;
        if (last_version(reader, middle, &version) == KL_OK && version >= oldest)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

u64 kl_reader_oldest_block(struct kl_reader *reader)
{
    u64 first = kl_seglog_first(reader->chain->ledger), low = 0;
    u64 high = reader->tip->header.number;
    while (low < high) {
        u64 middle = low + (high - low) / 2, version;
        kl_hash hash;
        if (kl_index_get_height(reader->view, middle, &hash, &version) == KL_OK && version >= first)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

kl_status kl_reader_hash_of(struct kl_reader *reader, u64 number, kl_hash *out)
{
    u64 version;
    return kl_index_get_height(reader->view, number, out, &version);
}

kl_status kl_reader_number_of(struct kl_reader *reader, const kl_hash *hash, u64 *out)
{
    return kl_index_get_block(reader->view, hash, out);
}

static kl_status read_record(struct kl_reader *reader, u64 number, struct kl_arena *arena,
                             kl_record *record, kl_hash *hash)
{
    u64 version;
    KL_TRY(kl_index_get_height(reader->view, number, hash, &version));
    return kl_seglog_read(reader->chain->ledger, version, arena, record, NULL);
}

/* A header must be the one the index names: a record in the wrong place is damage. */
static kl_status check_header(const kl_header *header, const kl_hash *hash, kl_rule broken)
{
    if (broken != KL_RULE_NONE)
        return KL_CORRUPT;
    kl_hash got = kl_header_hash(header);
    return kl_hash_eq(&got, hash) ? KL_OK : KL_CORRUPT;
}

kl_status kl_reader_header(struct kl_reader *reader, u64 number, struct kl_arena *arena,
                           kl_header *out, kl_hash *hash)
{
    kl_record record;
    if (number == reader->tip->header.number) {
        *out = reader->tip->header;
        *hash = reader->tip->hash;
        return KL_OK;
    }
    KL_TRY(read_record(reader, number, arena, &record, hash));
    kl_rule broken = kl_record_header(record.kind, record.payload, out);
    return check_header(out, hash, broken);
}

/* The genesis has no record of a block: it is one of its header alone. */
static kl_status open_genesis(const kl_record *record, struct kl_arena *arena, kl_stored_block *out)
{
    kl_span text;
    kl_rule broken = kl_record_genesis(record->payload, &out->block.header, &text);
    if (broken != KL_RULE_NONE)
        return KL_CORRUPT;
    out->block.hash = kl_header_hash(&out->block.header);
    out->block.has_withdrawals = out->block.header.tail >= 2;
    kl_out counter = kl_out_counter();
    kl_block_encode(&counter, &out->block);
    u8 *rlp = kl_arena_take(arena, counter.len, 1);
    if (!rlp)
        return KL_NOMEM;
    kl_out writer = kl_out_of(rlp, counter.len);
    kl_block_encode(&writer, &out->block);
    out->rlp = kl_out_done(&writer);
    out->block.rlp_len = out->rlp.len;
    return KL_OK;
}

/* What a record says, as a block; its bytes must live as long as the arena. */
static kl_status open_block(struct kl_reader *reader, const kl_record *record, const kl_hash *hash,
                            struct kl_arena *arena, kl_stored_block *out)
{
    kl_block_record parts;
    kl_stored_block stored = {0};
    kl_rule broken;
    if (record->kind == KL_RECORD_GENESIS) {
        KL_TRY(open_genesis(record, arena, &stored));
        *out = stored;
        return KL_OK;
    }
    if (kl_record_block(record->kind, record->payload, &parts) != KL_RULE_NONE)
        return KL_CORRUPT;
    KL_TRY(kl_record_open(&parts, &reader->chain->spec, arena, &stored.block, &stored.receipts,
                          &broken));
    KL_TRY(check_header(&stored.block.header, hash, broken));
    stored.rlp = parts.block;
    *out = stored;
    return KL_OK;
}

kl_status kl_reader_block(struct kl_reader *reader, u64 number, struct kl_arena *arena,
                          kl_stored_block *out)
{
    kl_record record;
    kl_hash hash;
    KL_TRY(read_record(reader, number, arena, &record, &hash));
    return open_block(reader, &record, &hash, arena, out);
}

/* Opens a block in memory of its own. */
static kl_status open_apart(struct kl_reader *reader, const kl_record *record, const kl_hash *hash,
                            struct kl_opened *opened)
{
    kl_record copy = *record;
    copy.payload = kl_arena_copy(&opened->arena, record->payload);
    if (!copy.payload.p)
        return KL_NOMEM;
    return open_block(reader, &copy, hash, &opened->arena, &opened->stored);
}

/* The block at version: from the cache, or, when it is large, into it; else NULL, and its record in
 * the arena. */
static kl_status find_shared(struct kl_reader *reader, u64 version, const kl_hash *hash,
                             struct kl_arena *arena, struct kl_opened **out, kl_record *record)
{
    struct kl_block_cache *cache = &reader->chain->blocks;
    bool room = reader->held_count < KL_COUNT_OF(reader->held);
    *out = room ? kl_block_cache_get(cache, version) : NULL;
    if (*out)
        return KL_OK;
    KL_TRY(kl_seglog_read(reader->chain->ledger, version, arena, record, NULL));
    if (!room || record->payload.len < KL_OPENED_LEAST)
        return KL_OK;
    KL_TRY(kl_opened_new(out, version));
    kl_status status = open_apart(reader, record, hash, *out);
    if (status == KL_OK)
        kl_block_cache_put(cache, *out);
    else
        kl_opened_unref(*out);
    return status;
}

kl_status kl_reader_shared(struct kl_reader *reader, u64 number, struct kl_arena *arena,
                           kl_stored_block *out)
{
    u64 version;
    kl_hash hash;
    kl_record record;
    struct kl_opened *opened;
    KL_TRY(kl_index_get_height(reader->view, number, &hash, &version));
    KL_TRY(find_shared(reader, version, &hash, arena, &opened, &record));
    if (!opened)
        return open_block(reader, &record, &hash, arena, out);
    reader->held[reader->held_count++] = opened;
    if (!kl_hash_eq(&opened->stored.block.hash, &hash))
        return KL_CORRUPT;
    *out = opened->stored;
    return KL_OK;
}

kl_status kl_reader_tx(struct kl_reader *reader, const kl_hash *hash, u64 *number, usize *index)
{
    return kl_index_get_tx(reader->view, hash, number, index);
}
