/* Opening.  Index files are taken as long as they lead without a gap from the log's first record to
 * versions that the database has; what lies behind them is read record by record into the tail.
 *
 * Which records count: of a version that stands in the log more than once the last one, because it
 * was written again after a crash before the database's commit; and with it nothing that was
 * written for later versions before it.  Versions above the database's do not count.  Where a
 * version is missing all before it is out of reach and forgotten. */
#include <stdio.h>
#include <stdlib.h>

#include "state/history_core_priv.h"

struct listing {
    struct kl_history *history;
    kl_status status;
    char useless[KL_PATH_MAX + 1]; /* a damaged file, to be removed; "": none */
};

static bool is_index_name(const char *name)
{
    usize len = strlen(name);
    return len > 4 && strcmp(name + len - 4, ".idx") == 0;
}

static kl_status look_at(struct listing *l, const char *name)
{
    struct kl_history *h = l->history;
    if (!is_index_name(name))
        return KL_OK;
    struct kl_hindex *file;
    kl_status status = kl_hindex_open(&file, h->fs, h->index_dir, name);
    if (status == KL_CORRUPT) {
        int n = snprintf(l->useless, sizeof l->useless, "%s/%s", h->index_dir, name);
        return n > 0 && n <= KL_PATH_MAX ? KL_OK : KL_LIMIT;
    }
    KL_TRY(status);
    status = kl_history_add_file(h, file);
    if (status != KL_OK)
        kl_hindex_unref(file);
    return status;
}

static void each_name(void *ctx, const char *name)
{
    struct listing *l = ctx;
    if (l->status == KL_OK && !l->useless[0])
        l->status = look_at(l, name);
}

static void forget_files(struct kl_history *h)
{
    for (usize i = 0; i < h->file_count; i++)
        kl_hindex_unref(h->files[i]);
    h->file_count = 0;
}

/* All index files that can be read; damaged ones are removed. */
static kl_status list_files(struct kl_history *h)
{
    for (;;) {
        struct listing l = {.history = h};
        forget_files(h);
        KL_TRY(kl_fs_list(h->fs, h->index_dir, each_name, &l));
        KL_TRY(l.status);
        if (!l.useless[0])
            return KL_OK;
        KL_TRY(kl_fs_unlink(h->fs, l.useless));
    }
}

/* By where they begin; of those that begin together the longest first. */
static int cmp_files(const void *a, const void *b)
{
    const kl_hrange *x = &(*(struct kl_hindex *const *)a)->range;
    const kl_hrange *y = &(*(struct kl_hindex *const *)b)->range;
    if (x->first_seq != y->first_seq)
        return x->first_seq < y->first_seq ? -1 : 1;
    return (x->end_seq < y->end_seq) - (x->end_seq > y->end_seq);
}

static bool follows(const struct kl_hindex *before, const struct kl_hindex *file, u64 first_seq)
{
    if (!before)
        return file->range.first_seq <= first_seq && file->range.end_seq > first_seq;
    return file->range.first_seq == before->range.end_seq &&
           file->range.first_version == kl_hindex_end_version(before);
}

/* Keeps the files that lead from the log's first record on; *next is where they end. */
static kl_status choose_files(struct kl_history *h, bool empty, u64 version, u64 *next)
{
    u64 first_seq = kl_seglog_first(h->log), end_seq = kl_seglog_end(h->log);
    if (h->file_count)
        qsort(h->files, h->file_count, sizeof(struct kl_hindex *), cmp_files);
    usize kept = 0;
    for (usize i = 0; i < h->file_count && !empty; i++) {
        struct kl_hindex *file = h->files[i];
        bool usable = kl_hindex_end_version(file) <= version + 1 && file->range.end_seq <= end_seq;
        if (!usable || !follows(kept ? h->files[kept - 1] : NULL, file, first_seq))
            continue;
        h->files[i] = h->files[kept];
        h->files[kept++] = file;
    }
    *next = kept ? h->files[kept - 1]->range.end_seq : first_seq;
    return kl_history_drop_files(h, kept, h->file_count);
}

/* What reading the tail has come to. */
struct tail_load {
    struct kl_history *history;
    u64 version; /* the database's */
    u64 first;   /* of seqs[0] */
    u64 *seqs;
    usize count, cap;
    kl_hentries entries;
    usize entry_cap;

    bool inside; /* a version of which not all parts have been seen */
    u64 inside_version, inside_seq;
    u32 next_part;
    usize inside_entries; /* where its entries begin */
};

static kl_status push_entry(struct tail_load *t, const kl_hentry *entry)
{
    if (t->entries.count == t->entry_cap) {
        usize cap = t->entry_cap ? t->entry_cap * 2 : 1024;
        kl_hentry *entries = realloc(t->entries.entries, cap * sizeof *entries);
        if (!entries)
            return KL_NOMEM;
        t->entries.entries = entries;
        t->entry_cap = cap;
    }
    t->entries.entries[t->entries.count++] = *entry;
    return KL_OK;
}

static kl_status push_version(struct tail_load *t)
{
    if (t->count == t->cap) {
        usize cap = t->cap ? t->cap * 2 : 256;
        u64 *seqs = realloc(t->seqs, cap * sizeof *seqs);
        if (!seqs)
            return KL_NOMEM;
        t->seqs = seqs;
        t->cap = cap;
    }
    if (t->count == 0)
        t->first = t->inside_version;
    t->seqs[t->count++] = t->inside_seq;
    return KL_OK;
}

static void abandon(struct tail_load *t)
{
    if (t->inside)
        t->entries.count = t->inside_entries;
    t->inside = false;
}

/* Takes versions from `version` on back; entries are in order of versions. */
static void take_back(struct tail_load *t, u64 version)
{
    if (t->count && version < t->first + t->count)
        t->count = version > t->first ? version - t->first : 0;
    while (t->entries.count && t->entries.entries[t->entries.count - 1].version >= version)
        t->entries.count--;
}

/* The version that would follow what is known so far; false when nothing is. */
static bool expected(const struct tail_load *t, u64 *version)
{
    const struct kl_history *h = t->history;
    if (t->count)
        *version = t->first + t->count;
    else if (h->file_count)
        *version = kl_hindex_end_version(h->files[h->file_count - 1]);
    return t->count || h->file_count;
}

static kl_status begin_version(struct tail_load *t, u64 version, u64 seq)
{
    abandon(t);
    if (version > t->version)
        return KL_OK;
    take_back(t, version);
    u64 next;
    if (expected(t, &next) && next != version) {
        t->count = 0;
        t->entries.count = 0;
        KL_TRY(kl_history_drop_files(t->history, 0, t->history->file_count));
    }
    t->inside = true;
    t->inside_version = version;
    t->inside_seq = seq;
    t->next_part = 0;
    t->inside_entries = t->entries.count;
    return KL_OK;
}

static kl_status load_part(struct tail_load *t, const kl_history_part *part, u64 seq)
{
    if (part->part == 0)
        KL_TRY(begin_version(t, part->version, seq));
    if (!t->inside)
        return KL_OK;
    if (part->version != t->inside_version || part->part != t->next_part) {
        abandon(t);
        return KL_OK;
    }
    t->next_part++;
    kl_span rest = part->entries;
    kl_old old;
    kl_status status;
    while ((status = kl_history_part_next(&rest, &old)) == KL_OK) {
        kl_hentry entry = {kl_history_hash(old.table, old.key), part->version, seq};
        KL_TRY(push_entry(t, &entry));
    }
    if (status != KL_NOTFOUND)
        return status;
    if (part->last) {
        KL_TRY(push_version(t));
        t->inside = false;
    }
    return KL_OK;
}

static kl_status read_records(struct tail_load *t, u64 seq, struct kl_arena *arena)
{
    for (; seq < kl_seglog_end(t->history->log); seq++) {
        kl_record record;
        kl_history_part part;
        kl_arena_reset(arena, SIZE_MAX);
        KL_TRY(kl_seglog_read(t->history->log, seq, arena, &record, NULL));
        if (record.kind != KL_HISTORY_KIND)
            return KL_CORRUPT;
        KL_TRY(kl_history_part_read(&part, record.payload));
        KL_TRY(load_part(t, &part, seq));
    }
    abandon(t);
    return KL_OK;
}

/* Nothing reaches the database's version: nothing can be read. */
static kl_status start_over(struct kl_history *h)
{
    KL_TRY(kl_history_drop_files(h, 0, h->file_count));
    return kl_seglog_drop(h->log, kl_seglog_end(h->log));
}

static kl_status fill_tail(struct tail_load *t)
{
    struct kl_history *h = t->history;
    u64 next;
    if (!expected(t, &next) || next != t->version + 1)
        return start_over(h);
    if (t->count == 0)
        return KL_OK;
    kl_hentries entries = t->entries;
    t->entries = (kl_hentries){0};
    return kl_htail_add(&h->tail, t->first, t->seqs, t->count, entries);
}

kl_status kl_history_load(struct kl_history *history, bool empty, u64 version)
{
    u64 next;
    KL_TRY(list_files(history));
    KL_TRY(choose_files(history, empty, version, &next));
    if (empty)
        return start_over(history);
    struct tail_load t = {.history = history, .version = version};
    struct kl_arena arena;
    kl_arena_init(&arena, 2 * (usize)KL_SEGLOG_RECORD_MAX);
    kl_status status = read_records(&t, next, &arena);
    kl_arena_done(&arena);
    if (status == KL_OK)
        status = fill_tail(&t);
    free(t.seqs);
    free(t.entries.entries);
    return status;
}
