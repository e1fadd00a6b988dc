/* Three stages: a batch (added, not synced: nobody finds it), the tail (in memory,
 * history_tail_priv.h) and index files (history_index_priv.h).
 *
 * The newest commit of the database may be lost in a power cut, an older one never.  So versions
 * move to files only when a later commit has settled too: what a file says then stays true, and no
 * later record can stand for a version it covers. */
#include "state/history_priv.h"

#include <stdlib.h>

#include "state/history_core_priv.h"

enum { ARENA_KEEP = 64 * 1024, ARENA_RESET = 1 << 20 };

void kl_history_reader_init(struct kl_history_reader *reader)
{
    *reader = (struct kl_history_reader){0};
    kl_arena_init(&reader->arena, 4 * (usize)KL_SEGLOG_RECORD_MAX);
}

void kl_history_reader_reset(struct kl_history_reader *reader)
{
    if (reader->arena.held)
        kl_arena_reset(&reader->arena, ARENA_KEEP);
    memset(reader->seqs, 0, sizeof reader->seqs);
}

void kl_history_reader_done(struct kl_history_reader *reader)
{
    kl_arena_done(&reader->arena);
}

static void batch_clear(struct kl_history_batch *batch)
{
    free(batch->entries.entries);
    batch->entries = (kl_hentries){0};
    batch->entry_cap = 0;
    batch->version_count = 0;
    batch->synced = false;
}

void kl_history_close(struct kl_history *history)
{
    if (!history)
        return;
    batch_clear(&history->batch);
    free(history->batch.seqs);
    kl_htail_done(&history->tail);
    for (usize i = 0; i < history->file_count; i++)
        kl_hindex_unref(history->files[i]);
    free(history->files);
    kl_buf_done(&history->part);
    kl_seglog_close(history->log);
    kl_mutex_done(&history->lock);
    free(history);
}

static kl_status batch_entry(struct kl_history_batch *batch, const kl_hentry *entry)
{
    if (batch->entries.count == batch->entry_cap) {
        usize cap = batch->entry_cap ? batch->entry_cap * 2 : 256;
        kl_hentry *entries = realloc(batch->entries.entries, cap * sizeof *entries);
        if (!entries)
            return KL_NOMEM;
        batch->entries.entries = entries;
        batch->entry_cap = cap;
    }
    batch->entries.entries[batch->entries.count++] = *entry;
    return KL_OK;
}

static kl_status batch_version(struct kl_history_batch *batch, u64 version, u64 seq)
{
    KL_ASSERT(batch->version_count == 0 || version == batch->first_version + batch->version_count);
    if (batch->version_count == batch->version_cap) {
        usize cap = batch->version_cap ? batch->version_cap * 2 : 64;
        u64 *seqs = realloc(batch->seqs, cap * sizeof *seqs);
        if (!seqs)
            return KL_NOMEM;
        batch->seqs = seqs;
        batch->version_cap = cap;
    }
    if (batch->version_count == 0)
        batch->first_version = version;
    batch->seqs[batch->version_count++] = seq;
    return KL_OK;
}

static kl_status append_part(struct kl_history *h, bool last)
{
    kl_history_part_end(&h->part, last);
    if (h->part.failed)
        return KL_NOMEM;
    kl_span payload = kl_buf_view(&h->part);
    u64 seq;
    return kl_seglog_append(h->log, KL_HISTORY_KIND, &payload, 1, &seq);
}

kl_status kl_history_add(struct kl_history *history, u64 version, const kl_old *olds, usize count)
{
    struct kl_history_batch *batch = &history->batch;
    KL_ASSERT(!batch->synced);
    u64 seq = kl_seglog_end(history->log);
    KL_TRY(batch_version(batch, version, seq));
    u32 part = 0;
    kl_history_part_begin(&history->part, version, part);
    for (usize i = 0; i < count; i++) {
        kl_hentry entry = {kl_history_hash(olds[i].table, olds[i].key), version, seq + part};
        KL_TRY(batch_entry(batch, &entry));
        kl_history_part_add(&history->part, &olds[i]);
        if (history->part.len >= KL_HISTORY_PART && i + 1 < count) {
            KL_TRY(append_part(history, false));
            kl_history_part_begin(&history->part, version, ++part);
        }
    }
    return append_part(history, true);
}

kl_status kl_history_sync(struct kl_history *history)
{
    struct kl_history_batch *batch = &history->batch;
    if (batch->version_count == 0)
        return KL_OK;
    KL_TRY(kl_seglog_write(history->log));
    KL_TRY(kl_seglog_sync(history->log));
    kl_hentries entries = batch->entries;
    batch->entries = (kl_hentries){0};
    batch->entry_cap = 0;
    KL_TRY(kl_htail_add(&history->tail, batch->first_version, batch->seqs, batch->version_count,
                        entries));
    batch->synced = true;
    return KL_OK;
}

void kl_history_settle(struct kl_history *history)
{
    struct kl_history_batch *batch = &history->batch;
    if (batch->version_count) {
        history->settled_before = history->settled;
        history->settled = batch->first_version + batch->version_count - 1;
        kl_htail_merge(&history->tail);
    }
    batch_clear(batch);
}

void kl_history_forget(struct kl_history *history)
{
    if (history->batch.synced)
        kl_htail_pop(&history->tail, history->batch.version_count);
    batch_clear(&history->batch);
}

/* The file that covers version, or the first after it, with a reference; NULL for the tail.  The
 * lock is held. */
static struct kl_hindex *file_from(struct kl_history *h, u64 version)
{
    usize low = 0, high = h->file_count;
    while (low < high) {
        usize middle = low + (high - low) / 2;
        if (kl_hindex_end_version(h->files[middle]) <= version)
            low = middle + 1;
        else
            high = middle;
    }
    return low < h->file_count ? kl_hindex_ref(h->files[low]) : NULL;
}

/* The first entry not before *from with its hash, of all files and the tail. */
static kl_status next_entry(struct kl_history *h, kl_hentry from, u64 upto, kl_hentry *out)
{
    while (from.version <= upto) {
        kl_lock(&h->lock);
        struct kl_hindex *file = file_from(h, from.version);
        bool found = !file && kl_htail_find(&h->tail, &from, out);
        kl_unlock(&h->lock);
        if (!file)
            return found && out->version <= upto ? KL_OK : KL_NOTFOUND;
        kl_status status = kl_hindex_find(file, &from, out);
        from.version = kl_hindex_end_version(file);
        from.seq = 0;
        kl_hindex_unref(file);
        if (status == KL_OK)
            return out->version <= upto ? KL_OK : KL_NOTFOUND;
        if (status != KL_NOTFOUND)
            return status;
    }
    return KL_NOTFOUND;
}

/* A record of the history that must be there. */
static kl_status read_part(struct kl_history *h, u64 seq, struct kl_arena *arena, kl_span *payload)
{
    kl_record record;
    kl_status status = kl_seglog_read(h->log, seq, arena, &record, NULL);
    if (status != KL_OK)
        return status == KL_NOTFOUND ? KL_CORRUPT : status;
    *payload = record.payload;
    return record.kind == KL_HISTORY_KIND ? KL_OK : KL_CORRUPT;
}

/* The same, from the reader's hand when it is there. */
static kl_status take_part(struct kl_history *h, struct kl_history_reader *reader, u64 seq,
                           kl_span *payload)
{
    for (usize i = 0; i < KL_HISTORY_IN_HAND; i++)
        if (reader->seqs[i] == seq + 1) {
            *payload = reader->payloads[i];
            return KL_OK;
        }
    if (reader->arena.used > ARENA_RESET)
        kl_history_reader_reset(reader);
    usize turn = reader->turn++ % KL_HISTORY_IN_HAND;
    reader->seqs[turn] = 0;
    KL_TRY(read_part(h, seq, &reader->arena, &reader->payloads[turn]));
    reader->seqs[turn] = seq + 1;
    *payload = reader->payloads[turn];
    return KL_OK;
}

/* Looks for a key in one part; KL_NOTFOUND. */
static kl_status find_in_part(kl_span payload, u64 version, kl_table table, kl_span key,
                              kl_old *out)
{
    kl_history_part part;
    KL_TRY(kl_history_part_read(&part, payload));
    if (part.version != version)
        return KL_CORRUPT;
    for (;;) {
        kl_old old;
        KL_TRY(kl_history_part_next(&part.entries, &old));
        if (old.table == table && kl_span_eq(old.key, key)) {
            *out = old;
            return KL_OK;
        }
    }
}

kl_status kl_history_find(struct kl_history *history, struct kl_history_reader *reader,
                          kl_table table, kl_span key, u64 after, u64 upto, bool *found,
                          kl_old *out)
{
    kl_hentry from = {kl_history_hash(table, key), after + 1, 0};
    for (;;) {
        kl_hentry entry;
        kl_status status = next_entry(history, from, upto, &entry);
        if (status == KL_NOTFOUND) {
            *found = false;
            return KL_OK;
        }
        KL_TRY(status);
        kl_span payload;
        KL_TRY(take_part(history, reader, entry.seq, &payload));
        status = find_in_part(payload, entry.version, table, key, out);
        if (status == KL_OK) {
            *found = true;
            return KL_OK;
        }
        if (status != KL_NOTFOUND)
            return status;
        from = entry; /* another key with this hash; its sequence numbers are far below the limit */
        from.seq++;
    }
}

/* The first record of a version. */
static kl_status seq_of(struct kl_history *h, u64 version, u64 *seq)
{
    kl_lock(&h->lock);
    struct kl_hindex *file = file_from(h, version);
    const struct kl_htail *tail = &h->tail;
    bool in_tail = !file && version - tail->first_version < tail->version_count;
    if (in_tail)
        *seq = tail->seqs[version - tail->first_version];
    kl_unlock(&h->lock);
    if (!file)
        return in_tail ? KL_OK : KL_NOTFOUND;
    kl_status status =
        version < file->range.first_version ? KL_NOTFOUND : kl_hindex_seq_of(file, version, seq);
    kl_hindex_unref(file);
    return status;
}

static kl_status walk_parts(struct kl_history *h, u64 version, struct kl_arena *arena,
                            kl_status (*each)(void *ctx, const kl_old *old), void *ctx)
{
    u64 seq;
    KL_TRY(seq_of(h, version, &seq));
    if (seq < kl_seglog_first(h->log))
        return KL_NOTFOUND;
    kl_history_part part = {0};
    for (u32 i = 0; !part.last; i++) {
        kl_span payload;
        kl_arena_reset(arena, ARENA_RESET);
        KL_TRY(read_part(h, seq + i, arena, &payload));
        KL_TRY(kl_history_part_read(&part, payload));
        if (part.version != version || part.part != i)
            return KL_CORRUPT;
        kl_old old;
        kl_status status;
        while ((status = kl_history_part_next(&part.entries, &old)) == KL_OK)
            KL_TRY(each(ctx, &old));
        if (status != KL_NOTFOUND)
            return status;
    }
    return KL_OK;
}

kl_status kl_history_walk(struct kl_history *history, u64 version,
                          kl_status (*each)(void *ctx, const kl_old *old), void *ctx)
{
    struct kl_arena arena;
    kl_arena_init(&arena, 2 * (usize)KL_SEGLOG_RECORD_MAX);
    kl_status status = walk_parts(history, version, &arena, each, ctx);
    kl_arena_done(&arena);
    return status;
}

/* The versions that files and tail cover. */
static void covered(const struct kl_history *h, u64 *first, u64 *end)
{
    usize files = h->file_count;
    bool in_tail = h->tail.version_count > 0;
    *first = files ? h->files[0]->range.first_version : h->tail.first_version;
    *end = in_tail || !files ? kl_htail_end_version(&h->tail)
                             : kl_hindex_end_version(h->files[files - 1]);
}

kl_status kl_history_oldest(struct kl_history *history, u64 version, u64 *oldest)
{
    u64 low, high, first_seq = kl_seglog_first(history->log);
    covered(history, &low, &high);
    while (low < high) {
        u64 middle = low + (high - low) / 2, seq;
        KL_TRY(seq_of(history, middle, &seq));
        if (seq < first_seq)
            low = middle + 1;
        else
            high = middle;
    }
    KL_ASSERT(low <= version + 1);
    *oldest = low > 0 ? low - 1 : version;
    return KL_OK;
}

/* Drops files that lie wholly below the log, and versions of the tail. */
static kl_status drop_dead(struct kl_history *h, u64 oldest)
{
    usize dead = 0;
    while (dead < h->file_count && h->files[dead]->range.end_seq <= kl_seglog_first(h->log))
        dead++;
    KL_TRY(kl_history_drop_files(h, 0, dead));
    return h->file_count ? KL_OK : kl_htail_drop_below(&h->tail, oldest + 1);
}

kl_status kl_history_prune(struct kl_history *history, u64 version)
{
    u64 first, end, oldest, seq = kl_seglog_end(history->log);
    covered(history, &first, &end);
    if (version + 1 < end)
        KL_TRY(seq_of(history, KL_MAX(version + 1, first), &seq));
    KL_TRY(kl_seglog_drop(history->log, seq));
    KL_TRY(kl_history_oldest(history, history->settled, &oldest));
    return drop_dead(history, oldest);
}
