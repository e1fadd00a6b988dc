#include <stdio.h>

#include "base/test.h"
#include "codec/hex.h"
#include "codec/json.h"
#include "codec/rlp.h"
#include "trie/twin_priv.h"

enum { PAIRS_MAX = 300, NODES_MAX = 140 };

static struct twin_pair pairs[PAIRS_MAX];
static usize pair_count;
static struct twin_store store;
static struct twin_io io;
static struct kl_arena arena;

static void begin(void)
{
    twin_store_done(&store);
    twin_io_done(&io);
    kl_arena_done(&arena);
    twin_store_init(&store);
    twin_io_init(&io, &store);
    kl_arena_init(&arena, 1 << 26);
}

static int by_path(const void *a, const void *b)
{
    const struct twin_pair *x = a, *y = b;
    return kl_span_cmp(kl_span_of(x->path, x->nibbles), kl_span_of(y->path, y->nibbles));
}

/* Sorts the pairs and drops those whose key stands twice. */
static void sort_pairs(void)
{
    usize used = 0;
    qsort(pairs, pair_count, sizeof pairs[0], by_path);
    for (usize i = 0; i < pair_count; i++)
        if (used == 0 || by_path(&pairs[used - 1], &pairs[i]) != 0)
            pairs[used++] = pairs[i];
    pair_count = used;
}

static kl_hash key_of(const struct twin_pair *pair)
{
    kl_hash key;
    for (usize i = 0; i < sizeof key.b; i++)
        key.b[i] = (u8)(pair->path[2 * i] << 4 | pair->path[2 * i + 1]);
    return key;
}

static void random_hash_pairs(u64 *seed, usize count)
{
    kl_hash keys[PAIRS_MAX];
    u8 value[KL_TRIE_VALUE_MAX];
    for (pair_count = 0; pair_count < count; pair_count++) {
        kl_hash *key = &keys[pair_count];
        kl_rand_fill(seed, key, sizeof *key);
        if (pair_count && kl_rand_below(seed, 4))
            *key = twin_near_key(seed, &keys[kl_rand_below(seed, pair_count)]);
        twin_pair_set(&pairs[pair_count], kl_hash_span(key),
                      kl_span_of(value, twin_value(seed, value)));
    }
    sort_pairs();
}

/* Keys of any length that end inside one another. */
static void random_short_pairs(u64 *seed, usize count)
{
    u8 key[6], value[KL_TRIE_VALUE_MAX];
    for (pair_count = 0; pair_count < count; pair_count++) {
        usize len = kl_rand_below(seed, sizeof key + 1);
        for (usize i = 0; i < sizeof key; i++)
            key[i] = (u8)(0x10 * kl_rand_below(seed, 2) + kl_rand_below(seed, 2));
        twin_pair_set(&pairs[pair_count], kl_span_of(key, len),
                      kl_span_of(value, twin_value(seed, value)));
    }
    sort_pairs();
}

static kl_span value_at(const struct twin_pair *key)
{
    for (usize i = 0; i < pair_count; i++)
        if (by_path(key, &pairs[i]) == 0)
            return kl_span_of(pairs[i].value, pairs[i].len);
    return KL_SPAN_NONE;
}

static kl_rule check(kl_span *value, const kl_hash *root, const struct twin_pair *key,
                     const kl_span *nodes, usize count)
{
    u8 bytes[64];
    for (usize i = 0; i < key->nibbles / 2; i++)
        bytes[i] = (u8)(key->path[2 * i] << 4 | key->path[2 * i + 1]);
    return kl_trie_check(value, root, kl_span_of(bytes, key->nibbles / 2), nodes, count);
}

/* A proof that is not this one proves nothing. */
static void check_mutations(u64 *seed, const kl_hash *root, const struct twin_pair *key,
                            const kl_span *nodes, usize count)
{
    kl_span changed[NODES_MAX + 1], value = KL_SPAN_TEXT("untouched");
    memcpy(changed, nodes, count * sizeof *nodes);
    usize at = kl_rand_below(seed, count);
    u8 *bytes = KL_TAKE(&arena, u8, nodes[at].len + 1);
    KL_ASSERT(bytes);
    memcpy(bytes, nodes[at].p, nodes[at].len);
    bytes[nodes[at].len] = 0;
    changed[at] = kl_span_of(bytes, nodes[at].len + 1);
    CHECK(check(&value, root, key, changed, count) == KL_RULE_PROOF_HASH);
    changed[at].len -= 2;
    CHECK(check(&value, root, key, changed, count) == KL_RULE_PROOF_HASH);
    changed[at].len++;
    bytes[kl_rand_below(seed, nodes[at].len)] ^= (u8)(1 << kl_rand_below(seed, 8));
    CHECK(check(&value, root, key, changed, count) == KL_RULE_PROOF_HASH);
    CHECK(check(&value, root, key, nodes, count - 1) == KL_RULE_PROOF_SHORT);
    memcpy(changed, nodes, count * sizeof *nodes);
    changed[count] = nodes[at];
    CHECK(check(&value, root, key, changed, count + 1) == KL_RULE_PROOF_TRAILING);
    if (count > 1) {
        usize other = (at + 1) % count;
        changed[at] = nodes[other];
        changed[other] = nodes[at];
        CHECK(check(&value, root, key, changed, count) == KL_RULE_PROOF_HASH);
    }
    kl_hash wrong = *root;
    wrong.b[kl_rand_below(seed, sizeof wrong)] ^= 1;
    CHECK(check(&value, &wrong, key, nodes, count) == KL_RULE_PROOF_HASH);
    CHECK_SPAN(value, KL_SPAN_TEXT("untouched"));
}

static struct twin_pair pick_hash_key(u64 *seed)
{
    struct twin_pair key = pairs[kl_rand_below(seed, pair_count)];
    kl_hash hash = key_of(&key);
    if (kl_rand_below(seed, 2))
        return key;
    if (kl_rand_below(seed, 4))
        hash = twin_near_key(seed, &hash);
    else
        kl_rand_fill(seed, &hash, sizeof hash);
    twin_pair_set(&key, kl_hash_span(&hash), KL_SPAN_NONE);
    return key;
}

static kl_hash store_pairs(void)
{
    static kl_trie_change changes[PAIRS_MAX];
    for (usize i = 0; i < pair_count; i++) {
        changes[i].value = kl_span_of(pairs[i].value, pairs[i].len);
        changes[i].key = key_of(&pairs[i]);
        twin_put_leaf(&store, NULL, &changes[i].key, changes[i].value);
    }
    kl_trie_update update = {.changes = changes, .count = pair_count};
    CHECK_OK(kl_trie_apply(&update, 1, &io.source, &io.sink, &arena, NULL));
    twin_io_write(&io);
    return update.root;
}

KL_TEST(proofs_are_the_twins_and_hold)
{
    for (int round = 0; round < 60; round++) {
        begin();
        random_hash_pairs(seed, 1 + kl_rand_below(seed, round % 4 ? 8 : PAIRS_MAX));
        kl_hash root = store_pairs();
        for (int i = 0; i < 40; i++) {
            struct twin_pair key = pick_hash_key(seed);
            kl_hash hash = key_of(&key);
            const kl_span *nodes;
            kl_span want[NODES_MAX], value;
            usize count;
            kl_arena_reset(&arena, SIZE_MAX);
            CHECK_OK(kl_trie_prove(&nodes, &count, NULL, &hash, &io.source, &arena));
            CHECK_U64(count, twin_prove(pairs, pair_count, key.path, 64, want, &arena));
            for (usize n = 0; n < count; n++)
                CHECK_SPAN(nodes[n], want[n]);
            CHECK_RULE(check(&value, &root, &key, nodes, count), KL_RULE_NONE);
            CHECK_SPAN(value, value_at(&key));
            check_mutations(seed, &root, &key, nodes, count);
        }
    }
}

/* The deepest trie that keys of 64 nibbles can make: one key leaves the path of another at each
 * nibble, so that there is a branch at each.  Taking them all away again leaves nothing. */
KL_TEST(proofs_of_the_deepest_trie)
{
    begin();
    kl_hash deepest, root, empty;
    u8 value[KL_TRIE_VALUE_MAX];
    kl_rand_fill(seed, &deepest, sizeof deepest);
    memset(value, 0x55, sizeof value);
    for (pair_count = 0; pair_count <= 64; pair_count++) {
        kl_hash key = deepest;
        if (pair_count < 64)
            key.b[pair_count / 2] ^= (u8)(pair_count % 2 ? 0x01 : 0x10);
        twin_pair_set(&pairs[pair_count], kl_hash_span(&key), KL_SPAN_OF(value));
    }
    sort_pairs();
    root = store_pairs();
    CHECK_U64(pair_count, 65);
    const kl_span *nodes;
    kl_span found;
    usize count;
    CHECK_OK(kl_trie_prove(&nodes, &count, NULL, &deepest, &io.source, &arena));
    CHECK_U64(count, 65); /* 64 branches and the leaf */
    CHECK_RULE(kl_trie_check(&found, &root, kl_hash_span(&deepest), nodes, count), KL_RULE_NONE);
    CHECK_SPAN(found, KL_SPAN_OF(value));
    kl_trie_change *changes = KL_TAKE(&arena, kl_trie_change, pair_count);
    CHECK(changes);
    for (usize i = 0; i < pair_count; i++) {
        changes[i] = (kl_trie_change){.key = key_of(&pairs[i])};
        twin_put_leaf(&store, NULL, &changes[i].key, KL_SPAN_NONE);
    }
    kl_trie_update update = {.root = root, .changes = changes, .count = pair_count};
    CHECK_OK(kl_trie_apply(&update, 1, &io.source, &io.sink, &arena, NULL));
    CHECK_OK(kl_trie_map_root(&empty, NULL, 0, &arena));
    CHECK_SPAN(kl_hash_span(&update.root), kl_hash_span(&empty));
}

/* Keys that end at branches, and that are longer or shorter than all others. */
KL_TEST(proofs_hold_for_keys_of_any_length)
{
    begin();
    for (int round = 0; round < 300; round++) {
        static struct twin_pair keys[20];
        random_short_pairs(seed, KL_COUNT_OF(keys));
        memcpy(keys, pairs, pair_count * sizeof pairs[0]);
        usize key_count = pair_count;
        random_short_pairs(seed, 1 + kl_rand_below(seed, 30));
        memcpy(keys, pairs, KL_MIN(pair_count, key_count / 2) * sizeof pairs[0]);
        kl_hash root = twin_root(pairs, pair_count, NULL, NULL);
        for (usize i = 0; i < key_count; i++) {
            kl_span nodes[NODES_MAX], value;
            kl_arena_reset(&arena, SIZE_MAX);
            usize count =
                twin_prove(pairs, pair_count, keys[i].path, keys[i].nibbles, nodes, &arena);
            CHECK_RULE(check(&value, &root, &keys[i], nodes, count), KL_RULE_NONE);
            CHECK_SPAN(value, value_at(&keys[i]));
            check_mutations(seed, &root, &keys[i], nodes, count);
        }
    }
}

KL_TEST(an_empty_trie_is_proven_by_no_nodes)
{
    kl_hash key = {{1}};
    const kl_span *nodes;
    usize count;
    kl_span value, empty = KL_SPAN_TEXT("\x80");
    begin();
    CHECK_OK(kl_trie_prove(&nodes, &count, NULL, &key, &io.source, &arena));
    CHECK_U64(count, 0);
    CHECK_RULE(kl_trie_check(&value, &kl_keccak_empty_rlp, kl_hash_span(&key), NULL, 0),
               KL_RULE_NONE);
    CHECK_SPAN(value, KL_SPAN_NONE);
    CHECK_RULE(kl_trie_check(&value, &kl_keccak_empty_rlp, kl_hash_span(&key), &empty, 1),
               KL_RULE_PROOF_NODE);
    CHECK_RULE(kl_trie_check(&value, &kl_keccak_empty, kl_hash_span(&key), NULL, 0),
               KL_RULE_PROOF_SHORT);
}

/* Nodes that no trie has, though their hash is right, judged on the way to key 12 34. */
KL_TEST(nodes_that_are_not_canonical_are_refused)
{
    static const char *const nodes[] = {
        "",           /* nothing */
        "80",         /* no list */
        "c0",         /* no items */
        "c120",       /* one item */
        "c3202020",   /* three */
        "c2202020",   /* bytes behind the list */
        "c4822012",   /* the list is cut */
        "c3822012",   /* the value is missing */
        "c220c0",     /* leaf: the value is a list */
        "c2c001",     /* the path is a list */
        "c28001",     /* no path */
        "c28020",     /* the same before a byte that could be flags */
        "c22080",     /* leaf: no value */
        "c3812001",   /* the path is not in its shortest form */
        "c32081aa00", /* the list is too long for its items */
        "c22101",     /* an even path with a nibble beside its flags */
        "c24001",     /* flags that mean nothing */
        "e4824012a0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", /* the same */
        "c381f001",                                                                   /* the same */
        "e200a0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", /* no nibbles */
        "c21180",         /* extension: no child */
        "c21101",         /* extension: a child of one byte */
        "c211c0",         /* extension: an empty child */
        "c411c22001",     /* extension of a leaf */
        "c611c412c22001", /* extension of an extension */
        "e1119faaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",     /* 31 bytes */
        "e311a1aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", /* 33 bytes */
        "d18080808080808080808080808080808001",           /* branch: only a value */
        "d380c22001808080808080808080808080808080",       /* branch: only a child */
        "d480c22001c2200180808080808080808080808080",     /* branch: sixteen items */
        "d580c22001c2200180808080808080808080808080c0",   /* branch: the value is a list */
        "d480c120c220018080808080808080808080808080",     /* the child we go to: one item */
        "d680c3822001c220018080808080808080808080808080", /* the child we go to is cut */
        "f280df209daaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac220018080808080808080"
        "8080"
        "80808080", /* an embedded child of 32 bytes */
        "f2809faaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac220018080808080808080"
        "8080"
        "80808080", /* branch: a child of 31 bytes */
    };
    const u8 key[2] = {0x12, 0x34};
    for (usize i = 0; i < KL_COUNT_OF(nodes); i++) {
        kl_span node = kl_test_hex(nodes[i]), value = KL_SPAN_TEXT("untouched");
        kl_hash root = kl_keccak256(node);
        kl_rule rule = kl_trie_check(&value, &root, KL_SPAN_OF(key), &node, 1);
        if (rule != KL_RULE_PROOF_NODE)
            kl_test_fail(__FILE__, __LINE__, "%s: %s", nodes[i], kl_rule_name(rule));
        CHECK_SPAN(value, KL_SPAN_TEXT("untouched"));
    }
}

static kl_span list_of(kl_span first, kl_span second)
{
    u8 *room = KL_TAKE(&arena, u8, 200);
    kl_out out = kl_out_of(room, 200);
    kl_rlp_mark list = kl_rlp_put_begin(&out);
    kl_rlp_put_bytes(&out, first);
    kl_rlp_put_bytes(&out, second);
    kl_rlp_put_end(&out, list);
    return kl_out_done(&out);
}

/* A child that hashes right but could not be where it is. */
KL_TEST(children_that_cannot_be_are_refused)
{
    static const u8 long_value[40];
    const u8 key[2] = {0x12, 0x34};
    kl_span value, nodes[2];
    begin();
    const kl_span children[] = {
        list_of(KL_SPAN_TEXT("\x20"), KL_SPAN_OF(long_value)), /* a leaf below an extension */
        list_of(KL_SPAN_TEXT("\x11"), KL_SPAN_TEXT("12345678901234567890123456789012")),
        kl_test_hex("d580c22001c220018080808080808080808080808080"), /* should be embedded */
    };
    for (usize i = 0; i < KL_COUNT_OF(children); i++) {
        kl_hash hash = kl_keccak256(children[i]);
        nodes[0] = list_of(KL_SPAN_TEXT("\x11"), kl_hash_span(&hash));
        nodes[1] = children[i];
        hash = kl_keccak256(nodes[0]);
        CHECK_RULE(kl_trie_check(&value, &hash, KL_SPAN_OF(key), nodes, 2), KL_RULE_PROOF_NODE);
    }
}

/* Damage of any stored byte is found, or does not matter; a proof handed out always holds. */
KL_TEST(damaged_stores_give_no_false_proofs)
{
    unsigned corrupt = 0;
    begin();
    random_hash_pairs(seed, 40);
    store_pairs();
    for (int round = 0; round < 3000; round++) {
        usize cursor = 0;
        struct twin_entry *entry = NULL;
        for (u64 skip = kl_rand_below(seed, store.map.count) + 1; skip; skip--)
            entry = kl_map_next(&store.map, &cursor);
        const kl_span *nodes;
        usize count, at = kl_rand_below(seed, entry->len);
        u8 old = entry->bytes[at];
        entry->bytes[at] ^= (u8)(1 << kl_rand_below(seed, 8));
        struct twin_pair picked = pick_hash_key(seed);
        kl_hash key = key_of(&picked);
        kl_status status = kl_trie_prove(&nodes, &count, NULL, &key, &io.source, &arena);
        CHECK(status == KL_OK || status == KL_CORRUPT);
        corrupt += status == KL_CORRUPT;
        entry->bytes[at] = old;
        kl_arena_reset(&arena, SIZE_MAX);
    }
    CHECK(corrupt > 0);
}

KL_TEST(prove_reports_what_failed)
{
    begin();
    random_hash_pairs(seed, 60);
    store_pairs();
    for (int round = 0; round < 20; round++) {
        struct twin_pair picked = pick_hash_key(seed);
        const kl_span *nodes = NULL;
        usize count;
        kl_status status = KL_IO;
        kl_hash key = key_of(&picked);
        for (store.fail_read = 1; status == KL_IO; store.fail_read++) {
            store.reads = 0;
            status = kl_trie_prove(&nodes, &count, NULL, &key, &io.source, &arena);
        }
        CHECK_OK(status);
        store.fail_read = 0;
        status = KL_NOMEM;
        for (usize limit = 0; status == KL_NOMEM; limit += 300) {
            struct kl_arena small;
            kl_arena_init(&small, limit);
            status = kl_trie_prove(&nodes, &count, NULL, &key, &io.source, &small);
            kl_arena_done(&small);
        }
        CHECK_OK(status);
    }
}

/* The proofs of another client, recorded in execution-apis. */
static kl_span data_of(const struct kl_json *json, kl_json_ref ref)
{
    kl_span out;
    bool out_of_memory = false;
    CHECK_RULE(kl_hex_data(&out, kl_json_raw(json, ref), &arena, &out_of_memory), KL_RULE_NONE);
    CHECK(!out_of_memory);
    return out;
}

static usize proof_of(const struct kl_json *json, kl_json_ref array, kl_span *nodes)
{
    usize count = 0;
    for (kl_json_ref at = kl_json_first(json, array); at != KL_JSON_NONE;
         at = kl_json_after(json, array, at)) {
        CHECK(count < NODES_MAX);
        nodes[count++] = data_of(json, at);
    }
    return count;
}

static void check_recorded(const struct kl_json *json, kl_json_ref result)
{
    kl_span nodes[NODES_MAX], value;
    kl_hash key = kl_keccak256(data_of(json, kl_json_member(json, result, "address"))), root;
    usize count = proof_of(json, kl_json_member(json, result, "accountProof"), nodes);
    CHECK(count > 0);
    root = kl_keccak256(nodes[0]);
    CHECK_RULE(kl_trie_check(&value, &root, kl_hash_span(&key), nodes, count), KL_RULE_NONE);
    kl_rlp items;
    u64 nonce;
    kl_u256 balance;
    kl_hash storage, code;
    CHECK_RULE(kl_rlp_open(&items, value), KL_RULE_NONE);
    CHECK_RULE(kl_rlp_u64(&items, &nonce), KL_RULE_NONE);
    CHECK_RULE(kl_rlp_u256(&items, &balance), KL_RULE_NONE);
    CHECK_RULE(kl_rlp_hash(&items, &storage), KL_RULE_NONE);
    CHECK_RULE(kl_rlp_hash(&items, &code), KL_RULE_NONE);
    CHECK_SPAN(kl_hash_span(&storage), data_of(json, kl_json_member(json, result, "storageHash")));
    CHECK_SPAN(kl_hash_span(&code), data_of(json, kl_json_member(json, result, "codeHash")));
}

static void check_recording(void *ctx, const char *path, kl_span bytes)
{
    (void)path;
    usize *checked = ctx;
    for (usize start = 0, end; start < bytes.len; start = end + 1) {
        for (end = start; end < bytes.len && bytes.p[end] != '\n';)
            end++;
        if (end - start < 3 || memcmp(bytes.p + start, "<< ", 3) != 0)
            continue;
        struct kl_json json;
        kl_rule broken;
        usize at;
        CHECK_OK(kl_json_parse(&json, kl_span_sub(bytes, start + 3, end - start - 3), 10000, &arena,
                               &broken, &at));
        CHECK_RULE(broken, KL_RULE_NONE);
        check_recorded(&json, kl_json_member(&json, 0, "result"));
        ++*checked;
    }
}

KL_TEST(official_recorded_proofs)
{
    char folder[4096];
    usize checked = 0;
    begin();
    snprintf(folder, sizeof folder, "%s/execution-apis/tests/eth_getProof", kl_test_fixtures());
    kl_test_files(folder, ".io", check_recording, &checked);
    CHECK(checked > 0);
    kl_test_tally("execution-apis/eth_getProof", checked, checked);
}
