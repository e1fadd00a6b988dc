#include "base/test.h"
#include "txpool/txpool.h"

enum { GWEI = 1000000000, GAS = 21000 };

static const kl_pool_config config = {
    .tx_max = 60,
    .bytes_max = 60 * 100,
    .tx_bytes_max = 1000,
    .per_sender_max = 20,
    .queued_sender_max = 5,
    .replace_percent = 10,
    .nonce_gap_max = 30,
    .seed = 1,
};

static struct kl_pool *pool_with(const kl_pool_config *other, u64 base_fee_gwei)
{
    struct kl_pool *pool;
    CHECK_OK(kl_pool_new(&pool, other));
    kl_pool_set_head(pool, &(kl_pool_head){
                               .base_fee = kl_u256_of(base_fee_gwei * GWEI),
                               .gas_limit = 10000000,
                               .fork = KL_OSAKA,
                               .chain_id = 31337,
                           });
    return pool;
}

static struct kl_pool *pool_new(void)
{
    return pool_with(&config, 1);
}

static kl_address address_of(u8 sender)
{
    kl_address address;
    memset(address.b, sender, sizeof address.b);
    return address;
}

/* A transfer whose envelope and hash are made up: the pool looks at fields and keeps the bytes. */
struct made {
    u8 raw[1000];
    kl_tx tx;
};

static void make(struct made *m, u8 sender, u64 nonce, u64 fee_gwei, u64 tip_gwei)
{
    static u64 serial;
    kl_store_le64(m->raw, ++serial);
    m->tx = (kl_tx){
        .type = KL_TX_DYNAMIC_FEE,
        .has_to = true,
        .replay_safe = true,
        .has_sender = true,
        .sender = address_of(sender),
        .chain_id = 31337,
        .nonce = nonce,
        .gas_limit = GAS,
        .max_fee = kl_u256_of(fee_gwei * GWEI),
        .max_priority_fee = kl_u256_of(tip_gwei * GWEI),
        .raw = kl_span_of(m->raw, 100),
    };
    kl_store_le64(m->tx.hash.b, serial);
}

static const kl_pool_facts rich = {.nonce = 0, .balance = {{0, 1, 0, 0}}};

static kl_rule add(struct kl_pool *pool, const struct made *m, const kl_pool_facts *facts,
                   kl_pool_added *added)
{
    kl_rule broken;
    const kl_pool_arrival how = {.local = m->tx.sender.b[0] % 2, .facts = *facts};
    CHECK_OK(kl_pool_add(pool, &m->tx, &how, added, &broken));
    return broken;
}

/* Its first transactions, all of which could be in the next block. */
static void add_run(struct kl_pool *pool, u8 sender, u64 count, u64 fee_gwei)
{
    struct made m;
    kl_pool_added added;
    for (u64 n = 0; n < count; n++) {
        make(&m, sender, n, fee_gwei, 1);
        CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_NONE);
    }
}

KL_TEST(pool_queues_behind_a_gap_and_promotes_when_it_closes)
{
    struct kl_pool *pool = pool_new();
    struct made m[4];
    kl_pool_added added;
    for (u64 i = 0; i < 4; i++)
        make(&m[i], 7, i, 5, 1);
    CHECK_RULE(add(pool, &m[0], &rich, &added), KL_RULE_NONE);
    CHECK(added.pending);
    CHECK_RULE(add(pool, &m[2], &rich, &added), KL_RULE_NONE);
    CHECK_RULE(add(pool, &m[3], &rich, &added), KL_RULE_NONE);
    CHECK(!added.pending);
    CHECK_U64(kl_pool_next_nonce(pool, &m[0].tx.sender, 0), 1);
    CHECK_RULE(add(pool, &m[1], &rich, &added), KL_RULE_NONE);
    CHECK(added.pending && !added.replaced);
    CHECK_U64(kl_pool_next_nonce(pool, &m[0].tx.sender, 0), 4);
    CHECK_U64(kl_pool_count(pool).queued, 0);
    /* a block took the first two */
    kl_pool_update(pool, &m[0].tx.sender, &(kl_pool_facts){2, rich.balance});
    CHECK_U64(kl_pool_count(pool).pending, 2);
    CHECK(!kl_pool_get(pool, &m[1].tx.hash) && kl_pool_get(pool, &m[2].tx.hash));
    /* and a revert brought the account's nonce back */
    kl_pool_update(pool, &m[0].tx.sender, &rich);
    CHECK_U64(kl_pool_count(pool).pending, 0);
    CHECK_U64(kl_pool_count(pool).queued, 2);
    kl_pool_free(pool);
}

KL_TEST(pool_replaces_only_for_a_tenth_more_in_both_fees)
{
    struct kl_pool *pool = pool_new();
    struct made old, cheap, tip_only, better;
    kl_pool_added added;
    make(&old, 1, 0, 10, 10);
    make(&cheap, 1, 0, 10, 10);
    make(&tip_only, 1, 0, 11, 10);
    make(&better, 1, 0, 11, 11);
    CHECK_RULE(add(pool, &old, &rich, &added), KL_RULE_NONE);
    CHECK_RULE(add(pool, &old, &rich, &added), KL_RULE_POOL_KNOWN);
    CHECK_RULE(add(pool, &cheap, &rich, &added), KL_RULE_POOL_REPLACE_UNDERPRICED);
    CHECK_RULE(add(pool, &tip_only, &rich, &added), KL_RULE_POOL_REPLACE_UNDERPRICED);
    const kl_pool_tx *held = kl_pool_tx_ref(kl_pool_get(pool, &old.tx.hash));
    CHECK_RULE(add(pool, &better, &rich, &added), KL_RULE_NONE);
    CHECK(added.replaced && kl_hash_eq(&added.replaced_hash, &old.tx.hash));
    CHECK(!kl_pool_get(pool, &old.tx.hash) && kl_pool_count(pool).pending == 1);
    CHECK_SPAN(held->tx.raw, old.tx.raw); /* a reference outlives the stay in the pool */
    kl_pool_tx_unref(held);
    kl_pool_free(pool);
}

KL_TEST(pool_lets_only_new_ones_take_no_place)
{
    struct kl_pool *pool = pool_new();
    struct made m;
    kl_pool_added added;
    kl_rule broken;
    const kl_pool_arrival how = {.local = true, .only_new = true, .facts = rich};
    make(&m, 1, 0, 5, 1);
    CHECK_OK(kl_pool_add(pool, &m.tx, &how, &added, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    make(&m, 1, 0, 50, 10);
    CHECK_OK(kl_pool_add(pool, &m.tx, &how, &added, &broken));
    CHECK_RULE(broken, KL_RULE_POOL_REPLACE_UNDERPRICED);
    CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_NONE);
    CHECK(added.replaced);
    kl_pool_free(pool);
}

KL_TEST(pool_turns_away_what_can_never_be_in_a_block)
{
    struct kl_pool *pool = pool_new();
    struct made m;
    kl_pool_added added;
    const kl_pool_facts poor = {.nonce = 3, .balance = kl_u256_of(1000)};
    make(&m, 1, 2, 5, 1);
    CHECK_RULE(add(pool, &m, &poor, &added), KL_RULE_TX_NONCE_LOW);
    make(&m, 1, 3, 5, 1);
    CHECK_RULE(add(pool, &m, &poor, &added), KL_RULE_TX_FUNDS);
    make(&m, 1, 31, 5, 1);
    CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_TX_NONCE_HIGH);
    make(&m, 1, 0, 5, 6);
    CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_TX_TIP_HIGH);
    make(&m, 1, 0, 5, 1);
    m.tx.gas_limit = GAS - 1;
    CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_TX_INTRINSIC_GAS);
    m.tx.gas_limit = 10000001;
    CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_BLOCK_GAS);
    m.tx.gas_limit = (1u << 24) + 1;
    CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_TX_GAS_CAP);
    make(&m, 1, 0, 5, 1);
    m.tx.chain_id = 1;
    CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_TX_CHAIN_ID);
    make(&m, 1, 0, 5, 1);
    m.tx.type = KL_TX_BLOB;
    CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_POOL_BLOB);
    make(&m, 1, 0, 5, 1);
    m.tx.max_fee = KL_U256_MAX;
    CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_TX_FUNDS);
    make(&m, 1, UINT64_MAX, 5, 1);
    CHECK_RULE(add(pool, &m, &(kl_pool_facts){UINT64_MAX, rich.balance}, &added),
               KL_RULE_TX_NONCE_MAX);
    CHECK_U64(kl_pool_count(pool).pending + kl_pool_count(pool).queued, 0);
    kl_pool_free(pool);
}

/* 21,000 gas at 5 gwei, three times, is what the balance can pay for. */
KL_TEST(pool_counts_what_a_sender_owes_already)
{
    struct kl_pool *pool = pool_new();
    struct made m;
    kl_pool_added added;
    const kl_u256 price = kl_u256_of((u64)GAS * 5 * GWEI);
    const kl_pool_facts facts = {.balance = kl_u256_mul(price, kl_u256_of(3))};
    for (u64 n = 0; n < 3; n++) {
        make(&m, 1, n == 2 ? 7 : n, 5, 1); /* what is queued counts too */
        CHECK_RULE(add(pool, &m, &facts, &added), KL_RULE_NONE);
    }
    make(&m, 1, 2, 5, 1);
    CHECK_RULE(add(pool, &m, &facts, &added), KL_RULE_TX_FUNDS);
    make(&m, 1, 1, 6, 2);
    CHECK_RULE(add(pool, &m, &facts, &added), KL_RULE_TX_FUNDS);
    kl_pool_facts more = {.balance = kl_u256_add(facts.balance, kl_u256_of((u64)GAS * GWEI))};
    CHECK_RULE(add(pool, &m, &more, &added), KL_RULE_NONE);
    CHECK(added.replaced);
    CHECK(kl_pool_remove(pool, &m.tx.hash));
    make(&m, 1, 1, 6, 1);
    CHECK_RULE(add(pool, &m, &more, &added), KL_RULE_NONE);
    make(&m, 2, 0, 5, 1);
    CHECK_RULE(add(pool, &m, &facts, &added), KL_RULE_NONE);
    kl_pool_free(pool);
}

KL_TEST(pool_when_full_evicts_the_cheapest_tail_and_turns_away_what_is_cheaper_still)
{
    struct kl_pool *pool = pool_new();
    struct made m, cheapest;
    kl_pool_added added;
    for (u8 s = 0; s < 20; s++)
        for (u64 n = 0; n < 3; n++) {
            make(&m, s, n, 10 + s, 1);
            CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_NONE);
            if (s == 0 && n == 2)
                cheapest = m;
        }
    make(&m, 200, 0, 10, 1);
    CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_POOL_UNDERPRICED);
    make(&m, 200, 1, 50, 1); /* a gapped one takes nobody's place who is not */
    CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_POOL_FUTURE);
    CHECK(kl_pool_get(pool, &cheapest.tx.hash) && kl_pool_count(pool).pending == 60);
    make(&m, 200, 0, 50, 1);
    CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_NONE);
    CHECK(!kl_pool_get(pool, &cheapest.tx.hash));
    make(&m, 0, 2, 90, 1); /* its forerunners stay, though cheaper: the next cheapest goes */
    CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_NONE);
    CHECK(added.pending);
    CHECK_U64(kl_pool_next_nonce(pool, &m.tx.sender, 0), 3);
    memset(m.tx.sender.b, 1, sizeof m.tx.sender.b);
    CHECK_U64(kl_pool_next_nonce(pool, &m.tx.sender, 0), 2);
    CHECK_U64(kl_pool_count(pool).pending, 60);
    kl_pool_free(pool);
}

KL_TEST(pool_when_full_of_gapped_ones_takes_dearer_ones_for_them)
{
    struct kl_pool *pool = pool_new();
    struct made m;
    kl_pool_added added;
    for (u8 s = 0; s < 60; s++) {
        make(&m, s, 1, 10, 1);
        CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_NONE);
    }
    make(&m, 100, 1, 11, 1);
    CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_NONE);
    make(&m, 101, 1, 12, 1);
    m.tx.raw.len = 200; /* two would have to go */
    CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_POOL_FULL);
    CHECK_U64(kl_pool_count(pool).queued, 60);
    kl_pool_free(pool);
}

/* A pool that is full by bytes: one that is large makes many small ones go, or none at all. */
KL_TEST(pool_evicts_only_for_whom_it_takes)
{
    struct kl_pool *pool = pool_new();
    struct made m;
    kl_pool_added added;
    for (u8 s = 0; s < 20; s++)
        for (u64 n = 0; n < 3; n++) {
            make(&m, s, n, s < 3 ? 10 : 20, 1);
            CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_NONE);
        }
    make(&m, 200, 0, 15, 1);
    m.tx.raw.len = 1000; /* nine are cheaper, of a hundred bytes each */
    CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_POOL_FULL);
    CHECK_U64(kl_pool_count(pool).pending, 60);
    m.tx.raw.len = 900;
    CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_NONE);
    CHECK_U64(kl_pool_count(pool).pending, 52);
    CHECK_U64(kl_pool_count(pool).bytes, 6000);
    /* What takes another's place has no more room than what comes anew. */
    make(&m, 200, 0, 17, 2);
    m.tx.raw.len = 1000;
    CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_POOL_UNDERPRICED);
    make(&m, 200, 0, 21, 2);
    m.tx.raw.len = 1000;
    CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_NONE);
    CHECK(added.replaced);
    CHECK_U64(kl_pool_count(pool).pending, 51);
    CHECK_U64(kl_pool_count(pool).bytes, 6000);
    make(&m, 201, 0, 21, 2);
    m.tx.raw.len = 1001;
    CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_POOL_SIZE);
    kl_pool_free(pool);
}

/* One sender's own is never evicted for it. */
KL_TEST(pool_that_one_sender_fills_is_full_for_it)
{
    kl_pool_config few = config;
    struct made m;
    kl_pool_added added;
    few.tx_max = 3;
    struct kl_pool *pool = pool_with(&few, 0);
    add_run(pool, 1, 3, 5);
    make(&m, 1, 3, 50, 1);
    CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_POOL_FULL);
    make(&m, 1, 1, 50, 2); /* its place is its own */
    CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_NONE);
    CHECK(added.replaced);
    kl_pool_free(pool);
}

static usize count_of(struct kl_pool *pool, u8 sender)
{
    const kl_address address = address_of(sender);
    return (usize)kl_pool_next_nonce(pool, &address, 0);
}

/* Who has filled it alone gives way down to its share, to whatever the next block could hold. */
KL_TEST(pool_when_full_takes_what_senders_have_beyond_their_share)
{
    kl_pool_config shared = config;
    struct made m;
    kl_pool_added added;
    shared.per_sender_max = shared.nonce_gap_max = 60;
    shared.sender_share = 8;
    struct kl_pool *pool = pool_with(&shared, 2);
    add_run(pool, 1, 40, 50); /* while there is room everybody may have more */
    add_run(pool, 2, 20, 40);
    make(&m, 2, 20, 90, 9);
    CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_POOL_SENDER_FULL);
    make(&m, 3, 0, 1, 1); /* less than the base fee */
    CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_POOL_UNDERPRICED);
    make(&m, 3, 1, 3, 1); /* behind a gap */
    CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_POOL_UNDERPRICED);
    for (u8 s = 3; s < 47; s++) {
        make(&m, s, 0, 3, 1);
        CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_NONE);
        CHECK_U64(kl_pool_count(pool).pending, 60);
        if (s == 22)
            CHECK(count_of(pool, 1) == 20 && count_of(pool, 2) == 20); /* the largest first */
    }
    CHECK(count_of(pool, 1) == 8 && count_of(pool, 2) == 8);
    make(&m, 60, 0, 3, 1); /* nobody has more than that: it is as ever */
    CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_POOL_UNDERPRICED);
    make(&m, 60, 0, 4, 1);
    CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_NONE);
    CHECK(count_of(pool, 1) == 8 && count_of(pool, 2) == 8);
    kl_pool_free(pool);
}

KL_TEST(pool_takes_bytes_from_large_senders_only_where_they_are_enough)
{
    kl_pool_config shared = config;
    struct made m;
    kl_pool_added added;
    shared.per_sender_max = shared.nonce_gap_max = 60;
    shared.sender_share = 50;
    struct kl_pool *pool = pool_with(&shared, 2);
    add_run(pool, 1, 60, 50);
    make(&m, 2, 0, 3, 1);
    m.tx.raw.len = 1000; /* all ten that are beyond the share */
    CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_NONE);
    CHECK_U64(count_of(pool, 1), 50);
    CHECK_U64(kl_pool_count(pool).bytes, 6000);
    make(&m, 3, 0, 3, 1);
    CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_POOL_UNDERPRICED);
    CHECK_U64(count_of(pool, 1), 50);
    kl_pool_free(pool);
}

static void add_from(struct kl_pool *pool, u8 sender, u64 nonce, bool local)
{
    struct made m;
    kl_pool_added added;
    kl_rule broken;
    const kl_pool_arrival how = {.local = local, .facts = rich};
    make(&m, sender, nonce, 5, 1);
    CHECK_OK(kl_pool_add(pool, &m.tx, &how, &added, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
}

KL_TEST(pool_lets_go_of_what_waits_too_long_for_a_nonce)
{
    enum { S = 1000000000 };
    kl_pool_config timed = config;
    timed.queued_ns = 100ull * S;
    struct kl_pool *pool = pool_with(&timed, 2);
    kl_pool_pass_time(pool, 1000ull * S);
    add_from(pool, 1, 0, false);
    add_from(pool, 1, 2, false); /* a gap */
    add_from(pool, 2, 1, false); /* only what waits */
    add_from(pool, 3, 1, true);  /* our own */
    add_from(pool, 3, 2, false);
    kl_pool_pass_time(pool, 1060ull * S);
    add_from(pool, 4, 1, false);
    add_from(pool, 2, 3, false); /* news of it: it goes on waiting */
    kl_pool_pass_time(pool, 1100ull * S);
    CHECK_U64(kl_pool_count(pool).queued, 6);
    kl_pool_pass_time(pool, 1101ull * S);
    CHECK_U64(kl_pool_count(pool).pending, 1);
    CHECK_U64(kl_pool_count(pool).queued, 4); /* 1's and 3's have gone, but for our own */
    const kl_address two = address_of(2), four = address_of(4);
    kl_pool_update(pool, &four, &(kl_pool_facts){1, rich.balance}); /* it is not gapped any more */
    kl_pool_pass_time(pool, 1161ull * S);
    CHECK_U64(kl_pool_count(pool).queued, 1);
    CHECK_U64(kl_pool_count(pool).pending, 2);
    kl_pool_pass_time(pool, 9999ull * S);
    CHECK_U64(kl_pool_count(pool).pending, 2); /* these wait as long as it takes */
    CHECK_U64(kl_pool_next_nonce(pool, &two, 7), 7);
    kl_pool_free(pool);
}

/* The words that wallets and scripts look for [geth txpool]. */
KL_TEST(pool_speaks_as_geth_does)
{
    static const struct {
        kl_rule rule;
        const char *text;
    } words[] = {
        {KL_RULE_POOL_KNOWN, "already known"},
        {KL_RULE_POOL_UNDERPRICED, "transaction underpriced"},
        {KL_RULE_POOL_REPLACE_UNDERPRICED, "replacement transaction underpriced"},
        {KL_RULE_POOL_FUTURE, "future transaction tries to replace pending"},
        {KL_RULE_POOL_FULL, "txpool is full"},
        {KL_RULE_POOL_SENDER_FULL, "account limit exceeded"},
        {KL_RULE_POOL_SIZE, "oversized data"},
        {KL_RULE_TX_NONCE_LOW, "nonce too low"},
        {KL_RULE_TX_NONCE_HIGH, "nonce too high"},
        {KL_RULE_TX_NONCE_MAX, "nonce has max value"},
        {KL_RULE_TX_FUNDS, "insufficient funds for gas * price + value"},
        {KL_RULE_TX_INTRINSIC_GAS, "intrinsic gas too low"},
        {KL_RULE_TX_TIP_HIGH, "max priority fee per gas higher than max fee per gas"},
        {KL_RULE_TX_FEE_LOW, "max fee per gas less than block base fee"},
        {KL_RULE_TX_TYPE, "transaction type not supported"},
        {KL_RULE_TX_INIT_CODE_SIZE, "max initcode size exceeded"},
        {KL_RULE_BLOCK_GAS, "exceeds block gas limit"},
    };
    for (usize i = 0; i < KL_COUNT_OF(words); i++)
        CHECK(strcmp(kl_rule_text(words[i].rule), words[i].text) == 0);
}

KL_TEST(pool_bounds_what_one_sender_may_hold)
{
    struct kl_pool *pool = pool_new();
    struct made m;
    kl_pool_added added;
    add_run(pool, 1, 20, 5);
    make(&m, 1, 20, 5, 1);
    CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_POOL_SENDER_FULL);
    for (u64 n = 2; n < 7; n++) {
        make(&m, 2, n, 5, 1);
        CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_NONE);
    }
    make(&m, 2, 7, 5, 1);
    CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_POOL_SENDER_FULL);
    for (u64 n = 9; n > 4; n--) { /* in whatever order they come */
        make(&m, 3, n, 5, 1);
        CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_NONE);
    }
    make(&m, 3, 4, 5, 1);
    CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_POOL_SENDER_FULL);
    make(&m, 3, 0, 5, 1);
    CHECK_RULE(add(pool, &m, &rich, &added), KL_RULE_NONE);
    kl_pool_free(pool);
}

/* What a walk over the pool shows, gathered for the checks below. */
struct shown {
    const kl_pool_tx *tx[64];
    bool pending[64];
    usize count, bytes;
};

static void show(void *ctx, const kl_pool_tx *tx, bool pending)
{
    struct shown *shown = ctx;
    CHECK(shown->count < KL_COUNT_OF(shown->tx));
    shown->bytes += tx->tx.raw.len;
    shown->tx[shown->count] = tx;
    shown->pending[shown->count++] = pending;
}

/* Senders in order, nonces rising; pending is exactly the unbroken run from the account's nonce. */
static void check_content(struct kl_pool *pool, const kl_pool_facts facts[8], struct shown *shown)
{
    *shown = (struct shown){0};
    CHECK_OK(kl_pool_each(pool, show, shown));
    usize pending = 0;
    u64 run[8];
    for (usize s = 0; s < 8; s++)
        run[s] = facts[s].nonce;
    for (usize i = 0; i < shown->count; i++) {
        const kl_tx *tx = &shown->tx[i]->tx;
        u8 s = tx->sender.b[0];
        bool next = tx->nonce == run[s];
        CHECK(tx->nonce >= facts[s].nonce && shown->pending[i] == next);
        run[s] += next;
        pending += next;
        CHECK(kl_pool_get(pool, &tx->hash) == shown->tx[i]);
    }
    kl_pool_counts counts = kl_pool_count(pool);
    CHECK_U64(counts.pending, pending);
    CHECK_U64(counts.queued, shown->count - pending);
    CHECK_U64(counts.bytes, shown->bytes);
    CHECK(shown->count <= config.tx_max && shown->bytes <= config.bytes_max);
}

/* What is turned away leaves everything as it was. */
static void add_some(struct kl_pool *pool, const struct made *m, const kl_pool_facts *facts)
{
    kl_pool_added added;
    kl_pool_update(pool, &m->tx.sender, facts);
    kl_pool_counts was = kl_pool_count(pool);
    if (add(pool, m, facts, &added) == KL_RULE_NONE)
        return;
    kl_pool_counts is = kl_pool_count(pool);
    CHECK(is.pending == was.pending && is.queued == was.queued && is.bytes == was.bytes);
}

static kl_u256 tip_of(const kl_tx *tx)
{
    kl_u256 room = kl_u256_sub(tx->max_fee, kl_u256_of(GWEI));
    return kl_u256_lt(room, tx->max_priority_fee) ? room : tx->max_priority_fee;
}

/* A pick gives every pending transaction that can pay once, each sender's in order, and never one
 * while a sender's next one tips more. */
static void check_pick(struct kl_pool *pool, const kl_pool_facts facts[8],
                       const struct shown *shown)
{
    struct kl_pool_pick *pick;
    u64 next[8];
    bool closed[8] = {false}; /* the next one of this sender cannot pay the base fee */
    for (usize s = 0; s < 8; s++)
        next[s] = facts[s].nonce;
    CHECK_OK(kl_pool_pick_begin(pool, false, &pick));
    for (const kl_pool_tx *got; (got = kl_pool_pick_next(pick, false)) != NULL;) {
        u8 s = got->tx.sender.b[0];
        CHECK(got->tx.nonce == next[s] && !closed[s]);
        for (usize i = 0; i < shown->count; i++) {
            const kl_tx *other = &shown->tx[i]->tx;
            u8 o = other->sender.b[0];
            if (shown->pending[i] && other->nonce == next[o] &&
                !kl_u256_lt(other->max_fee, kl_u256_of(GWEI)))
                CHECK(!kl_u256_lt(tip_of(&got->tx), tip_of(other)));
        }
        next[s]++;
    }
    kl_pool_pick_end(pick);
    for (usize i = 0; i < shown->count; i++) {
        const kl_tx *tx = &shown->tx[i]->tx;
        u8 s = tx->sender.b[0];
        if (shown->pending[i] && tx->nonce >= next[s])
            closed[s] |= tx->nonce == next[s] && kl_u256_lt(tx->max_fee, kl_u256_of(GWEI));
        if (shown->pending[i] && tx->nonce >= next[s])
            CHECK(closed[s]);
    }
}

/* Now and then some time passes; a share is left to everybody, or none. */
static void use_at_random(u64 *seed, usize share)
{
    kl_pool_config timed = config;
    u64 now_ns = 0;
    timed.sender_share = share;
    timed.queued_ns = 1000;
    struct kl_pool *pool = pool_with(&timed, 1);
    kl_pool_facts facts[8];
    for (usize s = 0; s < 8; s++)
        facts[s] = rich;
    for (int step = 0; step < 4000; step++) {
        u8 s = (u8)kl_rand_below(seed, 8);
        struct made m;
        struct shown shown;
        switch (kl_rand_below(seed, 10)) {
        case 0:
            facts[s].nonce += kl_rand_below(seed, 3);
            break;
        case 1:
            facts[s].nonce -= kl_rand_below(seed, KL_MIN(facts[s].nonce, 2u) + 1);
            break;
        case 2:
            *facts[s].balance.w = kl_rand(seed) >> kl_rand_below(seed, 64);
            facts[s].balance.w[1] = kl_rand_below(seed, 2);
            break;
        default:
            make(&m, s, facts[s].nonce + kl_rand_below(seed, 6), kl_rand_below(seed, 20),
                 kl_rand_below(seed, 4));
            m.tx.raw.len = 100 + (kl_rand_below(seed, 4) ? 0 : kl_rand_below(seed, 900));
            add_some(pool, &m, &facts[s]);
        }
        kl_address address;
        memset(address.b, s, sizeof address.b);
        kl_pool_update(pool, &address, &facts[s]);
        check_content(pool, facts, &shown);
        check_pick(pool, facts, &shown);
        if (shown.count && kl_rand_below(seed, 20) == 0)
            CHECK(kl_pool_remove(pool, &shown.tx[kl_rand_below(seed, shown.count)]->tx.hash));
        now_ns += kl_rand_below(seed, 100);
        if (kl_rand_below(seed, 10) == 0)
            kl_pool_pass_time(pool, now_ns);
    }
    kl_pool_free(pool);
}

KL_TEST(pool_stays_consistent_under_random_use)
{
    use_at_random(seed, 0);
    use_at_random(seed, 3);
}
