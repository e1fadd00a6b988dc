/* The log's writing side.
 *
 * Records are laid out into sectors as they are appended, in a batch in memory; kl_seglog_write
 * seals the sectors with their checksums and hands the batch to the file system with one write,
 * behind what was written before.  The next batch begins on a fresh sector. */
#include "store/seglog.h"

#include <stdlib.h>

#include "store/seglog_priv.h"

enum { BATCH_MAX = 4 << 20 }; /* handed over without being asked beyond that */

/* From here on the log is only read; returns why.  (A folder that went away is a failing disk.) */
static kl_status break_log(struct kl_seglog *log, kl_status status)
{
    kl_lock(&log->mutex);
    if (log->broken == KL_OK)
        log->broken = status == KL_NOTFOUND ? KL_IO : status;
    status = log->broken;
    kl_unlock(&log->mutex);
    return status;
}

static kl_status broken(struct kl_seglog *log)
{
    kl_lock(&log->mutex);
    kl_status status = log->broken;
    kl_unlock(&log->mutex);
    return status;
}

u64 kl_seglog_first(const struct kl_seglog *log)
{
    return log->first;
}

u64 kl_seglog_end(const struct kl_seglog *log)
{
    return log->end;
}

u64 kl_seglog_synced(const struct kl_seglog *log)
{
    return log->synced;
}

u64 kl_seglog_bytes(const struct kl_seglog *log)
{
    return log->bytes;
}

kl_status kl_seglog_write(struct kl_seglog *log)
{
    KL_TRY(broken(log));
    if (log->batch_len == 0)
        return KL_OK;
    struct kl_segment *segment = kl_seg_newest(log);
    u64 sectors = (log->batch_len + KL_SEG_SECTOR - 1) / KL_SEG_SECTOR;
    for (u64 i = 0; i < sectors; i++)
        kl_seg_sector_seal(log->batch + i * KL_SEG_SECTOR, segment->first, log->written + i);
    kl_status status = kl_file_write(segment->file, log->batch, sectors * KL_SEG_SECTOR,
                                     log->written * KL_SEG_SECTOR);
    if (status != KL_OK)
        return break_log(log, status);
    u8 *large = NULL;
    kl_lock(&log->mutex);
    log->written += sectors;
    log->written_seq = log->end;
    log->batch_len = 0;
    if (log->batch_cap > 2 * BATCH_MAX) {
        large = log->batch;
        log->batch = NULL;
        log->batch_cap = 0;
    }
    kl_unlock(&log->mutex);
    free(large);
    return KL_OK;
}

/* The sync mutex keeps a second sync of the same file from hearing "all is well" while the first
 * hears of the failure: the kernel tells it once. */
static kl_status sync(struct kl_seglog *log, bool prepares)
{
    kl_lock(&log->sync_mutex);
    kl_lock(&log->mutex);
    kl_status status = log->broken;
    u64 target = log->written_seq;
    bool nothing = target == log->synced;
    struct kl_segment *segment = kl_seg_newest(log);
    segment->users++;
    kl_unlock(&log->mutex);
    if (status == KL_OK && !nothing) {
        status = kl_file_sync(segment->file);
        kl_lock(&log->mutex);
        if (status == KL_OK)
            log->synced = target;
        kl_unlock(&log->mutex);
        if (status == KL_OK && prepares)
            kl_seg_prepare_next(log);
        if (status != KL_OK)
            status = break_log(log, status);
    }
    kl_seg_release(log, segment);
    kl_unlock(&log->sync_mutex);
    return status;
}

kl_status kl_seglog_sync(struct kl_seglog *log)
{
    return sync(log, true);
}

kl_status kl_seglog_sync_alone(struct kl_seglog *log)
{
    return sync(log, false);
}

void kl_seglog_prepare(struct kl_seglog *log)
{
    kl_lock(&log->sync_mutex);
    if (broken(log) == KL_OK)
        kl_seg_prepare_next(log);
    kl_unlock(&log->sync_mutex);
}

/* Data bytes that still fit the newest segment behind the batch. */
static u64 room(const struct kl_seglog *log)
{
    u64 used = log->written + (log->batch_len + KL_SEG_SECTOR - 1) / KL_SEG_SECTOR;
    u64 sectors = kl_seg_newest(log)->size / KL_SEG_SECTOR - used;
    u64 rest = log->batch_len % KL_SEG_SECTOR ? KL_SEG_SECTOR - log->batch_len % KL_SEG_SECTOR : 0;
    return sectors * KL_SEG_ROOM + rest;
}

/* Goes on in a new segment.  The existence of a segment promises that all before it is durable. */
static kl_status roll(struct kl_seglog *log, u64 record_bytes)
{
    KL_TRY(kl_seglog_write(log));
    KL_TRY(kl_seglog_sync(log));
    kl_lock(&log->sync_mutex);
    kl_status status = kl_seg_create(log, log->end, record_bytes);
    kl_unlock(&log->sync_mutex);
    return status == KL_OK ? KL_OK : break_log(log, status);
}

/* Room in memory for record_bytes more.  The mutex is not held: only this thread moves the batch.
 */
static kl_status grow_batch(struct kl_seglog *log, u64 record_bytes)
{
    usize need = log->batch_len + (kl_seg_sectors(record_bytes) + 2) * KL_SEG_SECTOR;
    if (need <= log->batch_cap)
        return KL_OK;
    usize cap = KL_MAX(need, KL_MIN(log->batch_cap * 2, (usize)BATCH_MAX));
    u8 *grown = malloc(cap);
    if (!grown)
        return KL_NOMEM;
    usize whole = (log->batch_len + KL_SEG_SECTOR - 1) / KL_SEG_SECTOR * KL_SEG_SECTOR;
    kl_lock(&log->mutex);
    if (whole)
        memcpy(grown, log->batch, whole); /* the last sector's zeros too */
    free(log->batch);
    log->batch = grown;
    log->batch_cap = cap;
    kl_unlock(&log->mutex);
    return KL_OK;
}

/* Lays bytes of a record out behind what is in the batch; seq is the number that a sector opened on
 * the way gets. */
static void lay(struct kl_seglog *log, u64 seq, const u8 *p, usize len)
{
    while (len > 0) {
        usize at = log->batch_len % KL_SEG_SECTOR;
        if (at == 0) {
            kl_seg_sector_begin(log->batch + log->batch_len, seq);
            log->batch_len += at = KL_SEG_DATA;
        }
        u8 *sector = log->batch + (log->batch_len - at);
        usize n = KL_MIN(len, KL_SEG_SECTOR - at);
        memcpy(sector + at, p, n);
        kl_store_be16(sector + 6, (u16)(at + n));
        log->batch_len += n;
        p += n;
        len -= n;
    }
}

/* Lays a whole record out; the mutex is held. */
static void lay_record(struct kl_seglog *log, u64 seq, const u8 head[KL_SEG_HEAD],
                       const kl_span *parts, usize part_count)
{
    usize at = log->batch_len;
    if (at % KL_SEG_SECTOR == 0) {
        kl_seg_sector_begin(log->batch + at, seq);
        log->batch_len = at += KL_SEG_DATA;
    }
    u8 *sector = log->batch + at / KL_SEG_SECTOR * KL_SEG_SECTOR;
    if (kl_load_be16(sector + 4) == 0)
        kl_store_be16(sector + 4, (u16)(at % KL_SEG_SECTOR));
    lay(log, seq + 1, head, KL_SEG_HEAD);
    for (usize i = 0; i < part_count; i++)
        lay(log, seq + 1, parts[i].p, parts[i].len);
}

static kl_status add_up(const kl_span *parts, usize part_count, u64 *out)
{
    usize sum = 0;
    for (usize i = 0; i < part_count; i++)
        if (!kl_add_usize(&sum, sum, parts[i].len) || sum > KL_SEGLOG_RECORD_MAX)
            return KL_LIMIT;
    *out = sum;
    return KL_OK;
}

kl_status kl_seglog_append(struct kl_seglog *log, u8 kind, const kl_span *parts, usize part_count,
                           u64 *seq)
{
    KL_ASSERT(kind != 0);
    u64 len;
    KL_TRY(broken(log));
    KL_TRY(add_up(parts, part_count, &len));
    u64 record_bytes = KL_SEG_HEAD + len;
    if (record_bytes > room(log))
        KL_TRY(roll(log, record_bytes));
    else if (log->batch_len >= BATCH_MAX)
        KL_TRY(kl_seglog_write(log));
    KL_TRY(grow_batch(log, record_bytes));
    u64 number = log->end;
    u8 head[KL_SEG_HEAD];
    kl_seg_head_put(head,
                    &(kl_seg_head){
                        .kind = kind,
                        .len = (u32)len,
                        .seq = number,
                        .synced = log->synced,
                    },
                    parts, part_count);
    kl_lock(&log->mutex);
    lay_record(log, number, head, parts, part_count);
    log->end = number + 1;
    kl_unlock(&log->mutex);
    *seq = number;
    return KL_OK;
}

u64 kl_seglog_would_leave(struct kl_seglog *log, u64 seq)
{
    usize i = 0;
    kl_lock(&log->mutex);
    while (i + 1 < log->segments && log->segment[i + 1]->first <= seq)
        i++;
    u64 first = log->segment[i]->first;
    kl_unlock(&log->mutex);
    return first;
}

/* A sync on another thread looks at the list of segments between two holdings of the mutex. */
static void forget_oldest(struct kl_seglog *log)
{
    kl_lock(&log->sync_mutex);
    kl_seg_forget(log, 0);
    kl_unlock(&log->sync_mutex);
}

kl_status kl_seglog_drop(struct kl_seglog *log, u64 seq)
{
    bool dropped = false;
    while (log->segments > 1 && log->segment[1]->first <= seq) {
        char path[KL_PATH_MAX + 1];
        kl_seg_path(log, log->segment[0]->first, KL_SEG_TORN, path);
        kl_status status = kl_fs_unlink(log->fs, path);
        if (status != KL_OK && status != KL_NOTFOUND)
            return status;
        kl_seg_path(log, log->segment[0]->first, KL_SEG_SUFFIX, path);
        KL_TRY(kl_fs_unlink(log->fs, path));
        forget_oldest(log);
        dropped = true;
    }
    return dropped ? kl_fs_sync_dir(log->fs, log->dir) : KL_OK;
}

void kl_seglog_close(struct kl_seglog *log)
{
    if (!log)
        return;
    kl_seg_discard_next(log);
    for (usize i = 0; i < log->segments; i++) {
        KL_ASSERT(log->segment[i]->users == 0);
        kl_seg_free(log->segment[i]);
    }
    free(log->segment);
    free(log->batch);
    kl_mutex_done(&log->mutex);
    kl_mutex_done(&log->sync_mutex);
    free(log);
}
