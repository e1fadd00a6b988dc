#include <gmp.h>

#include "base/test.h"
#include "crypto/modexp_priv.h"
#include "crypto/vectors_test_priv.h"

/* Square-and-multiply on numbers of WORDS words, each product by doubling and adding: slow, and
 * nothing in it resembles GMP. */
enum { WORDS = 130 };
typedef struct number {
    u64 w[WORDS];
} number;

static number number_of(kl_span bytes)
{
    number n = {{0}};
    for (usize i = 0; i < bytes.len; i++) {
        usize at = bytes.len - 1 - i;
        if (bytes.p[at])
            n.w[i / 8] |= (u64)bytes.p[at] << i % 8 * 8;
    }
    return n;
}

static bool below(const number *a, const number *b, usize words)
{
    for (usize i = words; i-- > 0;)
        if (a->w[i] != b->w[i])
            return a->w[i] < b->w[i];
    return false;
}

/* a = 2 * a + bit mod m, for a < m */
static void double_mod(number *a, unsigned bit, const number *m, usize words)
{
    u64 carry = bit;
    for (usize i = 0; i < words; i++) {
        u64 high = a->w[i] >> 63;
        a->w[i] = a->w[i] << 1 | carry;
        carry = high;
    }
    if (!carry && below(a, m, words))
        return;
    u64 borrow = 0;
    for (usize i = 0; i < words; i++) {
        u128 t = (u128)a->w[i] - m->w[i] - borrow;
        a->w[i] = (u64)t;
        borrow = (u64)(t >> 64) & 1;
    }
}

/* a = a + b mod m, for a, b < m */
static void add_mod(number *a, const number *b, const number *m, usize words)
{
    u64 carry = 0;
    for (usize i = 0; i < words; i++) {
        u128 t = (u128)a->w[i] + b->w[i] + carry;
        a->w[i] = (u64)t;
        carry = (u64)(t >> 64);
    }
    if (!carry && below(a, m, words))
        return;
    u64 borrow = 0;
    for (usize i = 0; i < words; i++) {
        u128 t = (u128)a->w[i] - m->w[i] - borrow;
        a->w[i] = (u64)t;
        borrow = (u64)(t >> 64) & 1;
    }
}

static number mul_mod(const number *a, const number *b, const number *m, usize words)
{
    number r = {{0}};
    for (usize bit = words * 64; bit-- > 0;) {
        double_mod(&r, 0, m, words);
        if (b->w[bit / 64] >> bit % 64 & 1)
            add_mod(&r, a, m, words);
    }
    return r;
}

static void slow_modexp(u8 *out, kl_span base, kl_span exponent, kl_span modulus)
{
    usize words = modulus.len / 8 + 2;
    number m = number_of(modulus), b = {{0}}, r = {{0}};
    bool zero = true, one = modulus.len > 0 && modulus.p[modulus.len - 1] == 1;
    for (usize i = 0; i < modulus.len; i++) {
        zero = zero && modulus.p[i] == 0;
        one = one && (i + 1 == modulus.len || modulus.p[i] == 0);
    }
    if (modulus.len)
        memset(out, 0, modulus.len);
    if (zero || one)
        return;
    for (usize i = 0; i < base.len; i++)
        for (int bit = 7; bit >= 0; bit--)
            double_mod(&b, base.p[i] >> bit & 1, &m, words);
    r.w[0] = 1;
    for (usize i = 0; i < exponent.len; i++) {
        for (int bit = 7; bit >= 0; bit--) {
            r = mul_mod(&r, &r, &m, words);
            if (exponent.p[i] >> bit & 1)
                r = mul_mod(&r, &b, &m, words);
        }
    }
    for (usize i = 0; i < modulus.len; i++)
        out[modulus.len - 1 - i] = (u8)(r.w[i / 8] >> i % 8 * 8);
}

/* Both, and that the memory taken beforehand was enough. */
static void check_modexp(kl_span base, kl_span exponent, kl_span modulus)
{
    u8 got[1100], want[1100];
    usize spilled = 0;
    memset(got, 0xee, sizeof got);
    CHECK_OK(kl_modexp_within(got, SIZE_MAX, &spilled, base, exponent, modulus));
    slow_modexp(want, base, exponent, modulus);
    CHECK_SPAN(kl_span_of(got, modulus.len), kl_span_of(want, modulus.len));
    CHECK_U64(got[modulus.len], 0xee);
    CHECK_U64(spilled, 0);
}

KL_TEST(modexp_matches_square_and_multiply)
{
    u8 base[64], exponent[32], modulus[64];
    for (int round = 0; round < 1500; round++) {
        usize most = round < 1000 ? 9 : 64;
        kl_rand_fill(seed, base, sizeof base);
        kl_rand_fill(seed, exponent, sizeof exponent);
        kl_rand_fill(seed, modulus, sizeof modulus);
        usize b = kl_rand_below(seed, most + 1), e = kl_rand_below(seed, most / 2 + 1);
        usize m = kl_rand_below(seed, most + 1), zeros = kl_rand_below(seed, 5);
        /* Even moduli, powers of two, leading zeros, zero. */
        for (usize i = 0; i < m && zeros == 1; i++)
            modulus[m - 1 - i] = i < m / 2 ? 0 : modulus[m - 1 - i];
        for (usize i = 0; i < m && zeros == 2; i++)
            modulus[i] = i == m / 3 ? 0x10 : 0;
        for (usize i = 0; i < m && zeros == 3; i++)
            modulus[i] = i < m / 2 ? 0 : modulus[i];
        check_modexp(kl_span_of(base, b), kl_span_of(exponent, e), kl_span_of(modulus, m));
    }
}

KL_TEST(modexp_matches_square_and_multiply_on_long_numbers)
{
    u8 base[1024], exponent[3], modulus[1024];
    for (int round = 0; round < 12; round++) {
        usize len = round < 8 ? 65 + kl_rand_below(seed, 200) : 1024;
        kl_rand_fill(seed, base, sizeof base);
        kl_rand_fill(seed, exponent, sizeof exponent);
        kl_rand_fill(seed, modulus, sizeof modulus);
        if (round % 4 == 1)
            memset(modulus + len / 2, 0, len / 2);
        if (round % 4 == 2)
            modulus[len - 1] &= 0xfe;
        check_modexp(kl_span_of(base, len), kl_span_of(exponent, 1 + (usize)round % 2),
                     kl_span_of(modulus, len));
    }
}

/* The exponent may be far longer than the rest: 2 has order 2 modulo 3. */
KL_TEST(modexp_long_exponents)
{
    static u8 exponent[5000];
    u8 out[1];
    kl_rand_fill(seed, exponent, sizeof exponent);
    for (usize len = 1; len <= sizeof exponent; len = len * 3 + 1) {
        CHECK_OK(kl_modexp_var(out, 1, KL_SPAN_TEXT("\x02"), kl_span_of(exponent, len),
                               KL_SPAN_TEXT("\x03")));
        CHECK_U64(out[0], exponent[len - 1] & 1 ? 2 : 1);
    }
}

KL_TEST(modexp_edges)
{
    static const struct {
        const char *base, *exponent, *modulus, *want;
    } row[] = {
        {"", "", "", ""},         {"02", "03", "", ""},         {"02", "03", "0000", "0000"},
        {"", "", "05", "01"},     {"", "", "01", "00"},         {"00", "00", "0007", "0001"},
        {"00", "01", "07", "00"}, {"0000", "", "0001", "0000"}, {"02", "0a", "03e8", "0018"},
        {"ff", "ff", "02", "01"}, {"fe", "ff", "02", "00"},     {"03", "05", "000064", "00002b"},
    };
    for (usize i = 0; i < KL_COUNT_OF(row); i++) {
        u8 out[8];
        kl_span m = kl_test_hex(row[i].modulus);
        CHECK_OK(
            kl_modexp_var(out, m.len, kl_test_hex(row[i].base), kl_test_hex(row[i].exponent), m));
        CHECK_HEX(kl_span_of(out, m.len), row[i].want);
    }
}

/* The estimate of working memory holds where the parts differ much in length. */
KL_TEST(modexp_takes_its_memory_beforehand)
{
    static u8 base[20000], exponent[20000], modulus[4000], out[4000];
    kl_rand_fill(seed, base, sizeof base);
    kl_rand_fill(seed, exponent, sizeof exponent);
    kl_rand_fill(seed, modulus, sizeof modulus);
    for (int round = 0; round < 60; round++) {
        usize b = kl_rand_below(seed, (u64)1 << kl_rand_below(seed, 15)),
              m = 1 + kl_rand_below(seed, (u64)1 << kl_rand_below(seed, 12)), spilled = 0,
              e = kl_rand_below(seed, m < 100 ? (u64)1 << kl_rand_below(seed, 14) : 40);
        m = KL_MIN(m, sizeof modulus);
        modulus[m - 1] = (u8)(modulus[m - 1] ^ (round & 1));
        CHECK_OK(kl_modexp_within(out, SIZE_MAX, &spilled, kl_span_of(base, b),
                                  kl_span_of(exponent, e), kl_span_of(modulus, m)));
        CHECK_U64(spilled, 0);
    }
}

KL_TEST(modexp_without_memory_is_a_status)
{
    static u8 bytes[1024], out[1024], before[1024];
    kl_rand_fill(seed, bytes, sizeof bytes);
    memset(out, 0x5a, sizeof out);
    memcpy(before, out, sizeof out);
    kl_span n = KL_SPAN_OF(bytes), e = kl_span_of(bytes, 2);
    usize spilled;
    for (usize most = 0; most < 30000; most += 1000) {
        CHECK(kl_modexp_within(out, most, &spilled, n, e, n) == KL_NOMEM);
        CHECK_SPAN(KL_SPAN_OF(out), KL_SPAN_OF(before));
    }
    /* Only the length is looked at. */
    kl_span endless = kl_span_of(bytes, (usize)1 << 29);
    CHECK(kl_modexp_within(out, SIZE_MAX, &spilled, n, endless, n) == KL_LIMIT);
    CHECK_SPAN(KL_SPAN_OF(out), KL_SPAN_OF(before));
}

/* Who uses GMP outside of a call has the heap. */
KL_TEST(modexp_leaves_gmp_to_others)
{
    u8 out[1];
    mpz_t n;
    mpz_init_set_ui(n, 3);
    for (int i = 0; i < 12; i++)
        mpz_mul(n, n, n);
    CHECK_OK(kl_modexp_var(out, 1, KL_SPAN_TEXT("\x03"), KL_SPAN_TEXT("\x10\x00"),
                           KL_SPAN_TEXT("\x65")));
    CHECK_U64(out[0], mpz_fdiv_ui(n, 0x65));
    mpz_clear(n);
}

/* The precompile's input: three lengths of 32 bytes, then what they measure; what is missing at the
 * end is zero [EIP-198]. */
static void run_vectors(const char *path)
{
    static u8 input[1 << 16];
    struct kl_vector v;
    for (kl_vectors_open(path); kl_vectors_next(&v);) {
        usize len[3], at = 96;
        u8 out[2048];
        memset(input, 0, sizeof input);
        memcpy(input, v.input.p, v.input.len);
        for (unsigned i = 0; i < 3; i++)
            len[i] = kl_load_be64(input + 32 * i + 24);
        CHECK(len[0] <= 2048 && len[1] <= 2048 && len[2] <= 2048);
        kl_span part[3];
        for (unsigned i = 0; i < 3; i++) {
            part[i] = kl_span_of(input + at, len[i]);
            at += len[i];
        }
        CHECK_OK(kl_modexp_var(out, len[2], part[0], part[1], part[2]));
        CHECK_SPAN(kl_span_of(out, len[2]), v.expected);
    }
}

KL_TEST(modexp_precompile_vectors)
{
    run_vectors("PrecompileTests/geth/modexp.json");
    run_vectors("PrecompileTests/geth/modexp_eip2565.json");
    run_vectors("PrecompileTests/geth/modexp_eip7883.json");
}

/* GMP puts what is shorter than 64 KiB on the stack, several of it at a time: most of all with
 * moduli of about 30 kB, which forks before Osaka have gas for. */
enum { STACK_PROMISED = 256 << 10, LONGEST = 1 << 16 };

struct power {
    kl_span base, exponent, modulus;
    u8 *out;
    kl_status status;
};

static void run_power(void *ctx)
{
    struct power *p = ctx;
    p->status = kl_modexp_var(p->out, p->modulus.len, p->base, p->exponent, p->modulus);
}

KL_TEST(modexp_takes_as_much_stack_as_it_says)
{
    static u8 base[LONGEST], modulus[LONGEST], out[LONGEST];
    static const u8 exponent[] = {0xa5, 0x81};
    kl_rand_fill(seed, base, sizeof base);
    usize most = 0;
    for (usize i = 0; i < 60; i++) {
        usize len = i < 30 ? 28000 + kl_rand_below(seed, 3000) : 1 + kl_rand_below(seed, LONGEST);
        usize base_len = i % 3 ? 20000 + kl_rand_below(seed, 4000) : len;
        usize zeros = i % 4 == 0 ? kl_rand_below(seed, len) : i % 4 == 1 ? 8 : 0; /* at the end */
        kl_rand_fill(seed, modulus, len);
        modulus[0] |= 1;
        modulus[len - 1] |= 1;
        if (zeros < len)
            memset(modulus + len - zeros, 0, zeros);
        struct power p = {kl_span_of(base, base_len), kl_span_of(exponent, 1 + i % 2),
                          kl_span_of(modulus, len), out, KL_OK};
        most = KL_MAX(most, kl_test_on_stack(run_power, &p));
        CHECK_OK(p.status);
    }
    CHECK(most <= STACK_PROMISED && (KL_SANITIZED || most > 128 << 10));
}
