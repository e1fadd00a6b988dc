/* What the newest commit has overwritten is kept, so that it can be put back. */
#include "lab/statedb_priv.h"

#include <stdlib.h>

#include "base/buf.h"
#include "state/state.h"

/* One entry as it was: table 1 ‖ had 1 ‖ key length 4 ‖ value length 4 ‖ key ‖ value. */
struct kl_lab_statedb {
    struct kl_kv kv;
    struct kl_kv *inner;
    struct kl_buf undo, making; /* of the newest commit, of the one that is being made */
    bool stopped;
};

static struct kl_lab_statedb *db_of(struct kl_kv *kv)
{
    return (struct kl_lab_statedb *)kv;
}

/* Snapshots belong to the store below and bypass this one. */
static kl_status begin_read(struct kl_kv *kv, struct kl_kv_read **out)
{
    return kl_kv_begin_read(db_of(kv)->inner, out);
}

static kl_status begin_write(struct kl_kv *kv, struct kl_kv_write **out)
{
    KL_TRY(kl_kv_begin_write(db_of(kv)->inner, out));
    kl_buf_clear(&db_of(kv)->making);
    (*out)->kv = kv;
    return KL_OK;
}

static void note_old(struct kl_lab_statedb *db, struct kl_kv_write *write, kl_table table,
                     kl_span key)
{
    kl_span value = KL_SPAN_NONE;
    u8 head[10] = {table};
    head[1] = db->inner->ops->get_in_write(write, table, key, &value) == KL_OK;
    kl_store_be32(head + 2, (u32)key.len);
    kl_store_be32(head + 6, (u32)value.len);
    kl_buf_bytes(&db->making, head, sizeof head);
    kl_buf_span(&db->making, key);
    kl_buf_span(&db->making, value);
    KL_ASSERT(!db->making.failed);
}

static kl_status reserve(struct kl_kv_write *write, kl_table table, kl_span key, usize value_len,
                         u8 **room)
{
    struct kl_lab_statedb *db = db_of(write->kv);
    write->kv = db->inner;
    note_old(db, write, table, key);
    kl_status status = db->inner->ops->reserve(write, table, key, value_len, room);
    write->kv = &db->kv;
    return status;
}

static kl_status del(struct kl_kv_write *write, kl_table table, kl_span key)
{
    struct kl_lab_statedb *db = db_of(write->kv);
    write->kv = db->inner;
    note_old(db, write, table, key);
    kl_status status = db->inner->ops->del(write, table, key);
    write->kv = &db->kv;
    return status;
}

static kl_status get_in_write(struct kl_kv_write *write, kl_table table, kl_span key,
                              kl_span *value)
{
    struct kl_lab_statedb *db = db_of(write->kv);
    write->kv = db->inner;
    kl_status status = db->inner->ops->get_in_write(write, table, key, value);
    write->kv = &db->kv;
    return status;
}

static kl_status commit(struct kl_kv_write *write)
{
    struct kl_lab_statedb *db = db_of(write->kv);
    write->kv = db->inner;
    if (db->stopped) {
        kl_kv_abort(write);
        return KL_IO;
    }
    KL_TRY(kl_kv_commit(write));
    struct kl_buf old = db->undo;
    db->undo = db->making;
    db->making = old;
    return KL_OK;
}

static void abort_write(struct kl_kv_write *write)
{
    write->kv = db_of(write->kv)->inner;
    kl_kv_abort(write);
}

static kl_status bytes_of(struct kl_kv *kv, u64 *out)
{
    return kl_kv_bytes(db_of(kv)->inner, out);
}

/* The machine's database outlives whoever opens it. */
static void close_kv(KL_UNUSED struct kl_kv *kv)
{
}

static const struct kl_kv_ops statedb_ops = {
    .begin_read = begin_read,
    .begin_write = begin_write,
    .reserve = reserve,
    .del = del,
    .get_in_write = get_in_write,
    .commit = commit,
    .abort = abort_write,
    .bytes = bytes_of,
    .close = close_kv,
};

struct kl_lab_statedb *kl_lab_statedb_new(void)
{
    struct kl_lab_statedb *db = calloc(1, sizeof *db);
    KL_ASSERT(db);
    db->kv.ops = &statedb_ops;
    KL_ASSERT(kl_memkv_open(&db->inner, KL_TABLE_COUNT) == KL_OK);
    kl_buf_init(&db->undo, SIZE_MAX);
    kl_buf_init(&db->making, SIZE_MAX);
    return db;
}

void kl_lab_statedb_free(struct kl_lab_statedb *db)
{
    if (!db)
        return;
    kl_kv_close(db->inner);
    kl_buf_done(&db->undo);
    kl_buf_done(&db->making);
    free(db);
}

struct kl_kv *kl_lab_statedb_kv(struct kl_lab_statedb *db)
{
    return &db->kv;
}

void kl_lab_statedb_stop(struct kl_lab_statedb *db)
{
    db->stopped = true;
}

/* Puts the entries back, the last change first. */
static void undo_newest(struct kl_lab_statedb *db)
{
    struct kl_kv_write *write;
    usize *at = NULL, count = 0, cap = 0;
    const u8 *p = db->undo.p;
    for (usize i = 0; i < db->undo.len;
         i += 10 + kl_load_be32(p + i + 2) + (usize)kl_load_be32(p + i + 6)) {
        if (count == cap) {
            cap = cap ? 2 * cap : 64;
            at = realloc(at, cap * sizeof *at);
            KL_ASSERT(at);
        }
        at[count++] = i;
    }
    KL_ASSERT(kl_kv_begin_write(db->inner, &write) == KL_OK);
    while (count) {
        const u8 *entry = p + at[--count];
        kl_span key = kl_span_of(entry + 10, kl_load_be32(entry + 2));
        usize len = kl_load_be32(entry + 6);
        u8 *room;
        if (!entry[1]) {
            KL_ASSERT(db->inner->ops->del(write, entry[0], key) == KL_OK);
            continue;
        }
        KL_ASSERT(db->inner->ops->reserve(write, entry[0], key, len, &room) == KL_OK);
        memcpy(room, key.p + key.len, len);
    }
    KL_ASSERT(kl_kv_commit(write) == KL_OK);
    free(at);
}

void kl_lab_statedb_restart(struct kl_lab_statedb *db, bool loses_newest)
{
    db->stopped = false;
    if (loses_newest && db->undo.len)
        undo_newest(db);
    kl_buf_clear(&db->undo);
}
