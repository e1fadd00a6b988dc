#include "codec/json.h"

#include "base/test.h"

/* The slow twin: recursive descent straight from the grammar of RFC 8259; p stands on the value and
 * is moved behind it. */
typedef struct twin {
    const u8 *p, *end;
    unsigned depth;
} twin;

static bool twin_value(twin *t);

static void twin_blanks(twin *t)
{
    while (t->p < t->end && memchr(" \t\r\n", *t->p, 4))
        t->p++;
}

static bool twin_take(twin *t, const char *text)
{
    usize len = strlen(text);
    if ((usize)(t->end - t->p) < len || memcmp(t->p, text, len) != 0)
        return false;
    t->p += len;
    return true;
}

static bool twin_digits(twin *t)
{
    const u8 *start = t->p;
    while (t->p < t->end && *t->p >= '0' && *t->p <= '9')
        t->p++;
    return t->p > start;
}

static bool twin_number(twin *t)
{
    (void)twin_take(t, "-");
    if (!twin_take(t, "0") && !twin_digits(t))
        return false;
    if (twin_take(t, ".") && !twin_digits(t))
        return false;
    if (twin_take(t, "e") || twin_take(t, "E")) {
        (void)(twin_take(t, "+") || twin_take(t, "-"));
        return twin_digits(t);
    }
    return true;
}

static bool twin_hex4(twin *t, u32 *unit)
{
    *unit = 0;
    for (int i = 0; i < 4; i++, t->p++) {
        const char *hit = t->p < t->end && *t->p ? strchr("0123456789abcdefABCDEF", *t->p) : NULL;
        if (!hit)
            return false;
        u32 c = (u8)*hit, digit = c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
        *unit = *unit * 16 + digit;
    }
    return true;
}

/* A code point in UTF-8, by arithmetic on the decoded value rather than on byte ranges. */
static bool twin_utf8(twin *t)
{
    static const u32 least[5] = {0, 0, 0x80, 0x800, 0x10000};
    u8 first = *t->p;
    usize len = first < 0x80       ? 1
                : first >> 5 == 6  ? 2
                : first >> 4 == 14 ? 3
                : first >> 3 == 30 ? 4
                                   : 0;
    if (len == 0 || (usize)(t->end - t->p) < len)
        return false;
    u32 point = len == 1 ? first : first & (0xffu >> (len + 1));
    for (usize i = 1; i < len; i++) {
        if (t->p[i] >> 6 != 2)
            return false;
        point = point << 6 | (t->p[i] & 63u);
    }
    t->p += len;
    return point >= least[len] && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
}

static bool twin_string(twin *t)
{
    if (!twin_take(t, "\""))
        return false;
    while (t->p < t->end && *t->p != '"') {
        u32 unit, second;
        if (*t->p < 0x20)
            return false;
        if (*t->p != '\\') {
            if (!twin_utf8(t))
                return false;
            continue;
        }
        t->p++;
        if (!twin_take(t, "u")) {
            if (t->p == t->end || !*t->p || !strchr("\"\\/bfnrt", *t->p))
                return false;
            t->p++;
            continue;
        }
        if (!twin_hex4(t, &unit) || (unit >= 0xdc00 && unit < 0xe000))
            return false;
        if (unit >= 0xd800 && unit < 0xe000 &&
            (!twin_take(t, "\\u") || !twin_hex4(t, &second) || second < 0xdc00 || second > 0xdfff))
            return false;
    }
    return twin_take(t, "\"");
}

static bool twin_members(twin *t, bool object)
{
    const char *close = object ? "}" : "]";
    if (++t->depth > KL_JSON_DEPTH_MAX)
        return false;
    twin_blanks(t);
    bool empty = twin_take(t, close), more = !empty;
    while (more) {
        twin_blanks(t);
        if (object) {
            if (!twin_string(t))
                return false;
            twin_blanks(t);
            if (!twin_take(t, ":"))
                return false;
        }
        if (!twin_value(t))
            return false;
        more = twin_take(t, ",");
    }
    t->depth--;
    return empty || twin_take(t, close);
}

static bool twin_value(twin *t)
{
    twin_blanks(t);
    bool good;
    if (twin_take(t, "{"))
        good = twin_members(t, true);
    else if (twin_take(t, "["))
        good = twin_members(t, false);
    else if (t->p < t->end && *t->p == '"')
        good = twin_string(t);
    else
        good =
            twin_take(t, "true") || twin_take(t, "false") || twin_take(t, "null") || twin_number(t);
    twin_blanks(t);
    return good;
}

static bool twin_valid(kl_span text)
{
    twin t = {text.p, text.p + text.len, 0};
    return text.len > 0 && twin_value(&t) && t.p == t.end;
}

static struct kl_arena arena;

/* Parses with generous limits. */
static kl_rule parse(struct kl_json *json, kl_span text, usize *at)
{
    kl_rule broken;
    kl_arena_reset(&arena, 1 << 20);
    arena.limit = 1 << 28;
    CHECK_OK(kl_json_parse(json, text, 1 << 22, &arena, &broken, at));
    return broken;
}

static kl_rule parse_text(struct kl_json *json, const char *text)
{
    usize at;
    return parse(json, kl_span_str(text), &at);
}

/* Writes the value at ref again, through the writer. */
static void put_value(struct kl_json_out *out, const struct kl_json *json, kl_json_ref ref)
{
    bool object = kl_json_is(json, ref, KL_JSON_OBJECT);
    kl_span text;
    if (object || kl_json_is(json, ref, KL_JSON_ARRAY)) {
        (object ? kl_json_put_object : kl_json_put_array)(out);
        for (kl_json_ref at = kl_json_first(json, ref); at != KL_JSON_NONE;) {
            if (object) {
                CHECK(kl_json_string(&text, json, at, &arena));
                kl_json_put_key_span(out, text);
                at = kl_json_value(at);
            }
            put_value(out, json, at);
            at = kl_json_after(json, ref, at);
        }
        (object ? kl_json_put_object_end : kl_json_put_array_end)(out);
    } else if (kl_json_is(json, ref, KL_JSON_STRING)) {
        CHECK(kl_json_string(&text, json, ref, &arena));
        kl_json_put_string(out, text);
    } else {
        kl_json_put_raw(out, kl_json_raw(json, ref));
    }
}

/* Writes json again and checks that the text parses to the same tree and is its own fixed point. */
static void check_round_trip(const struct kl_json *json)
{
    struct kl_buf first, second;
    kl_buf_init(&first, 1 << 26);
    kl_buf_init(&second, 1 << 26);
    struct kl_json_out out = kl_json_out_to(&first), out2 = kl_json_out_to(&second);
    put_value(&out, json, 0);
    struct kl_json again;
    kl_rule broken;
    usize at;
    CHECK_OK(kl_json_parse(&again, kl_buf_view(&first), 1 << 22, &arena, &broken, &at));
    CHECK_RULE(broken, KL_RULE_NONE);
    CHECK_U64(again.node_count, json->node_count);
    for (usize i = 0; i < again.node_count; i++) {
        CHECK(again.nodes[i].kind == json->nodes[i].kind);
        CHECK(again.nodes[i].next == json->nodes[i].next);
        CHECK(again.nodes[i].count == json->nodes[i].count);
    }
    put_value(&out2, &again, 0);
    CHECK(!first.failed && !second.failed);
    CHECK_SPAN(kl_buf_view(&second), kl_buf_view(&first));
    kl_buf_done(&first);
    kl_buf_done(&second);
}

static void corpus_file(void *ctx, const char *path, kl_span bytes)
{
    unsigned *counts = ctx;
    const char *name = strrchr(path, '/') + 1;
    bool valid = strncmp(name, "valid_", 6) == 0, invalid = strncmp(name, "invalid_", 8) == 0;
    struct kl_json json;
    usize at;
    bool good = parse(&json, bytes, &at) == KL_RULE_NONE;
    if ((valid && !good) || (invalid && good))
        kl_test_fail(__FILE__, __LINE__, "%s", name);
    CHECK(good == twin_valid(bytes));
    if (good)
        check_round_trip(&json);
    else
        CHECK(at <= bytes.len);
    counts[0] += valid;
    counts[1] += invalid;
}

/* tests/corpus/json_fuzz: documents named for what they are. */
KL_TEST(json_corpus_verdicts)
{
    char folder[4096];
    usize len = strlen(kl_test_source_root());
    KL_ASSERT(len < 4000);
    memcpy(folder, kl_test_source_root(), len);
    memcpy(folder + len, "/tests/corpus/json_fuzz", sizeof "/tests/corpus/json_fuzz");
    unsigned counts[2] = {0};
    kl_test_files(folder, "", corpus_file, counts);
    CHECK(counts[0] >= 50 && counts[1] >= 80);
    kl_arena_done(&arena);
}

/* A random document, small numbers of everything. */
static void put_random(struct kl_json_out *out, u64 *seed, unsigned depth)
{
    u8 bytes[40];
    usize len = kl_rand_below(seed, sizeof bytes);
    kl_rand_fill(seed, bytes, len);
    u64 pick = kl_rand_below(seed, depth > 5 ? 6 : 9);
    if (pick == 0)
        kl_json_put_null(out);
    else if (pick == 1)
        kl_json_put_bool(out, kl_rand(seed) & 1);
    else if (pick == 2)
        kl_json_put_number(out, kl_rand(seed) >> kl_rand_below(seed, 64));
    else if (pick == 3)
        kl_json_put_string(out, kl_span_of(bytes, len));
    else if (pick == 4)
        kl_json_put_data(out, kl_span_of(bytes, len));
    else if (pick == 5)
        kl_json_put_quantity_u256(out, (kl_u256){{kl_rand(seed), kl_rand(seed), 0, 0}});
    else if (pick == 6) {
        kl_json_put_array(out);
        for (u64 n = kl_rand_below(seed, 5); n-- > 0;)
            put_random(out, seed, depth + 1);
        kl_json_put_array_end(out);
    } else {
        kl_json_put_object(out);
        for (u64 n = kl_rand_below(seed, 5); n-- > 0;) {
            kl_json_put_key_span(out, kl_span_of(bytes, kl_rand_below(seed, len + 1)));
            put_random(out, seed, depth + 1);
        }
        kl_json_put_object_end(out);
    }
}

/* Property: reader and twin agree on random documents, whole and damaged. */
KL_TEST(json_agrees_with_the_grammar)
{
    struct kl_buf buf;
    kl_buf_init(&buf, 1 << 22);
    unsigned good_ones = 0;
    for (int i = 0; i < 20000; i++) {
        kl_buf_clear(&buf);
        struct kl_json_out out = kl_json_out_to(&buf);
        put_random(&out, seed, 0);
        struct kl_json json;
        usize at;
        CHECK_RULE(parse(&json, kl_buf_view(&buf), &at), KL_RULE_NONE);
        check_round_trip(&json);
        for (u64 hits = 1 + kl_rand_below(seed, 3); hits-- > 0;) {
            static const u8 likely[] = "{}[]:,\"\\0129-+.eEtfn u/d8\x80\xc3\xbf\xe2\xf0\x1f\n";
            buf.p[kl_rand_below(seed, buf.len)] = likely[kl_rand_below(seed, sizeof likely - 1)];
        }
        bool good = parse(&json, kl_buf_view(&buf), &at) == KL_RULE_NONE;
        CHECK(good == twin_valid(kl_buf_view(&buf)));
        CHECK(good || at <= buf.len);
        good_ones += good;
    }
    CHECK(good_ones > 1000 && good_ones < 19000);
    kl_buf_done(&buf);
    kl_arena_done(&arena);
}

/* Property: every prefix of a document but the whole is refused, at its end. */
KL_TEST(json_cut_short_is_refused)
{
    static const char text[] =
        "{\"a\": [1, -2.5e+3, true, null], \"\\ud83d\\ude00b\": {\"c\": \"\xe2\x82\xac\"}}";
    for (usize len = 0; len < sizeof text - 1; len++) {
        struct kl_json json;
        usize at;
        u8 exact[sizeof text];
        memcpy(exact, text, len);
        CHECK_RULE(parse(&json, kl_span_of(exact, len), &at), KL_RULE_JSON_SYNTAX);
        CHECK(at <= len);
    }
    kl_arena_done(&arena);
}

KL_TEST(json_finds_members_and_elements)
{
    struct kl_json json;
    CHECK_RULE(parse_text(&json,
                          " {\"a\":1,\"list\":[10,[],{\"x\":2},\"s\"],\"a\":2,\"\\u0061b\":3,"
                          "\"empty\":{},\"deep\":{\"a\":9}} "),
               KL_RULE_NONE);
    u64 v;
    CHECK(kl_json_number_u64(&v, &json, kl_json_member(&json, 0, "a")));
    CHECK_U64(v, 2); /* of two the last */
    CHECK(kl_json_number_u64(&v, &json, kl_json_member(&json, 0, "ab")));
    CHECK_U64(v, 3);
    CHECK(kl_json_member(&json, 0, "abc") == KL_JSON_NONE);
    CHECK(kl_json_member(&json, 0, "x") == KL_JSON_NONE);
    CHECK(kl_json_member(&json, KL_JSON_NONE, "x") == KL_JSON_NONE);
    kl_json_ref list = kl_json_member(&json, 0, "list");
    CHECK_U64(json.nodes[list].count, 4);
    CHECK(kl_json_number_u64(&v, &json, kl_json_at(&json, list, 0)));
    CHECK_U64(v, 10);
    CHECK(kl_json_equals(&json, kl_json_at(&json, list, 3), "s"));
    CHECK(!kl_json_equals(&json, kl_json_at(&json, list, 0), "10"));
    CHECK(kl_json_at(&json, list, 4) == KL_JSON_NONE);
    CHECK(kl_json_at(&json, 0, 0) == KL_JSON_NONE);
    CHECK(kl_json_first(&json, kl_json_at(&json, list, 1)) == KL_JSON_NONE);
    CHECK(kl_json_first(&json, kl_json_member(&json, 0, "empty")) == KL_JSON_NONE);
    CHECK(kl_json_first(&json, kl_json_member(&json, 0, "a")) == KL_JSON_NONE);
    CHECK(kl_json_member(&json, list, "x") == KL_JSON_NONE);
    CHECK_SPAN(kl_json_raw(&json, list), KL_SPAN_TEXT("[10,[],{\"x\":2},\"s\"]"));
    CHECK(kl_json_kind_of(&json, list) == KL_JSON_ARRAY);
    unsigned members = 0;
    for (kl_json_ref at = kl_json_first(&json, 0); at != KL_JSON_NONE;
         at = kl_json_after(&json, 0, kl_json_value(at)))
        members++;
    CHECK_U64(members, json.nodes[0].count);
    kl_arena_done(&arena);
}

KL_TEST(json_resolves_escapes)
{
    struct kl_json json;
    CHECK_RULE(parse_text(&json,
                          "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u00e9\\u20AC\\ud83d\\uDE00\","
                          "\"plain\"]"),
               KL_RULE_NONE);
    kl_span text;
    CHECK(kl_json_string(&text, &json, 1, &arena));
    CHECK_SPAN(text, KL_SPAN_TEXT("\"\\/\b\f\n\r\t\0\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"));
    CHECK(json.nodes[1].escaped && !json.nodes[2].escaped);
    struct kl_arena none;
    kl_arena_init(&none, 0);
    CHECK(!kl_json_string(&text, &json, 1, &none));
    CHECK(kl_json_string(&text, &json, 2, &none));
    CHECK_SPAN(text, KL_SPAN_TEXT("plain"));
    kl_arena_done(&arena);
}

KL_TEST(json_numbers_are_whole_or_refused)
{
    static const struct {
        const char *text;
        bool good;
        u64 v;
    } cases[] = {
        {"0", true, 0},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"99999999999999999999999", false, 0},
        {"-1", false, 0},
        {"-0", false, 0},
        {"1.0", false, 0},
        {"1e2", false, 0},
        {"\"1\"", false, 0},
    };
    for (usize i = 0; i < KL_COUNT_OF(cases); i++) {
        struct kl_json json;
        u64 v = 7;
        CHECK_RULE(parse_text(&json, cases[i].text), KL_RULE_NONE);
        CHECK(kl_json_number_u64(&v, &json, 0) == cases[i].good);
        CHECK_U64(v, cases[i].good ? cases[i].v : 7);
    }
    kl_arena_done(&arena);
}

KL_TEST(json_limits_are_kept)
{
    struct kl_json json;
    kl_rule broken;
    usize at;
    char deep[2 * (KL_JSON_DEPTH_MAX + 1)];
    for (usize depth = KL_JSON_DEPTH_MAX; depth <= KL_JSON_DEPTH_MAX + 1; depth++) {
        memset(deep, '[', depth);
        memset(deep + depth, ']', depth);
        CHECK_RULE(parse(&json, kl_span_of(deep, 2 * depth), &at),
                   depth > KL_JSON_DEPTH_MAX ? KL_RULE_JSON_DEPTH : KL_RULE_NONE);
    }
    CHECK_U64(at, KL_JSON_DEPTH_MAX);
    static char hole[1 << 20]; /* a million open arrays, or objects */
    memset(hole, '[', sizeof hole);
    CHECK_RULE(parse(&json, kl_span_of(hole, sizeof hole), &at), KL_RULE_JSON_DEPTH);
    CHECK_U64(at, KL_JSON_DEPTH_MAX);
    for (usize i = 0; i + 5 <= sizeof hole; i += 5)
        memcpy(hole + i, "{\"\":[", 5);
    CHECK_RULE(parse(&json, kl_span_of(hole, sizeof hole), &at), KL_RULE_JSON_DEPTH);
    kl_span five = KL_SPAN_TEXT("[1,2,{\"a\":3}]");
    for (usize max = 0; max <= 7; max++) {
        CHECK_OK(kl_json_parse(&json, five, max, &arena, &broken, &at));
        CHECK_RULE(broken, max < 6 ? KL_RULE_JSON_SIZE : KL_RULE_NONE);
    }
    CHECK_OK(kl_json_parse(&json, kl_span_of("", (usize)1 << 32), 9, &arena, &broken, &at));
    CHECK_RULE(broken, KL_RULE_JSON_SIZE);
    kl_arena_done(&arena);
}

/* Every arena limit either holds the whole document or gives KL_NOMEM. */
KL_TEST(json_out_of_memory_is_a_status)
{
    static char text[40001];
    memset(text, '1', sizeof text);
    text[0] = '[';
    for (usize i = 2; i < sizeof text; i += 2)
        text[i] = ',';
    text[sizeof text - 1] = ']';
    bool was_enough = false;
    for (usize limit = 0; limit < 2000000; limit += 20000) {
        struct kl_arena small;
        kl_arena_init(&small, limit);
        struct kl_json json;
        kl_rule broken;
        usize at;
        kl_status status = kl_json_parse(&json, KL_SPAN_OF(text), 1 << 20, &small, &broken, &at);
        CHECK(status == KL_OK || (status == KL_NOMEM && !was_enough));
        CHECK(broken == KL_RULE_NONE);
        was_enough = status == KL_OK;
        kl_arena_done(&small);
    }
    CHECK(was_enough);
}

KL_TEST(json_lines_are_counted_from_one)
{
    kl_span text = KL_SPAN_TEXT("a\nb\n\nc");
    CHECK_U64(kl_json_line(text, 0), 1);
    CHECK_U64(kl_json_line(text, 1), 1);
    CHECK_U64(kl_json_line(text, 2), 2);
    CHECK_U64(kl_json_line(text, 5), 4);
    CHECK_U64(kl_json_line(text, 99), 4);
}

KL_TEST(json_writer_spells_values)
{
    struct kl_buf buf;
    kl_buf_init(&buf, 1 << 16);
    struct kl_json_out out = kl_json_out_to(&buf);
    kl_hash hash = {{0xab}};
    kl_address address = {{0xcd}};
    kl_json_put_object(&out);
    kl_json_put_key(&out, "a");
    kl_json_put_array(&out);
    kl_json_put_number(&out, UINT64_MAX);
    kl_json_put_number(&out, 0);
    kl_json_put_bool(&out, true);
    kl_json_put_null(&out);
    kl_json_put_array(&out);
    kl_json_put_array_end(&out);
    kl_json_put_array_end(&out);
    kl_json_put_key_span(&out, KL_SPAN_TEXT("k\"y"));
    kl_json_put_text(&out, "\x01\x1f\x7f\\ \b\f\n\r\t \xc3\xa9 \xff\xed\xa0\x80 / tail");
    kl_json_add_data(&out, "d", KL_SPAN_NONE);
    kl_json_add_hash(&out, "h", &hash);
    kl_json_add_address(&out, "r", &address);
    kl_json_add_quantity(&out, "q", 0);
    kl_json_add_quantity_u256(&out, "w", KL_U256_MAX);
    kl_json_put_object_end(&out);
    CHECK_SPAN(
        kl_buf_view(&buf),
        kl_span_str(
            "{\"a\":[18446744073709551615,0,true,null,[]],"
            "\"k\\\"y\":\"\\u0001\\u001f\x7f\\\\ \\b\\f\\n\\r\\t \xc3\xa9 "
            "\\ufffd\\ufffd\\ufffd\\ufffd / tail\","
            "\"d\":\"0x\","
            "\"h\":\"0xab00000000000000000000000000000000000000000000000000000000000000\","
            "\"r\":\"0xcd00000000000000000000000000000000000000\","
            "\"q\":\"0x0\","
            "\"w\":\"0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\"}"));
    kl_buf_done(&buf);
}

/* Property: a buffer with too little room fails and keeps within it. */
KL_TEST(json_writer_stops_at_the_limit)
{
    static const char want[] = "{\"key\":\"0x30313233343536373839\",\"k2\":\"tail\\n\"}";
    for (usize limit = 0; limit < 60; limit++) {
        struct kl_buf buf;
        kl_buf_init(&buf, limit);
        struct kl_json_out out = kl_json_out_to(&buf);
        kl_json_put_object(&out);
        kl_json_add_data(&out, "key", KL_SPAN_TEXT("0123456789"));
        kl_json_add_text(&out, "k2", "tail\n");
        kl_json_put_object_end(&out);
        CHECK(buf.len <= limit && buf.failed == (limit < sizeof want - 1));
        kl_buf_done(&buf);
    }
}

KL_TEST(json_writer_nests_to_the_limit)
{
    struct kl_buf buf;
    kl_buf_init(&buf, 1 << 16);
    struct kl_json_out out = kl_json_out_to(&buf);
    for (int i = 0; i < KL_JSON_DEPTH_MAX; i++) {
        kl_json_put_array(&out);
        kl_json_put_number(&out, 1);
    }
    for (int i = 0; i < KL_JSON_DEPTH_MAX; i++)
        kl_json_put_array_end(&out);
    kl_json_put_number(&out, 2);
    buf.p[buf.len - 1] = ' ';
    CHECK(twin_valid(kl_buf_view(&buf)));
    kl_buf_done(&buf);
}
