#include "crypto/curve25519.h"

#include "base/test.h"

static kl_secret32 secret_of(const char *hex)
{
    kl_secret32 secret;
    kl_span bytes = kl_test_hex(hex);
    CHECK_U64(bytes.len, sizeof secret.b);
    memcpy(secret.b, bytes.p, sizeof secret.b);
    return secret;
}

/* [RFC 7748 section 5.2], the second by a thousand iterations. */
KL_TEST(x25519_known_answers)
{
    kl_secret32 shared;
    kl_secret32 k = secret_of("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
    kl_span u = kl_test_hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
    CHECK(kl_x25519(&shared, &k, u.p));
    CHECK_HEX(KL_SPAN_OF(shared.b),
              "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
    kl_secret32 point = {{9}};
    k = point;
    for (int i = 0; i < 1000; i++) {
        kl_secret32 next;
        CHECK(kl_x25519(&next, &k, point.b));
        point = k;
        k = next;
        if (i == 0)
            CHECK_HEX(KL_SPAN_OF(k.b),
                      "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
    }
    CHECK_HEX(KL_SPAN_OF(k.b), "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
}

/* Both sides come to the same secret; a key of small order is refused. */
KL_TEST(x25519_agrees)
{
    for (int i = 0; i < 50; i++) {
        kl_secret32 a, b, ab, ba;
        u8 pa[32], pb[32];
        kl_rand_fill(seed, a.b, 32);
        kl_rand_fill(seed, b.b, 32);
        kl_x25519_public(pa, &a);
        kl_x25519_public(pb, &b);
        CHECK(kl_x25519(&ab, &a, pb) && kl_x25519(&ba, &b, pa));
        CHECK_SPAN(KL_SPAN_OF(ab.b), KL_SPAN_OF(ba.b));
        kl_secret32 before = ab;
        CHECK(!kl_x25519(&ab, &a, (const u8[32]){0}));
        CHECK(!kl_x25519(&ab, &a, (const u8[32]){1}));
        CHECK_SPAN(KL_SPAN_OF(ab.b), KL_SPAN_OF(before.b));
    }
}

/* [RFC 8032 section 7.1, test 1] */
KL_TEST(ed25519_known_answer)
{
    u8 key[32], signature[KL_ED25519_SIGNATURE_LEN];
    kl_secret32 s = secret_of("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
    kl_ed25519_public(key, &s);
    CHECK_HEX(KL_SPAN_OF(key), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    kl_ed25519_sign(signature, &s, KL_SPAN_NONE);
    CHECK_HEX(KL_SPAN_OF(signature),
              "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
              "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b");
    CHECK(kl_ed25519_verify(key, KL_SPAN_NONE, signature));
}

KL_TEST(ed25519_binds_key_message_and_signature)
{
    for (int i = 0; i < 40; i++) {
        kl_secret32 s;
        u8 key[32], signature[KL_ED25519_SIGNATURE_LEN], message[100];
        kl_rand_fill(seed, s.b, 32);
        kl_rand_fill(seed, message, sizeof message);
        kl_span text = kl_span_of(message, 1 + kl_rand_below(seed, sizeof message));
        kl_ed25519_public(key, &s);
        kl_ed25519_sign(signature, &s, text);
        CHECK(kl_ed25519_verify(key, text, signature));
        u8 *part = i % 3 == 0 ? key : i % 3 == 1 ? signature : message;
        usize len = i % 3 == 0 ? 32 : i % 3 == 1 ? sizeof signature : text.len;
        part[kl_rand_below(seed, len)] ^= (u8)(1u << kl_rand_below(seed, 8));
        CHECK(!kl_ed25519_verify(key, text, signature));
    }
}
