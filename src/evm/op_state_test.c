/* Instructions that look at accounts and storage, and what they cost from fork to fork. */
#include "evm/evm_test_priv.h"

static const kl_fork forks[] = {KL_FRONTIER,  KL_HOMESTEAD,      KL_TANGERINE,  KL_SPURIOUS,
                                KL_BYZANTIUM, KL_CONSTANTINOPLE, KL_PETERSBURG, KL_ISTANBUL,
                                KL_BERLIN,    KL_LONDON,         KL_OSAKA};

/* Of the account at address: byte must take an address from the stack and leave a word. */
static kl_u256 look(struct world *w, u8 byte, const kl_address *address)
{
    struct code code = {0};
    push_address(&code, address);
    op(&code, byte);
    return_top(&code);
    CHECK_HALT(run(w, &code), KL_HALT_NONE);
    return returned(w);
}

KL_TEST(account_balance_and_code)
{
    WORLD(w, KL_OSAKA);
    struct code code = {0};
    OP(&code, SSTORE, 1, 2);
    place(w, &other_address, code_span(&code));
    kl_hash hash = kl_keccak256(code_span(&code));
    CHECK_U64(look(w, KL_OP_BALANCE, &sender_address).w[0], 1000000);
    CHECK_U64(look(w, KL_OP_BALANCE, &third_address).w[0], 0);
    CHECK_U64(look(w, KL_OP_EXTCODESIZE, &other_address).w[0], code.len);
    CHECK_U64(look(w, KL_OP_EXTCODESIZE, &third_address).w[0], 0);
    CHECK(kl_u256_eq(look(w, KL_OP_EXTCODEHASH, &other_address), kl_u256_from_hash(&hash)));
    CHECK(kl_u256_is_zero(look(w, KL_OP_EXTCODEHASH, &third_address)));
    CHECK(kl_u256_eq(look(w, KL_OP_EXTCODEHASH, &sender_address),
                     kl_u256_from_hash(&kl_keccak_empty)));

    struct code copy = {0};
    push(&copy, 40);
    push(&copy, 1);
    push(&copy, 3);
    push_address(&copy, &other_address);
    op(&copy, KL_OP_EXTCODECOPY);
    OP(&copy, RETURN, 0, 43);
    CHECK_HALT(run(w, &copy), KL_HALT_NONE);
    u8 want[43] = {0};
    memcpy(want + 3, code.b + 1, code.len - 1);
    CHECK_SPAN(w->result.output, KL_SPAN_OF(want));
}

/* An address is what the low 160 bits say. */
KL_TEST(account_address_ignores_high_bits)
{
    WORLD(w, KL_OSAKA);
    struct code code = {0};
    kl_u256 word = kl_u256_from_address(&sender_address);
    word.w[3] = UINT64_MAX;
    word.w[2] |= 0xffffffff00000000u;
    push_word(&code, word);
    op(&code, KL_OP_BALANCE);
    return_top(&code);
    CHECK_HALT(run(w, &code), KL_HALT_NONE);
    CHECK_U64(returned(w).w[0], 1000000);
}

/* EXTCODE* see a delegation's designator, not what it points to [EIP-7702]. */
KL_TEST(account_designator_is_code)
{
    WORLD(w, KL_OSAKA);
    u8 designator[23] = {0xef, 0x01, 0x00};
    memcpy(designator + 3, third_address.b, 20);
    place(w, &other_address, KL_SPAN_OF(designator));
    kl_hash hash = kl_keccak256(KL_SPAN_OF(designator));
    CHECK_U64(look(w, KL_OP_EXTCODESIZE, &other_address).w[0], 23);
    CHECK(kl_u256_eq(look(w, KL_OP_EXTCODEHASH, &other_address), kl_u256_from_hash(&hash)));
}

/* What the first and the second look at one account cost, beyond pushing its address. */
KL_TEST(account_prices)
{
    static const struct {
        u8 op;
        u16 gas[KL_COUNT_OF(forks)][2];
    } cases[] = {
        {KL_OP_BALANCE,
         {{20, 20},
          {20, 20},
          {400, 400},
          {400, 400},
          {400, 400},
          {400, 400},
          {400, 400},
          {700, 700},
          {2600, 100},
          {2600, 100},
          {2600, 100}}},
        {KL_OP_EXTCODESIZE,
         {{20, 20},
          {20, 20},
          {700, 700},
          {700, 700},
          {700, 700},
          {700, 700},
          {700, 700},
          {700, 700},
          {2600, 100},
          {2600, 100},
          {2600, 100}}},
        {KL_OP_EXTCODEHASH,
         {{0, 0},
          {0, 0},
          {0, 0},
          {0, 0},
          {0, 0},
          {400, 400},
          {400, 400},
          {700, 700},
          {2600, 100},
          {2600, 100},
          {2600, 100}}},
    };
    for (usize i = 0; i < KL_COUNT_OF(cases); i++)
        for (usize j = 0; j < KL_COUNT_OF(forks); j++) {
            if (cases[i].gas[j][0] == 0)
                continue;
            WORLD(w, forks[j]);
            struct code code = {0};
            for (unsigned twice = 0; twice < 2; twice++) {
                push_address(&code, &other_address);
                op(&code, cases[i].op);
            }
            check_exact_gas(w, &code, 6u + cases[i].gas[j][0] + cases[i].gas[j][1]);
        }
}

KL_TEST(account_copying_code_costs)
{
    static const u16 gas[KL_COUNT_OF(forks)] = {20,  20,  700,  700,  700, 700,
                                                700, 700, 2600, 2600, 2600};
    for (usize j = 0; j < KL_COUNT_OF(forks); j++) {
        WORLD(w, forks[j]);
        struct code code = {0};
        push(&code, 33);
        push(&code, 0);
        push(&code, 0);
        push_address(&code, &other_address);
        op(&code, KL_OP_EXTCODECOPY);
        check_exact_gas(w, &code, 12u + gas[j] + 2 * 3 + 2 * 3);
    }
}

KL_TEST(storage_loads_cost)
{
    static const u16 gas[KL_COUNT_OF(forks)][2] = {{50, 50},    {50, 50},    {200, 200}, {200, 200},
                                                   {200, 200},  {200, 200},  {200, 200}, {800, 800},
                                                   {2100, 100}, {2100, 100}, {2100, 100}};
    for (usize j = 0; j < KL_COUNT_OF(forks); j++) {
        WORLD(w, forks[j]);
        struct code code = {0};
        OP(&code, SLOAD, 7);
        OP(&code, SLOAD, 7);
        check_exact_gas(w, &code, 6u + gas[j][0] + gas[j][1]);
    }
}

KL_TEST(storage_keeps_and_reverts)
{
    WORLD(w, KL_OSAKA);
    struct code code = {0}, fails = {0};
    kl_u256 key = {{1, 2, 3, 4}}, value = {{5, 6, 7, 8}};
    push_word(&code, value);
    push_word(&code, key);
    op(&code, KL_OP_SSTORE);
    push_word(&code, key);
    op(&code, KL_OP_SLOAD);
    return_top(&code);
    CHECK_HALT(run(w, &code), KL_HALT_NONE);
    CHECK(kl_u256_eq(returned(w), value));
    kl_hash before = mock_digest(&w->mock);
    push(&fails, 9);
    push_word(&fails, key);
    op(&fails, KL_OP_SSTORE);
    op(&fails, 0xfe);
    CHECK_HALT(run(w, &fails), KL_HALT_BAD_OPCODE);
    CHECK(kl_u256_eq(mock_slot_at(&w->mock, w->contract, &key)->current, value));
    place(w, &contract_address, code_span(&code));
    kl_hash after = mock_digest(&w->mock);
    CHECK(kl_hash_eq(&before, &after));
}

KL_TEST(storage_transient)
{
    WORLD(w, KL_CANCUN);
    struct code code = {0};
    OP(&code, TSTORE, 3, 4);
    OP(&code, TLOAD, 3);
    return_top(&code);
    CHECK_HALT(run(w, &code), KL_HALT_NONE);
    CHECK_U64(returned(w).w[0], 4);
    CHECK(kl_u256_is_zero(mock_slot_at(&w->mock, w->contract, &KL_U256_ONE)->current));
    struct code price = {0};
    OP(&price, TSTORE, 3, 4);
    OP(&price, TLOAD, 3);
    check_exact_gas(w, &price, 6 + 100 + 3 + 100);
}

KL_TEST(storage_of_static_calls_cannot_change)
{
    static const u8 ops[] = {KL_OP_SSTORE, KL_OP_TSTORE,  KL_OP_LOG0,
                             KL_OP_CREATE, KL_OP_CREATE2, KL_OP_SELFDESTRUCT};
    WORLD(w, KL_OSAKA);
    w->message.is_static = true;
    for (usize i = 0; i < sizeof ops; i++) {
        struct code code = {0};
        for (unsigned n = 0; n < 4; n++)
            push(&code, 0);
        op(&code, ops[i]);
        CHECK_HALT(run(w, &code), KL_HALT_WRITE_PROTECTION);
    }
}

/* Heir there or not, funds there or not: what SELFDESTRUCT costs. */
KL_TEST(selfdestruct_prices)
{
    static const struct {
        kl_fork fork;
        u32 gas[2][2]; /* [heir is there][there are funds] */
    } cases[] = {
        {KL_FRONTIER, {{0, 0}, {0, 0}}},
        {KL_TANGERINE, {{30000, 30000}, {5000, 5000}}},
        {KL_SPURIOUS, {{5000, 30000}, {5000, 5000}}},
        {KL_ISTANBUL, {{5000, 30000}, {5000, 5000}}},
        {KL_BERLIN, {{7600, 32600}, {7600, 7600}}},
        {KL_OSAKA, {{7600, 32600}, {7600, 7600}}},
    };
    for (usize i = 0; i < KL_COUNT_OF(cases); i++)
        for (unsigned there = 0; there < 2; there++)
            for (unsigned funds = 0; funds < 2; funds++) {
                WORLD(w, cases[i].fork);
                struct code code = {0};
                w->contract->balance = kl_u256_of(funds ? 50 : 0);
                if (there)
                    mock_put(&w->mock, &other_address, KL_U256_ONE, KL_SPAN_NONE);
                push_address(&code, &other_address);
                op(&code, KL_OP_SELFDESTRUCT);
                check_exact_gas(w, &code, 3 + cases[i].gas[there][funds]);
            }
}

KL_TEST(selfdestruct_moves_balance_and_refunds_once)
{
    static const struct {
        kl_fork fork;
        u64 refund;
    } cases[] = {{KL_FRONTIER, 24000}, {KL_BERLIN, 24000}, {KL_LONDON, 0}, {KL_CANCUN, 0}};
    for (usize i = 0; i < KL_COUNT_OF(cases); i++) {
        WORLD(w, cases[i].fork);
        struct code code = {0};
        push_address(&code, &other_address);
        op(&code, KL_OP_SELFDESTRUCT);
        CHECK_HALT(run(w, &code), KL_HALT_NONE);
        CHECK_U64(w->result.refund, cases[i].refund);
        CHECK_U64(mock_find(&w->mock, &other_address)->balance.w[0], 1000);
        CHECK(kl_u256_is_zero(w->contract->balance));
        CHECK(w->contract->destroyed == (cases[i].fork < KL_CANCUN)); /* [EIP-6780] */
        CHECK_HALT(send(w), KL_HALT_NONE);
        CHECK_U64(w->result.refund, 0);
    }
}

/* Whatever the host cannot do ends the run with its status, wherever that happens. */
KL_TEST(host_failure_is_a_status)
{
    struct code code = {0}, init = {0};
    OP(&code, SSTORE, 1, 2);
    OP(&code, SLOAD, 1);
    op(&code, KL_OP_BALANCE);
    op(&code, KL_OP_EXTCODESIZE);
    OP(&code, EXTCODECOPY, 1, 0, 0, 1);
    OP(&code, EXTCODEHASH, 1);
    op(&code, KL_OP_BLOCKHASH);
    OP(&code, BLOCKHASH, 999);
    OP(&code, TSTORE, 1, 2);
    OP(&code, TLOAD, 1);
    OP(&code, LOG0, 0, 1);
    OP(&code, CALL, 10000, 77, 0, 0, 0, 0, 0);
    OP(&init, MSTORE8, 0, 0);
    OP(&init, RETURN, 0, 1);
    push_word(&code, kl_u256_shl(kl_u256_from_be_bytes(code_span(&init)), 256 - 8 * init.len));
    OP(&code, MSTORE, 0);
    OP(&code, CREATE, 0, 0, init.len);
    op(&code, KL_OP_SELFDESTRUCT);
    u32 failures = 0;
    for (u32 n = 1;; n++) {
        WORLD(w, KL_OSAKA);
        place(w, &contract_address, code_span(&code));
        w->mock.fail_after = n;
        w->result.gas_left = 77;
        kl_status status =
            kl_evm_run(w->evm, &w->mock.host, &w->block, &w->tx, &w->message, NULL, &w->result);
        if (status == KL_OK) {
            CHECK_HALT(w->result.halt, KL_HALT_NONE);
            break;
        }
        CHECK(status == KL_IO && w->result.gas_left == 77);
        failures++;
    }
    CHECK(failures >= 17);
}
