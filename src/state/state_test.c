/* The whole of versions, views, flushes, reverts, history and crashes against a twin that keeps a
 * map for every version. */
#include "state/state.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "sim/disk.h"
#include "state/history_core_priv.h"
#include "state/state_priv.h"
#include "state/state_twin.h"

static struct open_view *free_view(u64 *seed)
{
    struct open_view *v = &twin.views[kl_rand_below(seed, VIEWS)];
    if (v->view) {
        twin_check_view(seed, v, true);
        kl_view_close(v->view);
        v->view = NULL;
    }
    return v;
}

static void open_at_node(u64 *seed)
{
    int n = twin_random_node(seed);
    struct open_view *v = free_view(seed);
    if (n < 0 && twin.next == 0)
        return;
    kl_status status = kl_state_view(twin.state, n >= 0 ? twin.nodes[n].delta : NULL, &v->view);
    if (n >= 0 && !twin_is_good(n)) {
        CHECK(status == KL_CANCELED);
        return;
    }
    if (status == KL_NOTFOUND) {
        CHECK(twin.nodes[n].version < twin.oldest);
        return;
    }
    CHECK_OK(status);
    v->version = twin_version_after(n) - 1;
    v->old = v->version + 1 < twin.next;
    v->map = *twin_map_of(n);
    twin_check_view(seed, v, false);
}

static void open_old(u64 *seed)
{
    struct open_view *v = free_view(seed);
    if (twin.next == 0) {
        CHECK(kl_state_view_at(twin.state, 0, &v->view) == KL_NOTFOUND);
        return;
    }
    v->version = kl_rand_below(seed, twin.next);
    kl_status status = kl_state_view_at(twin.state, v->version, &v->view);
    CHECK(kl_state_oldest(twin.state) <= twin.oldest);
    CHECK(status == KL_NOTFOUND || v->version >= kl_state_oldest(twin.state));
    if (status == KL_NOTFOUND) {
        CHECK(v->version < twin.oldest);
        return;
    }
    CHECK_OK(status);
    v->old = v->version + 1 < twin.next;
    v->map = twin.chain[v->version];
    twin_check_view(seed, v, false);
}

/* Views opened while a commit is on its way: first it has not happened, then it has, and the state
 * does not know yet. */
struct window {
    u64 *seed;
    int tip;
    usize calls;
};

static void inside_commit(void *ctx)
{
    struct window *w = ctx;
    if (w->calls++ > 0)
        twin_note_flushed(w->tip);
    for (int i = 0; i < 4; i++) {
        open_at_node(w->seed);
        open_old(w->seed);
    }
}

static void flush(u64 *seed)
{
    int tip = twin_random_node(seed);
    if (tip < 0)
        return;
    bool good = twin_is_good(tip) && twin.nodes[tip].version + 1 >= twin.next;
    enum fault fault =
        kl_rand_below(seed, 12) ? FAULT_NONE : 1 + (enum fault)kl_rand_below(seed, 3);
    twin.kv.fault = fault;
    struct window window = {.seed = seed, .tip = tip};
    twin.kv.ctx = &window;
    twin.kv.inside = kl_rand_below(seed, 3) ? NULL : inside_commit;
    kl_status status = twin_flush(tip);
    if (!good)
        CHECK(status == KL_CANCELED);
    else if (twin.kv.fault == fault)
        CHECK_OK(status);
    else
        CHECK(status == (fault == FAULT_PUT ? KL_FULL : KL_IO));
    twin.kv.fault = FAULT_NONE;
    twin.kv.inside = NULL;
}

static void revert(u64 *seed)
{
    int head = twin_random_node(seed);
    u64 after = twin_version_after(head);
    if (after == 0 || after + 1 >= VERSIONS || twin.node_count == NODES)
        return;
    u64 back = kl_rand_below(seed, 3) ? kl_rand_below(seed, KL_MIN(after, 20))
                                      : kl_rand_below(seed, after);
    u64 to = after - 1 - back;
    struct kl_delta *delta = NULL;
    struct kl_delta_builder *builder;
    struct kl_view *old;
    kl_status status =
        kl_state_revert(twin.state, head >= 0 ? twin.nodes[head].delta : NULL, to, &builder, &old);
    if (head >= 0 && (!twin_is_good(head) || twin.nodes[head].version + 1 < twin.next)) {
        CHECK(status == KL_CANCELED || status == KL_NOTFOUND);
        return;
    }
    if (to < kl_state_oldest(twin.state)) {
        CHECK(status == KL_NOTFOUND);
        return;
    }
    CHECK_OK(status);
    CHECK_U64(kl_view_version(old), to);
    kl_view_close(old);
    CHECK_OK(kl_delta_seal(builder, &delta));
    twin_add_node(head, delta, twin_map_at(head, to));
}

static void prune(u64 *seed)
{
    if (twin.next == 0)
        return;
    u64 version = kl_rand_below(seed, twin.next), least = version;
    for (usize i = 0; i < VIEWS; i++)
        if (twin.views[i].view && twin.views[i].old)
            least = KL_MIN(least, twin.views[i].version);
    CHECK_OK(kl_state_prune(twin.state, version));
    if (twin.no_history)
        return;
    twin.oldest = KL_MAX(twin.oldest, least);
    CHECK(kl_state_oldest(twin.state) <= twin.oldest);
}

/* The power goes out.  What the database committed last may be lost with it. */
static void power_cut(u64 *seed)
{
    twin_close();
    struct kl_sim_disk *after;
    kl_power_cut how = (kl_power_cut)kl_rand_below(seed, 3);
    CHECK_OK(
        kl_sim_disk_cut(twin.disk, kl_sim_disk_operations(twin.disk), how, kl_rand(seed), &after));
    kl_sim_disk_free(twin.disk);
    twin.disk = after;
    if (twin.store_before && kl_rand_below(seed, 2))
        twin_lose_commit();
    twin_open();
    twin_check_reopened(seed);
}

/* The disk fails somewhere in a flush; the history stays broken until a restart, reads go on. */
static void disk_failure(u64 *seed)
{
    int tip = twin_random_node(seed);
    if (tip < 0 || !twin_is_good(tip) || twin.nodes[tip].version < twin.next)
        return;
    kl_status how = kl_rand_below(seed, 2) ? KL_IO : KL_FULL;
    kl_sim_disk_fail(twin.disk, kl_rand_below(seed, 6), how, kl_rand(seed));
    kl_status status = twin_flush(tip);
    CHECK(status == KL_OK || status == how);
    open_at_node(seed);
    open_old(seed);
    kl_sim_disk_fail(twin.disk, 0, KL_OK, 0);
    if (status != KL_OK && kl_rand_below(seed, 2))
        power_cut(seed);
    else
        twin_reopen(seed);
}

/* The power goes out inside a flush.  As long as the disk has something to do the database has not
 * committed: the history comes first. */
static void power_cut_in_flush(u64 *seed)
{
    int tip = twin_random_node(seed);
    if (tip < 0 || !twin_is_good(tip) || twin.nodes[tip].version < twin.next)
        return;
    u64 first = kl_sim_disk_operations(twin.disk);
    CHECK_OK(twin_flush(tip));
    u64 last = kl_sim_disk_operations(twin.disk);
    twin_close();
    u64 cut = first + kl_rand_below(seed, last - first + 1);
    struct kl_sim_disk *after;
    CHECK_OK(kl_sim_disk_cut(twin.disk, cut, (kl_power_cut)kl_rand_below(seed, 3), kl_rand(seed),
                             &after));
    kl_sim_disk_free(twin.disk);
    twin.disk = after;
    if (cut < last || kl_rand_below(seed, 2))
        twin_lose_commit();
    twin_open();
    twin_check_reopened(seed);
}

static void run(u64 *seed, int count, bool no_history)
{
    twin_begin(seed, no_history);
    for (int i = 0; i < count; i++) {
        u64 what = kl_rand_below(seed, 100);
        if (what < 55)
            twin_extend(seed);
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
        else if (what < 97)
            twin_reopen(seed);
        else if (what < 98)
            power_cut(seed);
        else if (what < 99)
            disk_failure(seed);
        else
            power_cut_in_flush(seed);
        if (twin.node_count > NODES - 10)
            twin_reopen(seed);
    }
    for (usize i = 0; i < VIEWS; i++)
        if (twin.views[i].view)
            twin_check_view(seed, &twin.views[i], true);
    twin_reopen(seed);
    twin_end();
}

KL_TEST(state_versions_are_maps)
{
    for (int round = 0; round < 8; round++)
        run(seed, 800, round % 4 == 3);
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
    CHECK_OK(kl_fs_open(kl_sim_disk_fs(twin.disk), &file, path, KL_OPEN_READ));
    CHECK_OK(kl_file_size(file, &size));
    kl_file_close(file);
    u64 at = kl_rand_below(seed, KL_MIN(size, (u64)20480));
    CHECK_OK(kl_sim_disk_flip(twin.disk, path, at, (unsigned)kl_rand_below(seed, 8)));
}

/* Bits of the history decay: whatever is still served is right. */
KL_TEST(state_history_damage_is_never_served)
{
    for (int round = 0; round < 20; round++) {
        twin_begin(seed, false);
        for (int n = 0; n < 60 && twin.next < 60; n++) {
            for (int i = 0; i < 8; i++)
                twin_extend(seed);
            flush(seed);
        }
        struct names *names = calloc(1, sizeof *names);
        names->dir = round % 2 ? "history/log" : "history/index";
        CHECK_OK(kl_fs_list(kl_sim_disk_fs(twin.disk), names->dir, each_name, names));
        for (int flips = 0; flips < 30 && names->count; flips++)
            flip_somewhere(seed, names->path[kl_rand_below(seed, names->count)]);
        usize bad = 0;
        for (u64 v = kl_state_oldest(twin.state); v < twin.next; v++) {
            struct kl_view *view;
            CHECK_OK(kl_state_view_at(twin.state, v, &view));
            for (usize i = 0; i < KEYS; i++) {
                kl_span value;
                kl_status status = kl_view_get(view, twin.keys[i].table, twin_key(i), &value);
                bad += status == KL_CORRUPT;
                if (status != KL_CORRUPT)
                    twin_check_key(view, &twin.chain[v], i);
            }
            kl_view_close(view);
        }
        CHECK(bad > 0 || names->count == 0 || round % 2 == 0);
        free(names);
        twin_end();
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
    twin_begin(seed, false);
    for (u64 v = 0; v < 300; v++) {
        struct kl_delta_builder *b;
        struct kl_delta *delta;
        struct map map = *twin_map_of(twin.node_count - 1);
        CHECK_OK(kl_delta_begin(&b, v ? twin.nodes[twin.node_count - 1].delta : NULL, v));
        for (usize i = 0; i < KEYS; i += 1 + kl_rand_below(seed, 3)) {
            map.value[i] = 31 * 7 * 5 + 31 * ++twin.last_value; /* mostly long ones */
            CHECK_OK(kl_delta_put(b, twin.keys[i].table, twin_key(i), twin_value(map.value[i])));
        }
        CHECK_OK(kl_delta_seal(b, &delta));
        twin_add_node(twin.node_count - 1, delta, &map);
        if (v % 7 == 0)
            CHECK_OK(twin_flush(twin.node_count - 1));
    }
    CHECK_OK(twin_flush(twin.node_count - 1));
    u64 bytes = kl_seglog_bytes(twin.state->history->log);
    CHECK(bytes > 8u << 20);
    for (u64 keep = 20; keep < 300; keep += kl_rand_below(seed, 90)) {
        struct kl_view *pin;
        CHECK_OK(kl_state_view_at(twin.state, kl_state_oldest(twin.state), &pin));
        CHECK_OK(kl_state_prune(twin.state, keep));
        CHECK_U64(kl_state_oldest(twin.state) + 1, kl_view_version(pin) + 1);
        kl_view_close(pin);
        CHECK_OK(kl_state_prune(twin.state, keep));
        CHECK_U64(kl_state_oldest(twin.state), keep);
        twin.oldest = keep;
        if (kl_rand_below(seed, 2))
            twin_reopen(seed);
        else
            twin_check_reopened(seed);
    }
    CHECK(kl_seglog_bytes(twin.state->history->log) < bytes / 2);
    CHECK_OK(kl_state_prune(twin.state, 299));
    twin.oldest = 299;
    twin_reopen(seed);
    twin_end();
}
