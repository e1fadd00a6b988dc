#include "types/receipt.h"

#include "base/test.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"

/* The slow twin of a bloom: the yellow paper's M3:2048, bit by bit. */
static void twin_add(kl_bloom *bloom, kl_span item)
{
    kl_hash h = kl_keccak256(item);
    for (int pair = 0; pair < 6; pair += 2) {
        unsigned bit = (h.b[pair] * 256u + h.b[pair + 1]) % 2048;
        bloom->b[255 - bit / 8] = (u8)(bloom->b[255 - bit / 8] | 1u << bit % 8);
    }
}

static void random_logs(kl_log_entry *logs, usize count, u64 *seed, struct kl_arena *arena)
{
    for (usize i = 0; i < count; i++) {
        kl_rand_fill(seed, &logs[i], sizeof logs[i]);
        logs[i].topic_count = (u8)kl_rand_below(seed, 5);
        usize len = kl_rand_below(seed, kl_rand(seed) & 1 ? 3 : 400);
        u8 *data = KL_TAKE(arena, u8, len);
        kl_rand_fill(seed, data, len);
        logs[i].data = kl_span_of(data, len);
    }
}

KL_TEST(bloom_agrees_with_the_twin)
{
    struct kl_arena arena;
    kl_arena_init(&arena, 1 << 22);
    for (int i = 0; i < 100; i++) {
        kl_log_entry logs[40];
        usize count = kl_rand_below(seed, KL_COUNT_OF(logs) + 1);
        kl_bloom fast = {0}, slow = {0}, one_by_one = {0}, merged = {0};
        random_logs(logs, count, seed, &arena);
        kl_bloom_add_logs(&fast, logs, count);
        for (usize k = 0; k < count; k++) {
            kl_bloom one = {0};
            twin_add(&slow, kl_address_span(&logs[k].address));
            kl_bloom_add(&one_by_one, kl_address_span(&logs[k].address));
            for (usize t = 0; t < logs[k].topic_count; t++) {
                twin_add(&slow, kl_hash_span(&logs[k].topics[t]));
                kl_bloom_add(&one_by_one, kl_hash_span(&logs[k].topics[t]));
                CHECK(kl_bloom_may_hold(&fast, kl_hash_span(&logs[k].topics[t])));
            }
            kl_bloom_add_logs(&one, &logs[k], 1);
            kl_bloom_merge(&merged, &one);
        }
        CHECK_SPAN(KL_SPAN_OF(fast), KL_SPAN_OF(slow));
        CHECK_SPAN(KL_SPAN_OF(one_by_one), KL_SPAN_OF(slow));
        CHECK_SPAN(KL_SPAN_OF(merged), KL_SPAN_OF(slow));
    }
    kl_bloom empty = {0};
    CHECK(!kl_bloom_may_hold(&empty, KL_SPAN_TEXT("anything")));
    kl_arena_done(&arena);
}

/* The logs list written the plain way. */
static void twin_logs(kl_out *out, const kl_log_entry *logs, usize count)
{
    kl_rlp_mark list = kl_rlp_put_begin(out);
    for (usize i = 0; i < count; i++) {
        kl_rlp_mark log = kl_rlp_put_begin(out);
        kl_rlp_put_address(out, &logs[i].address);
        kl_rlp_mark topics = kl_rlp_put_begin(out);
        for (usize t = 0; t < logs[i].topic_count; t++)
            kl_rlp_put_hash(out, &logs[i].topics[t]);
        kl_rlp_put_end(out, topics);
        kl_rlp_put_bytes(out, logs[i].data);
        kl_rlp_put_end(out, log);
    }
    kl_rlp_put_end(out, list);
}

static kl_receipt random_receipt(u64 *seed, kl_log_entry *logs, usize count)
{
    kl_receipt r = {.type = (u8)kl_rand_below(seed, 5), .logs = logs, .log_count = count};
    r.cumulative_gas_used = kl_rand(seed) >> kl_rand_below(seed, 64);
    r.gas_used = kl_rand(seed) >> kl_rand_below(seed, 64);
    r.has_state_root = kl_rand_below(seed, 3) == 0;
    r.success = !r.has_state_root && (kl_rand(seed) & 1);
    if (r.has_state_root)
        kl_rand_fill(seed, &r.state_root, sizeof r.state_root);
    kl_bloom_add_logs(&r.bloom, logs, count);
    return r;
}

/* Property: what is stored comes back with its bloom, and its consensus form is the plain one. */
KL_TEST(receipt_round_trips)
{
    struct kl_arena arena;
    kl_arena_init(&arena, 1 << 24);
    for (int i = 0; i < 500; i++) {
        kl_log_entry logs[12];
        usize count = kl_rand_below(seed, KL_COUNT_OF(logs) + 1);
        kl_arena_reset(&arena, 1 << 20);
        random_logs(logs, count, seed, &arena);
        kl_receipt r = random_receipt(seed, logs, count), back;
        static u8 room[16384], again[16384], twin_room[16384];
        kl_out out = kl_out_of(room, sizeof room), copy = kl_out_of(again, sizeof again);
        kl_out twin = kl_out_of(twin_room, sizeof twin_room);
        kl_rule broken;
        kl_receipt_store(&out, &r);
        CHECK_OK(kl_receipt_load(&back, kl_out_done(&out), &arena, &broken));
        CHECK_RULE(broken, KL_RULE_NONE);
        CHECK(back.gas_used == r.gas_used && back.type == r.type && back.success == r.success);
        CHECK_SPAN(KL_SPAN_OF(back.bloom), KL_SPAN_OF(r.bloom));
        kl_receipt_store(&copy, &back);
        CHECK_SPAN(kl_out_done(&copy), kl_out_done(&out));

        twin_logs(&twin, logs, count);
        kl_hash hash = kl_logs_hash(logs, count), want = kl_keccak256(kl_out_done(&twin));
        CHECK(kl_hash_eq(&hash, &want));
        twin = kl_out_of(twin_room, sizeof twin_room);
        if (r.type)
            kl_out_u8(&twin, r.type);
        kl_rlp_mark list = kl_rlp_put_begin(&twin);
        kl_span outcome = r.has_state_root ? kl_hash_span(&r.state_root)
                          : r.success      ? kl_test_hex("01")
                                           : KL_SPAN_NONE;
        kl_rlp_put_bytes(&twin, outcome);
        kl_rlp_put_u64(&twin, r.cumulative_gas_used);
        kl_rlp_put_bytes(&twin, KL_SPAN_OF(r.bloom));
        twin_logs(&twin, logs, count);
        kl_rlp_put_end(&twin, list);
        copy = kl_out_of(again, sizeof again);
        kl_receipt_encode(&copy, &back);
        CHECK(!copy.full && !twin.full);
        CHECK_SPAN(kl_out_done(&copy), kl_out_done(&twin));
    }
    kl_hash none = kl_logs_hash(NULL, 0);
    CHECK(kl_hash_eq(&none, &kl_keccak_empty_list));
    kl_arena_done(&arena);
}

/* Property: a damaged record loads only if it writes back to the same bytes. */
KL_TEST(receipt_has_no_second_stored_form)
{
    struct kl_arena arena;
    kl_arena_init(&arena, 1 << 24);
    unsigned loaded = 0;
    for (int i = 0; i < 20000; i++) {
        kl_log_entry logs[3];
        usize count = kl_rand_below(seed, KL_COUNT_OF(logs) + 1);
        kl_arena_reset(&arena, 1 << 20);
        random_logs(logs, count, seed, &arena);
        kl_receipt r = random_receipt(seed, logs, count), back;
        u8 room[4096], again[4096];
        kl_out out = kl_out_of(room, sizeof room), copy = kl_out_of(again, sizeof again);
        kl_rule broken;
        kl_receipt_store(&out, &r);
        room[kl_rand_below(seed, KL_MIN(out.len, (usize)60))] = (u8)kl_rand(seed);
        CHECK_OK(kl_receipt_load(&back, kl_out_done(&out), &arena, &broken));
        if (broken != KL_RULE_NONE)
            continue;
        loaded++;
        kl_receipt_store(&copy, &back);
        CHECK_SPAN(kl_out_done(&copy), kl_out_done(&out));
    }
    CHECK(loaded > 1000);
    kl_arena_done(&arena);
}

static kl_rule load(const char *hex)
{
    struct kl_arena arena;
    kl_receipt r;
    kl_rule broken;
    kl_arena_init(&arena, 1 << 20);
    CHECK_OK(kl_receipt_load(&r, kl_test_hex(hex), &arena, &broken));
    kl_arena_done(&arena);
    return broken;
}

KL_TEST(receipt_load_names_what_is_wrong)
{
    CHECK_RULE(load("c5 80 01 05 05 c0"), KL_RULE_NONE);
    CHECK_RULE(load("c6 80 01 05 05 c0 80"), KL_RULE_RLP_COUNT);
    CHECK_RULE(load("c4 80 01 05 05"), KL_RULE_RLP_COUNT);
    CHECK_RULE(load("c5 80 02 05 05 c0"), KL_RULE_RLP_LENGTH);
    CHECK_RULE(load("c7 80 820101 05 05 c0"), KL_RULE_RLP_LENGTH);
    CHECK_RULE(load("c6 8180 01 05 05 c0"), KL_RULE_RLP_INTEGER);
    CHECK_RULE(load("c5 80 01 05 05 80"), KL_RULE_RLP_KIND);
    CHECK_RULE(load("c7 80 01 05 05 c2 c1 80"), KL_RULE_RLP_LENGTH); /* too short to be a log */
    struct kl_arena none;
    kl_receipt r;
    kl_rule broken;
    kl_arena_init(&none, 0);
    CHECK(kl_receipt_load(&r, kl_test_hex("c5 80 01 05 05 c0"), &none, &broken) == KL_NOMEM);
}
