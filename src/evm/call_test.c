/* Calls between contracts. */
#include "evm/evm_priv.h"
#include "evm/evm_test_priv.h"

/* Pushes the arguments of a call instruction: gas, address, [value], in 0..in_len, out 0..out_len.
 */
static void call(struct code *c, u8 byte, u64 gas, const kl_address *to, u64 value, u64 in_len,
                 u64 out_len)
{
    push(c, out_len);
    push(c, 0);
    push(c, in_len);
    push(c, 0);
    if (byte == KL_OP_CALL || byte == KL_OP_CALLCODE)
        push(c, value);
    push_address(c, to);
    push(c, gas);
    op(c, byte);
}

/* A callee that returns what byte pushes. */
static void place_teller(struct world *w, const kl_address *address, u8 byte)
{
    struct code c = {0};
    op(&c, byte);
    return_top(&c);
    place(w, address, code_span(&c));
}

/* What a callee sees of byte when it is called by the given instruction with value 3. */
static kl_u256 seen(u8 instruction, u8 byte)
{
    WORLD(w, KL_OSAKA);
    struct code c = {0};
    w->message.value = kl_u256_of(11);
    place_teller(w, &other_address, byte);
    mock_find(&w->mock, &other_address)->balance = kl_u256_of(50);
    call(&c, instruction, 100000, &other_address, 3, 0, 32);
    OP(&c, SSTORE, 0);
    OP(&c, RETURN, 0, 32);
    CHECK_HALT(run(w, &c), KL_HALT_NONE);
    CHECK_U64(mock_slot_at(&w->mock, w->contract, &KL_U256_ZERO)->current.w[0], 1);
    return returned(w);
}

KL_TEST(call_what_the_callee_sees)
{
    const kl_u256 me = kl_u256_from_address(&contract_address);
    const kl_u256 it = kl_u256_from_address(&other_address);
    const kl_u256 sender = kl_u256_from_address(&sender_address);
    const struct {
        u8 call, op;
        kl_u256 want;
    } cases[] = {
        {KL_OP_CALL, KL_OP_ADDRESS, it},
        {KL_OP_CALL, KL_OP_CALLER, me},
        {KL_OP_CALL, KL_OP_CALLVALUE, kl_u256_of(3)},
        {KL_OP_CALL, KL_OP_SELFBALANCE, kl_u256_of(53)},
        {KL_OP_CALL, KL_OP_ORIGIN, sender},
        {KL_OP_CALLCODE, KL_OP_ADDRESS, me},
        {KL_OP_CALLCODE, KL_OP_CALLER, me},
        {KL_OP_CALLCODE, KL_OP_CALLVALUE, kl_u256_of(3)},
        {KL_OP_CALLCODE, KL_OP_SELFBALANCE, kl_u256_of(1011)},
        {KL_OP_DELEGATECALL, KL_OP_ADDRESS, me},
        {KL_OP_DELEGATECALL, KL_OP_CALLER, sender},
        {KL_OP_DELEGATECALL, KL_OP_CALLVALUE, kl_u256_of(11)},
        {KL_OP_DELEGATECALL, KL_OP_SELFBALANCE, kl_u256_of(1011)},
        {KL_OP_STATICCALL, KL_OP_ADDRESS, it},
        {KL_OP_STATICCALL, KL_OP_CALLER, me},
        {KL_OP_STATICCALL, KL_OP_CALLVALUE, KL_U256_ZERO},
        {KL_OP_STATICCALL, KL_OP_MSIZE, KL_U256_ZERO},
        {KL_OP_CALL, KL_OP_RETURNDATASIZE, KL_U256_ZERO},
    };
    for (usize i = 0; i < KL_COUNT_OF(cases); i++)
        CHECK(kl_u256_eq(seen(cases[i].call, cases[i].op), cases[i].want));
}

/* Input goes down, output comes back, as much of it as there is room for. */
KL_TEST(call_passes_data)
{
    WORLD(w, KL_OSAKA);
    struct code callee = {0}, c = {0};
    OP(&callee, CALLDATACOPY, 0, 0, 20);
    OP(&callee, MSTORE8, 19, 0xee);
    OP(&callee, RETURN, 0, 20);
    place(w, &other_address, code_span(&callee));
    u8 input[32];
    kl_rand_fill(seed, input, sizeof input);
    w->message.input = KL_SPAN_OF(input);
    OP(&c, CALLDATACOPY, 0, 0, 32);
    push(&c, 6);
    push(&c, 40);
    push(&c, 10);
    push(&c, 2);
    push(&c, 0);
    push_address(&c, &other_address);
    push(&c, 90000);
    op(&c, KL_OP_CALL);
    op(&c, KL_OP_POP);
    op(&c, KL_OP_RETURNDATASIZE);
    OP(&c, MSTORE, 64);
    OP(&c, RETURNDATACOPY, 96, 10, 10);
    OP(&c, RETURN, 0, 128);
    CHECK_HALT(run(w, &c), KL_HALT_NONE);
    u8 want[128] = {0};
    memcpy(want, input, 32);
    memcpy(want + 40, input + 2, 6);
    want[95] = 20;
    want[96 + 9] = 0xee;
    CHECK_SPAN(w->result.output, KL_SPAN_OF(want));
}

/* [EIP-211] */
KL_TEST(call_return_data_bounds)
{
    WORLD(w, KL_OSAKA);
    place_teller(w, &other_address, KL_OP_ADDRESS);
    static const struct {
        u64 from, len;
        kl_halt halt;
    } cases[] = {{0, 32, KL_HALT_NONE},
                 {32, 0, KL_HALT_NONE},
                 {31, 1, KL_HALT_NONE},
                 {33, 0, KL_HALT_RETURN_DATA_BOUNDS},
                 {1, 32, KL_HALT_RETURN_DATA_BOUNDS},
                 {0, 33, KL_HALT_RETURN_DATA_BOUNDS},
                 {UINT64_MAX, 1, KL_HALT_RETURN_DATA_BOUNDS},
                 {1, (u64)1 << 32, KL_HALT_OUT_OF_GAS}, /* memory is paid for first */
                 {1, UINT64_MAX, KL_HALT_GAS_OVERFLOW}};
    for (usize i = 0; i < KL_COUNT_OF(cases); i++) {
        struct code c = {0};
        call(&c, KL_OP_CALL, 90000, &other_address, 0, 0, 0);
        OP(&c, RETURNDATACOPY, 0, cases[i].from, cases[i].len);
        CHECK_HALT(run(w, &c), cases[i].halt);
    }
    struct code none = {0};
    OP(&none, RETURNDATACOPY, 0, 0, 1);
    CHECK_HALT(run(w, &none), KL_HALT_RETURN_DATA_BOUNDS);
}

KL_TEST(call_failures_undo_the_callee)
{
    static const u8 ends[] = {KL_OP_REVERT, 0xfe};
    for (usize i = 0; i < sizeof ends; i++) {
        WORLD(w, KL_OSAKA);
        struct code callee = {0}, c = {0};
        OP(&callee, SSTORE, 1, 5);
        OP(&callee, LOG0, 0, 0);
        push(&callee, 0);
        push(&callee, 0);
        op(&callee, ends[i]);
        place(w, &other_address, code_span(&callee));
        call(&c, KL_OP_CALL, 90000, &other_address, 7, 0, 0);
        return_top(&c);
        CHECK_HALT(run(w, &c), KL_HALT_NONE);
        CHECK(kl_u256_is_zero(returned(w)));
        mock_account *callee_account = mock_find(&w->mock, &other_address);
        CHECK(kl_u256_is_zero(mock_slot_at(&w->mock, callee_account, &KL_U256_ONE)->current));
        CHECK(kl_u256_is_zero(callee_account->balance));
        CHECK_U64(w->contract->balance.w[0], 1000);
        CHECK(w->mock.log_count == 0 && w->result.refund == 0);
        /* A revert gives the rest of its gas back, an error takes all. */
        CHECK((gas_used(w) > 90000) == (ends[i] == 0xfe));
    }
}

/* The refund counter of a failing callee is forgotten. */
KL_TEST(call_failure_forgets_refunds)
{
    WORLD(w, KL_LONDON);
    struct code callee = {0}, c = {0};
    OP(&callee, SSTORE, 1, 0);
    op(&callee, 0xfe);
    mock_account *other = place(w, &other_address, code_span(&callee));
    mock_put_slot(&w->mock, other, KL_U256_ONE, kl_u256_of(9));
    mock_put_slot(&w->mock, w->contract, KL_U256_ONE, kl_u256_of(9));
    OP(&c, SSTORE, 1, 0);
    call(&c, KL_OP_CALL, 90000, &other_address, 0, 0, 0);
    CHECK_HALT(run(w, &c), KL_HALT_NONE);
    CHECK_U64(w->result.refund, 4800);
}

/* Prices of a call that runs nothing: what stays of the gas that was passed comes back. */
static u64 call_price(kl_fork fork, u8 byte, u64 value, bool there)
{
    WORLD(w, fork);
    struct code c = {0};
    if (there)
        mock_put(&w->mock, &other_address, KL_U256_ONE, KL_SPAN_NONE);
    call(&c, byte, 0, &other_address, value, 0, 0);
    CHECK_HALT(run(w, &c), KL_HALT_NONE);
    return gas_used(w) - (byte == KL_OP_CALL || byte == KL_OP_CALLCODE ? 21u : 18u);
}

KL_TEST(call_prices)
{
    static const struct {
        kl_fork fork;
        u32 base; /* cold, where that matters */
        bool any_new_account;
    } cases[] = {{KL_FRONTIER, 40, true},   {KL_HOMESTEAD, 40, true},  {KL_TANGERINE, 700, true},
                 {KL_SPURIOUS, 700, false}, {KL_ISTANBUL, 700, false}, {KL_BERLIN, 2600, false},
                 {KL_OSAKA, 2600, false}};
    for (usize i = 0; i < KL_COUNT_OF(cases); i++) {
        kl_fork fork = cases[i].fork;
        u64 base = cases[i].base, fresh = 25000;
        CHECK_U64(call_price(fork, KL_OP_CALL, 0, true), base);
        CHECK_U64(call_price(fork, KL_OP_CALL, 1, true), base + 9000 - 2300);
        CHECK_U64(call_price(fork, KL_OP_CALL, 0, false),
                  base + (cases[i].any_new_account ? fresh : 0));
        CHECK_U64(call_price(fork, KL_OP_CALL, 1, false), base + 9000 - 2300 + fresh);
        CHECK_U64(call_price(fork, KL_OP_CALLCODE, 0, false), base);
        CHECK_U64(call_price(fork, KL_OP_CALLCODE, 1, false), base + 9000 - 2300);
        if (fork >= KL_HOMESTEAD)
            CHECK_U64(call_price(fork, KL_OP_DELEGATECALL, 0, false), base);
        if (fork >= KL_BYZANTIUM)
            CHECK_U64(call_price(fork, KL_OP_STATICCALL, 0, false), base);
    }
}

/* The gas a callee starts with. */
static u64 gas_passed(kl_fork fork, u64 wanted, u64 value, u64 left)
{
    WORLD(w, fork);
    struct code c = {0};
    place_teller(w, &other_address, KL_OP_GAS);
    mock_find(&w->mock, &other_address)->warm = true;
    call(&c, KL_OP_CALL, wanted, &other_address, value, 0, 32);
    OP(&c, RETURN, 0, 32);
    u64 base = fork >= KL_BERLIN ? 100 : fork >= KL_TANGERINE ? 700 : 40;
    w->message.gas = 7 * 3 + 3 + base + (value ? 9000 : 0) + left;
    return run(w, &c) == KL_HALT_NONE ? returned(w).w[0] + 2 : 0;
}

KL_TEST(call_gas_of_the_callee)
{
    /* All but one 64th [EIP-150], more being asked for. */
    CHECK_U64(gas_passed(KL_TANGERINE, 1000000, 0, 64000), 63000);
    CHECK_U64(gas_passed(KL_OSAKA, UINT64_MAX, 0, 6400), 6300);
    CHECK_U64(gas_passed(KL_OSAKA, 5000, 0, 6400), 5000);
    CHECK_U64(gas_passed(KL_OSAKA, 6300, 0, 6400), 6300);
    CHECK_U64(gas_passed(KL_OSAKA, 6301, 0, 6400), 6300);
    CHECK_U64(gas_passed(KL_OSAKA, 6301, 0, 6399), 6400 - 1 - 99);
    /* The stipend is a present. */
    CHECK_U64(gas_passed(KL_OSAKA, 0, 1, 6400), 2300);
    CHECK_U64(gas_passed(KL_FRONTIER, 0, 1, 6400), 2300);
    /* What is asked for must be there. */
    CHECK_U64(gas_passed(KL_FRONTIER, 6400, 0, 6410), 6400);
    CHECK_U64(gas_passed(KL_HOMESTEAD, 6401, 0, 6400), 0);
    CHECK_U64(gas_passed(KL_HOMESTEAD, UINT64_MAX, 0, 6400), 0);
}

KL_TEST(call_needs_the_balance)
{
    static const u8 ops[] = {KL_OP_CALL, KL_OP_CALLCODE};
    for (usize i = 0; i < sizeof ops; i++) {
        WORLD(w, KL_OSAKA);
        struct code c = {0};
        place_teller(w, &other_address, KL_OP_GAS);
        call(&c, ops[i], 5000, &other_address, 1001, 0, 0);
        op(&c, KL_OP_RETURNDATASIZE);
        op(&c, KL_OP_ADD);
        return_top(&c);
        CHECK_HALT(run(w, &c), KL_HALT_NONE);
        CHECK(kl_u256_is_zero(returned(w)));
        CHECK(gas_used(w) < 20000 + 25000); /* the gas passed came back, stipend and all */
    }
}

KL_TEST(call_static_reaches_down)
{
    WORLD(w, KL_OSAKA);
    struct code writer = {0}, middle = {0}, c = {0}, pays = {0};
    OP(&writer, SSTORE, 1, 5);
    place(w, &third_address, code_span(&writer));
    call(&middle, KL_OP_CALL, 50000, &third_address, 0, 0, 0);
    return_top(&middle);
    place(w, &other_address, code_span(&middle));
    call(&c, KL_OP_STATICCALL, 200000, &other_address, 0, 0, 32);
    OP(&c, RETURN, 0, 32);
    CHECK_HALT(run(w, &c), KL_HALT_NONE);
    CHECK(kl_u256_is_zero(returned(w)));
    /* A call with value is a change; a CALLCODE with value is none. */
    w->message.is_static = true;
    call(&pays, KL_OP_CALL, 50000, &third_address, 1, 0, 0);
    CHECK_HALT(run(w, &pays), KL_HALT_WRITE_PROTECTION);
    struct code lends = {0};
    call(&lends, KL_OP_CALLCODE, 50000, &sender_address, 1, 0, 0);
    CHECK_HALT(run(w, &lends), KL_HALT_NONE);
}

/* A contract that calls itself with all its gas and returns the depth it reached. */
static kl_u256 depth_reached(kl_fork fork, u8 instruction, u64 gas)
{
    WORLD(w, fork);
    struct code c = {0};
    call(&c, instruction, 0, &contract_address, 0, 0, 32);
    c.len -= 3; /* instead of the gas of 0: */
    op(&c, KL_OP_GAS);
    if (fork < KL_TANGERINE) {
        push(&c, 2000); /* it must leave enough for itself */
        op(&c, KL_OP_SWAP1);
        op(&c, KL_OP_SUB);
    }
    op(&c, instruction);
    op(&c, KL_OP_POP);
    OP(&c, MLOAD, 0);
    push(&c, 1);
    op(&c, KL_OP_ADD);
    return_top(&c);
    w->message.gas = gas;
    CHECK_HALT(run(w, &c), KL_HALT_NONE);
    return returned(w);
}

KL_TEST(call_depth_is_1024)
{
    static const u8 kinds[] = {KL_OP_CALL, KL_OP_CALLCODE, KL_OP_DELEGATECALL, KL_OP_STATICCALL};
    for (usize i = 0; i < sizeof kinds; i++) {
        CHECK_U64(depth_reached(KL_OSAKA, kinds[i], INT64_MAX).w[0], KL_EVM_DEPTH_MAX + 1);
        if (i < 2)
            CHECK_U64(depth_reached(KL_FRONTIER, kinds[i], 1u << 30).w[0], KL_EVM_DEPTH_MAX + 1);
    }
    /* What one 64th each time leaves. */
    CHECK(depth_reached(KL_OSAKA, KL_OP_CALL, 1000000).w[0] < 400);
}

/* Calls itself, each frame with so many bytes of memory, until gas, depth or the machine's limit
 * ends it. */
static kl_status spread_memory(struct world *w, u64 each, u64 gas)
{
    struct code c = {0};
    OP(&c, MSTORE8, each - 1, 1);
    call(&c, KL_OP_CALL, 0, &contract_address, 0, 0, 0);
    c.len -= 3;
    op(&c, KL_OP_GAS);
    op(&c, KL_OP_CALL);
    place(w, &contract_address, code_span(&c));
    w->message.gas = gas;
    return kl_evm_run(w->evm, &w->mock.host, &w->block, &w->tx, &w->message, NULL, &w->result);
}

/* Does a transaction with the most gas that there may be [EIP-7825] find more than limit bytes? */
static bool finds_more_than(usize limit)
{
    WORLD(w, KL_OSAKA);
    kl_evm_free(w->evm);
    CHECK_OK(kl_evm_new(&w->evm, &(kl_evm_config){.memory_limit = limit}));
    for (u64 each = 1 << 10; each <= 1 << 22; each += each / 8) {
        kl_status status = spread_memory(w, each, 1 << 24);
        CHECK(status == KL_OK || status == KL_LIMIT);
        if (status == KL_LIMIT)
            return true;
    }
    return false;
}

KL_TEST(call_memory_is_bounded_by_gas)
{
    CHECK(finds_more_than((usize)15 << 20));
    CHECK(!finds_more_than((usize)17 << 20));
}

/* Where gas would pay for more, the run has no result, and the machine is as good as new. */
KL_TEST(call_memory_has_an_absolute_cap)
{
    WORLD(w, KL_OSAKA);
    CHECK(spread_memory(w, 1 << 20, INT64_MAX) == KL_LIMIT);
    CHECK(w->evm->memory.size <= WORLD_MEMORY + (1 << 20));
    CHECK_OK(spread_memory(w, 1 << 10, 1 << 20));
    CHECK_HALT(w->result.halt, KL_HALT_NONE);
}

/* Memory one frame wrote must read as zero in the next one that lies there. */
KL_TEST(call_memory_starts_clean)
{
    WORLD(w, KL_OSAKA);
    struct code dirty = {0}, reader = {0}, c = {0};
    for (u64 at = 0; at < 320; at += 32) {
        push_word(&dirty, KL_U256_MAX);
        OP(&dirty, MSTORE, at);
    }
    place(w, &other_address, code_span(&dirty));
    OP(&reader, MLOAD, 256);
    OP(&reader, MLOAD, 0);
    op(&reader, KL_OP_OR);
    return_top(&reader);
    place(w, &third_address, code_span(&reader));
    call(&c, KL_OP_CALL, 50000, &other_address, 0, 0, 0);
    call(&c, KL_OP_CALL, 50000, &third_address, 0, 0, 32);
    OP(&c, MLOAD, 64);
    OP(&c, MLOAD, 0);
    op(&c, KL_OP_OR);
    return_top(&c);
    for (unsigned twice = 0; twice < 2; twice++) {
        CHECK_HALT(run(w, &c), KL_HALT_NONE);
        CHECK(kl_u256_is_zero(returned(w)));
    }
}

/* [EIP-7702] */
static mock_account *delegate(struct world *w, const kl_address *from, const kl_address *to)
{
    u8 designator[23] = {0xef, 0x01, 0x00};
    memcpy(designator + 3, to->b, 20);
    return place(w, from, KL_SPAN_OF(designator));
}

KL_TEST(call_follows_a_delegation_once)
{
    WORLD(w, KL_PRAGUE);
    struct code c = {0};
    delegate(w, &other_address, &third_address);
    place_teller(w, &third_address, KL_OP_ADDRESS);
    call(&c, KL_OP_CALL, 50000, &other_address, 0, 0, 32);
    OP(&c, RETURN, 0, 32);
    CHECK_HALT(run(w, &c), KL_HALT_NONE);
    CHECK(kl_u256_eq(returned(w), kl_u256_from_address(&other_address)));
    CHECK_U64(gas_used(w), 21 + 2600 + 2600 + 3 + 6 + (2 + 3 + 6 + 6));
    CHECK(mock_find(&w->mock, &third_address)->warm);

    /* A chain of two ends in a designator, which is no code that runs. */
    delegate(w, &third_address, &sender_address);
    CHECK_HALT(send(w), KL_HALT_NONE);
    CHECK(gas_used(w) > 50000);

    /* Before Prague a designator is only bytes. */
    WORLD(cancun, KL_CANCUN);
    delegate(cancun, &other_address, &third_address);
    place_teller(cancun, &third_address, KL_OP_ADDRESS);
    CHECK_HALT(run(cancun, &c), KL_HALT_NONE);
    CHECK(gas_used(cancun) > 50000);
}

KL_TEST(call_delegation_to_a_precompile_runs_nothing)
{
    WORLD(w, KL_PRAGUE);
    struct code c = {0};
    kl_address identity = {{[19] = 4}};
    delegate(w, &other_address, &identity);
    call(&c, KL_OP_CALL, 50000, &other_address, 0, 32, 0);
    op(&c, KL_OP_RETURNDATASIZE);
    return_top(&c);
    CHECK_HALT(run(w, &c), KL_HALT_NONE);
    CHECK(kl_u256_is_zero(returned(w)));
}

KL_TEST(call_message_to_a_delegating_account)
{
    WORLD(w, KL_PRAGUE);
    place_teller(w, &third_address, KL_OP_ADDRESS);
    delegate(w, &other_address, &third_address);
    w->message.to = other_address;
    CHECK_HALT(send(w), KL_HALT_NONE);
    CHECK(kl_u256_eq(returned(w), kl_u256_from_address(&other_address)));
    CHECK_U64(gas_used(w), 2 + 3 + 6 + 6);
    CHECK(mock_find(&w->mock, &third_address)->warm);
}

/* An account that is not there comes into being before EIP-161, and only with value after it. */
KL_TEST(call_touches)
{
    static const kl_fork forks[] = {KL_FRONTIER, KL_TANGERINE, KL_SPURIOUS, KL_OSAKA};
    for (usize i = 0; i < KL_COUNT_OF(forks); i++)
        for (unsigned value = 0; value < 2; value++) {
            WORLD(w, forks[i]);
            struct code c = {0};
            call(&c, KL_OP_CALL, 0, &other_address, value, 0, 0);
            CHECK_HALT(run(w, &c), KL_HALT_NONE);
            CHECK(mock_find(&w->mock, &other_address)->exists == (value || forks[i] < KL_SPURIOUS));
        }
    WORLD(w, KL_BYZANTIUM);
    struct code c = {0};
    mock_put(&w->mock, &other_address, KL_U256_ZERO, KL_SPAN_NONE);
    call(&c, KL_OP_STATICCALL, 0, &other_address, 0, 0, 0);
    CHECK_HALT(run(w, &c), KL_HALT_NONE);
    CHECK(mock_find(&w->mock, &other_address)->touched);
}

KL_TEST(call_precompile)
{
    WORLD(w, KL_OSAKA);
    struct code c = {0}, poor = {0};
    kl_address identity = {{[19] = 4}}, blake = {{[19] = 9}};
    OP(&c, MSTORE, 0, 0x1234);
    call(&c, KL_OP_STATICCALL, 18, &identity, 0, 32, 0);
    OP(&c, RETURNDATACOPY, 32, 0, 32);
    OP(&c, MSTORE, 0);
    OP(&c, RETURN, 0, 64);
    CHECK_HALT(run(w, &c), KL_HALT_NONE);
    CHECK(w->result.output.p[31] == 1 && w->result.output.p[63] == 0x34);
    /* One gas less than its price, and input it refuses: all its gas is gone, nothing comes back.
     */
    call(&poor, KL_OP_STATICCALL, 17, &identity, 0, 32, 0);
    call(&poor, KL_OP_CALL, 1000, &blake, 0, 0, 0);
    op(&poor, KL_OP_ADD);
    op(&poor, KL_OP_RETURNDATASIZE);
    op(&poor, KL_OP_ADD);
    return_top(&poor);
    mock_find(&w->mock, &identity)->warm = mock_find(&w->mock, &blake)->warm = true;
    CHECK_HALT(run(w, &poor), KL_HALT_NONE);
    CHECK(kl_u256_is_zero(returned(w)));
    CHECK_U64(gas_used(w), 18 + 100 + 3 + 17 + 21 + 100 + 1000 + 3 + 2 + 3 + 6 + 6);
    w->message.to = identity;
    w->message.input = KL_SPAN_TEXT("abc");
    CHECK_HALT(send(w), KL_HALT_NONE);
    CHECK_SPAN(w->result.output, KL_SPAN_TEXT("abc"));
    CHECK_U64(gas_used(w), 18);
    w->message.gas = 17;
    CHECK_HALT(send(w), KL_HALT_OUT_OF_GAS);
}

struct canceller {
    struct kl_tracer tracer;
    struct kl_evm *evm;
};

static void cancel_at_enter(struct kl_tracer *tracer, KL_UNUSED const kl_trace_call *call)
{
    kl_evm_cancel(((struct canceller *)(void *)tracer)->evm);
}

/* A loop without end, and calls without end, stop when they are told to. */
KL_TEST(call_cancel)
{
    WORLD(w, KL_OSAKA);
    struct code loop = {0};
    struct canceller canceller = {.tracer = {.enter = cancel_at_enter}, .evm = w->evm};
    op(&loop, KL_OP_JUMPDEST);
    OP(&loop, JUMP, 0);
    place(w, &contract_address, code_span(&loop));
    w->message.gas = INT64_MAX;
    CHECK(kl_evm_run(w->evm, &w->mock.host, &w->block, &w->tx, &w->message, &canceller.tracer,
                     &w->result) == KL_CANCELED);
    w->message.gas = 100000;
    kl_evm_cancel(w->evm);
    CHECK_HALT(send(w), KL_HALT_OUT_OF_GAS); /* a cancel between runs is forgotten */
}
