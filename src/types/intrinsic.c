#include "types/intrinsic.h"

enum {
    TX_GAS = 21000,
    CREATE_GAS = 32000, /* [EIP-2] */
    ZERO_BYTE_GAS = 4,
    BYTE_GAS_FRONTIER = 68,
    BYTE_GAS = 16,             /* [EIP-2028] */
    INIT_WORD_GAS = 2,         /* [EIP-3860] */
    ACCESS_ADDRESS_GAS = 2400, /* [EIP-2930] */
    ACCESS_SLOT_GAS = 1900,
    AUTHORIZATION_GAS = 25000, /* PER_EMPTY_ACCOUNT_COST [EIP-7702] */
    FLOOR_TOKEN_GAS = 10,      /* [EIP-7623] */
    BYTE_TOKENS = 4,
    INIT_CODE_MAX = 49152,   /* [EIP-3860] */
    GAS_LIMIT_MAX = 1 << 24, /* [EIP-7825] */
    BLOBS_MAX = 6,           /* [EIP-7594] */
    BLOB_GAS = 131072,       /* [EIP-4844] */
    BLOB_HASH_VERSION = 1,
};

static u64 count_zeros(kl_span data)
{
    u64 zeros = 0;
    for (usize i = 0; i < data.len; i++)
        zeros += data.p[i] == 0;
    return zeros;
}

static u64 add_times(u64 sum, u64 count, u64 price)
{
    return kl_add_sat_u64(sum, kl_mul_sat_u64(count, price));
}

u64 kl_intrinsic_gas(const kl_tx *tx, kl_fork fork)
{
    u64 gas = TX_GAS, zeros = count_zeros(tx->data);
    gas = add_times(gas, zeros, ZERO_BYTE_GAS);
    gas = add_times(gas, tx->data.len - zeros, fork >= KL_ISTANBUL ? BYTE_GAS : BYTE_GAS_FRONTIER);
    if (!tx->has_to && fork >= KL_HOMESTEAD)
        gas = kl_add_sat_u64(gas, CREATE_GAS);
    if (!tx->has_to && fork >= KL_SHANGHAI)
        gas = add_times(gas, kl_words(tx->data.len), INIT_WORD_GAS);
    gas = add_times(gas, tx->access_count, ACCESS_ADDRESS_GAS);
    for (usize i = 0; i < tx->access_count; i++)
        gas = add_times(gas, tx->access_list[i].slot_count, ACCESS_SLOT_GAS);
    return add_times(gas, tx->authorization_count, AUTHORIZATION_GAS);
}

u64 kl_floor_gas(const kl_tx *tx, kl_fork fork)
{
    if (fork < KL_PRAGUE)
        return 0;
    u64 zeros = count_zeros(tx->data);
    u64 tokens = add_times(zeros, tx->data.len - zeros, BYTE_TOKENS);
    return add_times(TX_GAS, tokens, FLOOR_TOKEN_GAS);
}

u64 kl_tx_gas_max(kl_fork fork)
{
    return fork >= KL_OSAKA ? GAS_LIMIT_MAX : UINT64_MAX;
}

static kl_rule judge_blobs(const kl_tx *tx, kl_fork fork)
{
    if (!tx->has_to)
        return KL_RULE_TX_BLOB_CREATE;
    if (tx->blob_count == 0)
        return KL_RULE_TX_BLOB_EMPTY;
    if (fork >= KL_OSAKA && tx->blob_count > BLOBS_MAX)
        return KL_RULE_TX_BLOB_COUNT;
    for (usize i = 0; i < tx->blob_count; i++)
        if (tx->blob_hashes[i].b[0] != BLOB_HASH_VERSION)
            return KL_RULE_TX_BLOB_VERSION;
    return KL_RULE_NONE;
}

static kl_rule judge_set_code(const kl_tx *tx)
{
    if (!tx->has_to)
        return KL_RULE_TX_AUTH_CREATE;
    return tx->authorization_count ? KL_RULE_NONE : KL_RULE_TX_AUTH_EMPTY;
}

bool kl_tx_cost(kl_u256 *out, const kl_tx *tx)
{
    kl_u256 gas, blobs, sum;
    kl_u256 blob_gas = kl_u256_of(kl_mul_sat_u64(tx->blob_count, BLOB_GAS));
    bool over = kl_u256_mul_over(&gas, kl_u256_of(tx->gas_limit), tx->max_fee);
    over |= kl_u256_mul_over(&blobs, blob_gas, tx->max_blob_fee);
    over |= kl_u256_add_over(&sum, gas, tx->value);
    over |= kl_u256_add_over(&sum, sum, blobs);
    if (over)
        return false;
    *out = sum;
    return true;
}

kl_rule kl_tx_judge_form(const kl_tx *tx, kl_fork fork)
{
    if (!kl_tx_type_known(tx->type, fork))
        return KL_RULE_TX_TYPE;
    if (tx->type == KL_TX_BLOB)
        KL_JUDGE(judge_blobs(tx, fork));
    if (tx->type == KL_TX_SET_CODE)
        KL_JUDGE(judge_set_code(tx));
    if (!tx->has_to && fork >= KL_SHANGHAI && tx->data.len > INIT_CODE_MAX)
        return KL_RULE_TX_INIT_CODE_SIZE;
    return KL_RULE_NONE;
}

kl_rule kl_tx_judge_limits(const kl_tx *tx, kl_fork fork)
{
    if (tx->type == KL_TX_LEGACY && tx->replay_safe && fork < KL_SPURIOUS) /* [EIP-155] */
        return KL_RULE_TX_SIGNATURE;
    if (tx->nonce == UINT64_MAX) /* [EIP-2681] */
        return KL_RULE_TX_NONCE_MAX;
    if (tx->gas_limit > kl_tx_gas_max(fork))
        return KL_RULE_TX_GAS_CAP;
    return kl_u256_lt(tx->max_fee, tx->max_priority_fee) ? KL_RULE_TX_TIP_HIGH : KL_RULE_NONE;
}

kl_rule kl_tx_judge_alone(const kl_tx *tx, kl_fork fork)
{
    kl_u256 cost;
    KL_JUDGE(kl_tx_judge_form(tx, fork));
    KL_JUDGE(kl_tx_judge_limits(tx, fork));
    if (!kl_tx_cost(&cost, tx))
        return KL_RULE_TX_FUNDS;
    if (tx->gas_limit < kl_intrinsic_gas(tx, fork))
        return KL_RULE_TX_INTRINSIC_GAS;
    return tx->gas_limit < kl_floor_gas(tx, fork) ? KL_RULE_TX_FLOOR_GAS : KL_RULE_NONE;
}
