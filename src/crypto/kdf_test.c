#include "crypto/kdf.h"

#include "base/test.h"

/* [RFC 4231 test cases 1, 2 and 6], and nothing at all. */
KL_TEST(hmac_sha512_known_answers)
{
    u8 long_key[131];
    memset(long_key, 0xaa, sizeof long_key);
    const struct {
        kl_span key, message;
        const char *mac;
    } row[] = {
        {kl_test_hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"), KL_SPAN_TEXT("Hi There"),
         "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
         "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"},
        {KL_SPAN_TEXT("Jefe"), KL_SPAN_TEXT("what do ya want for nothing?"),
         "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
         "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"},
        {KL_SPAN_OF(long_key),
         KL_SPAN_TEXT("Test Using Larger Than Block-Size Key - Hash Key First"),
         "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
         "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598"},
        {KL_SPAN_NONE, KL_SPAN_NONE,
         "b936cee86c9f87aa5d3c6f2e84cb5a4239a5fe50480a6ec66b70ab5b1f4ac673"
         "0c6c515421b327ec1d69402e53dfb49ad7381eb067b338fd7b0cb22247225d47"},
    };
    for (usize i = 0; i < KL_COUNT_OF(row); i++) {
        u8 mac[64];
        kl_hmac_sha512(mac, row[i].key, row[i].message);
        CHECK_HEX(KL_SPAN_OF(mac), row[i].mac);
    }
}

/* [RFC 4231 test case 2] */
KL_TEST(hmac_sha256_known_answer)
{
    u8 mac[32];
    kl_hmac_sha256(mac, KL_SPAN_TEXT("Jefe"), KL_SPAN_TEXT("what do ya want for nothing?"));
    CHECK_HEX(KL_SPAN_OF(mac), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

/* [RFC 5869 test case 1] */
KL_TEST(hkdf_sha256_known_answer)
{
    u8 out[42];
    kl_hkdf_sha256(out, sizeof out, kl_test_hex("000102030405060708090a0b0c"),
                   kl_test_hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"),
                   kl_test_hex("f0f1f2f3f4f5f6f7f8f9"));
    CHECK_HEX(KL_SPAN_OF(out), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
                               "34007208d5b887185865");
}

/* With nothing besides, its blocks are a chain of HMACs, as protocols that spell it out have it. */
KL_TEST(hkdf_sha256_is_a_chain_of_hmacs)
{
    for (int round = 0; round < 50; round++) {
        u8 salt[32], secret[32], temp[32], want[64], got[64], next[33];
        kl_rand_fill(seed, salt, sizeof salt);
        kl_rand_fill(seed, secret, sizeof secret);
        kl_span input = kl_span_of(secret, round % 2 ? sizeof secret : 0);
        kl_hmac_sha256(temp, KL_SPAN_OF(salt), input);
        kl_hmac_sha256(want, KL_SPAN_OF(temp), kl_span_of("\1", 1));
        memcpy(next, want, 32);
        next[32] = 2;
        kl_hmac_sha256(want + 32, KL_SPAN_OF(temp), KL_SPAN_OF(next));
        kl_hkdf_sha256(got, sizeof got, KL_SPAN_OF(salt), input, KL_SPAN_NONE);
        CHECK_SPAN(KL_SPAN_OF(got), KL_SPAN_OF(want));
    }
}

/* The third row is the first BIP-39 test vector with a passphrase. */
KL_TEST(pbkdf2_hmac_sha512_known_answers)
{
    static const struct {
        const char *password, *salt;
        u32 rounds;
        const char *key;
    } row[] = {
        {"", "", 3, "ba78a2c18fe1f3cfffaba0f93ccf85fc342edf2c"},
        {"password", "salt", 1,
         "867f70cf1ade02cff3752599a3a53dc4af34c7a669815ae5d513554e1c8cf252"
         "c02d470a285a0501bad999bfe943c08f050235d7d68b1da55e63f73b60a57fce"},
        {"abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon "
         "about",
         "mnemonicTREZOR", 2048,
         "c55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e5349553"
         "1f09a6987599d18264c1e1c92f2cf141630c7a3c4ab7c81b2f001698e7463b04"},
    };
    for (usize i = 0; i < KL_COUNT_OF(row); i++) {
        u8 key[64];
        usize len = strlen(row[i].key) / 2;
        kl_pbkdf2_hmac_sha512(key, len, kl_span_str(row[i].password), kl_span_str(row[i].salt),
                              row[i].rounds);
        CHECK_HEX(kl_span_of(key, len), row[i].key);
    }
}

/* One block of PBKDF2 is the exclusive or of a chain of HMACs [RFC 8018 section 5.2]. */
KL_TEST(pbkdf2_is_a_chain_of_hmacs)
{
    for (int round = 0; round < 20; round++) {
        u8 password[100], salt[54], want[64] = {0}, got[64], u[64];
        kl_rand_fill(seed, password, sizeof password);
        kl_rand_fill(seed, salt, 50);
        memcpy(salt + 50, "\0\0\0\1", 4);
        kl_span key = kl_span_of(password, kl_rand_below(seed, sizeof password + 1));
        u32 rounds = 1 + (u32)kl_rand_below(seed, 20);
        kl_hmac_sha512(u, key, KL_SPAN_OF(salt));
        for (u32 i = 0; i < rounds; i++) {
            for (usize j = 0; j < 64; j++)
                want[j] ^= u[j];
            kl_hmac_sha512(u, key, KL_SPAN_OF(u));
        }
        kl_pbkdf2_hmac_sha512(got, sizeof got, key, kl_span_of(salt, 50), rounds);
        CHECK_SPAN(KL_SPAN_OF(got), KL_SPAN_OF(want));
    }
}
