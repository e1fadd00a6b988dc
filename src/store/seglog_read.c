/* Reading one record: from the batch in memory, under the mutex, or from a segment file, without.
 */
#include "store/seglog_priv.h"

/* Reads record seq at *place into the arena and goes behind it. */
static kl_status read_at(struct kl_seg_reader *r, kl_seg_place *place, u64 seq,
                         struct kl_arena *arena, kl_record *out)
{
    kl_seg_head head;
    u32 crc;
    KL_TRY(kl_seg_reader_head(r, place, seq, &head, &crc));
    u8 *payload = kl_arena_take(arena, head.len, 1);
    if (!payload)
        return KL_NOMEM;
    KL_TRY(kl_seg_reader_payload(r, place, &head, crc, payload));
    *out = (kl_record){.seq = seq, .kind = head.kind, .payload = kl_span_of(payload, head.len)};
    return KL_OK;
}

/* A reader of the batch; the mutex is held. */
static void batch_reader(struct kl_seg_reader *r, const struct kl_seglog *log)
{
    u64 sectors = (log->batch_len + KL_SEG_SECTOR - 1) / KL_SEG_SECTOR;
    kl_seg_reader_init(r, log, kl_seg_newest(log), log->written + sectors, NULL);
    r->first_sector = log->written;
    r->memory = log->batch;
}

/* Where record seq of the held segment begins: the hint, or by searching. */
static kl_status locate(struct kl_seglog *log, struct kl_seg_reader *r, u64 seq,
                        kl_seg_place *place)
{
    kl_lock(&log->mutex);
    bool hinted = log->hint_segment == r->segment && log->hint_seq == seq;
    kl_seg_place hint = {.sector = log->hint_sector, .offset = log->hint_offset};
    kl_unlock(&log->mutex);
    if (hinted) {
        *place = hint;
        return KL_OK;
    }
    kl_status status = kl_seg_reader_find(r, seq, place);
    if (status == KL_NOTFOUND)
        status = kl_seg_damaged(log, r->segment, r->asked * KL_SEG_SECTOR, "a record is missing",
                                r->report);
    return status;
}

static void set_hint(struct kl_seglog *log, struct kl_segment *segment, u64 seq, kl_seg_place place)
{
    kl_lock(&log->mutex);
    log->hint_segment = segment->dropped ? NULL : segment;
    log->hint_seq = seq;
    log->hint_sector = place.sector;
    log->hint_offset = place.offset;
    kl_unlock(&log->mutex);
}

static kl_status read_from_file(struct kl_seglog *log, u64 seq, struct kl_arena *arena,
                                kl_record *out, kl_seglog_report *report)
{
    struct kl_segment *segment;
    struct kl_seg_reader reader;
    kl_seg_place place;
    u64 limit;
    KL_TRY(kl_seg_hold(log, seq, &segment, &limit, report));
    kl_seg_reader_init(&reader, log, segment, limit, report);
    kl_status status = locate(log, &reader, seq, &place);
    if (status == KL_OK)
        status = read_at(&reader, &place, seq, arena, out);
    if (status == KL_NOTFOUND)
        status = kl_seg_damaged(log, segment, reader.asked * KL_SEG_SECTOR,
                                "a part of a record is missing", report);
    if (status == KL_OK)
        set_hint(log, segment, seq + 1, place);
    kl_seg_release(log, segment);
    return status;
}

/* What kl_seglog_read and kl_seglog_place do in memory; the mutex is held. */
static kl_status read_from_batch(const struct kl_seglog *log, u64 seq, struct kl_arena *arena,
                                 kl_record *out)
{
    struct kl_seg_reader reader;
    kl_seg_place place;
    batch_reader(&reader, log);
    kl_status status = kl_seg_reader_find(&reader, seq, &place);
    if (status == KL_OK)
        status = read_at(&reader, &place, seq, arena, out);
    KL_ASSERT(status != KL_NOTFOUND);
    return status;
}

kl_status kl_seglog_read(struct kl_seglog *log, u64 seq, struct kl_arena *arena, kl_record *out,
                         kl_seglog_report *damage)
{
    kl_arena_mark mark = kl_arena_here(arena);
    kl_status status = KL_NOTFOUND;
    kl_lock(&log->mutex);
    bool here = seq >= log->first && seq < log->end, in_file = here && seq < log->written_seq;
    if (here && !in_file)
        status = read_from_batch(log, seq, arena, out);
    kl_unlock(&log->mutex);
    if (in_file)
        status = read_from_file(log, seq, arena, out, damage);
    if (status != KL_OK)
        kl_arena_rewind(arena, mark);
    return status;
}

/* The place of record seq as a file's name and an offset; the mutex is held for the batch only. */
kl_status kl_seglog_place(struct kl_seglog *log, u64 seq, char file[KL_PATH_MAX + 1], u64 *offset)
{
    struct kl_seg_reader reader;
    struct kl_segment *segment;
    kl_seg_place place;
    u64 first = 0, limit;
    kl_status status = KL_NOTFOUND;
    kl_lock(&log->mutex);
    bool here = seq >= log->first && seq < log->end, in_file = here && seq < log->written_seq;
    if (here && !in_file) {
        batch_reader(&reader, log);
        first = reader.segment->first;
        status = kl_seg_reader_find(&reader, seq, &place);
    }
    kl_unlock(&log->mutex);
    if (in_file) {
        KL_TRY(kl_seg_hold(log, seq, &segment, &limit, NULL));
        kl_seg_reader_init(&reader, log, segment, limit, NULL);
        first = segment->first;
        status = kl_seg_reader_find(&reader, seq, &place);
        if (status == KL_NOTFOUND)
            status = KL_CORRUPT;
        kl_seg_release(log, segment);
    }
    if (status != KL_OK)
        return status;
    kl_seg_path(log, first, KL_SEG_SUFFIX, file);
    *offset = place.sector * KL_SEG_SECTOR + place.offset;
    return KL_OK;
}
