/* Readers beside the executing and the flushing thread.  What each key is at each version follows
 * from their numbers, so readers can judge what they read without asking anybody. */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "base/sync.h"
#include "base/test.h"
#include "sim/disk.h"
#include "state/history_core_priv.h"
#include "state/state_priv.h"

enum { KEYS = 64, READERS = 3, VERSIONS = 700, LAG = 30 };

static struct kl_state *state;
static kl_mutex lock = KL_MUTEX_INIT;
/* Under lock. */
static struct kl_delta *head;
static u64 flushed;
static bool over;

static bool changes(u64 version, u64 key)
{
    u64 mix = version * 1000 + key;
    return kl_rand(&mix) % 8 == 0;
}

/* The version whose value the key has at `version`; 0: it has none. */
static u64 value_at(u64 version, u64 key)
{
    while (version > 0 && !changes(version, key))
        version--;
    return version % 5 == 0 ? 0 : version;
}

static void check_version(u64 *seed, struct kl_view *view)
{
    u64 version = kl_view_version(view);
    for (int n = 0; n < 10; n++) {
        u64 key = kl_rand_below(seed, KEYS), want = value_at(version, key);
        kl_span got;
        kl_status status = kl_view_get(view, KL_TABLE_ACCOUNT, KL_SPAN_OF(key), &got);
        KL_ASSERT(status == (want ? KL_OK : KL_NOTFOUND));
        KL_ASSERT(!want || kl_load_le64(got.p) == want);
    }
}

static bool count_entry(void *ctx, kl_span key, kl_span value)
{
    u64 version = ((u64 *)ctx)[0];
    ((u64 *)ctx)[1]++;
    KL_ASSERT(kl_load_le64(value.p) == value_at(version, kl_load_le64(key.p)));
    return true;
}

static void check_scan(struct kl_view *view)
{
    u64 ctx[2] = {kl_view_version(view), 0}, want = 0;
    for (u64 key = 0; key < KEYS; key++)
        want += value_at(ctx[0], key) > 0;
    KL_ASSERT(kl_view_scan(view, KL_TABLE_ACCOUNT, KL_SPAN_NONE, KL_SPAN_NONE, count_entry, ctx) ==
              KL_OK);
    KL_ASSERT(ctx[1] == want);
}

static struct kl_delta *take_head(bool *stop)
{
    kl_lock(&lock);
    struct kl_delta *delta = head ? kl_delta_ref(head) : NULL;
    *stop = over;
    kl_unlock(&lock);
    return delta;
}

static void *read_all(void *arg)
{
    u64 seed = (u64)(uintptr_t)arg;
    for (bool stop = false; !stop;) {
        struct kl_delta *delta = take_head(&stop);
        if (!delta)
            continue;
        u64 version = kl_delta_version(delta);
        struct kl_view *view;
        /* The head may be flushed, overtaken, even pruned before this thread gets to it. */
        if (kl_state_view(state, delta, &view) != KL_OK) {
            KL_ASSERT(version < kl_state_oldest(state));
            kl_delta_unref(delta);
            continue;
        }
        KL_ASSERT(kl_view_version(view) == version);
        check_version(&seed, view);
        if (view->step >= view->base && kl_rand_below(&seed, 4) == 0)
            check_scan(view);
        kl_delta_unref(delta);
        check_version(&seed, view);
        kl_view_close(view);

        u64 old = kl_rand_below(&seed, version + 1);
        kl_lock(&lock);
        u64 flushed_before = flushed;
        kl_unlock(&lock);
        kl_status status = kl_state_view_at(state, old, &view);
        KL_ASSERT(status == KL_OK || old >= flushed_before || old < kl_state_oldest(state));
        if (status != KL_OK)
            continue;
        check_version(&seed, view);
        kl_view_close(view);
    }
    return NULL;
}

static void *flush_all(void *arg)
{
    u64 seed = (u64)(uintptr_t)arg;
    for (bool stop = false; !stop;) {
        struct kl_delta *delta = take_head(&stop);
        if (!delta)
            continue;
        u64 version = kl_delta_version(delta);
        KL_ASSERT(kl_state_flush(state, delta, KL_SPAN_OF(version)) == KL_OK);
        kl_lock(&lock);
        flushed = version + 1;
        kl_unlock(&lock);
        kl_delta_unref(delta);
        if (kl_rand_below(&seed, 10) == 0)
            KL_ASSERT(kl_state_prune(state, version / 2) == KL_OK);
    }
    return NULL;
}

static void extend(void)
{
    struct kl_delta_builder *builder;
    struct kl_delta *delta;
    u64 version = head ? kl_delta_version(head) + 1 : 0;
    KL_ASSERT(kl_delta_begin(&builder, head, version) == KL_OK);
    for (u64 key = 0; key < KEYS; key++) {
        if (!changes(version, key) || version == 0)
            continue;
        kl_status status =
            value_at(version, key)
                ? kl_delta_put(builder, KL_TABLE_ACCOUNT, KL_SPAN_OF(key), KL_SPAN_OF(version))
                : kl_delta_del(builder, KL_TABLE_ACCOUNT, KL_SPAN_OF(key));
        KL_ASSERT(status == KL_OK);
    }
    KL_ASSERT(kl_delta_seal(builder, &delta) == KL_OK);
    kl_lock(&lock);
    struct kl_delta *old = head;
    head = delta;
    kl_unlock(&lock);
    kl_delta_unref(old);
}

/* Holds back while too much is not flushed. */
static void wait_for_flush(u64 version)
{
    for (bool behind = true; behind; sched_yield()) {
        kl_lock(&lock);
        behind = version > flushed + LAG;
        kl_unlock(&lock);
    }
}

KL_TEST(state_readers_beside_writers)
{
    struct kl_sim_disk *disk;
    struct kl_kv *store;
    CHECK_OK(kl_sim_disk_new(&disk));
    CHECK_OK(kl_memkv_open(&store, KL_TABLE_COUNT));
    kl_state_config config = {
        .kv = store,
        .fs = kl_sim_disk_fs(disk),
        .history_dir = "history",
        .history_segment_bytes = 1 << 20,
    };
    CHECK_OK(kl_state_open(&state, &config));
    state->history->seal = 500;
    head = NULL;
    flushed = 0;
    over = false;
    pthread_t thread[READERS + 1];
    for (usize i = 0; i <= READERS; i++)
        CHECK(pthread_create(&thread[i], NULL, i ? read_all : flush_all,
                             (void *)(uintptr_t)kl_rand(seed)) == 0);
    for (u64 version = 0; version < VERSIONS; version++) {
        extend();
        wait_for_flush(version);
    }
    kl_lock(&lock);
    over = true;
    kl_unlock(&lock);
    for (usize i = 0; i <= READERS; i++)
        CHECK(pthread_join(thread[i], NULL) == 0);
    struct kl_delta *tip = head;
    CHECK_OK(kl_state_flush(state, tip, KL_SPAN_NONE));
    for (u64 v = kl_state_oldest(state); v < VERSIONS; v += 7) {
        struct kl_view *view;
        CHECK_OK(kl_state_view_at(state, v, &view));
        check_version(seed, view);
        kl_view_close(view);
    }
    kl_delta_unref(head);
    kl_state_close(state);
    kl_kv_close(store);
    kl_sim_disk_free(disk);
}
