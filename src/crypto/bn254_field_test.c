#include "base/test.h"
#include "base/u256.h"
#include "crypto/bn254_g1_priv.h"
#include "crypto/bn254_tower_priv.h"

/* The slow twin works on the same Montgomery forms with 256-bit division: a product is
 * a * b / 2^256 mod p. */
static const kl_u256 p = {{FP_P0, FP_P1, FP_P2, FP_P3}};
/* 1 / 2^256 mod p */
static const kl_u256 unit = {
    {0xed84884a014afa37, 0xeb2022850278edf8, 0xcf63e9cfb74492d9, 0x2e67157159e5c639}};

static kl_u256 num(const fp *a)
{
    return (kl_u256){{a->w[0], a->w[1], a->w[2], a->w[3]}};
}

static fp elem(kl_u256 a)
{
    return (fp){{a.w[0], a.w[1], a.w[2], a.w[3]}};
}

static fp slow_mul(const fp *a, const fp *b)
{
    return elem(kl_u256_mulmod(kl_u256_mulmod(num(a), num(b), p), unit, p));
}

static fp slow_add(const fp *a, const fp *b)
{
    return elem(kl_u256_addmod(num(a), num(b), p));
}

static fp slow_sub(const fp *a, const fp *b)
{
    return elem(kl_u256_addmod(num(a), kl_u256_sub(p, num(b)), p));
}

/* Random, or near an end or a power of two, where carries go wrong. */
static fp random_fp(u64 *seed)
{
    kl_u256 v;
    kl_rand_fill(seed, &v, sizeof v);
    switch (kl_rand_below(seed, 6)) {
    case 0:
        v = kl_u256_of(kl_rand_below(seed, 3));
        break;
    case 1:
        v = kl_u256_sub(p, kl_u256_of(1 + kl_rand_below(seed, 3)));
        break;
    case 2:
        v = kl_u256_shl(KL_U256_ONE, kl_rand_below(seed, 254));
        break;
    case 3:
        v = kl_u256_sub(kl_u256_shl(KL_U256_ONE, kl_rand_below(seed, 254)), KL_U256_ONE);
        break;
    }
    return elem(kl_u256_mod(v, p));
}

static void check_fp(const fp *got, const fp *want)
{
    CHECK_SPAN(KL_SPAN_OF(*got), KL_SPAN_OF(*want));
}

/* Runs body with and without the processor's special instructions, where it has them. */
static void both_ways(u64 *seed, void (*body)(u64 *seed))
{
    body(seed);
#if defined(__x86_64__) && defined(__OPTIMIZE__)
    bool has = kl_fp_has_adx;
    kl_fp_has_adx = false;
    body(seed);
    kl_fp_has_adx = has;
#endif
}

static void check_sums_and_products(u64 *seed)
{
    for (int i = 0; i < 20000; i++) {
        fp a = random_fp(seed), b = random_fp(seed), got, want;
        want = slow_add(&a, &b);
        fp_add(&got, &a, &b);
        check_fp(&got, &want);
        kl_fp_add_portable(&got, &a, &b);
        check_fp(&got, &want);
        want = slow_sub(&a, &b);
        fp_sub(&got, &a, &b);
        check_fp(&got, &want);
        kl_fp_sub_portable(&got, &a, &b);
        check_fp(&got, &want);
        want = slow_mul(&a, &b);
        fp_mul(&got, &a, &b);
        check_fp(&got, &want);
        kl_fp_mul_portable(&got, &a, &b);
        check_fp(&got, &want);

        /* Results in the place of arguments. */
        got = a;
        fp_mul(&got, &got, &b);
        check_fp(&got, &want);
        got = b;
        fp_mul(&got, &a, &got);
        check_fp(&got, &want);
        fp_sqr(&got, &a);
        want = slow_mul(&a, &a);
        check_fp(&got, &want);
        fp_neg(&got, &a);
        fp_add(&got, &got, &a);
        CHECK(fp_is_zero(&got));
    }
}

KL_TEST(bn254_field_matches_256_bit_division)
{
    both_ways(seed, check_sums_and_products);
}

static void check_wide(u64 *seed)
{
    for (int i = 0; i < 20000; i++) {
        /* Arguments below 2p, as sums without reduction are. */
        fp a = random_fp(seed), b = random_fp(seed), c = random_fp(seed), d = random_fp(seed);
        fp s, t, got, want;
        fpw x, y, z, again;
        fp_add_lazy(&s, &a, &b);
        fp_add_lazy(&t, &c, &d);
        fpw_mul(&x, &s, &t);
        kl_fpw_mul_portable(&y, &s, &t);
        CHECK_SPAN(KL_SPAN_OF(x), KL_SPAN_OF(y));
        fp_mul(&got, &s, &t);
        want = slow_mul(&s, &t);
        check_fp(&got, &want);
        fpw_reduce(&got, &x);
        check_fp(&got, &want);
        kl_fpw_reduce_portable(&got, &x);
        check_fp(&got, &want);

        /* a c - b d, both signs */
        fpw_mul(&x, &a, &c);
        fpw_mul(&y, &b, &d);
        fpw_sub_mod(&z, &x, &y);
        kl_fpw_sub_mod_portable(&again, &x, &y);
        CHECK_SPAN(KL_SPAN_OF(z), KL_SPAN_OF(again));
        fpw_reduce(&got, &z);
        fp ac = slow_mul(&a, &c), bd = slow_mul(&b, &d);
        want = slow_sub(&ac, &bd);
        check_fp(&got, &want);

        /* (a + b)(c + d) - a c, which is not negative */
        fpw_mul(&z, &s, &t);
        kl_fpw_sub_portable(&again, &z, &x);
        fpw_sub(&z, &z, &x);
        CHECK_SPAN(KL_SPAN_OF(z), KL_SPAN_OF(again));

        /* The greatest that may be reduced: p * 2^256 - 1. */
        memset(&x, 0xff, sizeof x);
        memcpy(x.w + 4, elem(kl_u256_sub(p, KL_U256_ONE)).w, 32);
        fpw_reduce(&got, &x);
        kl_fpw_reduce_portable(&want, &x);
        check_fp(&got, &want);
    }
}

KL_TEST(bn254_wide_products_match_256_bit_division)
{
    both_ways(seed, check_wide);
}

KL_TEST(bn254_field_sub_multiple)
{
    for (int i = 0; i < 20000; i++) {
        u64 k = kl_rand_below(seed, 5);
        fp a = random_fp(seed), v = a, got;
        kl_u256 multiple = kl_u256_mul(p, kl_u256_of(k)), sum = kl_u256_add(num(&a), multiple);
        if (kl_rand(seed) & 1 && k < 4)
            sum = kl_u256_add(sum, p);
        v = elem(sum);
        fp_sub_multiple(&got, &v, multiple.w);
        check_fp(&got, &a);
        kl_fp_sub_multiple_portable(&got, &v, multiple.w);
        check_fp(&got, &a);
    }
}

static void check_inverses(u64 *seed)
{
    const fp one = FP_ONE;
    fp zero = FP_ZERO, got;
    kl_fp_inv_var(&got, &zero);
    CHECK(fp_is_zero(&got));
    for (int i = 0; i < 5000; i++) {
        fp a = random_fp(seed);
        if (fp_is_zero(&a))
            continue;
        kl_fp_inv_var(&got, &a);
        fp product = slow_mul(&got, &a);
        check_fp(&product, &one);
        kl_fp_inv_var(&a, &a);
        check_fp(&a, &got);
    }
}

KL_TEST(bn254_field_inverses)
{
    both_ways(seed, check_inverses);
}

KL_TEST(bn254_field_bytes)
{
    for (int i = 0; i < 2000; i++) {
        u8 in[32], out[32];
        fp a, radix = elem(kl_u256_sub(KL_U256_ZERO, p)); /* 2^256 - p, congruent to 2^256 */
        fp r = random_fp(seed);
        kl_u256 v = num(&r);
        kl_u256_to_be(in, v);
        CHECK(kl_fp_read(&a, in));
        kl_u256 want = kl_u256_mulmod(v, num(&radix), p);
        CHECK(kl_u256_eq(num(&a), want));
        kl_fp_write(out, &a);
        CHECK_SPAN(KL_SPAN_OF(out), KL_SPAN_OF(in));
        /* From p on there is no second encoding. */
        fp before = a;
        kl_u256_to_be(in, kl_u256_add(v, p));
        CHECK(!kl_fp_read(&a, in));
        check_fp(&a, &before);
    }
    u8 ones[32];
    fp a;
    memset(ones, 0xff, 32);
    CHECK(!kl_fp_read(&a, ones));
}

/* Fp12 as polynomials in w of degree 5 over Fp2, multiplied term by term. */
typedef struct poly {
    fp2 c[6];
} poly;

static fp2 slow_mul2(const fp2 *a, const fp2 *b)
{
    fp x = slow_mul(&a->c0, &b->c0), y = slow_mul(&a->c1, &b->c1);
    fp s = slow_mul(&a->c0, &b->c1), t = slow_mul(&a->c1, &b->c0);
    return (fp2){slow_sub(&x, &y), slow_add(&s, &t)};
}

static fp2 slow_add2(const fp2 *a, const fp2 *b)
{
    return (fp2){slow_add(&a->c0, &b->c0), slow_add(&a->c1, &b->c1)};
}

static fp2 slow_xi(void)
{
    const fp one = FP_ONE;
    fp nine = FP_ZERO;
    for (int i = 0; i < 9; i++)
        nine = slow_add(&nine, &one);
    return (fp2){nine, one};
}

static poly slow_mul12(const poly *a, const poly *b)
{
    fp2 t[11] = {{FP_ZERO, FP_ZERO}}, xi = slow_xi();
    poly r;
    for (int i = 0; i < 6; i++) {
        for (int j = 0; j < 6; j++) {
            fp2 product = slow_mul2(&a->c[i], &b->c[j]);
            t[i + j] = slow_add2(&t[i + j], &product);
        }
    }
    for (int i = 0; i < 6; i++) {
        r.c[i] = t[i];
        if (i < 5) {
            fp2 high = slow_mul2(&t[i + 6], &xi);
            r.c[i] = slow_add2(&r.c[i], &high);
        }
    }
    return r;
}

static poly to_poly(const fp12 *a)
{
    return (poly){{a->c0.c0, a->c1.c0, a->c0.c1, a->c1.c1, a->c0.c2, a->c1.c2}};
}

static fp12 from_poly(const poly *a)
{
    return (fp12){{a->c[0], a->c[2], a->c[4]}, {a->c[1], a->c[3], a->c[5]}};
}

static void check_fp12(const fp12 *got, const poly *want)
{
    poly p12 = to_poly(got);
    CHECK_SPAN(KL_SPAN_OF(p12), KL_SPAN_OF(*want));
}

static fp2 random_fp2(u64 *seed)
{
    return (fp2){random_fp(seed), random_fp(seed)};
}

static fp12 random_fp12(u64 *seed)
{
    poly a;
    for (int i = 0; i < 6; i++)
        a.c[i] = random_fp2(seed);
    return from_poly(&a);
}

static void check_fp2_operations(u64 *seed)
{
    for (int i = 0; i < 5000; i++) {
        fp2 a = random_fp2(seed), b = random_fp2(seed), xi = slow_xi(), got, want;
        kl_fp2_mul(&got, &a, &b);
        want = slow_mul2(&a, &b);
        CHECK(fp2_eq(&got, &want));
        kl_fp2_sqr(&got, &a);
        want = slow_mul2(&a, &a);
        CHECK(fp2_eq(&got, &want));
        kl_fp2_mul_xi(&got, &a);
        want = slow_mul2(&a, &xi);
        CHECK(fp2_eq(&got, &want));
        fp2_conj(&got, &a);
        fp2_add(&got, &got, &a);
        CHECK(fp_is_zero(&got.c1));
        got = a;
        kl_fp2_mul(&got, &got, &got);
        want = slow_mul2(&a, &a);
        CHECK(fp2_eq(&got, &want));
        if (fp2_is_zero(&a))
            continue;
        kl_fp2_inv_var(&got, &a);
        got = slow_mul2(&got, &a);
        CHECK(fp2_eq(&got, &FP2_ONE));
    }
}

KL_TEST(bn254_fp2_matches_schoolbook)
{
    both_ways(seed, check_fp2_operations);
}

static void check_fp12_operations(u64 *seed)
{
    for (int i = 0; i < 300; i++) {
        fp12 a = random_fp12(seed), b = random_fp12(seed), got;
        poly pa = to_poly(&a), pb = to_poly(&b), want = slow_mul12(&pa, &pb);
        kl_fp12_mul(&got, &a, &b);
        check_fp12(&got, &want);
        got = a;
        kl_fp12_mul(&got, &got, &b);
        check_fp12(&got, &want);
        got = a;
        kl_fp12_sqr(&got, &got);
        want = slow_mul12(&pa, &pa);
        check_fp12(&got, &want);

        fp2 c0 = random_fp2(seed), c3 = random_fp2(seed), c4 = random_fp2(seed);
        poly line = {{c0, c3, {FP_ZERO, FP_ZERO}, c4}};
        got = a;
        kl_fp12_mul_line(&got, &c0, &c3, &c4);
        want = slow_mul12(&pa, &line);
        check_fp12(&got, &want);

        fp12 one = FP12_ONE;
        poly inverse, p1 = to_poly(&one);
        CHECK(kl_fp12_is_one(&one));
        if (memcmp(&pa, &(poly){{{{{0}}}}}, sizeof pa) == 0)
            continue;
        CHECK(!kl_fp12_is_one(&(fp12){.c0 = {.c1 = FP2_ONE}}));
        kl_fp12_inv_var(&got, &a);
        inverse = to_poly(&got);
        want = slow_mul12(&inverse, &pa);
        CHECK_SPAN(KL_SPAN_OF(want), KL_SPAN_OF(p1));
    }
}

KL_TEST(bn254_fp12_matches_schoolbook)
{
    both_ways(seed, check_fp12_operations);
}

/* a^e for e of 256 bits, by the slow product. */
static poly slow_pow12(const poly *a, kl_u256 e)
{
    fp12 one = FP12_ONE;
    poly r = to_poly(&one);
    for (unsigned i = kl_u256_bits(e); i-- > 0;) {
        r = slow_mul12(&r, &r);
        if (kl_u256_shr(e, i).w[0] & 1)
            r = slow_mul12(&r, a);
    }
    return r;
}

KL_TEST(bn254_frobenius_is_the_power_of_p)
{
    fp12 a = random_fp12(seed), got;
    poly want = to_poly(&a);
    for (unsigned k = 1; k <= 3; k++) {
        want = slow_pow12(&want, p);
        kl_fp12_frobenius(&got, &a, k);
        check_fp12(&got, &want);
    }
    /* Six times is the conjugate. */
    kl_fp12_frobenius(&got, &got, 3);
    want = to_poly(&got);
    kl_fp12_conj(&got, &a);
    check_fp12(&got, &want);
}

/* a^((p^6 - 1)(p^2 + 1)) */
static fp12 to_cyclotomic(const fp12 *a)
{
    fp12 t, f;
    kl_fp12_inv_var(&t, a);
    kl_fp12_conj(&f, a);
    kl_fp12_mul(&t, &t, &f);
    kl_fp12_frobenius(&f, &t, 2);
    kl_fp12_mul(&f, &f, &t);
    return f;
}

KL_TEST(bn254_cyclotomic_square_is_the_square)
{
    for (int i = 0; i < 100; i++) {
        fp12 a = random_fp12(seed), got;
        a.c0.c0 = (fp2){FP_ONE, random_fp(seed)}; /* not zero */
        a = to_cyclotomic(&a);
        poly want = to_poly(&a);
        want = slow_mul12(&want, &want);
        kl_fp12_cyclotomic_sqr(&got, &a);
        check_fp12(&got, &want);
        kl_fp12_cyclotomic_sqr(&a, &a);
        check_fp12(&a, &want);
    }
}

/* The final exponentiation against its exponent: the hard part is a power by
 * (b + 6x^2 + 1) + p a + p^2 b + p^3 (a - 1), each taken by square-and-multiply; and what it gives
 * has order r. */
KL_TEST(bn254_final_exponentiation_matches_its_exponent)
{
    static const kl_u256 r = {
        {0x43e1f593f0000001, 0x2833e84879b97091, 0xb85045b68181585d, 0x30644e72e131a029}};
    fp12 in = random_fp12(seed), got;
    in.c1.c1 = (fp2){FP_ONE, random_fp(seed)};
    kl_u256 x = kl_u256_of(4965661367192848881u), xx = kl_u256_mul(x, x), xxx = kl_u256_mul(xx, x);
    kl_u256 six_xx = kl_u256_mul(xx, kl_u256_of(6));
    kl_u256 b = kl_u256_add(kl_u256_mul(xxx, kl_u256_of(12)), six_xx);
    kl_u256 a = kl_u256_add(b, kl_u256_mul(x, kl_u256_of(4)));
    b = kl_u256_add(b, kl_u256_mul(x, kl_u256_of(6)));
    fp12 f = to_cyclotomic(&in);
    poly pf = to_poly(&f), term[4];
    term[0] = slow_pow12(&pf, kl_u256_add(kl_u256_add(b, six_xx), KL_U256_ONE));
    term[1] = slow_pow12(&pf, a);
    term[2] = slow_pow12(&pf, b);
    term[3] = slow_pow12(&pf, kl_u256_sub(a, KL_U256_ONE));
    poly want = term[0];
    for (unsigned k = 1; k < 4; k++) {
        fp12 t = from_poly(&term[k]);
        kl_fp12_frobenius(&t, &t, k);
        term[k] = to_poly(&t);
        want = slow_mul12(&want, &term[k]);
    }
    kl_fp12_final_exp_var(&got, &in);
    check_fp12(&got, &want);
    CHECK(!kl_fp12_is_one(&got));
    want = slow_pow12(&want, r);
    f = from_poly(&want);
    CHECK(kl_fp12_is_one(&f));
}

/* Both halves are short, and k1 + k2 lambda is k. */
KL_TEST(bn254_split_scalars)
{
    static const kl_u256 order = {
        {0x43e1f593f0000001, 0x2833e84879b97091, 0xb85045b68181585d, 0x30644e72e131a029}};
    static const kl_u256 lambda = {
        {0xb8ca0b2d36636f23, 0xcc37a73fec2bc5e9, 0x048b6e193fd84104, 0x30644e72e131a029}};
    for (int i = 0; i < 20000; i++) {
        kl_u256 k, k1, k2;
        bool negative;
        kl_rand_fill(seed, &k, sizeof k);
        k = kl_u256_mod(k, order);
        if (i < 260)
            k = kl_u256_mod(kl_u256_shl(KL_U256_ONE, (u64)i), order);
        if (i >= 260 && i < 520)
            k = kl_u256_sub(order, kl_u256_mod(kl_u256_shl(KL_U256_ONE, (u64)i - 260), order));
        kl_bn254_split(&k1, &k2, &negative, k);
        CHECK(kl_u256_bits(k1) <= 128 && kl_u256_bits(k2) <= 128);
        kl_u256 second = kl_u256_mulmod(k2, lambda, order);
        if (negative)
            second = kl_u256_sub(order, second);
        CHECK(kl_u256_eq(kl_u256_addmod(k1, second, order), kl_u256_mod(k, order)));
    }
}
