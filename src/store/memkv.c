/* The key-value interface over memtree: a list of versions from the oldest that is still read to
 * the newest.
 *
 *     oldest ─► … ─► newest        each: the roots of all tables, a count of snapshots, and the
 *                                  pieces of tree that it has and the version after it has not
 *
 * When the oldest version has no snapshot and is not the newest, nobody can reach those pieces any
 * more: they are freed with it. */
#include "store/memkv.h"

#include <stdlib.h>

#include "base/sync.h"
#include "store/memtree_priv.h"

struct version {
    struct version *next;
    struct kl_memtree_piece *garbage;
    usize snapshots;
    struct kl_memtree_node *root[KL_KV_TABLE_MAX];
};

struct memkv {
    struct kl_kv kv;
    usize table_count;
    _Atomic u64 bytes;
    kl_mutex writer; /* held by the write transaction */
    u64 changes;     /* change sets begun; under writer */
    kl_mutex mutex;  /* over what follows; held for a few instructions only */
    struct version *oldest, *newest;
};

struct memkv_read {
    struct kl_kv_read read;
    struct version *version;
};

struct memkv_write {
    struct kl_kv_write write;
    struct kl_memtree_change change;
    struct version *version; /* the one being made */
};

struct memkv_cursor {
    struct kl_kv_cursor cursor;
    struct kl_memtree_walk walk;
    const struct kl_memtree_node *root;
};

static struct memkv *memkv_of(struct kl_kv *kv)
{
    return (struct memkv *)kv;
}

/* Takes the versions that nobody can reach any more off the list; the mutex is held. */
static struct version *unread(struct memkv *m)
{
    struct version *first = m->oldest, *last = NULL;
    while (m->oldest != m->newest && m->oldest->snapshots == 0) {
        last = m->oldest;
        m->oldest = last->next;
    }
    if (!last)
        return NULL;
    last->next = NULL;
    return first;
}

static void free_versions(struct memkv *m, struct version *list)
{
    while (list) {
        struct version *next = list->next;
        kl_memtree_free_list(list->garbage, &m->bytes);
        free(list);
        list = next;
    }
}

static kl_status begin_read(struct kl_kv *kv, struct kl_kv_read **out)
{
    struct memkv *m = memkv_of(kv);
    struct memkv_read *r = malloc(sizeof *r);
    if (!r)
        return KL_NOMEM;
    r->read.kv = kv;
    kl_lock(&m->mutex);
    r->version = m->newest;
    r->version->snapshots++;
    kl_unlock(&m->mutex);
    *out = &r->read;
    return KL_OK;
}

static void end_read(struct kl_kv_read *read)
{
    struct memkv *m = memkv_of(read->kv);
    struct memkv_read *r = (struct memkv_read *)read;
    kl_lock(&m->mutex);
    r->version->snapshots--;
    struct version *gone = unread(m);
    kl_unlock(&m->mutex);
    free_versions(m, gone);
    free(r);
}

static kl_status get(struct kl_kv_read *read, kl_table table, kl_span key, kl_span *value)
{
    KL_ASSERT(table < memkv_of(read->kv)->table_count);
    const struct version *version = ((struct memkv_read *)read)->version;
    return kl_memtree_get(version->root[table], key, value) ? KL_OK : KL_NOTFOUND;
}

static kl_status cursor_open(struct kl_kv_read *read, kl_table table, struct kl_kv_cursor **out)
{
    KL_ASSERT(table < memkv_of(read->kv)->table_count);
    struct memkv_cursor *c = malloc(sizeof *c);
    if (!c)
        return KL_NOMEM;
    c->cursor = (struct kl_kv_cursor){.kv = read->kv, .table = table};
    c->root = ((struct memkv_read *)read)->version->root[table];
    kl_memtree_seek(&c->walk, c->root, KL_SPAN_NONE);
    *out = &c->cursor;
    return KL_OK;
}

static kl_status cursor_next(struct kl_kv_cursor *cursor, kl_span *k, kl_span *v)
{
    struct memkv_cursor *c = (struct memkv_cursor *)cursor;
    return kl_memtree_next(&c->walk, k, v) ? KL_OK : KL_NOTFOUND;
}

static kl_status cursor_seek(struct kl_kv_cursor *cursor, kl_span key, kl_span *k, kl_span *v)
{
    struct memkv_cursor *c = (struct memkv_cursor *)cursor;
    kl_memtree_seek(&c->walk, c->root, key);
    return cursor_next(cursor, k, v);
}

static void cursor_close(struct kl_kv_cursor *cursor)
{
    free(cursor);
}

static kl_status begin_write(struct kl_kv *kv, struct kl_kv_write **out)
{
    struct memkv *m = memkv_of(kv);
    struct memkv_write *w = malloc(sizeof *w);
    struct version *version = malloc(sizeof *version);
    if (!w || !version) {
        free(w);
        free(version);
        return KL_NOMEM;
    }
    kl_lock(&m->writer);
    kl_lock(&m->mutex);
    *version = *m->newest;
    kl_unlock(&m->mutex);
    version->next = NULL;
    version->garbage = NULL;
    version->snapshots = 0;
    *w = (struct memkv_write){
        .write.kv = kv,
        .change = {.number = ++m->changes, .bytes = &m->bytes},
        .version = version,
    };
    *out = &w->write;
    return KL_OK;
}

static kl_status reserve(struct kl_kv_write *write, kl_table table, kl_span key, usize value_len,
                         u8 **room)
{
    struct memkv_write *w = (struct memkv_write *)write;
    KL_ASSERT(table < memkv_of(write->kv)->table_count);
    return kl_memtree_reserve(&w->change, &w->version->root[table], key, value_len, room);
}

static kl_status del(struct kl_kv_write *write, kl_table table, kl_span key)
{
    struct memkv_write *w = (struct memkv_write *)write;
    KL_ASSERT(table < memkv_of(write->kv)->table_count);
    return kl_memtree_del(&w->change, &w->version->root[table], key);
}

static kl_status get_in_write(struct kl_kv_write *write, kl_table table, kl_span key,
                              kl_span *value)
{
    struct memkv_write *w = (struct memkv_write *)write;
    KL_ASSERT(table < memkv_of(write->kv)->table_count);
    return kl_memtree_get(w->version->root[table], key, value) ? KL_OK : KL_NOTFOUND;
}

static kl_status commit(struct kl_kv_write *write)
{
    struct memkv *m = memkv_of(write->kv);
    struct memkv_write *w = (struct memkv_write *)write;
    kl_memtree_keep(&w->change);
    kl_lock(&m->mutex);
    m->newest->garbage = w->change.old;
    m->newest->next = w->version;
    m->newest = w->version;
    struct version *gone = unread(m);
    kl_unlock(&m->mutex);
    kl_unlock(&m->writer);
    free_versions(m, gone);
    free(w);
    return KL_OK;
}

static void abort_write(struct kl_kv_write *write)
{
    struct memkv *m = memkv_of(write->kv);
    struct memkv_write *w = (struct memkv_write *)write;
    kl_memtree_undo(&w->change);
    kl_unlock(&m->writer);
    free(w->version);
    free(w);
}

static kl_status bytes_of(struct kl_kv *kv, u64 *out)
{
    *out = atomic_load_explicit(&memkv_of(kv)->bytes, memory_order_relaxed);
    return KL_OK;
}

static void close_kv(struct kl_kv *kv)
{
    struct memkv *m = memkv_of(kv);
    KL_ASSERT(m->oldest == m->newest && m->newest->snapshots == 0);
    for (usize i = 0; i < m->table_count; i++)
        kl_memtree_free(m->newest->root[i], &m->bytes);
    KL_ASSERT(atomic_load(&m->bytes) == 0);
    free(m->newest);
    kl_mutex_done(&m->mutex);
    kl_mutex_done(&m->writer);
    free(m);
}

static const struct kl_kv_ops memkv_ops = {
    .begin_read = begin_read,
    .end_read = end_read,
    .get = get,
    .cursor_open = cursor_open,
    .cursor_seek = cursor_seek,
    .cursor_next = cursor_next,
    .cursor_close = cursor_close,
    .begin_write = begin_write,
    .reserve = reserve,
    .del = del,
    .get_in_write = get_in_write,
    .commit = commit,
    .abort = abort_write,
    .bytes = bytes_of,
    .close = close_kv,
};

kl_status kl_memkv_open(struct kl_kv **out, usize table_count)
{
    KL_ASSERT(table_count >= 1 && table_count <= KL_KV_TABLE_MAX);
    struct memkv *m = calloc(1, sizeof *m);
    struct version *version = calloc(1, sizeof *version);
    if (!m || !version) {
        free(m);
        free(version);
        return KL_NOMEM;
    }
    m->kv.ops = &memkv_ops;
    m->table_count = table_count;
    m->oldest = m->newest = version;
    kl_mutex_init(&m->mutex);
    kl_mutex_init(&m->writer);
    *out = &m->kv;
    return KL_OK;
}
