#include "store/kv_twin.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/test.h"

enum { ENTRY_MAX = 3000, SNAPSHOT_MAX = 4, SHORT_VALUE = 200, LONG_VALUE = 20000 };

/* An entry; its value is value_len bytes drawn from value_seed. */
struct entry {
    u8 table, key[KL_KV_KEY_MAX];
    u16 key_len;
    u32 value_len;
    u64 value_seed;
};

/* A version: entries in order of table and key. */
struct version {
    struct entry entry[ENTRY_MAX];
    usize count;
};

struct pair {
    struct kl_kv_read *read;
    struct version *version; /* what the snapshot must show */
};

static int order(const struct entry *e, u8 table, kl_span key)
{
    if (e->table != table)
        return e->table < table ? -1 : 1;
    return kl_span_cmp(kl_span_of(e->key, e->key_len), key);
}

/* Index of the first entry at or behind table and key. */
static usize lower(const struct version *v, u8 table, kl_span key)
{
    usize i = 0;
    while (i < v->count && order(&v->entry[i], table, key) < 0)
        i++;
    return i;
}

static bool holds(const struct version *v, usize i, u8 table, kl_span key)
{
    return i < v->count && order(&v->entry[i], table, key) == 0;
}

static void put(struct version *v, const struct entry *e)
{
    kl_span key = kl_span_of(e->key, e->key_len);
    usize i = lower(v, e->table, key);
    if (!holds(v, i, e->table, key)) {
        KL_ASSERT(v->count < ENTRY_MAX);
        memmove(v->entry + i + 1, v->entry + i, (v->count - i) * sizeof v->entry[0]);
        v->count++;
    }
    v->entry[i] = *e;
}

static void del(struct version *v, u8 table, kl_span key)
{
    usize i = lower(v, table, key);
    if (!holds(v, i, table, key))
        return;
    v->count--;
    memmove(v->entry + i, v->entry + i + 1, (v->count - i) * sizeof v->entry[0]);
}

static const u8 *value_of(const struct entry *e)
{
    static u8 value[LONG_VALUE];
    u64 seed = e->value_seed;
    kl_rand_fill(&seed, value, e->value_len);
    return value;
}

/* Keys that collide often, share long prefixes, are prefixes of one another, or are all of these.
 */
static void random_key(u64 *seed, struct entry *e, usize tables)
{
    e->table = (u8)kl_rand_below(seed, tables);
    u64 kind = kl_rand_below(seed, 4);
    u64 pool = 1 + kl_rand_below(seed, 300);
    memset(e->key, 0, sizeof e->key);
    if (kind == 0) {
        e->key_len = (u16)(1 + kl_rand_below(seed, 3));
        for (usize i = 0; i < e->key_len; i++)
            e->key[i] = (u8)(kl_rand_below(seed, 3) * 127);
    } else if (kind == 1) {
        e->key_len = 32;
        kl_rand_fill(&pool, e->key, 32);
    } else if (kind == 2) {
        e->key_len = 64;
        e->key[0] = (u8)(pool % 3);
        kl_rand_fill(&pool, e->key + 32, 32);
    } else {
        e->key_len = (u16)(KL_KV_KEY_MAX - pool % 9);
        e->key[e->key_len - 1] = (u8)(pool / 2);
    }
}

static void check_entry(const struct entry *e, kl_status status, kl_span value)
{
    CHECK_OK(status);
    CHECK_SPAN(value, kl_span_of(value_of(e), e->value_len));
}

static void check_get(const struct pair *s, u64 *seed, usize tables)
{
    struct entry e;
    random_key(seed, &e, tables);
    kl_span key = kl_span_of(e.key, e.key_len), value;
    kl_status status = kl_kv_get(s->read, e.table, key, &value);
    usize i = lower(s->version, e.table, key);
    if (holds(s->version, i, e.table, key))
        check_entry(&s->version->entry[i], status, value);
    else
        CHECK(status == KL_NOTFOUND);
}

/* Reads a table from a key on, to the end or some way. */
static void check_walk(const struct pair *s, u64 *seed, usize tables)
{
    struct entry e;
    random_key(seed, &e, tables);
    u64 from = kl_rand_below(seed, 3);
    kl_span start = from == 0 ? KL_SPAN_NONE : kl_span_of(e.key, e.key_len), k, v;
    struct kl_kv_cursor *cursor;
    CHECK_OK(kl_kv_cursor_open(s->read, e.table, &cursor));
    usize i = lower(s->version, e.table, start), left = kl_rand_below(seed, 2000);
    kl_status status = from == 0 && kl_rand_below(seed, 2)
                           ? kl_kv_cursor_next(cursor, &k, &v)
                           : kl_kv_cursor_seek(cursor, start, &k, &v);
    for (; left > 0 && status != KL_NOTFOUND; i++, left--) {
        CHECK_OK(status);
        CHECK(i < s->version->count && s->version->entry[i].table == e.table);
        CHECK_SPAN(k, kl_span_of(s->version->entry[i].key, s->version->entry[i].key_len));
        check_entry(&s->version->entry[i], status, v);
        status = kl_kv_cursor_next(cursor, &k, &v);
    }
    if (left > 0) {
        CHECK(i == s->version->count || s->version->entry[i].table != e.table);
        CHECK(kl_kv_cursor_next(cursor, &k, &v) == KL_NOTFOUND);
    }
    kl_kv_cursor_close(cursor);
}

static void check_in_write(struct kl_kv_write *write, const struct version *v, u64 *seed,
                           usize tables)
{
    struct entry e;
    random_key(seed, &e, tables);
    kl_span key = kl_span_of(e.key, e.key_len), value;
    kl_status status = kl_kv_get_in_write(write, e.table, key, &value);
    usize i = lower(v, e.table, key);
    if (holds(v, i, e.table, key))
        check_entry(&v->entry[i], status, value);
    else
        CHECK(status == KL_NOTFOUND);
}

static void one_change(struct kl_kv_write *write, struct version *v, u64 *seed, usize tables,
                       bool shrink)
{
    struct entry e;
    random_key(seed, &e, tables);
    kl_span key = kl_span_of(e.key, e.key_len);
    if (kl_rand_below(seed, 3) == 0 || shrink) {
        CHECK_OK(kl_kv_del(write, e.table, key));
        del(v, e.table, key);
        return;
    }
    e.value_seed = kl_rand(seed);
    e.value_len = (u32)kl_rand_below(seed, kl_rand_below(seed, 50) ? SHORT_VALUE : LONG_VALUE);
    CHECK_OK(kl_kv_put(write, e.table, key, kl_span_of(value_of(&e), e.value_len)));
    put(v, &e);
}

static void transaction(struct kl_kv *kv, struct version *newest, u64 *seed, usize tables)
{
    struct version *v = malloc(sizeof *v);
    KL_ASSERT(v);
    *v = *newest;
    struct kl_kv_write *write;
    CHECK_OK(kl_kv_begin_write(kv, &write));
    bool shrink = kl_rand_below(seed, 6) == 0;
    for (u64 n = kl_rand_below(seed, shrink ? 2000 : 200); n > 0; n--) {
        one_change(write, v, seed, tables, shrink);
        check_in_write(write, v, seed, tables);
    }
    if (kl_rand_below(seed, 4) == 0) {
        kl_kv_abort(write);
    } else {
        CHECK_OK(kl_kv_commit(write));
        *newest = *v;
    }
    free(v);
}

static void end_snapshot(struct pair *s)
{
    kl_kv_end_read(s->read);
    free(s->version);
    *s = (struct pair){0};
}

static void begin_snapshot(struct kl_kv *kv, struct pair *s, const struct version *newest)
{
    end_snapshot(s);
    s->version = malloc(sizeof *s->version);
    KL_ASSERT(s->version);
    *s->version = *newest;
    CHECK_OK(kl_kv_begin_read(kv, &s->read));
}

void kl_kv_twin_run(struct kl_kv *kv, usize tables, usize steps, u64 *seed)
{
    struct pair snapshot[SNAPSHOT_MAX] = {0};
    struct version *newest = calloc(1, sizeof *newest);
    KL_ASSERT(newest);
    for (usize i = 0; i < steps; i++) {
        transaction(kv, newest, seed, tables);
        begin_snapshot(kv, &snapshot[kl_rand_below(seed, SNAPSHOT_MAX)], newest);
        for (usize j = 0; j < SNAPSHOT_MAX; j++) {
            if (!snapshot[j].read)
                continue;
            for (int n = 0; n < 20; n++)
                check_get(&snapshot[j], seed, tables);
            check_walk(&snapshot[j], seed, tables);
        }
    }
    for (usize j = 0; j < SNAPSHOT_MAX; j++)
        end_snapshot(&snapshot[j]);
    free(newest);
}

/* Accounts whose amounts add up to zero in every version, whatever was moved between them. */
enum { ACCOUNTS = 100, READERS = 3 };

struct bank {
    struct kl_kv *kv;
    atomic_bool stop;
    atomic_uint wrong, snapshots;
};

static kl_span account(u8 key[32], u32 i)
{
    u64 seed = i;
    kl_rand_fill(&seed, key, 32);
    return kl_span_of(key, 32);
}

static u64 amount_of(kl_status status, kl_span value)
{
    return status == KL_OK && value.len == 8 ? kl_load_be64(value.p) : 0;
}

static void *read_bank(void *ctx)
{
    struct bank *bank = ctx;
    while (!atomic_load(&bank->stop)) {
        struct kl_kv_read *read;
        if (kl_kv_begin_read(bank->kv, &read) != KL_OK) {
            atomic_fetch_add(&bank->wrong, 1);
            break;
        }
        u64 sum = 0;
        for (u32 i = 0; i < ACCOUNTS; i++) {
            u8 key[32];
            kl_span value;
            kl_status status = kl_kv_get(read, 0, account(key, i), &value);
            if (status != KL_OK && status != KL_NOTFOUND)
                atomic_fetch_add(&bank->wrong, 1);
            sum += amount_of(status, value);
        }
        if (sum != 0)
            atomic_fetch_add(&bank->wrong, 1);
        atomic_fetch_add(&bank->snapshots, 1);
        kl_kv_end_read(read);
    }
    return NULL;
}

static void move(struct kl_kv_write *write, u32 i, u64 amount)
{
    u8 key[32], bytes[8];
    kl_span value;
    kl_status status = kl_kv_get_in_write(write, 0, account(key, i), &value);
    kl_store_be64(bytes, amount_of(status, value) + amount);
    CHECK_OK(kl_kv_put(write, 0, kl_span_of(key, 32), KL_SPAN_OF(bytes)));
}

void kl_kv_twin_threads(struct kl_kv *kv, usize commits)
{
    struct bank bank = {.kv = kv};
    pthread_t thread[READERS];
    for (usize i = 0; i < READERS; i++)
        CHECK(pthread_create(&thread[i], NULL, read_bank, &bank) == 0);
    u64 seed = commits;
    for (usize i = 0; i < commits || atomic_load(&bank.snapshots) < 2 * READERS; i++) {
        struct kl_kv_write *write;
        CHECK_OK(kl_kv_begin_write(kv, &write));
        u64 amount = kl_rand(&seed);
        for (int n = 0; n < 10; n++) {
            move(write, (u32)kl_rand_below(&seed, ACCOUNTS), amount);
            move(write, (u32)kl_rand_below(&seed, ACCOUNTS), 0 - amount);
        }
        CHECK_OK(kl_kv_commit(write));
    }
    atomic_store(&bank.stop, true);
    for (usize i = 0; i < READERS; i++)
        CHECK(pthread_join(thread[i], NULL) == 0);
    CHECK_U64(atomic_load(&bank.wrong), 0);
}

static void table_same(struct kl_kv_read *const reads[2], kl_table table)
{
    struct kl_kv_cursor *cursors[2];
    kl_status status[2] = {KL_OK, KL_OK};
    for (usize i = 0; i < 2; i++)
        CHECK_OK(kl_kv_cursor_open(reads[i], table, &cursors[i]));
    while (status[0] == KL_OK) {
        kl_span key[2], value[2];
        for (usize i = 0; i < 2; i++)
            status[i] = kl_kv_cursor_next(cursors[i], &key[i], &value[i]);
        CHECK(status[0] == status[1]);
        if (status[0] != KL_OK)
            break;
        CHECK_SPAN(key[1], key[0]);
        CHECK_SPAN(value[1], value[0]);
    }
    CHECK(status[0] == KL_NOTFOUND);
    for (usize i = 0; i < 2; i++)
        kl_kv_cursor_close(cursors[i]);
}

void kl_kv_twin_same(struct kl_kv *a, struct kl_kv *b, kl_table first, kl_table end)
{
    struct kl_kv_read *reads[2];
    CHECK_OK(kl_kv_begin_read(a, &reads[0]));
    CHECK_OK(kl_kv_begin_read(b, &reads[1]));
    for (kl_table table = first; table < end; table++)
        table_same(reads, table);
    kl_kv_end_read(reads[0]);
    kl_kv_end_read(reads[1]);
}
