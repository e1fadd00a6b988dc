#include "types/intrinsic.h"

#include "base/test.h"

static const u8 data[] = {0, 1, 0, 2, 3};

/* A call with two zero and three other bytes of data. */
static kl_tx sample(void)
{
    return (kl_tx){.has_to = true, .gas_limit = 1000000, .data = KL_SPAN_OF(data)};
}

KL_TEST(intrinsic_gas_by_fork)
{
    kl_tx call = sample(), create = sample();
    create.has_to = false;
    CHECK_U64(kl_intrinsic_gas(&call, KL_FRONTIER), 21000 + 2 * 4 + 3 * 68);
    CHECK_U64(kl_intrinsic_gas(&call, KL_PETERSBURG), 21000 + 2 * 4 + 3 * 68);
    CHECK_U64(kl_intrinsic_gas(&call, KL_ISTANBUL), 21000 + 2 * 4 + 3 * 16);
    CHECK_U64(kl_intrinsic_gas(&create, KL_FRONTIER), 21000 + 2 * 4 + 3 * 68);
    CHECK_U64(kl_intrinsic_gas(&create, KL_HOMESTEAD), 53000 + 2 * 4 + 3 * 68);
    CHECK_U64(kl_intrinsic_gas(&create, KL_PARIS), 53000 + 2 * 4 + 3 * 16);
    CHECK_U64(kl_intrinsic_gas(&create, KL_SHANGHAI), 53000 + 2 * 4 + 3 * 16 + 2);
    CHECK_U64(kl_intrinsic_gas(&call, KL_SHANGHAI), 21000 + 2 * 4 + 3 * 16);
    static u8 code[33];
    create.data = KL_SPAN_OF(code);
    CHECK_U64(kl_intrinsic_gas(&create, KL_SHANGHAI), 53000 + 33 * 4 + 4);
}

KL_TEST(intrinsic_gas_of_lists)
{
    kl_hash slots[3] = {0};
    kl_access access[2] = {{.slots = slots, .slot_count = 3}, {.slot_count = 0}};
    kl_authorization authorizations[2] = {0};
    kl_tx tx = {.type = KL_TX_SET_CODE, .has_to = true};
    tx.access_list = access;
    tx.access_count = 2;
    CHECK_U64(kl_intrinsic_gas(&tx, KL_PRAGUE), 21000 + 2 * 2400 + 3 * 1900);
    tx.authorizations = authorizations;
    tx.authorization_count = 2;
    CHECK_U64(kl_intrinsic_gas(&tx, KL_PRAGUE), 21000 + 2 * 2400 + 3 * 1900 + 2 * 25000);
    access[1].slot_count = SIZE_MAX;
    CHECK(kl_intrinsic_gas(&tx, KL_PRAGUE) == UINT64_MAX);
}

KL_TEST(intrinsic_floor_begins_with_prague)
{
    kl_tx tx = sample();
    CHECK_U64(kl_floor_gas(&tx, KL_CANCUN), 0);
    CHECK_U64(kl_floor_gas(&tx, KL_PRAGUE), 21000 + 10 * (2 + 3 * 4));
    tx.data = KL_SPAN_NONE;
    CHECK_U64(kl_floor_gas(&tx, KL_OSAKA), 21000);
}

KL_TEST(intrinsic_judges_a_tx_alone)
{
    kl_tx good = sample(), tx = good;
    CHECK_RULE(kl_tx_judge_alone(&tx, KL_OSAKA), KL_RULE_NONE);
    tx.nonce = UINT64_MAX;
    CHECK_RULE(kl_tx_judge_alone(&tx, KL_FRONTIER), KL_RULE_TX_NONCE_MAX);
    tx = good;
    tx.gas_limit = (1 << 24) + 1;
    CHECK_RULE(kl_tx_judge_alone(&tx, KL_PRAGUE), KL_RULE_NONE);
    CHECK_RULE(kl_tx_judge_alone(&tx, KL_OSAKA), KL_RULE_TX_GAS_CAP);
    tx.gas_limit--;
    CHECK_RULE(kl_tx_judge_alone(&tx, KL_OSAKA), KL_RULE_NONE);
    tx = good;
    tx.max_priority_fee = KL_U256_ONE;
    CHECK_RULE(kl_tx_judge_alone(&tx, KL_OSAKA), KL_RULE_TX_TIP_HIGH);
    tx = good;
    tx.gas_limit = 21000 + 10 * 14 - 1;
    CHECK_RULE(kl_tx_judge_alone(&tx, KL_CANCUN), KL_RULE_NONE);
    CHECK_RULE(kl_tx_judge_alone(&tx, KL_PRAGUE), KL_RULE_TX_FLOOR_GAS);
    tx.gas_limit = 21000 + 2 * 4 + 3 * 16 - 1;
    CHECK_RULE(kl_tx_judge_alone(&tx, KL_CANCUN), KL_RULE_TX_INTRINSIC_GAS);
    tx = good;
    tx.type = 5;
    CHECK_RULE(kl_tx_judge_alone(&tx, KL_FORK_NEWEST), KL_RULE_TX_TYPE);
    tx = good;
    tx.value = KL_U256_MAX;
    CHECK_RULE(kl_tx_judge_alone(&tx, KL_OSAKA), KL_RULE_NONE);
    tx.max_fee = KL_U256_ONE;
    CHECK_RULE(kl_tx_judge_alone(&tx, KL_OSAKA), KL_RULE_TX_FUNDS);
}

KL_TEST(intrinsic_judges_the_chain_id_of_legacy_transactions)
{
    kl_tx tx = {.type = KL_TX_LEGACY, .has_to = true, .gas_limit = 21000};
    CHECK_RULE(kl_tx_judge_limits(&tx, KL_TANGERINE), KL_RULE_NONE);
    tx.replay_safe = true;
    tx.chain_id = 1;
    CHECK_RULE(kl_tx_judge_limits(&tx, KL_TANGERINE), KL_RULE_TX_SIGNATURE);
    CHECK_RULE(kl_tx_judge_limits(&tx, KL_SPURIOUS), KL_RULE_NONE);
}

KL_TEST(intrinsic_judges_init_code)
{
    static u8 code[49153];
    kl_tx tx = {.gas_limit = 10000000, .data = KL_SPAN_OF(code)};
    CHECK_RULE(kl_tx_judge_alone(&tx, KL_PARIS), KL_RULE_NONE);
    CHECK_RULE(kl_tx_judge_alone(&tx, KL_SHANGHAI), KL_RULE_TX_INIT_CODE_SIZE);
    tx.data.len--;
    CHECK_RULE(kl_tx_judge_alone(&tx, KL_SHANGHAI), KL_RULE_NONE);
    tx.data.len++;
    tx.has_to = true;
    CHECK_RULE(kl_tx_judge_alone(&tx, KL_SHANGHAI), KL_RULE_NONE);
}

KL_TEST(intrinsic_judges_blobs_and_authorizations)
{
    kl_hash hashes[7] = {0};
    for (usize i = 0; i < KL_COUNT_OF(hashes); i++)
        hashes[i].b[0] = 1;
    kl_tx tx = {.type = KL_TX_BLOB, .gas_limit = 100000, .blob_hashes = hashes, .blob_count = 6};
    CHECK_RULE(kl_tx_judge_alone(&tx, KL_OSAKA), KL_RULE_TX_BLOB_CREATE);
    tx.has_to = true;
    CHECK_RULE(kl_tx_judge_alone(&tx, KL_SHANGHAI), KL_RULE_TX_TYPE);
    CHECK_RULE(kl_tx_judge_alone(&tx, KL_OSAKA), KL_RULE_NONE);
    tx.blob_count = 7;
    CHECK_RULE(kl_tx_judge_alone(&tx, KL_PRAGUE), KL_RULE_NONE);
    CHECK_RULE(kl_tx_judge_alone(&tx, KL_OSAKA), KL_RULE_TX_BLOB_COUNT);
    hashes[6].b[0] = 2;
    CHECK_RULE(kl_tx_judge_alone(&tx, KL_PRAGUE), KL_RULE_TX_BLOB_VERSION);
    tx.blob_count = 0;
    CHECK_RULE(kl_tx_judge_alone(&tx, KL_PRAGUE), KL_RULE_TX_BLOB_EMPTY);
    tx.blob_count = 6;
    tx.max_blob_fee = KL_U256_MAX;
    CHECK_RULE(kl_tx_judge_alone(&tx, KL_PRAGUE), KL_RULE_TX_FUNDS);

    kl_authorization one[1] = {0};
    kl_tx set = {.type = KL_TX_SET_CODE, .gas_limit = 100000, .authorizations = one};
    set.authorization_count = 1;
    CHECK_RULE(kl_tx_judge_alone(&set, KL_PRAGUE), KL_RULE_TX_AUTH_CREATE);
    set.has_to = true;
    CHECK_RULE(kl_tx_judge_alone(&set, KL_PRAGUE), KL_RULE_NONE);
    set.authorization_count = 0;
    CHECK_RULE(kl_tx_judge_alone(&set, KL_PRAGUE), KL_RULE_TX_AUTH_EMPTY);
}
