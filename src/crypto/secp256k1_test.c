#include "crypto/secp256k1.h"

#include <pthread.h>

#include "base/test.h"
#include "crypto/address.h"
#include "crypto/vectors_test_priv.h"

static kl_hash hash_hex(const char *hex)
{
    kl_hash hash;
    kl_span bytes = kl_test_hex(hex);
    CHECK_U64(bytes.len, 32);
    memcpy(hash.b, bytes.p, 32);
    return hash;
}

static kl_secret32 key_hex(const char *hex)
{
    kl_secret32 key;
    memcpy(key.b, hash_hex(hex).b, 32);
    return key;
}

static kl_u256 number_hex(const char *hex)
{
    return kl_u256_from_be(hash_hex(hex).b);
}

static kl_secret32 random_key(u64 *seed)
{
    kl_secret32 key;
    kl_rand_fill(seed, key.b, sizeof key.b);
    key.b[0] &= 0x7f; /* below n */
    return key;
}

KL_TEST(secp256k1_orders)
{
    kl_u256 twice = kl_u256_add(kl_secp256k1_half_n, kl_secp256k1_half_n);
    CHECK(kl_u256_eq(kl_u256_add(twice, KL_U256_ONE), kl_secp256k1_n));
    u8 be[32];
    kl_u256_to_be(be, kl_secp256k1_n);
    CHECK_HEX(KL_SPAN_OF(be), "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
}

/* Rows: the transaction of [EIP-155, example]; key 1 over SHA-256 of "Satoshi Nakamoto", a
 * widespread vector for [RFC 6979] on this curve. */
KL_TEST(secp256k1_sign_known_answers)
{
    static const struct {
        const char *key, *digest, *r, *s;
        u8 y_parity;
        const char *address;
    } row[] = {
        {"4646464646464646464646464646464646464646464646464646464646464646",
         "daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53",
         "28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276",
         "67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83", 0,
         "9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f"},
        {"0000000000000000000000000000000000000000000000000000000000000001",
         "a0dc65ffca799873cbea0ac274015b9526505daaaed385155425f7337704883e",
         "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8",
         "2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5", 1,
         "7e5f4552091a69125d5dfcb7b8c2659029395bdf"},
    };
    for (usize i = 0; i < KL_COUNT_OF(row); i++) {
        KL_SECRET key = key_hex(row[i].key);
        kl_hash digest = hash_hex(row[i].digest);
        kl_signature signature;
        kl_pubkey pubkey;
        CHECK(kl_secp256k1_sign(&signature, &digest, &key));
        CHECK(kl_u256_eq(signature.r, number_hex(row[i].r)));
        CHECK(kl_u256_eq(signature.s, number_hex(row[i].s)));
        CHECK_U64(signature.y_parity, row[i].y_parity);
        CHECK(kl_secp256k1_recover_var(&pubkey, &digest, &signature));
        kl_address address = kl_address_of_pubkey(&pubkey);
        CHECK_HEX(kl_address_span(&address), row[i].address);
    }
}

KL_TEST(secp256k1_round_trips)
{
    for (int i = 0; i < 200; i++) {
        KL_SECRET key = random_key(seed);
        kl_hash digest, other;
        kl_signature s;
        kl_pubkey pubkey, got;
        kl_rand_fill(seed, digest.b, sizeof digest.b);
        kl_rand_fill(seed, other.b, sizeof other.b);
        CHECK(kl_secp256k1_pubkey(&pubkey, &key));
        CHECK(kl_secp256k1_sign(&s, &digest, &key));
        CHECK(!kl_u256_lt(kl_secp256k1_half_n, s.s));
        CHECK(kl_secp256k1_recover_var(&got, &digest, &s));
        CHECK_SPAN(KL_SPAN_OF(got), KL_SPAN_OF(pubkey));
        CHECK(kl_secp256k1_verify_var(&digest, &s, &pubkey));
        CHECK(!kl_secp256k1_verify_var(&other, &s, &pubkey));

        /* The other s of the same nonce is as good, for who may use it. */
        kl_signature high = {s.r, kl_u256_sub(kl_secp256k1_n, s.s), s.y_parity ^ 1};
        CHECK(kl_secp256k1_recover_var(&got, &digest, &high));
        CHECK_SPAN(KL_SPAN_OF(got), KL_SPAN_OF(pubkey));
        CHECK(kl_secp256k1_verify_var(&digest, &high, &pubkey));

        /* The other parity is another key's signature. */
        s.y_parity ^= 1;
        if (kl_secp256k1_recover_var(&got, &digest, &s)) {
            CHECK(!kl_span_eq(KL_SPAN_OF(got), KL_SPAN_OF(pubkey)));
            CHECK(kl_secp256k1_verify_var(&digest, &s, &got));
        }
    }
}

KL_TEST(secp256k1_recover_refuses_what_is_out_of_range)
{
    KL_SECRET key = random_key(seed);
    kl_hash digest = {{1}};
    kl_signature good;
    CHECK(kl_secp256k1_sign(&good, &digest, &key));
    kl_u256 bad[] = {KL_U256_ZERO, kl_secp256k1_n, kl_u256_add(kl_secp256k1_n, KL_U256_ONE),
                     KL_U256_MAX};
    kl_pubkey out, before, owner;
    CHECK(kl_secp256k1_pubkey(&owner, &key));
    memset(&out, 0x5a, sizeof out);
    before = out;
    for (usize i = 0; i < KL_COUNT_OF(bad); i++) {
        kl_signature r = good, s = good;
        r.r = bad[i];
        s.s = bad[i];
        CHECK(!kl_secp256k1_recover_var(&out, &digest, &r));
        CHECK(!kl_secp256k1_recover_var(&out, &digest, &s));
        CHECK(!kl_secp256k1_verify_var(&digest, &r, &owner));
        CHECK(!kl_secp256k1_verify_var(&digest, &s, &owner));
    }
    for (unsigned parity = 2; parity < 256; parity++) {
        kl_signature v = good;
        v.y_parity = (u8)parity;
        CHECK(!kl_secp256k1_recover_var(&out, &digest, &v));
    }
    /* No point of the curve has x = 5. */
    kl_signature off = good;
    off.r = kl_u256_of(5);
    CHECK(!kl_secp256k1_recover_var(&out, &digest, &off));
    CHECK_SPAN(KL_SPAN_OF(out), KL_SPAN_OF(before));
}

KL_TEST(secp256k1_refuses_bad_keys)
{
    u8 n[32];
    kl_u256_to_be(n, kl_secp256k1_n);
    const u8 *bad[] = {(const u8[32]){0}, n,
                       kl_test_hex("ffffffffffffffffffffffffffffffff"
                                   "ffffffffffffffffffffffffffffffff")
                           .p};
    for (usize i = 0; i < KL_COUNT_OF(bad); i++) {
        KL_SECRET key;
        memcpy(key.b, bad[i], 32);
        kl_hash digest = {{7}};
        kl_signature signature;
        kl_pubkey pubkey;
        CHECK(!kl_secp256k1_sign(&signature, &digest, &key));
        CHECK(!kl_secp256k1_pubkey(&pubkey, &key));
    }
    /* A public key off the curve, or with a coordinate not below the field's modulus. */
    KL_SECRET key = random_key(seed);
    kl_hash digest = {{7}};
    kl_signature signature;
    kl_pubkey off;
    CHECK(kl_secp256k1_sign(&signature, &digest, &key));
    CHECK(kl_secp256k1_pubkey(&off, &key));
    off.b[63] ^= 1;
    CHECK(!kl_secp256k1_verify_var(&digest, &signature, &off));
    memset(&off, 0, sizeof off);
    CHECK(!kl_secp256k1_verify_var(&digest, &signature, &off));
    memset(&off, 0xff, sizeof off);
    CHECK(!kl_secp256k1_verify_var(&digest, &signature, &off));
}

KL_TEST(secp256k1_tweak_add_is_addition_modulo_n)
{
    for (int i = 0; i < 500; i++) {
        KL_SECRET key = random_key(seed);
        u8 tweak[32], want[32];
        kl_rand_fill(seed, tweak, sizeof tweak);
        kl_u256 a = kl_u256_from_be(key.b), b = kl_u256_from_be(tweak), sum;
        bool over = kl_u256_add_over(&sum, a, b);
        if (over || !kl_u256_lt(sum, kl_secp256k1_n))
            sum = kl_u256_sub(sum, kl_secp256k1_n);
        kl_u256_to_be(want, sum);
        CHECK(kl_secp256k1_tweak_add(&key, tweak));
        CHECK_SPAN(KL_SPAN_OF(key), KL_SPAN_OF(want));
    }
    /* A sum of zero and tweaks from n on are refused, and the key stays as it is. */
    KL_SECRET key = key_hex("0000000000000000000000000000000000000000000000000000000000000002");
    KL_SECRET before = key;
    u8 minus_two[32], n[32];
    kl_u256_to_be(minus_two, kl_u256_sub(kl_secp256k1_n, kl_u256_of(2)));
    kl_u256_to_be(n, kl_secp256k1_n);
    CHECK(!kl_secp256k1_tweak_add(&key, minus_two));
    CHECK(!kl_secp256k1_tweak_add(&key, n));
    CHECK_SPAN(KL_SPAN_OF(key), KL_SPAN_OF(before));
}

KL_TEST(secp256k1_compress_known_answers)
{
    /* Keys 1 (even y) and 6 (odd y). */
    static const char *const row[][2] = {
        {"0000000000000000000000000000000000000000000000000000000000000001",
         "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"},
        {"0000000000000000000000000000000000000000000000000000000000000006",
         "03fff97bd5755eeea420453a14355235d382f6472f8568a18b2f057a1460297556"},
    };
    for (usize i = 0; i < KL_COUNT_OF(row); i++) {
        KL_SECRET key = key_hex(row[i][0]);
        kl_pubkey pubkey;
        u8 out[33];
        CHECK(kl_secp256k1_pubkey(&pubkey, &key));
        kl_secp256k1_compress(out, &pubkey);
        CHECK_HEX(KL_SPAN_OF(out), row[i][1]);
    }
}

/* The precompile's input: digest, v, r, s of 32 bytes each. */
KL_TEST(secp256k1_ecrecover_vectors)
{
    struct kl_vector v;
    for (kl_vectors_open("PrecompileTests/nimbus/ecrecover.json"); kl_vectors_next(&v);) {
        u8 out[32] = {0};
        kl_hash digest;
        CHECK_U64(v.input.len, 128);
        memcpy(digest.b, v.input.p, 32);
        kl_u256 parity = kl_u256_sub(kl_u256_from_be(v.input.p + 32), kl_u256_of(27));
        kl_signature signature = {kl_u256_from_be(v.input.p + 64), kl_u256_from_be(v.input.p + 96),
                                  (u8)KL_MIN(kl_u256_sat_u64(parity), (u64)2)};
        kl_pubkey key;
        bool found = kl_secp256k1_recover_var(&key, &digest, &signature);
        CHECK(found == (v.expected.len > 0));
        if (found) {
            kl_address address = kl_address_of_pubkey(&key);
            memcpy(out + 12, address.b, 20);
            CHECK_SPAN(KL_SPAN_OF(out), v.expected);
        }
    }
}

struct signer {
    u64 seed;
    unsigned bad;
};

static void *sign_many(void *ctx)
{
    struct signer *signer = ctx;
    for (int i = 0; i < 100; i++) {
        KL_SECRET key = random_key(&signer->seed);
        kl_hash digest;
        kl_signature s;
        kl_pubkey want, got;
        kl_rand_fill(&signer->seed, digest.b, sizeof digest.b);
        bool ok = kl_secp256k1_pubkey(&want, &key) && kl_secp256k1_sign(&s, &digest, &key) &&
                  kl_secp256k1_recover_var(&got, &digest, &s);
        signer->bad += !ok || memcmp(&got, &want, sizeof got) != 0;
    }
    return NULL;
}

KL_TEST(secp256k1_signs_from_many_threads)
{
    struct signer signer[4];
    pthread_t thread[4];
    for (usize i = 0; i < 4; i++) {
        signer[i] = (struct signer){kl_rand(seed), 0};
        CHECK(pthread_create(&thread[i], NULL, sign_many, &signer[i]) == 0);
    }
    for (usize i = 0; i < 4; i++) {
        CHECK(pthread_join(thread[i], NULL) == 0);
        CHECK_U64(signer[i].bad, 0);
    }
}
