/* tx_judge: may this transaction be in this block, now?
 *
 * What it says about itself is judged by types/intrinsic.h; here is what asks the block and the
 * sender.  Every check comes before the first change.  The order is geth's where it shows: funds
 * before intrinsic gas. */
#include "exec/exec_priv.h"
#include "types/intrinsic.h"

static kl_rule judge_nonce(u64 has, u64 wants)
{
    if (wants < has)
        return KL_RULE_TX_NONCE_LOW;
    return wants > has ? KL_RULE_TX_NONCE_HIGH : KL_RULE_NONE;
}

/* What the block asks per unit [EIP-1559, EIP-4844]. */
static kl_rule judge_prices(const struct kl_exec *exec, const kl_tx *tx)
{
    if (kl_u256_lt(tx->max_fee, exec->block.base_fee))
        return KL_RULE_TX_FEE_LOW;
    if (tx->type == KL_TX_BLOB && kl_u256_lt(tx->max_blob_fee, exec->block.blob_base_fee))
        return KL_RULE_TX_BLOB_FEE_LOW;
    return KL_RULE_NONE;
}

static kl_rule judge_room(const struct kl_exec *exec, const kl_tx *tx)
{
    if (tx->gas_limit > exec->block.gas_limit - exec->gas_used)
        return KL_RULE_BLOCK_GAS;
    if (kl_mul_sat_u64(tx->blob_count, KL_BLOB_GAS) > exec->blob_gas_limit - exec->blob_gas_used)
        return KL_RULE_BLOCK_BLOB_GAS;
    return KL_RULE_NONE;
}

/* What is free needs the value only. */
static kl_rule judge_funds(const kl_tx *tx, bool free, kl_u256 balance)
{
    kl_u256 cost = tx->value;
    if (!free && !kl_tx_cost(&cost, tx))
        return KL_RULE_TX_FUNDS;
    return kl_u256_lt(balance, cost) ? KL_RULE_TX_FUNDS : KL_RULE_NONE;
}

static kl_rule judge_tx(const struct kl_exec *exec, const kl_tx *tx, const kl_jaccount *sender,
                        bool sender_is_contract)
{
    if (tx->replay_safe && tx->chain_id != exec->block.chain_id)
        return KL_RULE_TX_CHAIN_ID;
    KL_JUDGE(judge_nonce(sender->now.nonce, tx->nonce));
    KL_JUDGE(kl_tx_judge_form(tx, exec->block.fork));
    KL_JUDGE(kl_tx_judge_limits(tx, exec->block.fork));
    if (sender_is_contract)
        return KL_RULE_TX_SENDER_CODE;
    KL_JUDGE(judge_prices(exec, tx));
    KL_JUDGE(judge_room(exec, tx));
    return judge_funds(tx, false, sender->now.balance);
}

static kl_rule judge_call(const struct kl_exec *exec, const kl_tx *tx,
                          const struct apply_mode *mode, const kl_jaccount *sender)
{
    KL_JUDGE(kl_tx_judge_form(tx, exec->block.fork));
    if (!mode->free && kl_u256_lt(tx->max_fee, tx->max_priority_fee))
        return KL_RULE_TX_TIP_HIGH;
    if (!mode->free)
        KL_JUDGE(judge_prices(exec, tx));
    return judge_funds(tx, mode->free, sender->now.balance);
}

kl_status kl_exec_judge(struct kl_exec *exec, const kl_tx *tx, const struct apply_mode *mode,
                        kl_jaccount *sender, u64 *gas, u64 *floor, kl_rule *broken)
{
    kl_span code;
    kl_address target;
    kl_rule rule;
    KL_TRY(kl_journal_code(exec->journal, sender, &code));
    /* [EIP-3607]; who is impersonated on a dev chain may be anybody */
    bool impersonated = exec->spec->dev && kl_tx_impersonates(tx, &target);
    bool sender_is_contract = code.len > 0 && !kl_delegation(&target, code) && !impersonated;
    if (mode->is_call)
        rule = judge_call(exec, tx, mode, sender);
    else
        rule = judge_tx(exec, tx, sender, sender_is_contract);
    *gas = kl_intrinsic_gas(tx, exec->block.fork);
    *floor = mode->no_floor ? 0 : kl_floor_gas(tx, exec->block.fork);
    if (rule == KL_RULE_NONE && tx->gas_limit < *gas)
        rule = KL_RULE_TX_INTRINSIC_GAS;
    if (rule == KL_RULE_NONE && tx->gas_limit < *floor)
        rule = KL_RULE_TX_FLOOR_GAS;
    *broken = rule;
    return KL_OK;
}
