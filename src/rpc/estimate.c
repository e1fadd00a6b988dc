/* estimate: what a message uses is no limit it succeeds under: refunds come only at the end, and of
 * each call's gas a 64th stays behind [EIP-150].  The first run, with all the gas there may be,
 * tells whether it can succeed at all and bounds the answer from below; the second tries what is
 * right for nearly all messages; a search between failing and succeeding limits does the rest, and
 * ends when they are as near as geth's default asks. */
#include "rpc/estimate.h"

#include "types/intrinsic.h"

enum {
    TX_GAS = 21000,
    STIPEND = 2300, /* [YP appendix G] */
    /* The answer may be too high by 1.5 %: wallets add more than that by themselves. */
    ERROR_PART = 1000,
    ERROR_OF = 15,
};

struct trial {
    struct kl_call_env *env;
    kl_tx tx;
    kl_tx_result result;
    kl_rule broken; /* by the last run; KL_RULE_NONE: there is a result */
};

/* Runs with this limit on a state of its own.  False when there is no point in another limit. */
static bool run(struct trial *t, u64 limit, bool *failed)
{
    t->tx.gas_limit = limit;
    if (!kl_call_env_enter(t->env) ||
        !kl_call_env_try(t->env, &t->tx, NULL, &t->result, &t->broken))
        return false;
    bool too_low = t->broken == KL_RULE_TX_INTRINSIC_GAS || t->broken == KL_RULE_TX_FLOOR_GAS;
    if (t->broken != KL_RULE_NONE && !too_low) {
        char text[KL_RULE_TEXT_MAX];
        kl_call_env_rule_text(t->env, &t->tx, t->broken, text);
        return kl_rpc_fail(t->env->call, KL_RPC_INPUT, "failed with %llu gas: %s",
                           (unsigned long long)limit, text);
    }
    *failed = too_low || t->result.halt != KL_HALT_NONE;
    return true;
}

static bool sender_balance(struct trial *t, kl_u256 *out)
{
    kl_jaccount *sender;
    if (!kl_call_env_enter(t->env) ||
        !kl_rpc_ok(t->env->call,
                   kl_journal_account(kl_exec_journal(t->env->exec), &t->tx.sender, &sender)))
        return false;
    *out = sender->now.balance;
    return true;
}

/* The most gas the sender's balance can buy at the message's price. */
static bool cap_by_balance(struct trial *t, u64 *limit)
{
    kl_u256 balance, left, blobs, gas;
    const kl_tx *tx = &t->tx;
    if (kl_u256_is_zero(tx->max_fee))
        return true;
    if (!sender_balance(t, &balance))
        return false;
    if (!kl_u256_lt(tx->value, balance))
        return kl_rpc_fail(t->env->call, KL_RPC_INPUT, "insufficient funds for transfer");
    left = kl_u256_sub(balance, tx->value);
    bool too_much = kl_u256_mul_over(&blobs, tx->max_blob_fee, kl_u256_of(tx->blob_count << 17));
    if (too_much || !kl_u256_lt(blobs, left))
        return kl_rpc_fail(t->env->call, KL_RPC_INPUT, "%s", kl_rule_text(KL_RULE_TX_FUNDS));
    gas = kl_u256_div(kl_u256_sub(left, blobs), tx->max_fee);
    *limit = KL_MIN(*limit, kl_u256_sat_u64(gas));
    return true;
}

static bool highest_limit(struct trial *t, const kl_tx_args *args, u64 *out)
{
    const struct kl_call_env *env = t->env;
    u64 limit = args->has_gas && args->gas >= TX_GAS ? args->gas : env->header.gas_limit;
    limit = KL_MIN(limit, kl_tx_gas_max(kl_exec_fork(env->block.spec, &env->header)));
    if (!cap_by_balance(t, &limit))
        return false;
    *out = KL_MIN(limit, env->call->config->limits.call_gas);
    return true;
}

/* Is it a transfer of value to an account without code? */
static bool is_plain(struct trial *t, bool *out)
{
    kl_jaccount *to;
    *out = false;
    if (t->tx.data.len || !t->tx.has_to)
        return true;
    if (!kl_call_env_enter(t->env) ||
        !kl_rpc_ok(t->env->call, kl_journal_account(kl_exec_journal(t->env->exec), &t->tx.to, &to)))
        return false;
    kl_span code;
    if (!kl_rpc_ok(t->env->call, kl_journal_code(kl_exec_journal(t->env->exec), to, &code)))
        return false;
    *out = code.len == 0;
    return true;
}

/* The message fails with all the gas it may have. */
static bool fail_for_good(struct trial *t, u64 limit)
{
    if (t->broken == KL_RULE_NONE && !kl_halt_is_gas(t->result.halt))
        return kl_call_env_fail_halt(t->env, &t->result);
    return kl_rpc_fail(t->env->call, KL_RPC_INPUT, "gas required exceeds allowance (%llu)",
                       (unsigned long long)limit);
}

/* low fails or is what was used less one, high succeeds. */
static bool search(struct trial *t, u64 low, u64 high, u64 *out)
{
    bool failed;
    while (low + 1 < high && (u128)(high - low) * ERROR_PART >= (u128)high * ERROR_OF) {
        u64 middle = low + (high - low) / 2;
        middle = KL_MIN(middle, kl_mul_sat_u64(low, 2)); /* the answer is rarely far above */
        middle = KL_MAX(middle, low + 1);
        if (!run(t, middle, &failed))
            return false;
        if (failed)
            low = middle;
        else
            high = middle;
    }
    *out = high;
    return true;
}

bool kl_rpc_estimate_gas(struct kl_call_env *env, const kl_tx_args *args, u64 *out)
{
    struct trial t = {.env = env};
    u64 low, high;
    bool plain, failed;
    if (!kl_call_env_tx(env, args, &t.tx) || !highest_limit(&t, args, &high) ||
        !is_plain(&t, &plain))
        return false;
    if (plain && run(&t, TX_GAS, &failed) && !failed) {
        *out = TX_GAS;
        return true;
    }
    if (!run(&t, high, &failed))
        return false;
    if (failed)
        return fail_for_good(&t, high);
    low = t.result.gas_used - 1;
    u64 likely = (t.result.gas_used + t.result.refund + STIPEND) * 64 / 63;
    if (likely < high) {
        if (!run(&t, likely, &failed))
            return false;
        if (failed)
            low = likely;
        else
            high = likely;
    }
    return search(&t, low, high, out);
}
