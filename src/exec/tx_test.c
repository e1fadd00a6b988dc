#include "crypto/address.h"
#include "crypto/keccak.h"
#include "exec/test_world_priv.h"

#define RICH 1000000000000u

enum { ALICE = 0xa1, BOB = 0xb0, CAROL = 0xca, MINER = 0xc0 };

KL_TEST(tx_pays_gas_value_and_tip)
{
    struct test_world w;
    test_world_init(&w, KL_OSAKA);
    test_add(&w, ALICE, RICH);
    test_enter(&w);
    kl_tx tx = test_tx(&w, KL_TX_DYNAMIC_FEE, ALICE, BOB);
    tx.value = kl_u256_of(5000);
    kl_tx_result r = test_run(&w, &tx);
    CHECK_U64(r.gas_used, 21000);
    CHECK_U64(r.halt, KL_HALT_NONE);
    CHECK(r.receipt.success && r.receipt.type == 2);
    CHECK_U64(r.receipt.cumulative_gas_used, 21000);
    CHECK(kl_u256_eq(r.gas_price, kl_u256_of(9)));
    CHECK_U64(test_balance(&w, ALICE), RICH - 5000 - 21000 * 9);
    CHECK_U64(test_balance(&w, BOB), 5000);
    CHECK_U64(test_balance(&w, MINER), 21000 * 2); /* the base fee is nobody's */
    CHECK_U64(test_look(&w, ALICE)->now.nonce, 1);
    tx.nonce = 1;
    tx.max_priority_fee = kl_u256_of(10); /* capped by the fee */
    r = test_run(&w, &tx);
    CHECK(kl_u256_eq(r.gas_price, kl_u256_of(10)));
    CHECK_U64(test_balance(&w, MINER), 21000 * 5);
    CHECK_U64(r.receipt.cumulative_gas_used, 42000);
    CHECK_U64(kl_exec_gas_used(w.exec), 42000);
    test_world_done(&w);
}

/* What can be wrong, one at a time: each row spoils a transaction that would be taken. */
static void nonce_low(struct test_world *w, kl_tx *tx)
{
    w->accounts[0].account.nonce = 5;
    tx->nonce = 4;
}
static void nonce_high(struct test_world *w, kl_tx *tx)
{
    w->accounts[0].account.nonce = 5;
    tx->nonce = 6;
}
static void nonce_max(struct test_world *w, kl_tx *tx)
{
    tx->nonce = w->accounts[0].account.nonce = UINT64_MAX;
}
static void chain_id(KL_UNUSED struct test_world *w, kl_tx *tx)
{
    tx->chain_id = 2;
}
static void gas_cap(KL_UNUSED struct test_world *w, kl_tx *tx)
{
    tx->gas_limit = (1 << 24) + 1;
}
static void contract_sender(struct test_world *w, KL_UNUSED kl_tx *tx)
{
    w->accounts[0].code = kl_test_hex("00");
    w->accounts[0].account.code_hash = kl_keccak256(w->accounts[0].code);
}
static void tip_high(KL_UNUSED struct test_world *w, kl_tx *tx)
{
    tx->max_priority_fee = kl_u256_of(11);
}
static void fee_low(struct test_world *w, KL_UNUSED kl_tx *tx)
{
    w->header.base_fee = kl_u256_of(11);
}
static void no_blobs(KL_UNUSED struct test_world *w, kl_tx *tx)
{
    tx->blob_count = 0;
}
static void seven_blobs(KL_UNUSED struct test_world *w, kl_tx *tx)
{
    tx->blob_count = 7;
}
static void blob_version(KL_UNUSED struct test_world *w, kl_tx *tx)
{
    static const kl_hash wrong[2] = {{{1}}, {{2}}};
    tx->blob_hashes = wrong;
}
static void blob_fee_low(KL_UNUSED struct test_world *w, kl_tx *tx)
{
    tx->max_blob_fee = KL_U256_ZERO;
}
static void blob_to_nobody(KL_UNUSED struct test_world *w, kl_tx *tx)
{
    tx->has_to = false;
}
static void no_authorizations(KL_UNUSED struct test_world *w, kl_tx *tx)
{
    tx->authorization_count = 0;
}
static void authorizations_to_nobody(KL_UNUSED struct test_world *w, kl_tx *tx)
{
    tx->has_to = false;
}
static void huge_init_code(KL_UNUSED struct test_world *w, kl_tx *tx)
{
    static const u8 zeros[49153];
    tx->has_to = false;
    tx->data = kl_span_of(zeros, sizeof zeros);
    tx->gas_limit = 10000000;
}
static void block_full(struct test_world *w, KL_UNUSED kl_tx *tx)
{
    w->header.gas_limit = 99999;
}
static void poor(struct test_world *w, KL_UNUSED kl_tx *tx)
{
    w->accounts[0].account.balance = kl_u256_of(100000 * 10 - 1);
}
static void too_costly_to_write_down(KL_UNUSED struct test_world *w, kl_tx *tx)
{
    tx->max_fee = KL_U256_MAX;
}
static void intrinsic(KL_UNUSED struct test_world *w, kl_tx *tx)
{
    tx->gas_limit = 20999;
}
static void floor_gas(KL_UNUSED struct test_world *w, kl_tx *tx)
{
    tx->data = kl_test_hex("ffffffffff"); /* 21,080 to run, 21,200 to pay */
    tx->gas_limit = 21199;
}

static kl_tx full_tx(struct test_world *w, kl_tx_type type)
{
    static const kl_hash blobs[7] = {{{1}}, {{1}}, {{1}}, {{1}}, {{1}}, {{1}}, {{1}}};
    static kl_authorization authorization;
    kl_tx tx = test_tx(w, type, ALICE, BOB);
    if (type == KL_TX_BLOB) {
        tx.max_blob_fee = KL_U256_ONE;
        tx.blob_hashes = blobs;
        tx.blob_count = 2;
    }
    if (type == KL_TX_SET_CODE) {
        tx.authorizations = &authorization;
        tx.authorization_count = 1;
    }
    return tx;
}

KL_TEST(tx_is_refused_by_name_and_without_a_trace)
{
    static const struct {
        void (*spoil)(struct test_world *w, kl_tx *tx);
        kl_tx_type type;
        kl_rule rule;
    } rows[] = {
        {chain_id, KL_TX_DYNAMIC_FEE, KL_RULE_TX_CHAIN_ID},
        {nonce_low, KL_TX_LEGACY, KL_RULE_TX_NONCE_LOW},
        {nonce_high, KL_TX_LEGACY, KL_RULE_TX_NONCE_HIGH},
        {nonce_max, KL_TX_LEGACY, KL_RULE_TX_NONCE_MAX},
        {gas_cap, KL_TX_LEGACY, KL_RULE_TX_GAS_CAP},
        {contract_sender, KL_TX_LEGACY, KL_RULE_TX_SENDER_CODE},
        {tip_high, KL_TX_DYNAMIC_FEE, KL_RULE_TX_TIP_HIGH},
        {fee_low, KL_TX_LEGACY, KL_RULE_TX_FEE_LOW},
        {fee_low, KL_TX_DYNAMIC_FEE, KL_RULE_TX_FEE_LOW},
        {no_blobs, KL_TX_BLOB, KL_RULE_TX_BLOB_EMPTY},
        {seven_blobs, KL_TX_BLOB, KL_RULE_TX_BLOB_COUNT},
        {blob_version, KL_TX_BLOB, KL_RULE_TX_BLOB_VERSION},
        {blob_fee_low, KL_TX_BLOB, KL_RULE_TX_BLOB_FEE_LOW},
        {blob_to_nobody, KL_TX_BLOB, KL_RULE_TX_BLOB_CREATE},
        {no_authorizations, KL_TX_SET_CODE, KL_RULE_TX_AUTH_EMPTY},
        {authorizations_to_nobody, KL_TX_SET_CODE, KL_RULE_TX_AUTH_CREATE},
        {huge_init_code, KL_TX_LEGACY, KL_RULE_TX_INIT_CODE_SIZE},
        {block_full, KL_TX_LEGACY, KL_RULE_BLOCK_GAS},
        {poor, KL_TX_LEGACY, KL_RULE_TX_FUNDS},
        {too_costly_to_write_down, KL_TX_DYNAMIC_FEE, KL_RULE_TX_FUNDS},
        {intrinsic, KL_TX_LEGACY, KL_RULE_TX_INTRINSIC_GAS},
        {floor_gas, KL_TX_LEGACY, KL_RULE_TX_FLOOR_GAS},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        struct test_world w;
        test_world_init(&w, KL_OSAKA);
        test_add(&w, ALICE, RICH);
        kl_tx tx = full_tx(&w, rows[i].type);
        rows[i].spoil(&w, &tx);
        kl_u256 balance = w.accounts[0].account.balance;
        test_enter(&w);
        CHECK_RULE(test_refused(&w, &tx), rows[i].rule);
        CHECK(kl_u256_eq(test_look(&w, ALICE)->now.balance, balance));
        CHECK_U64(test_look(&w, ALICE)->now.nonce, w.accounts[0].account.nonce);
        CHECK(!test_look(&w, MINER)->exists);
        test_world_done(&w);
    }
}

KL_TEST(tx_types_come_with_their_forks)
{
    static const kl_fork since[] = {KL_FRONTIER, KL_BERLIN, KL_LONDON, KL_CANCUN, KL_PRAGUE};
    for (usize type = 0; type < KL_COUNT_OF(since); type++)
        for (usize fork = 0; fork < KL_FORK_COUNT; fork++) {
            struct test_world w;
            test_world_init(&w, (kl_fork)fork);
            test_add(&w, ALICE, RICH);
            test_enter(&w);
            kl_tx tx = full_tx(&w, (kl_tx_type)type);
            CHECK_RULE(test_refused(&w, &tx), fork >= since[type] ? KL_RULE_NONE : KL_RULE_TX_TYPE);
            test_world_done(&w);
        }
}

KL_TEST(tx_edges_are_inclusive)
{
    struct test_world w;
    test_world_init(&w, KL_OSAKA);
    test_add(&w, ALICE, 21000 * 10 + 77);
    w.header.gas_limit = 21000;
    w.header.base_fee = kl_u256_of(10);
    test_enter(&w);
    kl_tx tx = test_tx(&w, KL_TX_DYNAMIC_FEE, ALICE, BOB);
    tx.gas_limit = 21000; /* all the block holds, all there is to pay with */
    tx.value = kl_u256_of(77);
    test_run(&w, &tx);
    CHECK_U64(test_balance(&w, ALICE), 0);
    tx.nonce = 1;
    CHECK_RULE(test_refused(&w, &tx), KL_RULE_BLOCK_GAS);
    test_world_done(&w);
}

/* Clears slots 0 to 4: PUSH1 0 PUSH1 n SSTORE each. */
#define CLEARER "6000600055600060015560006002556000600355600060045500"

static kl_tx_result clear_five(kl_fork fork)
{
    struct test_world w;
    test_world_init(&w, fork);
    test_add(&w, ALICE, RICH);
    test_account *contract = test_add_code(&w, CAROL, CLEARER);
    for (u64 i = 0; i < 5; i++)
        test_add_slot(contract, i, 1);
    test_enter(&w);
    kl_tx tx = test_tx(&w, KL_TX_LEGACY, ALICE, CAROL);
    kl_tx_result r = test_run(&w, &tx);
    CHECK_U64(test_slot(&w, CAROL, 4), 0);
    CHECK_U64(test_balance(&w, ALICE), RICH - r.gas_used * 10);
    test_world_done(&w);
    return r;
}

KL_TEST(tx_refunds_half_then_a_fifth)
{
    u64 istanbul = 21000 + 5 * (5000 + 6), berlin = 21000 + 5 * (5000 + 6);
    kl_tx_result r = clear_five(KL_ISTANBUL);
    CHECK_U64(r.refund, istanbul / 2); /* of 75,000 */
    CHECK_U64(r.gas_used, istanbul - istanbul / 2);
    r = clear_five(KL_BERLIN);
    CHECK_U64(r.refund, berlin / 2);
    r = clear_five(KL_LONDON);
    CHECK_U64(r.refund, berlin / 5); /* of 24,000 [EIP-3529] */
    CHECK_U64(r.gas_used, berlin - berlin / 5);
}

/* [EIP-7623]: what is charged is the larger of execution after refunds and the floor. */
KL_TEST(tx_charges_the_floor_for_data)
{
    struct test_world w;
    test_world_init(&w, KL_PRAGUE);
    test_add(&w, ALICE, RICH);
    test_account *contract = test_add_code(&w, CAROL, "600060005500");
    test_add_slot(contract, 0, 1);
    test_enter(&w);
    u8 data[1000];
    memset(data, 0xff, sizeof data);
    kl_tx tx = test_tx(&w, KL_TX_LEGACY, ALICE, BOB);
    tx.data = kl_span_of(data, sizeof data);
    CHECK_U64(test_run(&w, &tx).gas_used, 21000 + 1000 * 40); /* 37,000 to run */
    tx.nonce = 1;
    tx.to = test_address(CAROL);
    tx.data = kl_span_of(data, 100);
    kl_tx_result r = test_run(&w, &tx);
    CHECK_U64(r.refund, 4800);
    CHECK_U64(r.gas_used, 25000); /* 27,606 less 4,800 is below the floor */
    test_world_done(&w);
}

/* SLOAD(1), BALANCE(coinbase), BALANCE(0x01), BALANCE(0xdd…), then stop. */
#define LOOKER                                       \
    "6001545041315060013150"                         \
    "73dd000000000000000000000000000000000000003150" \
    "00"

static u64 look_gas(kl_fork fork, bool listed)
{
    static const kl_hash one = {{[31] = 1}};
    kl_access list[2] = {{.address = test_address(CAROL), .slots = &one, .slot_count = 1},
                         {.address = test_address(0xdd)}};
    struct test_world w;
    test_world_init(&w, fork);
    test_add(&w, ALICE, RICH);
    test_add_code(&w, CAROL, LOOKER);
    test_enter(&w);
    kl_tx tx = test_tx(&w, KL_TX_ACCESS_LIST, ALICE, CAROL);
    tx.access_list = list;
    tx.access_count = listed ? 2 : 0;
    u64 gas = test_run(&w, &tx).gas_used;
    test_world_done(&w);
    return gas;
}

KL_TEST(tx_warms_what_it_names)
{
    u64 plain = 21000 + 3 + 2 + 2 + 2 + 3 + 2 + 3 + 2; /* pushes, pops and COINBASE */
    CHECK_U64(look_gas(KL_BERLIN, false), plain + 2100 + 2600 + 100 + 2600);
    CHECK_U64(look_gas(KL_SHANGHAI, false), plain + 2100 + 100 + 100 + 2600); /* [EIP-3651] */
    CHECK_U64(look_gas(KL_SHANGHAI, true), plain + 2 * 2400 + 1900 + 100 + 100 + 100 + 100);
}

KL_TEST(tx_creates_at_the_address_of_its_nonce)
{
    struct test_world w;
    test_world_init(&w, KL_OSAKA);
    test_add(&w, ALICE, RICH)->account.nonce = 3;
    test_enter(&w);
    kl_tx tx = test_tx(&w, KL_TX_LEGACY, ALICE, 0);
    tx.has_to = false;
    tx.nonce = 3;
    tx.value = kl_u256_of(9);
    tx.data = kl_test_hex("60015f5360015ff3"); /* deploys 0x01 */
    kl_tx_result r = test_run(&w, &tx);
    kl_address want = kl_address_of_create(&tx.sender, 3);
    CHECK(r.created && kl_address_eq(&r.contract, &want));
    CHECK_HEX(r.output, "01");
    kl_jaccount *contract;
    CHECK_OK(kl_journal_account(kl_exec_journal(w.exec), &want, &contract));
    CHECK_U64(contract->now.nonce, 1);
    CHECK(kl_u256_eq(contract->now.balance, kl_u256_of(9)));
    tx.nonce = 4;
    tx.data = kl_test_hex("5f5ffd"); /* reverts */
    r = test_run(&w, &tx);
    CHECK(!r.created && r.halt == KL_HALT_REVERT && !r.receipt.success);
    CHECK_U64(test_look(&w, ALICE)->now.nonce, 5);
    test_world_done(&w);
}

KL_TEST(tx_that_fails_is_paid_for)
{
    struct test_world w;
    test_world_init(&w, KL_OSAKA);
    test_add(&w, ALICE, RICH);
    test_add_code(&w, CAROL, "fe");
    test_enter(&w);
    kl_tx tx = test_tx(&w, KL_TX_LEGACY, ALICE, CAROL);
    tx.value = kl_u256_of(5);
    kl_tx_result r = test_run(&w, &tx);
    CHECK(!r.receipt.success && r.receipt.log_count == 0);
    CHECK_U64(r.gas_used, 100000);
    CHECK_U64(test_balance(&w, ALICE), RICH - 100000 * 10);
    CHECK_U64(test_balance(&w, CAROL), 0);
    test_world_done(&w);
}

/* [EIP-161]: before it, paying a miner nothing made an account. */
KL_TEST(tx_leaves_no_empty_accounts_since_spurious_dragon)
{
    for (usize fork = KL_HOMESTEAD; fork <= KL_SPURIOUS; fork++) {
        struct test_world w;
        test_world_init(&w, (kl_fork)fork);
        test_add(&w, ALICE, RICH);
        test_enter(&w);
        kl_tx tx = test_tx(&w, KL_TX_LEGACY, ALICE, BOB);
        tx.max_fee = tx.max_priority_fee = KL_U256_ZERO;
        test_run(&w, &tx);
        CHECK(test_look(&w, MINER)->exists == (fork < KL_SPURIOUS));
        CHECK(test_look(&w, BOB)->exists == (fork < KL_SPURIOUS));
        test_world_done(&w);
    }
}

KL_TEST(tx_logs_live_until_the_next_begin)
{
    struct test_world w;
    test_world_init(&w, KL_OSAKA);
    test_add(&w, ALICE, RICH);
    test_add_code(&w, CAROL, "60aa5f5260425f60205fa100"); /* LOG1 of 32 bytes, topic 0 */
    test_enter(&w);
    kl_tx tx = test_tx(&w, KL_TX_LEGACY, ALICE, CAROL);
    kl_tx_result first = test_run(&w, &tx);
    tx.nonce = 1;
    test_run(&w, &tx);
    CHECK_U64(first.receipt.log_count, 1);
    CHECK_U64(first.receipt.logs[0].topic_count, 1);
    CHECK_U64(first.receipt.logs[0].data.len, 32);
    CHECK_U64(first.receipt.logs[0].data.p[31], 0xaa);
    CHECK(kl_bloom_may_hold(&first.receipt.bloom, kl_address_span(&first.receipt.logs[0].address)));
    test_world_done(&w);
}

KL_TEST(tx_pays_for_blobs_at_the_block_price)
{
    struct test_world w;
    test_world_init(&w, KL_OSAKA);
    test_add(&w, ALICE, RICH);
    w.header.excess_blob_gas = 20000000; /* a price of e^4 */
    test_enter(&w);
    kl_tx tx = full_tx(&w, KL_TX_BLOB);
    tx.max_blob_fee = kl_u256_of(100);
    kl_tx_result r = test_run(&w, &tx);
    CHECK_U64(test_balance(&w, ALICE), RICH - r.gas_used * 9 - 2 * 131072 * 54);
    CHECK_U64(kl_exec_blob_gas_used(w.exec), 2 * 131072);
    tx.blob_count = 6;
    tx.nonce = 1;
    test_run(&w, &tx);
    tx.blob_count = 2; /* 8 of 9 are taken */
    tx.nonce = 2;
    CHECK_RULE(test_refused(&w, &tx), KL_RULE_BLOCK_BLOB_GAS);
    tx.blob_count = 1;
    test_run(&w, &tx);
    test_world_done(&w);
}

KL_TEST(tx_status_is_no_verdict)
{
    for (u64 reads = 0; reads < 4; reads++) {
        struct test_world w;
        test_world_init(&w, KL_OSAKA);
        test_add(&w, ALICE, RICH);
        test_add_code(&w, CAROL, "5f5400");
        test_enter(&w);
        w.fail_with = KL_IO;
        w.reads_left = reads;
        kl_tx tx = test_tx(&w, KL_TX_LEGACY, ALICE, CAROL);
        kl_tx_result result;
        kl_rule broken = KL_RULE_COUNT;
        CHECK(kl_exec_tx(w.exec, &tx, NULL, &result, &broken) == KL_IO);
        CHECK(broken == KL_RULE_COUNT);
        w.fail_with = KL_OK; /* the machine goes on with the next block */
        test_enter(&w);
        test_run(&w, &tx);
        test_world_done(&w);
    }
}
