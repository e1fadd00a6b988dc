/* Opening, and moving old versions from the tail to index files.  The log lies in `log` under the
 * history's folder, the index files in `index`. */
#include <stdio.h>
#include <stdlib.h>

#include "state/history_core_priv.h"

static kl_status join(char out[KL_PATH_MAX + 1], const kl_history_place *place, const char *name)
{
    const char *suffix = place->suffix ? place->suffix : "";
    int n = snprintf(out, KL_PATH_MAX + 1, "%s/%s%s", place->dir, name, suffix);
    return n > 0 && n <= KL_PATH_MAX ? KL_OK : KL_LIMIT;
}

static kl_status open_folders(struct kl_history *h, const kl_history_place *place)
{
    char log_dir[KL_PATH_MAX + 1];
    const char *dir = place->dir;
    KL_TRY(join(log_dir, place, "log"));
    KL_TRY(join(h->index_dir, place, "index"));
    char parent[KL_PATH_MAX + 1] = "";
    const char *slash = strrchr(dir, '/');
    if (slash)
        memcpy(parent, dir, (usize)(slash - dir));
    KL_TRY(kl_fs_make_dir(h->fs, dir));
    KL_TRY(kl_fs_make_dir(h->fs, h->index_dir));
    KL_TRY(kl_fs_sync_dir(h->fs, parent));
    KL_TRY(kl_fs_sync_dir(h->fs, dir));
    kl_seglog_config config = {.dir = log_dir, .segment_bytes = place->segment_bytes};
    kl_seglog_report report;
    return kl_seglog_open(&h->log, h->fs, &config, &report);
}

kl_status kl_history_open(struct kl_history **out, const kl_history_place *place, bool empty,
                          u64 version, u64 *oldest)
{
    struct kl_history *h = calloc(1, sizeof *h);
    if (!h)
        return KL_NOMEM;
    h->fs = place->fs;
    h->seal = KL_HISTORY_SEAL;
    kl_mutex_init(&h->lock);
    kl_htail_init(&h->tail, &h->lock);
    kl_buf_init(&h->part, KL_SEGLOG_RECORD_MAX);
    kl_status status = open_folders(h, place);
    if (status == KL_OK)
        status = kl_history_load(h, empty, version);
    h->settled = version;
    u64 found = 0;
    if (status == KL_OK)
        status = kl_history_oldest(h, version, &found);
    if (status != KL_OK) {
        kl_history_close(h);
        return status;
    }
    *oldest = found;
    *out = h;
    return KL_OK;
}

kl_status kl_history_add_file(struct kl_history *history, struct kl_hindex *file)
{
    if (history->file_count == history->file_cap) {
        usize cap = history->file_cap ? history->file_cap * 2 : 16;
        struct kl_hindex **files = calloc(cap, sizeof(struct kl_hindex *));
        if (!files)
            return KL_NOMEM;
        if (history->file_count)
            memcpy(files, history->files, history->file_count * sizeof(struct kl_hindex *));
        kl_lock(&history->lock);
        struct kl_hindex **old = history->files;
        history->files = files;
        history->file_cap = cap;
        kl_unlock(&history->lock);
        free(old);
    }
    kl_lock(&history->lock);
    history->files[history->file_count++] = file;
    kl_unlock(&history->lock);
    return KL_OK;
}

kl_status kl_history_drop_files(struct kl_history *history, usize from, usize end)
{
    for (; end > from; end--) {
        kl_lock(&history->lock);
        struct kl_hindex *file = history->files[from];
        usize behind = history->file_count - from - 1;
        memmove(&history->files[from], &history->files[from + 1],
                behind * sizeof(struct kl_hindex *));
        history->file_count--;
        kl_unlock(&history->lock);
        kl_status status = kl_fs_unlink(history->fs, file->path);
        kl_hindex_unref(file);
        KL_TRY(status);
    }
    return KL_OK;
}

/* The tail's versions below some one, for an index file. */
struct tail_source {
    struct kl_hsource source;
    const kl_hentry *entry;
    const u64 *seq;
};

static kl_status tail_entry(struct kl_hsource *source, kl_hentry *out)
{
    *out = *((struct tail_source *)source)->entry++;
    return KL_OK;
}

static kl_status tail_version(struct kl_hsource *source, u64 *seq)
{
    *seq = *((struct tail_source *)source)->seq++;
    return KL_OK;
}

static kl_status seal_below(struct kl_history *h, u64 end_version)
{
    const struct kl_htail *tail = &h->tail;
    usize count = end_version - tail->first_version;
    /* What lies between the file before and the tail does not count, and never will: the file
     * covers it, so that the next opening sees no gap. */
    u64 covered =
        h->file_count ? h->files[h->file_count - 1]->range.end_seq : kl_seglog_first(h->log);
    kl_hentries entries;
    KL_TRY(kl_htail_below(tail, end_version, &entries));
    kl_hrange range = {
        .first_seq = covered,
        .end_seq = count < tail->version_count ? tail->seqs[count] : kl_seglog_end(h->log),
        .first_version = tail->first_version,
        .version_count = count,
        .entry_count = entries.count,
    };
    struct tail_source source = {
        .source = {.entry = tail_entry, .version = tail_version},
        .entry = entries.entries,
        .seq = tail->seqs,
    };
    struct kl_hindex *file;
    kl_status status = kl_hindex_write(&file, h->fs, h->index_dir, &range, &source.source);
    free(entries.entries);
    KL_TRY(status);
    status = kl_history_add_file(h, file);
    if (status != KL_OK) {
        kl_hindex_unref(file);
        return status;
    }
    return kl_htail_drop_below(&h->tail, end_version);
}

/* Puts one file in the place of the last KL_HISTORY_MERGE. */
static kl_status merge_last(struct kl_history *h)
{
    usize from = h->file_count - KL_HISTORY_MERGE;
    struct kl_hindex *old[KL_HISTORY_MERGE], *merged;
    memcpy(old, h->files + from, sizeof old);
    KL_TRY(kl_hindex_merge(&merged, h->fs, h->index_dir, old, KL_HISTORY_MERGE));
    kl_lock(&h->lock);
    h->files[from] = merged;
    h->file_count = from + 1;
    kl_unlock(&h->lock);
    kl_status status = KL_OK;
    for (usize i = 0; i < KL_HISTORY_MERGE; i++) {
        kl_status unlinked = kl_fs_unlink(h->fs, old[i]->path);
        status = status == KL_OK ? unlinked : status;
        kl_hindex_unref(old[i]);
    }
    return status;
}

static bool can_merge(const struct kl_history *h)
{
    if (h->file_count < KL_HISTORY_MERGE)
        return false;
    const struct kl_hindex *last = h->files[h->file_count - 1];
    for (usize i = 2; i <= KL_HISTORY_MERGE; i++)
        if (h->files[h->file_count - i]->range.level != last->range.level)
            return false;
    return last->range.level < KL_HISTORY_LEVEL_MAX;
}

kl_status kl_history_seal(struct kl_history *history)
{
    const struct kl_htail *tail = &history->tail;
    if (history->file_count) {
        const struct kl_hindex *last = history->files[history->file_count - 1];
        KL_TRY(kl_htail_drop_below(&history->tail, kl_hindex_end_version(last)));
    }
    u64 end_version = KL_MIN(history->settled_before + 1, kl_htail_end_version(tail));
    if (kl_htail_entries(tail) < history->seal || tail->version_count == 0 ||
        end_version <= tail->first_version)
        return KL_OK;
    KL_TRY(seal_below(history, end_version));
    while (can_merge(history))
        KL_TRY(merge_last(history));
    return KL_OK;
}
