#include "crypto/aead.h"

#include "base/test.h"

/* [RFC 8439 section 2.8.2] */
KL_TEST(aead_known_answer)
{
    static const char text[] = "Ladies and Gentlemen of the class of '99: If I could offer you "
                               "only one tip for the future, sunscreen would be it.";
    kl_secret32 key;
    u8 out[sizeof text - 1 + KL_AEAD_TAG_LEN], back[sizeof text];
    for (usize i = 0; i < 32; i++)
        key.b[i] = (u8)(0x80 + i);
    struct kl_aead *aead = kl_aead_new(&key);
    const u8 *nonce = kl_test_hex("070000004041424344454647").p;
    kl_span extra = kl_test_hex("50515253c0c1c2c3c4c5c6c7");
    kl_aead_seal(aead, out, nonce, extra, kl_span_str(text));
    CHECK_HEX(KL_SPAN_OF(out), "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
                               "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
                               "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
                               "3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd060"
                               "0691");
    CHECK(kl_aead_open(aead, back, nonce, extra, KL_SPAN_OF(out)));
    CHECK_SPAN(kl_span_of(back, sizeof text - 1), kl_span_str(text));
    kl_aead_free(aead);
}

/* Property: what was sealed is opened, in place too; one changed bit of anything is noticed, and so
 * is a missing end; and the object goes on working. */
KL_TEST(aead_round_trip)
{
    kl_secret32 key;
    kl_rand_fill(seed, key.b, 32);
    struct kl_aead *aead = kl_aead_new(&key);
    for (int i = 0; i < 200; i++) {
        u8 nonce[KL_AEAD_NONCE_LEN], extra[40], plain[300], sealed[300 + KL_AEAD_TAG_LEN];
        kl_rand_fill(seed, nonce, sizeof nonce);
        kl_rand_fill(seed, extra, sizeof extra);
        kl_rand_fill(seed, plain, sizeof plain);
        usize len = kl_rand_below(seed, sizeof plain + 1);
        kl_span more = kl_span_of(extra, kl_rand_below(seed, sizeof extra + 1));
        memcpy(sealed, plain, len);
        kl_aead_seal(aead, sealed, nonce, more, kl_span_of(sealed, len));
        kl_span all = kl_span_of(sealed, len + KL_AEAD_TAG_LEN);
        u8 out[sizeof sealed];
        CHECK(kl_aead_open(aead, out, nonce, more, all));
        CHECK_SPAN(kl_span_of(out, len), kl_span_of(plain, len));
        CHECK(!kl_aead_open(aead, out, nonce, more,
                            kl_span_sub(all, 0, kl_rand_below(seed, all.len))));
        u8 *part = i % 3 == 0 || (i % 3 == 1 && !more.len) ? sealed : i % 3 == 1 ? extra : nonce;
        usize size = part == sealed ? all.len : part == extra ? more.len : sizeof nonce;
        usize at = kl_rand_below(seed, size);
        u8 bit = (u8)(1u << kl_rand_below(seed, 8));
        part[at] ^= bit;
        CHECK(!kl_aead_open(aead, out, nonce, more, all));
        part[at] ^= bit;
        CHECK(kl_aead_open(aead, sealed, nonce, more, all));
        CHECK_SPAN(kl_span_of(sealed, len), kl_span_of(plain, len));
    }
    kl_aead_free(aead);
    kl_aead_free(NULL);
}
