/* Opening a log.
 *
 *   1. segments that were not finished are removed; the folder is synced, so that no name that is
 *      relied on can go away
 *   2. every segment's header is checked, and that the segments follow one another
 *   3. the newest segment's end is found (seglog_tail.c)
 *
 * The other segments hold nothing but durable records: a segment is made only after the one before
 * it was synced.  They are checked when they are read. */
#include <stdlib.h>

#include "store/seglog_priv.h"

/* What lies in the folder. */
struct found {
    u64 *first; /* of the segments, in order */
    usize count, cap;
    bool unnamed, failed;
};

static void found_done(struct found *found)
{
    free(found->first);
}

static void found_add(struct found *found, u64 first)
{
    if (found->count == found->cap) {
        usize cap = found->cap ? found->cap * 2 : 64;
        u64 *grown = realloc(found->first, cap * sizeof *grown);
        if (!grown) {
            found->failed = true;
            return;
        }
        found->first = grown;
        found->cap = cap;
    }
    found->first[found->count++] = first;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void see_name(void *ctx, const char *name)
{
    struct found *found = ctx;
    u64 first = 0;
    found->unnamed |= strcmp(name, KL_SEG_UNNAMED) == 0;
    for (int i = 0; i < 16; i++) {
        int digit = hex_digit(name[i]);
        if (digit < 0)
            return;
        first = first << 4 | (u64)digit;
    }
    if (strcmp(name + 16, KL_SEG_SUFFIX) == 0)
        found_add(found, first);
}

static kl_status make_folder(struct kl_seglog *log)
{
    char parent[KL_PATH_MAX + 1] = {0};
    const char *slash = strrchr(log->dir, '/');
    if (slash)
        memcpy(parent, log->dir, (usize)(slash - log->dir));
    KL_TRY(kl_fs_make_dir(log->fs, log->dir));
    return kl_fs_sync_dir(log->fs, parent);
}

static kl_status look(struct kl_seglog *log, struct found *found)
{
    KL_TRY(kl_fs_list(log->fs, log->dir, see_name, found));
    if (found->failed)
        return KL_NOMEM;
    if (log->read_only)
        return KL_OK;
    if (found->unnamed) {
        char path[KL_PATH_MAX + 1];
        kl_seg_path_in(log, KL_SEG_UNNAMED, path);
        KL_TRY(kl_fs_unlink(log->fs, path));
    }
    return kl_fs_sync_dir(log->fs, log->dir);
}

/* NULL, or what is wrong with the header of the segment named after `first` in a file of `size`. */
static const char *judge_header(const struct kl_seglog *log, const kl_seg_header *header, u64 first,
                                u64 size)
{
    if (header->first != first)
        return "the segment has another segment's name";
    if (header->size != size || size % KL_SEG_UNIT != 0 || size == 0)
        return "the file's size is not the one its header says";
    if (log->segments > 0 && header->previous != kl_seg_newest(log)->first)
        return "the segment before this one is missing";
    return NULL;
}

static kl_status read_header(struct kl_seglog *log, struct kl_file *file, u64 first,
                             kl_seg_header *header, kl_seglog_report *report)
{
    const struct kl_segment named = {.first = first};
    u8 sector[KL_SEG_SECTOR];
    u64 size;
    bool newer = false;
    KL_TRY(kl_file_size(file, &size));
    kl_status status = kl_file_read(file, sector, sizeof sector, 0);
    if (status != KL_OK && status != KL_NOTFOUND)
        return status;
    const char *wrong = status == KL_OK ? kl_seg_header_get(sector, header, &newer)
                                        : "the file is shorter than a segment's header";
    if (!wrong)
        wrong = judge_header(log, header, first, size);
    if (!wrong)
        return KL_OK;
    status = kl_seg_damaged(log, &named, 0, wrong, report);
    return newer ? KL_UNSUPPORTED : status;
}

/* Adds a segment that is there; the newest one's file stays open. */
static kl_status take_up(struct kl_seglog *log, u64 first, bool newest, kl_seglog_report *report)
{
    KL_CLEANUP(kl_file_closep) struct kl_file *file = NULL;
    char path[KL_PATH_MAX + 1];
    kl_seg_header header;
    kl_seg_path(log, first, KL_SEG_SUFFIX, path);
    bool writable = newest && !log->read_only;
    KL_TRY(kl_fs_open(log->fs, &file, path, writable ? KL_OPEN_WRITE : KL_OPEN_READ));
    KL_TRY(read_header(log, file, first, &header, report));
    KL_TRY(kl_seg_add(log, &header, newest ? file : NULL));
    if (newest)
        file = NULL;
    return KL_OK;
}

static kl_status open_log(struct kl_seglog *log, kl_seglog_report *report)
{
    KL_CLEANUP(found_done) struct found found = {0};
    if (!log->read_only)
        KL_TRY(make_folder(log));
    KL_TRY(look(log, &found));
    if (found.count == 0 && log->read_only)
        return KL_NOTFOUND;
    for (usize i = 0; i < found.count; i++)
        KL_TRY(take_up(log, found.first[i], i + 1 == found.count, report));
    if (found.count == 0)
        KL_TRY(kl_seg_create(log, 0, 0));
    log->first = log->segment[0]->first;
    return kl_seg_recover(log, report);
}

kl_status kl_seglog_open(struct kl_seglog **out, struct kl_fs *fs, const kl_seglog_config *config,
                         kl_seglog_report *report)
{
    usize dir_len = strlen(config->dir);
    KL_ASSERT(dir_len > 0 && dir_len + 32 <= KL_PATH_MAX);
    KL_ASSERT(config->segment_bytes > 0 && config->segment_bytes % KL_SEG_UNIT == 0);
    *report = (kl_seglog_report){.damage = NULL};
    struct kl_seglog *log = calloc(1, sizeof *log);
    if (!log)
        return KL_NOMEM;
    log->fs = fs;
    memcpy(log->dir, config->dir, dir_len);
    log->segment_bytes = config->segment_bytes;
    log->read_only = config->read_only;
    if (config->read_only)
        log->broken = KL_UNSUPPORTED;
    kl_mutex_init(&log->mutex);
    kl_mutex_init(&log->sync_mutex);
    kl_status status = open_log(log, report);
    if (status != KL_OK) {
        kl_seglog_close(log);
        /* A file that went away while we looked is a failing disk. */
        return status == KL_NOTFOUND && !config->read_only ? KL_IO : status;
    }
    *out = log;
    return KL_OK;
}
