#include <stdio.h>

#include "base/test.h"
#include "base/u256.h"
#include "crypto/bls12.h"
#include "crypto/kzg_priv.h"

/* The generator and [tau]G1 of the ceremony, as EIP-2537 spells points. */
#define G1                                                                                         \
    "0000000000000000000000000000000017f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171b" \
    "a"                                                                                            \
    "c586c55e83ff97a1aeffb3af00adb22c6bb0000000000000000000000000000000008b3f481e3aaa0f1a09e30ed7" \
    "4"                                                                                            \
    "1d8ae4fcf5e095d5d00af600db18cb2c04b3edd03cc744a2888ae40caa232946c5e7e1"
#define TAU_G1                                                                                     \
    "000000000000000000000000000000000d3eb50121139aa34db1d545093ac9374ab7bca2c0f3bf28e27c8dcd8fc7" \
    "c"                                                                                            \
    "b42d25926fc0c97b336e9f0fb35e5a04c810000000000000000000000000000000017de623f59a3043952d2f637a" \
    "9"                                                                                            \
    "35fae14b6dee8b255e526304963d58ab6f1a827c7de623d34d394f8a3d0f57d6e972b9"

static struct kl_arena arena;

/* The compressed form of a point: x, and in the first three bits that it is compressed, infinite,
 * and has the greater y. */
static void compress(u8 out[48], const u8 point[128])
{
    static const u8 half_p[] = {0x0d, 0x00, 0x88, 0xf5, 0x1c, 0xbf, 0xf3, 0x4d, 0x25, 0x8d,
                                0xd3, 0xdb, 0x21, 0xa5, 0xd6, 0x6b, 0xb2, 0x3b, 0xa5, 0xc2,
                                0x79, 0xc2, 0x89, 0x5f, 0xb3, 0x98, 0x69, 0x50, 0x7b, 0x58,
                                0x7b, 0x12, 0x0f, 0x55, 0xff, 0xff, 0x58, 0xa9, 0xff, 0xff,
                                0xdc, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xd5, 0x55};
    static const u8 zero[128];
    bool infinite = memcmp(point, zero, 128) == 0;
    memcpy(out, point + 16, 48);
    out[0] |= 0x80;
    out[0] |= infinite ? 0x40 : 0;
    out[0] |= memcmp(point + 80, half_p, 48) > 0 ? 0x20 : 0;
}

static const kl_u256 order = {
    {0xffffffff00000001, 0x53bda402fffe5bfe, 0x3339d80809a1d805, 0x73eda753299d7d48}};

static kl_u256 random_scalar(u64 *seed)
{
    kl_u256 v;
    kl_rand_fill(seed, &v, sizeof v);
    return kl_u256_mod(v, order);
}

/* a * G1 + b * [tau]G1: the commitment to a + b X. */
static void commit(u8 out[48], kl_u256 a, kl_u256 b)
{
    u8 pairs[320], point[128];
    bool valid = false;
    memcpy(pairs, kl_test_hex(G1).p, 128);
    kl_u256_to_be(pairs + 128, a);
    memcpy(pairs + 160, kl_test_hex(TAU_G1).p, 128);
    kl_u256_to_be(pairs + 288, b);
    CHECK_OK(kl_bls12_g1_msm(&valid, point, pairs, 2, &arena));
    CHECK(valid);
    compress(out, point);
    kl_arena_reset(&arena, SIZE_MAX);
}

/* Lines have openings one can write down: the quotient of a + b X is b.  Holds for the right tau
 * only. */
KL_TEST(kzg_openings_of_lines)
{
    kl_arena_init(&arena, 1 << 20);
    for (int round = 0; round < 20; round++) {
        kl_u256 a = random_scalar(seed), b = random_scalar(seed), z = random_scalar(seed);
        if (round == 1)
            b = KL_U256_ZERO;
        if (round == 2)
            z = KL_U256_ZERO;
        if (round == 3)
            a = b = KL_U256_ZERO;
        if (round == 4) /* y is zero */
            a = kl_u256_sub(order, kl_u256_mulmod(b, z, order));
        kl_u256 y = kl_u256_addmod(a, kl_u256_mulmod(b, z, order), order);
        u8 c[48], p[48], z_be[32], y_be[32], bad[48];
        commit(c, a, b);
        commit(p, b, KL_U256_ZERO);
        kl_u256_to_be(z_be, z);
        kl_u256_to_be(y_be, y);
        CHECK(kl_kzg_verify_opening(c, z_be, y_be, p));
        y_be[31] ^= 1;
        CHECK(!kl_kzg_verify_opening(c, z_be, y_be, p));
        y_be[31] ^= 1;
        if (round != 1 && round != 3) {
            z_be[31] ^= 1;
            CHECK(!kl_kzg_verify_opening(c, z_be, y_be, p));
            z_be[31] ^= 1;
        }
        commit(bad, b, KL_U256_ONE);
        CHECK(!kl_kzg_verify_opening(c, z_be, y_be, bad));
        commit(bad, a, kl_u256_add(b, KL_U256_ONE));
        CHECK(!kl_kzg_verify_opening(bad, z_be, y_be, p));
    }
    kl_arena_done(&arena);
}

KL_TEST(kzg_refuses_what_is_out_of_range)
{
    kl_arena_init(&arena, 1 << 20);
    /* The constant 3, at 5: the proof is infinity. */
    u8 c[48], p[48] = {0xc0}, z[32] = {0}, y[32] = {0}, bad[48], n[32];
    z[31] = 5;
    y[31] = 3;
    commit(c, kl_u256_of(3), KL_U256_ZERO);
    CHECK(kl_kzg_verify_opening(c, z, y, p));

    kl_u256_to_be(n, kl_u256_add(order, kl_u256_of(5)));
    CHECK(!kl_kzg_verify_opening(c, n, y, p));
    kl_u256_to_be(n, kl_u256_add(order, kl_u256_of(3)));
    CHECK(!kl_kzg_verify_opening(c, z, n, p));
    for (unsigned bits = 0; bits < 8; bits++) { /* all flags but the right ones */
        memcpy(bad, c, 48);
        bad[0] = (u8)((bad[0] & 0x1f) | bits << 5);
        CHECK(bad[0] == c[0] || !kl_kzg_verify_opening(bad, z, y, p));
        memcpy(bad, p, 48);
        bad[0] = (u8)(bits << 5);
        CHECK(bits == 6 || !kl_kzg_verify_opening(c, z, y, bad));
    }
    memcpy(bad, p, 48);
    bad[47] = 1; /* infinity with something in it */
    CHECK(!kl_kzg_verify_opening(c, z, y, bad));
    u8 order_3[48] = {0x80}; /* (0, 2), on the curve and not in the subgroup */
    CHECK(!kl_kzg_verify_opening(order_3, z, y, p));
    CHECK(!kl_kzg_verify_opening(c, z, y, order_3));
    kl_arena_done(&arena);
}

/* A value of tests/vectors/kzg-ceremony.txt: points of the ceremony as c-kzg publishes them. */
static kl_span ceremony(const char *text, const char *name)
{
    char hex[256];
    const char *at = strstr(text, name);
    CHECK(at && sscanf(at + strlen(name), " %255[0-9a-f]", hex) == 1);
    return kl_test_hex(hex);
}

static usize occurrences(kl_span in, kl_span part)
{
    usize count = 0;
    for (const u8 *p = in.p; p; count += p != NULL) {
        p = memmem(p, (usize)(in.p + in.len - p), part.p, part.len);
        p = p ? p + 1 : NULL;
    }
    return count;
}

/* The one point is the published one, and no other of the 8257 is in the program: there is nothing
 * to load. */
KL_TEST(kzg_tau_is_the_ceremony_s)
{
    static const char *const others[] = {"g1_lagrange_0", "g1_lagrange_4095", "g2_tau_2",
                                         "g1_tau_1", "g1_tau_4095"};
    char path[4096];
    snprintf(path, sizeof path, "%s/tests/vectors/kzg-ceremony.txt", kl_test_source_root());
    const char *text = (const char *)kl_test_file(path).p;
    CHECK_SPAN(kl_span_of(kl_kzg_tau_g2, 96), ceremony(text, "g2_tau_1"));
    kl_span program = kl_test_file("/proc/self/exe");
    CHECK_U64(occurrences(program, ceremony(text, "g2_tau_1")), 1);
    for (usize i = 0; i < KL_COUNT_OF(others); i++) {
        kl_span point = ceremony(text, others[i]);
        CHECK(point.len == 48 || point.len == 96);
        CHECK_U64(occurrences(program, point), 0);
    }
    /* The tau that the openings above are made with is the same. */
    u8 compressed[48];
    compress(compressed, kl_test_hex(TAU_G1).p);
    CHECK_SPAN(KL_SPAN_OF(compressed), ceremony(text, "g1_tau_1"));
}

/* The bytes of a line "name: '0x…'"; false unless there are len of them. */
static bool yaml_bytes(u8 *out, usize len, const char *text, const char *name)
{
    char key[32];
    snprintf(key, sizeof key, "%s: '0x", name);
    const char *from = strstr(text, key);
    CHECK(from);
    from += strlen(key);
    const char *to = strchr(from, '\'');
    CHECK(to);
    char hex[1024];
    if ((usize)(to - from) != 2 * len)
        return false;
    snprintf(hex, sizeof hex, "%.*s", (int)(to - from), from);
    memcpy(out, kl_test_hex(hex).p, len);
    return true;
}

struct tally {
    unsigned good, bad;
};

static void check_vector(void *ctx, const char *path, kl_span bytes)
{
    struct tally *tally = ctx;
    const char *text = (const char *)bytes.p;
    u8 c[48], z[32], y[32], p[48];
    bool got = yaml_bytes(c, 48, text, "commitment") && yaml_bytes(z, 32, text, "z") &&
               yaml_bytes(y, 32, text, "y") && yaml_bytes(p, 48, text, "proof") &&
               kl_kzg_verify_opening(c, z, y, p);
    bool want = strstr(text, "output: true") != NULL;
    CHECK(want || strstr(text, "output: false") || strstr(text, "output: null"));
    if (got != want)
        kl_test_fail(__FILE__, __LINE__, "%s", path);
    tally->good += got;
    tally->bad += !got;
}

KL_TEST(kzg_verify_vectors)
{
    char folder[4096];
    struct tally tally = {0, 0};
    snprintf(folder, sizeof folder, "%s/kzg/verify_kzg_proof", kl_test_fixtures());
    CHECK(kl_test_files(folder, "data.yaml", check_vector, &tally) > 0);
    CHECK(tally.good > 0 && tally.bad > 0);
    kl_test_tally("kzg/verify_kzg_proof", tally.good + tally.bad, tally.good + tally.bad);
}
