#include "crypto/ethash.h"

#include <stdio.h>

#include "base/test.h"

/* Sizes from the tables of the specification. */
KL_TEST(ethash_sizes_are_primes_below_a_line)
{
    CHECK_U64(kl_ethash_cache_bytes(0), 16776896);
    CHECK_U64(kl_ethash_cache_bytes(1), 16907456);
    CHECK_U64(kl_ethash_cache_bytes(2), 17039296);
    CHECK_U64(kl_ethash_cache_bytes(2047), 285081536);
    CHECK_U64(kl_ethash_dataset_bytes(0), 1073739904);
    CHECK_U64(kl_ethash_dataset_bytes(1), 1082130304);
    CHECK_U64(kl_ethash_dataset_bytes(2), 1090514816);
    CHECK_U64(kl_ethash_dataset_bytes(2047), 18245220736);
}

static void check_light(const struct kl_ethash *ethash, const char *seal_hash, const char *nonce,
                        const char *want_mix, const char *want_result)
{
    kl_hash hash, mix, result;
    memcpy(hash.b, kl_test_hex(seal_hash).p, 32);
    kl_ethash_light(ethash, &hash, kl_test_hex(nonce).p, &mix, &result);
    CHECK_HEX(kl_hash_span(&mix), want_mix);
    CHECK_HEX(kl_hash_span(&result), want_result);
}

/* The two official vectors of epoch 0. */
KL_TEST(ethash_light_gives_mix_and_result)
{
    struct kl_ethash *ethash;
    CHECK_OK(kl_ethash_new(&ethash, 0));
    CHECK_U64(kl_ethash_epoch(ethash), 0);
    check_light(ethash, "2a8de2adf89af77358250bf908bf04ba94a6e8c3ba87775564a41d269a05e4ce",
                "4242424242424242",
                "58f759ede17a706c93f13030328bcea40c1d1341fb26f2facd21ceb0dae57017",
                "dd47fd2d98db51078356852d7c4014e6a5d6c387c35f40e2875b74a256ed7906");
    check_light(ethash, "100cbec5e5ef82991290d0d93d758f19082e71f234cf479192a8b94df6da6bfe",
                "307692cf71b12f6d",
                "e55d02c555a7969361cf74a9ec6211d8c14e4517930a00442f171bdb1698d175",
                "ab9b13423cface72cbec8424221651bc2e384ef0f7a560e038fc68c8d8684829");
    kl_ethash_free(ethash);
    CHECK(kl_ethash_new(&ethash, KL_ETHASH_EPOCH_MAX) == KL_LIMIT);
}

/* The value of a member between from and to, as text in hex. */
static kl_span member(const char *from, const char *to, const char *name)
{
    char key[32], hex[128];
    int n = snprintf(key, sizeof key, "\"%s\": \"", name);
    const char *at = memmem(from, (usize)(to - from), key, (usize)n);
    CHECK(at && sscanf(at + n, "%127[0-9a-f]", hex) == 1);
    return kl_test_hex(hex);
}

static void check_vector(const struct kl_ethash *ethash, const char *from, const char *to)
{
    kl_hash hash, mix, result;
    memcpy(hash.b, member(from, to, "header_hash").p, 32);
    kl_ethash_light(ethash, &hash, member(from, to, "nonce").p, &mix, &result);
    CHECK_SPAN(kl_hash_span(&mix), member(from, to, "mixHash"));
    CHECK_SPAN(kl_hash_span(&result), member(from, to, "result"));
}

/* The same from the pack. */
KL_TEST(ethash_official_vectors)
{
    char path[4096];
    struct kl_ethash *ethash;
    usize count = 0;
    snprintf(path, sizeof path, "%s/misc/PoWTests/ethash_tests.json", kl_test_fixtures());
    const char *text = (const char *)kl_test_file(path).p;
    CHECK_OK(kl_ethash_new(&ethash, 0));
    for (const char *end; (end = strchr(text, '}')) != NULL && strchr(text, ':'); count++) {
        check_vector(ethash, text, end);
        text = end + 1;
    }
    CHECK_U64(count, 2);
    kl_test_tally("misc/PoWTests", count, count);
    kl_ethash_free(ethash);
}
