/* Segment files: made under a name that does not count, then renamed, so that a segment that has
 * its name is complete; opened when somebody reads; closed when too many are open. */
#include <stdio.h>
#include <stdlib.h>

#include "store/seglog_priv.h"

enum { OPEN_FILES_MAX = 64 };

void kl_seg_path_in(const struct kl_seglog *log, const char *name, char path[KL_PATH_MAX + 1])
{
    int len = snprintf(path, KL_PATH_MAX + 1, "%s/%s", log->dir, name);
    KL_ASSERT(len > 0 && len <= KL_PATH_MAX);
}

void kl_seg_path(const struct kl_seglog *log, u64 first, const char *suffix,
                 char path[KL_PATH_MAX + 1])
{
    char name[32];
    snprintf(name, sizeof name, "%016llx%s", (unsigned long long)first, suffix);
    kl_seg_path_in(log, name, path);
}

kl_status kl_seg_damaged(const struct kl_seglog *log, const struct kl_segment *segment, u64 offset,
                         const char *what, kl_seglog_report *report)
{
    if (report) {
        kl_seg_path(log, segment->first, KL_SEG_SUFFIX, report->file);
        report->offset = offset;
        report->cut_bytes = 0;
        report->damage = what;
    }
    return KL_CORRUPT;
}

struct kl_segment *kl_seg_newest(const struct kl_seglog *log)
{
    return log->segment[log->segments - 1];
}

void kl_seg_free(struct kl_segment *segment)
{
    if (!segment)
        return;
    kl_file_close(segment->file);
    free(segment->mark);
    free(segment);
}

kl_status kl_seg_add(struct kl_seglog *log, const kl_seg_header *header, struct kl_file *file)
{
    if (log->segments == log->segment_cap) {
        usize cap = log->segment_cap ? log->segment_cap * 2 : 16;
        struct kl_segment **grown = malloc(cap * sizeof *grown);
        if (!grown)
            return KL_NOMEM;
        kl_lock(&log->mutex);
        if (log->segments)
            memcpy(grown, log->segment, log->segments * sizeof *grown);
        free(log->segment);
        log->segment = grown;
        log->segment_cap = cap;
        kl_unlock(&log->mutex);
    }
    struct kl_segment *segment = calloc(1, sizeof *segment);
    if (!segment)
        return KL_NOMEM;
    segment->first = header->first;
    segment->previous = header->previous;
    segment->size = header->size;
    segment->file = file;
    kl_lock(&log->mutex);
    log->segment[log->segments++] = segment;
    log->open_files += file != NULL;
    log->bytes += header->size;
    log->written = 1;
    kl_unlock(&log->mutex);
    return KL_OK;
}

void kl_seg_forget(struct kl_seglog *log, usize index)
{
    kl_lock(&log->mutex);
    struct kl_segment *gone = log->segment[index];
    log->segments--;
    memmove(log->segment + index, log->segment + index + 1,
            (log->segments - index) * sizeof log->segment[0]);
    log->open_files -= gone->file != NULL;
    log->bytes -= gone->size;
    if (log->hint_segment == gone)
        log->hint_segment = NULL;
    if (index == 0 && log->segments > 0)
        log->first = log->segment[0]->first;
    gone->dropped = true;
    gone->users++;
    kl_unlock(&log->mutex);
    kl_seg_release(log, gone);
}

/* The segment record seq is in; the mutex is held and the log has the record. */
static struct kl_segment *segment_of(const struct kl_seglog *log, u64 seq)
{
    usize low = 0, high = log->segments;
    while (high - low > 1) {
        usize mid = (low + high) / 2;
        if (log->segment[mid]->first <= seq)
            low = mid;
        else
            high = mid;
    }
    return log->segment[low];
}

/* The file that has been idle the longest, taken out of its segment, which forgets its marks; the
 * mutex is held. */
static struct kl_file *take_idle_file(struct kl_seglog *log)
{
    struct kl_segment *idle = NULL;
    for (usize i = 0; i + 1 < log->segments; i++) {
        struct kl_segment *s = log->segment[i];
        if (s->file && s->users == 0 && (!idle || s->last_use < idle->last_use))
            idle = s;
    }
    if (!idle)
        return NULL;
    struct kl_file *file = idle->file;
    idle->file = NULL;
    free(idle->mark);
    idle->mark = NULL;
    log->open_files--;
    return file;
}

static struct kl_seg_mark *new_marks(const struct kl_segment *segment)
{
    usize count = segment->size / KL_SEG_SECTOR / KL_SEG_STRIDE + 1;
    struct kl_seg_mark *mark = malloc(count * sizeof *mark);
    for (usize i = 0; mark && i < count; i++)
        atomic_init(&mark[i].seq, UINT64_MAX);
    return mark;
}

/* Opens the held segment's file, unless another reader has done so first. */
static kl_status open_file(struct kl_seglog *log, struct kl_segment *segment,
                           kl_seglog_report *report)
{
    struct kl_file *file, *idle = NULL;
    char path[KL_PATH_MAX + 1];
    kl_seg_path(log, segment->first, KL_SEG_SUFFIX, path);
    kl_status status = kl_fs_open(log->fs, &file, path, KL_OPEN_READ);
    if (status == KL_NOTFOUND)
        return kl_seg_damaged(log, segment, 0, "the segment file is gone", report);
    if (status != KL_OK)
        return status;
    kl_lock(&log->mutex);
    if (segment->file) {
        idle = file;
    } else {
        if (log->open_files >= OPEN_FILES_MAX)
            idle = take_idle_file(log);
        segment->file = file;
        log->open_files++;
    }
    kl_unlock(&log->mutex);
    kl_file_close(idle);
    return KL_OK;
}

kl_status kl_seg_hold(struct kl_seglog *log, u64 seq, struct kl_segment **out, u64 *limit,
                      kl_seglog_report *report)
{
    kl_lock(&log->mutex);
    if (seq < log->first) {
        kl_unlock(&log->mutex);
        return KL_NOTFOUND;
    }
    struct kl_segment *segment = segment_of(log, seq);
    segment->users++;
    segment->last_use = ++log->uses;
    if (!segment->mark)
        segment->mark = new_marks(segment);
    bool newest = segment == kl_seg_newest(log), is_open = segment->file != NULL;
    u64 sectors = newest ? log->written : segment->size / KL_SEG_SECTOR;
    kl_unlock(&log->mutex);
    kl_status status = is_open ? KL_OK : open_file(log, segment, report);
    if (status != KL_OK) {
        kl_seg_release(log, segment);
        return status;
    }
    *out = segment;
    *limit = sectors;
    return KL_OK;
}

void kl_seg_release(struct kl_seglog *log, struct kl_segment *segment)
{
    kl_lock(&log->mutex);
    bool last = --segment->users == 0 && segment->dropped;
    kl_unlock(&log->mutex);
    if (last)
        kl_seg_free(segment);
}
