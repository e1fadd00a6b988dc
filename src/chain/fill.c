/* Version and block number are one and the same on a chain whose validators vote: nothing but
 * blocks are steps there. */
#include "chain/fill.h"

#include <stdlib.h>

#include "chain/bft_priv.h"

#define KEEP_BYTES ((usize)4 << 20)

enum { NOTE_HEAD = 8 }; /* before the caller's note: blocks that the indexes know, u64 */

struct kl_fill {
    struct kl_chain *chain;
    struct kl_state_filler *state; /* NULL when it is whole */
    struct kl_unexecuted at;
    struct kl_arena arena;
    u64 indexed; /* blocks below are found */
};

const kl_spec *kl_fill_spec(const struct kl_fill *fill)
{
    return &fill->chain->spec;
}

kl_vote_domain kl_fill_domain(const struct kl_fill *fill)
{
    return kl_chain_vote_domain(fill->chain);
}

const kl_pin *kl_fill_pin(const struct kl_fill *fill)
{
    return &fill->chain->pin;
}

void kl_fill_head_of(const struct kl_fill *fill, kl_fill_head *out)
{
    *out = (kl_fill_head){
        .height = fill->at.parent.number,
        .hash = fill->at.parent_hash,
        .state_root = fill->at.parent.state_root,
        .epoch = fill->at.epoch,
    };
}

/* --- opening --- */

static kl_status read_record(struct kl_fill *fill, u64 number, kl_seglog_report *damage,
                             kl_record *out)
{
    return kl_seglog_read(fill->chain->ledger, number, &fill->arena, out, damage);
}

static kl_status learn_genesis(struct kl_fill *fill, kl_chain_report *report)
{
    kl_start start;
    kl_rule *broken = &report->bad_rule;
    if (kl_seglog_end(fill->chain->ledger) == 0 || kl_seglog_first(fill->chain->ledger) > 0)
        return KL_UNSUPPORTED;
    KL_TRY(kl_chain_find_start(fill->chain, true, &fill->arena, &report->ledger, &start, broken));
    if (*broken == KL_RULE_NONE)
        KL_TRY(kl_chain_learn_spec(fill->chain, start.genesis, &fill->arena, broken));
    if (*broken != KL_RULE_NONE)
        return KL_CORRUPT;
    return kl_chain_votes(fill->chain) ? KL_OK : KL_UNSUPPORTED;
}

/* The set that the last block of the epoch before names. */
static kl_status read_epoch(struct kl_fill *fill, u64 number, kl_seglog_report *damage,
                            struct kl_epoch **out)
{
    kl_record record;
    kl_block_record parts;
    kl_valset set;
    kl_rule broken;
    if (number == 0) {
        *out = kl_epoch_ref(fill->chain->first_epoch);
        return KL_OK;
    }
    u64 last = number * fill->chain->spec.bft.epoch_blocks;
    KL_TRY(read_record(fill, last, damage, &record));
    if (kl_record_block(record.kind, record.payload, &parts) != KL_RULE_NONE)
        return KL_CORRUPT;
    KL_TRY(kl_valset_decode(&set, parts.next_set, fill->chain->tests, &fill->arena, &broken));
    if (broken != KL_RULE_NONE)
        return KL_CORRUPT;
    return kl_epoch_new(out, &fill->chain->spec, number, &set);
}

/* Where the ledger ends: what the next record is judged against.  What is in it was judged when it
 * was taken. */
static kl_status find_end(struct kl_fill *fill, kl_seglog_report *damage)
{
    struct kl_unexecuted *at = &fill->at;
    kl_record record;
    kl_block_record parts;
    u64 number = kl_seglog_end(fill->chain->ledger) - 1;
    KL_TRY(read_record(fill, number, damage, &record));
    if (kl_record_header(record.kind, record.payload, &at->parent) != KL_RULE_NONE ||
        at->parent.number != number)
        return KL_CORRUPT;
    at->linked = true;
    at->parent_hash = kl_header_hash(&at->parent);
    at->consensus = fill->chain->first_consensus;
    if (number > 0 && (kl_record_block(record.kind, record.payload, &parts) != KL_RULE_NONE ||
                       kl_consensus_header_decode(&at->consensus, parts.consensus) != KL_RULE_NONE))
        return KL_CORRUPT;
    return read_epoch(fill, kl_epoch_of(&fill->chain->spec, number + 1), damage, &at->epoch);
}

static kl_status open_all(struct kl_fill *fill, const kl_chain_config *config, kl_span *note,
                          kl_chain_report *report)
{
    const kl_seglog_config ledger = {
        .dir = KL_LEDGER_DIR,
        .segment_bytes = config->segment_bytes,
    };
    KL_TRY(kl_chain_new(&fill->chain, config));
    fill->at.chain = fill->chain;
    fill->at.arena = &fill->arena;
    KL_TRY(kl_seglog_open(&fill->chain->ledger, config->fs, &ledger, &report->ledger));
    KL_TRY(learn_genesis(fill, report));
    KL_TRY(kl_chain_check_pin(fill->chain, &fill->arena, report));
    KL_TRY(find_end(fill, &report->ledger));
    KL_TRY(kl_state_fill_begin(&fill->state, config->kv, note));
    if (note->len && note->len < NOTE_HEAD)
        return KL_CORRUPT;
    fill->indexed = note->len ? kl_load_be64(note->p) : 0;
    *note = kl_span_sub(*note, NOTE_HEAD, SIZE_MAX);
    return fill->indexed <= kl_seglog_end(fill->chain->ledger) ? KL_OK : KL_CORRUPT;
}

kl_status kl_fill_open(struct kl_fill **out, const kl_chain_config *config, kl_span *note,
                       kl_chain_report *report)
{
    struct kl_fill *fill = calloc(1, sizeof *fill);
    if (!fill)
        return KL_NOMEM;
    *report = (kl_chain_report){0};
    kl_arena_init(&fill->arena, KL_STEP_ARENA);
    kl_status status = open_all(fill, config, note, report);
    if (status != KL_OK) {
        kl_fill_close(fill);
        return status;
    }
    *out = fill;
    return KL_OK;
}

void kl_fill_close(struct kl_fill *fill)
{
    if (!fill)
        return;
    kl_state_fill_drop(fill->state);
    kl_epoch_unref(fill->at.epoch);
    if (fill->chain)
        kl_chain_close(fill->chain);
    kl_arena_done(&fill->arena);
    free(fill);
}

/* --- blocks --- */

/* The judge wants the record as it will lie in the ledger. */
static kl_status join(struct kl_fill *fill, kl_span record, kl_span finalization, kl_span *out)
{
    u8 *room = KL_TAKE(&fill->arena, u8, record.len + finalization.len + 1);
    if (!room)
        return KL_NOMEM;
    if (record.len)
        memcpy(room, record.p, record.len);
    if (finalization.len)
        memcpy(room + record.len, finalization.p, finalization.len);
    *out = kl_span_of(room, record.len + finalization.len);
    return KL_OK;
}

kl_status kl_fill_take(struct kl_fill *fill, kl_span record, kl_span finalization, kl_rule *broken)
{
    kl_span payload;
    u64 seq;
    kl_arena_reset(&fill->arena, KEEP_BYTES);
    KL_TRY(join(fill, record, finalization, &payload));
    KL_TRY(kl_unexecuted_judge(&fill->at, KL_RECORD_VOTED, payload, broken));
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    KL_TRY(kl_seglog_append(fill->chain->ledger, KL_RECORD_VOTED, &payload, 1, &seq));
    KL_ASSERT(seq == fill->at.parent.number);
    return KL_OK;
}

kl_hash kl_fill_off_pin(const struct kl_fill *fill)
{
    return fill->at.off_pin;
}

/* --- indexes --- */

static kl_status put_changes(struct kl_fill *fill, const struct kl_delta *delta)
{
    usize cursor = 0;
    kl_table table;
    kl_span key, value;
    bool gone;
    while (kl_delta_next(delta, &cursor, &table, &key, &value, &gone))
        KL_TRY(kl_state_fill_put(fill->state, table, key, value));
    return KL_OK;
}

static kl_status index_genesis(struct kl_fill *fill, const kl_record *record,
                               struct kl_delta_builder *builder)
{
    kl_block block = {0};
    if (kl_record_header(record->kind, record->payload, &block.header) != KL_RULE_NONE)
        return KL_CORRUPT;
    block.hash = kl_header_hash(&block.header);
    KL_TRY(kl_index_block(builder, &block, NULL, 0));
    return kl_index_epoch(builder, 0, &fill->chain->first_epoch->set);
}

static kl_status index_block(struct kl_fill *fill, const kl_record *record, u64 number,
                             struct kl_delta_builder *builder)
{
    kl_block_record parts;
    kl_block block;
    const kl_receipt *receipts;
    kl_valset set;
    kl_rule broken = kl_record_block(record->kind, record->payload, &parts);
    if (broken == KL_RULE_NONE)
        KL_TRY(
            kl_record_open(&parts, &fill->chain->spec, &fill->arena, &block, &receipts, &broken));
    if (broken != KL_RULE_NONE)
        return KL_CORRUPT;
    KL_TRY(kl_index_block(builder, &block, receipts, number));
    if (!parts.next_set.len)
        return KL_OK;
    KL_TRY(kl_valset_decode(&set, parts.next_set, fill->chain->tests, &fill->arena, &broken));
    if (broken != KL_RULE_NONE)
        return KL_CORRUPT;
    return kl_index_epoch(builder, kl_epoch_of(&fill->chain->spec, number) + 1, &set);
}

static kl_status index_one(struct kl_fill *fill, u64 number)
{
    struct kl_delta_builder *builder;
    struct kl_delta *delta;
    kl_record record;
    kl_arena_reset(&fill->arena, KEEP_BYTES);
    KL_TRY(read_record(fill, number, NULL, &record));
    KL_TRY(kl_delta_begin(&builder, NULL, number));
    kl_status status = number ? index_block(fill, &record, number, builder)
                              : index_genesis(fill, &record, builder);
    if (status != KL_OK) {
        kl_delta_drop(builder);
        return status;
    }
    KL_TRY(kl_delta_seal(builder, &delta));
    status = put_changes(fill, delta);
    kl_delta_unref(delta);
    return status;
}

kl_status kl_fill_keep(struct kl_fill *fill, kl_span note)
{
    u8 room[KL_FILL_NOTE_MAX];
    KL_ASSERT(note.len <= sizeof room - NOTE_HEAD);
    KL_TRY(kl_seglog_write(fill->chain->ledger));
    KL_TRY(kl_seglog_sync(fill->chain->ledger));
    for (; fill->indexed < kl_seglog_end(fill->chain->ledger); fill->indexed++)
        KL_TRY(index_one(fill, fill->indexed));
    kl_store_be64(room, fill->indexed);
    if (note.len)
        memcpy(room + NOTE_HEAD, note.p, note.len);
    KL_TRY(kl_state_fill_note(fill->state, kl_span_of(room, NOTE_HEAD + note.len)));
    return kl_state_fill_commit(fill->state);
}

/* --- state --- */

struct kl_state_filler *kl_fill_state(struct kl_fill *fill)
{
    return fill->state;
}

kl_status kl_fill_end(struct kl_fill *fill, bool *good)
{
    kl_hash root;
    KL_TRY(kl_state_fill_root(fill->state, &root));
    *good = kl_hash_eq(&root, &fill->at.parent.state_root);
    if (!*good)
        return KL_OK;
    KL_TRY(kl_fill_keep(fill, KL_SPAN_NONE));
    struct kl_state_filler *state = fill->state;
    fill->state = NULL;
    return kl_state_fill_end(state, fill->at.parent.number);
}
