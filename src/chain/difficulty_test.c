#include "chain/difficulty.h"

#include <stdio.h>

#include "base/test.h"
#include "codec/hex.h"
#include "codec/json.h"
#include "crypto/keccak.h"

#define MINIMUM 131072u

static kl_header parent_of(u64 number, u64 timestamp, u64 difficulty)
{
    return (kl_header){.number = number,
                       .timestamp = timestamp,
                       .difficulty = kl_u256_of(difficulty),
                       .ommers_hash = kl_keccak_empty_list};
}

static u64 after(const kl_header *parent, u64 seconds, kl_fork fork)
{
    u64 difficulty;
    kl_u256 wide = kl_difficulty_after(parent, parent->timestamp + seconds, fork);
    CHECK(kl_u256_to_u64(&difficulty, wide));
    return difficulty;
}

KL_TEST(difficulty_follows_the_time_a_block_took)
{
    kl_header parent = parent_of(10, 1000, 2048 * 1000);
    CHECK_U64(after(&parent, 12, KL_FRONTIER), 2049 * 1000);
    CHECK_U64(after(&parent, 13, KL_FRONTIER), 2047 * 1000);
    CHECK_U64(after(&parent, 9, KL_HOMESTEAD), 2049 * 1000);
    CHECK_U64(after(&parent, 10, KL_HOMESTEAD), 2048 * 1000);
    CHECK_U64(after(&parent, 20, KL_HOMESTEAD), 2047 * 1000);
    CHECK_U64(after(&parent, 999, KL_HOMESTEAD), (2048 - 98) * 1000);
    CHECK_U64(after(&parent, 1000, KL_HOMESTEAD), (2048 - 99) * 1000);
    CHECK_U64(after(&parent, UINT64_MAX - 1000, KL_HOMESTEAD), (2048 - 99) * 1000);
    CHECK_U64(after(&parent, 8, KL_BYZANTIUM), 2049 * 1000);
    CHECK_U64(after(&parent, 9, KL_BYZANTIUM), 2048 * 1000);
    parent.ommers_hash.b[0] ^= 1; /* a parent with ommers */
    CHECK_U64(after(&parent, 9, KL_BYZANTIUM), 2049 * 1000);
    CHECK_U64(after(&parent, 900, KL_BYZANTIUM), (2048 - 98) * 1000);
    CHECK_U64(after(&parent, 909, KL_BYZANTIUM), (2048 - 99) * 1000);
    CHECK_U64(after(&parent, 9, KL_HOMESTEAD), 2049 * 1000);
}

KL_TEST(difficulty_has_a_least)
{
    kl_header parent = parent_of(10, 1000, MINIMUM);
    CHECK_U64(after(&parent, 100000, KL_FRONTIER), MINIMUM);
    CHECK_U64(after(&parent, 100000, KL_BYZANTIUM), MINIMUM);
    parent = parent_of(199999, 1000, MINIMUM); /* the bomb comes on top */
    CHECK_U64(after(&parent, 100000, KL_HOMESTEAD), MINIMUM + 1);
    parent = parent_of(299999, 1000, MINIMUM);
    CHECK_U64(after(&parent, 100000, KL_HOMESTEAD), MINIMUM + 2);
}

KL_TEST(difficulty_bomb_is_put_off_by_forks)
{
    static const struct {
        kl_fork fork;
        u64 delay;
    } rows[] = {
        {KL_HOMESTEAD, 0},      {KL_BYZANTIUM, 3000000},      {KL_PETERSBURG, 5000000},
        {KL_ISTANBUL, 5000000}, {KL_MUIR_GLACIER, 9000000},   {KL_BERLIN, 9000000},
        {KL_LONDON, 9700000},   {KL_ARROW_GLACIER, 10700000}, {KL_GRAY_GLACIER, 11400000},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        kl_header parent = parent_of(rows[i].delay + 1199998, 1000, MINIMUM);
        CHECK_U64(after(&parent, 100000, rows[i].fork), MINIMUM + 512);
        parent.number++;
        CHECK_U64(after(&parent, 100000, rows[i].fork), MINIMUM + 1024);
    }
}

/* Numbers no chain will see: nothing panics, and the verdict is the same everywhere. */
KL_TEST(difficulty_survives_hostile_headers)
{
    kl_header parent = parent_of(UINT64_MAX, 0, 0);
    parent.difficulty = KL_U256_MAX;
    for (usize fork = 0; fork < KL_PARIS; fork++) {
        (void)kl_difficulty_after(&parent, 0, (kl_fork)fork);
        (void)kl_difficulty_after(&parent, UINT64_MAX, (kl_fork)fork);
    }
}

struct run {
    struct kl_arena arena;
    usize cases;
};

static kl_u256 wide_quantity(const struct kl_json *json, kl_json_ref object, const char *name)
{
    kl_u256 v;
    kl_json_ref ref = kl_json_member(json, object, name);
    CHECK(ref != KL_JSON_NONE);
    CHECK_RULE(kl_hex_u256(&v, kl_json_raw(json, ref)), KL_RULE_NONE);
    return v;
}

static u64 quantity(const struct kl_json *json, kl_json_ref object, const char *name)
{
    u64 v;
    CHECK(kl_u256_to_u64(&v, wide_quantity(json, object, name)));
    return v;
}

static void check_case(const struct kl_json *json, kl_json_ref self, kl_fork fork)
{
    kl_header parent = parent_of(quantity(json, self, "currentBlockNumber") - 1,
                                 quantity(json, self, "parentTimestamp"), 0);
    parent.difficulty = wide_quantity(json, self, "parentDifficulty");
    kl_json_ref ommers = kl_json_member(json, self, "parentUncles");
    if (!kl_json_equals(json, ommers, "0x00") && !kl_json_equals(json, ommers, "0x0"))
        parent.ommers_hash.b[0] ^= 1;
    kl_u256 got = kl_difficulty_after(&parent, quantity(json, self, "currentTimestamp"), fork);
    CHECK(kl_u256_eq(got, wide_quantity(json, self, "currentDifficulty")));
}

static void check_fork(struct run *run, const struct kl_json *json, kl_json_ref name)
{
    kl_fork fork;
    kl_json_ref cases = kl_json_value(name);
    if (!kl_fork_from_name(&fork, kl_json_raw(json, name)))
        return; /* _info */
    kl_json_ref at = kl_json_first(json, cases);
    for (; at != KL_JSON_NONE; at = kl_json_after(json, cases, kl_json_value(at))) {
        check_case(json, kl_json_value(at), fork);
        run->cases++;
    }
}

static void check_file(void *ctx, KL_UNUSED const char *path, kl_span bytes)
{
    struct run *run = ctx;
    struct kl_json json;
    kl_rule broken;
    usize at;
    kl_arena_reset(&run->arena, 0);
    CHECK_OK(kl_json_parse(&json, bytes, 1u << 20, &run->arena, &broken, &at));
    CHECK_RULE(broken, KL_RULE_NONE);
    kl_json_ref test = kl_json_value(kl_json_first(&json, 0));
    kl_json_ref name = kl_json_first(&json, test);
    for (; name != KL_JSON_NONE; name = kl_json_after(&json, test, kl_json_value(name)))
        check_fork(run, &json, name);
}

KL_TEST(difficulty_official_vectors)
{
    char folder[1024];
    snprintf(folder, sizeof folder, "%s/DifficultyTests", kl_test_fixtures());
    struct run run = {.cases = 0};
    kl_arena_init(&run.arena, (usize)1 << 30);
    usize files = kl_test_files(folder, ".json", check_file, &run);
    kl_arena_done(&run.arena);
    CHECK(files >= 17 && run.cases > 15000);
    kl_test_tally("DifficultyTests", run.cases, run.cases);
}
