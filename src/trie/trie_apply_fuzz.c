/* Batches of changes against the twin.  Input: operations of five bytes: what, a pool key, a
 * nibble's place, the nibble, the value's length.  Keys are the pool's with one nibble changed, so
 * most share long starts.  A damaged store must give a status, and never more than that. */
#include "base/fuzz.h"
#include "trie/twin_priv.h"

enum { POOL = 6, PAIRS_MAX = 256, BATCH_MAX = 64, OP = 5 };

struct state {
    struct twin_pair pairs[PAIRS_MAX];
    usize pair_count;
    kl_trie_change changes[BATCH_MAX];
    u8 values[BATCH_MAX][KL_TRIE_VALUE_MAX];
    usize change_count;
    struct twin_store store, wanted;
    struct twin_io io;
    struct kl_arena arena;
};

static kl_hash key_of(const u8 *op)
{
    kl_hash key = {0};
    usize place = op[2] % 64;
    memset(key.b, op[1] % POOL % 2 ? 0x11 : 0, 16);
    memset(key.b + 16, 0x10 * (op[1] % POOL / 2), 16);
    u8 shift = place % 2 ? 0 : 4;
    key.b[place / 2] = (u8)((key.b[place / 2] & (0xf0 >> shift)) | (op[3] & 15) << shift);
    return key;
}

static void add_change(struct state *s, const u8 *op)
{
    kl_hash key = key_of(op);
    usize i = 0, len = op[0] & 1 ? 0 : 1 + op[4] % KL_TRIE_VALUE_MAX;
    while (i < s->change_count && memcmp(&s->changes[i].key, &key, sizeof key) < 0)
        i++;
    if (s->change_count == BATCH_MAX ||
        (i < s->change_count && kl_hash_eq(&s->changes[i].key, &key)))
        return;
    u8 *value = s->values[s->change_count];
    memset(value, 1 + op[4], KL_TRIE_VALUE_MAX);
    memmove(&s->changes[i + 1], &s->changes[i], (s->change_count - i) * sizeof s->changes[0]);
    s->changes[i] = (kl_trie_change){key, kl_span_of(value, len)};
    s->change_count++;
}

static void model_set(struct state *s, const kl_trie_change *change)
{
    struct twin_pair pair;
    usize i = 0;
    twin_pair_set(&pair, kl_hash_span(&change->key), change->value);
    while (i < s->pair_count && memcmp(s->pairs[i].path, pair.path, 64) < 0)
        i++;
    bool there = i < s->pair_count && memcmp(s->pairs[i].path, pair.path, 64) == 0;
    usize to = i + (pair.len > 0), from = i + there;
    KL_ASSERT(s->pair_count + 1 < PAIRS_MAX);
    memmove(&s->pairs[to], &s->pairs[from], (s->pair_count - from) * sizeof pair);
    s->pair_count += to - from;
    if (pair.len)
        s->pairs[i] = pair;
    twin_put_leaf(&s->store, NULL, &change->key, change->value);
}

static void check_same(struct state *s)
{
    usize cursor = 0, nodes = 0;
    for (struct twin_entry *entry = kl_map_next(&s->store.map, &cursor); entry;
         entry = kl_map_next(&s->store.map, &cursor)) {
        if (entry->key[32] == TWIN_LEAF)
            continue;
        const struct twin_entry *twin = kl_map_get(&s->wanted.map, entry->key);
        KL_ASSERT(twin && kl_span_eq(kl_span_of(entry->bytes, entry->len),
                                     kl_span_of(twin->bytes, twin->len)));
        nodes++;
    }
    KL_ASSERT(nodes == s->wanted.map.count);
}

static void check_proof(struct state *s, const kl_hash *root, const kl_hash *key)
{
    struct twin_pair pair;
    kl_span want = KL_SPAN_NONE, value;
    const kl_span *nodes;
    usize count;
    twin_pair_set(&pair, kl_hash_span(key), KL_SPAN_NONE);
    for (usize i = 0; i < s->pair_count; i++)
        if (memcmp(s->pairs[i].path, pair.path, 64) == 0)
            want = kl_span_of(s->pairs[i].value, s->pairs[i].len);
    KL_ASSERT(kl_trie_prove(&nodes, &count, NULL, key, &s->io.source, &s->arena) == KL_OK);
    KL_ASSERT(kl_trie_check(&value, root, kl_hash_span(key), nodes, count) == KL_RULE_NONE);
    KL_ASSERT(kl_span_eq(value, want));
}

static bool room_for(const struct state *s)
{
    return s->pair_count + s->change_count + 1 < PAIRS_MAX;
}

/* Applies the batch to a sound store. */
static void apply(struct state *s, const u8 *op)
{
    kl_trie_update update = {.changes = s->changes, .count = s->change_count};
    KL_ASSERT(kl_trie_apply(&update, 1, &s->io.source, &s->io.sink, &s->arena, NULL) == KL_OK);
    twin_io_write(&s->io);
    for (usize i = 0; i < s->change_count; i++)
        model_set(s, &s->changes[i]);
    s->change_count = 0;
    twin_store_clear(&s->wanted);
    kl_hash root = twin_root(s->pairs, s->pair_count, &s->wanted, NULL);
    KL_ASSERT(kl_hash_eq(&root, &update.root));
    check_same(s);
    kl_hash key = key_of(op);
    check_proof(s, &root, &key);
    kl_arena_reset(&s->arena, SIZE_MAX);
}

/* Applies the batch to a store with one byte changed. */
static void apply_damaged(struct state *s, const u8 *op)
{
    usize cursor = 0;
    struct twin_entry *entry = NULL;
    for (usize skip = op[1] % s->store.map.count + 1; skip; skip--)
        entry = kl_map_next(&s->store.map, &cursor);
    usize at = (op[2] | (usize)op[3] << 8) % entry->len;
    entry->bytes[at] ^= op[4];
    kl_trie_update update = {.changes = s->changes, .count = s->change_count};
    kl_status status = kl_trie_apply(&update, 1, &s->io.source, &s->io.sink, &s->arena, NULL);
    KL_ASSERT(status == KL_OK || status == KL_CORRUPT);
    kl_buf_clear(&s->io.written);
    entry->bytes[at] ^= op[4];
    kl_arena_reset(&s->arena, SIZE_MAX);
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    static struct state s;
    s.pair_count = s.change_count = 0;
    twin_store_init(&s.store);
    twin_store_init(&s.wanted);
    twin_io_init(&s.io, &s.store);
    kl_arena_init(&s.arena, 1 << 24);
    for (; len >= OP && room_for(&s); bytes += OP, len -= OP) {
        if (bytes[0] < 0xe0)
            add_change(&s, bytes);
        else if (bytes[0] < 0xf0 || s.store.map.count == 0)
            apply(&s, bytes);
        else
            apply_damaged(&s, bytes);
    }
    kl_arena_done(&s.arena);
    twin_io_done(&s.io);
    twin_store_done(&s.wanted);
    twin_store_done(&s.store);
    return 0;
}
