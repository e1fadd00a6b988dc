#include "base/test.h"
#include "trie/twin_priv.h"

/* What a range must be is read off a sorted list of all leaves. */
enum { LEAVES_MAX = 400 };

static kl_hash keys[LEAVES_MAX];
static u8 values[LEAVES_MAX][KL_TRIE_VALUE_MAX];
static kl_trie_change all[LEAVES_MAX];
static usize all_count;
static struct twin_store store;
static struct twin_io io;
static struct kl_arena arena;
static kl_hash root;

static int by_key(const void *a, const void *b)
{
    return memcmp(((const kl_trie_change *)a)->key.b, ((const kl_trie_change *)b)->key.b, 32);
}

static void store_leaves(void)
{
    usize used = 0;
    qsort(all, all_count, sizeof all[0], by_key);
    for (usize i = 0; i < all_count; i++)
        if (!used || by_key(&all[used - 1], &all[i]) != 0)
            all[used++] = all[i];
    all_count = used;
    for (usize i = 0; i < all_count; i++)
        twin_put_leaf(&store, NULL, &all[i].key, all[i].value);
    kl_trie_update update = {.changes = all, .count = all_count};
    CHECK_OK(kl_trie_apply(&update, 1, &io.source, &io.sink, &arena, NULL));
    twin_io_write(&io);
    root = update.root;
}

static void begin(void)
{
    twin_store_done(&store);
    twin_io_done(&io);
    kl_arena_done(&arena);
    twin_store_init(&store);
    twin_io_init(&io, &store);
    kl_arena_init(&arena, 1 << 26);
    all_count = 0;
}

static void add_leaf(u64 *seed, const kl_hash *key)
{
    usize i = all_count++;
    keys[i] = *key;
    all[i] = (kl_trie_change){*key, kl_span_of(values[i], twin_value(seed, values[i]))};
}

/* Many keys share long starts, as those of no hash do. */
static void make_trie(u64 *seed, usize count)
{
    begin();
    for (usize i = 0; i < count; i++) {
        kl_hash key;
        kl_rand_fill(seed, &key, sizeof key);
        if (i && kl_rand_below(seed, 3))
            key = twin_near_key(seed, &keys[kl_rand_below(seed, i)]);
        add_leaf(seed, &key);
    }
    store_leaves();
}

static kl_hash pick_first(u64 *seed)
{
    kl_hash key = {{0}};
    switch (kl_rand_below(seed, 5)) {
    case 0:
        return key;
    case 1:
        memset(&key, 0xff, sizeof key);
        return key;
    case 2:
        kl_rand_fill(seed, &key, sizeof key);
        return key;
    case 3:
        return all_count ? twin_near_key(seed, &all[kl_rand_below(seed, all_count)].key) : key;
    default:
        return all_count ? all[kl_rand_below(seed, all_count)].key : key;
    }
}

static usize place_of(const kl_hash *first)
{
    usize i = 0;
    while (i < all_count && memcmp(all[i].key.b, first->b, sizeof first->b) < 0)
        i++;
    return i;
}

static kl_rule judge(const kl_trie_range *range, const kl_hash *first, bool *complete)
{
    kl_trie_range copy = *range;
    kl_rule broken;
    CHECK_OK(kl_trie_check_range(&copy, &root, first, &arena, &broken));
    *complete = copy.complete;
    return broken;
}

static void check_true(const kl_trie_range *range, const kl_hash *first, usize most)
{
    usize from = place_of(first), count = KL_MIN(most, all_count - from);
    bool complete;
    CHECK_U64(range->count, count);
    CHECK(range->complete == (from + count == all_count));
    for (usize i = 0; i < range->count; i++) {
        CHECK_SPAN(kl_hash_span(&range->leaves[i].key), kl_hash_span(&all[from + i].key));
        CHECK_SPAN(range->leaves[i].value, all[from + i].value);
    }
    CHECK_RULE(judge(range, first, &complete), KL_RULE_NONE);
    CHECK(complete == range->complete);
}

KL_TEST(ranges_are_all_leaves_from_a_key_on)
{
    for (int round = 0; round < 150; round++) {
        make_trie(seed, round < 20 ? (usize)round : kl_rand_below(seed, LEAVES_MAX));
        for (int i = 0; i < 12; i++) {
            kl_hash first = pick_first(seed);
            usize most = 1 + kl_rand_below(seed, kl_rand_below(seed, 2) ? 8 : LEAVES_MAX);
            kl_trie_range range;
            CHECK_OK(kl_trie_prove_range(&range, NULL, &first, most, SIZE_MAX, &io.source, &arena));
            check_true(&range, &first, most);
            kl_arena_reset(&arena, SIZE_MAX);
        }
    }
}

/* The whole of a trie, range by range, within a bound in bytes. */
KL_TEST(ranges_follow_one_another)
{
    for (int round = 0; round < 30; round++) {
        make_trie(seed, 1 + kl_rand_below(seed, LEAVES_MAX));
        kl_hash first = {{0}};
        usize seen = 0;
        for (bool complete = false; !complete;) {
            kl_trie_range range;
            CHECK_OK(
                kl_trie_prove_range(&range, NULL, &first, LEAVES_MAX, 500, &io.source, &arena));
            CHECK(range.count > 0 || range.complete);
            check_true(&range, &first, range.count);
            seen += range.count;
            complete = range.complete;
            if (!complete) {
                first = range.leaves[range.count - 1].key;
                CHECK(kl_hash_next(&first));
            }
            kl_arena_reset(&arena, SIZE_MAX);
        }
        CHECK_U64(seen, all_count);
    }
}

/* A range with one thing changed in it, in memory of the arena; false: it is the same. */
static bool change(u64 *seed, kl_trie_range *range)
{
    kl_trie_change *leaves = KL_TAKE(&arena, kl_trie_change, range->count + 1);
    kl_span *nodes = KL_TAKE(&arena, kl_span, range->node_count + 1);
    CHECK(leaves && nodes);
    memcpy(leaves, range->leaves, range->count * sizeof *leaves);
    memcpy(nodes, range->nodes, range->node_count * sizeof *nodes);
    usize at = range->count ? kl_rand_below(seed, range->count) : 0;
    usize node = range->node_count ? kl_rand_below(seed, range->node_count) : 0;
    u8 *bytes = KL_TAKE(&arena, u8, 1000);
    CHECK(bytes);
    u64 how = kl_rand_below(seed, 7);
    if ((how == 0 || how == 1 || how == 5) && !range->count)
        return false;
    if ((how == 3 || how == 4) && !range->node_count)
        return false;
    switch (how) {
    case 0: /* one is left out */
        memmove(leaves + at, leaves + at + 1, (range->count - at - 1) * sizeof *leaves);
        range->count--;
        break;
    case 1: /* one has another value */
        memcpy(bytes, leaves[at].value.p, leaves[at].value.len);
        bytes[kl_rand_below(seed, leaves[at].value.len)] ^= (u8)(1 << kl_rand_below(seed, 8));
        leaves[at].value = kl_span_of(bytes, leaves[at].value.len);
        break;
    case 2: { /* one more */
        kl_hash key = range->count ? twin_near_key(seed, &leaves[at].key) : pick_first(seed);
        usize place = 0;
        while (place < range->count && memcmp(leaves[place].key.b, key.b, sizeof key.b) < 0)
            place++;
        if (place < range->count && kl_hash_eq(&leaves[place].key, &key))
            return false;
        memmove(leaves + place + 1, leaves + place, (range->count - place) * sizeof *leaves);
        bytes[0] = 7;
        leaves[place] = (kl_trie_change){key, kl_span_of(bytes, 1)};
        range->count++;
        break;
    }
    case 3: /* a node has another byte */
        CHECK(nodes[node].len <= 1000);
        memcpy(bytes, nodes[node].p, nodes[node].len);
        bytes[kl_rand_below(seed, nodes[node].len)] ^= (u8)(1 << kl_rand_below(seed, 8));
        nodes[node] = kl_span_of(bytes, nodes[node].len);
        break;
    case 4: /* a node is missing */
        memmove(nodes + node, nodes + node + 1, (range->node_count - node - 1) * sizeof *nodes);
        range->node_count--;
        break;
    case 5: /* another key */
        leaves[at].key.b[kl_rand_below(seed, 32)] ^= (u8)(1 << kl_rand_below(seed, 8));
        break;
    default: /* a node twice */
        if (!range->node_count)
            return false;
        nodes[range->node_count] = nodes[node];
        range->node_count++;
        break;
    }
    range->leaves = leaves;
    range->nodes = nodes;
    return true;
}

/* Whether leaves are what there is from first on, up to the last of them. */
static bool is_range(const kl_trie_range *range, const kl_hash *first)
{
    usize from = place_of(first);
    if (range->count > all_count - from || (!range->count && from < all_count))
        return false;
    for (usize i = 0; i < range->count; i++)
        if (!kl_hash_eq(&range->leaves[i].key, &all[from + i].key) ||
            !kl_span_eq(range->leaves[i].value, all[from + i].value))
            return false;
    return true;
}

/* Leaves that are left out, changed or added are found out, and so are nodes that are not the
 * proof's.  Leaving out the last leaves may leave a true range, and less need be shown of it. */
KL_TEST(ranges_that_lie_are_refused)
{
    usize refused = 0;
    for (int round = 0; round < 150; round++) {
        make_trie(seed, 1 + kl_rand_below(seed, round % 2 ? 12 : LEAVES_MAX));
        for (int i = 0; i < 60; i++) {
            kl_hash first = pick_first(seed);
            usize most = 1 + kl_rand_below(seed, 40);
            bool complete;
            kl_trie_range range;
            CHECK_OK(kl_trie_prove_range(&range, NULL, &first, most, SIZE_MAX, &io.source, &arena));
            const kl_span *nodes = range.nodes;
            usize node_count = range.node_count;
            if (!change(seed, &range))
                continue;
            bool same_nodes = range.node_count == node_count;
            for (usize n = 0; n < node_count && same_nodes; n++)
                same_nodes = kl_span_eq(range.nodes[n], nodes[n]);
            kl_rule broken = judge(&range, &first, &complete);
            if (broken == KL_RULE_NONE) {
                CHECK(is_range(&range, &first));
                CHECK(complete == (place_of(&first) + range.count == all_count));
            }
            /* no nodes are needed where the leaves are all there are */
            CHECK(same_nodes || broken != KL_RULE_NONE || !range.node_count);
            refused += broken != KL_RULE_NONE;
            kl_arena_reset(&arena, SIZE_MAX);
        }
    }
    CHECK(refused > 5000);
}

/* Another root, another first key: the proof is not theirs. */
KL_TEST(ranges_are_of_one_root)
{
    make_trie(seed, 100);
    kl_hash first = all[10].key, right = root;
    bool complete;
    kl_trie_range range;
    CHECK_OK(kl_trie_prove_range(&range, NULL, &first, 20, SIZE_MAX, &io.source, &arena));
    root.b[7] ^= 1;
    CHECK_RULE(judge(&range, &first, &complete), KL_RULE_PROOF_HASH);
    root = right;
    CHECK(judge(&range, &all[11].key, &complete) != KL_RULE_NONE);
    CHECK(judge(&range, &all[9].key, &complete) != KL_RULE_NONE);
    kl_trie_change back[2] = {range.leaves[1], range.leaves[0]};
    const kl_trie_range turned = {back, 2, range.nodes, range.node_count, false};
    CHECK_RULE(judge(&turned, &first, &complete), KL_RULE_PROOF_RANGE);
}

/* A branch at every nibble, so that the ways to both ends are as long as they can be. */
KL_TEST(ranges_of_the_deepest_trie)
{
    begin();
    kl_hash deepest;
    kl_rand_fill(seed, &deepest, sizeof deepest);
    for (usize i = 0; i <= 64; i++) {
        kl_hash key = deepest;
        if (i < 64)
            key.b[i / 2] ^= (u8)(i % 2 ? 0x01 : 0x10);
        add_leaf(seed, &key);
    }
    store_leaves();
    CHECK_U64(all_count, 65);
    for (usize i = 0; i < all_count; i++)
        for (usize most = 1; most <= all_count; most += 7) {
            kl_trie_range range;
            CHECK_OK(
                kl_trie_prove_range(&range, NULL, &all[i].key, most, SIZE_MAX, &io.source, &arena));
            check_true(&range, &all[i].key, most);
            kl_arena_reset(&arena, SIZE_MAX);
        }
}

/* Stored nodes that are damaged give no range that others would refuse. */
KL_TEST(ranges_out_of_damaged_stores)
{
    usize corrupt = 0;
    make_trie(seed, 60);
    for (int round = 0; round < 1500; round++) {
        usize cursor = 0;
        struct twin_entry *entry = NULL;
        for (u64 skip = kl_rand_below(seed, store.map.count) + 1; skip; skip--)
            entry = kl_map_next(&store.map, &cursor);
        kl_trie_range range;
        kl_hash first = pick_first(seed);
        usize at = kl_rand_below(seed, entry->len);
        u8 old = entry->bytes[at];
        entry->bytes[at] ^= (u8)(1 << kl_rand_below(seed, 8));
        kl_status status =
            kl_trie_prove_range(&range, NULL, &first, 20, SIZE_MAX, &io.source, &arena);
        CHECK(status == KL_OK || status == KL_CORRUPT);
        corrupt += status == KL_CORRUPT;
        entry->bytes[at] = old;
        kl_arena_reset(&arena, SIZE_MAX);
    }
    CHECK(corrupt > 0);
}

KL_TEST(range_reports_what_failed)
{
    make_trie(seed, 80);
    for (int round = 0; round < 20; round++) {
        kl_hash first = pick_first(seed);
        kl_trie_range range;
        kl_status status = KL_IO;
        for (store.fail_read = 1; status == KL_IO; store.fail_read++) {
            store.reads = 0;
            status = kl_trie_prove_range(&range, NULL, &first, 30, SIZE_MAX, &io.source, &arena);
        }
        CHECK_OK(status);
        store.fail_read = 0;
        status = KL_NOMEM;
        for (usize limit = 0; status == KL_NOMEM; limit += 500) {
            struct kl_arena small;
            kl_arena_init(&small, limit);
            status = kl_trie_prove_range(&range, NULL, &first, 30, SIZE_MAX, &io.source, &small);
            kl_arena_done(&small);
        }
        CHECK_OK(status);
    }
}
