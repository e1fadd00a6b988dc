/* The whole of versions, views, flushes, reverts, history and crashes against a twin that keeps a
 * map for every version. */
#include "state/state.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "sim/disk.h"
#include "state/fault_kv.h"
#include "state/history_core_priv.h"
#include "state/state_priv.h"

enum { KEYS = 48, NODES = 600, VERSIONS = 1200, VIEWS = 10, SCANNED_MAX = KEYS };

/* Values are made from numbers; 0 is no value. */
struct map {
    u32 value[KEYS];
};

struct key {
    kl_table table;
    u8 bytes[72];
    usize len;
};

/* A step that has not been given up: in memory, flushed or lost. */
struct node {
    struct kl_delta *delta;
    int parent; /* -1: on the database */
    u64 version;
    bool flushed;
    struct map map;
};

struct open_view {
    struct kl_view *view;
    u64 version;
    bool old;
    struct map map;
};

static struct twin {
    struct kl_sim_disk *disk;
    struct kl_kv *store, *store_before; /* before the newest commit */
    struct fault_kv kv;
    struct kl_state *state;
    struct key keys[KEYS]; /* sorted by table and key */
    struct node nodes[NODES];
    int node_count;
    struct map chain[VERSIONS]; /* what each flushed version holds */
    u64 next, next_before;      /* versions flushed, and before the newest commit */
    u64 oldest;                 /* what prune allowed to go */
    struct open_view views[VIEWS];
    u32 last_value;
    usize seal;
} t;

static int cmp_keys(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    int tables = x->table - y->table;
    return tables ? tables
                  : kl_span_cmp(kl_span_of(x->bytes, x->len), kl_span_of(y->bytes, y->len));
}

static void make_keys(u64 *seed)
{
    for (usize i = 0; i < KEYS; i++) {
        struct key *k = &t.keys[i];
        k->table = (kl_table)(1 + i % (KL_TABLE_COUNT - 1));
        k->len = k->table == KL_TABLE_NODE ? 2 + kl_rand_below(seed, 60) : i % 3 ? 32 : 64;
        memset(k->bytes, (int)kl_rand_below(seed, 3), sizeof k->bytes);
        k->bytes[k->len - 1] = (u8)i;
    }
    qsort(t.keys, KEYS, sizeof t.keys[0], cmp_keys);
}

static kl_span key_of(usize i)
{
    return kl_span_of(t.keys[i].bytes, t.keys[i].len);
}

/* The bytes of value number n; some are empty, some long. */
static kl_span value_of(u32 n)
{
    static u8 bytes[6000];
    u64 state = n;
    usize len = n % 7 == 0 ? 0 : n % 31 == 0 ? 100 + n % 5000 : 1 + n % 40;
    kl_rand_fill(&state, bytes, len);
    return kl_span_of(bytes, len);
}

static void open_state(void)
{
    kl_state_config config = {
        .kv = &t.kv.kv,
        .fs = kl_sim_disk_fs(t.disk),
        .history_dir = "history",
        .history_segment_bytes = 1 << 20,
    };
    CHECK_OK(kl_state_open(&t.state, &config));
    t.state->history->seal = t.seal;
}

static void begin(u64 *seed)
{
    memset(&t, 0, sizeof t);
    make_keys(seed);
    t.seal = 20 + kl_rand_below(seed, 200);
    CHECK_OK(kl_sim_disk_new(&t.disk));
    CHECK_OK(kl_memkv_open(&t.store, KL_TABLE_COUNT));
    fault_kv_init(&t.kv, t.store);
    open_state();
}

static void close_all(void)
{
    for (usize i = 0; i < VIEWS; i++) {
        kl_view_close(t.views[i].view);
        t.views[i].view = NULL;
    }
    for (int i = 0; i < t.node_count; i++)
        kl_delta_unref(t.nodes[i].delta);
    t.node_count = 0;
    kl_state_close(t.state);
    t.state = NULL;
}

static void end(void)
{
    close_all();
    kl_kv_close(t.store);
    kl_kv_close(t.store_before);
    kl_sim_disk_free(t.disk);
}

/* Checking one version. */

static void check_key(struct kl_view *view, const struct map *map, usize i)
{
    kl_span value;
    kl_status status = kl_view_get(view, t.keys[i].table, key_of(i), &value);
    if (map->value[i] == 0) {
        CHECK(status == KL_NOTFOUND);
        return;
    }
    CHECK_OK(status);
    CHECK_SPAN(value, value_of(map->value[i]));
}

struct scanned {
    const struct map *map;
    bool wanted[KEYS];
    usize next, left; /* stops after `left` more */
};

static bool each_scanned(void *ctx, kl_span key, kl_span value)
{
    struct scanned *s = ctx;
    while (s->next < KEYS && !s->wanted[s->next])
        s->next++;
    CHECK(s->next < KEYS);
    CHECK_SPAN(key, key_of(s->next));
    CHECK_SPAN(value, value_of(s->map->value[s->next]));
    s->next++;
    return --s->left > 0;
}

static void check_scan(u64 *seed, const struct open_view *v)
{
    kl_table table = (kl_table)(1 + kl_rand_below(seed, KL_TABLE_COUNT - 1));
    usize like = kl_rand_below(seed, KEYS);
    kl_span prefix = kl_span_sub(key_of(like), 0, kl_rand_below(seed, 40));
    kl_span from = kl_span_sub(key_of(like), 0, kl_rand_below(seed, 72));
    prefix = kl_rand_below(seed, 2) ? prefix : KL_SPAN_NONE;
    from = kl_rand_below(seed, 2) ? from : KL_SPAN_NONE;
    struct scanned s = {.map = &v->map, .left = 1 + kl_rand_below(seed, KEYS)};
    for (usize i = 0; i < KEYS; i++)
        s.wanted[i] = v->map.value[i] && t.keys[i].table == table &&
                      kl_span_eq(kl_span_sub(key_of(i), 0, prefix.len), prefix) &&
                      kl_span_cmp(key_of(i), from) >= 0;
    kl_status status = kl_view_scan(v->view, table, prefix, from, each_scanned, &s);
    CHECK(status == (v->old ? KL_UNSUPPORTED : KL_OK));
    while (s.next < KEYS && !s.wanted[s.next])
        s.next++;
    CHECK(v->old || s.next == KEYS || s.left == 0);
}

static void check_view(u64 *seed, const struct open_view *v, bool all)
{
    CHECK_U64(kl_view_version(v->view), v->version);
    for (usize i = 0; i < KEYS; i++)
        if (all || kl_rand_below(seed, 4) == 0)
            check_key(v->view, &v->map, i);
    check_scan(seed, v);
}

/* What the twin knows. */

/* Does the node stand on what the database holds, or is it a part of it? */
static bool is_good(int n)
{
    for (; n >= 0; n = t.nodes[n].parent) {
        if (t.nodes[n].version < t.next)
            return t.nodes[n].flushed;
        if (t.nodes[n].parent < 0)
            return t.nodes[n].version == t.next;
    }
    return false;
}

static int random_node(u64 *seed)
{
    if (t.node_count == 0 || kl_rand_below(seed, 12) == 0)
        return -1;
    if (kl_rand_below(seed, 3))
        return t.node_count - 1 - (int)kl_rand_below(seed, (u64)KL_MIN(t.node_count, 6));
    return (int)kl_rand_below(seed, (u64)t.node_count);
}

/* The map of node n, or of the database. */
static const struct map *map_of(int n)
{
    static const struct map empty;
    return n >= 0 ? &t.nodes[n].map : t.next ? &t.chain[t.next - 1] : &empty;
}

static u64 version_after(int n)
{
    return n >= 0 ? t.nodes[n].version + 1 : t.next;
}

/* The map of an older version of node n's branch. */
static const struct map *map_at(int n, u64 version)
{
    while (n >= 0 && t.nodes[n].version > version)
        n = t.nodes[n].parent;
    return n >= 0 && t.nodes[n].version == version ? &t.nodes[n].map : &t.chain[version];
}

static void add_node(int parent, struct kl_delta *delta, const struct map *map)
{
    CHECK(t.node_count < NODES);
    struct node *node = &t.nodes[t.node_count++];
    *node = (struct node){delta, parent, version_after(parent), false, *map};
    CHECK_U64(kl_delta_version(delta), node->version);
}

/* Random steps. */

static void extend(u64 *seed)
{
    int parent = random_node(seed);
    if (t.node_count == NODES || version_after(parent) + 1 >= VERSIONS)
        return;
    struct map map = *map_of(parent);
    struct kl_delta_builder *b;
    struct kl_delta *delta;
    CHECK_OK(kl_delta_begin(&b, parent >= 0 ? t.nodes[parent].delta : NULL, version_after(parent)));
    for (u64 n = kl_rand_below(seed, 8); n > 0; n--) {
        usize i = kl_rand_below(seed, KEYS);
        bool same = kl_rand_below(seed, 6) == 0;
        map.value[i] = same ? map.value[i] : kl_rand_below(seed, 4) == 0 ? 0 : ++t.last_value;
        CHECK_OK(map.value[i] ? kl_delta_put(b, t.keys[i].table, key_of(i), value_of(map.value[i]))
                              : kl_delta_del(b, t.keys[i].table, key_of(i)));
    }
    CHECK_OK(kl_delta_seal(b, &delta));
    add_node(parent, delta, &map);
}

static void give_up_some(u64 *seed)
{
    /* Keep order: children refer to parents by index, so only whole restarts renumber. */
    for (int i = 0; i < t.node_count; i++)
        if (t.nodes[i].version + 1 < t.next && kl_rand_below(seed, 3) == 0) {
            bool needed = false;
            for (int j = i + 1; j < t.node_count; j++)
                needed |= t.nodes[j].parent == i;
            if (!needed && i == t.node_count - 1) {
                kl_delta_unref(t.nodes[i].delta);
                t.node_count--;
            }
        }
}

static void note_flushed(int tip)
{
    t.next_before = t.next;
    u64 end = t.nodes[tip].version + 1;
    for (int n = tip; n >= 0 && t.nodes[n].version >= t.next; n = t.nodes[n].parent) {
        t.nodes[n].flushed = true;
        t.chain[t.nodes[n].version] = t.nodes[n].map;
    }
    t.next = KL_MAX(t.next, end);
}

static kl_span anchor_of(u64 version)
{
    static u8 bytes[KL_ANCHOR_MAX];
    u64 state = version;
    kl_rand_fill(&state, bytes, sizeof bytes);
    return kl_span_of(bytes, version % (KL_ANCHOR_MAX + 1));
}

static kl_status flush_tip(int tip)
{
    struct kl_kv *before = kv_copy(t.store, KL_TABLE_COUNT);
    kl_status status = kl_state_flush(t.state, t.nodes[tip].delta, anchor_of(t.nodes[tip].version));
    u64 version;
    kl_span anchor;
    bool any = kl_state_stored(t.state, &version, &anchor);
    if (any && version == t.nodes[tip].version && version + 1 > t.next) {
        note_flushed(tip);
        CHECK_SPAN(anchor, anchor_of(version));
        kl_kv_close(t.store_before);
        t.store_before = before;
    } else {
        kl_kv_close(before);
    }
    return status;
}

static void flush(u64 *seed)
{
    int tip = random_node(seed);
    if (tip < 0)
        return;
    bool good = is_good(tip) && t.nodes[tip].version + 1 >= t.next;
    enum fault fault =
        kl_rand_below(seed, 12) ? FAULT_NONE : 1 + (enum fault)kl_rand_below(seed, 3);
    t.kv.fault = fault;
    kl_status status = flush_tip(tip);
    if (!good)
        CHECK(status == KL_CANCELED);
    else if (t.kv.fault == fault)
        CHECK_OK(status);
    else
        CHECK(status == (fault == FAULT_PUT ? KL_FULL : KL_IO));
    t.kv.fault = FAULT_NONE;
}

static struct open_view *free_view(u64 *seed)
{
    struct open_view *v = &t.views[kl_rand_below(seed, VIEWS)];
    if (v->view) {
        check_view(seed, v, true);
        kl_view_close(v->view);
        v->view = NULL;
    }
    return v;
}

static void open_at_node(u64 *seed)
{
    int n = random_node(seed);
    struct open_view *v = free_view(seed);
    if (n < 0 && t.next == 0)
        return;
    kl_status status = kl_state_view(t.state, n >= 0 ? t.nodes[n].delta : NULL, &v->view);
    if (n >= 0 && !is_good(n)) {
        CHECK(status == KL_CANCELED);
        return;
    }
    if (status == KL_NOTFOUND) {
        CHECK(t.nodes[n].version < kl_state_oldest(t.state));
        return;
    }
    CHECK_OK(status);
    v->version = version_after(n) - 1;
    v->old = v->version + 1 < t.next;
    v->map = *map_of(n);
    check_view(seed, v, false);
}

static void open_old(u64 *seed)
{
    struct open_view *v = free_view(seed);
    if (t.next == 0) {
        CHECK(kl_state_view_at(t.state, 0, &v->view) == KL_NOTFOUND);
        return;
    }
    v->version = kl_rand_below(seed, t.next);
    kl_status status = kl_state_view_at(t.state, v->version, &v->view);
    CHECK(kl_state_oldest(t.state) <= KL_MAX(t.oldest, 0u) || t.oldest == UINT64_MAX);
    if (v->version < kl_state_oldest(t.state)) {
        CHECK(status == KL_NOTFOUND);
        return;
    }
    CHECK_OK(status);
    v->old = v->version + 1 < t.next;
    v->map = t.chain[v->version];
    check_view(seed, v, false);
}

static void revert(u64 *seed)
{
    int head = random_node(seed);
    u64 after = version_after(head);
    if (after == 0 || after + 1 >= VERSIONS || t.node_count == NODES)
        return;
    u64 back = kl_rand_below(seed, 3) ? kl_rand_below(seed, KL_MIN(after, 20))
                                      : kl_rand_below(seed, after);
    u64 to = after - 1 - back;
    struct kl_delta *delta = NULL;
    kl_status status = kl_state_revert(t.state, head >= 0 ? t.nodes[head].delta : NULL, to, &delta);
    if (head >= 0 && (!is_good(head) || t.nodes[head].version + 1 < t.next)) {
        CHECK(status == KL_CANCELED || status == KL_NOTFOUND);
        return;
    }
    if (to < kl_state_oldest(t.state)) {
        CHECK(status == KL_NOTFOUND);
        return;
    }
    CHECK_OK(status);
    add_node(head, delta, map_at(head, to));
}

static void prune(u64 *seed)
{
    if (t.next == 0)
        return;
    u64 version = kl_rand_below(seed, t.next), least = version;
    for (usize i = 0; i < VIEWS; i++)
        if (t.views[i].view && t.views[i].old)
            least = KL_MIN(least, t.views[i].version);
    CHECK_OK(kl_state_prune(t.state, version));
    t.oldest = KL_MAX(t.oldest, least);
    CHECK(kl_state_oldest(t.state) <= t.oldest);
}

/* After a restart: is the database where it was, and every version that is served right? */
static void check_reopened(u64 *seed)
{
    u64 version;
    kl_span anchor;
    bool any = kl_state_stored(t.state, &version, &anchor);
    CHECK(any == (t.next > 0));
    if (!any)
        return;
    CHECK_U64(version, t.next - 1);
    CHECK_SPAN(anchor, anchor_of(version));
    CHECK(kl_state_oldest(t.state) <= KL_MIN(t.oldest, version));
    for (int i = 0; i < 12; i++) {
        struct open_view v = {.version = kl_rand_below(seed, t.next)};
        if (v.version < kl_state_oldest(t.state))
            continue;
        CHECK_OK(kl_state_view_at(t.state, v.version, &v.view));
        v.map = t.chain[v.version];
        v.old = v.version + 1 < t.next;
        check_view(seed, &v, true);
        kl_view_close(v.view);
    }
}

static void reopen(u64 *seed)
{
    close_all();
    open_state();
    check_reopened(seed);
}

/* The database as it was before its newest commit. */
static void lose_commit(void)
{
    kl_kv_close(t.store);
    t.store = t.store_before;
    t.store_before = NULL;
    t.kv.inner = t.store;
    t.next = t.next_before;
}

/* The power goes out.  What the database committed last may be lost with it. */
static void power_cut(u64 *seed)
{
    close_all();
    struct kl_sim_disk *after;
    kl_power_cut how = (kl_power_cut)kl_rand_below(seed, 3);
    CHECK_OK(kl_sim_disk_cut(t.disk, kl_sim_disk_operations(t.disk), how, kl_rand(seed), &after));
    kl_sim_disk_free(t.disk);
    t.disk = after;
    if (t.store_before && kl_rand_below(seed, 2))
        lose_commit();
    open_state();
    check_reopened(seed);
}

/* The disk fails somewhere in a flush; the history stays broken until a restart, reads go on. */
static void disk_failure(u64 *seed)
{
    int tip = random_node(seed);
    if (tip < 0 || !is_good(tip) || t.nodes[tip].version < t.next)
        return;
    kl_status how = kl_rand_below(seed, 2) ? KL_IO : KL_FULL;
    kl_sim_disk_fail(t.disk, kl_rand_below(seed, 6), how, kl_rand(seed));
    kl_status status = flush_tip(tip);
    CHECK(status == KL_OK || status == how);
    open_at_node(seed);
    open_old(seed);
    kl_sim_disk_fail(t.disk, 0, KL_OK, 0);
    if (status != KL_OK && kl_rand_below(seed, 2))
        power_cut(seed);
    else
        reopen(seed);
}

/* The power goes out inside a flush.  As long as the disk has something to do the database has not
 * committed: the history comes first. */
static void power_cut_in_flush(u64 *seed)
{
    int tip = random_node(seed);
    if (tip < 0 || !is_good(tip) || t.nodes[tip].version < t.next)
        return;
    u64 first = kl_sim_disk_operations(t.disk);
    CHECK_OK(flush_tip(tip));
    u64 last = kl_sim_disk_operations(t.disk);
    close_all();
    u64 cut = first + kl_rand_below(seed, last - first + 1);
    struct kl_sim_disk *after;
    CHECK_OK(
        kl_sim_disk_cut(t.disk, cut, (kl_power_cut)kl_rand_below(seed, 3), kl_rand(seed), &after));
    kl_sim_disk_free(t.disk);
    t.disk = after;
    if (cut < last || kl_rand_below(seed, 2))
        lose_commit();
    open_state();
    check_reopened(seed);
}

static void run(u64 *seed, int count)
{
    begin(seed);
    for (int i = 0; i < count; i++) {
        u64 what = kl_rand_below(seed, 100);
        if (what < 55)
            extend(seed);
        else if (what < 65)
            flush(seed);
        else if (what < 78)
            open_at_node(seed);
        else if (what < 88)
            open_old(seed);
        else if (what < 92)
            revert(seed);
        else if (what < 94)
            prune(seed);
        else if (what < 96)
            give_up_some(seed);
        else if (what < 97)
            reopen(seed);
        else if (what < 98)
            power_cut(seed);
        else if (what < 99)
            disk_failure(seed);
        else
            power_cut_in_flush(seed);
        if (t.node_count > NODES - 10)
            reopen(seed);
    }
    for (usize i = 0; i < VIEWS; i++)
        if (t.views[i].view)
            check_view(seed, &t.views[i], true);
    reopen(seed);
    end();
}

KL_TEST(state_versions_are_maps)
{
    for (int round = 0; round < 8; round++)
        run(seed, 800);
}

struct names {
    char path[64][KL_PATH_MAX + 1];
    usize count;
    const char *dir;
};

static void each_name(void *ctx, const char *name)
{
    struct names *n = ctx;
    if (n->count < KL_COUNT_OF(n->path))
        snprintf(n->path[n->count++], sizeof n->path[0], "%s/%s", n->dir, name);
}

static void flip_somewhere(u64 *seed, const char *path)
{
    struct kl_file *file;
    u64 size;
    CHECK_OK(kl_fs_open(kl_sim_disk_fs(t.disk), &file, path, KL_OPEN_READ));
    CHECK_OK(kl_file_size(file, &size));
    kl_file_close(file);
    u64 at = kl_rand_below(seed, KL_MIN(size, (u64)20480));
    CHECK_OK(kl_sim_disk_flip(t.disk, path, at, (unsigned)kl_rand_below(seed, 8)));
}

/* Bits of the history decay: whatever is still served is right. */
KL_TEST(state_history_damage_is_never_served)
{
    for (int round = 0; round < 20; round++) {
        begin(seed);
        for (int n = 0; n < 60 && t.next < 60; n++) {
            for (int i = 0; i < 8; i++)
                extend(seed);
            flush(seed);
        }
        struct names *names = calloc(1, sizeof *names);
        names->dir = round % 2 ? "history/log" : "history/index";
        CHECK_OK(kl_fs_list(kl_sim_disk_fs(t.disk), names->dir, each_name, names));
        for (int flips = 0; flips < 30 && names->count; flips++)
            flip_somewhere(seed, names->path[kl_rand_below(seed, names->count)]);
        usize bad = 0;
        for (u64 v = kl_state_oldest(t.state); v < t.next; v++) {
            struct kl_view *view;
            CHECK_OK(kl_state_view_at(t.state, v, &view));
            for (usize i = 0; i < KEYS; i++) {
                kl_span value;
                kl_status status = kl_view_get(view, t.keys[i].table, key_of(i), &value);
                bad += status == KL_CORRUPT;
                if (status != KL_CORRUPT)
                    check_key(view, &t.chain[v], i);
            }
            kl_view_close(view);
        }
        CHECK(bad > 0 || names->count == 0 || round % 2 == 0);
        free(names);
        end();
    }
}

static kl_status try_open(kl_span format, kl_span tip)
{
    struct kl_kv *store;
    struct kl_kv_write *write;
    struct kl_state *state;
    CHECK_OK(kl_memkv_open(&store, KL_TABLE_COUNT));
    CHECK_OK(kl_kv_begin_write(store, &write));
    if (format.p)
        CHECK_OK(kl_kv_put(write, KL_TABLE_META, KL_SPAN_TEXT("format"), format));
    if (tip.p)
        CHECK_OK(kl_kv_put(write, KL_TABLE_META, KL_SPAN_TEXT("tip"), tip));
    CHECK_OK(kl_kv_commit(write));
    kl_state_config config = {.kv = store};
    kl_status status = kl_state_open(&state, &config);
    if (status == KL_OK)
        kl_state_close(state);
    kl_kv_close(store);
    return status;
}

KL_TEST(state_opens_its_own_format_only)
{
    u8 good[4] = {0, 0, 0, 1}, other[4] = {0, 0, 0, 2}, tip[8 + KL_ANCHOR_MAX + 1] = {0};
    kl_span version = kl_span_of(tip, 8);
    CHECK_OK(try_open(KL_SPAN_NONE, KL_SPAN_NONE));
    CHECK_OK(try_open(KL_SPAN_OF(good), version));
    CHECK_OK(try_open(KL_SPAN_OF(good), kl_span_of(tip, 8 + KL_ANCHOR_MAX)));
    CHECK(try_open(KL_SPAN_OF(other), version) == KL_UNSUPPORTED);
    CHECK(try_open(kl_span_of(good, 3), version) == KL_CORRUPT);
    CHECK(try_open(KL_SPAN_OF(good), KL_SPAN_NONE) == KL_CORRUPT);
    CHECK(try_open(KL_SPAN_NONE, version) == KL_CORRUPT);
    CHECK(try_open(KL_SPAN_OF(good), kl_span_of(tip, 7)) == KL_CORRUPT);
    CHECK(try_open(KL_SPAN_OF(good), KL_SPAN_OF(tip)) == KL_CORRUPT);
    memset(tip, 0xff, 8);
    CHECK(try_open(KL_SPAN_OF(good), version) == KL_CORRUPT);
}

/* Segments really go, and what is left is still right after a restart. */
KL_TEST(state_prune_gives_disk_back)
{
    begin(seed);
    t.last_value = 1;
    for (u64 v = 0; v < 300; v++) {
        struct kl_delta_builder *b;
        struct kl_delta *delta;
        struct map map = *map_of(t.node_count - 1);
        CHECK_OK(kl_delta_begin(&b, v ? t.nodes[t.node_count - 1].delta : NULL, v));
        for (usize i = 0; i < KEYS; i += 1 + kl_rand_below(seed, 3)) {
            map.value[i] = 31 * 7 * 5 + 31 * ++t.last_value; /* mostly long ones */
            CHECK_OK(kl_delta_put(b, t.keys[i].table, key_of(i), value_of(map.value[i])));
        }
        CHECK_OK(kl_delta_seal(b, &delta));
        add_node(t.node_count - 1, delta, &map);
        if (v % 7 == 0)
            CHECK_OK(flush_tip(t.node_count - 1));
    }
    CHECK_OK(flush_tip(t.node_count - 1));
    u64 bytes = kl_seglog_bytes(t.state->history->log);
    CHECK(bytes > 8u << 20);
    for (u64 keep = 20; keep < 300; keep += kl_rand_below(seed, 90)) {
        struct kl_view *pin;
        CHECK_OK(kl_state_view_at(t.state, kl_state_oldest(t.state), &pin));
        CHECK_OK(kl_state_prune(t.state, keep));
        CHECK_U64(kl_state_oldest(t.state) + 1, kl_view_version(pin) + 1);
        kl_view_close(pin);
        CHECK_OK(kl_state_prune(t.state, keep));
        CHECK_U64(kl_state_oldest(t.state), keep);
        t.oldest = keep;
        if (kl_rand_below(seed, 2))
            reopen(seed);
        else
            check_reopened(seed);
    }
    CHECK(kl_seglog_bytes(t.state->history->log) < bytes / 2);
    CHECK_OK(kl_state_prune(t.state, 299));
    t.oldest = 299;
    reopen(seed);
    end();
}
