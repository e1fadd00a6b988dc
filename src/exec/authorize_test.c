#include "crypto/keccak.h"
#include "exec/test_world_priv.h"

#define RICH 1000000000000u

enum { ALICE = 0xa1, BOB = 0xb0, CAROL = 0xca, DAVE = 0xda };

static kl_authorization tuple(u8 authority, u8 target, u64 nonce)
{
    return (kl_authorization){.chain_id = kl_u256_of(1),
                              .address = test_address(target),
                              .nonce = nonce,
                              .authority = test_address(authority),
                              .has_authority = true};
}

static kl_tx set_code_tx(struct test_world *w, kl_authorization *list, usize count, u8 to)
{
    kl_tx tx = test_tx(w, KL_TX_SET_CODE, ALICE, to);
    tx.authorizations = list;
    tx.authorization_count = count;
    tx.gas_limit = 1000000;
    return tx;
}

/* Whom the account delegates to; 0 for nobody. */
static u8 delegate_of(struct test_world *w, u8 first)
{
    kl_span code;
    CHECK_OK(kl_journal_code(kl_exec_journal(w->exec), test_look(w, first), &code));
    if (code.len == 0)
        return 0;
    CHECK(code.len == 23 && memcmp(code.p, "\xef\x01\x00", 3) == 0);
    return code.p[3];
}

KL_TEST(authorize_delegates_and_runs_the_delegate)
{
    struct test_world w;
    test_world_init(&w, KL_PRAGUE);
    test_add(&w, ALICE, RICH);
    test_add(&w, BOB, 1);
    test_add_code(&w, CAROL, "60075f5500"); /* slot 0 = 7 */
    test_enter(&w);
    kl_authorization list[] = {tuple(BOB, CAROL, 0)};
    kl_tx tx = set_code_tx(&w, list, 1, BOB);
    kl_tx_result r = test_run(&w, &tx);
    CHECK_U64(r.halt, KL_HALT_NONE);
    CHECK_U64(delegate_of(&w, BOB), CAROL);
    CHECK_U64(test_look(&w, BOB)->now.nonce, 1);
    CHECK_U64(test_slot(&w, BOB, 0), 7);
    CHECK_U64(test_slot(&w, CAROL, 0), 0);
    u64 spent = 21000 + 25000 + 3 + 2 + 22100;
    CHECK_U64(r.refund, 12500); /* for BOB, who was there */
    CHECK_U64(r.gas_used, spent - 12500);
    test_world_done(&w);
}

KL_TEST(authorize_refunds_accounts_that_were_there)
{
    struct test_world w;
    test_world_init(&w, KL_PRAGUE);
    test_add(&w, ALICE, RICH);
    test_add(&w, BOB, 1);
    test_enter(&w);
    kl_authorization list[] = {tuple(BOB, CAROL, 0), tuple(DAVE, CAROL, 0)};
    kl_tx tx = set_code_tx(&w, list, 2, 0xee);
    CHECK_U64(test_run(&w, &tx).refund, 12500);
    CHECK_U64(delegate_of(&w, DAVE), CAROL);
    test_world_done(&w);
}

KL_TEST(authorize_skips_tuples_that_do_not_fit)
{
    struct test_world w;
    test_world_init(&w, KL_PRAGUE);
    test_add(&w, ALICE, RICH);
    test_add_code(&w, 0xd0, "00");
    kl_authorization list[] = {
        tuple(0xd0, CAROL, 1),          /* has code */
        tuple(0xd1, CAROL, 1),          /* wrong nonce */
        tuple(0xd2, CAROL, UINT64_MAX), /* no nonce behind it */
        tuple(0xd3, CAROL, 0),          /* another chain */
        tuple(0xd4, CAROL, 0),          /* no authority */
        tuple(0xd5, CAROL, 0),          /* any chain: fits */
        tuple(0xd5, BOB, 0),            /* its nonce is used up */
        tuple(0xd5, DAVE, 1),           /* fits again */
    };
    list[3].chain_id = kl_u256_of(2);
    list[4].has_authority = false;
    list[5].chain_id = KL_U256_ZERO;
    test_enter(&w);
    kl_tx tx = set_code_tx(&w, list, KL_COUNT_OF(list), BOB);
    test_run(&w, &tx);
    for (u8 i = 1; i < 5; i++) {
        CHECK_U64(delegate_of(&w, (u8)(0xd0 + i)), 0);
        CHECK(!test_look(&w, (u8)(0xd0 + i))->exists);
    }
    CHECK_U64(delegate_of(&w, 0xd5), DAVE);
    CHECK_U64(test_look(&w, 0xd5)->now.nonce, 2);
    CHECK_U64(test_look(&w, 0xd0)->now.nonce, 1);
    test_world_done(&w);
}

KL_TEST(authorize_stands_when_the_call_fails)
{
    struct test_world w;
    test_world_init(&w, KL_PRAGUE);
    test_add(&w, ALICE, RICH);
    test_add_code(&w, CAROL, "5f5ffd");
    test_enter(&w);
    kl_authorization list[] = {tuple(BOB, CAROL, 0)};
    kl_tx tx = set_code_tx(&w, list, 1, BOB);
    kl_tx_result r = test_run(&w, &tx);
    CHECK_U64(r.halt, KL_HALT_REVERT);
    CHECK_U64(delegate_of(&w, BOB), CAROL);
    test_world_done(&w);
}

KL_TEST(authorize_lets_the_sender_delegate_itself)
{
    struct test_world w;
    test_world_init(&w, KL_PRAGUE);
    test_add(&w, ALICE, RICH);
    test_enter(&w);
    kl_authorization list[] = {tuple(ALICE, CAROL, 1)}; /* the transaction takes nonce 0 */
    kl_tx tx = set_code_tx(&w, list, 1, BOB);
    test_run(&w, &tx);
    CHECK_U64(delegate_of(&w, ALICE), CAROL);
    CHECK_U64(test_look(&w, ALICE)->now.nonce, 2);
    tx = test_tx(&w, KL_TX_LEGACY, ALICE, BOB); /* and it can still send [EIP-3607, EIP-7702] */
    tx.nonce = 2;
    test_run(&w, &tx);
    kl_authorization clear[] = {{.chain_id = kl_u256_of(1),
                                 .nonce = 4,
                                 .authority = test_address(ALICE),
                                 .has_authority = true}};
    tx = set_code_tx(&w, clear, 1, BOB);
    tx.nonce = 3;
    test_run(&w, &tx);
    CHECK_U64(delegate_of(&w, ALICE), 0);
    CHECK(kl_hash_eq(&test_look(&w, ALICE)->now.code_hash, &kl_keccak_empty));
    test_world_done(&w);
}

KL_TEST(authorize_to_a_precompile_runs_nothing)
{
    struct test_world w;
    test_world_init(&w, KL_PRAGUE);
    test_add(&w, ALICE, RICH);
    test_enter(&w);
    kl_authorization list[] = {tuple(BOB, 0, 0)};
    list[0].address = (kl_address){{[19] = 4}}; /* identity */
    kl_tx tx = set_code_tx(&w, list, 1, BOB);
    tx.data = kl_test_hex("0102");
    kl_tx_result r = test_run(&w, &tx);
    CHECK_U64(r.halt, KL_HALT_NONE);
    CHECK_U64(r.output.len, 0);
    CHECK_U64(r.gas_used, 21000 + 25000 + 32);
    test_world_done(&w);
}
