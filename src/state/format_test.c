#include "state/format_priv.h"

#include "base/test.h"
#include "crypto/keccak.h"

static kl_account random_account(u64 *seed)
{
    kl_account a = kl_account_none();
    a.nonce = kl_rand(seed) >> kl_rand_below(seed, 64) >> kl_rand_below(seed, 2) * 63;
    kl_rand_fill(seed, &a.balance, kl_rand_below(seed, 5) * 8);
    a.balance = kl_u256_shr(a.balance, kl_rand_below(seed, 70));
    if (kl_rand_below(seed, 2))
        kl_rand_fill(seed, &a.storage_root, sizeof a.storage_root);
    if (kl_rand_below(seed, 2))
        kl_rand_fill(seed, &a.code_hash, sizeof a.code_hash);
    return a;
}

KL_TEST(format_account_round_trip)
{
    for (int n = 0; n < 5000; n++) {
        kl_account a = random_account(seed), got;
        u8 room[KL_ACCOUNT_VALUE_MAX];
        kl_span value = kl_account_pack(room, &a);
        CHECK_OK(kl_account_unpack(&got, value));
        CHECK_SPAN(KL_SPAN_OF(got), KL_SPAN_OF(a));
    }
    kl_account none = kl_account_none();
    u8 room[KL_ACCOUNT_VALUE_MAX];
    CHECK_U64(kl_account_pack(room, &none).len, 2);
}

/* Whatever is accepted is what packing would have written. */
KL_TEST(format_account_has_one_encoding)
{
    u64 accepted = 0;
    for (int n = 0; n < 20000; n++) {
        kl_account a = random_account(seed), got;
        u8 room[KL_ACCOUNT_VALUE_MAX + 4], again[KL_ACCOUNT_VALUE_MAX];
        usize len = kl_account_pack(room, &a).len;
        if (kl_rand_below(seed, 4) == 0)
            memcpy(room + len - 32, kl_keccak_empty_rlp.b, len >= 34 ? 32 : 0);
        if (kl_rand_below(seed, 4) == 0)
            memcpy(room + len - 32, kl_keccak_empty.b, len >= 34 ? 32 : 0);
        if (kl_rand_below(seed, 2))
            room[kl_rand_below(seed, KL_MIN(len, (usize)12))] = (u8)kl_rand_below(seed, 40);
        len += kl_rand_below(seed, 5);
        len -= kl_rand_below(seed, 3);
        if (kl_account_unpack(&got, kl_span_of(room, len)) != KL_OK)
            continue;
        accepted++;
        CHECK_SPAN(kl_account_pack(again, &got), kl_span_of(room, len));
    }
    CHECK(accepted > 100);
}

KL_TEST(format_slot_round_trip)
{
    for (int n = 0; n < 2000; n++) {
        kl_u256 v = KL_U256_ZERO, got;
        kl_rand_fill(seed, &v, 32);
        v = kl_u256_shr(v, kl_rand_below(seed, 256));
        u8 room[32], rlp[KL_SLOT_RLP_MAX];
        kl_span value = kl_slot_pack(room, &v);
        if (kl_u256_is_zero(v)) {
            CHECK_U64(value.len, 0);
            continue;
        }
        CHECK_OK(kl_slot_unpack(&got, value));
        CHECK(kl_u256_eq(got, v));
        kl_span leaf = kl_slot_rlp(rlp, value);
        bool single = leaf.len == 1;
        CHECK(single == (value.len == 1 && value.p[0] < 0x80));
        CHECK(single || (leaf.p[0] == 0x80 + value.len && leaf.len == value.len + 1));
        CHECK_SPAN(kl_span_sub(leaf, !single, 32), value);
    }
    kl_u256 got;
    u8 bad[33] = {0};
    CHECK(kl_slot_unpack(&got, KL_SPAN_NONE) == KL_CORRUPT);
    CHECK(kl_slot_unpack(&got, kl_span_of(bad, 5)) == KL_CORRUPT);
    bad[0] = 1;
    CHECK(kl_slot_unpack(&got, KL_SPAN_OF(bad)) == KL_CORRUPT);
}

/* Different places have different keys, and the keys say which kind of trie they belong to. */
KL_TEST(format_node_keys_are_unique)
{
    enum { MANY = 400 };
    static u8 rooms[MANY][KL_NODE_KEY_MAX], paths[MANY][64];
    kl_span keys[MANY];
    usize lens[MANY];
    kl_hash owners[3] = {{{0}}};
    kl_rand_fill(seed, &owners[2], sizeof owners[2]);
    int owner[MANY];
    for (usize i = 0; i < MANY; i++) {
        owner[i] = (int)kl_rand_below(seed, 4) - 1;
        lens[i] = kl_rand_below(seed, 3) ? kl_rand_below(seed, 4) : 60 + kl_rand_below(seed, 5);
        memset(paths[i], 0, sizeof paths[i]);
        if (lens[i])
            paths[i][kl_rand_below(seed, lens[i])] = (u8)kl_rand_below(seed, 2);
        keys[i] = kl_node_key(rooms[i], owner[i] < 0 ? NULL : &owners[owner[i]],
                              kl_span_of(paths[i], lens[i]));
        CHECK(kl_node_key_is_storage(keys[i]) == (owner[i] >= 0));
        for (usize j = 0; j < i; j++) {
            bool owners_same = (owner[i] < 0) == (owner[j] < 0) &&
                               (owner[i] < 0 || kl_hash_eq(&owners[owner[i]], &owners[owner[j]]));
            bool same =
                owners_same && lens[i] == lens[j] && memcmp(paths[i], paths[j], lens[i]) == 0;
            CHECK(kl_span_eq(keys[i], keys[j]) == same);
        }
    }
}
