#include "types/account.h"

#include "base/test.h"
#include "crypto/keccak.h"

KL_TEST(account_none_is_empty_and_has_the_known_hashes)
{
    kl_account none = kl_account_none();
    CHECK(kl_account_is_empty(&none));
    u8 room[KL_ACCOUNT_RLP_MAX];
    kl_out out = kl_out_of(room, sizeof room);
    kl_account_encode(&out, &none);
    CHECK_HEX(kl_out_done(&out),
              "f8448080a056e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
              "a0c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
    none.storage_root.b[0] ^= 1; /* storage does not count [EIP-161] */
    CHECK(kl_account_is_empty(&none));
    none.nonce = 1;
    CHECK(!kl_account_is_empty(&none));
    none.nonce = 0;
    none.balance = KL_U256_ONE;
    CHECK(!kl_account_is_empty(&none));
    none.balance = KL_U256_ZERO;
    none.code_hash.b[31] ^= 1;
    CHECK(!kl_account_is_empty(&none));
}

/* Property: accounts round-trip within the promised size; damaged ones decode only if they write
 * back to the same bytes. */
KL_TEST(account_round_trips_and_has_no_second_encoding)
{
    for (int i = 0; i < 20000; i++) {
        kl_account a = {.nonce = kl_rand(seed) >> kl_rand_below(seed, 64)}, b;
        kl_rand_fill(seed, &a.storage_root, sizeof a.storage_root);
        kl_rand_fill(seed, &a.code_hash, sizeof a.code_hash);
        kl_rand_fill(seed, &a.balance, sizeof a.balance);
        a.balance = kl_u256_shr(a.balance, kl_rand_below(seed, 257));
        if (i == 0)
            a.nonce = UINT64_MAX, a.balance = KL_U256_MAX;
        u8 room[KL_ACCOUNT_RLP_MAX], again[KL_ACCOUNT_RLP_MAX];
        kl_out out = kl_out_of(room, sizeof room);
        kl_account_encode(&out, &a);
        CHECK(!out.full && (i > 0 || out.len == KL_ACCOUNT_RLP_MAX));
        CHECK_RULE(kl_account_decode(&b, kl_out_done(&out)), KL_RULE_NONE);
        CHECK(a.nonce == b.nonce && kl_u256_eq(a.balance, b.balance));
        CHECK(kl_hash_eq(&a.storage_root, &b.storage_root) &&
              kl_hash_eq(&a.code_hash, &b.code_hash));
        room[kl_rand_below(seed, 6)] ^= (u8)(1u << kl_rand_below(seed, 8));
        if (kl_account_decode(&b, kl_out_done(&out)) != KL_RULE_NONE)
            continue;
        kl_out copy = kl_out_of(again, sizeof again);
        kl_account_encode(&copy, &b);
        CHECK_SPAN(kl_out_done(&copy), kl_out_done(&out));
    }
}
