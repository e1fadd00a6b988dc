/* Making segment files.
 *
 * A segment is made under a name that does not count and renamed when all of it is durable, so a
 * segment that has its name is complete.  Filling it with zeros takes long; so the next one is
 * begun when the newest is a quarter full, a part of it is filled with every sync, and it is ready
 * when the newest is three quarters full.  Everything here is done by the holder of the sync mutex.
 */
#include "store/seglog_priv.h"

enum {
    ZEROS = 64 * 1024,
    FIRST_BYTES = 1 << 20, /* of the first segment; each may be twice as large as the one before */
    STEPS = 16,            /* in which a segment is filled ahead of need */
};

static const u8 zeros[ZEROS];

/* Bytes of a segment behind the newest one with room for record_bytes. */
static u64 size_for(const struct kl_seglog *log, u64 record_bytes)
{
    u64 needed = (1 + kl_seg_sectors(record_bytes)) * KL_SEG_SECTOR;
    u64 usual = log->segments > 0 ? 2 * kl_seg_newest(log)->size : FIRST_BYTES;
    usual = KL_MIN(KL_MAX(usual, (u64)FIRST_BYTES), log->segment_bytes);
    return KL_MAX((needed + KL_SEG_UNIT - 1) / KL_SEG_UNIT * KL_SEG_UNIT, usual);
}

void kl_seg_discard_next(struct kl_seglog *log)
{
    char path[KL_PATH_MAX + 1];
    if (!log->next_file)
        return;
    kl_file_closep(&log->next_file);
    kl_seg_path_in(log, KL_SEG_UNNAMED, path);
    if (kl_fs_unlink(log->fs, path) != KL_OK)
        return; /* it is in nobody's way: opening removes it, and so does begin_next */
}

static kl_status begin_next(struct kl_seglog *log, u64 size)
{
    char path[KL_PATH_MAX + 1];
    kl_seg_path_in(log, KL_SEG_UNNAMED, path);
    kl_status status = kl_fs_open(log->fs, &log->next_file, path, KL_OPEN_CREATE);
    if (status == KL_BUSY) {
        KL_TRY(kl_fs_unlink(log->fs, path));
        status = kl_fs_open(log->fs, &log->next_file, path, KL_OPEN_CREATE);
    }
    log->next_size = size;
    log->next_filled = 0;
    return status;
}

static kl_status fill_next(struct kl_seglog *log, u64 end)
{
    while (log->next_filled < end) {
        u64 n = KL_MIN(end - log->next_filled, (u64)ZEROS);
        KL_TRY(kl_file_write(log->next_file, zeros, n, log->next_filled));
        log->next_filled += n;
    }
    return KL_OK;
}

/* How much of the next segment should be filled by now. */
static u64 filled_by_now(struct kl_seglog *log)
{
    kl_lock(&log->mutex);
    u64 used = log->written * KL_SEG_SECTOR, size = kl_seg_newest(log)->size;
    kl_unlock(&log->mutex);
    if (used <= size / 4)
        return 0;
    u64 next = log->next_file ? log->next_size : size_for(log, 0);
    u64 step = KL_MAX(next / STEPS, (u64)KL_SEG_UNIT);
    u64 due = (u64)((u128)next * (used - size / 4) / (size / 2)) / step * step;
    return KL_MIN(due, next);
}

static kl_status prepare(struct kl_seglog *log, u64 due)
{
    if (!log->next_file)
        KL_TRY(begin_next(log, size_for(log, 0)));
    KL_TRY(fill_next(log, due));
    return kl_file_sync(log->next_file);
}

void kl_seg_prepare_next(struct kl_seglog *log)
{
    u64 due = filled_by_now(log);
    if (due == 0 || log->next_failed || (log->next_file && due <= log->next_filled))
        return;
    if (prepare(log, due) != KL_OK) {
        kl_seg_discard_next(log);
        log->next_failed = true;
    }
}

static kl_status finish_next(struct kl_seglog *log, const kl_seg_header *header)
{
    char unnamed[KL_PATH_MAX + 1], path[KL_PATH_MAX + 1];
    u8 sector[KL_SEG_SECTOR];
    kl_seg_path_in(log, KL_SEG_UNNAMED, unnamed);
    kl_seg_path(log, header->first, KL_SEG_SUFFIX, path);
    KL_TRY(fill_next(log, header->size));
    kl_seg_header_put(sector, header);
    KL_TRY(kl_file_write(log->next_file, sector, sizeof sector, 0));
    KL_TRY(kl_file_sync(log->next_file));
    KL_TRY(kl_fs_rename(log->fs, unnamed, path));
    return kl_fs_sync_dir(log->fs, log->dir);
}

kl_status kl_seg_create(struct kl_seglog *log, u64 first, u64 record_bytes)
{
    u64 size = size_for(log, record_bytes);
    if (log->next_file && log->next_size < size)
        kl_seg_discard_next(log);
    if (!log->next_file)
        KL_TRY(begin_next(log, size));
    kl_seg_header header = {.first = first, .previous = first, .size = log->next_size};
    bool replaces = log->segments > 0 && kl_seg_newest(log)->first == first;
    if (log->segments > 0)
        header.previous = replaces ? kl_seg_newest(log)->previous : kl_seg_newest(log)->first;
    KL_TRY(finish_next(log, &header));
    if (replaces)
        kl_seg_forget(log, log->segments - 1);
    KL_TRY(kl_seg_add(log, &header, log->next_file));
    log->next_file = NULL;
    log->next_failed = false;
    return KL_OK;
}
