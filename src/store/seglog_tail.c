/* Where the newest segment ends.
 *
 * Its records are read from the beginning up to the first place where the next one was not, or not
 * wholly, written.  Every sector behind that place is looked at too.  If there is nothing, the log
 * ends there.  If there is something, it is what a power cut left of writes that were never synced,
 * or the hole itself is damage: records say up to where the log was durable when they were
 * appended, so when one of them, before the hole or behind it, vouches for a record at or behind
 * the hole, it is damage.  Otherwise it is a tear, which is cut off:
 *
 *   1. its sectors are copied into the .torn file, which is synced
 *   2. in the segment, from the last record known to be durable on, good sectors are written again,
 *      the sector where the tear begins loses its part of it, sectors named in the .torn file that
 *      lie behind the end are written with zeros
 *   3. the segment is synced
 *
 * Step 2 and 3 are done at every opening: the process before may have written the same bytes, seen
 * its sync fail and died, leaving pages that look clean and are not on the disk. */
#include <stdlib.h>

#include "crypto/digest.h"
#include "store/seglog_priv.h"

enum { CHUNK = 64 * KL_SEG_SECTOR };

/* A piece of a .torn file: a sector that says where the bytes were, then the bytes.
 * magic 8, checksum 4 (over the 16 bytes behind it), offset 8, len 8, zeros. */
static const u8 torn_magic[8] = {'K', 'L', 'S', 'E', 'G', 'T', 'R', 'N'};

struct tail {
    struct kl_seglog *log;
    struct kl_segment *segment;
    kl_seg_place end; /* behind the last whole record; offset 0: at the beginning of a sector */
    u64 next;         /* number of the record that would come there */
    u64 durable;      /* records before this number were durable, as far as is known */
    u64 last;         /* last sector that is not blank */
    bool shared;      /* the sector that the last record ends in holds a part of another one */
    struct kl_seg_reader reader;
    u8 bytes[CHUNK];
};

static u64 sectors_of(const struct tail *t)
{
    return t->segment->size / KL_SEG_SECTOR;
}

/* The first sector that the log does not use. */
static u64 unused(const struct tail *t)
{
    return t->end.offset ? t->end.sector + 1 : t->end.sector;
}

static kl_status read_record(struct tail *t, kl_seg_place *place)
{
    kl_seg_head head;
    u32 crc;
    KL_TRY(kl_seg_reader_head(&t->reader, place, t->next, &head, &crc));
    t->durable = KL_MAX(t->durable, head.synced);
    return kl_seg_reader_payload(&t->reader, place, &head, crc, NULL);
}

static kl_status find_end(struct tail *t)
{
    t->end = (kl_seg_place){.sector = 1};
    t->next = t->durable = t->segment->first;
    for (;;) {
        kl_seg_place place = t->end;
        kl_status status = read_record(t, &place);
        if (status == KL_NOTFOUND)
            return KL_OK;
        if (status != KL_OK)
            return status;
        t->end = place;
        t->next++;
    }
}

/* What the records that begin in a sector behind the end say was durable. */
static kl_status hear_sector(struct tail *t, u64 i, kl_seg_sector sector)
{
    kl_seg_place place = {.sector = i, .offset = sector.start};
    for (u64 seq = sector.seq; place.sector == i && place.offset < sector.end; seq++) {
        kl_seg_head head;
        u32 crc;
        kl_status status = kl_seg_reader_head(&t->reader, &place, seq, &head, &crc);
        if (status == KL_NOTFOUND)
            return KL_OK;
        if (status != KL_OK)
            return status;
        t->durable = KL_MAX(t->durable, head.synced);
        if (head.len >= KL_SEG_SECTOR)
            return KL_OK;
        place.offset += head.len;
    }
    return KL_OK;
}

static kl_status look_behind(struct tail *t)
{
    kl_seg_sector sector;
    t->last = unused(t) - 1;
    for (u64 i = unused(t); i < sectors_of(t); i++) {
        kl_status status = kl_seg_reader_sector(&t->reader, i, &sector, NULL);
        if (status == KL_NOTFOUND)
            continue;
        if (status != KL_OK)
            return status;
        t->last = i;
        if (sector.start)
            KL_TRY(hear_sector(t, i, sector));
    }
    return KL_OK;
}

static kl_status look_beside(struct tail *t)
{
    kl_seg_sector sector;
    t->shared = false;
    if (t->end.offset == 0)
        return KL_OK;
    KL_TRY(kl_seg_reader_sector(&t->reader, t->end.sector, &sector, NULL));
    t->shared = sector.end > t->end.offset;
    return KL_OK;
}

/* Where the next record would begin, or does. */
static u64 end_offset(const struct tail *t)
{
    return t->shared ? t->end.sector * KL_SEG_SECTOR + t->end.offset : unused(t) * KL_SEG_SECTOR;
}

static kl_status copy_to_torn(struct tail *t, struct kl_file *torn, u64 from, u64 end)
{
    u64 at;
    KL_TRY(kl_file_size(torn, &at));
    at = (at + KL_SEG_SECTOR - 1) / KL_SEG_SECTOR * KL_SEG_SECTOR;
    u8 *head = t->bytes;
    memset(head, 0, KL_SEG_SECTOR);
    memcpy(head, torn_magic, sizeof torn_magic);
    kl_store_be64(head + 12, from);
    kl_store_be64(head + 20, end - from);
    kl_store_be32(head + 8, kl_crc32c(0, kl_span_of(head + 12, 16)));
    KL_TRY(kl_file_write(torn, head, KL_SEG_SECTOR, at));
    at += KL_SEG_SECTOR;
    while (from < end) {
        u64 n = KL_MIN(end - from, (u64)CHUNK);
        KL_TRY(kl_file_read(t->segment->file, t->bytes, n, from));
        KL_TRY(kl_file_write(torn, t->bytes, n, at));
        from += n;
        at += n;
    }
    return kl_file_sync(torn);
}

/* Step 1. */
static kl_status keep_tear(struct tail *t)
{
    KL_CLEANUP(kl_file_closep) struct kl_file *torn = NULL;
    char path[KL_PATH_MAX + 1];
    kl_seg_path(t->log, t->segment->first, KL_SEG_TORN, path);
    kl_status status = kl_fs_open(t->log->fs, &torn, path, KL_OPEN_WRITE);
    if (status == KL_NOTFOUND)
        status = kl_fs_open(t->log->fs, &torn, path, KL_OPEN_CREATE);
    if (status != KL_OK)
        return status;
    u64 from = end_offset(t) / KL_SEG_SECTOR * KL_SEG_SECTOR;
    KL_TRY(copy_to_torn(t, torn, from, (t->last + 1) * KL_SEG_SECTOR));
    return kl_fs_sync_dir(t->log->fs, t->log->dir);
}

static void trim(const struct tail *t, u8 *sector)
{
    kl_seg_sector head = kl_seg_sector_get(sector);
    memset(sector + t->end.offset, 0, KL_SEG_SECTOR - t->end.offset);
    head.end = (u16)t->end.offset;
    if (head.start >= head.end)
        head.start = 0;
    kl_seg_sector_set(sector, &head);
    kl_seg_sector_seal(sector, t->segment->first, t->end.sector);
}

/* Step 2, the good sectors. */
static kl_status write_again(struct tail *t)
{
    kl_seg_place place = t->end;
    t->reader.limit = unused(t);
    if (t->durable < t->next)
        KL_TRY(kl_seg_reader_find(&t->reader, t->durable, &place));
    for (u64 from = place.sector; from < unused(t);) {
        u64 count = KL_MIN(unused(t) - from, (u64)CHUNK / KL_SEG_SECTOR);
        for (u64 i = 0; i < count; i++) {
            kl_seg_sector head;
            const u8 *sector;
            KL_TRY(kl_seg_reader_sector(&t->reader, from + i, &head, &sector));
            memcpy(t->bytes + i * KL_SEG_SECTOR, sector, KL_SEG_SECTOR);
        }
        if (from + count == t->end.sector + 1)
            trim(t, t->bytes + (count - 1) * KL_SEG_SECTOR);
        KL_TRY(
            kl_file_write(t->segment->file, t->bytes, count * KL_SEG_SECTOR, from * KL_SEG_SECTOR));
        from += count;
    }
    return KL_OK;
}

static kl_status write_zeros(struct tail *t, u64 from, u64 end)
{
    memset(t->bytes, 0, sizeof t->bytes);
    while (from < end) {
        u64 n = KL_MIN(end - from, (u64)CHUNK);
        KL_TRY(kl_file_write(t->segment->file, t->bytes, n, from));
        from += n;
    }
    return KL_OK;
}

/* Step 2, what was cut off; by an earlier opening too, which may not have come to its end. */
static kl_status write_cuts(struct tail *t)
{
    KL_CLEANUP(kl_file_closep) struct kl_file *torn = NULL;
    char path[KL_PATH_MAX + 1];
    u64 size;
    kl_seg_path(t->log, t->segment->first, KL_SEG_TORN, path);
    kl_status status = kl_fs_open(t->log->fs, &torn, path, KL_OPEN_READ);
    if (status != KL_OK)
        return status == KL_NOTFOUND ? KL_OK : status;
    KL_TRY(kl_file_size(torn, &size));
    for (u64 at = 0; at < size / KL_SEG_SECTOR * KL_SEG_SECTOR; at += KL_SEG_SECTOR) {
        u8 head[28];
        KL_TRY(kl_file_read(torn, head, sizeof head, at));
        u64 from = kl_load_be64(head + 12), len = kl_load_be64(head + 20), end;
        if (memcmp(head, torn_magic, sizeof torn_magic) != 0 ||
            kl_load_be32(head + 8) != kl_crc32c(0, kl_span_of(head + 12, 16)) ||
            !kl_add_u64(&end, from, len))
            continue;
        KL_TRY(
            write_zeros(t, KL_MAX(from, unused(t) * KL_SEG_SECTOR), KL_MIN(end, t->segment->size)));
    }
    return KL_OK;
}

static kl_status recover(struct tail *t, kl_seglog_report *report)
{
    KL_TRY(find_end(t));
    KL_TRY(look_behind(t));
    KL_TRY(look_beside(t));
    u64 end = end_offset(t);
    if (t->durable > t->next)
        return kl_seg_damaged(t->log, t->segment, end, "records that were durable are missing",
                              report);
    bool torn = t->shared || t->last >= unused(t);
    if (torn && !t->log->read_only)
        KL_TRY(keep_tear(t));
    if (torn) {
        kl_seg_path(t->log, t->segment->first, KL_SEG_SUFFIX, report->file);
        report->offset = end;
        report->cut_bytes = (t->last + 1) * KL_SEG_SECTOR - end;
    }
    if (t->log->read_only)
        return KL_OK;
    KL_TRY(write_again(t));
    KL_TRY(write_cuts(t));
    return kl_file_sync(t->segment->file);
}

kl_status kl_seg_recover(struct kl_seglog *log, kl_seglog_report *report)
{
    struct tail *t = malloc(sizeof *t);
    if (!t)
        return KL_NOMEM;
    t->log = log;
    t->segment = kl_seg_newest(log);
    kl_seg_reader_init(&t->reader, log, t->segment, sectors_of(t), report);
    kl_status status = recover(t, report);
    if (status == KL_OK) {
        log->written = unused(t);
        log->written_seq = t->next;
        log->end = t->next;
        log->synced = t->next;
    }
    free(t);
    return status;
}
