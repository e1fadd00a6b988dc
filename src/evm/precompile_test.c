/* Built-in contracts: which there are and what they cost. */
#include "evm/evm_test_priv.h"
#include "evm/precompile.h"

static kl_address address_of(u32 number)
{
    kl_address a = {{0}};
    kl_store_be32(a.b + 16, number);
    return a;
}

KL_TEST(precompile_sets)
{
    static const struct {
        kl_fork since;
        u32 last; /* of the dense ones */
    } sets[] = {
        {KL_FRONTIER, 4}, {KL_BYZANTIUM, 8}, {KL_ISTANBUL, 9}, {KL_CANCUN, 10}, {KL_PRAGUE, 0x11}};
    for (kl_fork fork = KL_FRONTIER; fork < KL_FORK_COUNT; fork++) {
        u32 last = 0, seen = 0;
        for (usize i = 0; i < KL_COUNT_OF(sets); i++)
            last = fork >= sets[i].since ? sets[i].last : last;
        for (u32 n = 0; n < 0x300; n++) {
            kl_address a = address_of(n);
            bool there = (n >= 1 && n <= last) || (n == 0x100 && fork >= KL_OSAKA);
            CHECK((kl_precompile_at(&a, fork) != NULL) == there);
            seen += there;
        }
        usize cursor = 0;
        kl_address a;
        u32 before = 0;
        for (u32 i = 0; i < seen; i++) {
            CHECK(kl_precompile_next(fork, &cursor, &a));
            u32 n = kl_load_be32(a.b + 16);
            CHECK(n > before && kl_precompile_at(&a, fork));
            before = n;
        }
        CHECK(!kl_precompile_next(fork, &cursor, &a));
    }
    kl_address a = address_of(1);
    a.b[0] = 1;
    CHECK(!kl_precompile_at(&a, KL_OSAKA));
    a = address_of(0x100);
    CHECK(strcmp(kl_precompile_name(kl_precompile_at(&a, KL_OSAKA)), "P256VERIFY") == 0);
}

static u64 price(u32 number, usize len, kl_fork fork)
{
    static u8 zeros[1 << 16];
    kl_address a = address_of(number);
    return kl_precompile_gas(kl_precompile_at(&a, fork), kl_span_of(zeros, len), fork);
}

KL_TEST(precompile_prices)
{
    CHECK_U64(price(1, 0, KL_FRONTIER), 3000);
    CHECK_U64(price(2, 33, KL_FRONTIER), 60 + 24);
    CHECK_U64(price(3, 33, KL_FRONTIER), 600 + 240);
    CHECK_U64(price(4, 33, KL_FRONTIER), 15 + 6);
    CHECK_U64(price(6, 0, KL_BYZANTIUM), 500);
    CHECK_U64(price(6, 0, KL_ISTANBUL), 150); /* [EIP-1108] */
    CHECK_U64(price(7, 0, KL_PETERSBURG), 40000);
    CHECK_U64(price(7, 0, KL_ISTANBUL), 6000);
    CHECK_U64(price(8, 2 * 192, KL_BYZANTIUM), 100000 + 160000);
    CHECK_U64(price(8, 2 * 192, KL_OSAKA), 45000 + 68000);
    CHECK_U64(price(9, 212, KL_OSAKA), UINT64_MAX);
    CHECK_U64(price(10, 0, KL_CANCUN), 50000);
    CHECK_U64(price(0x0c, 160, KL_PRAGUE), 12000);
    CHECK_U64(price(0x0c, 2 * 160, KL_PRAGUE), 2 * 12000 * 949 / 1000);
    CHECK_U64(price(0x0c, 200 * 160, KL_PRAGUE), (u64)200 * 12000 * 519 / 1000);
    CHECK_U64(price(0x0e, 2 * 288, KL_PRAGUE), 2 * 22500);
    CHECK_U64(price(0x0e, 128 * 288, KL_PRAGUE), (u64)128 * 22500 * 524 / 1000);
    CHECK_U64(price(0x0e, 0, KL_PRAGUE), UINT64_MAX);
    CHECK_U64(price(0x0f, 3 * 384, KL_PRAGUE), 37700 + 3 * 32600);
    CHECK_U64(price(0x100, 0, KL_OSAKA), 6900);
}

static u64 modexp_price(kl_fork fork, kl_u256 base, kl_u256 exponent, kl_u256 modulus)
{
    u8 in[200];
    memset(in, 0xff, sizeof in);
    kl_u256_to_be(in, base);
    kl_u256_to_be(in + 32, exponent);
    kl_u256_to_be(in + 64, modulus);
    kl_address a = address_of(5);
    return kl_precompile_gas(kl_precompile_at(&a, fork), KL_SPAN_OF(in), fork);
}

/* Lengths that overflow everything on the way cost more than there is, and never little. */
KL_TEST(precompile_modexp_prices)
{
    kl_u256 zero = KL_U256_ZERO, one = KL_U256_ONE, many = KL_U256_MAX;
    kl_u256 limb = kl_u256_of(UINT64_MAX), kilo = kl_u256_of(1024), more = kl_u256_of(1025);
    static const kl_fork forks[] = {KL_BYZANTIUM, KL_BERLIN};
    for (usize i = 0; i < KL_COUNT_OF(forks); i++) {
        u64 least = forks[i] >= KL_BERLIN ? 200 : 0;
        CHECK_U64(modexp_price(forks[i], zero, zero, zero), least);
        CHECK_U64(modexp_price(forks[i], zero, many, zero), least);
        CHECK(modexp_price(forks[i], one, many, one) >= INT64_MAX);
        CHECK(modexp_price(forks[i], many, zero, one) >= INT64_MAX);
        CHECK(modexp_price(forks[i], zero, one, many) >= INT64_MAX);
        CHECK(modexp_price(forks[i], limb, limb, limb) >= INT64_MAX);
    }
    /* [EIP-2565]: 8-byte words squared, times the bits of the exponent less one, by three. */
    CHECK_U64(modexp_price(KL_BERLIN, kl_u256_of(64), kl_u256_of(2), one), 64 * 15 / 3 + 0);
    CHECK_U64(modexp_price(KL_BYZANTIUM, kl_u256_of(64), kl_u256_of(2), one), 4096 * 15 / 20);
    CHECK_U64(modexp_price(KL_BERLIN, kl_u256_of(64), kl_u256_of(40), one), 64 * (255 + 64) / 3);
    /* [EIP-7823] and [EIP-7883] */
    CHECK_U64(modexp_price(KL_OSAKA, zero, zero, zero), 500);
    CHECK_U64(modexp_price(KL_OSAKA, more, zero, one), UINT64_MAX);
    CHECK_U64(modexp_price(KL_OSAKA, zero, more, one), UINT64_MAX);
    CHECK_U64(modexp_price(KL_OSAKA, zero, one, more), UINT64_MAX);
    CHECK_U64(modexp_price(KL_OSAKA, zero, many, zero), UINT64_MAX);
    CHECK_U64(modexp_price(KL_OSAKA, kilo, one, one), 2 * 128 * 128); /* the exponent reads as 0 */
    CHECK_U64(modexp_price(KL_OSAKA, kl_u256_of(32), kl_u256_of(40), one), 16 * (255 + 128));
    CHECK_U64(modexp_price(KL_OSAKA, kl_u256_of(33), kl_u256_of(40), one), 2 * 25 * (255 + 128));
}
