/* The VM tests of Ethereum's first years: one frame under Frontier's rules, with exact gas,
 * storage, output and logs.  Tests that record calls instead of making them ("callcreates") are
 * left out. */
#include <stdio.h>

#include "codec/hex.h"
#include "codec/json.h"
#include "evm/evm_test_priv.h"

struct vm_tests {
    struct kl_arena arena;
    struct kl_json json;
    usize passed, skipped;
};

static kl_json_ref member(struct vm_tests *t, kl_json_ref object, const char *name)
{
    kl_json_ref ref = kl_json_member(&t->json, object, name);
    if (ref == KL_JSON_NONE)
        kl_test_fail(__FILE__, __LINE__, "no %s", name);
    return ref;
}

static kl_u256 number(struct vm_tests *t, kl_json_ref ref)
{
    kl_u256 v;
    CHECK_RULE(kl_hex_u256(&v, kl_json_raw(&t->json, ref)), KL_RULE_NONE);
    return v;
}

static kl_address address(struct vm_tests *t, kl_json_ref ref)
{
    return kl_u256_to_address(number(t, ref));
}

static kl_span data(struct vm_tests *t, kl_json_ref ref)
{
    kl_span v;
    bool exhausted = false;
    CHECK_RULE(kl_hex_data(&v, kl_json_raw(&t->json, ref), &t->arena, &exhausted), KL_RULE_NONE);
    CHECK(!exhausted);
    return v;
}

static void load(struct vm_tests *t, struct world *w, kl_json_ref pre)
{
    for (kl_json_ref n = kl_json_first(&t->json, pre); n != KL_JSON_NONE;
         n = kl_json_after(&t->json, pre, kl_json_value(n))) {
        kl_json_ref account = kl_json_value(n), storage = member(t, account, "storage");
        kl_address at = address(t, n);
        mock_account *a = mock_put(&w->mock, &at, number(t, member(t, account, "balance")),
                                   data(t, member(t, account, "code")));
        a->nonce = number(t, member(t, account, "nonce")).w[0];
        for (kl_json_ref s = kl_json_first(&t->json, storage); s != KL_JSON_NONE;
             s = kl_json_after(&t->json, storage, kl_json_value(s)))
            mock_put_slot(&w->mock, a, number(t, s), number(t, kl_json_value(s)));
    }
}

/* The account's slots must be those of want and no others. */
static void check_storage(struct vm_tests *t, struct world *w, const mock_account *a,
                          kl_json_ref want)
{
    usize nonzero = 0;
    for (kl_json_ref s = kl_json_first(&t->json, want); s != KL_JSON_NONE;
         s = kl_json_after(&t->json, want, kl_json_value(s))) {
        kl_u256 key = number(t, s), value = number(t, kl_json_value(s));
        CHECK(kl_u256_eq(mock_slot_at(&w->mock, a, &key)->current, value));
        nonzero += !kl_u256_is_zero(value);
    }
    for (u32 i = 0; i < w->mock.slot_count; i++) {
        const mock_slot *s = &w->mock.slots[w->mock.slot_order[i]];
        if (s->owner == a && !kl_u256_is_zero(s->current))
            nonzero--;
    }
    CHECK_U64(nonzero, 0);
}

static void check_accounts(struct vm_tests *t, struct world *w, kl_json_ref post)
{
    for (kl_json_ref n = kl_json_first(&t->json, post); n != KL_JSON_NONE;
         n = kl_json_after(&t->json, post, kl_json_value(n))) {
        kl_json_ref account = kl_json_value(n);
        kl_address at = address(t, n);
        const mock_account *a = mock_find(&w->mock, &at);
        CHECK(kl_u256_eq(a->balance, number(t, member(t, account, "balance"))));
        check_storage(t, w, a, member(t, account, "storage"));
    }
}

static kl_log_entry logs[64];
static usize log_count;

static kl_status keep_log(struct kl_evm_host *host, const kl_log_entry *entry)
{
    CHECK(log_count < KL_COUNT_OF(logs));
    u8 *copy = malloc(entry->data.len + 1);
    KL_ASSERT(copy);
    if (entry->data.len)
        memcpy(copy, entry->data.p, entry->data.len);
    logs[log_count] = *entry;
    logs[log_count++].data = kl_span_of(copy, entry->data.len);
    return mock_op_log(host, entry);
}

static kl_hash logs_hash_and_forget(void)
{
    kl_hash hash = kl_logs_hash(logs, log_count);
    while (log_count)
        free((void *)(uintptr_t)logs[--log_count].data.p);
    return hash;
}

static void run_vm_test(struct vm_tests *t, kl_json_ref test)
{
    kl_json_ref exec = member(t, test, "exec"), env = member(t, test, "env");
    kl_json_ref calls = kl_json_member(&t->json, test, "callcreates");
    if (calls != KL_JSON_NONE && t->json.nodes[calls].count) {
        t->skipped++;
        return;
    }
    WORLD(w, KL_FRONTIER);
    struct kl_evm_host_ops ops = mock_ops;
    ops.log = keep_log;
    w->mock.host.ops = &ops;
    load(t, w, member(t, test, "pre"));
    w->block.coinbase = address(t, member(t, env, "currentCoinbase"));
    w->block.difficulty = number(t, member(t, env, "currentDifficulty"));
    w->block.gas_limit = number(t, member(t, env, "currentGasLimit")).w[0];
    w->block.number = number(t, member(t, env, "currentNumber")).w[0];
    w->block.timestamp = number(t, member(t, env, "currentTimestamp")).w[0];
    w->tx.origin = address(t, member(t, exec, "origin"));
    w->tx.gas_price = number(t, member(t, exec, "gasPrice"));
    w->message.caller = address(t, member(t, exec, "caller"));
    w->message.to = address(t, member(t, exec, "address"));
    w->message.input = data(t, member(t, exec, "data"));
    w->message.gas = number(t, member(t, exec, "gas")).w[0];
    /* The value counts as moved already: the caller gets it to move. */
    w->message.value = number(t, member(t, exec, "value"));
    mock_account *caller = mock_find(&w->mock, &w->message.caller);
    mock_account *callee = place(w, &w->message.to, data(t, member(t, exec, "code")));
    kl_u256 caller_balance = caller->balance;
    caller->balance = kl_u256_add(caller->balance, w->message.value);
    callee->balance = kl_u256_sub(callee->balance, w->message.value);
    if (caller == callee)
        caller->balance = caller_balance;

    kl_halt halt = send(w);
    kl_hash hash = logs_hash_and_forget();
    kl_json_ref post = kl_json_member(&t->json, test, "post");
    CHECK((halt == KL_HALT_NONE) == (post != KL_JSON_NONE));
    if (post != KL_JSON_NONE) {
        CHECK_U64(w->result.gas_left, number(t, member(t, test, "gas")).w[0]);
        CHECK_SPAN(w->result.output, data(t, member(t, test, "out")));
        CHECK_SPAN(kl_hash_span(&hash), data(t, member(t, test, "logs")));
        check_accounts(t, w, post);
    }
    t->passed++;
}

static void run_file(void *ctx, const char *path, kl_span bytes)
{
    struct vm_tests *t = ctx;
    kl_rule broken = KL_RULE_NONE;
    usize at;
    (void)path;
    kl_arena_reset(&t->arena, SIZE_MAX);
    CHECK_OK(kl_json_parse(&t->json, bytes, 1 << 18, &t->arena, &broken, &at));
    CHECK_RULE(broken, KL_RULE_NONE);
    for (kl_json_ref n = kl_json_first(&t->json, 0); n != KL_JSON_NONE;
         n = kl_json_after(&t->json, 0, kl_json_value(n)))
        run_vm_test(t, kl_json_value(n));
}

KL_TEST(vm_legacy_tests)
{
    char folder[4096];
    struct vm_tests t = {.passed = 0};
    kl_arena_init(&t.arena, 256 << 20);
    snprintf(folder, sizeof folder, "%s/legacy/VMTests", kl_test_fixtures());
    usize files = kl_test_files(folder, ".json", run_file, &t);
    CHECK(files > 0 && t.passed > 0 && t.skipped < t.passed / 4);
    kl_test_tally("legacy/VMTests", t.passed, t.passed + t.skipped);
    kl_arena_done(&t.arena);
}
