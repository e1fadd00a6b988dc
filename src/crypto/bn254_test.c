#include "crypto/bn254.h"

#include "base/test.h"
#include "base/u256.h"
#include "crypto/bn254_tower_priv.h"
#include "crypto/vectors_test_priv.h"

static const kl_u256 order = {
    {0x43e1f593f0000001, 0x2833e84879b97091, 0xb85045b68181585d, 0x30644e72e131a029}};
static const kl_u256 p = {{FP_P0, FP_P1, FP_P2, FP_P3}};
static const u8 zeros[192];

/* The generator of G2 as EIP-197 gives it. */
static const char g2_generator[] =
    "198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2"
    "1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed"
    "090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b"
    "12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa";

/* Points of the twist outside of the subgroup: of no special order; of the prime orders that divide
 * the cofactor, for which the loop runs into infinity; of the cofactor's order. */
static const char *const outside[] = {
    "0000000000000000000000000000000000000000000000000000000000000001"
    "0000000000000000000000000000000000000000000000000000000000000005"
    "237844edbccd623aa254f432320c2e7bae38e90e3287cade3214e4a4a041de6b"
    "031d14917c0ef54369ffd8eaec5cd0e2197651b9e62887359568223266784540",
    "0c03c71c910092bfdb66bfbd01f92864f3ddef1ec7bb4a2f5041f2f780e085a7"
    "0cfad5d01a401820be58435856ffa50bd886586a601e607b59ab1b53878ad558"
    "20532a5bdc85a4b7f0da53e2abeeeaf30886196c3208749a64f786fb85356b19"
    "0e56ae553a9454881dd455d372f0a56c6e34765f46ba880e6e2f25fc78f6c1dc",
    "00575231c4acde5704517a291b7a14cfb16011edc04ce0c1e41663a5b3ca0ac9"
    "1e79cb0754876f7d9664ccde38950ec0f618be84496dde03ffeb1db1d8b0d54c"
    "2f2e623bc3f4290f5d26006876073c3a8ef21963efb857b90ff2218cc5b3e297"
    "110b5ac2567b2bff6767bd29591a3b16dc19cebd3002bf975fdbac6f4389c00c",
    "2943daad0b62af76f624244024e0afa60688342af7e862f72d18a664241678da"
    "20b60ed74366acf4da2f12dc393382c5848c655556b3e608ee82ef2b9b07398f"
    "2f43cc3ea2e1ed1231459dba530312024bd35c04f35a6bdd53352ea6973aaf58"
    "1f16ba6790bd2a431ef92b05cb2aef9fef9dc1de82f0ea0904d1c9b1af2e1d52",
    "0b1e8600342d3a97681540e161c5c086b68a04599b003f1be1c855f931c9c498"
    "213cf1efa4d0709e1c5c03e8b420c47a03156eda94b150ebd1fcebeabda03f05"
    "2ebc597e16b5a53c724136dd8726660b1c7a7c3fa3bd37a9c976c44441eb72ed"
    "2f3e95d20352f508ff44bdfc17a3f1c52c3ec664fc7b65130f6b79bd671b8c04",
};

static void g1_generator(u8 out[64])
{
    memset(out, 0, 64);
    out[31] = 1;
    out[63] = 2;
}

static void random_scalar(u64 *seed, u8 out[32])
{
    kl_rand_fill(seed, out, 32);
    memset(out, 0, kl_rand_below(seed, 3) ? 0 : kl_rand_below(seed, 33));
}

/* Never infinity. */
static void random_g1(u64 *seed, u8 out[64])
{
    u8 g[64], k[32];
    g1_generator(g);
    random_scalar(seed, k);
    k[31] |= 1;
    CHECK(kl_bn254_mul_var(out, g, k));
}

static void negate(u8 coordinate[32])
{
    kl_u256 v = kl_u256_from_be(coordinate);
    kl_u256_to_be(coordinate, kl_u256_is_zero(v) ? v : kl_u256_sub(p, v));
}

/* Affine arithmetic in G2, the plain formulas; (0, 0) is infinity. */
typedef struct g2 {
    fp2 x, y;
} g2;

static g2 g2_of(const u8 in[128])
{
    g2 r;
    CHECK(kl_fp_read(&r.x.c1, in) && kl_fp_read(&r.x.c0, in + 32));
    CHECK(kl_fp_read(&r.y.c1, in + 64) && kl_fp_read(&r.y.c0, in + 96));
    return r;
}

static void g2_write(u8 out[128], const g2 *a)
{
    kl_fp_write(out, &a->x.c1);
    kl_fp_write(out + 32, &a->x.c0);
    kl_fp_write(out + 64, &a->y.c1);
    kl_fp_write(out + 96, &a->y.c0);
}

static g2 g2_add(const g2 *a, const g2 *b)
{
    fp2 slope, d, t;
    g2 r = {0};
    if (fp2_is_zero(&a->x) && fp2_is_zero(&a->y))
        return *b;
    if (fp2_is_zero(&b->x) && fp2_is_zero(&b->y))
        return *a;
    if (!fp2_eq(&a->x, &b->x)) {
        fp2_sub(&slope, &b->y, &a->y);
        fp2_sub(&d, &b->x, &a->x);
    } else if (fp2_eq(&a->y, &b->y)) {
        kl_fp2_sqr(&t, &a->x);
        fp2_double(&slope, &t);
        fp2_add(&slope, &slope, &t);
        fp2_double(&d, &a->y);
    } else {
        return r;
    }
    kl_fp2_inv_var(&d, &d);
    kl_fp2_mul(&slope, &slope, &d);
    kl_fp2_sqr(&t, &slope);
    fp2_sub(&t, &t, &a->x);
    fp2_sub(&r.x, &t, &b->x);
    fp2_sub(&t, &a->x, &r.x);
    kl_fp2_mul(&t, &t, &slope);
    fp2_sub(&r.y, &t, &a->y);
    return r;
}

static void g2_mul(u8 out[128], const u8 point[128], const u8 scalar[32])
{
    g2 base = g2_of(point), r = {0};
    for (unsigned i = 0; i < 256; i++) {
        r = g2_add(&r, &r);
        if (scalar[i / 8] >> (7 - i % 8) & 1)
            r = g2_add(&r, &base);
    }
    g2_write(out, &r);
}

/* [EIP-196]; the double of the generator is in every implementation's tests. */
KL_TEST(bn254_add_known_answers)
{
    u8 g[64], sum[64], minus[64];
    g1_generator(g);
    CHECK(kl_bn254_add_var(sum, g, g));
    CHECK_HEX(KL_SPAN_OF(sum), "030644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd3"
                               "15ed738c0e0a7c92e7845f96b2ae9c0a68a6a449e3538fc7ff3ebf7a5a18a2c4");
    CHECK(kl_bn254_add_var(sum, g, zeros) && memcmp(sum, g, 64) == 0);
    CHECK(kl_bn254_add_var(sum, zeros, g) && memcmp(sum, g, 64) == 0);
    CHECK(kl_bn254_add_var(sum, zeros, zeros) && memcmp(sum, zeros, 64) == 0);
    memcpy(minus, g, 64);
    negate(minus + 32);
    CHECK(kl_bn254_add_var(sum, g, minus) && memcmp(sum, zeros, 64) == 0);
}

KL_TEST(bn254_addition_is_a_group)
{
    for (int i = 0; i < 500; i++) {
        u8 a[64], b[64], c[64], ab[64], bc[64], left[64], right[64];
        random_g1(seed, a);
        random_g1(seed, b);
        random_g1(seed, c);
        CHECK(kl_bn254_add_var(ab, a, b) && kl_bn254_add_var(left, ab, c));
        CHECK(kl_bn254_add_var(bc, b, c) && kl_bn254_add_var(right, a, bc));
        CHECK_SPAN(KL_SPAN_OF(left), KL_SPAN_OF(right));
        CHECK(kl_bn254_add_var(right, b, a));
        CHECK_SPAN(KL_SPAN_OF(ab), KL_SPAN_OF(right));
    }
}

KL_TEST(bn254_mul_is_repeated_addition)
{
    u8 g[64], k[32] = {0}, got[64], want[64] = {0};
    random_g1(seed, g);
    for (unsigned i = 0; i < 600; i++) {
        k[30] = (u8)(i >> 8);
        k[31] = (u8)i;
        CHECK(kl_bn254_mul_var(got, g, k));
        CHECK_SPAN(KL_SPAN_OF(got), KL_SPAN_OF(want));
        CHECK(kl_bn254_add_var(want, want, g));
    }
}

/* Against doubling and adding, for any 256-bit scalar. */
KL_TEST(bn254_mul_matches_double_and_add)
{
    for (int i = 0; i < 150; i++) {
        u8 g[64], k[32], got[64], want[64] = {0};
        random_g1(seed, g);
        random_scalar(seed, k);
        if (i < 8) { /* around the order, and at the end */
            kl_u256_to_be(k, kl_u256_add(order, kl_u256_sub(kl_u256_of((u64)i), kl_u256_of(2))));
            if (i >= 6)
                memset(k, i == 6 ? 0xff : 0, 32);
        }
        for (unsigned bit = 0; bit < 256; bit++) {
            CHECK(kl_bn254_add_var(want, want, want));
            if (k[bit / 8] >> (7 - bit % 8) & 1)
                CHECK(kl_bn254_add_var(want, want, g));
        }
        CHECK(kl_bn254_mul_var(got, g, k));
        CHECK_SPAN(KL_SPAN_OF(got), KL_SPAN_OF(want));
    }
}

KL_TEST(bn254_mul_edges)
{
    u8 g[64], k[32], out[64];
    g1_generator(g);
    kl_u256_to_be(k, order);
    CHECK(kl_bn254_mul_var(out, g, k) && memcmp(out, zeros, 64) == 0);
    CHECK(kl_bn254_mul_var(out, g, zeros) && memcmp(out, zeros, 64) == 0);
    memset(k, 0xff, 32);
    CHECK(kl_bn254_mul_var(out, zeros, k) && memcmp(out, zeros, 64) == 0);
}

/* Every coordinate as a number from the modulus on, and points off the curve. */
KL_TEST(bn254_refuses_what_is_out_of_range)
{
    u8 pair[192], bad[192], out[64], before[64];
    bool one;
    g1_generator(pair);
    memcpy(pair + 64, kl_test_hex(g2_generator).p, 128);
    memset(out, 0x5a, 64);
    memcpy(before, out, 64);
    for (usize place = 0; place < 6; place++) {
        for (int how = 0; how < 5; how++) {
            memcpy(bad, pair, 192);
            u8 *at = bad + 32 * place;
            kl_u256 v = kl_u256_from_be(at);
            if (how == 0)
                kl_u256_to_be(at, p);
            else if (how == 1)
                memset(at, 0xff, 32);
            else if (how == 2)
                kl_u256_to_be(at, kl_u256_add(v, p)); /* the same number, another spelling */
            else if (how == 3)
                kl_u256_to_be(at, kl_u256_add(v, KL_U256_ONE));
            else
                memset(at, 0, 32);
            CHECK(!kl_bn254_pairing_var(&one, bad, 1));
            if (place >= 2)
                continue;
            CHECK(!kl_bn254_add_var(out, bad, pair) && !kl_bn254_add_var(out, pair, bad));
            CHECK(!kl_bn254_add_var(out, bad, zeros) && !kl_bn254_mul_var(out, bad, pair));
        }
    }
    CHECK_SPAN(KL_SPAN_OF(out), KL_SPAN_OF(before));
}

/* [EIP-197]: points of G2 must be in the subgroup, whatever they are paired with. */
KL_TEST(bn254_pairing_asks_for_the_subgroup)
{
    u8 pairs[3 * 192];
    bool one;
    g2 good = g2_of(kl_test_hex(g2_generator).p);
    for (usize i = 0; i < KL_COUNT_OF(outside); i++) {
        g2 bad = g2_of(kl_test_hex(outside[i]).p);
        for (int how = 0; how < 12; how++) {
            /* The point, its multiples, and sums with points of the subgroup. */
            u8 *pair = pairs + 192 * (how % 3);
            for (int k = 0; k < 3; k++) {
                g1_generator(pairs + 192 * k);
                memcpy(pairs + 192 * k + 64, kl_test_hex(g2_generator).p, 128);
            }
            if (how >= 6)
                memset(pair, 0, 64);
            g2_write(pair + 64, &bad);
            CHECK(!kl_bn254_pairing_var(&one, pairs, 3));
            bad = g2_add(&bad, how % 2 ? &good : &bad);
        }
    }
}

static bool pairing_is_one(const u8 *pairs, usize count)
{
    bool one = false;
    CHECK(kl_bn254_pairing_var(&one, pairs, count));
    return one;
}

/* e(aP, bQ) e(-abP, Q) is one, for one pair of these up to many, and mixed with infinities. */
KL_TEST(bn254_pairing_is_bilinear)
{
    static u8 pairs[40 * 192];
    for (int round = 0; round < 14; round++) {
        usize count = 0;
        for (int i = 0; i <= round; i++) {
            u8 point[64], q[128], a[32], b[32], k[64];
            random_g1(seed, point);
            kl_rand_fill(seed, a, 32);
            g2_mul(q, kl_test_hex(g2_generator).p, a);
            kl_rand_fill(seed, a, 32);
            kl_rand_fill(seed, b, 32);
            u8 *pair = pairs + 192 * count++;
            CHECK(kl_bn254_mul_var(pair, point, a));
            g2_mul(pair + 64, q, b);
            if (kl_rand_below(seed, 2)) { /* infinity on either side, or both */
                u8 *idle = pairs + 192 * count++;
                memset(idle, 0, 192);
                memcpy(idle, point, kl_rand_below(seed, 2) ? 64 : 0);
                if (memcmp(idle, zeros, 64) == 0)
                    memcpy(idle + 64, q, kl_rand_below(seed, 2) ? 128 : 0);
            }
            pair = pairs + 192 * count++;
            CHECK(kl_bn254_mul_var(k, point, a) && kl_bn254_mul_var(pair, k, b));
            negate(pair + 32);
            memcpy(pair + 64, q, 128);
        }
        CHECK(pairing_is_one(pairs, count));
        CHECK(!pairing_is_one(pairs, count - 1));
        negate(pairs + 192 * (count - 1) + 32);
        CHECK(!pairing_is_one(pairs, count));
    }
    CHECK(pairing_is_one(NULL, 0));
    CHECK(pairing_is_one(zeros, 1));
}

/* e(P, Q) e(P', Q) e(-(P + P'), Q) is one. */
KL_TEST(bn254_pairing_of_sums)
{
    for (int i = 0; i < 20; i++) {
        u8 pairs[3 * 192], q[128], k[32];
        kl_rand_fill(seed, k, 32);
        g2_mul(q, kl_test_hex(g2_generator).p, k);
        for (int j = 0; j < 3; j++)
            memcpy(pairs + 192 * j + 64, q, 128);
        random_g1(seed, pairs);
        random_g1(seed, pairs + 192);
        CHECK(kl_bn254_add_var(pairs + 384, pairs, pairs + 192));
        negate(pairs + 384 + 32);
        CHECK(pairing_is_one(pairs, 3));
    }
}

/* Precompiles take missing input as zeros [EIP-196]. */
static void padded(u8 *out, usize len, kl_span input)
{
    memset(out, 0, len);
    memcpy(out, input.p, KL_MIN(len, input.len));
}

KL_TEST(bn254_precompile_vectors)
{
    struct kl_vector v;
    u8 in[128], out[64];
    for (kl_vectors_open("PrecompileTests/geth/bn256Add.json"); kl_vectors_next(&v);) {
        padded(in, 128, v.input);
        CHECK(kl_bn254_add_var(out, in, in + 64));
        CHECK_SPAN(KL_SPAN_OF(out), v.expected);
    }
    for (kl_vectors_open("PrecompileTests/geth/bn256ScalarMul.json"); kl_vectors_next(&v);) {
        padded(in, 96, v.input);
        CHECK(kl_bn254_mul_var(out, in, in + 64));
        CHECK_SPAN(KL_SPAN_OF(out), v.expected);
    }
    for (kl_vectors_open("PrecompileTests/geth/bn256Pairing.json"); kl_vectors_next(&v);) {
        CHECK(v.input.len % 192 == 0 && v.expected.len == 32);
        CHECK(pairing_is_one(v.input.p, v.input.len / 192) == v.expected.p[31]);
    }
}

/* The same results where the processor lacks the instructions that products use. */
KL_TEST(bn254_without_special_instructions)
{
#if defined(__x86_64__) && defined(__OPTIMIZE__)
    bool has = kl_fp_has_adx;
    u8 pairs[2 * 192], k[32], want[64], got[64];
    random_g1(seed, pairs);
    memcpy(pairs + 192, pairs, 64);
    negate(pairs + 192 + 32);
    memcpy(pairs + 64, kl_test_hex(g2_generator).p, 128);
    memcpy(pairs + 192 + 64, kl_test_hex(g2_generator).p, 128);
    random_scalar(seed, k);
    CHECK(kl_bn254_mul_var(want, pairs, k));
    kl_fp_has_adx = false;
    bool one = false, ok = kl_bn254_mul_var(got, pairs, k) && kl_bn254_pairing_var(&one, pairs, 2);
    kl_fp_has_adx = has;
    CHECK(ok && one);
    CHECK_SPAN(KL_SPAN_OF(got), KL_SPAN_OF(want));
#endif
}
