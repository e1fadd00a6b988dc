#include "exec/fees.h"

#include "base/test.h"

#define GWEI 1000000000u
#define BLOB 131072u

static kl_header london_header(u64 gas_limit, u64 gas_used, u64 base_fee)
{
    return (kl_header){.number = 10,
                       .timestamp = 100,
                       .gas_limit = gas_limit,
                       .gas_used = gas_used,
                       .tail = kl_header_tail(KL_LONDON),
                       .base_fee = kl_u256_of(base_fee)};
}

static u64 base_fee_after(const kl_spec *spec, const kl_header *parent)
{
    u64 fee;
    kl_u256 wide = kl_base_fee_after(spec, parent, parent->number + 1, parent->timestamp + 12);
    CHECK(kl_u256_to_u64(&fee, wide));
    return fee;
}

KL_TEST(base_fee_moves_by_an_eighth_at_most)
{
    kl_spec spec;
    kl_spec_init(&spec, KL_LONDON);
    static const struct {
        u64 limit, used, fee, want;
    } rows[] = {
        {20000000, 10000000, GWEI, GWEI},     /* on target */
        {20000000, 9000000, GWEI, 987500000}, /* a tenth below */
        {20000000, 11000000, GWEI, 1012500000} /* a tenth above */,
        {30000000, 30000000, 100 * (u64)GWEI, 112500000000},
        {30000000, 0, 100 * (u64)GWEI, 87500000000},
        {30000000, 15000001, 7, 8}, /* a rise is 1 at least */
        {30000000, 14999999, 7, 7}, /* a fall may round to nothing */
        {30000000, 0, 7, 7},
        {30000000, 0, 8, 7},
        {30000000, 0, 0, 0},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        kl_header parent = london_header(rows[i].limit, rows[i].used, rows[i].fee);
        CHECK_U64(base_fee_after(&spec, &parent), rows[i].want);
    }
}

/* The rule's own words, in 128 bits. */
static u64 base_fee_twin(u64 limit, u64 used, u64 fee, u64 elasticity, u64 denominator)
{
    u64 target = limit / elasticity;
    if (used == target)
        return fee;
    u64 away = used > target ? used - target : target - used;
    u64 step = (u64)((u128)fee * away / target) / denominator;
    return used > target ? fee + KL_MAX(step, (u64)1) : fee - step;
}

KL_TEST(base_fee_agrees_with_a_twin)
{
    kl_spec spec;
    kl_spec_init(&spec, KL_OSAKA);
    for (int i = 0; i < 20000; i++) {
        u64 limit = 5000 + kl_rand(seed) % 100000000, used = kl_rand(seed) % (limit + 1);
        u64 fee = kl_rand(seed) >> (4 + kl_rand(seed) % 56);
        spec.elasticity = 1 + kl_rand(seed) % 8;
        spec.base_fee_denominator = 1 + kl_rand(seed) % 200;
        kl_header parent = london_header(limit, used, fee);
        CHECK_U64(base_fee_after(&spec, &parent),
                  base_fee_twin(limit, used, fee, spec.elasticity, spec.base_fee_denominator));
    }
}

KL_TEST(base_fee_starts_at_one_gwei)
{
    kl_spec spec;
    kl_spec_init(&spec, KL_BERLIN);
    spec.fork[KL_LONDON] = (kl_activation){KL_AT_BLOCK, 11};
    kl_header parent = {.number = 10, .timestamp = 100, .gas_limit = 8000000};
    CHECK_U64(base_fee_after(&spec, &parent), GWEI);
    parent.number = 9;
    CHECK_U64(base_fee_after(&spec, &parent), 0);
}

KL_TEST(base_fee_survives_hostile_specs)
{
    kl_spec spec;
    kl_spec_init(&spec, KL_LONDON);
    kl_header parent = london_header(100, 100, GWEI);
    spec.elasticity = 101; /* a target of nothing */
    CHECK_U64(base_fee_after(&spec, &parent), GWEI);
    spec.elasticity = 0;
    spec.base_fee_denominator = 0;
    CHECK_U64(base_fee_after(&spec, &parent), GWEI);
    kl_spec_init(&spec, KL_LONDON);
    parent.base_fee = KL_U256_MAX;
    CHECK(kl_u256_eq(kl_base_fee_after(&spec, &parent, 11, 112), KL_U256_MAX));
}

KL_TEST(blob_fee_is_the_fake_exponential)
{
    static const struct {
        u64 excess, fraction, want;
    } rows[] = {
        {0, 1, 1},
        {2, 1, 6},
        {4, 2, 6},
        {3, 1, 16},
        {6, 2, 18},
        {4, 1, 49},
        {8, 2, 50},
        {5, 1, 136},
        {5, 2, 11},
        {50000000, 2225652, 5709098764},
        {0, 3338477, 1},
        {2314057, 3338477, 1},
        {2314058, 3338477, 2},
        {10485760, 3338477, 23},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        u64 fee;
        CHECK(kl_u256_to_u64(&fee, kl_blob_base_fee(rows[i].excess, rows[i].fraction)));
        CHECK_U64(fee, rows[i].want);
    }
}

KL_TEST(blob_fee_never_falls_with_excess_and_ends_at_the_largest)
{
    kl_u256 last = KL_U256_ZERO;
    for (u64 excess = 0; excess < 4000000000; excess += 13107200) {
        kl_u256 fee = kl_blob_base_fee(excess, 5007716);
        CHECK(!kl_u256_lt(fee, last));
        last = fee;
    }
    CHECK(kl_u256_eq(kl_blob_base_fee(UINT64_MAX, 5007716), KL_U256_MAX));
    CHECK(kl_u256_eq(kl_blob_base_fee(UINT64_MAX, 1), KL_U256_MAX));
    CHECK(kl_u256_eq(kl_blob_base_fee(7, 0), KL_U256_ONE));
}

static kl_header blob_header(u64 excess, u64 used, u64 base_fee)
{
    kl_header header = london_header(30000000, 15000000, base_fee);
    header.tail = kl_header_tail(KL_CANCUN);
    header.excess_blob_gas = excess;
    header.blob_gas_used = used;
    return header;
}

static u64 excess_after(kl_fork fork, const kl_header *parent)
{
    kl_spec spec;
    kl_spec_init(&spec, fork);
    return kl_excess_blob_gas_after(&spec, parent, parent->number + 1, parent->timestamp + 12);
}

KL_TEST(excess_blob_gas_is_what_is_above_the_target)
{
    static const struct {
        kl_fork fork;
        u64 excess, blobs, want;
    } rows[] = {
        {KL_CANCUN, 0, 0, 0},
        {KL_CANCUN, 0, 3, 0},
        {KL_CANCUN, 0, 4, BLOB},
        {KL_CANCUN, 1, 4, BLOB + 1},
        {KL_CANCUN, 3 * BLOB, 0, 0},
        {KL_CANCUN, 3 * BLOB - 1, 0, 0},
        {KL_CANCUN, 10 * BLOB, 6, 13 * BLOB},
        {KL_PRAGUE, 0, 6, 0},
        {KL_PRAGUE, 10 * BLOB, 9, 13 * BLOB},
        {KL_SHANGHAI, 10 * BLOB, 9, 0},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        kl_header parent = blob_header(rows[i].excess, rows[i].blobs * BLOB, 1);
        CHECK_U64(excess_after(rows[i].fork, &parent), rows[i].want);
    }
}

KL_TEST(excess_blob_gas_starts_at_zero_behind_a_parent_without)
{
    kl_header parent = london_header(30000000, 15000000, 7);
    parent.tail = kl_header_tail(KL_SHANGHAI);
    CHECK_U64(excess_after(KL_CANCUN, &parent), 0);
}

/* [EIP-7918]: while a blob's 131,072 units cost less than 8,192 units of execution gas, used blobs
 * raise the excess by a third instead of empty ones lowering it. */
KL_TEST(excess_blob_gas_keeps_to_the_reserve_price)
{
    kl_header parent = blob_header(0, 6 * BLOB, 17); /* 16 is where both cost the same */
    CHECK_U64(excess_after(KL_OSAKA, &parent), 2 * BLOB);
    CHECK_U64(excess_after(KL_PRAGUE, &parent), 0);
    parent = blob_header(0, 6 * BLOB, 16);
    CHECK_U64(excess_after(KL_OSAKA, &parent), 0);
    parent = blob_header(7 * BLOB, 0, 17);
    CHECK_U64(excess_after(KL_OSAKA, &parent), 7 * BLOB);
    parent = blob_header(5 * BLOB, 0, 1000);
    CHECK_U64(excess_after(KL_OSAKA, &parent), 0); /* below the target: nothing is left */
    parent = blob_header(20 * BLOB, 15 * BLOB, 1000);
    CHECK_U64(excess_after(KL_BPO1, &parent), 25 * BLOB);
    parent = blob_header(20 * BLOB, 21 * BLOB, 1000);
    CHECK_U64(excess_after(KL_BPO2, &parent), 27 * BLOB);
}

KL_TEST(excess_blob_gas_does_not_wrap)
{
    kl_header parent = blob_header(UINT64_MAX, UINT64_MAX, 1);
    CHECK_U64(excess_after(KL_CANCUN, &parent), UINT64_MAX - 3 * BLOB);
    CHECK_U64(excess_after(KL_OSAKA, &parent), UINT64_MAX - 6 * BLOB);
}
