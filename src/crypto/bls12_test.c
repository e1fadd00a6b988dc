#include "crypto/bls12.h"

#include "base/test.h"
#include "crypto/vectors_test_priv.h"

#define FP_G1_X                                                                                    \
    "0000000000000000000000000000000017f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171b" \
    "a"                                                                                            \
    "c586c55e83ff97a1aeffb3af00adb22c6bb"
#define FP_G1_Y                                                                                    \
    "0000000000000000000000000000000008b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04" \
    "b"                                                                                            \
    "3edd03cc744a2888ae40caa232946c5e7e1"
#define FP_P                                                                                       \
    "000000000000000000000000000000001a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0" \
    "f"                                                                                            \
    "6241eabfffeb153ffffb9feffffffffaaab"

/* A point of the twist (x = 2) that is in no subgroup one asks for. */
#define TWIST_POINT                                                    \
    "0000000000000000000000000000000000000000000000000000000000000000" \
    "0000000000000000000000000000000000000000000000000000000000000002" \
    "0000000000000000000000000000000000000000000000000000000000000000" \
    "0000000000000000000000000000000000000000000000000000000000000000" \
    "0000000000000000000000000000000018c6b864ae17dc9da64203ffefb96630" \
    "6425a7bc6aeb7c75247438372716284a4173830420cd476ba1a365b95bfcec38" \
    "00000000000000000000000000000000172e93db764a8400a7d5071b6b6f5de0" \
    "da2f0f4a063119abca014006b7c40a2cfe291a1924e65db0d6d0fcfbf3bf3d5c"

static const char order[] = "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001";

static const u8 zeros[512];
static struct kl_arena arena;

static void g1_generator(u8 out[128])
{
    memcpy(out, kl_test_hex(FP_G1_X FP_G1_Y).p, 128);
}

/* The map of 7 is some point of G2; no test needs its logarithm. */
static void g2_point(u8 out[256])
{
    u8 fp2[128] = {0};
    fp2[63] = 7;
    CHECK(kl_bls12_map_fp2_to_g2(out, fp2));
}

static void g1_mul(u8 out[128], const u8 point[128], const u8 scalar[32])
{
    u8 pair[160];
    bool valid = false;
    memcpy(pair, point, 128);
    memcpy(pair + 128, scalar, 32);
    CHECK_OK(kl_bls12_g1_msm(&valid, out, pair, 1, &arena));
    CHECK(valid);
    kl_arena_reset(&arena, SIZE_MAX);
}

static void g2_mul(u8 out[256], const u8 point[256], const u8 scalar[32])
{
    u8 pair[288];
    bool valid = false;
    memcpy(pair, point, 256);
    memcpy(pair + 256, scalar, 32);
    CHECK_OK(kl_bls12_g2_msm(&valid, out, pair, 1, &arena));
    CHECK(valid);
    kl_arena_reset(&arena, SIZE_MAX);
}

/* -y = p - y, big-endian */
static void negate_fp(u8 fp[64])
{
    kl_span p = kl_test_hex(FP_P);
    int borrow = 0;
    for (int i = 63; i >= 0; i--) {
        int d = p.p[i] - fp[i] - borrow;
        fp[i] = (u8)d;
        borrow = d < 0;
    }
}

/* Runs a file of vectors: op gives the output's length, 0 where it refuses the input. */
static void run_vectors(const char *path, usize (*op)(u8 *out, kl_span input))
{
    struct kl_vector v;
    u8 out[256];
    for (kl_vectors_open(path); kl_vectors_next(&v);) {
        usize len = op(out, v.input);
        if (v.fails != (len == 0))
            kl_test_fail(__FILE__, __LINE__, "%s: %s", path, v.name);
        CHECK_SPAN(kl_span_of(out, len), v.expected);
    }
}

static usize op_g1_add(u8 *out, kl_span in)
{
    return in.len == 256 && kl_bls12_g1_add(out, in.p, in.p + 128) ? 128 : 0;
}

static usize op_g2_add(u8 *out, kl_span in)
{
    return in.len == 512 && kl_bls12_g2_add(out, in.p, in.p + 256) ? 256 : 0;
}

static usize op_g1_msm(u8 *out, kl_span in)
{
    bool valid;
    if (in.len == 0 || in.len % 160)
        return 0;
    CHECK_OK(kl_bls12_g1_msm(&valid, out, in.p, in.len / 160, &arena));
    kl_arena_reset(&arena, SIZE_MAX);
    return valid ? 128 : 0;
}

static usize op_g2_msm(u8 *out, kl_span in)
{
    bool valid;
    if (in.len == 0 || in.len % 288)
        return 0;
    CHECK_OK(kl_bls12_g2_msm(&valid, out, in.p, in.len / 288, &arena));
    kl_arena_reset(&arena, SIZE_MAX);
    return valid ? 256 : 0;
}

static usize op_pairing(u8 *out, kl_span in)
{
    bool one;
    if (in.len == 0 || in.len % 384 || !kl_bls12_pairing(&one, in.p, in.len / 384))
        return 0;
    memset(out, 0, 32);
    out[31] = one;
    return 32;
}

static usize op_map_g1(u8 *out, kl_span in)
{
    return in.len == 64 && kl_bls12_map_fp_to_g1(out, in.p) ? 128 : 0;
}

static usize op_map_g2(u8 *out, kl_span in)
{
    return in.len == 128 && kl_bls12_map_fp2_to_g2(out, in.p) ? 256 : 0;
}

KL_TEST(bls12_precompile_vectors)
{
    static const struct {
        const char *path;
        usize (*op)(u8 *out, kl_span input);
    } row[] = {
        {"PrecompileTests/geth/blsG1Add.json", op_g1_add},
        {"PrecompileTests/geth/blsG1Mul.json", op_g1_msm},
        {"PrecompileTests/geth/blsG1MultiExp.json", op_g1_msm},
        {"PrecompileTests/geth/blsG2Add.json", op_g2_add},
        {"PrecompileTests/geth/blsG2Mul.json", op_g2_msm},
        {"PrecompileTests/geth/blsG2MultiExp.json", op_g2_msm},
        {"PrecompileTests/geth/blsPairing.json", op_pairing},
        {"PrecompileTests/geth/blsMapG1.json", op_map_g1},
        {"PrecompileTests/geth/blsMapG2.json", op_map_g2},
        {"PrecompileTests/geth/fail-blsG1Add.json", op_g1_add},
        {"PrecompileTests/geth/fail-blsG1Mul.json", op_g1_msm},
        {"PrecompileTests/geth/fail-blsG1MultiExp.json", op_g1_msm},
        {"PrecompileTests/geth/fail-blsG2Add.json", op_g2_add},
        {"PrecompileTests/geth/fail-blsG2Mul.json", op_g2_msm},
        {"PrecompileTests/geth/fail-blsG2MultiExp.json", op_g2_msm},
        {"PrecompileTests/geth/fail-blsPairing.json", op_pairing},
        {"PrecompileTests/geth/fail-blsMapG1.json", op_map_g1},
        {"PrecompileTests/geth/fail-blsMapG2.json", op_map_g2},
    };
    kl_arena_init(&arena, 1 << 24);
    for (usize i = 0; i < KL_COUNT_OF(row); i++)
        run_vectors(row[i].path, row[i].op);
    kl_arena_done(&arena);
}

/* 2 * G1 as [EIP-2537] and every implementation has it. */
KL_TEST(bls12_g1_doubled_generator)
{
    u8 g[128], sum[128];
    g1_generator(g);
    CHECK(kl_bls12_g1_add(sum, g, g));
    CHECK_HEX(
        KL_SPAN_OF(sum),
        "000000000000000000000000000000000572cbea904d67468808c8eb50a9450c9721db309128012543902d0a"
        "c358a62ae28f75bb8f1c7c42c39a8c5529bf0f4e00000000000000000000000000000000166a9d8cabc673a3"
        "22fda673779d8e3822ba3ecb8670e461f73bb9021d5fd76a4c56d9d4cd16bd1bba86881979749d28");
}

KL_TEST(bls12_infinity_is_neutral)
{
    u8 g1[128], g2[256], out[256];
    g1_generator(g1);
    g2_point(g2);
    CHECK(kl_bls12_g1_add(out, g1, zeros) && memcmp(out, g1, 128) == 0);
    CHECK(kl_bls12_g1_add(out, zeros, g1) && memcmp(out, g1, 128) == 0);
    CHECK(kl_bls12_g1_add(out, zeros, zeros) && memcmp(out, zeros, 128) == 0);
    CHECK(kl_bls12_g2_add(out, g2, zeros) && memcmp(out, g2, 256) == 0);
    CHECK(kl_bls12_g2_add(out, zeros, g2) && memcmp(out, g2, 256) == 0);
    CHECK(kl_bls12_g2_add(out, zeros, zeros) && memcmp(out, zeros, 256) == 0);

    u8 minus1[128], minus2[256];
    memcpy(minus1, g1, 128);
    memcpy(minus2, g2, 256);
    negate_fp(minus1 + 64);
    negate_fp(minus2 + 128);
    negate_fp(minus2 + 192);
    CHECK(kl_bls12_g1_add(out, g1, minus1) && memcmp(out, zeros, 128) == 0);
    CHECK(kl_bls12_g2_add(out, g2, minus2) && memcmp(out, zeros, 256) == 0);
}

KL_TEST(bls12_scalars_are_taken_modulo_the_order)
{
    u8 g1[128], g2[256], out[256], scalar[32], above[32];
    kl_arena_init(&arena, 1 << 20);
    g1_generator(g1);
    g2_point(g2);
    memcpy(scalar, kl_test_hex(order).p, 32);
    g1_mul(out, g1, scalar);
    CHECK(memcmp(out, zeros, 128) == 0);
    g2_mul(out, g2, scalar);
    CHECK(memcmp(out, zeros, 256) == 0);
    scalar[31] += 1; /* the order + 1 */
    g1_mul(out, g1, scalar);
    CHECK(memcmp(out, g1, 128) == 0);
    g2_mul(out, g2, scalar);
    CHECK(memcmp(out, g2, 256) == 0);
    /* All ones is 2^256 - 1: doubled and one more it is one less than twice 2^256. */
    memset(above, 0xff, 32);
    u8 half[32] = {0x80}, a[128], b[128];
    g1_mul(a, g1, above);
    CHECK(kl_bls12_g1_add(a, a, g1));
    g1_mul(b, g1, half);
    CHECK(kl_bls12_g1_add(b, b, b));
    CHECK(memcmp(a, b, 128) == 0);
    kl_arena_done(&arena);
}

/* Sums of single products, for counts on both sides of every choice of method inside. */
KL_TEST(bls12_msm_matches_sums_of_products)
{
    static u8 pairs[70 * 288];
    kl_arena_init(&arena, 1 << 22);
    for (usize count = 1; count <= 70; count += count < 10 ? 1 : 1 + kl_rand_below(seed, 15)) {
        u8 want1[128] = {0}, want2[256] = {0}, got[256], term[256], g1[128], g2[256];
        bool valid;
        g1_generator(g1);
        g2_point(g2);
        for (int group = 1; group <= 2; group++) {
            usize len = group == 1 ? 128 : 256;
            u8 *want = group == 1 ? want1 : want2;
            for (usize i = 0; i < count; i++) {
                u8 *pair = pairs + i * (len + 32), scalar[32];
                kl_rand_fill(seed, scalar, 32);
                memset(scalar, 0, kl_rand_below(seed, 33));
                if (group == 1)
                    g1_mul(g1, g1, scalar); /* may be infinity */
                if (kl_rand_below(seed, 4) == 0)
                    g1_generator(g1);
                memcpy(pair, group == 1 ? g1 : g2, len);
                kl_rand_fill(seed, pair + len, 32);
                memset(pair + len, 0, kl_rand_below(seed, 33));
                if (group == 1) {
                    g1_mul(term, pair, pair + len);
                    CHECK(kl_bls12_g1_add(want, want, term));
                } else {
                    g2_mul(term, pair, pair + len);
                    CHECK(kl_bls12_g2_add(want, want, term));
                }
            }
            CHECK_OK(group == 1 ? kl_bls12_g1_msm(&valid, got, pairs, count, &arena)
                                : kl_bls12_g2_msm(&valid, got, pairs, count, &arena));
            kl_arena_reset(&arena, SIZE_MAX);
            CHECK(valid);
            CHECK_SPAN(kl_span_of(got, len), kl_span_of(want, len));
        }
    }
    kl_arena_done(&arena);
}

/* Equal and opposite terms: where addition formulas have their special cases. */
KL_TEST(bls12_msm_of_equal_and_opposite_terms)
{
    static u8 pairs[40 * 160];
    kl_arena_init(&arena, 1 << 22);
    for (usize count = 2; count <= 40; count += 2) {
        u8 g[128], minus[128], scalar[32], got[128];
        bool valid;
        g1_generator(g);
        kl_rand_fill(seed, scalar, 32);
        memcpy(minus, g, 128);
        negate_fp(minus + 64);
        for (usize i = 0; i < count; i++) {
            memcpy(pairs + i * 160, i % 2 ? minus : g, 128);
            memcpy(pairs + i * 160 + 128, scalar, 32);
        }
        CHECK_OK(kl_bls12_g1_msm(&valid, got, pairs, count, &arena));
        CHECK(valid && memcmp(got, zeros, 128) == 0);
        for (usize i = 0; i < count; i++)
            memcpy(pairs + i * 160, g, 128);
        u8 want[128] = {0}, term[128];
        g1_mul(term, g, scalar);
        for (usize i = 0; i < count; i++)
            CHECK(kl_bls12_g1_add(want, want, term));
        CHECK_OK(kl_bls12_g1_msm(&valid, got, pairs, count, &arena));
        CHECK(valid && memcmp(got, want, 128) == 0);
        kl_arena_reset(&arena, SIZE_MAX);
    }
    kl_arena_done(&arena);
}

KL_TEST(bls12_msm_without_memory_is_a_status)
{
    u8 pair[160] = {0}, pair2[288] = {0}, out[256];
    struct kl_arena none;
    bool valid = true;
    kl_arena_init(&none, 0);
    CHECK(kl_bls12_g1_msm(&valid, out, pair, 1, &none) == KL_NOMEM);
    CHECK(kl_bls12_g2_msm(&valid, out, pair2, 1, &none) == KL_NOMEM);
    kl_arena_done(&none);
}

/* e(aP, bQ) * e(-abP, Q) is one, also when split over many pairs and mixed with infinities. */
KL_TEST(bls12_pairing_is_bilinear)
{
    static u8 pairs[20 * 384];
    kl_arena_init(&arena, 1 << 20);
    u8 p[128], q[256];
    g1_generator(p);
    g2_point(q);
    for (int round = 0; round < 6; round++) {
        u8 a[32], b[32], left[128], right[128];
        usize count = 0;
        bool one = false;
        memset(pairs, 0, sizeof pairs);
        for (int i = 0; i < 1 + round; i++) {
            kl_rand_fill(seed, a, 32);
            kl_rand_fill(seed, b, 32);
            u8 *pair = pairs + 384 * count++;
            g1_mul(pair, p, a);
            g2_mul(pair + 128, q, b);
            if (round % 2)
                memcpy(pairs + 384 * count++, p, 128); /* with infinity in G2 */
            g1_mul(left, p, a);
            g1_mul(right, left, b);
            pair = pairs + 384 * count++;
            memcpy(pair, right, 128);
            negate_fp(pair + 64);
            memcpy(pair + 128, q, 256);
        }
        CHECK(kl_bls12_pairing(&one, pairs, count) && one);
        CHECK(kl_bls12_pairing(&one, pairs, count - 1) && !one);
        negate_fp(pairs + 384 * (count - 1) + 64);
        CHECK(kl_bls12_pairing(&one, pairs, count) && !one);
    }
    bool one = false;
    CHECK(kl_bls12_pairing(&one, zeros, 1) && one);
    kl_arena_done(&arena);
}

/* Additions ask for the curve only; all else asks for the subgroup [EIP-2537]. */
KL_TEST(bls12_subgroup_is_asked_for_where_the_eip_asks)
{
    u8 g1[128] = {0}, g2[256], good1[128], good2[256], out[256], pair[384];
    bool valid = true, one;
    kl_arena_init(&arena, 1 << 20);
    g1[127] = 2; /* (0, 2) has order 3 */
    memcpy(g2, kl_test_hex(TWIST_POINT).p, 256);
    g1_generator(good1);
    g2_point(good2);
    CHECK(kl_bls12_g1_add(out, g1, good1));
    CHECK(kl_bls12_g2_add(out, g2, good2));

    memset(pair, 0, sizeof pair);
    memcpy(pair, g1, 128);
    CHECK_OK(kl_bls12_g1_msm(&valid, out, pair, 1, &arena));
    CHECK(!valid);
    valid = true;
    memset(pair, 0, sizeof pair);
    memcpy(pair, g2, 256);
    CHECK_OK(kl_bls12_g2_msm(&valid, out, pair, 1, &arena));
    CHECK(!valid);

    memcpy(pair, g1, 128);
    memcpy(pair + 128, good2, 256);
    CHECK(!kl_bls12_pairing(&one, pair, 1));
    memcpy(pair, good1, 128);
    memcpy(pair + 128, g2, 256);
    CHECK(!kl_bls12_pairing(&one, pair, 1));
    memset(pair, 0, 128); /* an infinite partner excuses nothing */
    CHECK(!kl_bls12_pairing(&one, pair, 1));
    kl_arena_done(&arena);
}

/* Every coordinate, in turn, as a number from the modulus on or with something in its first 16
 * bytes; and points off the curve. */
KL_TEST(bls12_refuses_what_is_out_of_range)
{
    u8 g1[128], g2[256], out[256], pair[384], fp2[128];
    bool valid, one;
    kl_arena_init(&arena, 1 << 20);
    for (usize place = 0; place < 6; place++) {
        for (int how = 0; how < 4; how++) {
            g1_generator(g1);
            g2_point(g2);
            u8 *fp = place < 2 ? g1 + 64 * place : g2 + 64 * (place - 2);
            if (how == 0)
                memcpy(fp, kl_test_hex(FP_P).p, 64);
            else if (how == 1)
                memset(fp + 16, 0xff, 48);
            else if (how == 2)
                fp[kl_rand_below(seed, 16)] = 1;
            else
                fp[63] ^= 1;
            if (place < 2) {
                CHECK(!kl_bls12_g1_add(out, g1, zeros) && !kl_bls12_g1_add(out, zeros, g1));
                memset(pair, 0, sizeof pair);
                memcpy(pair, g1, 128);
                CHECK_OK(kl_bls12_g1_msm(&valid, out, pair, 1, &arena));
                CHECK(!valid);
            } else {
                CHECK(!kl_bls12_g2_add(out, g2, zeros) && !kl_bls12_g2_add(out, zeros, g2));
                memset(pair, 0, sizeof pair);
                memcpy(pair, g2, 256);
                CHECK_OK(kl_bls12_g2_msm(&valid, out, pair, 1, &arena));
                CHECK(!valid);
            }
            memcpy(pair, g1, 128);
            memcpy(pair + 128, g2, 256);
            CHECK(!kl_bls12_pairing(&one, pair, 1));
            if (how < 3) {
                memset(fp2, 0, sizeof fp2);
                memcpy(fp2 + 64 * (place % 2), fp, 64);
                CHECK(!kl_bls12_map_fp2_to_g2(out, fp2));
                CHECK(!kl_bls12_map_fp_to_g1(out, fp));
            }
        }
    }
    kl_arena_done(&arena);
}
