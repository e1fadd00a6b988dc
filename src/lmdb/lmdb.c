/* The key-value interface over liblmdb.
 *
 * Snapshots are read transactions, which cost a system-wide slot and memory to make; ended ones are
 * reset and kept, and renewing one takes well below a microsecond.  With MDB_NOTLS a transaction
 * belongs to its object and not to a thread.
 *
 * The main database of the environment holds the tables by name and one key of ours, by which an
 * environment of somebody else is told apart. */
#include "lmdb/lmdb.h"

#include <errno.h>
#include <limits.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/sync.h"

static const char mark_key[] = "keel", mark_value[] = "kv 1";

enum { FILE_MODE = 0600, PAGE = 4096, ROOM_BLOCKS = 64 };

/* This thread is inside liblmdb; read by a signal handler on the same thread. */
static _Thread_local volatile bool inside;

struct store {
    struct kl_kv kv;
    MDB_env *env;
    uintptr_t map_start, map_end;
    MDB_dbi table[KL_KV_TABLE_MAX];
    usize tables;
    u64 read_limit_ns;
    struct kl_clock *clock;
    void (*synced)(void *ctx);
    void *synced_ctx;
    kl_mutex mutex; /* over what follows */
    struct snapshot *idle;
    usize snapshots; /* in use */
};

struct snapshot {
    struct kl_kv_read read;
    MDB_txn *txn;
    u64 begun_ns;
    struct snapshot *next; /* while idle */
};

struct change {
    struct kl_kv_write write;
    MDB_txn *txn;
};

struct walk {
    struct kl_kv_cursor cursor;
    const struct snapshot *snapshot;
    MDB_cursor *mdb;
    bool placed, ended;
};

static void enter(void)
{
    inside = true;
}

/* Passes on what the call returned. */
static int left(int error)
{
    inside = false;
    return error;
}

static struct store *store_of(struct kl_kv *kv)
{
    return (struct store *)kv;
}

static kl_status status_of(int error)
{
    switch (error) {
    case MDB_SUCCESS:
        return KL_OK;
    case MDB_NOTFOUND:
        return KL_NOTFOUND;
    case MDB_MAP_FULL:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return KL_FULL;
    case EACCES:
    case EPERM:
    case EROFS:
        return KL_DENIED;
    case MDB_READERS_FULL:
        return KL_LIMIT;
    case ENOMEM:
        return KL_NOMEM;
    case MDB_INVALID:
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_VERSION_MISMATCH:
    case MDB_INCOMPATIBLE:
    case MDB_CURSOR_FULL:
    case MDB_PAGE_FULL:
        return KL_CORRUPT;
    case ENOENT:
        return KL_NOTFOUND;
    default: /* errno, which is not an enum of ours */
        return KL_IO;
    }
}

static MDB_val val_of(kl_span s)
{
    union {
        const void *in;
        void *out;
    } p = {.in = s.p};
    return (MDB_val){.mv_size = s.len, .mv_data = p.out};
}

static kl_span span_of(MDB_val v)
{
    return kl_span_of(v.mv_data, v.mv_size);
}

/* An ended snapshot to be used again, or a fresh one without a transaction. */
static struct snapshot *take_idle(struct store *s)
{
    kl_lock(&s->mutex);
    struct snapshot *snapshot = s->idle;
    if (snapshot)
        s->idle = snapshot->next;
    s->snapshots++;
    kl_unlock(&s->mutex);
    return snapshot ? snapshot : calloc(1, sizeof *snapshot);
}

static void give_back(struct store *s, struct snapshot *snapshot)
{
    kl_lock(&s->mutex);
    s->snapshots--;
    if (snapshot && snapshot->txn) {
        snapshot->next = s->idle;
        s->idle = snapshot;
        snapshot = NULL;
    }
    kl_unlock(&s->mutex);
    free(snapshot);
}

static kl_status begin_read(struct kl_kv *kv, struct kl_kv_read **out)
{
    struct store *s = store_of(kv);
    struct snapshot *snapshot = take_idle(s);
    if (!snapshot) {
        give_back(s, NULL);
        return KL_NOMEM;
    }
    snapshot->read.kv = kv;
    enter();
    int error = left(snapshot->txn ? mdb_txn_renew(snapshot->txn)
                                   : mdb_txn_begin(s->env, NULL, MDB_RDONLY, &snapshot->txn));
    if (error) {
        give_back(s, snapshot);
        return status_of(error);
    }
    snapshot->begun_ns = s->read_limit_ns ? kl_mono_ns(s->clock) : 0;
    *out = &snapshot->read;
    return KL_OK;
}

static void end_read(struct kl_kv_read *read)
{
    struct snapshot *snapshot = (struct snapshot *)read;
    mdb_txn_reset(snapshot->txn);
    give_back(store_of(read->kv), snapshot);
}

static kl_status check_age(const struct snapshot *snapshot)
{
    struct store *s = store_of(snapshot->read.kv);
    if (s->read_limit_ns && kl_mono_ns(s->clock) - snapshot->begun_ns > s->read_limit_ns)
        return KL_TIMEOUT;
    return KL_OK;
}

static MDB_dbi table_of(struct kl_kv *kv, kl_table table)
{
    const struct store *s = store_of(kv);
    KL_ASSERT(table < s->tables);
    return s->table[table];
}

static kl_status get_value(MDB_txn *txn, MDB_dbi table, kl_span key, kl_span *value)
{
    MDB_val k = val_of(key), v;
    enter();
    int error = left(mdb_get(txn, table, &k, &v));
    if (error)
        return status_of(error);
    *value = span_of(v);
    return KL_OK;
}

static kl_status get(struct kl_kv_read *read, kl_table table, kl_span key, kl_span *value)
{
    const struct snapshot *snapshot = (struct snapshot *)read;
    KL_TRY(check_age(snapshot));
    return get_value(snapshot->txn, table_of(read->kv, table), key, value);
}

static kl_status cursor_open(struct kl_kv_read *read, kl_table table, struct kl_kv_cursor **out)
{
    const struct snapshot *snapshot = (struct snapshot *)read;
    KL_TRY(check_age(snapshot));
    struct walk *w = calloc(1, sizeof *w);
    if (!w)
        return KL_NOMEM;
    enter();
    int error = left(mdb_cursor_open(snapshot->txn, table_of(read->kv, table), &w->mdb));
    if (error) {
        free(w);
        return status_of(error);
    }
    w->cursor = (struct kl_kv_cursor){.kv = read->kv, .table = table};
    w->snapshot = snapshot;
    *out = &w->cursor;
    return KL_OK;
}

static kl_status step(struct walk *w, MDB_cursor_op op, MDB_val key, kl_span *k, kl_span *v)
{
    MDB_val value;
    KL_TRY(check_age(w->snapshot));
    enter();
    int error = left(mdb_cursor_get(w->mdb, &key, &value, op));
    w->placed = true;
    w->ended = error == MDB_NOTFOUND;
    if (error)
        return status_of(error);
    *k = span_of(key);
    *v = span_of(value);
    return KL_OK;
}

/* LMDB has no empty key. */
static kl_status cursor_seek(struct kl_kv_cursor *cursor, kl_span key, kl_span *k, kl_span *v)
{
    struct walk *w = (struct walk *)cursor;
    return step(w, key.len ? MDB_SET_RANGE : MDB_FIRST, val_of(key), k, v);
}

static kl_status cursor_next(struct kl_kv_cursor *cursor, kl_span *k, kl_span *v)
{
    struct walk *w = (struct walk *)cursor;
    if (w->ended)
        return KL_NOTFOUND;
    return step(w, w->placed ? MDB_NEXT : MDB_FIRST, (MDB_val){0}, k, v);
}

static void cursor_close(struct kl_kv_cursor *cursor)
{
    struct walk *w = (struct walk *)cursor;
    mdb_cursor_close(w->mdb);
    free(w);
}

static kl_status begin_write(struct kl_kv *kv, struct kl_kv_write **out)
{
    struct change *c = calloc(1, sizeof *c);
    if (!c)
        return KL_NOMEM;
    c->write.kv = kv;
    enter();
    int error = left(mdb_txn_begin(store_of(kv)->env, NULL, 0, &c->txn));
    if (error) {
        free(c);
        return status_of(error);
    }
    *out = &c->write;
    return KL_OK;
}

static kl_status reserve(struct kl_kv_write *write, kl_table table, kl_span key, usize value_len,
                         u8 **room)
{
    const struct change *c = (struct change *)write;
    MDB_val k = val_of(key), v = {.mv_size = value_len};
    enter();
    int error = left(mdb_put(c->txn, table_of(write->kv, table), &k, &v, MDB_RESERVE));
    if (error)
        return status_of(error);
    *room = v.mv_data;
    return KL_OK;
}

static kl_status del(struct kl_kv_write *write, kl_table table, kl_span key)
{
    const struct change *c = (struct change *)write;
    MDB_val k = val_of(key);
    enter();
    int error = left(mdb_del(c->txn, table_of(write->kv, table), &k, NULL));
    return error == MDB_NOTFOUND ? KL_OK : status_of(error);
}

static kl_status get_in_write(struct kl_kv_write *write, kl_table table, kl_span key,
                              kl_span *value)
{
    const struct change *c = (struct change *)write;
    return get_value(c->txn, table_of(write->kv, table), key, value);
}

/* Whether the file cannot grow by a page: quotas have an end too. */
static bool is_at_end(int fd)
{
    static const u8 page[PAGE];
    struct stat found;
    if (fstat(fd, &found) != 0)
        return false;
    ssize_t put = pwrite(fd, page, sizeof page, found.st_size);
    bool full = put < 0 ? status_of(errno) == KL_FULL : put < (ssize_t)sizeof page;
    int ignored = put > 0 ? ftruncate(fd, found.st_size) : 0;
    (void)ignored; /* the page is nobody's */
    return full;
}

/* liblmdb calls a write that was cut short an input/output error; where there is no room it is a
 * lack of room. */
static kl_status status_of_write(MDB_env *env, int error)
{
    const char *path;
    mdb_filehandle_t fd;
    struct statvfs room;
    MDB_txn *alone = NULL; /* while it is tried nobody else makes the file longer */
    if (error != EIO || mdb_env_get_path(env, &path) != 0 || mdb_env_get_fd(env, &fd) != 0)
        return status_of(error);
    if (statvfs(path, &room) == 0 && room.f_bavail < ROOM_BLOCKS)
        return KL_FULL;
    enter();
    int begun = left(mdb_txn_begin(env, NULL, 0, &alone));
    bool is_alone = begun == 0 || begun == MDB_PANIC; /* nobody writes there any more */
    bool lacks_room = is_alone && is_at_end(fd);
    mdb_txn_abort(alone);
    return lacks_room ? KL_FULL : KL_IO;
}

static kl_status commit(struct kl_kv_write *write)
{
    struct change *c = (struct change *)write;
    const struct store *s = store_of(write->kv);
    MDB_env *env = s->env;
    enter();
    int error = left(mdb_txn_commit(c->txn));
    free(c);
    if (!error && s->synced)
        s->synced(s->synced_ctx);
    return status_of_write(env, error);
}

static void abort_write(struct kl_kv_write *write)
{
    struct change *c = (struct change *)write;
    enter();
    mdb_txn_abort(c->txn);
    (void)left(0);
    free(c);
}

static kl_status bytes_of(struct kl_kv *kv, u64 *out)
{
    MDB_envinfo info;
    MDB_stat stat;
    MDB_env *env = store_of(kv)->env;
    int error = mdb_env_info(env, &info);
    if (!error)
        error = mdb_env_stat(env, &stat);
    if (error)
        return status_of(error);
    *out = ((u64)info.me_last_pgno + 1) * stat.ms_psize;
    return KL_OK;
}

static void close_kv(struct kl_kv *kv)
{
    struct store *s = store_of(kv);
    KL_ASSERT(s->snapshots == 0);
    while (s->idle) {
        struct snapshot *snapshot = s->idle;
        s->idle = snapshot->next;
        mdb_txn_abort(snapshot->txn);
        free(snapshot);
    }
    mdb_env_close(s->env);
    kl_mutex_done(&s->mutex);
    free(s);
}

static const struct kl_kv_ops lmdb_ops = {
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

/* liblmdb found its own structures in a state that cannot be: memory or pages are damaged. */
static void on_assert(KL_UNUSED MDB_env *env, const char *what)
{
    kl_panic("liblmdb", 0, what);
}

static int open_env(struct store *s, const kl_lmdb_config *config)
{
    int error = mdb_env_create(&s->env);
    if (error)
        return error;
    error = mdb_env_set_mapsize(s->env, (config->map_bytes + PAGE - 1) / PAGE * PAGE);
    if (!error)
        error = mdb_env_set_maxdbs(s->env, (MDB_dbi)config->table_count);
    if (!error)
        error = mdb_env_set_maxreaders(s->env, (unsigned)config->reader_max);
    if (!error)
        error = mdb_env_set_assert(s->env, on_assert);
    if (!error)
        error = mdb_env_open(s->env, config->path, MDB_NOMETASYNC | MDB_NOTLS | MDB_NORDAHEAD,
                             FILE_MODE);
    int dead;
    return error ? error : mdb_reader_check(s->env, &dead);
}

/* Whether the main database is ours; one that is empty becomes so. */
static int check_mark(MDB_txn *txn, bool *ours)
{
    MDB_dbi main_table;
    MDB_stat stat;
    kl_span want = kl_span_str(mark_value), found;
    MDB_val key = val_of(kl_span_str(mark_key)), value = val_of(want);
    *ours = true;
    int error = mdb_dbi_open(txn, NULL, 0, &main_table);
    if (!error)
        error = mdb_stat(txn, main_table, &stat);
    if (error)
        return error;
    if (stat.ms_entries == 0)
        return mdb_put(txn, main_table, &key, &value, 0);
    *ours = get_value(txn, main_table, kl_span_str(mark_key), &found) == KL_OK &&
            kl_span_eq(found, want);
    return 0;
}

static kl_status open_tables(struct store *s, const kl_lmdb_config *config)
{
    MDB_txn *txn;
    bool ours = true;
    int error = mdb_txn_begin(s->env, NULL, 0, &txn);
    if (error)
        return status_of(error);
    error = check_mark(txn, &ours);
    for (usize i = 0; !error && ours && i < config->table_count; i++)
        error = mdb_dbi_open(txn, config->tables[i], MDB_CREATE, &s->table[i]);
    if (error || !ours) {
        mdb_txn_abort(txn);
        return ours ? status_of(error) : KL_CORRUPT;
    }
    return status_of_write(s->env, mdb_txn_commit(txn));
}

/* Where the kernel has put the file's map: liblmdb keeps that to itself. */
static void find_map(struct store *s, const char *folder)
{
    char file[PATH_MAX + 16], line[PATH_MAX + 128];
    unsigned long start, end;
    int at = 0;
    if (!realpath(folder, file))
        return;
    memcpy(file + strlen(file), "/data.mdb\n", sizeof "/data.mdb\n");
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps && fgets(line, sizeof line, maps))
        if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %n", &start, &end, &at) == 2 &&
            strcmp(line + at, file) == 0) {
            s->map_start = start;
            s->map_end = end;
        }
    if (maps)
        fclose(maps);
}

bool kl_lmdb_at_fault(const struct kl_kv *kv, const void *address)
{
    const struct store *s = (const struct store *)kv;
    return inside || (s && (uintptr_t)address >= s->map_start && (uintptr_t)address < s->map_end);
}

kl_status kl_lmdb_open(struct kl_kv **out, const kl_lmdb_config *config)
{
    KL_ASSERT(config->table_count >= 1 && config->table_count <= KL_KV_TABLE_MAX);
    KL_ASSERT(config->reader_max >= 1 && config->reader_max <= 1 << 16);
    struct store *s = calloc(1, sizeof *s);
    if (!s)
        return KL_NOMEM;
    s->kv.ops = &lmdb_ops;
    s->tables = config->table_count;
    s->read_limit_ns = config->read_limit_ns;
    s->clock = config->clock;
    s->synced = config->synced;
    s->synced_ctx = config->synced_ctx;
    kl_mutex_init(&s->mutex);
    enter();
    kl_status status = status_of(open_env(s, config));
    if (status == KL_OK)
        status = open_tables(s, config);
    (void)left(0);
    if (status != KL_OK) {
        if (s->env)
            mdb_env_close(s->env);
        kl_mutex_done(&s->mutex);
        free(s);
        return status;
    }
    find_map(s, config->path);
    *out = &s->kv;
    return KL_OK;
}
