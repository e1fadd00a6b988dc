/* The database as a stream of entries, out and in.  Loading writes in transactions of a few MiB;
 * the version comes with the last one, so that a database that was loaded in part counts as empty,
 * and what is in it is cleared before the next load. */
#include "state/transfer.h"

#include <stdlib.h>

#include "state/format_priv.h"
#include "state/state_priv.h"

enum { BATCH_BYTES = 4 << 20, BATCH_ENTRIES = 20000 };

static kl_status walk(struct kl_kv_read *read, kl_table table, struct kl_state_sink *sink)
{
    struct kl_kv_cursor *cursor;
    kl_span key, value;
    KL_TRY(kl_kv_cursor_open(read, table, &cursor));
    kl_status status = kl_kv_cursor_seek(cursor, KL_SPAN_NONE, &key, &value);
    while (status == KL_OK) {
        status = sink->entry(sink, table, key, value);
        if (status == KL_OK)
            status = kl_kv_cursor_next(cursor, &key, &value);
    }
    kl_kv_cursor_close(cursor);
    return status == KL_NOTFOUND ? KL_OK : status;
}

kl_status kl_state_export(struct kl_state *state, struct kl_state_sink *sink)
{
    struct kl_kv_read *read;
    KL_TRY(kl_kv_begin_read(state->kv, &read));
    kl_status status = KL_OK;
    for (kl_table table = 0; table < KL_TABLE_COUNT && status == KL_OK; table++)
        if (table != KL_TABLE_META)
            status = walk(read, table, sink);
    kl_kv_end_read(read);
    return status;
}

struct kl_state_loader {
    struct kl_kv *kv;
    struct kl_kv_write *write; /* NULL: none is open */
    usize bytes, entries;      /* in it */
};

static kl_status begin_batch(struct kl_state_loader *l)
{
    l->bytes = l->entries = 0;
    return l->write ? KL_OK : kl_kv_begin_write(l->kv, &l->write);
}

static kl_status end_batch(struct kl_state_loader *l)
{
    struct kl_kv_write *write = l->write;
    l->write = NULL;
    return write ? kl_kv_commit(write) : KL_OK;
}

static void drop_batch(struct kl_state_loader *l)
{
    kl_kv_abort(l->write);
    l->write = NULL;
}

/* Removes up to a batch of entries of a table; *more says that there may be others. */
static kl_status clear_some(struct kl_state_loader *l, kl_table table, bool *more)
{
    struct kl_kv_read *read;
    struct kl_kv_cursor *cursor;
    kl_span key, value;
    KL_TRY(kl_kv_begin_read(l->kv, &read));
    kl_status status = kl_kv_cursor_open(read, table, &cursor);
    if (status != KL_OK) {
        kl_kv_end_read(read);
        return status;
    }
    status = kl_kv_cursor_seek(cursor, KL_SPAN_NONE, &key, &value);
    while ((status == KL_OK || status == KL_CORRUPT) && l->entries < BATCH_ENTRIES) {
        l->entries++;
        status = kl_kv_del(l->write, table, key);
        if (status == KL_OK)
            status = kl_kv_cursor_next(cursor, &key, &value);
    }
    *more = status == KL_OK || status == KL_CORRUPT;
    kl_kv_cursor_close(cursor);
    kl_kv_end_read(read);
    return *more || status == KL_NOTFOUND ? KL_OK : status;
}

/* META goes first: from then on the database counts as empty. */
static kl_status clear(struct kl_state_loader *l)
{
    for (kl_table table = 0; table < KL_TABLE_COUNT; table++)
        for (bool more = true; more;) {
            KL_TRY(begin_batch(l));
            KL_TRY(clear_some(l, table, &more));
            KL_TRY(end_batch(l));
        }
    return KL_OK;
}

kl_status kl_state_load_begin(struct kl_state_loader **out, struct kl_kv *kv)
{
    struct kl_state_loader *l = calloc(1, sizeof *l);
    if (!l)
        return KL_NOMEM;
    l->kv = kv;
    kl_status status = clear(l);
    if (status != KL_OK) {
        kl_state_load_drop(l);
        return status;
    }
    *out = l;
    return KL_OK;
}

kl_status kl_state_load_put(struct kl_state_loader *loader, kl_table table, kl_span key,
                            kl_span value)
{
    KL_ASSERT(table < KL_TABLE_COUNT && table != KL_TABLE_META);
    if (!loader->write || loader->bytes > BATCH_BYTES || loader->entries > BATCH_ENTRIES) {
        KL_TRY(end_batch(loader));
        KL_TRY(begin_batch(loader));
    }
    loader->bytes += key.len + value.len;
    loader->entries++;
    return kl_kv_put(loader->write, table, key, value);
}

static kl_status put_version(struct kl_state_loader *l, u64 version)
{
    KL_TRY(end_batch(l));
    KL_TRY(begin_batch(l));
    KL_TRY(kl_state_put_tip(l->write, version, KL_SPAN_NONE));
    return end_batch(l);
}

kl_status kl_state_load_end(struct kl_state_loader *loader, u64 version)
{
    KL_ASSERT(version < UINT64_MAX);
    kl_status status = put_version(loader, version);
    kl_state_load_drop(loader);
    return status;
}

void kl_state_load_drop(struct kl_state_loader *loader)
{
    if (!loader)
        return;
    drop_batch(loader);
    free(loader);
}
