#include "exec/test_world_priv.h"

enum { ALICE = 0xa1, BOB = 0xb0, CAROL = 0xca, MINER = 0xc0 };

static kl_tx_result call(struct test_world *w, const kl_call *how, kl_rule want)
{
    kl_tx_result result = {0};
    kl_rule broken;
    CHECK_OK(kl_exec_call(w->exec, how, NULL, &result, &broken));
    CHECK_RULE(broken, want);
    return result;
}

KL_TEST(call_needs_no_money_no_nonce_and_no_room)
{
    struct test_world w;
    test_world_init(&w, KL_OSAKA);
    test_add_code(&w, CAROL, "3a5f5260205ff3"); /* returns GASPRICE */
    test_enter(&w);
    kl_tx tx = test_tx(&w, KL_TX_LEGACY, ALICE, CAROL);
    tx.nonce = 77;
    tx.gas_limit = 500000000; /* more than the block, more than EIP-7825 */
    tx.max_fee = tx.max_priority_fee = KL_U256_ZERO;
    kl_tx_result r = call(&w, &(kl_call){.tx = &tx, .free = true}, KL_RULE_NONE);
    CHECK(r.halt == KL_HALT_NONE && r.output.len == 32 && r.output.p[31] == 0);
    CHECK_U64(kl_exec_gas_used(w.exec), 0);
    CHECK(!test_look(&w, MINER)->exists);
    tx.max_fee = kl_u256_of(1);
    call(&w, &(kl_call){.tx = &tx}, KL_RULE_TX_FEE_LOW);
    tx.max_fee = tx.max_priority_fee = kl_u256_of(8);
    call(&w, &(kl_call){.tx = &tx}, KL_RULE_TX_FUNDS);
    tx.max_fee = kl_u256_of(5);
    r = call(&w, &(kl_call){.tx = &tx, .free = true}, KL_RULE_NONE);
    CHECK_U64(r.output.p[31], 5);
    tx.value = KL_U256_ONE;
    call(&w, &(kl_call){.tx = &tx, .free = true}, KL_RULE_TX_FUNDS);
    tx.value = KL_U256_ZERO;
    tx.gas_limit = 20999;
    call(&w, &(kl_call){.tx = &tx, .free = true}, KL_RULE_TX_INTRINSIC_GAS);
    test_world_done(&w);
}

KL_TEST(call_may_come_from_a_contract)
{
    struct test_world w;
    test_world_init(&w, KL_OSAKA);
    test_add_code(&w, ALICE, "00");
    test_enter(&w);
    kl_tx tx = test_tx(&w, KL_TX_LEGACY, ALICE, BOB);
    call(&w, &(kl_call){.tx = &tx, .free = true}, KL_RULE_NONE);
    test_world_done(&w);
}

KL_TEST(call_sees_what_earlier_calls_did_until_the_next_enter)
{
    struct test_world w;
    test_world_init(&w, KL_OSAKA);
    test_add(&w, ALICE, 0);
    test_add_code(&w, CAROL, "5f546001015f5500"); /* slot 0 += 1 */
    test_enter(&w);
    kl_tx tx = test_tx(&w, KL_TX_LEGACY, ALICE, CAROL);
    for (u64 i = 1; i <= 3; i++) {
        call(&w, &(kl_call){.tx = &tx, .free = true}, KL_RULE_NONE);
        CHECK_U64(test_slot(&w, CAROL, 0), i);
    }
    test_enter(&w);
    CHECK_U64(test_slot(&w, CAROL, 0), 0);
    test_world_done(&w);
}

KL_TEST(call_can_leave_the_floor_out)
{
    struct test_world w;
    test_world_init(&w, KL_PRAGUE);
    test_enter(&w);
    u8 data[100];
    memset(data, 0xff, sizeof data);
    kl_tx tx = test_tx(&w, KL_TX_LEGACY, ALICE, BOB);
    tx.data = kl_span_of(data, sizeof data);
    kl_call how = {.tx = &tx, .free = true};
    CHECK_U64(call(&w, &how, KL_RULE_NONE).gas_used, 25000);
    how.no_floor = true;
    CHECK_U64(call(&w, &how, KL_RULE_NONE).gas_used, 22600);
    test_world_done(&w);
}

KL_TEST(call_from_a_spent_account_keeps_its_nonce)
{
    struct test_world w;
    test_world_init(&w, KL_OSAKA);
    test_add(&w, ALICE, 0)->account.nonce = UINT64_MAX;
    test_enter(&w);
    kl_tx tx = test_tx(&w, KL_TX_LEGACY, ALICE, BOB);
    call(&w, &(kl_call){.tx = &tx, .free = true}, KL_RULE_NONE);
    CHECK_U64(test_look(&w, ALICE)->now.nonce, UINT64_MAX);
    test_world_done(&w);
}

KL_TEST(call_sees_the_blob_base_fee_it_is_given)
{
    struct test_world w;
    kl_u256 fee = kl_u256_of(77);
    test_world_init(&w, KL_OSAKA);
    test_add_code(&w, CAROL, "4a5f5260205ff3"); /* returns BLOBBASEFEE */
    kl_exec_block block = {
        .spec = &w.spec, .header = &w.header, .reader = &w.reader, .blob_base_fee = &fee};
    CHECK_OK(kl_exec_enter(w.exec, &block));
    kl_tx tx = test_tx(&w, KL_TX_LEGACY, ALICE, CAROL);
    CHECK_U64(call(&w, &(kl_call){.tx = &tx, .free = true}, KL_RULE_NONE).output.p[31], 77);
    test_enter(&w);
    CHECK_U64(call(&w, &(kl_call){.tx = &tx, .free = true}, KL_RULE_NONE).output.p[31], 1);
    test_world_done(&w);
}
