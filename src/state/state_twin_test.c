#include "state/state_twin.h"

#include <stdlib.h>

#include "base/test.h"
#include "sim/disk.h"
#include "state/history_core_priv.h"
#include "state/state_priv.h"

struct twin twin;

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
        struct key *k = &twin.keys[i];
        k->table = (kl_table)(1 + i % (KL_TABLE_COUNT - 1));
        k->len = k->table == KL_TABLE_NODE ? 2 + kl_rand_below(seed, 60) : i % 3 ? 32 : 64;
        memset(k->bytes, (int)kl_rand_below(seed, 3), sizeof k->bytes);
        k->bytes[k->len - 1] = (u8)i;
    }
    qsort(twin.keys, KEYS, sizeof twin.keys[0], cmp_keys);
}

kl_span twin_key(usize i)
{
    return kl_span_of(twin.keys[i].bytes, twin.keys[i].len);
}

/* The bytes of value number n; some are empty, some long. */
kl_span twin_value(u32 n)
{
    static u8 bytes[6000];
    u64 state = n;
    usize len = n % 7 == 0 ? 0 : n % 31 == 0 ? 100 + n % 5000 : 1 + n % 40;
    kl_rand_fill(&state, bytes, len);
    return kl_span_of(bytes, len);
}

void twin_open(void)
{
    kl_state_config config = {
        .kv = &twin.kv.kv,
        .fs = twin.no_history ? NULL : kl_sim_disk_fs(twin.disk),
        .history_dir = "history",
        .history_segment_bytes = 1 << 20,
    };
    CHECK_OK(kl_state_open(&twin.state, &config));
    if (twin.state->history)
        twin.state->history->seal = twin.seal;
}

void twin_begin(u64 *seed, bool no_history)
{
    memset(&twin, 0, sizeof twin);
    twin.no_history = no_history;
    make_keys(seed);
    twin.seal = 20 + kl_rand_below(seed, 200);
    CHECK_OK(kl_sim_disk_new(&twin.disk));
    CHECK_OK(kl_memkv_open(&twin.store, KL_TABLE_COUNT));
    fault_kv_init(&twin.kv, twin.store);
    twin_open();
}

void twin_close(void)
{
    for (usize i = 0; i < VIEWS; i++) {
        kl_view_close(twin.views[i].view);
        twin.views[i].view = NULL;
    }
    for (int i = 0; i < twin.node_count; i++)
        kl_delta_unref(twin.nodes[i].delta);
    twin.node_count = 0;
    kl_state_close(twin.state);
    twin.state = NULL;
}

void twin_end(void)
{
    twin_close();
    kl_kv_close(twin.store);
    kl_kv_close(twin.store_before);
    kl_sim_disk_free(twin.disk);
}

void twin_check_key(struct kl_view *view, const struct map *map, usize i)
{
    kl_span value;
    kl_status status = kl_view_get(view, twin.keys[i].table, twin_key(i), &value);
    if (map->value[i] == 0) {
        CHECK(status == KL_NOTFOUND);
        return;
    }
    CHECK_OK(status);
    CHECK_SPAN(value, twin_value(map->value[i]));
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
    CHECK_SPAN(key, twin_key(s->next));
    CHECK_SPAN(value, twin_value(s->map->value[s->next]));
    s->next++;
    return --s->left > 0;
}

static void check_scan(u64 *seed, const struct open_view *v)
{
    kl_table table = (kl_table)(1 + kl_rand_below(seed, KL_TABLE_COUNT - 1));
    usize like = kl_rand_below(seed, KEYS);
    kl_span prefix = kl_span_sub(twin_key(like), 0, kl_rand_below(seed, 40));
    kl_span from = kl_span_sub(twin_key(like), 0, kl_rand_below(seed, 72));
    prefix = kl_rand_below(seed, 2) ? prefix : KL_SPAN_NONE;
    from = kl_rand_below(seed, 2) ? from : KL_SPAN_NONE;
    struct scanned s = {.map = &v->map, .left = 1 + kl_rand_below(seed, KEYS)};
    for (usize i = 0; i < KEYS; i++)
        s.wanted[i] = v->map.value[i] && twin.keys[i].table == table &&
                      kl_span_eq(kl_span_sub(twin_key(i), 0, prefix.len), prefix) &&
                      kl_span_cmp(twin_key(i), from) >= 0;
    kl_status status = kl_view_scan(v->view, table, prefix, from, each_scanned, &s);
    CHECK(status == (v->old ? KL_UNSUPPORTED : KL_OK));
    while (s.next < KEYS && !s.wanted[s.next])
        s.next++;
    CHECK(v->old || s.next == KEYS || s.left == 0);
}

void twin_check_view(u64 *seed, const struct open_view *v, bool all)
{
    CHECK_U64(kl_view_version(v->view), v->version);
    for (usize i = 0; i < KEYS; i++)
        if (all || kl_rand_below(seed, 4) == 0)
            twin_check_key(v->view, &v->map, i);
    check_scan(seed, v);
}

bool twin_is_good(int n)
{
    for (; n >= 0; n = twin.nodes[n].parent) {
        if (twin.nodes[n].version < twin.next)
            return twin.nodes[n].flushed;
        if (twin.nodes[n].parent < 0)
            return twin.nodes[n].version == twin.next;
    }
    return false;
}

int twin_random_node(u64 *seed)
{
    if (twin.node_count == 0 || kl_rand_below(seed, 12) == 0)
        return -1;
    if (kl_rand_below(seed, 3))
        return twin.node_count - 1 - (int)kl_rand_below(seed, (u64)KL_MIN(twin.node_count, 6));
    return (int)kl_rand_below(seed, (u64)twin.node_count);
}

const struct map *twin_map_of(int n)
{
    static const struct map empty;
    return n >= 0 ? &twin.nodes[n].map : twin.next ? &twin.chain[twin.next - 1] : &empty;
}

u64 twin_version_after(int n)
{
    return n >= 0 ? twin.nodes[n].version + 1 : twin.next;
}

const struct map *twin_map_at(int n, u64 version)
{
    while (n >= 0 && twin.nodes[n].version > version)
        n = twin.nodes[n].parent;
    return n >= 0 && twin.nodes[n].version == version ? &twin.nodes[n].map : &twin.chain[version];
}

void twin_add_node(int parent, struct kl_delta *delta, const struct map *map)
{
    CHECK(twin.node_count < NODES);
    struct node *node = &twin.nodes[twin.node_count++];
    *node = (struct node){delta, parent, twin_version_after(parent), false, *map};
    CHECK_U64(kl_delta_version(delta), node->version);
}

void twin_extend(u64 *seed)
{
    int parent = twin_random_node(seed);
    if (twin.node_count == NODES || twin_version_after(parent) + 1 >= VERSIONS)
        return;
    struct map map = *twin_map_of(parent);
    struct kl_delta_builder *b;
    struct kl_delta *delta;
    CHECK_OK(kl_delta_begin(&b, parent >= 0 ? twin.nodes[parent].delta : NULL,
                            twin_version_after(parent)));
    for (u64 n = kl_rand_below(seed, 8); n > 0; n--) {
        usize i = kl_rand_below(seed, KEYS);
        bool same = kl_rand_below(seed, 6) == 0;
        map.value[i] = same ? map.value[i] : kl_rand_below(seed, 4) == 0 ? 0 : ++twin.last_value;
        CHECK_OK(map.value[i]
                     ? kl_delta_put(b, twin.keys[i].table, twin_key(i), twin_value(map.value[i]))
                     : kl_delta_del(b, twin.keys[i].table, twin_key(i)));
    }
    CHECK_OK(kl_delta_seal(b, &delta));
    twin_add_node(parent, delta, &map);
}

void twin_note_flushed(int tip)
{
    u64 end = twin.nodes[tip].version + 1;
    for (int n = tip; n >= 0 && twin.nodes[n].version >= twin.next; n = twin.nodes[n].parent) {
        twin.nodes[n].flushed = true;
        twin.chain[twin.nodes[n].version] = twin.nodes[n].map;
    }
    twin.next = end;
    if (twin.no_history)
        twin.oldest = end - 1;
}

static kl_span anchor_of(u64 version)
{
    static u8 bytes[KL_ANCHOR_MAX];
    u64 state = version;
    kl_rand_fill(&state, bytes, sizeof bytes);
    return kl_span_of(bytes, version % (KL_ANCHOR_MAX + 1));
}

kl_status twin_flush(int tip)
{
    struct kl_kv *before = kv_copy(twin.store, KL_TABLE_COUNT);
    u64 next = twin.next, version = twin.nodes[tip].version, now;
    kl_status status = kl_state_flush(twin.state, twin.nodes[tip].delta, anchor_of(version));
    kl_span anchor;
    if (kl_state_stored(twin.state, &now, &anchor) && now == version && version >= next) {
        if (version >= twin.next)
            twin_note_flushed(tip);
        twin.next_before = next;
        CHECK_SPAN(anchor, anchor_of(version));
        kl_kv_close(twin.store_before);
        twin.store_before = before;
    } else {
        kl_kv_close(before);
    }
    return status;
}

void twin_check_reopened(u64 *seed)
{
    u64 version;
    kl_span anchor;
    bool any = kl_state_stored(twin.state, &version, &anchor);
    CHECK(any == (twin.next > 0));
    if (!any)
        return;
    CHECK_U64(version, twin.next - 1);
    CHECK_SPAN(anchor, anchor_of(version));
    CHECK(kl_state_oldest(twin.state) <= twin.oldest && kl_state_oldest(twin.state) <= version);
    for (int i = 0; i < 12; i++) {
        struct open_view v = {.version = kl_rand_below(seed, twin.next)};
        if (v.version < kl_state_oldest(twin.state))
            continue;
        CHECK_OK(kl_state_view_at(twin.state, v.version, &v.view));
        v.map = twin.chain[v.version];
        v.old = v.version + 1 < twin.next;
        twin_check_view(seed, &v, true);
        kl_view_close(v.view);
    }
}

void twin_reopen(u64 *seed)
{
    twin_close();
    twin_open();
    twin_check_reopened(seed);
}

void twin_lose_commit(void)
{
    kl_kv_close(twin.store);
    twin.store = twin.store_before;
    twin.store_before = NULL;
    twin.kv.inner = twin.store;
    twin.next = twin.next_before;
}
