/* The official TransactionTests: every envelope under every fork, its verdict or its hash, sender
 * and intrinsic gas. */
#include "types/fixture_test.h"
#include "types/intrinsic.h"

struct tally {
    struct kl_arena arena;
    unsigned good, bad;
};

/* All that a node on chain 1 holds against an envelope whatever its state. */
static kl_rule judge(kl_tx *tx, kl_span raw, kl_fork fork, struct kl_arena *arena)
{
    kl_rule broken;
    CHECK_OK(kl_tx_decode(tx, raw, fork, arena, &broken));
    KL_JUDGE(broken);
    if (tx->replay_safe && tx->chain_id != 1)
        return KL_RULE_TX_CHAIN_ID;
    KL_JUDGE(kl_tx_recover(tx, fork));
    return kl_tx_judge_alone(tx, fork);
}

static void check_good(const struct kl_json *json, kl_json_ref want, const kl_tx *tx, kl_fork fork,
                       struct kl_arena *arena)
{
    kl_span hash = fixture_data(json, kl_json_member(json, want, "hash"), arena);
    kl_span sender = fixture_data(json, kl_json_member(json, want, "sender"), arena);
    CHECK_SPAN(kl_hash_span(&tx->hash), hash);
    CHECK_SPAN(kl_address_span(&tx->sender), sender);
    CHECK_U64(kl_intrinsic_gas(tx, fork),
              fixture_u64(json, kl_json_member(json, want, "intrinsicGas")));
    kl_out out = kl_out_of(KL_TAKE(arena, u8, tx->raw.len), tx->raw.len);
    kl_tx_encode(&out, tx);
    CHECK_SPAN(kl_out_done(&out), tx->raw);
}

static void check_fork(struct tally *tally, const struct kl_json *json, kl_json_ref name,
                       kl_span raw)
{
    kl_fork fork = KL_CANCUN; /* one file spells it "Cancnun" */
    kl_tx tx;
    kl_json_ref want = kl_json_value(name);
    if (!kl_json_equals(json, name, "Cancnun"))
        CHECK(kl_fork_from_name(&fork, kl_json_raw(json, name)));
    kl_rule rule = judge(&tx, raw, fork, &tally->arena);
    kl_json_ref exception = kl_json_member(json, want, "exception");
    if (exception == KL_JSON_NONE) {
        CHECK_RULE(rule, KL_RULE_NONE);
        check_good(json, want, &tx, fork, &tally->arena);
        tally->good++;
        return;
    }
    /* Where a type is unknown, the fixtures name what else is wrong with its encoding. */
    kl_span names = kl_json_raw(json, exception);
    if (rule == KL_RULE_TX_TYPE && !fixture_names_meet(names, kl_rule_fixture(rule)))
        rule = judge(&tx, raw, KL_FORK_NEWEST, &tally->arena);
    if (!fixture_names_meet(names, kl_rule_fixture(rule)))
        kl_test_fail(__FILE__, __LINE__, "%s: %s, not %.*s", kl_fork_name(fork), kl_rule_name(rule),
                     (int)names.len, (const char *)names.p);
    tally->bad++;
}

static void file(void *ctx, const char *path, kl_span text)
{
    struct tally *tally = ctx;
    kl_arena_reset(&tally->arena, 1 << 20);
    struct kl_json json = fixture_json(text, &tally->arena);
    for (kl_json_ref test = kl_json_first(&json, 0); test != KL_JSON_NONE;
         test = kl_json_after(&json, 0, kl_json_value(test))) {
        kl_json_ref body = kl_json_value(test), result = kl_json_member(&json, body, "result");
        kl_span raw = fixture_data(&json, kl_json_member(&json, body, "txbytes"), &tally->arena);
        unsigned before = tally->good + tally->bad;
        for (kl_json_ref fork = kl_json_first(&json, result); fork != KL_JSON_NONE;
             fork = kl_json_after(&json, result, kl_json_value(fork)))
            check_fork(tally, &json, fork, raw);
        CHECK(tally->good + tally->bad > before);
    }
    (void)path;
}

KL_TEST(tx_official_fixtures)
{
    struct tally tally = {0};
    kl_arena_init(&tally.arena, 1 << 26);
    CHECK_U64(kl_test_files(fixture_path("TransactionTests"), ".json", file, &tally), 127);
    CHECK_U64(kl_test_files(fixture_path("eest-filled/transaction_tests"), ".json", file, &tally),
              9);
    CHECK_U64(tally.good + tally.bad, 1778 + 35);
    CHECK_U64(tally.good, 412);
    kl_test_tally("TransactionTests", tally.good + tally.bad, 1778 + 35);
    kl_arena_done(&tally.arena);
}
