#include "chain/seal.h"

#include "base/test.h"

/* The first official vector's header: difficulty 0x20000, which its seal does not meet. */
static kl_header vector_header(void)
{
    kl_header header;
    CHECK_RULE(
        kl_header_decode(
            &header,
            kl_test_hex("f901f3a00000000000000000000000000000000000000000000000000000000000000000"
                        "a01dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347940000"
                        "000000000000000000000000000000000000a09178d0f23c965d81f0834a4c72c6253ce6"
                        "830f4022b1359aaebfc1ecba442d4ea056e81f171bcc55a6ff8345e692c0f86e5b48e01b"
                        "996cadc001622fb5e363b421a056e81f171bcc55a6ff8345e692c0f86e5b48e01b996cad"
                        "c001622fb5e363b421b90100000000000000000000000000000000000000000000000000"
                        "000000000000000000000000000000000000000000000000000000000000000000000000"
                        "000000000000000000000000000000000000000000000000000000000000000000000000"
                        "000000000000000000000000000000000000000000000000000000000000000000000000"
                        "000000000000000000000000000000000000000000000000000000000000000000000000"
                        "000000000000000000000000000000000000000000000000000000000000000000000000"
                        "000000000000000000000000000000000000000000000000000000000000000000000000"
                        "000000000000000000000000000000008302000080830f4240808080a058f759ede17a70"
                        "6c93f13030328bcea40c1d1341fb26f2facd21ceb0dae57017884242424242424242")),
        KL_RULE_NONE);
    return header;
}

KL_TEST(seal_hash_leaves_mix_and_nonce_out)
{
    kl_header header = vector_header();
    kl_hash want = kl_seal_hash(&header);
    CHECK_HEX(kl_hash_span(&want),
              "2a8de2adf89af77358250bf908bf04ba94a6e8c3ba87775564a41d269a05e4ce");
    header.nonce[3] ^= 1;
    header.mix_hash.b[3] ^= 1;
    kl_hash got = kl_seal_hash(&header);
    CHECK(kl_hash_eq(&got, &want));
    header.extra_len ^= 1;
    got = kl_seal_hash(&header);
    CHECK(!kl_hash_eq(&got, &want));
}

KL_TEST(seal_asks_for_mix_and_target)
{
    struct kl_ethash *ethash;
    CHECK_OK(kl_ethash_new(&ethash, 0));
    kl_header header = vector_header();
    header.number = 0;
    kl_hash mix, result, seal;
    for (u64 difficulty = 1; difficulty <= 16; difficulty *= 2) {
        header.difficulty = kl_u256_of(difficulty);
        seal = kl_seal_hash(&header);
        kl_ethash_light(ethash, &seal, header.nonce, &mix, &result);
        header.mix_hash = mix;
        bool meets =
            kl_u256_bits(kl_u256_from_hash(&result)) + kl_u256_bits(header.difficulty) <= 257;
        CHECK_RULE(kl_judge_seal(ethash, &header), meets ? KL_RULE_NONE : KL_RULE_HEADER_SEAL);
        header.mix_hash.b[0] ^= 1;
        CHECK_RULE(kl_judge_seal(ethash, &header), KL_RULE_HEADER_SEAL);
    }
    header.difficulty = KL_U256_ZERO;
    CHECK_RULE(kl_judge_seal(ethash, &header), KL_RULE_HEADER_SEAL);
    kl_ethash_free(ethash);
}
