#include "codec/rlp.h"

#include "base/test.h"
#include "codec/hex.h"
#include "codec/json.h"

/* Writes again, item by item, what lies in `items`. */
static kl_rule copy_items(kl_out *out, kl_rlp items)
{
    while (!kl_rlp_end(&items)) {
        kl_rlp look = items, inner;
        kl_span bytes;
        bool is_list;
        KL_JUDGE(kl_rlp_item(&look, &bytes, &is_list));
        if (is_list) {
            KL_JUDGE(kl_rlp_list(&items, &inner));
            kl_rlp_mark list = kl_rlp_put_begin(out);
            KL_JUDGE(copy_items(out, inner));
            kl_rlp_put_end(out, list);
        } else {
            KL_JUDGE(kl_rlp_bytes(&items, &bytes));
            kl_rlp_put_bytes(out, bytes);
        }
    }
    return KL_RULE_NONE;
}

/* The slow twin of head_of and check: walks one item with plain sums, as appendix B is worded;
 * returns its length, 0 for anything that is not canonical. */
static usize slow_item(const u8 *p, usize len, unsigned depth)
{
    if (len == 0 || depth > 40)
        return 0;
    if (p[0] < 0x80)
        return 1;
    bool list = p[0] >= 0xc0;
    unsigned code = list ? p[0] - 0xc0u : p[0] - 0x80u;
    usize head = 1, body = code;
    if (code > 55) {
        body = 0;
        for (; head < 1 + code - 55; head++) {
            if (head >= len || (head == 1 && p[head] == 0) || body > len)
                return 0;
            body = body * 256 + p[head];
        }
        if (body < 56)
            return 0;
    }
    if (body > len || head + body > len)
        return 0;
    if (!list)
        return body == 1 && p[head] < 0x80 ? 0 : head + body;
    for (usize at = head; at < head + body;) {
        usize inner = slow_item(p + at, head + body - at, depth + 1);
        if (inner == 0)
            return 0;
        at += inner;
    }
    return head + body;
}

/* A random item with about `size` bytes in it. */
static void put_random(kl_out *out, u64 *seed, usize size, unsigned depth)
{
    if (depth < 8 && kl_rand_below(seed, 3) != 0) {
        kl_rlp_mark list = kl_rlp_put_begin(out);
        for (usize left = size; left > 0;) {
            usize part = 1 + kl_rand_below(seed, left);
            put_random(out, seed, part - 1, depth + 1);
            left -= part;
        }
        kl_rlp_put_end(out, list);
        return;
    }
    u8 bytes[512];
    usize len = KL_MIN(size, sizeof bytes);
    kl_rand_fill(seed, bytes, len);
    kl_rlp_put_bytes(out, kl_span_of(bytes, len));
}

/* Property: what the writer writes is canonical for the slow twin and comes back the same. */
KL_TEST(rlp_random_trees_round_trip)
{
    for (int i = 0; i < 2000; i++) {
        u8 room[4096], again[4096];
        usize size = kl_rand_below(seed, 700);
        kl_out out = kl_out_of(room, sizeof room), copy = kl_out_of(again, sizeof again);
        u64 start = *seed;
        put_random(&out, seed, size, 0);
        kl_out count = kl_out_counter();
        put_random(&count, &start, size, 0);
        CHECK(!out.full && count.len == out.len);
        CHECK_U64(slow_item(room, out.len, 0), out.len);
        CHECK_RULE(kl_rlp_check(kl_out_done(&out), 40), KL_RULE_NONE);
        CHECK_RULE(copy_items(&copy, (kl_rlp){kl_out_done(&out)}), KL_RULE_NONE);
        CHECK_SPAN(kl_out_done(&copy), kl_out_done(&out));
    }
}

/* Property: kl_rlp_check agrees with the slow twin on damaged encodings, and whatever it accepts
 * writes back to the same bytes. */
KL_TEST(rlp_accepts_no_second_encoding)
{
    unsigned accepted = 0, refused = 0;
    for (int i = 0; i < 100000; i++) {
        u8 room[600], again[600];
        kl_out out = kl_out_of(room, sizeof room);
        put_random(&out, seed, kl_rand_below(seed, 90), 0);
        for (u64 hits = 1 + kl_rand_below(seed, 3); hits-- > 0 && !out.full;) {
            u8 edges[] = {0, 0x7f, 0x80, 0x81, 0xb7, 0xb8, 0xbf, 0xc0, 0xf7, 0xf8, 0xff};
            u8 *hit = &room[kl_rand_below(seed, out.len)];
            *hit = kl_rand(seed) & 1 ? edges[kl_rand_below(seed, sizeof edges)] : (u8)kl_rand(seed);
        }
        kl_span bytes = kl_out_done(&out);
        bool good = kl_rlp_check(bytes, 40) == KL_RULE_NONE;
        CHECK(good == (slow_item(bytes.p, bytes.len, 0) == bytes.len));
        kl_out copy = kl_out_of(again, sizeof again);
        kl_rule walked = copy_items(&copy, (kl_rlp){bytes});
        accepted += good;
        refused += !good;
        if (good)
            CHECK_SPAN(kl_out_done(&copy), bytes);
        CHECK(!good || walked == KL_RULE_NONE);
    }
    CHECK(accepted > 1000 && refused > 1000);
}

KL_TEST(rlp_integers_round_trip_in_shortest_form)
{
    for (int i = 0; i < 10000; i++) {
        u8 be[32], room[40];
        kl_rand_fill(seed, be, sizeof be);
        memset(be, 0, kl_rand_below(seed, 33));
        kl_u256 v = kl_u256_from_be(be), got;
        kl_out out = kl_out_of(room, sizeof room);
        kl_rlp_put_u256(&out, v);
        kl_rlp from = {kl_out_done(&out)};
        u64 small;
        kl_rule rule = kl_rlp_u64(&from, &small);
        CHECK((rule == KL_RULE_NONE) == (kl_u256_bits(v) <= 64));
        if (rule == KL_RULE_NONE) {
            CHECK_U64(small, v.w[0]);
            kl_out twin = kl_out_of(room, sizeof room);
            kl_rlp_put_u64(&twin, small);
            CHECK_U64(twin.len, out.len);
            from.rest = kl_out_done(&out);
        }
        CHECK_RULE(kl_rlp_u256(&from, &got), KL_RULE_NONE);
        CHECK(kl_u256_eq(got, v) && kl_rlp_end(&from));
    }
}

static kl_rule read_u256(const char *hex)
{
    kl_rlp from = {kl_test_hex(hex)};
    kl_u256 v = kl_u256_of(7);
    kl_span before = from.rest;
    kl_rule rule = kl_rlp_u256(&from, &v);
    if (rule != KL_RULE_NONE)
        CHECK(v.w[0] == 7 && from.rest.p == before.p && from.rest.len == before.len);
    return rule;
}

KL_TEST(rlp_integers_refuse_everything_else)
{
    CHECK_RULE(read_u256("80"), KL_RULE_NONE);
    CHECK_RULE(read_u256("00"), KL_RULE_RLP_INTEGER);
    CHECK_RULE(read_u256("820001"), KL_RULE_RLP_INTEGER);
    CHECK_RULE(read_u256("8101"), KL_RULE_RLP_CANONICAL);
    CHECK_RULE(read_u256("c0"), KL_RULE_RLP_KIND);
    CHECK_RULE(read_u256(""), KL_RULE_RLP_COUNT);
    CHECK_RULE(read_u256("81"), KL_RULE_RLP_SHORT);
    CHECK_RULE(read_u256("a1010000000000000000000000000000000000000000000000000000000000000000"),
               KL_RULE_RLP_INTEGER);
}

static kl_rule check_hex(const char *hex, usize max_depth)
{
    return kl_rlp_check(kl_test_hex(hex), max_depth);
}

KL_TEST(rlp_check_names_what_is_wrong)
{
    CHECK_RULE(check_hex("", 1), KL_RULE_RLP_SHORT);
    CHECK_RULE(check_hex("0000", 1), KL_RULE_RLP_TRAILING);
    CHECK_RULE(check_hex("c1c100", 1), KL_RULE_RLP_TRAILING);
    CHECK_RULE(check_hex("b838", 1), KL_RULE_RLP_SHORT);
    CHECK_RULE(check_hex("b8", 1), KL_RULE_RLP_SHORT);
    CHECK_RULE(check_hex("b837", 1), KL_RULE_RLP_CANONICAL);
    CHECK_RULE(check_hex("b90038", 1), KL_RULE_RLP_CANONICAL);
    CHECK_RULE(check_hex("bfffffffffffffffff", 1), KL_RULE_RLP_SHORT);
    CHECK_RULE(check_hex("ffffffffffffffffff", 1), KL_RULE_RLP_SHORT);
    CHECK_RULE(check_hex("c2c181", 2), KL_RULE_RLP_SHORT);
    CHECK_RULE(check_hex("c28101", 2), KL_RULE_RLP_CANONICAL);
    CHECK_RULE(check_hex("00", 0), KL_RULE_NONE);
    CHECK_RULE(check_hex("c0", 0), KL_RULE_RLP_DEPTH);
    CHECK_RULE(check_hex("c1c0", 1), KL_RULE_RLP_DEPTH);
    CHECK_RULE(check_hex("c1c0", 2), KL_RULE_NONE);
    CHECK_RULE(check_hex("c7c0c1c0c3c0c1c0", 4), KL_RULE_NONE);
}

KL_TEST(rlp_check_counts_depth_to_its_limit)
{
    static u8 room[8192];
    for (usize depth = KL_RLP_DEPTH_MAX; depth <= KL_RLP_DEPTH_MAX + 1; depth++) {
        kl_out out = kl_out_of(room, sizeof room);
        kl_rlp_mark marks[KL_RLP_DEPTH_MAX + 1];
        for (usize i = 0; i < depth; i++)
            marks[i] = kl_rlp_put_begin(&out);
        for (usize i = depth; i-- > 0;)
            kl_rlp_put_end(&out, marks[i]);
        CHECK(!out.full);
        CHECK_RULE(kl_rlp_check(kl_out_done(&out), KL_RLP_DEPTH_MAX),
                   depth > KL_RLP_DEPTH_MAX ? KL_RULE_RLP_DEPTH : KL_RULE_NONE);
    }
}

KL_TEST(rlp_cursor_reads_the_kinds_it_is_asked_for)
{
    kl_rlp items, inner;
    CHECK_RULE(kl_rlp_open(&items, kl_test_hex("c8 01 82aabb 80 c1c0 05")), KL_RULE_NONE);
    usize count;
    CHECK_RULE(kl_rlp_count(&items, &count), KL_RULE_NONE);
    CHECK_U64(count, 5);
    CHECK_RULE(kl_rlp_close(&items), KL_RULE_RLP_COUNT);
    u64 one;
    CHECK_RULE(kl_rlp_u64(&items, &one), KL_RULE_NONE);
    CHECK_U64(one, 1);
    u8 two[2], three[3];
    CHECK_RULE(kl_rlp_fixed(&items, three, sizeof three), KL_RULE_RLP_LENGTH);
    CHECK_RULE(kl_rlp_list(&items, &inner), KL_RULE_RLP_KIND);
    CHECK_RULE(kl_rlp_fixed(&items, two, sizeof two), KL_RULE_NONE);
    CHECK_HEX(kl_span_of(two, 2), "aabb");
    kl_address address;
    bool has = true;
    CHECK_RULE(kl_rlp_maybe_address(&items, &address, &has), KL_RULE_NONE);
    CHECK(!has);
    kl_span bytes;
    CHECK_RULE(kl_rlp_bytes(&items, &bytes), KL_RULE_RLP_KIND);
    CHECK_RULE(kl_rlp_maybe_address(&items, &address, &has), KL_RULE_RLP_KIND);
    CHECK_RULE(kl_rlp_list(&items, &inner), KL_RULE_NONE);
    CHECK_RULE(kl_rlp_maybe_address(&items, &address, &has), KL_RULE_RLP_LENGTH);
    CHECK_RULE(kl_rlp_bytes(&items, &bytes), KL_RULE_NONE);
    CHECK_HEX(bytes, "05");
    CHECK_RULE(kl_rlp_close(&items), KL_RULE_NONE);
    CHECK_RULE(kl_rlp_bytes(&items, &bytes), KL_RULE_RLP_COUNT);
    bool is_list;
    CHECK_RULE(kl_rlp_item(&items, &bytes, &is_list), KL_RULE_RLP_COUNT);
    CHECK_RULE(kl_rlp_count(&(kl_rlp){kl_test_hex("0181")}, &count), KL_RULE_RLP_SHORT);
}

KL_TEST(rlp_open_wants_exactly_one_list)
{
    kl_rlp items;
    CHECK_RULE(kl_rlp_open(&items, KL_SPAN_NONE), KL_RULE_RLP_SHORT);
    CHECK_RULE(kl_rlp_open(&items, kl_test_hex("80")), KL_RULE_RLP_KIND);
    CHECK_RULE(kl_rlp_open(&items, kl_test_hex("c000")), KL_RULE_RLP_TRAILING);
    CHECK_RULE(kl_rlp_open(&items, kl_test_hex("c2")), KL_RULE_RLP_SHORT);
    CHECK_RULE(kl_rlp_open(&items, kl_test_hex("c0")), KL_RULE_NONE);
    CHECK(kl_rlp_end(&items));
}

/* Property: a writer with too little room is full, whatever the size, and never writes past it. */
KL_TEST(rlp_writer_fits_or_is_full)
{
    u8 whole[900], room[900];
    u64 start = *seed;
    kl_out out = kl_out_of(whole, sizeof whole);
    put_random(&out, seed, 400, 0);
    for (usize cap = 0; cap <= out.len; cap++) {
        memset(room, 0xee, sizeof room);
        u64 again = start;
        kl_out small = kl_out_of(room, cap);
        put_random(&small, &again, 400, 0);
        CHECK(small.full == (cap < out.len));
        for (usize i = cap; i < sizeof room; i++)
            CHECK_U64(room[i], 0xee);
    }
    CHECK_SPAN(kl_span_of(room, out.len), kl_out_done(&out));
}

KL_TEST(rlp_list_headers_stand_alone)
{
    static const usize lens[] = {0, 55, 56, 255, 256, 65535, 65536, (usize)1 << 32};
    static const char *const wants[] = {"c0",     "f7",     "f838",     "f8ff",
                                        "f90100", "f9ffff", "fa010000", "fc0100000000"};
    for (usize i = 0; i < KL_COUNT_OF(lens); i++) {
        u8 room[9];
        kl_out out = kl_out_of(room, sizeof room);
        kl_rlp_put_list_header(&out, lens[i]);
        CHECK_HEX(kl_out_done(&out), wants[i]);
        CHECK_U64(kl_rlp_list_header_len(lens[i]), out.len);
    }
}

/* Official fixtures: {"name": {"in": value or "VALID" or "INVALID", "out": hex}}. */
struct official {
    struct kl_arena arena;
    unsigned valid, invalid, written;
};

/* "#123…" as big-endian bytes: by hand, since fixtures hold numbers beyond 256 bits. */
static kl_span big_decimal(kl_span digits, u8 be[64])
{
    memset(be, 0, 64);
    for (usize i = 0; i < digits.len; i++) {
        unsigned carry = digits.p[i] - (unsigned)'0';
        for (usize j = 64; j-- > 0; carry >>= 8) {
            carry += be[j] * 10u;
            be[j] = (u8)carry;
        }
        CHECK_U64(carry, 0);
    }
    usize zeros = 0;
    while (zeros < 64 && be[zeros] == 0)
        zeros++;
    return kl_span_of(be + zeros, 64 - zeros);
}

static void put_json(kl_out *out, const struct kl_json *json, kl_json_ref value,
                     struct kl_arena *arena)
{
    u8 be[64];
    kl_span text;
    if (kl_json_is(json, value, KL_JSON_ARRAY)) {
        kl_rlp_mark list = kl_rlp_put_begin(out);
        for (kl_json_ref at = kl_json_first(json, value); at != KL_JSON_NONE;
             at = kl_json_after(json, value, at))
            put_json(out, json, at, arena);
        kl_rlp_put_end(out, list);
    } else if (kl_json_is(json, value, KL_JSON_NUMBER)) {
        kl_rlp_put_bytes(out, big_decimal(kl_json_raw(json, value), be));
    } else {
        CHECK(kl_json_string(&text, json, value, arena));
        if (text.len && text.p[0] == '#')
            text = big_decimal(kl_span_sub(text, 1, text.len), be);
        kl_rlp_put_bytes(out, text);
    }
}

static void official_file(void *ctx, const char *path, kl_span bytes)
{
    (void)path;
    struct official *o = ctx;
    struct kl_json json;
    kl_rule broken;
    usize at;
    CHECK_OK(kl_json_parse(&json, bytes, 1 << 20, &o->arena, &broken, &at));
    CHECK_RULE(broken, KL_RULE_NONE);
    for (kl_json_ref name = kl_json_first(&json, 0); name != KL_JSON_NONE;
         name = kl_json_after(&json, 0, kl_json_value(name))) {
        kl_json_ref test = kl_json_value(name), in = kl_json_member(&json, test, "in");
        kl_span hex = kl_json_raw(&json, kl_json_member(&json, test, "out"));
        if (hex.len >= 2 && hex.p[1] == 'x')
            hex = kl_span_sub(hex, 2, hex.len);
        u8 raw[2048], again[2048];
        CHECK_RULE(kl_hex_parse(raw, hex.len / 2, hex), KL_RULE_NONE);
        kl_span rlp = kl_span_of(raw, hex.len / 2);
        bool valid = kl_rlp_check(rlp, KL_RLP_DEPTH_MAX) == KL_RULE_NONE;
        if (kl_json_equals(&json, in, "INVALID")) {
            CHECK(!valid);
            o->invalid++;
            continue;
        }
        CHECK(valid);
        o->valid++;
        if (kl_json_equals(&json, in, "VALID"))
            continue;
        kl_out out = kl_out_of(again, sizeof again);
        put_json(&out, &json, in, &o->arena);
        CHECK_SPAN(kl_out_done(&out), rlp);
        o->written++;
    }
}

KL_TEST(rlp_official_fixtures)
{
    char folder[4096];
    usize len = strlen(kl_test_fixtures());
    KL_ASSERT(len + sizeof "/RLPTests" <= sizeof folder);
    memcpy(folder, kl_test_fixtures(), len);
    memcpy(folder + len, "/RLPTests", sizeof "/RLPTests");
    struct official o = {0};
    kl_arena_init(&o.arena, 1 << 24);
    CHECK_U64(kl_test_files(folder, ".json", official_file, &o), 3);
    CHECK_U64(o.valid + o.invalid, 34);
    CHECK(o.invalid == 15 && o.written == o.valid - 1);
    kl_test_tally("RLPTests", o.valid + o.invalid, 34);
    kl_arena_done(&o.arena);
}
