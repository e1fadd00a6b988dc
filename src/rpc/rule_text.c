#include "rpc/rule_text.h"

#include <stdarg.h>
#include <stdio.h>

#include "crypto/address.h"
#include "evm/gas.h"
#include "types/intrinsic.h"

/* A number as text, for as long as the expression it stands in. */
struct decimal {
    char text[KL_U256_DECIMAL_MAX];
};

static struct decimal decimal(kl_u256 number)
{
    struct decimal d;
    (void)kl_u256_decimal(d.text, number);
    return d;
}

typedef unsigned long long llu;

/* The rule's own text with more behind it. */
static void put(char *out, kl_rule rule, const char *format, ...) KL_PRINTF(3, 4);

static void put(char *out, kl_rule rule, const char *format, ...)
{
    int head = snprintf(out, KL_RULE_TEXT_MAX, "%s", kl_rule_text(rule));
    va_list args;
    va_start(args, format);
    vsnprintf(out + head, (usize)(KL_RULE_TEXT_MAX - head), format, args);
    va_end(args);
}

static kl_u256 cost_of(const kl_tx *tx)
{
    kl_u256 cost;
    return kl_tx_cost(&cost, tx) ? cost : KL_U256_MAX;
}

/* What both have the same words for; false when rule is none of these. */
static bool put_common(char *out, const kl_tx_facts *facts, kl_rule rule, const char *address)
{
    const kl_tx *tx = facts->tx;
    if (rule == KL_RULE_TX_FEE_LOW)
        put(out, rule, ": address %s, maxFeePerGas: %s, baseFee: %s", address,
            decimal(tx->max_fee).text, decimal(facts->base_fee).text);
    else if (rule == KL_RULE_TX_TIP_HIGH)
        put(out, rule, ": address %s, maxPriorityFeePerGas: %s, maxFeePerGas: %s", address,
            decimal(tx->max_priority_fee).text, decimal(tx->max_fee).text);
    else if (rule == KL_RULE_TX_GAS_CAP)
        put(out, rule, " (cap: %llu, tx: %llu)", (llu)kl_tx_gas_max(facts->fork),
            (llu)tx->gas_limit);
    else if (rule == KL_RULE_TX_INIT_CODE_SIZE)
        put(out, rule, ": code size %zu limit %u", tx->data.len,
            kl_init_code_size_limit(facts->fork));
    else if (rule == KL_RULE_TX_CHAIN_ID)
        put(out, rule, ": have %llu want %llu", (llu)tx->chain_id, (llu)facts->chain_id);
    else
        return false;
    return true;
}

/* The index of the first blob whose hash is of no known version [EIP-4844]. */
static usize bad_version(const kl_tx *tx)
{
    usize i = 0;
    while (i < tx->blob_count && tx->blob_hashes[i].b[0] == 0x01)
        i++;
    return i;
}

/* What only executing has words for, of the sender's account and of blobs; false when rule is none
 * of these. */
static bool put_run(char *out, const kl_tx_facts *facts, kl_rule rule, const char *address)
{
    const kl_tx *tx = facts->tx;
    if (rule == KL_RULE_TX_NONCE_LOW || rule == KL_RULE_TX_NONCE_HIGH)
        put(out, rule, ": address %s, tx: %llu state: %llu", address, (llu)tx->nonce,
            (llu)facts->nonce);
    else if (rule == KL_RULE_TX_NONCE_MAX)
        put(out, rule, ": address %s, nonce: %llu", address, (llu)facts->nonce);
    else if (rule == KL_RULE_TX_SENDER_CODE)
        put(out, rule, ": address %s, len(code): %zu", address, facts->code_len);
    else if (rule == KL_RULE_TX_BLOB_FEE_LOW)
        put(out, rule, ": address %s blobGasFeeCap: %s, blobBaseFee: %s", address,
            decimal(tx->max_blob_fee).text, decimal(facts->blob_fee).text);
    else if (rule == KL_RULE_BLOCK_GAS)
        snprintf(out, KL_RULE_TEXT_MAX, "gas limit reached");
    else if (rule == KL_RULE_TX_BLOB_VERSION)
        snprintf(out, KL_RULE_TEXT_MAX, "blob %zu has invalid hash version", bad_version(tx));
    else if (rule == KL_RULE_TX_AUTH_CREATE || rule == KL_RULE_TX_AUTH_EMPTY)
        put(out, rule, " (sender %s)", address);
    else
        return false;
    return true;
}

void kl_rule_text_run(char out[KL_RULE_TEXT_MAX], const kl_tx_facts *facts, kl_rule rule)
{
    const kl_tx *tx = facts->tx;
    char address[43];
    kl_address_text(address, &tx->sender);
    if (rule == KL_RULE_TX_FUNDS)
        put(out, rule, ": address %s have %s want %s", address, decimal(facts->balance).text,
            decimal(cost_of(tx)).text);
    else if (rule == KL_RULE_TX_INTRINSIC_GAS)
        put(out, rule, ": have %llu, want %llu", (llu)tx->gas_limit,
            (llu)kl_intrinsic_gas(tx, facts->fork));
    else if (rule == KL_RULE_TX_FLOOR_GAS)
        put(out, rule, ": have %llu, want %llu", (llu)tx->gas_limit,
            (llu)kl_floor_gas(tx, facts->fork));
    else if (!put_run(out, facts, rule, address) && !put_common(out, facts, rule, address))
        put(out, rule, "%s", "");
}

/* The rest are those whose numbers are a moment younger than the verdict; they are left out where
 * they no longer say why. */
void kl_rule_text_pool(char out[KL_RULE_TEXT_MAX], const kl_tx_facts *facts, kl_rule rule)
{
    const kl_tx *tx = facts->tx;
    kl_u256 cost = cost_of(tx);
    char address[43];
    kl_address_text(address, &tx->sender);
    if (rule == KL_RULE_TX_NONCE_LOW && tx->nonce < facts->nonce)
        put(out, rule, ": next nonce %llu, tx nonce %llu", (llu)facts->nonce, (llu)tx->nonce);
    else if (rule == KL_RULE_TX_NONCE_HIGH && tx->nonce > facts->nonce)
        put(out, rule, ": tx nonce %llu, account nonce %llu", (llu)tx->nonce, (llu)facts->nonce);
    else if (rule == KL_RULE_TX_FUNDS && kl_u256_lt(facts->balance, cost))
        put(out, rule, ": balance %s, tx cost %s, overshot %s", decimal(facts->balance).text,
            decimal(cost).text, decimal(kl_u256_sub(cost, facts->balance)).text);
    else if (rule == KL_RULE_TX_INTRINSIC_GAS)
        put(out, rule, ": gas %llu, minimum needed %llu", (llu)tx->gas_limit,
            (llu)kl_intrinsic_gas(tx, facts->fork));
    else if (rule == KL_RULE_TX_FLOOR_GAS)
        put(out, rule, ": gas %llu, minimum needed %llu", (llu)tx->gas_limit,
            (llu)kl_floor_gas(tx, facts->fork));
    else if (!put_common(out, facts, rule, address))
        put(out, rule, "%s", "");
}
