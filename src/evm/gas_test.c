/* Prices, against tables written down here from the EIPs. */
#include "evm/gas_priv.h"

#include "evm/evm_test_priv.h"

/* What an instruction costs from a fork on. */
static const struct {
    u8 op;
    kl_fork since;
    i32 gas;
} repriced[] = {
    {KL_OP_BALANCE, KL_FRONTIER, 20},
    {KL_OP_BALANCE, KL_TANGERINE, 400},
    {KL_OP_BALANCE, KL_ISTANBUL, 700},
    {KL_OP_BALANCE, KL_BERLIN, 100},
    {KL_OP_EXTCODESIZE, KL_FRONTIER, 20},
    {KL_OP_EXTCODESIZE, KL_TANGERINE, 700},
    {KL_OP_EXTCODESIZE, KL_BERLIN, 100},
    {KL_OP_EXTCODECOPY, KL_FRONTIER, 20},
    {KL_OP_EXTCODECOPY, KL_TANGERINE, 700},
    {KL_OP_EXTCODECOPY, KL_BERLIN, 100},
    {KL_OP_EXTCODEHASH, KL_FRONTIER, -1},
    {KL_OP_EXTCODEHASH, KL_CONSTANTINOPLE, 400},
    {KL_OP_EXTCODEHASH, KL_ISTANBUL, 700},
    {KL_OP_EXTCODEHASH, KL_BERLIN, 100},
    {KL_OP_SLOAD, KL_FRONTIER, 50},
    {KL_OP_SLOAD, KL_TANGERINE, 200},
    {KL_OP_SLOAD, KL_ISTANBUL, 800},
    {KL_OP_SLOAD, KL_BERLIN, 100},
    {KL_OP_CALL, KL_FRONTIER, 40},
    {KL_OP_CALL, KL_TANGERINE, 700},
    {KL_OP_CALL, KL_BERLIN, 100},
    {KL_OP_CALLCODE, KL_FRONTIER, 40},
    {KL_OP_CALLCODE, KL_TANGERINE, 700},
    {KL_OP_CALLCODE, KL_BERLIN, 100},
    {KL_OP_DELEGATECALL, KL_FRONTIER, -1},
    {KL_OP_DELEGATECALL, KL_HOMESTEAD, 40},
    {KL_OP_DELEGATECALL, KL_TANGERINE, 700},
    {KL_OP_DELEGATECALL, KL_BERLIN, 100},
    {KL_OP_STATICCALL, KL_FRONTIER, -1},
    {KL_OP_STATICCALL, KL_BYZANTIUM, 700},
    {KL_OP_STATICCALL, KL_BERLIN, 100},
    {KL_OP_SELFDESTRUCT, KL_FRONTIER, 0},
    {KL_OP_SELFDESTRUCT, KL_TANGERINE, 5000},
};

KL_TEST(gas_repriced_instructions)
{
    for (kl_fork fork = KL_FRONTIER; fork < KL_FORK_COUNT; fork++) {
        kl_gas_table table;
        i32 want[256];
        bool listed[256] = {false};
        kl_gas_table_fill(&table, fork);
        for (usize i = 0; i < KL_COUNT_OF(repriced); i++) {
            listed[repriced[i].op] = true;
            if (fork >= repriced[i].since)
                want[repriced[i].op] = repriced[i].gas;
        }
        for (usize i = 0; i < 256; i++)
            CHECK(!listed[i] || table.base[i] == want[i]);
    }
}

/* The loop takes the others' prices from opcodes.def whatever the fork. */
KL_TEST(gas_other_prices_never_change)
{
    bool listed[256] = {false};
    kl_gas_table newest;
    kl_gas_table_fill(&newest, KL_FORK_NEWEST);
    for (usize i = 0; i < KL_COUNT_OF(repriced); i++)
        listed[repriced[i].op] = true;
    for (kl_fork fork = KL_FRONTIER; fork < KL_FORK_COUNT; fork++) {
        kl_gas_table table;
        kl_gas_table_fill(&table, fork);
        for (usize i = 0; i < 256; i++)
            CHECK(listed[i] || table.base[i] == KL_GAS_UNDEFINED ||
                  table.base[i] == newest.base[i]);
    }
}

KL_TEST(gas_when_instructions_came)
{
    static const struct {
        kl_fork fork;
        const char *ops; /* bytes */
        usize count;
    } added[] = {
        {KL_HOMESTEAD, "\xf4", 1},
        {KL_BYZANTIUM, "\x3d\x3e\xfa\xfd", 4},
        {KL_CONSTANTINOPLE, "\x1b\x1c\x1d\x3f\xf5", 5},
        {KL_ISTANBUL, "\x46\x47", 2},
        {KL_LONDON, "\x48", 1},
        {KL_SHANGHAI, "\x5f", 1},
        {KL_CANCUN, "\x49\x4a\x5c\x5d\x5e", 5},
        {KL_OSAKA, "\x1e", 1},
    };
    kl_gas_table before, after;
    kl_gas_table_fill(&before, KL_FRONTIER);
    usize in_frontier = 0;
    for (usize i = 0; i < 256; i++)
        in_frontier += before.base[i] != KL_GAS_UNDEFINED;
    CHECK_U64(in_frontier, 129);
    for (kl_fork fork = KL_HOMESTEAD; fork < KL_FORK_COUNT; fork++) {
        kl_gas_table_fill(&after, fork);
        for (usize i = 0; i < 256; i++) {
            bool is_new = false;
            for (usize j = 0; j < KL_COUNT_OF(added); j++)
                is_new = is_new || (added[j].fork == fork &&
                                    memchr(added[j].ops, (int)i, added[j].count) != NULL);
            bool was = before.base[i] != KL_GAS_UNDEFINED, is = after.base[i] != KL_GAS_UNDEFINED;
            CHECK(is == (was || is_new) && !(was && is_new));
        }
        before = after;
    }
}

KL_TEST(gas_code_limits_and_refund_cap)
{
    CHECK_U64(kl_code_size_limit(KL_TANGERINE), UINT32_MAX);
    CHECK_U64(kl_code_size_limit(KL_SPURIOUS), 24576);
    CHECK_U64(kl_init_code_size_limit(KL_PARIS), UINT32_MAX);
    CHECK_U64(kl_init_code_size_limit(KL_SHANGHAI), 49152);
    CHECK_U64(kl_refund_cap(KL_BERLIN, 21001), 10500);
    CHECK_U64(kl_refund_cap(KL_LONDON, 21004), 4200);
}

KL_TEST(gas_memory_price)
{
    CHECK_U64(kl_gas_memory(0), 0);
    CHECK_U64(kl_gas_memory(1), 3);
    CHECK_U64(kl_gas_memory(32), 3);
    CHECK_U64(kl_gas_memory(33), 6);
    CHECK_U64(kl_gas_memory(724 * 32), 724 * 3 + 1023);
    CHECK_U64(kl_gas_memory(UINT64_MAX), KL_GAS_NEVER);
    for (int i = 0; i < 10000; i++) {
        u64 len = kl_rand(seed) >> kl_rand_below(seed, 64), words = len / 32 + (len % 32 ? 1 : 0);
        u128 want = (u128)3 * words + (u128)words * words / 512;
        CHECK_U64(kl_gas_memory(len), want > KL_GAS_NEVER ? KL_GAS_NEVER : (u64)want);
    }
    CHECK_U64(kl_gas_add(KL_GAS_NEVER, KL_GAS_NEVER), KL_GAS_NEVER);
    CHECK_U64(kl_gas_words(UINT64_MAX, 6), ((u64)1 << 59) * 6);
    CHECK_U64(kl_gas_words(UINT64_MAX, 100), KL_GAS_NEVER);
}

/* The tables of test cases in EIP-1283, EIP-2200 and EIP-3529: the values written one after the
 * other, the gas of all of the code, the refund. */
struct store_case {
    u8 original, count, values[3];
    u32 gas_1283, refund_1283, gas_2200, refund_2200, gas_3529, refund_3529;
};
static const struct store_case store_cases[] = {
    {0, 2, {0, 0}, 412, 0, 1612, 0, 212, 0},
    {0, 2, {0, 1}, 20212, 0, 20812, 0, 20112, 0},
    {0, 2, {1, 0}, 20212, 19800, 20812, 19200, 20112, 19900},
    {0, 2, {1, 2}, 20212, 0, 20812, 0, 20112, 0},
    {0, 2, {1, 1}, 20212, 0, 20812, 0, 20112, 0},
    {1, 2, {0, 0}, 5212, 15000, 5812, 15000, 3012, 4800},
    {1, 2, {0, 1}, 5212, 4800, 5812, 4200, 3012, 2800},
    {1, 2, {0, 2}, 5212, 0, 5812, 0, 3012, 0},
    {1, 2, {2, 0}, 5212, 15000, 5812, 15000, 3012, 4800},
    {1, 2, {2, 3}, 5212, 0, 5812, 0, 3012, 0},
    {1, 2, {2, 1}, 5212, 4800, 5812, 4200, 3012, 2800},
    {1, 2, {2, 2}, 5212, 0, 5812, 0, 3012, 0},
    {1, 2, {1, 0}, 5212, 15000, 5812, 15000, 3012, 4800},
    {1, 2, {1, 2}, 5212, 0, 5812, 0, 3012, 0},
    {1, 2, {1, 1}, 412, 0, 1612, 0, 212, 0},
    {0, 3, {1, 0, 1}, 40218, 19800, 40818, 19200, 40118, 19900},
    {1, 3, {0, 1, 0}, 10218, 19800, 10818, 19200, 5918, 7600},
};

static void run_store_case(const struct store_case *c, kl_fork fork, u64 gas, u64 refund)
{
    WORLD(w, fork);
    struct code code = {0};
    for (usize i = 0; i < c->count; i++)
        OP(&code, SSTORE, 0, c->values[i]);
    mock_put_slot(&w->mock, w->contract, KL_U256_ZERO, kl_u256_of(c->original));
    mock_slot_at(&w->mock, w->contract, &KL_U256_ZERO)->warm = true;
    CHECK_HALT(run(w, &code), KL_HALT_NONE);
    CHECK_U64(gas_used(w), gas);
    CHECK_U64(w->result.refund, refund);
}

KL_TEST(gas_sstore_tables_of_the_eips)
{
    for (usize i = 0; i < KL_COUNT_OF(store_cases); i++) {
        const struct store_case *c = &store_cases[i];
        run_store_case(c, KL_CONSTANTINOPLE, c->gas_1283, c->refund_1283);
        run_store_case(c, KL_ISTANBUL, c->gas_2200, c->refund_2200);
        run_store_case(c, KL_MUIR_GLACIER, c->gas_2200, c->refund_2200);
        run_store_case(c, KL_LONDON, c->gas_3529, c->refund_3529);
        run_store_case(c, KL_OSAKA, c->gas_3529, c->refund_3529);
    }
}

KL_TEST(gas_sstore_before_net_metering)
{
    static const kl_fork forks[] = {KL_FRONTIER, KL_TANGERINE, KL_BYZANTIUM, KL_PETERSBURG};
    for (usize i = 0; i < KL_COUNT_OF(forks); i++)
        for (unsigned kind = 0; kind < 8; kind++) {
            kl_u256 original = kl_u256_of(kind & 1), current = kl_u256_of(kind >> 1 & 1);
            kl_u256 value = kl_u256_of(kind >> 2 & 1);
            kl_sstore_price p = kl_gas_sstore(forks[i], &original, &current, &value);
            CHECK_U64(p.gas, (kind & 6) == 4 ? 20000 : 5000);
            CHECK_U64(p.refund, (kind & 6) == 2 ? 15000 : 0);
        }
}

/* Berlin alone has the reset price of EIP-2929 with the old bonus. */
KL_TEST(gas_sstore_berlin)
{
    kl_u256 one = KL_U256_ONE, zero = KL_U256_ZERO, two = kl_u256_of(2);
    kl_sstore_price p = kl_gas_sstore(KL_BERLIN, &one, &one, &zero);
    CHECK(p.gas == 2900 && p.refund == 15000);
    p = kl_gas_sstore(KL_BERLIN, &one, &zero, &two);
    CHECK(p.gas == 100 && p.refund == -15000);
    p = kl_gas_sstore(KL_BERLIN, &zero, &two, &zero);
    CHECK(p.gas == 100 && p.refund == 19900);
    p = kl_gas_sstore(KL_BERLIN, &two, &one, &two);
    CHECK(p.gas == 100 && p.refund == 2800);
}

KL_TEST(gas_sstore_sentry_and_cold_slot)
{
    WORLD(w, KL_ISTANBUL);
    struct code code = {0};
    OP(&code, SSTORE, 0, 0);
    w->message.gas = 6 + 2300;
    CHECK_HALT(run(w, &code), KL_HALT_STORE_SENTRY); /* [EIP-2200] */
    w->message.gas = 6 + 2301;
    CHECK_HALT(run(w, &code), KL_HALT_NONE);
    CHECK_U64(gas_used(w), 806);

    WORLD(berlin, KL_BERLIN);
    struct code twice = {0};
    OP(&twice, SSTORE, 1, 0);
    OP(&twice, SSTORE, 1, 0);
    CHECK_HALT(run(berlin, &twice), KL_HALT_NONE);
    CHECK_U64(gas_used(berlin), 12 + 2100 + 100 + 100);
}
