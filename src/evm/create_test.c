/* Contracts that make contracts. */
#include "crypto/address.h"
#include "evm/evm_test_priv.h"

/* Init code that returns len bytes of first. */
static void returns_bytes(struct code *c, u8 first, u64 len)
{
    OP(c, MSTORE8, 0, first);
    OP(c, RETURN, 0, len);
}

/* Writes init to memory and creates with it; leaves the address, or 0. */
static void create(struct code *c, u8 byte, const struct code *init, u64 value, u64 salt)
{
    for (usize i = 0; i < init->len; i += 32) {
        u8 word[32] = {0};
        memcpy(word, init->b + i, KL_MIN(init->len - i, sizeof word));
        push_word(c, kl_u256_from_be(word));
        OP(c, MSTORE, i);
    }
    if (byte == KL_OP_CREATE2)
        push(c, salt);
    push(c, init->len);
    push(c, 0);
    push(c, value);
    op(c, byte);
}

/* The address of the contract's first creation. */
static kl_address first_address(void)
{
    return kl_address_of_create(&contract_address, 1);
}

KL_TEST(create_deploys)
{
    static const u8 ops[] = {KL_OP_CREATE, KL_OP_CREATE2};
    for (usize i = 0; i < sizeof ops; i++) {
        WORLD(w, KL_OSAKA);
        struct code init = {0}, c = {0};
        returns_bytes(&init, KL_OP_ADDRESS, 3);
        create(&c, ops[i], &init, 7, 99);
        op(&c, KL_OP_RETURNDATASIZE);
        op(&c, KL_OP_ADD);
        return_top(&c);
        CHECK_HALT(run(w, &c), KL_HALT_NONE);
        kl_hash salt = kl_u256_to_hash(kl_u256_of(99)), code_hash = kl_keccak256(code_span(&init));
        kl_address want = ops[i] == KL_OP_CREATE
                              ? first_address()
                              : kl_address_of_create2(&contract_address, &salt, &code_hash);
        CHECK(kl_u256_eq(returned(w), kl_u256_from_address(&want)));
        const mock_account *a = mock_find(&w->mock, &want);
        CHECK(a->exists && a->created && a->nonce == 1 && a->warm);
        CHECK_U64(a->balance.w[0], 7);
        CHECK_U64(w->contract->nonce, 2);
        CHECK(a->code && a->code->len == 3 && a->code->bytes[0] == KL_OP_ADDRESS);
    }
}

/* Init code sees the new contract, and no input. */
KL_TEST(create_what_init_code_sees)
{
    WORLD(w, KL_OSAKA);
    struct code init = {0}, c = {0};
    op(&init, KL_OP_CALLDATASIZE);
    op(&init, KL_OP_CALLER);
    op(&init, KL_OP_ADD);
    op(&init, KL_OP_ADDRESS);
    op(&init, KL_OP_XOR);
    op(&init, KL_OP_CODESIZE);
    op(&init, KL_OP_ADD);
    op(&init, KL_OP_CALLVALUE);
    op(&init, KL_OP_ADD);
    return_top(&init);
    create(&c, KL_OP_CREATE, &init, 5, 0);
    CHECK_HALT(run(w, &c), KL_HALT_NONE);
    kl_address at = first_address();
    kl_u256 want = kl_u256_xor(kl_u256_from_address(&at), kl_u256_from_address(&contract_address));
    want = kl_u256_add(want, kl_u256_of(init.len + 5));
    kl_hash deployed = kl_u256_to_hash(want);
    CHECK_SPAN(kl_span_of(mock_find(&w->mock, &at)->code->bytes, 32), kl_hash_span(&deployed));
}

KL_TEST(create_prices)
{
    static const struct {
        kl_fork fork;
        u8 op;
        u64 gas; /* of 33 bytes of init code that do nothing */
    } cases[] = {
        {KL_FRONTIER, KL_OP_CREATE, 32000 + 6},
        {KL_PARIS, KL_OP_CREATE, 32000 + 6},
        {KL_SHANGHAI, KL_OP_CREATE, 32000 + 6 + 4}, /* [EIP-3860] */
        {KL_CONSTANTINOPLE, KL_OP_CREATE2, 32000 + 6 + 12},
        {KL_SHANGHAI, KL_OP_CREATE2, 32000 + 6 + 12 + 4},
    };
    for (usize i = 0; i < KL_COUNT_OF(cases); i++) {
        WORLD(w, cases[i].fork);
        struct code c = {0};
        bool salted = cases[i].op == KL_OP_CREATE2;
        if (salted)
            push(&c, 0);
        push(&c, 33);
        push(&c, 0);
        push(&c, 0);
        op(&c, cases[i].op);
        CHECK_HALT(run(w, &c), KL_HALT_NONE);
        CHECK_U64(gas_used(w), cases[i].gas + (salted ? 12 : 9));
    }
}

/* The 200 gas for each byte: who pays, and what happens to who cannot. */
KL_TEST(create_deposit)
{
    struct code init = {0};
    returns_bytes(&init, 0x00, 100);
    const u64 init_gas = 6 + 3 + 3 + 6 + 9, deposit = 100 * 200;
    static const kl_fork forks[] = {KL_FRONTIER, KL_HOMESTEAD, KL_OSAKA};
    for (usize i = 0; i < KL_COUNT_OF(forks); i++)
        for (u64 missing = 0; missing < 2; missing++) {
            WORLD(w, forks[i]);
            kl_address at = kl_address_of_create(&sender_address, 0);
            w->message.create = true;
            w->message.to = at;
            w->message.input = code_span(&init);
            w->message.gas = init_gas + deposit - missing;
            kl_halt halt = send(w);
            const mock_account *a = mock_find(&w->mock, &at);
            if (!missing) {
                CHECK_HALT(halt, KL_HALT_NONE);
                CHECK(w->result.gas_left == 0 && a->code && a->code->len == 100);
                CHECK_U64(w->result.output.len, 100);
                CHECK_U64(a->nonce, forks[i] >= KL_SPURIOUS);
            } else if (forks[i] == KL_FRONTIER) {
                CHECK_HALT(halt, KL_HALT_NONE); /* the contract stays, without code */
                CHECK(w->result.gas_left == deposit - 1 && a->exists && !a->code);
            } else {
                CHECK_HALT(halt, KL_HALT_CODE_STORE_OUT_OF_GAS); /* [EIP-2] */
                CHECK(w->result.gas_left == 0 && !a->exists);
            }
        }
}

static kl_halt deploy(kl_fork fork, u8 first, u64 len, u32 lifted)
{
    WORLD(w, fork);
    struct code init = {0};
    returns_bytes(&init, first, len);
    w->block.code_size_limit = lifted;
    w->message.create = true;
    w->message.to = other_address;
    w->message.input = code_span(&init);
    return send(w);
}

KL_TEST(create_limits_on_code)
{
    CHECK_HALT(deploy(KL_TANGERINE, 0, 24577, 0), KL_HALT_NONE);
    CHECK_HALT(deploy(KL_SPURIOUS, 0, 24576, 0), KL_HALT_NONE);
    CHECK_HALT(deploy(KL_SPURIOUS, 0, 24577, 0), KL_HALT_CODE_SIZE);
    CHECK_HALT(deploy(KL_OSAKA, 0, 24577, 30000), KL_HALT_NONE);
    CHECK_HALT(deploy(KL_OSAKA, 0, 30001, 30000), KL_HALT_CODE_SIZE);
    CHECK_HALT(deploy(KL_BERLIN, 0xef, 1, 0), KL_HALT_NONE);
    CHECK_HALT(deploy(KL_LONDON, 0xef, 1, 0), KL_HALT_BAD_CODE);
    CHECK_HALT(deploy(KL_LONDON, 0xef, 0, 0), KL_HALT_NONE);
}

KL_TEST(create_limit_on_init_code)
{
    static const struct {
        kl_fork fork;
        u64 len;
        u32 lifted;
        kl_halt want;
    } cases[] = {{KL_PARIS, 49153, 0, KL_HALT_NONE},
                 {KL_SHANGHAI, 49152, 0, KL_HALT_NONE},
                 {KL_SHANGHAI, 49153, 0, KL_HALT_INIT_CODE_SIZE},
                 {KL_SHANGHAI, 60000, 30000, KL_HALT_NONE},
                 {KL_SHANGHAI, 60001, 30000, KL_HALT_INIT_CODE_SIZE}};
    for (usize i = 0; i < KL_COUNT_OF(cases); i++) {
        WORLD(w, cases[i].fork);
        struct code c = {0};
        w->block.code_size_limit = cases[i].lifted;
        OP(&c, CREATE, 0, 0, cases[i].len);
        CHECK_HALT(run(w, &c), cases[i].want);
    }
}

/* [EIP-684, EIP-7610]: all gas that was passed is gone, the nonce is counted, nothing else. */
KL_TEST(create_collisions)
{
    static const u8 empty_code[1] = {0};
    for (unsigned kind = 0; kind < 4; kind++) {
        WORLD(w, KL_OSAKA);
        struct code init = {0}, c = {0};
        kl_address at = first_address();
        mock_account *a = mock_put(&w->mock, &at, kl_u256_of(5), KL_SPAN_NONE);
        if (kind == 1)
            a->nonce = 1;
        else if (kind == 2)
            place(w, &at, KL_SPAN_OF(empty_code));
        else if (kind == 3)
            mock_put_slot(&w->mock, a, KL_U256_ONE, KL_U256_ONE);
        op(&init, KL_OP_STOP);
        create(&c, KL_OP_CREATE, &init, 1, 0);
        return_top(&c);
        w->message.gas = 100000;
        CHECK_HALT(run(w, &c), KL_HALT_NONE);
        CHECK(kl_u256_is_zero(returned(w)) == (kind != 0));
        CHECK_U64(w->contract->nonce, 2);
        CHECK_U64(a->balance.w[0], kind ? 5 : 6);
        CHECK((gas_used(w) > 90000) == (kind != 0));
    }
}

KL_TEST(create_refused_before_it_starts)
{
    WORLD(w, KL_OSAKA);
    struct code init = {0}, poor = {0}, c = {0};
    op(&init, KL_OP_STOP);
    create(&poor, KL_OP_CREATE, &init, 1001, 0);
    return_top(&poor);
    CHECK_HALT(run(w, &poor), KL_HALT_NONE);
    CHECK(kl_u256_is_zero(returned(w)) && w->contract->nonce == 1 && gas_used(w) < 33000);
    create(&c, KL_OP_CREATE, &init, 0, 0);
    return_top(&c);
    w->contract->nonce = UINT64_MAX; /* [EIP-2681] */
    CHECK_HALT(run(w, &c), KL_HALT_NONE);
    CHECK(kl_u256_is_zero(returned(w)) && w->contract->nonce == UINT64_MAX);
    CHECK(gas_used(w) < 33000);
    w->contract->nonce = UINT64_MAX - 1;
    CHECK_HALT(run(w, &c), KL_HALT_NONE);
    CHECK(!kl_u256_is_zero(returned(w)) && w->contract->nonce == UINT64_MAX);
}

/* What a failing creation leaves: the nonce, the warm address, the data of a revert. */
KL_TEST(create_failures)
{
    for (unsigned reverts = 0; reverts < 2; reverts++) {
        WORLD(w, KL_OSAKA);
        struct code init = {0}, c = {0};
        OP(&init, SSTORE, 1, 1);
        OP(&init, MSTORE, 0, 0x55);
        push(&init, 32);
        push(&init, 0);
        op(&init, reverts ? KL_OP_REVERT : 0xfe);
        create(&c, KL_OP_CREATE, &init, 9, 0);
        op(&c, KL_OP_RETURNDATASIZE);
        OP(&c, MSTORE, 0);
        OP(&c, MSTORE, 32);
        OP(&c, RETURN, 0, 64);
        CHECK_HALT(run(w, &c), KL_HALT_NONE);
        CHECK(w->result.output.p[31] == (reverts ? 32 : 0));
        CHECK(kl_u256_is_zero(kl_u256_from_be(w->result.output.p + 32)));
        kl_address at = first_address();
        const mock_account *a = mock_find(&w->mock, &at);
        CHECK(!a->exists && a->nonce == 0 && a->warm && kl_u256_is_zero(a->balance));
        CHECK_U64(w->contract->nonce, 2);
        CHECK_U64(w->contract->balance.w[0], 1000);
    }
}

/* A creation keeps one 64th too [EIP-150]; before it, nothing. */
KL_TEST(create_gas_of_init_code)
{
    static const kl_fork forks[] = {KL_HOMESTEAD, KL_TANGERINE};
    for (usize i = 0; i < KL_COUNT_OF(forks); i++) {
        WORLD(w, forks[i]);
        struct code init = {0}, c = {0};
        op(&init, 0xfe);
        create(&c, KL_OP_CREATE, &init, 0, 0);
        u64 spent = 3 * 2 + 3 + 3 + 3 * 3 + 32000;
        w->message.gas = spent + 6400;
        CHECK_HALT(run(w, &c), KL_HALT_NONE);
        CHECK_U64(w->result.gas_left, forks[i] >= KL_TANGERINE ? 100 : 0);
    }
}

/* SELFDESTRUCT in init code, and jumps there: code that lives in memory only. */
KL_TEST(create_init_code_jumps_and_dies)
{
    WORLD(w, KL_OSAKA);
    struct code init = {0}, c = {0};
    OP(&init, JUMP, 4);
    op(&init, 0xfe);
    op(&init, KL_OP_JUMPDEST);
    for (unsigned i = 0; i < 100; i++)
        op(&init, KL_OP_JUMPDEST);
    push_address(&init, &third_address);
    op(&init, KL_OP_SELFDESTRUCT);
    create(&c, KL_OP_CREATE, &init, 9, 0);
    return_top(&c);
    CHECK_HALT(run(w, &c), KL_HALT_NONE);
    CHECK(!kl_u256_is_zero(returned(w)));
    CHECK_U64(mock_find(&w->mock, &third_address)->balance.w[0], 9);
    kl_address at = first_address();
    CHECK(mock_find(&w->mock, &at)->destroyed && !mock_find(&w->mock, &at)->code);
}

/* A contract that creates itself again and again with all its gas. */
static void check_depth(u8 instruction)
{
    WORLD(w, KL_OSAKA);
    struct code c = {0};
    OP(&c, CODECOPY, 0, 0, 64);
    if (instruction == KL_OP_CREATE2)
        push(&c, 7);
    op(&c, KL_OP_CODESIZE);
    push(&c, 0);
    push(&c, 0);
    op(&c, instruction);
    w->message.create = true;
    w->message.to = other_address;
    w->message.input = code_span(&c);
    w->message.gas = INT64_MAX;
    CHECK_HALT(send(w), KL_HALT_NONE);
    u32 made = 0;
    for (u32 i = 0; i < w->mock.account_count; i++)
        made += w->mock.accounts[i].created;
    CHECK_U64(made, KL_EVM_DEPTH_MAX + 1);
}

KL_TEST(create_depth_is_1024)
{
    check_depth(KL_OP_CREATE);
    check_depth(KL_OP_CREATE2);
}
