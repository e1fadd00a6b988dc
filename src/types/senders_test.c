#include "types/senders.h"

#include "base/test.h"
#include "types/random_test.h"

static kl_tx decoded(const kl_tx *tx, struct kl_arena *arena)
{
    kl_tx back;
    kl_rule broken;
    CHECK_OK(kl_tx_decode(&back, tx->raw, KL_FORK_NEWEST, arena, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    CHECK(!back.has_sender);
    return back;
}

/* Property: whether it is remembered, forgotten or never seen, a transaction's sender and
 * authorities are those that recovering alone gives. */
KL_TEST(senders_are_what_recovering_gives)
{
    enum { COUNT = 60 };
    static kl_tx txs[COUNT];
    static kl_rule broken[COUNT];
    struct kl_arena arena;
    struct kl_senders *senders;
    kl_arena_init(&arena, 1 << 26);
    CHECK_OK(kl_senders_new(&senders, 32)); /* fewer than there are */
    for (usize i = 0; i < COUNT; i++) {
        kl_secret32 key = random_key(seed);
        txs[i] = random_tx(seed, (u8)kl_rand_below(seed, 5), &key, &arena);
    }
    for (usize round = 0; round < 400; round++) {
        usize i = kl_rand_below(seed, COUNT);
        kl_tx tx = decoded(&txs[i], &arena);
        CHECK_RULE(kl_senders_recover(kl_rand_below(seed, 8) ? senders : NULL, &tx, KL_FORK_NEWEST),
                   KL_RULE_NONE);
        CHECK(tx.has_sender && kl_address_eq(&tx.sender, &txs[i].sender));
        for (usize k = 0; k < tx.authorization_count; k++)
            CHECK(kl_address_eq(&tx.authorizations[k].authority,
                                &txs[i].authorizations[k].authority));
    }
    static kl_tx all[COUNT];
    for (usize i = 0; i < COUNT; i++)
        all[i] = decoded(&txs[i], &arena);
    kl_senders_recover_all(senders, all, broken, COUNT, KL_FORK_NEWEST, NULL);
    for (usize i = 0; i < COUNT; i++) {
        CHECK_RULE(broken[i], KL_RULE_NONE);
        CHECK(kl_address_eq(&all[i].sender, &txs[i].sender));
    }
    kl_senders_free(senders);
    kl_senders_free(NULL);
    kl_arena_done(&arena);
}

/* What was recovered elsewhere is taken as it is: here a sender that nobody would find. */
KL_TEST(senders_that_are_told_are_remembered)
{
    struct kl_arena arena;
    struct kl_senders *senders;
    kl_arena_init(&arena, 1 << 26);
    CHECK_OK(kl_senders_new(&senders, 16));
    kl_secret32 key = random_key(seed);
    kl_tx tx = random_tx(seed, KL_TX_DYNAMIC_FEE, &key, &arena), told = tx, bare = tx;
    bare.has_sender = false;
    kl_senders_remember(senders, &bare);
    kl_senders_remember(NULL, &tx);
    kl_tx back = decoded(&tx, &arena);
    CHECK_RULE(kl_senders_recover(senders, &back, KL_FORK_NEWEST), KL_RULE_NONE);
    CHECK(kl_address_eq(&back.sender, &tx.sender));
    memset(told.sender.b, 0x5a, sizeof told.sender.b);
    told.has_sender = true;
    kl_senders_free(senders);
    CHECK_OK(kl_senders_new(&senders, 16));
    kl_senders_remember(senders, &told);
    back = decoded(&tx, &arena);
    CHECK_RULE(kl_senders_recover(senders, &back, KL_FORK_NEWEST), KL_RULE_NONE);
    CHECK(kl_address_eq(&back.sender, &told.sender));
    kl_senders_free(senders);
    kl_arena_done(&arena);
}

/* A verdict is never remembered in a sender's place. */
KL_TEST(senders_of_bad_signatures_are_not_remembered)
{
    struct kl_arena arena;
    struct kl_senders *senders;
    kl_arena_init(&arena, 1 << 26);
    CHECK_OK(kl_senders_new(&senders, 16));
    for (usize round = 0; round < 50; round++) {
        kl_secret32 key = random_key(seed);
        kl_tx good = random_tx(seed, KL_TX_DYNAMIC_FEE, &key, &arena);
        kl_tx tx = decoded(&good, &arena);
        tx.signature.r = KL_U256_ZERO;
        for (usize i = 0; i < 2; i++) {
            CHECK_RULE(kl_senders_recover(senders, &tx, KL_FORK_NEWEST), KL_RULE_TX_SIGNATURE);
            CHECK(!tx.has_sender);
        }
    }
    kl_senders_free(senders);
    kl_arena_done(&arena);
}

/* What is told again and again, by many a peer, drives nothing else out. */
KL_TEST(senders_have_one_place_each)
{
    struct kl_arena arena;
    struct kl_senders *senders;
    kl_arena_init(&arena, 1 << 26);
    CHECK_OK(kl_senders_new(&senders, 1)); /* one bucket */
    kl_secret32 key = random_key(seed);
    kl_tx one = random_tx(seed, KL_TX_DYNAMIC_FEE, &key, &arena), told = one;
    kl_tx other = random_tx(seed, KL_TX_DYNAMIC_FEE, &key, &arena);
    memset(told.sender.b, 0x5a, sizeof told.sender.b);
    told.has_sender = other.has_sender = true;
    kl_senders_remember(senders, &told);
    for (usize i = 0; i < 100; i++)
        kl_senders_remember(senders, &other);
    kl_tx back = decoded(&one, &arena);
    CHECK_RULE(kl_senders_recover(senders, &back, KL_FORK_NEWEST), KL_RULE_NONE);
    CHECK(kl_address_eq(&back.sender, &told.sender));
    kl_senders_free(senders);
    kl_arena_done(&arena);
}
