/* What roots of lists, and updates of the account trie with its nodes in memory, cost.  "hash" is
 * what hashing the branches and leaves that changed would cost alone, on messages of the same
 * lengths side by side: the floor of any implementation.  Times are medians. */
#include <stdio.h>
#include <time.h>

#include "trie/twin_priv.h"

enum { VALUE = 80, ROUNDS_MAX = 1000 };

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Nodes by path, leaves all alike: what a source in memory costs at least. */
struct bench {
    struct kl_trie_source source; /* first */
    struct kl_trie_sink sink;
    struct twin_store store;
    u8 value[VALUE];
    usize nodes, blocks; /* written: branches, and the blocks their hashes take */
};

static kl_status bench_node(struct kl_trie_source *source, const kl_hash *owner, kl_span path,
                            kl_span *out)
{
    u8 key[TWIN_KEY];
    twin_key(key, owner, path, (u8)path.len);
    return twin_get(&((struct bench *)source)->store, key, out);
}

static kl_status bench_leaf(struct kl_trie_source *source, KL_UNUSED const kl_hash *owner,
                            KL_UNUSED const kl_hash *key, kl_span *out)
{
    *out = KL_SPAN_OF(((struct bench *)source)->value);
    return KL_OK;
}

static struct bench bench = {.source = {bench_node, bench_leaf}};

/* Overwrites in place where it can: nodes of a trie that keeps its shape keep their lengths. */
static kl_status bench_sink(KL_UNUSED struct kl_trie_sink *sink, const kl_hash *owner, kl_span path,
                            kl_span node)
{
    u8 key[TWIN_KEY];
    twin_key(key, owner, path, (u8)path.len);
    struct twin_entry *entry = kl_map_get(&bench.store.map, key);
    if (node.len >= 4) {
        unsigned children = (unsigned)__builtin_popcount(kl_load_be16(node.p));
        bench.nodes++;
        bench.blocks += (17 + 32 * children + 3) / 136 + 1;
    }
    if (entry && entry->len == node.len)
        memcpy(entry->bytes, node.p, node.len);
    else
        twin_put(&bench.store, key, node);
    return KL_OK;
}

/* Microseconds to hash a block when `lanes` messages of four blocks stand side by side. */
static double block_us(usize lanes)
{
    static u8 bytes[8][532];
    kl_span in[8];
    kl_hash out[8];
    for (usize i = 0; i < 8; i++)
        in[i] = KL_SPAN_OF(bytes[i]);
    double best = 1e18;
    for (usize round = 0; round < 1000; round++) {
        double start = now_us();
        for (usize i = 0; i < 10; i++)
            kl_keccak256_batch(out, in, lanes);
        best = KL_MIN(best, (now_us() - start) / (double)(10 * lanes * 4));
    }
    return best;
}

static kl_hash account(u64 i)
{
    u8 bytes[8];
    kl_store_le64(bytes, i);
    return kl_keccak256(KL_SPAN_OF(bytes));
}

static int by_size(const void *a, const void *b)
{
    double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static int by_key(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(kl_hash));
}

/* `count` accounts out of `leaves`, each with another value than before. */
static usize pick(kl_trie_change *changes, u8 (*values)[VALUE], usize count, u64 leaves, u64 *seed)
{
    for (usize i = 0; i < count; i++) {
        kl_rand_fill(seed, values[i], VALUE);
        values[i][0] = 0xf8;
        changes[i] = (kl_trie_change){account(kl_rand_below(seed, leaves)), KL_SPAN_OF(values[i])};
    }
    qsort(changes, count, sizeof *changes, by_key);
    usize used = 0;
    for (usize i = 0; i < count; i++)
        if (used == 0 || !kl_hash_eq(&changes[used - 1].key, &changes[i].key))
            changes[used++] = changes[i];
    return used;
}

static void apply(kl_trie_change *changes, usize count, bool fresh, struct kl_arena *arena)
{
    kl_trie_update update = {.changes = changes, .count = count, .fresh = fresh};
    kl_arena_reset(arena, SIZE_MAX);
    KL_ASSERT(kl_trie_apply(&update, 1, &bench.source, &bench.sink, arena, NULL) == KL_OK);
}

static void measure(usize leaves, usize count, usize rounds, struct kl_arena *arena)
{
    kl_trie_change *changes = calloc(count, sizeof *changes);
    u8(*values)[VALUE] = calloc(count, VALUE);
    KL_ASSERT(changes && values);
    double took[ROUNDS_MAX];
    usize changed = 0;
    u64 seed = 1;
    KL_ASSERT(rounds <= ROUNDS_MAX);
    bench.nodes = bench.blocks = bench.store.reads = 0;
    for (usize r = 0; r < rounds; r++) {
        usize used = pick(changes, values, count, leaves, &seed);
        double start = now_us();
        apply(changes, used, false, arena);
        took[r] = (now_us() - start) / (double)used;
        changed += used;
    }
    qsort(took, rounds, sizeof took[0], by_size);
    double n = (double)changed, median = took[rounds / 2];
    double floor = (double)(bench.blocks + changed) * block_us(count == 1 ? 1 : 8) / n;
    printf("%8zu leaves %7zu changes: %6.2f us each (best %5.2f), %4.2f nodes, %4.2f reads, "
           "hash %5.2f us = %2.0f %%; arena %zu KiB\n",
           leaves, count, median, took[0], (double)bench.nodes / n, (double)bench.store.reads / n,
           floor, 100 * floor / median, arena->used / 1024);
    free(changes);
    free(values);
}

static void build(usize leaves, struct kl_arena *arena)
{
    kl_trie_change *changes = calloc(leaves, sizeof *changes);
    KL_ASSERT(changes);
    for (usize i = 0; i < leaves; i++)
        changes[i] = (kl_trie_change){account(i), KL_SPAN_OF(bench.value)};
    qsort(changes, leaves, sizeof *changes, by_key);
    twin_store_done(&bench.store);
    twin_store_init(&bench.store);
    double start = now_us();
    apply(changes, leaves, true, arena);
    printf("%8zu leaves from nothing: %.2f us each\n", leaves, (now_us() - start) / (double)leaves);
    free(changes);
}

/* A block's transactions, or its receipts. */
static void measure_list(usize count, usize len, struct kl_arena *arena)
{
    static u8 bytes[1024];
    kl_span *values = calloc(count, sizeof *values);
    kl_hash root;
    KL_ASSERT(values && len <= sizeof bytes);
    for (usize i = 0; i < count; i++)
        values[i] = kl_span_of(bytes, len);
    double start = now_us();
    usize rounds = 200000 / count;
    for (usize r = 0; r < rounds; r++) {
        kl_arena_reset(arena, SIZE_MAX);
        KL_ASSERT(kl_trie_list_root(&root, values, count, arena) == KL_OK);
    }
    printf("list of %4zu values of %3zu bytes: %.2f us each\n", count, len,
           (now_us() - start) / (double)(rounds * count));
    free(values);
}

int main(void)
{
    struct kl_arena arena;
    kl_arena_init(&arena, (usize)4 << 30);
    twin_store_init(&bench.store);
    bench.sink.node = bench_sink;
    memset(bench.value, 0xf8, sizeof bench.value);
    printf("keccak: %s, a block %.3f us alone, %.3f us of eight\n", kl_keccak_lanes(), block_us(1),
           block_us(8));
    measure_list(1, 110, &arena);
    measure_list(200, 110, &arena);
    measure_list(200, 400, &arena);
    measure_list(5000, 110, &arena);
    build(10000, &arena);
    measure(10000, 1, 1000, &arena);
    measure(10000, 3, 1000, &arena);
    build(1000000, &arena);
    measure(1000000, 1, 1000, &arena);
    measure(1000000, 3, 1000, &arena);
    measure(1000000, 100, 200, &arena);
    measure(1000000, 1000, 50, &arena);
    measure(1000000, 100000, 3, &arena);
    twin_store_done(&bench.store);
    kl_arena_done(&arena);
    return 0;
}
