/* Every operation of u256 against a twin that works bit by bit on a 512-bit number. */
#include "base/u256.h"

#include "base/test.h"

#define ROUNDS 8000

typedef struct wide {
    u64 w[8];
} wide;

static wide wide_of(kl_u256 a)
{
    return (wide){{a.w[0], a.w[1], a.w[2], a.w[3]}};
}

static kl_u256 low_of(wide a)
{
    return (kl_u256){{a.w[0], a.w[1], a.w[2], a.w[3]}};
}

static bool bit(const wide *a, unsigned i)
{
    return a->w[i / 64] >> (i % 64) & 1;
}

static void set_bit(wide *a, unsigned i, bool v)
{
    a->w[i / 64] = (a->w[i / 64] & ~((u64)1 << (i % 64))) | (u64)v << (i % 64);
}

static wide slow_add(wide a, wide b)
{
    wide r = {0};
    bool carry = false;
    for (unsigned i = 0; i < 512; i++) {
        unsigned sum = (unsigned)bit(&a, i) + bit(&b, i) + carry;
        set_bit(&r, i, sum & 1);
        carry = sum > 1;
    }
    return r;
}

static wide slow_not(wide a)
{
    for (unsigned i = 0; i < 8; i++)
        a.w[i] = ~a.w[i];
    return a;
}

static wide slow_sub(wide a, wide b)
{
    return slow_add(slow_add(a, slow_not(b)), (wide){{1}});
}

static int slow_cmp(wide a, wide b)
{
    for (unsigned i = 512; i-- > 0;)
        if (bit(&a, i) != bit(&b, i))
            return bit(&a, i) ? 1 : -1;
    return 0;
}

static wide slow_shl(wide a, unsigned n)
{
    wide r = {0};
    for (unsigned i = n; i < 512; i++)
        set_bit(&r, i, bit(&a, i - n));
    return r;
}

static wide slow_mul(wide a, wide b)
{
    wide r = {0};
    for (unsigned i = 512; i-- > 0;) {
        r = slow_shl(r, 1);
        if (bit(&b, i))
            r = slow_add(r, a);
    }
    return r;
}

static wide slow_div(wide *rest, wide a, wide b)
{
    wide q = {0}, r = {0};
    for (unsigned i = 512; i-- > 0;) {
        r = slow_shl(r, 1);
        set_bit(&r, 0, bit(&a, i));
        if (slow_cmp(r, b) >= 0) {
            r = slow_sub(r, b);
            set_bit(&q, i, true);
        }
    }
    *rest = r;
    return q;
}

static bool fits(wide a)
{
    return (a.w[4] | a.w[5] | a.w[6] | a.w[7]) == 0;
}

/* Words that carries and estimates trip over: few limbs, limbs of all ones or a single bit. */
static kl_u256 word(u64 *seed)
{
    kl_u256 a = KL_U256_ZERO;
    unsigned limbs = (unsigned)kl_rand_below(seed, 5);
    for (unsigned i = 0; i < limbs; i++) {
        u64 kind = kl_rand_below(seed, 8);
        a.w[i] = kind == 0   ? 0
                 : kind == 1 ? UINT64_MAX
                 : kind == 2 ? (u64)1 << 63
                 : kind == 3 ? (u64)1 << kl_rand_below(seed, 64)
                 : kind == 4 ? UINT64_MAX << kl_rand_below(seed, 64)
                 : kind == 5 ? kl_rand(seed) >> kl_rand_below(seed, 64)
                             : kl_rand(seed);
    }
    return a;
}

/* A word near another one, so that quotients near a power of 2^64 come up. */
static kl_u256 near(u64 *seed, kl_u256 a)
{
    kl_u256 few = kl_u256_of(kl_rand_below(seed, 4));
    return kl_rand(seed) & 1 ? kl_u256_add(a, few) : kl_u256_sub(a, few);
}

static bool same(kl_u256 got, wide want)
{
    return kl_u256_eq(got, low_of(want));
}

KL_TEST(u256_add_sub_compare)
{
    for (int i = 0; i < ROUNDS; i++) {
        kl_u256 a = word(seed), b = i % 4 ? word(seed) : near(seed, a), r;
        wide sum = slow_add(wide_of(a), wide_of(b));
        CHECK(kl_u256_add_over(&r, a, b) == !fits(sum) && same(r, sum));
        CHECK(same(kl_u256_add(a, b), sum));
        wide difference = slow_sub(wide_of(a), wide_of(b));
        int order = slow_cmp(wide_of(a), wide_of(b));
        CHECK(kl_u256_sub_under(&r, a, b) == (order < 0) && same(r, difference));
        CHECK(same(kl_u256_sub(a, b), difference));
        CHECK(kl_u256_cmp(a, b) == order && kl_u256_lt(a, b) == (order < 0));
        CHECK(kl_u256_eq(a, b) == (order == 0));
        bool a_minus = a.w[3] >> 63, b_minus = b.w[3] >> 63;
        CHECK(kl_u256_slt(a, b) == (a_minus != b_minus ? a_minus : order < 0));
    }
}

KL_TEST(u256_bits_and_bytes)
{
    for (int i = 0; i < ROUNDS; i++) {
        kl_u256 a = word(seed);
        wide w = wide_of(a);
        unsigned bits = 0;
        for (unsigned j = 0; j < 256; j++)
            bits = bit(&w, j) ? j + 1 : bits;
        CHECK_U64(kl_u256_bits(a), bits);
        CHECK_U64(kl_u256_bytes(a), (bits + 7) / 8);
        CHECK(kl_u256_is_zero(a) == (bits == 0));
        u64 small = 7;
        CHECK(kl_u256_to_u64(&small, a) == (bits <= 64));
        CHECK_U64(small, bits <= 64 ? a.w[0] : 7);
        CHECK_U64(kl_u256_sat_u64(a), bits <= 64 ? a.w[0] : UINT64_MAX);
        u8 be[32];
        kl_u256_to_be(be, a);
        for (unsigned j = 0; j < 256; j++)
            CHECK((be[31 - j / 8] >> j % 8 & 1) == bit(&w, j));
        CHECK(kl_u256_eq(kl_u256_from_be(be), a));
        unsigned len = kl_u256_bytes(a);
        CHECK(kl_u256_eq(kl_u256_from_be_bytes(kl_span_of(be + 32 - len, len)), a));
        kl_address address = kl_u256_to_address(a);
        CHECK(memcmp(address.b, be + 12, 20) == 0);
        kl_u256 low = kl_u256_from_address(&address);
        CHECK(kl_u256_eq(low, kl_u256_and(a, kl_u256_shr(KL_U256_MAX, 96))));
    }
}

KL_TEST(u256_shifts)
{
    for (int i = 0; i < ROUNDS; i++) {
        kl_u256 a = word(seed), ones = a.w[3] >> 63 ? KL_U256_MAX : KL_U256_ZERO;
        u64 n = i % 16 == 0 ? kl_rand(seed) : kl_rand_below(seed, 260);
        wide up = slow_shl(wide_of(a), n < 256 ? (unsigned)n : 256);
        CHECK(same(kl_u256_shl(a, n), up));
        kl_u256 down = KL_U256_ZERO, signed_down = ones;
        wide w = wide_of(a), d = wide_of(down), s = wide_of(signed_down);
        for (unsigned j = 0; n < 256 && j + n < 256; j++) {
            set_bit(&d, j, bit(&w, j + (unsigned)n));
            set_bit(&s, j, bit(&w, j + (unsigned)n));
        }
        CHECK(same(kl_u256_shr(a, n), d));
        CHECK(same(kl_u256_sar(a, n), s));
    }
}

KL_TEST(u256_mul)
{
    for (int i = 0; i < ROUNDS / 20; i++) {
        kl_u256 a = word(seed), b = word(seed), r;
        wide product = slow_mul(wide_of(a), wide_of(b));
        CHECK(same(kl_u256_mul(a, b), product));
        CHECK(kl_u256_mul_over(&r, a, b) == !fits(product));
        CHECK(same(r, product));
    }
}

KL_TEST(u256_div_mod)
{
    for (int i = 0; i < ROUNDS / 4; i++) {
        kl_u256 b = word(seed), a = i % 4 ? word(seed) : near(seed, kl_u256_shl(b, 64));
        if (i % 8 == 1)
            a = kl_u256_sub(kl_u256_mul(b, word(seed)), kl_u256_of(kl_rand_below(seed, 2)));
        if (kl_u256_is_zero(b)) {
            CHECK(kl_u256_is_zero(kl_u256_div(a, b)) && kl_u256_is_zero(kl_u256_mod(a, b)));
            CHECK(kl_u256_is_zero(kl_u256_sdiv(a, b)) && kl_u256_is_zero(kl_u256_smod(a, b)));
            continue;
        }
        wide rest, q = slow_div(&rest, wide_of(a), wide_of(b));
        CHECK(same(kl_u256_div(a, b), q));
        CHECK(same(kl_u256_mod(a, b), rest));
        bool a_minus = a.w[3] >> 63, b_minus = b.w[3] >> 63;
        kl_u256 a_abs = a_minus ? kl_u256_sub(KL_U256_ZERO, a) : a;
        kl_u256 b_abs = b_minus ? kl_u256_sub(KL_U256_ZERO, b) : b;
        kl_u256 sq = low_of(slow_div(&rest, wide_of(a_abs), wide_of(b_abs)));
        kl_u256 sr = low_of(rest);
        CHECK(kl_u256_eq(kl_u256_sdiv(a, b),
                         a_minus != b_minus ? kl_u256_sub(KL_U256_ZERO, sq) : sq));
        CHECK(kl_u256_eq(kl_u256_smod(a, b), a_minus ? kl_u256_sub(KL_U256_ZERO, sr) : sr));
    }
}

/* Identities alone, so that many more numbers can be tried: a = q * b + r, r < b. */
KL_TEST(u256_div_identity)
{
    for (int i = 0; i < ROUNDS * 50; i++) {
        kl_u256 a = word(seed), b = word(seed), back;
        if (kl_u256_is_zero(b))
            continue;
        kl_u256 q = kl_u256_div(a, b), r = kl_u256_mod(a, b);
        CHECK(kl_u256_lt(r, b));
        CHECK(!kl_u256_mul_over(&back, q, b) && !kl_u256_add_over(&back, back, r));
        CHECK(kl_u256_eq(back, a));
        /* Over 512 bits: (b * q + r) * b / b, and its remainder after adding one. */
        kl_u256 c = word(seed), quotient;
        bool over = kl_u256_muldiv_over(&quotient, a, b, b);
        CHECK(!over && kl_u256_eq(quotient, a));
        kl_u256 m = kl_u256_mulmod(a, c, b);
        CHECK(kl_u256_lt(m, b));
        CHECK(kl_u256_eq(m, kl_u256_mulmod(r, kl_u256_mod(c, b), b)));
        CHECK(kl_u256_eq(kl_u256_addmod(a, c, b), kl_u256_addmod(r, kl_u256_mod(c, b), b)));
    }
}

KL_TEST(u256_addmod_mulmod_muldiv)
{
    for (int i = 0; i < ROUNDS / 20; i++) {
        kl_u256 a = word(seed), b = word(seed), m = i % 3 ? word(seed) : near(seed, a), r;
        if (kl_u256_is_zero(m)) {
            CHECK(kl_u256_is_zero(kl_u256_addmod(a, b, m)));
            CHECK(kl_u256_is_zero(kl_u256_mulmod(a, b, m)));
            continue;
        }
        wide rest, product = slow_mul(wide_of(a), wide_of(b));
        wide q = slow_div(&rest, product, wide_of(m));
        CHECK(same(kl_u256_mulmod(a, b, m), rest));
        CHECK(kl_u256_muldiv_over(&r, a, b, m) == !fits(q));
        CHECK(same(r, q));
        (void)slow_div(&rest, slow_add(wide_of(a), wide_of(b)), wide_of(m));
        CHECK(same(kl_u256_addmod(a, b, m), rest));
    }
}

KL_TEST(u256_exp)
{
    for (int i = 0; i < ROUNDS / 20; i++) {
        kl_u256 base = word(seed), exponent = word(seed), want = KL_U256_ONE, square = base;
        if (i % 2)
            exponent = kl_u256_of(kl_rand_below(seed, 300));
        if (i % 4 == 0)
            base = square = kl_u256_shl(KL_U256_ONE, kl_rand_below(seed, 256));
        for (unsigned j = 0; j < 256; j++) { /* from the other end */
            if (kl_u256_shr(exponent, j).w[0] & 1)
                want = kl_u256_mul(want, square);
            square = kl_u256_mul(square, square);
        }
        CHECK(kl_u256_eq(kl_u256_exp(base, exponent), want));
    }
    CHECK(kl_u256_eq(kl_u256_exp(KL_U256_ZERO, KL_U256_ZERO), KL_U256_ONE));
}

KL_TEST(u256_signextend_and_byte)
{
    for (int i = 0; i < ROUNDS; i++) {
        kl_u256 a = word(seed);
        kl_u256 index = i % 16 ? kl_u256_of(kl_rand_below(seed, 34)) : word(seed);
        u8 want[32], be[32];
        kl_u256_to_be(be, a);
        memcpy(want, be, 32);
        u64 n = kl_u256_sat_u64(index);
        if (n < 32)
            memset(want, be[31 - n] & 0x80 ? 0xff : 0, 31 - n);
        CHECK(kl_u256_eq(kl_u256_byte(index, a), kl_u256_of(n < 32 ? be[n] : 0)));
        kl_u256_sign_extend(&a, index);
        CHECK(kl_u256_eq(a, kl_u256_from_be(want)));
    }
}

KL_TEST(u256_decimal)
{
    char text[KL_U256_DECIMAL_MAX];
    kl_u256 back;
    for (int i = 0; i < ROUNDS / 10; i++) {
        kl_u256 a = word(seed), left = a;
        usize len = kl_u256_decimal(text, a);
        CHECK(len == strlen(text) && (len == 1 || text[0] != '0'));
        for (usize j = len; j-- > 0;) {
            CHECK_U64(text[j] - '0', kl_u256_mod(left, kl_u256_of(10)).w[0]);
            left = kl_u256_div(left, kl_u256_of(10));
        }
        CHECK(kl_u256_is_zero(left));
        CHECK(kl_u256_from_decimal(&back, kl_span_str(text)) && kl_u256_eq(back, a));
    }
    CHECK_U64(kl_u256_decimal(text, KL_U256_MAX), 78);
    CHECK(strcmp(text,
                 "1157920892373161954235709850086879078532699846656405640394575840079131296399"
                 "35") == 0);
    CHECK(!kl_u256_from_decimal(&back, KL_SPAN_TEXT("1157920892373161954235709850086879078532699846"
                                                    "65640564039457584007913129639936")));
    CHECK(!kl_u256_from_decimal(&back, KL_SPAN_TEXT("")));
    CHECK(!kl_u256_from_decimal(&back, KL_SPAN_TEXT("-1")));
    CHECK(!kl_u256_from_decimal(&back, KL_SPAN_TEXT("1 ")));
}
