#include "trie/node_priv.h"

#include <stdio.h>

#include "base/test.h"
#include "codec/json.h"
#include "trie/form_priv.h"
#include "trie/twin_priv.h"

/* Nodes are written in hex, with # for the reference of a hash, % for an embedded branch and * for
 * the last 31 bytes of a key. */
struct sample {
    unsigned depth;
    const char *node, *what;
};

static const char *short_for(char c)
{
    switch (c) {
    case '#':
        return "a0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    case '%':
        return "d580c22001c220018080808080808080808080808080";
    case '*':
        return "55555555555555555555555555555555555555555555555555555555555555";
    default:
        return "";
    }
}

static bool reads(const struct sample *sample)
{
    static const kl_hash path;
    struct kl_tree_branch at = {.item.key = path.b};
    char hex[1000];
    kl_out out = kl_out_of(hex, sizeof hex);
    for (const char *p = sample->node; *p; p++) {
        kl_out_u8(&out, (u8)*p);
        kl_out_span(&out, kl_span_str(short_for(*p)));
    }
    kl_out_u8(&out, 0);
    CHECK(!out.full);
    return kl_node_read(&at, kl_test_hex(hex), sample->depth);
}

KL_TEST(nodes_that_can_be_are_read)
{
    static const struct sample good[] = {
        {62, "0028 0028 37 # 51 #", "two leaves"},
        {62, "0028 0028 37 c23705 51 #", "an embedded leaf"},
        {63, "0028 0028 # c22001", "leaves below 64 nibbles"},
        {60, "0028 0008 3777 # 3d #", "a leaf and a branch"},
        {60, "0028 0008 3777 # 3e 54 #", "an extension of one nibble"},
        {60, "0028 0008 3777 # 3f 5430 #", "an extension of two nibbles"},
        {60, "0028 0008 3777 # 3d %", "an embedded branch"},
        {60, "0028 0008 3777 # 3e 54 d714 %", "an embedded extension"},
        {61, "0028 0008 77 # 3f 50 d715 %", "one from an even nibble"},
        {60, "0028 0008 3777 # 3f 5430 d9820043 %", "one of two nibbles"},
        {0, "0020 0020 55 * #", "a trie of one leaf"},
        {0, "0020 0000 01 50 #", "a trie with an extension at its top"},
        {0, "0020 0000 04 5432 #", "a longer one"},
    };
    for (usize i = 0; i < KL_COUNT_OF(good); i++)
        if (!reads(&good[i]))
            kl_test_fail(__FILE__, __LINE__, "refused: %s", good[i].what);
}

KL_TEST(nodes_that_cannot_be_are_refused)
{
    static const struct sample bad[] = {
        {62, "", "nothing"},
        {62, "002800", "a header cut short"},
        {62, "0000 0000", "no child"},
        {0, "0000 0000", "no child at the top"},
        {62, "0008 0008 37 #", "one child, not at the top"},
        {62, "0028 0128 37 # 51 #", "a leaf that is not present"},
        {62, "0028 0028 37 # 51 a0aaaa", "a hash cut short"},
        {62, "0028 0028 37 # 51", "no reference"},
        {62, "0028 0028 37 #", "no entry of a leaf"},
        {60, "0028 0008 3777 #", "no entry of a branch"},
        {60, "0028 0008 3777 # 3f 54", "a path cut short"},
        {62, "0028 0028 37 # 51 # 00", "a byte behind the end"},
        {60, "0028 0008 3777 # 3c #", "a child as deep as its parent"},
        {60, "0028 0008 3777 # 40 5432 #", "a branch below all nibbles"},
        {63, "0028 0008 # 40 #", "the same"},
        {62, "0028 0028 47 # 51 #", "a leaf of another child"},
        {60, "0028 0008 3777 # 3e 64 #", "a branch of another child"},
        {60, "0028 0008 3777 # 3f 5431 #", "a nibble behind an odd path"},
        {62, "0028 0028 37 80 51 #", "no child as reference"},
        {62, "0028 0028 37 c0 51 #", "an empty list"},
        {62, "0028 0028 37 a1 # 51 #", "a string of 33 bytes"},
        {62, "0028 0028 37 df # 51 #", "a list of 32 bytes"},
        {62, "0028 0028 37 c3378105 51 #", "an embedded leaf that is not canonical"},
        {62, "0028 0028 37 c20505 51 #", "one without flags"},
        {62, "0028 0028 37 c23805 51 #", "one of another key"},
        {62, "0028 0028 37 c22005 51 #", "one of a shorter key"},
        {62, "0028 0028 37 c4823777 05 51 #", "one of a longer key"},
        {62, "0028 0028 37 c23780 51 #", "one without a value"},
        {62, "0028 0028 37 % 51 #", "a branch where a leaf must be"},
        {60, "0028 0008 3777 # 3d c22001", "a leaf where a branch must be"},
        {60, "0028 0008 3777 # 3e 54 %", "a branch where an extension must be"},
        {60, "0028 0008 3777 # 3d d714 %", "an extension where a branch must be"},
        {60, "0028 0008 3777 # 3e 54 d715 %", "an extension of another path"},
        {60, "0028 0008 3777 # 3f 5430 d714 %", "a shorter extension"},
        {60, "0028 0008 3777 # 3d d480c2200180808080808080808080808080808005", "a value"},
        {0, "0020 0020 45 * #", "a top leaf of another nibble"},
        {0, "0020 0020 55 * c22001", "a top leaf that is embedded"},
        {0, "0020 0000 04 4432 #", "a top extension of another nibble"},
        {0, "0020 0000 00 #", "a top extension of no nibbles"},
    };
    for (usize i = 0; i < KL_COUNT_OF(bad); i++)
        if (reads(&bad[i]))
            kl_test_fail(__FILE__, __LINE__, "read: %s", bad[i].what);
}

static int by_key(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(kl_hash));
}

/* A stored node is read, written as it was, and not read with a byte more or less. */
KL_TEST(nodes_read_and_write_back)
{
    enum { COUNT = 400 };
    static struct twin_pair pairs[COUNT];
    static kl_hash keys[COUNT];
    static struct twin_store store;
    u8 value[KL_TRIE_VALUE_MAX], cut[KL_NODE_MAX + 1], room[KL_NODE_MAX];
    kl_rand_fill(seed, keys, sizeof keys);
    for (usize i = 1; i < COUNT; i++)
        if (kl_rand_below(seed, 4))
            keys[i] = twin_near_key(seed, &keys[kl_rand_below(seed, i)]);
    qsort(keys, COUNT, sizeof keys[0], by_key);
    usize count = 0;
    for (usize i = 0; i < COUNT; i++)
        if (i == 0 || !kl_hash_eq(&keys[i - 1], &keys[i]))
            twin_pair_set(&pairs[count++], kl_hash_span(&keys[i]),
                          kl_span_of(value, twin_value(seed, value)));
    twin_store_init(&store);
    twin_root(pairs, count, &store, NULL);
    usize cursor = 0, inlined = 0;
    for (const struct twin_entry *entry = kl_map_next(&store.map, &cursor); entry;
         entry = kl_map_next(&store.map, &cursor)) {
        struct kl_tree_branch at = {.item.key = entry->key + 33};
        kl_span node = kl_span_of(entry->bytes, entry->len);
        CHECK(kl_node_read(&at, node, entry->key[32]));
        CHECK_SPAN(kl_span_of(room, kl_node_write(room, &at)), node);
        memcpy(cut, entry->bytes, entry->len);
        cut[entry->len] = 0;
        for (usize len = 0; len <= entry->len + 1; len++)
            CHECK(kl_node_read(&at, kl_span_of(cut, len), entry->key[32]) == (len == entry->len));
        inlined += memchr(entry->bytes, 0xc4, entry->len) != NULL;
    }
    CHECK(inlined > 0);
    twin_store_done(&store);
}

/* One path of the official examples: nibbles, whether it ends at a leaf, hex-prefix. */
static void check_prefix(const struct kl_json *json, kl_json_ref test)
{
    u8 key[KL_TRIE_NIBBLES_MAX / 2] = {0}, room[KL_TRIE_HEAD_MAX];
    static const u8 child[33] = {KL_TRIE_TAG_HASH, 1};
    char want[80];
    usize count = 0;
    kl_json_ref seq = kl_json_member(json, test, "seq"), out = kl_json_member(json, test, "out");
    bool leaf = kl_json_is(json, kl_json_member(json, test, "term"), KL_JSON_TRUE);
    for (kl_json_ref n = kl_json_first(json, seq); n != KL_JSON_NONE;
         n = kl_json_after(json, seq, n), count++) {
        u64 nibble;
        CHECK(kl_json_number_u64(&nibble, json, n) && nibble < 16 && count < sizeof key);
        key[count / 2] |= (u8)(nibble << (count % 2 ? 0 : 4));
    }
    kl_trie_path path = {key, 0, count};
    kl_span value = KL_SPAN_TEXT("a value");
    kl_span head =
        leaf ? kl_trie_leaf_head(room, path, value) : kl_trie_extension(room, path, child);
    u8 node[2 * KL_TRIE_HEAD_MAX];
    memcpy(node, head.p, head.len);
    memcpy(node + head.len, value.p, value.len);
    kl_trie_form form;
    CHECK_RULE(kl_trie_form_read(&form, kl_span_of(node, head.len + (leaf ? value.len : 0))),
               KL_RULE_NONE);
    CHECK((form.kind == KL_TRIE_LEAF) == leaf);
    CHECK_U64(kl_trie_form_nibbles(&form), count);
    CHECK(kl_trie_form_fits(&form, path));
    snprintf(want, sizeof want, "%.*s", (int)kl_json_raw(json, out).len,
             (const char *)kl_json_raw(json, out).p);
    CHECK_HEX(form.prefix, want);
}

KL_TEST(official_hex_prefixes)
{
    char path[4096];
    struct kl_arena arena;
    struct kl_json json;
    kl_rule broken;
    usize at, count = 0;
    snprintf(path, sizeof path, "%s/misc/BasicTests/hexencodetest.json", kl_test_fixtures());
    kl_arena_init(&arena, 1 << 20);
    CHECK_OK(kl_json_parse(&json, kl_test_file(path), 10000, &arena, &broken, &at));
    CHECK_RULE(broken, KL_RULE_NONE);
    for (kl_json_ref n = kl_json_first(&json, 0); n != KL_JSON_NONE;
         n = kl_json_after(&json, 0, kl_json_value(n)), count++)
        check_prefix(&json, kl_json_value(n));
    CHECK(count > 0);
    kl_test_tally("misc/BasicTests/hexencodetest.json", count, count);
    kl_arena_done(&arena);
}
