/* Keys, messages and signatures are those of the "sign" and "aggregate" cases of Ethereum's BLS
 * test vectors; proofs of possession were made by an independent library (@noble/curves). */
#include "crypto/bls_sign.h"

#include "base/test.h"
#include "crypto/bls12.h"

enum { KEYS = 3, MESSAGES = 3 };

static const char *const secrets[KEYS] = {
    "263dbd792f5b1be47ed85f8938c0f29586af0d3ac7b977f21c278fe1462040e3",
    "47b8192d77bf871b62e87859d653922725724a5c031afeabc60bcef5ff665138",
    "328388aff0d4a5b7dc9205abd374e7e98f3cd9f3418edb4eafda5fb16473d216",
};

static const char *const keys[KEYS] = {
    "a491d1b0ecd9bb917989f0e74f0dea0422eac4a873e5e2644f368dffb9a6e20f"
    "d6e10c1b77654d067c0618f6e5a7f79a",
    "b301803f8b5ac4a1133581fc676dfedc60d891dd5fa99028805e5ea5b08d3491"
    "af75d0707adab3b70c6a6a580217bf81",
    "b53d21a4cfd562c469cc81514d4ce5a6b577d8403d32a394dc265dd190b47fa9"
    "f829fdd7963afdf972e5e77854051f6f",
};

static const char *const proofs[KEYS] = {
    "b803eb0ed93ea10224a73b6b9c725796be9f5fefd215ef7a5b97234cc956cf68"
    "70db6127b7e4d824ec62276078e787db05584ce1adbf076bc0808ca0f15b73d5"
    "9060254b25393d95dfc7abe3cda566842aaedf50bbb062aae1bbb6ef3b1f77e1",
    "88bb31b27eae23038e14f9d9d1b628a39f5881b5278c3c6f0249f81ba0deb1f6"
    "8aa5f8847854d6554051aa810fdf1cdb02df4af7a5647b1aa4afb60ec6d446ee"
    "17af24a8a50876ffdaf9bf475038ec5f8ebeda1c1c6a3220293e23b13a9a5d26",
    "88873ea58f5017a33facc9bf04efaf5e2f34f7bc9ce564d0481dd469326c04ef"
    "43552f50e99de8a13315dcd37a4fb9ef036d1a54e5febf5d20b6aa488f3e3c91"
    "7e6a96ce6461f609ec7e0a1fd8950380922e46c3654fa7542436603f833462da",
};

/* 32 times the byte. */
static const u8 messages[MESSAGES] = {0x00, 0x56, 0xab};

static const char *const signatures[KEYS][MESSAGES] = {
    {"b6ed936746e01f8ecf281f020953fbf1f01debd5657c4a383940b020b26507f6"
     "076334f91e2366c96e9ab279fb5158090352ea1c5b0c9274504f4f0e7053af24"
     "802e51e4568d164fe986834f41e55c8e850ce1f98458c0cfc9ab380b55285a55",
     "882730e5d03f6b42c3abc26d3372625034e1d871b65a8a6b900a56dae22da98a"
     "bbe1b68f85e49fe7652a55ec3d0591c20767677e33e5cbb1207315c41a9ac03b"
     "e39c2e7668edc043d6cb1d9fd93033caa8a1c5b0e84bedaeb6c64972503a43eb",
     "91347bccf740d859038fcdcaf233eeceb2a436bcaaee9b2aa3bfb70efe29dfb2"
     "677562ccbea1c8e061fb9971b0753c240622fab78489ce96768259fc01360346"
     "da5b9f579e5da0d941e4c6ba18a0e64906082375394f337fa1af2b7127b0d121"},
    {"b23c46be3a001c63ca711f87a005c200cc550b9429d5f4eb38d74322144f1b63"
     "926da3388979e5321012fb1a0526bcd100b5ef5fe72628ce4cd5e904aeaa3279"
     "527843fae5ca9ca675f4f51ed8f83bbf7155da9ecc9663100a885d5dc6df96d9",
     "af1390c3c47acdb37131a51216da683c509fce0e954328a59f93aebda7e4ff97"
     "4ba208d9a4a2a2389f892a9d418d618418dd7f7a6bc7aa0da999a9d3a5b815bc"
     "085e14fd001f6a1948768a3f4afefc8b8240dda329f984cb345c6363272ba4fe",
     "9674e2228034527f4c083206032b020310face156d4a4685e2fcaec2f6f3665a"
     "a635d90347b6ce124eb879266b1e801d185de36a0a289b85e9039662634f2eea"
     "1e02e670bc7ab849d006a70b2f93b84597558a05b879c8d445f387a5d5b653df"},
    {"948a7cb99f76d616c2c564ce9bf4a519f1bea6b0a624a02276443c245854219f"
     "abb8d4ce061d255af5330b078d5380681751aa7053da2c98bae898edc218c75f"
     "07e24d8802a17cd1f6833b71e58f5eb5b94208b4d0bb3848cecb075ea21be115",
     "a4efa926610b8bd1c8330c918b7a5e9bf374e53435ef8b7ec186abf62e1b1f65"
     "aeaaeb365677ac1d1172a1f5b44b4e6d022c252c58486c0a759fbdc7de15a756"
     "acc4d343064035667a594b4c2a6f0b0b421975977f297dba63ee2f63ffe47bb6",
     "ae82747ddeefe4fd64cf9cedb9b04ae3e8a43420cd255e3c7cd06a8d88b7c7f8"
     "638543719981c5d16fa3527c468c25f0026704a6951bde891360c7e8d12ddee0"
     "559004ccdbe6046b55bae1b257ee97f7cdb955773d7cf29adf3ccbb9975e4eb9"},
};

static const char *const sums[MESSAGES] = {
    "9683b3e6701f9a4b706709577963110043af78a5b41991b998475a3d3fd62abf"
    "35ce03b33908418efc95a058494a8ae504354b9f626231f6b3f3c849dfdeaf50"
    "17c4780e2aee1850ceaf4b4d9ce70971a3d2cfcd97b7e5ecf6759f8da5f76d31",
    "ad38fc73846583b08d110d16ab1d026c6ea77ac2071e8ae832f56ac0cbcdeb9f"
    "5678ba5ce42bd8dce334cc47b5abcba40a58f7f1f80ab304193eb98836cc14d8"
    "183ec14cc77de0f80c4ffd49e168927a968b5cdaa4cf46b9805be84ad7efa77b",
    "9712c3edd73a209c742b8250759db12549b3eaf43b5ca61376d9f30e2747dbcf"
    "842d8b2ac0901d2a093713e20284a7670fcf6954e9ab93de991bb9b313e66478"
    "5a075fc285806fa5224c82bde146561b446ccfc706a64b8579513cfc4ff1d930",
};

static kl_secret32 secret_of(unsigned i)
{
    kl_secret32 secret;
    memcpy(secret.b, kl_test_hex(secrets[i]).p, sizeof secret.b);
    return secret;
}

static kl_span message_of(unsigned i)
{
    static u8 bytes[MESSAGES][32];
    memset(bytes[i], messages[i], 32);
    return KL_SPAN_OF(bytes[i]);
}

KL_TEST(bls_signs_as_ethereum_does)
{
    u8 key[KL_BLS_KEY_LEN], out[KL_BLS_SIGNATURE_LEN];
    for (unsigned i = 0; i < KEYS; i++) {
        KL_SECRET secret = secret_of(i);
        CHECK(kl_bls_public_key(key, &secret));
        CHECK_HEX(KL_SPAN_OF(key), keys[i]);
        CHECK(kl_bls_key_valid(key));
        CHECK(kl_bls_prove(out, &secret));
        CHECK_HEX(KL_SPAN_OF(out), proofs[i]);
        CHECK(kl_bls_check_proof(key, out));
        CHECK(!kl_bls_verify(key, KL_SPAN_OF(key), out)); /* a proof is no signature */
        for (unsigned m = 0; m < MESSAGES; m++) {
            CHECK(kl_bls_sign(out, &secret, message_of(m)));
            CHECK_HEX(KL_SPAN_OF(out), signatures[i][m]);
            CHECK(kl_bls_verify(key, message_of(m), out));
            CHECK(!kl_bls_verify(key, message_of((m + 1) % MESSAGES), out));
            CHECK(!kl_bls_verify(kl_test_hex(keys[(i + 1) % KEYS]).p, message_of(m), out));
        }
        CHECK(kl_bls_sign(out, &secret, KL_SPAN_OF(key))); /* nor a signature a proof */
        CHECK(!kl_bls_check_proof(key, out));
        CHECK(!kl_bls_check_proof(kl_test_hex(keys[(i + 1) % KEYS]).p, kl_test_hex(proofs[i]).p));
    }
}

KL_TEST(bls_signatures_add_up)
{
    const u8 *key[KEYS];
    for (unsigned i = 0; i < KEYS; i++)
        key[i] = kl_test_hex(keys[i]).p;
    for (unsigned m = 0; m < MESSAGES; m++) {
        const u8 *all[KEYS];
        u8 sum[KL_BLS_SIGNATURE_LEN];
        for (unsigned i = 0; i < KEYS; i++)
            all[i] = kl_test_hex(signatures[i][m]).p;
        CHECK(kl_bls_aggregate(sum, all, KEYS));
        CHECK_HEX(KL_SPAN_OF(sum), sums[m]);
        CHECK(kl_bls_verify_aggregate(key, KEYS, message_of(m), sum));
        CHECK(!kl_bls_verify_aggregate(key, KEYS - 1, message_of(m), sum));
        CHECK(!kl_bls_verify_aggregate(key, KEYS, message_of((m + 1) % MESSAGES), sum));
        const u8 *const twice[KEYS] = {key[0], key[1], key[1]};
        CHECK(!kl_bls_verify_aggregate(twice, KEYS, message_of(m), sum));
        const u8 *const same[2] = {all[0], all[0]}; /* doubling, not adding */
        const u8 *const same_key[2] = {key[0], key[0]};
        CHECK(kl_bls_aggregate(sum, same, 2));
        CHECK(kl_bls_verify_aggregate(same_key, 2, message_of(m), sum));
    }
}

/* More keys than are kept opened, twice around, and bytes that are no key among them each time. */
KL_TEST(bls_keys_are_opened_anew)
{
    enum { GROUPS = 15, GROUP = 40 };
    static u8 key[GROUPS][GROUP][KL_BLS_KEY_LEN], made[GROUP][KL_BLS_SIGNATURE_LEN];
    static u8 sum[GROUPS][KL_BLS_SIGNATURE_LEN];
    const u8 *list[GROUP];
    for (u32 g = 0; g < GROUPS; g++) {
        for (u32 i = 0; i < GROUP; i++) {
            KL_SECRET secret = {.b = {[30] = (u8)(1 + g), [31] = (u8)i}};
            CHECK(kl_bls_public_key(key[g][i], &secret));
            CHECK(kl_bls_sign(made[i], &secret, message_of(0)));
            list[i] = made[i];
        }
        CHECK(kl_bls_aggregate(sum[g], list, GROUP));
    }
    for (u32 g = 0; g < 2 * GROUPS; g++) {
        u8 none[KL_BLS_KEY_LEN];
        u32 at = g % GROUPS;
        for (u32 i = 0; i < GROUP; i++)
            list[i] = key[at][i];
        CHECK(kl_bls_verify_aggregate(list, GROUP, message_of(0), sum[at]));
        list[7] = key[at][8];
        CHECK(!kl_bls_verify_aggregate(list, GROUP, message_of(0), sum[at]));
        memcpy(none, key[at][7], sizeof none);
        none[3] ^= 0x40; /* its last bytes are those of a key */
        list[7] = none;
        CHECK(!kl_bls_verify_aggregate(list, GROUP, message_of(0), sum[at]));
        list[7] = key[at][7];
        CHECK(kl_bls_verify_aggregate(list, GROUP, message_of(0), sum[at]));
    }
}

KL_TEST(bls_secrets_have_a_range)
{
    u8 key[KL_BLS_KEY_LEN] = {1}, out[KL_BLS_SIGNATURE_LEN] = {2};
    static const char *const bad[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001",
        "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000002",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    };
    for (usize i = 0; i < KL_COUNT_OF(bad); i++) {
        KL_SECRET secret;
        memcpy(secret.b, kl_test_hex(bad[i]).p, 32);
        CHECK(!kl_bls_public_key(key, &secret) && key[0] == 1);
        CHECK(!kl_bls_sign(out, &secret, KL_SPAN_NONE) && !kl_bls_prove(out, &secret));
        CHECK(out[0] == 2);
    }
    KL_SECRET last;
    memcpy(last.b, kl_test_hex(bad[1]).p, 32);
    last.b[31] = 0; /* one below the order: the generator's negative */
    CHECK(kl_bls_public_key(key, &last));
    CHECK_HEX(KL_SPAN_OF(key), "b7f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac58"
                               "6c55e83ff97a1aeffb3af00adb22c6bb");
}

/* Infinity, points off the curve, off the subgroup, coordinates at and above the modulus, the
 * uncompressed form, and bits beside infinity. */
KL_TEST(bls_refuses_what_is_no_point_of_the_group)
{
    u8 key[KL_BLS_KEY_LEN] = {0xc0}, sum[KL_BLS_SIGNATURE_LEN];
    u8 signature[KL_BLS_SIGNATURE_LEN] = {0xc0};
    const u8 *const one_key[1] = {key}, *const one[1] = {signature};
    kl_span message = message_of(0);
    CHECK(!kl_bls_key_valid(key) && !kl_bls_verify(key, message, signature));
    CHECK(!kl_bls_check_proof(key, signature));
    CHECK(!kl_bls_verify_aggregate(one_key, 1, message, signature));
    key[47] = 1;
    CHECK(!kl_bls_key_valid(key));
    const u8 *good = kl_test_hex(keys[0]).p, *good_signature = kl_test_hex(signatures[0][0]).p;
    CHECK(!kl_bls_verify(good, message, signature)); /* infinity signs nothing */
    for (unsigned x = 0; x < 64; x++) {
        memset(key, 0, sizeof key);
        memset(signature, 0, sizeof signature);
        key[0] = signature[0] = 0x80;
        key[47] = signature[95] = (u8)x;
        CHECK(!kl_bls_key_valid(key));
        CHECK(!kl_bls_verify(key, message, good_signature));
        CHECK(!kl_bls_aggregate(sum, one, 1));
        CHECK(!kl_bls_verify(good, message, signature));
    }
    memcpy(key,
           kl_test_hex("9a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f624"
                       "1eabfffeb153ffffb9feffffffffaaab")
               .p,
           48); /* the modulus: zero spelled again */
    CHECK(!kl_bls_key_valid(key));
    memcpy(key, good, 48);
    for (unsigned bit = 0; bit < 3; bit++) {
        key[0] = good[0] ^ (u8)(0x80 >> bit);
        CHECK(!kl_bls_verify(key, message, good_signature));
    }
    memcpy(signature, good_signature, 96);
    for (unsigned bit = 0; bit < 3; bit++) {
        signature[0] = good_signature[0] ^ (u8)(0x80 >> bit);
        CHECK(!kl_bls_verify(good, message, signature));
    }
}

/* Two keys that cancel sum up to infinity, which every message would verify under. */
KL_TEST(bls_keys_that_cancel_verify_nothing)
{
    u8 minus[KL_BLS_KEY_LEN];
    u8 infinity[KL_BLS_SIGNATURE_LEN] = {0xc0};
    const u8 *good = kl_test_hex(keys[0]).p;
    memcpy(minus, good, sizeof minus);
    minus[0] ^= 0x20;
    CHECK(kl_bls_key_valid(minus));
    const u8 *const both[2] = {good, minus};
    CHECK(!kl_bls_verify_aggregate(both, 2, message_of(1), infinity));
}

/* A compressed point and the one with the other y, expanded, lie on the curve and cancel. */
KL_TEST(bls_points_expand)
{
    u8 key[48], signature[96], one[256], two[256], sum[256] = {1};
    static const u8 infinity[256];
    memcpy(key, kl_test_hex(keys[1]).p, sizeof key);
    kl_secret32 secret;
    memcpy(secret.b, kl_test_hex(secrets[1]).p, sizeof secret.b);
    CHECK(kl_bls_sign(signature, &secret, message_of(1)));
    CHECK(kl_bls12_g1_expand(one, key) && memcmp(one + 17, key + 1, 47) == 0);
    key[0] ^= 0x20;
    CHECK(kl_bls12_g1_expand(two, key) && memcmp(one, two, 64) == 0);
    CHECK(kl_bls12_g1_add(sum, one, two) && memcmp(sum, infinity, 128) == 0);
    CHECK(kl_bls12_g2_expand(one, signature) && memcmp(one + 81, signature + 1, 47) == 0);
    signature[0] ^= 0x20;
    CHECK(kl_bls12_g2_expand(two, signature) && memcmp(one, two, 128) == 0);
    CHECK(kl_bls12_g2_add(sum, one, two) && memcmp(sum, infinity, 256) == 0);
    key[0] ^= 0x80; /* not marked as compressed */
    signature[0] ^= 0x80;
    CHECK(!kl_bls12_g1_expand(one, key) && !kl_bls12_g2_expand(one, signature));
}
