#include "wallet/wallet.h"

#include "base/test.h"
#include "wallet/mnemonic.h"

#define JUNK "test test test test test test test test test test test junk"

KL_TEST(mnemonic_gives_the_accounts_every_dev_chain_has)
{
    static const struct {
        const char *address, *key;
    } want[] = {
        {"0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
         "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"},
        {"0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
         "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"},
        {"0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
         "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a"},
    };
    struct kl_wallet *wallet;
    bool bad;
    CHECK_OK(kl_wallet_from_mnemonic(&wallet, KL_SPAN_TEXT(JUNK), KL_SPAN_NONE, 10, &bad));
    CHECK(!bad && kl_wallet_count(wallet) == 10);
    for (usize i = 0; i < KL_COUNT_OF(want); i++) {
        char text[43];
        kl_address_text(text, kl_wallet_address(wallet, i));
        CHECK_SPAN(kl_span_str(text), kl_span_str(want[i].address));
        KL_SECRET key;
        kl_wallet_reveal(wallet, i, &key);
        CHECK_HEX(KL_SPAN_OF(key), want[i].key);
        CHECK_U64(kl_wallet_find(wallet, kl_wallet_address(wallet, i)), i);
    }
    kl_hash digest = {{1}};
    kl_signature signature;
    kl_pubkey signer;
    kl_wallet_sign(wallet, 4, &digest, &signature);
    CHECK(kl_secp256k1_recover_var(&signer, &digest, &signature));
    kl_address address = kl_address_of_pubkey(&signer);
    CHECK(kl_address_eq(&address, kl_wallet_address(wallet, 4)));
    kl_wallet_free(wallet);
}

/* The vectors of BIP-39's reference implementation, passphrase "TREZOR". */
KL_TEST(mnemonic_seed_matches_the_published_vectors)
{
    static const struct {
        const char *words, *seed;
    } vectors[] = {
        {"abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon "
         "about",
         "c55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e53495531f09a6987599d18264c1e1c9"
         "2f2cf141630c7a3c4ab7c81b2f001698e7463b04"},
        {"legal winner thank year wave sausage worth useful legal winner thank yellow",
         "2e8905819b8723fe2c1d161860e5ee1830318dbf49a83bd451cfb8440c28bd6fa457fe1296106559a3c80937"
         "a1c1069be3a3a5bd381ee6260e8d9739fce1f607"},
        {"zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo "
         "zoo vote",
         "dd48c104698c30cfe2b6142103248622fb7bb0ff692eebb00089b32d22484e1613912f0a5b694407be899ffd"
         "31ed3992c456cdf60f5d4564b8ba3f05a69890ad"},
    };
    for (usize i = 0; i < KL_COUNT_OF(vectors); i++) {
        kl_span words = kl_span_str(vectors[i].words);
        u8 made[KL_SEED_LEN];
        CHECK(kl_mnemonic_valid(words));
        kl_mnemonic_seed(made, words, KL_SPAN_TEXT("TREZOR"));
        CHECK_HEX(KL_SPAN_OF(made), vectors[i].seed);
    }
}

KL_TEST(mnemonic_with_a_wrong_word_count_or_checksum_is_refused)
{
    static const char *const bad[] = {
        "",
        " ",
        "test",
        "test test test test test test test test test test test test",
        "test test test test test test test test test test junk",
        "test test test test test test test test test test test  junk",
        "test test test test test test test test test test test junk ",
        "Test test test test test test test test test test test junk",
        "test test test test test test test test test test test junkk",
        ("zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo "
         "zoo vote zoo zoo zoo"),
    };
    for (usize i = 0; i < KL_COUNT_OF(bad); i++) {
        struct kl_wallet *wallet = NULL;
        bool is_bad = false;
        CHECK_OK(kl_wallet_from_mnemonic(&wallet, kl_span_str(bad[i]), KL_SPAN_NONE, 1, &is_bad));
        CHECK(is_bad && !wallet);
    }
}

/* Test vector 1 of BIP-32: m/0'/1. */
KL_TEST(hd_children_match_the_published_vector)
{
    kl_hd_key key;
    kl_span chain = kl_test_hex("873dff81c02f525623fd1fe5167eac3a55a049de3d314bb42ee227ffed37d508");
    kl_span secret =
        kl_test_hex("e8f32e723decf4051aefac8e2c93c9c5b214313817cdb01a1494b917c8436b35");
    memcpy(key.key.b, secret.p, 32);
    memcpy(key.chain_code, chain.p, 32);
    CHECK(kl_hd_child(&key, &key, 0 | KL_HD_HARDENED));
    CHECK_HEX(KL_SPAN_OF(key.key),
              "edb2e14f9ee77d26dd93b4ecede8d16ed408ce149b6cd80b0715a2d911a0afea");
    CHECK(kl_hd_child(&key, &key, 1));
    CHECK_HEX(KL_SPAN_OF(key.key),
              "3c6cb8d0f6a264c91ea8b5030fadaa8e538b020f0a387421a12de9319dc93368");
    CHECK_HEX(KL_SPAN_OF(key.chain_code),
              "2a7857631386ba23dacac34180dd1983734e444fdbf774041578e9b6adb37c19");
}
