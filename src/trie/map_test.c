#include <stdio.h>

#include "base/test.h"
#include "codec/hex.h"
#include "codec/json.h"
#include "codec/rlp.h"
#include "trie/twin_priv.h"

enum { PAIRS_MAX = 600, KEY_MAX = 64 };

static struct kl_arena arena;
static struct twin_pair twins[PAIRS_MAX];

static void begin(void)
{
    kl_arena_done(&arena);
    kl_arena_init(&arena, 1 << 26);
}

static int by_path(const void *a, const void *b)
{
    const struct twin_pair *x = a, *y = b;
    return kl_span_cmp(kl_span_of(x->path, x->nibbles), kl_span_of(y->path, y->nibbles));
}

/* The twin's root of pairs in any order, in which the last of a key counts and empty removes. */
static kl_hash twin_map_root(const kl_trie_pair *pairs, usize count)
{
    usize used = 0;
    for (usize i = 0; i < count; i++) {
        bool overwritten = false;
        for (usize j = i + 1; j < count; j++)
            overwritten |= kl_span_eq(pairs[i].key, pairs[j].key);
        if (!overwritten && pairs[i].value.len)
            twin_pair_set(&twins[used++], pairs[i].key, pairs[i].value);
    }
    qsort(twins, used, sizeof twins[0], by_path);
    return twin_root(twins, used, NULL, NULL);
}

static void check_map(const kl_trie_pair *pairs, usize count)
{
    kl_hash got, want = twin_map_root(pairs, count);
    kl_arena_reset(&arena, SIZE_MAX);
    CHECK_OK(kl_trie_map_root(&got, pairs, count, &arena));
    CHECK_SPAN(kl_hash_span(&got), kl_hash_span(&want));
}

/* Keys of every length, of few different bytes, so that they share starts and end inside others. */
KL_TEST(map_root_matches_the_twin)
{
    static u8 keys[PAIRS_MAX][KEY_MAX], values[PAIRS_MAX][256];
    kl_trie_pair pairs[200];
    begin();
    for (int round = 0; round < 400; round++) {
        usize count = kl_rand_below(seed, round % 10 ? 20 : KL_COUNT_OF(pairs));
        usize longest = kl_rand_below(seed, 4) ? 4 : KEY_MAX;
        for (usize i = 0; i < count; i++) {
            usize len = kl_rand_below(seed, longest + 1);
            for (usize b = 0; b < len; b++)
                keys[i][b] = (u8)(0x11 * kl_rand_below(seed, 3) + kl_rand_below(seed, 2));
            if (i && kl_rand_below(seed, 2))
                memcpy(keys[i], keys[kl_rand_below(seed, i)], kl_rand_below(seed, len + 1));
            usize most = kl_rand_below(seed, 3) ? 4 : sizeof values[i];
            kl_rand_fill(seed, values[i], sizeof values[i]);
            pairs[i].key = kl_span_of(len ? keys[i] : NULL, len);
            pairs[i].value = kl_span_of(values[i], kl_rand_below(seed, most + 1));
        }
        check_map(pairs, count);
    }
}

KL_TEST(map_root_of_nothing_is_the_empty_root)
{
    kl_hash got;
    kl_trie_pair pair = {KL_SPAN_TEXT("key"), KL_SPAN_NONE};
    begin();
    CHECK_OK(kl_trie_map_root(&got, NULL, 0, &arena));
    CHECK_SPAN(kl_hash_span(&got), kl_hash_span(&kl_keccak_empty_rlp));
    CHECK_OK(kl_trie_map_root(&got, &pair, 1, &arena));
    CHECK_SPAN(kl_hash_span(&got), kl_hash_span(&kl_keccak_empty_rlp));
    CHECK_OK(kl_trie_list_root(&got, NULL, 0, &arena));
    CHECK_SPAN(kl_hash_span(&got), kl_hash_span(&kl_keccak_empty_rlp));
}

static kl_span index_key(u8 *room, usize index)
{
    kl_out out = kl_out_of(room, 9);
    kl_rlp_put_u64(&out, index);
    return kl_out_done(&out);
}

KL_TEST(list_root_is_the_root_of_the_map_of_indexes)
{
    static u8 keys[PAIRS_MAX][9], values[PAIRS_MAX][200];
    static kl_trie_pair pairs[PAIRS_MAX];
    static kl_span list[PAIRS_MAX];
    begin();
    for (usize i = 0; i < PAIRS_MAX; i++) {
        kl_rand_fill(seed, values[i], sizeof values[i]);
        list[i] = kl_span_of(values[i], 1 + kl_rand_below(seed, sizeof values[i]));
        pairs[i] = (kl_trie_pair){index_key(keys[i], i), list[i]};
    }
    const usize counts[] = {1, 2, 3, 16, 17, 127, 128, 129, 130, 255, 256, 257, 258, PAIRS_MAX};
    for (usize c = 0; c < KL_COUNT_OF(counts); c++) {
        kl_hash got, want = twin_map_root(pairs, counts[c]);
        kl_arena_reset(&arena, SIZE_MAX);
        CHECK_OK(kl_trie_list_root(&got, list, counts[c], &arena));
        CHECK_SPAN(kl_hash_span(&got), kl_hash_span(&want));
    }
}

/* Values around every length at which a node stops fitting a batch. */
KL_TEST(long_values_hash_as_if_written_out)
{
    enum { LONGEST = 14000 };
    static u8 value[LONGEST], node[LONGEST + 16];
    begin();
    kl_rand_fill(seed, value, sizeof value);
    for (usize len = 12800; len < LONGEST; len += 1 + kl_rand_below(seed, 20)) {
        kl_span values[] = {kl_span_of(value, len)};
        kl_out out = kl_out_of(node, sizeof node);
        kl_rlp_mark list = kl_rlp_put_begin(&out);
        kl_rlp_put_bytes(&out, KL_SPAN_TEXT("\x20\x80")); /* hex-prefix of the key 80 */
        kl_rlp_put_bytes(&out, values[0]);
        kl_rlp_put_end(&out, list);
        CHECK(!out.full);
        kl_hash got, want = kl_keccak256(kl_out_done(&out));
        kl_arena_reset(&arena, SIZE_MAX);
        CHECK_OK(kl_trie_list_root(&got, values, 1, &arena));
        CHECK_SPAN(kl_hash_span(&got), kl_hash_span(&want));
    }
}

KL_TEST(roots_report_an_exhausted_arena)
{
    static const u8 byte = 7;
    static kl_span values[300];
    static kl_trie_pair pairs[300];
    static u8 keys[300][9];
    for (usize i = 0; i < KL_COUNT_OF(values); i++) {
        values[i] = KL_SPAN_OF(byte);
        pairs[i] = (kl_trie_pair){index_key(keys[i], i), values[i]};
    }
    kl_hash list = {{1}}, map = {{1}}, want = twin_map_root(pairs, KL_COUNT_OF(pairs));
    bool listed = false, mapped = false;
    for (usize limit = 0; !listed || !mapped; limit += 1000) {
        struct kl_arena small;
        kl_arena_init(&small, limit);
        kl_status status = kl_trie_list_root(&list, values, KL_COUNT_OF(values), &small);
        CHECK(status == KL_OK || (status == KL_NOMEM && list.b[0] == 1));
        listed = status == KL_OK;
        kl_arena_reset(&small, 0);
        status = kl_trie_map_root(&map, pairs, KL_COUNT_OF(pairs), &small);
        CHECK(status == KL_OK || (status == KL_NOMEM && map.b[0] == 1));
        mapped = status == KL_OK;
        kl_arena_done(&small);
    }
    CHECK_SPAN(kl_hash_span(&list), kl_hash_span(&want));
    CHECK_SPAN(kl_hash_span(&map), kl_hash_span(&want));
}

/* The official vectors: objects of pairs, or arrays of [key, value or null] in order; keys of the
 * secure ones are hashed.  Text that starts with 0x is hex. */
struct vectors {
    const char *file;
    bool secure;
};

static kl_span vector_bytes(const struct kl_json *json, kl_json_ref ref)
{
    kl_span text;
    if (!kl_json_is(json, ref, KL_JSON_STRING))
        return KL_SPAN_NONE;
    CHECK(kl_json_string(&text, json, ref, &arena));
    if (text.len < 2 || memcmp(text.p, "0x", 2) != 0)
        return text;
    bool out_of_memory = false;
    CHECK_RULE(kl_hex_data(&text, text, &arena, &out_of_memory), KL_RULE_NONE);
    CHECK(!out_of_memory);
    return text;
}

static usize vector_pairs(const struct kl_json *json, kl_json_ref in, bool secure,
                          kl_trie_pair *pairs)
{
    bool object = kl_json_is(json, in, KL_JSON_OBJECT);
    usize count = 0;
    for (kl_json_ref at = kl_json_first(json, in); at != KL_JSON_NONE; count++) {
        kl_json_ref key = object ? at : kl_json_at(json, at, 0);
        kl_json_ref value = object ? kl_json_value(at) : kl_json_at(json, at, 1);
        KL_ASSERT(count < PAIRS_MAX);
        pairs[count] = (kl_trie_pair){vector_bytes(json, key), vector_bytes(json, value)};
        if (secure) {
            kl_hash hash = kl_keccak256(pairs[count].key);
            pairs[count].key = kl_arena_copy(&arena, kl_hash_span(&hash));
        }
        at = kl_json_after(json, in, object ? value : at);
    }
    return count;
}

/* A secure trie's pairs once more, one after the other into a stored trie. */
static void check_stored(const kl_trie_pair *pairs, usize count, kl_span root)
{
    struct twin_store store;
    struct twin_io io;
    twin_store_init(&store);
    twin_io_init(&io, &store);
    kl_trie_update update = {.root = kl_keccak_empty_rlp};
    for (usize i = 0; i < count; i++) {
        kl_trie_change change = {.value = pairs[i].value};
        memcpy(change.key.b, pairs[i].key.p, sizeof change.key.b);
        update = (kl_trie_update){.changes = &change, .count = 1};
        CHECK_OK(kl_trie_apply(&update, 1, &io.source, &io.sink, &arena, NULL));
        twin_io_write(&io);
        twin_put_leaf(&store, NULL, &change.key, change.value);
    }
    twin_io_done(&io);
    twin_store_done(&store);
    CHECK_SPAN(kl_hash_span(&update.root), root);
}

static void run_vectors(const struct vectors *v)
{
    static kl_trie_pair pairs[PAIRS_MAX];
    char path[4096];
    struct kl_json json;
    kl_rule broken;
    usize at, ran = 0;
    snprintf(path, sizeof path, "%s/TrieTests/%s", kl_test_fixtures(), v->file);
    begin();
    CHECK_OK(kl_json_parse(&json, kl_test_file(path), 100000, &arena, &broken, &at));
    CHECK_RULE(broken, KL_RULE_NONE);
    for (kl_json_ref name = kl_json_first(&json, 0); name != KL_JSON_NONE; ran++) {
        kl_json_ref test = kl_json_value(name);
        usize count = vector_pairs(&json, kl_json_member(&json, test, "in"), v->secure, pairs);
        kl_span root = vector_bytes(&json, kl_json_member(&json, test, "root"));
        kl_hash got;
        CHECK_OK(kl_trie_map_root(&got, pairs, count, &arena));
        CHECK_SPAN(kl_hash_span(&got), root);
        if (v->secure)
            check_stored(pairs, count, root);
        for (usize i = 0; i < count / 2; i++) { /* no order matters where no key stands twice */
            kl_trie_pair pair = pairs[i];
            pairs[i] = pairs[count - 1 - i];
            pairs[count - 1 - i] = pair;
        }
        if (strstr(v->file, "anyorder")) {
            CHECK_OK(kl_trie_map_root(&got, pairs, count, &arena));
            CHECK_SPAN(kl_hash_span(&got), root);
        }
        name = kl_json_after(&json, 0, test);
    }
    CHECK(ran > 0);
    char suite[64];
    snprintf(suite, sizeof suite, "TrieTests/%s", v->file);
    kl_test_tally(suite, ran, ran);
}

KL_TEST(official_trietest)
{
    run_vectors(&(struct vectors){"trietest.json", false});
}

KL_TEST(official_trietest_secure)
{
    run_vectors(&(struct vectors){"trietest_secureTrie.json", true});
}

KL_TEST(official_trieanyorder)
{
    run_vectors(&(struct vectors){"trieanyorder.json", false});
}

KL_TEST(official_trieanyorder_secure)
{
    run_vectors(&(struct vectors){"trieanyorder_secureTrie.json", true});
}

KL_TEST(official_hex_encoded_secure)
{
    run_vectors(&(struct vectors){"hex_encoded_securetrie_test.json", true});
}
