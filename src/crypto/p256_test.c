#include "crypto/p256.h"

#include <openssl/err.h>

#include "base/test.h"
#include "crypto/digest.h"
#include "crypto/vectors_test_priv.h"

struct signed_digest {
    u8 digest[32], r_s[64], x_y[64];
};

static struct signed_digest from_hex(const char *digest, const char *r_s, const char *x_y)
{
    struct signed_digest v;
    memcpy(v.digest, kl_test_hex(digest).p, 32);
    memcpy(v.r_s, kl_test_hex(r_s).p, 64);
    memcpy(v.x_y, kl_test_hex(x_y).p, 64);
    return v;
}

static bool verify(const struct signed_digest *v)
{
    bool ok = kl_p256_verify_var(v->digest, v->r_s, v->x_y);
    CHECK(ERR_peek_error() == 0); /* nothing is left for others to trip over */
    return ok;
}

/* [RFC 6979 appendix A.2.5], SHA-256 of "sample" */
static struct signed_digest sample(void)
{
    struct signed_digest v =
        from_hex("0000000000000000000000000000000000000000000000000000000000000000",
                 "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
                 "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
                 "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
                 "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299");
    kl_sha256(v.digest, KL_SPAN_TEXT("sample"));
    return v;
}

KL_TEST(p256_verifies_the_standard_sample)
{
    struct signed_digest v = sample();
    CHECK(verify(&v));
}

KL_TEST(p256_every_flipped_bit_is_refused)
{
    struct signed_digest good = sample();
    for (usize bit = 0; bit < 8 * sizeof good; bit++) {
        struct signed_digest v = good;
        u8 *at = bit < 256 ? v.digest : bit < 768 ? v.r_s : v.x_y;
        usize i = bit < 256 ? bit : bit < 768 ? bit - 256 : bit - 768;
        at[i / 8] ^= (u8)(1 << i % 8);
        CHECK(!verify(&v));
    }
}

/* n - s is as good as s: the standard has no rule against it, and EIP-7951 adds none. */
KL_TEST(p256_accepts_either_s)
{
    static const u8 n[] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
                           0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
                           0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
    struct signed_digest v = sample();
    for (int i = 31, borrow = 0; i >= 0; i--) {
        int d = n[i] - v.r_s[32 + i] - borrow;
        v.r_s[32 + i] = (u8)d;
        borrow = d < 0;
    }
    CHECK(verify(&v));
}

KL_TEST(p256_refuses_what_is_out_of_range)
{
    static const char *const number[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", /* n */
        "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632552",
        "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff", /* p */
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    };
    for (usize i = 0; i < KL_COUNT_OF(number); i++) {
        struct signed_digest good = sample(), v;
        const u8 *bytes = kl_test_hex(number[i]).p;
        for (unsigned place = 0; place < 4; place++) {
            v = good;
            memcpy(place < 2 ? v.r_s + 32 * place : v.x_y + 32 * (place - 2), bytes, 32);
            CHECK(!verify(&v));
        }
        memcpy(v.x_y, bytes, 32);
        memcpy(v.x_y + 32, bytes, 32);
        CHECK(!verify(&v));
    }
}

/* A key whose x is 5, and a signature made for it without knowing its logarithm.  x + p fits in 32
 * bytes and means the same to who reduces it; it is no encoding of the key. */
KL_TEST(p256_coordinates_have_one_encoding)
{
    static const char digest[] = "58270d12bd05dd5000c531afd354263d3a02d4adb93b6b1ce7ced34c032c65cb";
    static const char r_s[] = "6f34b24828b4efbcbad39f16e008014367b4db9fca7b64cbd6972b0ef79e444f"
                              "31d1583751fd3e107030204ab04db5793ed8e514c22c300b15e9ea8b1482ec35";
    struct signed_digest good =
        from_hex(digest, r_s,
                 "0000000000000000000000000000000000000000000000000000000000000005"
                 "459243b9aa581806fe913bce99817ade11ca503c64d9a3c533415c083248fbcc");
    struct signed_digest twin =
        from_hex(digest, r_s,
                 "ffffffff00000001000000000000000000000001000000000000000000000004"
                 "459243b9aa581806fe913bce99817ade11ca503c64d9a3c533415c083248fbcc");
    CHECK(verify(&good));
    CHECK(!verify(&twin));
}

/* u1 * G + u2 * Q is the point at infinity. */
KL_TEST(p256_refuses_an_infinite_sum)
{
    struct signed_digest v =
        from_hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc63252e",
                 "0000000000000000000000000000000000000000000000000000000000000005"
                 "000000000000000000000000000000000000000000000000000000000000000b",
                 "8e533b6fa0bf7b4625bb30667c01fb607ef9f8b8a80fef5b300628703187b2a3"
                 "73eb1dbde03318366d069f83a6f5900053c73633cb041b21c55e1a86c1f400b4");
    CHECK(!verify(&v));
}

/* The sum's x is n + 3, so r is 3: x is compared after it is reduced by n. */
KL_TEST(p256_reduces_x_before_it_compares)
{
    struct signed_digest v =
        from_hex("62d9faeddf0cac5ba237c32b16cfd771f54c84481f91fdd81724419eef65a680",
                 "0000000000000000000000000000000000000000000000000000000000000003"
                 "4e9302889079a9d2aee41e6a74981446e3cd3b32c3c2d0566e4ac492067ebf6a",
                 "3f1463a7ddb244c78712509b3d406dfee091d5752bd4948a99aedb5b99b945cd"
                 "956f1a02d204eebda8892ec655629eecc5cf04bdd938de5e38c9a503ea6a9a30");
    CHECK(verify(&v));
}

/* Input: digest, r, s, x, y; expected: 1 in 32 bytes, or nothing [EIP-7951]. */
KL_TEST(p256_precompile_vectors)
{
    struct kl_vector v;
    for (kl_vectors_open("PrecompileTests/geth/p256Verify.json"); kl_vectors_next(&v);) {
        if (v.input.len != 160) {
            CHECK(v.expected.len == 0);
            continue;
        }
        struct signed_digest d;
        memcpy(d.digest, v.input.p, 32);
        memcpy(d.r_s, v.input.p + 32, 64);
        memcpy(d.x_y, v.input.p + 96, 64);
        CHECK(verify(&d) == (v.expected.len == 32));
    }
}
