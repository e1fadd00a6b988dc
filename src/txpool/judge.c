/* judge: what the pool asks of an arrival: what can be told from the transaction alone, then from
 * the head, then from the sender's account. */
#include "txpool/pool_priv.h"
#include "types/intrinsic.h"

static kl_rule judge_head(const struct kl_pool *pool, const kl_tx *tx)
{
    if (tx->replay_safe && tx->chain_id != pool->head.chain_id)
        return KL_RULE_TX_CHAIN_ID;
    if (tx->raw.len > pool->config.tx_bytes_max)
        return KL_RULE_POOL_SIZE;
    if (tx->gas_limit > pool->head.gas_limit)
        return KL_RULE_BLOCK_GAS;
    return KL_RULE_NONE;
}

static kl_rule judge_account(const struct kl_pool *pool, const kl_tx *tx,
                             const kl_pool_facts *facts)
{
    kl_u256 cost;
    if (tx->nonce < facts->nonce)
        return KL_RULE_TX_NONCE_LOW;
    if (tx->nonce - facts->nonce > pool->config.nonce_gap_max)
        return KL_RULE_TX_NONCE_HIGH;
    if (!kl_tx_cost(&cost, tx) || kl_u256_lt(facts->balance, cost))
        return KL_RULE_TX_FUNDS;
    return KL_RULE_NONE;
}

kl_rule kl_pool_judge(const struct kl_pool *pool, const kl_tx *tx, const kl_pool_facts *facts)
{
    if (tx->type == KL_TX_BLOB)
        return KL_RULE_POOL_BLOB;
    KL_JUDGE(kl_tx_judge_alone(tx, pool->head.fork));
    KL_JUDGE(judge_head(pool, tx));
    return judge_account(pool, tx, facts);
}
