#include "base/test.h"
#include "trie/twin_priv.h"

enum { TRIES = 3, PAIRS_MAX = 400, CHANGES_MAX = 60 };

/* Tries as they should be: pairs sorted by key. */
struct model {
    kl_hash owner[TRIES];
    usize count[TRIES];
    kl_hash key[TRIES][PAIRS_MAX];
    u8 value[TRIES][PAIRS_MAX][KL_TRIE_VALUE_MAX];
    usize len[TRIES][PAIRS_MAX];
};

static struct model model;
static struct twin_store store, wanted;
static struct twin_io io;
static struct kl_arena arena;

static const kl_hash *owner_of(usize t)
{
    return t ? &model.owner[t] : NULL;
}

static void begin(u64 *seed)
{
    twin_store_done(&store);
    twin_store_done(&wanted);
    twin_io_done(&io);
    kl_arena_done(&arena);
    memset(&model, 0, sizeof model);
    for (usize t = 1; t < TRIES; t++)
        kl_rand_fill(seed, &model.owner[t], sizeof model.owner[t]);
    twin_store_init(&store);
    twin_store_init(&wanted);
    twin_io_init(&io, &store);
    kl_arena_init(&arena, 1 << 26);
}

static usize find(usize t, const kl_hash *key)
{
    usize i = 0;
    while (i < model.count[t] && memcmp(&model.key[t][i], key, sizeof *key) < 0)
        i++;
    return i;
}

static bool is_at(usize t, usize i, const kl_hash *key)
{
    return i < model.count[t] && kl_hash_eq(&model.key[t][i], key);
}

static void model_set(usize t, const kl_hash *key, kl_span value)
{
    usize i = find(t, key), count = model.count[t];
    bool there = is_at(t, i, key);
    usize from = value.len ? i : i + 1, to = value.len ? i + 1 : i, moved = count - from;
    if (there == (value.len == 0)) {
        if (value.len == 0)
            moved = count - i - 1;
        KL_ASSERT(to + moved <= PAIRS_MAX);
        memmove(&model.key[t][to], &model.key[t][from], moved * sizeof model.key[t][0]);
        memmove(&model.value[t][to], &model.value[t][from], moved * sizeof model.value[t][0]);
        memmove(&model.len[t][to], &model.len[t][from], moved * sizeof model.len[t][0]);
        model.count[t] = value.len ? count + 1 : count - 1;
    }
    if (value.len) {
        model.key[t][i] = *key;
        memcpy(model.value[t][i], value.p, value.len);
        model.len[t][i] = value.len;
    }
    twin_put_leaf(&store, owner_of(t), key, value);
}

static const struct twin_pair *twin_pairs(usize t)
{
    static struct twin_pair pairs[PAIRS_MAX];
    for (usize i = 0; i < model.count[t]; i++)
        twin_pair_set(&pairs[i], kl_hash_span(&model.key[t][i]),
                      kl_span_of(model.value[t][i], model.len[t][i]));
    return pairs;
}

static kl_hash model_root(usize t, struct twin_store *nodes)
{
    return twin_root(twin_pairs(t), model.count[t], nodes, owner_of(t));
}

static kl_hash pick_key(u64 *seed, usize t)
{
    kl_hash key;
    kl_rand_fill(seed, &key, sizeof key);
    if (model.count[t] == 0 || kl_rand_below(seed, 8) == 0)
        return key;
    key = model.key[t][kl_rand_below(seed, model.count[t])];
    return kl_rand_below(seed, 4) ? twin_near_key(seed, &key) : key;
}

struct batch {
    kl_trie_update update[TRIES];
    kl_trie_change change[TRIES][CHANGES_MAX];
    u8 value[TRIES][CHANGES_MAX][KL_TRIE_VALUE_MAX];
};

static struct batch batch;

static void add_change(usize t, const kl_hash *key, kl_span value)
{
    kl_trie_update *update = &batch.update[t];
    kl_trie_change *change = batch.change[t];
    usize i = 0;
    while (i < update->count && memcmp(&change[i].key, key, sizeof *key) < 0)
        i++;
    if ((i < update->count && kl_hash_eq(&change[i].key, key)) || update->count == CHANGES_MAX)
        return;
    memmove(&change[i + 1], &change[i], (update->count - i) * sizeof change[0]);
    change[i] = (kl_trie_change){*key, value};
    update->count++;
}

static void begin_batch(void)
{
    for (usize t = 0; t < TRIES; t++)
        batch.update[t] = (kl_trie_update){.owner = owner_of(t), .changes = batch.change[t]};
}

static void random_batch(u64 *seed)
{
    begin_batch();
    for (usize t = 0; t < TRIES; t++) {
        usize count = kl_rand_below(seed, 2) ? kl_rand_below(seed, 4) : kl_rand_below(seed, 30);
        u64 deletes = kl_rand_below(seed, 5);
        if (kl_rand_below(seed, 12) == 0)
            count = 0;
        for (usize i = 0; i < count; i++) {
            kl_hash key = pick_key(seed, t);
            u8 *value = batch.value[t][i];
            bool gone = kl_rand_below(seed, 5) < deletes;
            bool full = model.count[t] + count > PAIRS_MAX;
            add_change(t, &key, kl_span_of(value, gone || full ? 0 : twin_value(seed, value)));
        }
        if (model.count[t] <= CHANGES_MAX && kl_rand_below(seed, 20) == 0) {
            batch.update[t].count = 0;
            for (usize i = 0; i < model.count[t]; i++)
                add_change(t, &model.key[t][i], KL_SPAN_NONE);
        }
    }
}

/* What a caller does before it says `fresh`: nothing of the trie is left. */
static void wipe_trie(usize t)
{
    static struct twin_store kept;
    twin_store_init(&kept);
    u8 name[32] = {0};
    if (t)
        memcpy(name, &model.owner[t], sizeof name);
    usize cursor = 0;
    for (struct twin_entry *entry = kl_map_next(&store.map, &cursor); entry;
         entry = kl_map_next(&store.map, &cursor))
        if (memcmp(entry->key, name, sizeof name) != 0)
            twin_put(&kept, entry->key, kl_span_of(entry->bytes, entry->len));
    twin_store_done(&store);
    store = kept;
    model.count[t] = 0;
}

static void check_same_nodes(void)
{
    usize cursor = 0, nodes = 0;
    for (struct twin_entry *entry = kl_map_next(&store.map, &cursor); entry;
         entry = kl_map_next(&store.map, &cursor)) {
        if (entry->key[32] == TWIN_LEAF)
            continue;
        const struct twin_entry *twin = kl_map_get(&wanted.map, entry->key);
        CHECK(twin != NULL);
        CHECK_SPAN(kl_span_of(entry->bytes, entry->len), kl_span_of(twin->bytes, twin->len));
        nodes++;
    }
    CHECK_U64(nodes, wanted.map.count);
}

/* Applies the batch; roots and stored nodes are then those of a trie built from scratch. */
static void apply_and_check(struct kl_workers *workers)
{
    kl_arena_reset(&arena, SIZE_MAX);
    CHECK_OK(kl_trie_apply(batch.update, TRIES, &io.source, &io.sink, &arena, workers));
    twin_io_write(&io);
    twin_store_clear(&wanted);
    for (usize t = 0; t < TRIES; t++) {
        const kl_trie_update *update = &batch.update[t];
        for (usize i = 0; i < update->count; i++)
            model_set(t, &update->changes[i].key, update->changes[i].value);
        kl_hash want = model_root(t, &wanted), got;
        CHECK_SPAN(kl_hash_span(&update->root), kl_hash_span(&want));
        CHECK_OK(kl_trie_root(&got, owner_of(t), &io.source, &arena));
        CHECK_SPAN(kl_hash_span(&got), kl_hash_span(&want));
    }
    check_same_nodes();
}

KL_TEST(apply_gives_what_a_build_from_scratch_gives)
{
    for (int run = 0; run < 40; run++) {
        begin(seed);
        for (int round = 0; round < 60; round++) {
            random_batch(seed);
            usize fresh = kl_rand_below(seed, 30);
            if (fresh < TRIES) {
                wipe_trie(fresh);
                batch.update[fresh].fresh = true;
            }
            apply_and_check(NULL);
        }
    }
}

KL_TEST(apply_of_nothing_changes_nothing)
{
    begin(seed);
    for (int round = 0; round < 40; round++) {
        random_batch(seed);
        apply_and_check(NULL);
        begin_batch();
        for (usize t = 0; t < TRIES; t++)
            for (int i = 0; i < 20; i++) {
                kl_hash key = pick_key(seed, t);
                usize at = find(t, &key);
                bool there = is_at(t, at, &key);
                add_change(t, &key, kl_span_of(model.value[t][at], there ? model.len[t][at] : 0));
            }
        CHECK_OK(kl_trie_apply(batch.update, TRIES, &io.source, &io.sink, &arena, NULL));
        CHECK_U64(twin_io_write(&io), 0);
    }
}

/* Runs the parts backwards: no part may count on another. */
static void run_backwards(KL_UNUSED struct kl_workers *workers,
                          void (*part)(void *ctx, usize index), void *ctx, usize count)
{
    while (count-- > 0)
        part(ctx, count);
}

static void many(u64 *seed, kl_trie_change *changes, u8 (*values)[40], usize count)
{
    for (usize i = 0; i < count; i++) {
        kl_rand_fill(seed, &changes[i].key, sizeof changes[i].key);
        kl_store_be32(changes[i].key.b, (u32)i * 2654435u); /* rises, and spreads */
        kl_rand_fill(seed, values[i], sizeof values[i]);
        changes[i].value = kl_span_of(values[i], 1 + kl_rand_below(seed, sizeof values[i]));
    }
}

KL_TEST(apply_with_workers_gives_the_same)
{
    enum { COUNT = 1600 };
    static kl_trie_change changes[COUNT];
    static u8 values[COUNT][40];
    struct kl_workers workers = {.run = run_backwards, .threads = 2};
    begin(seed);
    many(seed, changes, values, COUNT);
    kl_trie_update alone = {.changes = changes, .count = COUNT}, shared = alone;
    CHECK_OK(kl_trie_apply(&alone, 1, &io.source, &io.sink, &arena, NULL));
    struct kl_buf first = io.written;
    kl_buf_init(&io.written, SIZE_MAX / 2);
    CHECK_OK(kl_trie_apply(&shared, 1, &io.source, &io.sink, &arena, &workers));
    CHECK_SPAN(kl_hash_span(&shared.root), kl_hash_span(&alone.root));
    CHECK_SPAN(kl_buf_view(&io.written), kl_buf_view(&first));
    kl_buf_done(&first);
}

KL_TEST(apply_reads_only_the_paths_that_change)
{
    enum { COUNT = 1600, DEPTH_MAX = 8 };
    static kl_trie_change changes[COUNT];
    static u8 values[COUNT][40];
    begin(seed);
    many(seed, changes, values, COUNT);
    kl_trie_update update = {.changes = changes, .count = COUNT, .fresh = true};
    CHECK_OK(kl_trie_apply(&update, 1, &io.source, &io.sink, &arena, NULL));
    CHECK_U64(store.reads, 0);
    twin_io_write(&io);
    for (int i = 0; i < 100; i++) {
        store.reads = 0;
        update = (kl_trie_update){.changes = &changes[kl_rand_below(seed, COUNT)], .count = 1};
        CHECK_OK(kl_trie_apply(&update, 1, &io.source, &io.sink, &arena, NULL));
        CHECK(store.reads <= DEPTH_MAX);
    }
}

/* Every read, write and allocation fails in turn; the batch then goes through all the same. */
KL_TEST(apply_reports_what_failed)
{
    begin(seed);
    for (int round = 0; round < 12; round++) {
        random_batch(seed);
        kl_status status = KL_IO;
        for (store.fail_read = 1; status == KL_IO; store.fail_read++) {
            store.reads = 0;
            status = kl_trie_apply(batch.update, TRIES, &io.source, &io.sink, &arena, NULL);
            kl_buf_clear(&io.written);
        }
        CHECK_OK(status);
        store.fail_read = 0;
        status = KL_FULL;
        for (io.fail_write = 1; status == KL_FULL; io.fail_write++) {
            io.writes = 0;
            status = kl_trie_apply(batch.update, TRIES, &io.source, &io.sink, &arena, NULL);
            kl_buf_clear(&io.written);
        }
        CHECK_OK(status);
        io.fail_write = 0;
        status = KL_NOMEM;
        for (usize limit = 0; status == KL_NOMEM; limit += 700) {
            struct kl_arena small;
            kl_arena_init(&small, limit);
            status = kl_trie_apply(batch.update, TRIES, &io.source, &io.sink, &small, NULL);
            kl_arena_done(&small);
            kl_buf_clear(&io.written);
        }
        CHECK_OK(status);
        apply_and_check(NULL);
    }
}

KL_TEST(apply_without_a_sink_gives_the_roots)
{
    begin(seed);
    for (int round = 0; round < 20; round++) {
        kl_hash root[TRIES];
        random_batch(seed);
        CHECK_OK(kl_trie_apply(batch.update, TRIES, &io.source, NULL, &arena, NULL));
        for (usize t = 0; t < TRIES; t++)
            root[t] = batch.update[t].root;
        apply_and_check(NULL);
        for (usize t = 0; t < TRIES; t++)
            CHECK_SPAN(kl_hash_span(&root[t]), kl_hash_span(&batch.update[t].root));
    }
}

/* Without one of the nodes, or of the leaves, changes either do not need it or are refused. */
KL_TEST(apply_refuses_a_store_with_holes)
{
    unsigned refused = 0;
    begin(seed);
    for (int round = 0; round < 30; round++) {
        random_batch(seed);
        apply_and_check(NULL);
    }
    usize entries = store.map.count, cursor = 0;
    static u8 keys[4096][TWIN_KEY];
    KL_ASSERT(entries <= KL_COUNT_OF(keys));
    for (usize i = 0; i < entries; i++)
        memcpy(keys[i], ((struct twin_entry *)kl_map_next(&store.map, &cursor))->key, TWIN_KEY);
    for (usize i = 0; i < entries; i++) {
        struct twin_entry *entry = kl_map_take(&store.map, keys[i]);
        random_batch(seed);
        kl_status status = kl_trie_apply(batch.update, TRIES, &io.source, NULL, &arena, NULL);
        CHECK(status == KL_OK || status == KL_CORRUPT);
        refused += status == KL_CORRUPT;
        CHECK_OK(kl_map_put(&store.map, entry));
        kl_arena_reset(&arena, SIZE_MAX);
    }
    CHECK(refused > 0);
}

KL_TEST(apply_refuses_leaves_that_cannot_be)
{
    static u8 longest[KL_TRIE_VALUE_MAX + 1];
    kl_hash a = {{0x10}}, b = {{0x11}};
    u8 one = 1, key[TWIN_KEY];
    twin_key(key, NULL, KL_SPAN_NONE, TWIN_LEAF);
    memcpy(key + 33, &b, sizeof b);
    begin(seed);
    begin_batch();
    add_change(0, &a, KL_SPAN_OF(one));
    add_change(0, &b, KL_SPAN_OF(one));
    apply_and_check(NULL);
    begin_batch();
    add_change(0, &a, KL_SPAN_NONE); /* b moves up and is hashed again */
    twin_put(&store, key, KL_SPAN_OF(longest));
    CHECK(kl_trie_apply(batch.update, TRIES, &io.source, NULL, &arena, NULL) == KL_CORRUPT);
    struct twin_entry *entry = kl_map_get(&store.map, key);
    entry->len = 0;
    CHECK(kl_trie_apply(batch.update, TRIES, &io.source, NULL, &arena, NULL) == KL_CORRUPT);
    twin_put(&store, key, KL_SPAN_OF(one));
    apply_and_check(NULL);
}
