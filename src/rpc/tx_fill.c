#include "rpc/tx_fill.h"

#include "crypto/keccak.h"
#include "rpc/estimate.h"
#include "rpc/fee.h"
#include "rpc/next_header.h"

typedef unsigned long long llu;

static bool fill_sender(struct kl_rpc_call *call, const kl_tx_args *args, kl_tx *tx)
{
    const struct kl_rpc_backend_ops *ops = call->backend->ops;
    if (!args->has_from && ops->account_count(call->backend) == 0)
        return kl_rpc_fail(call, KL_RPC_INPUT, "unknown account");
    tx->sender = args->has_from ? args->from : ops->account(call->backend, 0);
    tx->has_sender = true;
    return true;
}

static bool fill_chain_id(struct kl_rpc_call *call, const kl_tx_args *args, kl_tx *tx)
{
    u64 want = kl_chain_spec(call->backend->ops->chain(call->backend))->chain_id;
    if (args->has_chain_id && args->chain_id != want)
        return kl_rpc_fail(call, KL_RPC_INPUT,
                           "chainId does not match node's (have=%llu, want=%llu)",
                           (llu)args->chain_id, (llu)want);
    tx->chain_id = want;
    return true;
}

static bool fill_nonce(struct kl_rpc_call *call, const kl_tx_args *args, kl_tx *tx)
{
    struct kl_reader *reader = kl_rpc_reader(call);
    kl_hash hash = kl_keccak256(kl_address_span(&tx->sender));
    kl_account account;
    bool exists;
    tx->nonce = args->nonce;
    if (args->has_nonce)
        return true;
    if (!reader ||
        !kl_rpc_ok(call, kl_view_account(kl_reader_view(reader), &hash, &account, &exists)))
        return false;
    tx->nonce = call->backend->ops->next_nonce(call->backend, &tx->sender, account.nonce);
    return true;
}

static bool fill_dynamic_fees(struct kl_rpc_call *call, const kl_tx_args *args, kl_u256 base_fee,
                              kl_tx *tx)
{
    kl_u256 tip = args->max_priority_fee;
    if (!args->has_max_priority_fee) {
        if (!kl_rpc_suggest_tip(call, &tip))
            return false;
        if (args->has_max_fee && kl_u256_lt(args->max_fee, tip))
            tip = args->max_fee;
    }
    tx->max_priority_fee = tip;
    tx->max_fee =
        args->has_max_fee ? args->max_fee : kl_u256_add(tip, kl_u256_add(base_fee, base_fee));
    if (kl_u256_lt(tx->max_fee, tip)) {
        char fee[KL_U256_DECIMAL_MAX], wanted[KL_U256_DECIMAL_MAX];
        (void)kl_u256_decimal(fee, tx->max_fee);
        (void)kl_u256_decimal(wanted, tip);
        return kl_rpc_fail(call, KL_RPC_INPUT, "maxFeePerGas (%s) < maxPriorityFeePerGas (%s)", fee,
                           wanted);
    }
    return true;
}

/* Fees, and with them the type. */
static bool fill_fees(struct kl_rpc_call *call, const kl_tx_args *args, kl_tx *tx)
{
    struct kl_reader *reader = kl_rpc_reader(call);
    kl_header next;
    kl_u256 tip = KL_U256_ZERO;
    if (!reader)
        return false;
    kl_rpc_next_header(call, kl_reader_tip(reader), &next);
    const kl_spec *spec = kl_chain_spec(call->backend->ops->chain(call->backend));
    kl_fork fork = kl_spec_fork(spec, next.number, next.timestamp);
    if (args->has_blob_hashes)
        return kl_rpc_fail_rule(call, KL_RULE_POOL_BLOB);
    if (fork >= KL_LONDON && !args->has_gas_price) {
        tx->type = args->has_authorizations ? KL_TX_SET_CODE : KL_TX_DYNAMIC_FEE;
        tx->replay_safe = true;
        return fill_dynamic_fees(call, args, next.base_fee, tx);
    }
    if (args->has_max_fee || args->has_max_priority_fee)
        return kl_rpc_fail(call, KL_RPC_INPUT,
                           "maxFeePerGas and maxPriorityFeePerGas are not valid before London is "
                           "active");
    if (!args->has_gas_price && !kl_rpc_suggest_tip(call, &tip))
        return false;
    tx->type = args->has_authorizations ? KL_TX_SET_CODE
               : args->has_access_list  ? KL_TX_ACCESS_LIST
                                        : KL_TX_LEGACY;
    tx->max_fee = args->has_gas_price ? args->gas_price : kl_u256_add(next.base_fee, tip);
    tx->max_priority_fee = tx->max_fee;
    tx->replay_safe = tx->type != KL_TX_LEGACY || fork >= KL_SPURIOUS; /* [EIP-155] */
    if (!tx->replay_safe)
        tx->chain_id = 0;
    return true;
}

static bool fill_gas(struct kl_rpc_call *call, const kl_tx_args *args, kl_tx *tx)
{
    KL_CLEANUP(kl_call_env_done) struct kl_call_env env = {0};
    static const kl_block_ref pending = {.kind = KL_BLOCK_PENDING};
    static const kl_arg none = {.ref = KL_JSON_NONE};
    kl_tx_args message = *args;
    message.from = tx->sender;
    tx->gas_limit = args->gas;
    return args->has_gas || (kl_call_env_open_at(call, &pending, none, none, &env) &&
                             kl_rpc_estimate_gas(&env, &message, &tx->gas_limit));
}

bool kl_rpc_fill_tx(struct kl_rpc_call *call, const kl_tx_args *args, kl_tx *out)
{
    kl_tx tx = {
        .has_to = args->has_to,
        .to = args->to,
        .value = args->value,
        .data = args->data,
        .access_list = args->access_list,
        .access_count = args->access_count,
        .authorizations = args->authorizations,
        .authorization_count = args->authorization_count,
    };
    if (!args->has_to && args->data.len == 0)
        return kl_rpc_fail(call, KL_RPC_INPUT, "contract creation without any data provided");
    /* the nonce last: the sooner it is used, the fewer others choose the same */
    if (!fill_sender(call, args, &tx) || !fill_chain_id(call, args, &tx) ||
        !fill_fees(call, args, &tx) || !fill_gas(call, args, &tx) || !fill_nonce(call, args, &tx))
        return false;
    *out = tx;
    return true;
}

/* May this account's transactions come without a signature? */
static bool is_impersonated(struct kl_rpc_call *call, const kl_address *address)
{
    struct kl_tip *tip = kl_chain_published(call->backend->ops->chain(call->backend));
    bool is = call->config->dev && tip->dev && kl_dev_impersonated(&tip->dev->env, address);
    kl_tip_unref(tip);
    return is;
}

bool kl_rpc_seal_tx(struct kl_rpc_call *call, kl_tx *tx)
{
    kl_tx sealed;
    kl_rule broken;
    kl_out count = kl_out_counter();
    kl_tx_encode(&count, tx);
    u8 *room = KL_TAKE(call->arena, u8, count.len);
    if (!room)
        return kl_rpc_ok(call, KL_NOMEM);
    kl_out out = kl_out_of(room, count.len);
    kl_tx_encode(&out, tx);
    if (!kl_rpc_ok(call,
                   kl_tx_decode(&sealed, kl_out_done(&out), KL_FORK_NEWEST, call->arena, &broken)))
        return false;
    if (broken != KL_RULE_NONE) /* no such transaction can be: a creation with authorizations */
        return kl_rpc_fail_rule(call, broken);
    sealed.sender = tx->sender;
    sealed.has_sender = true;
    kl_tx_recover_authorities(&sealed);
    *tx = sealed;
    return true;
}

bool kl_rpc_sign_tx(struct kl_rpc_call *call, kl_tx *tx)
{
    kl_hash digest;
    if (!kl_rpc_ok(call, kl_tx_signing_hash(&digest, tx, call->arena)))
        return false;
    if (!call->backend->ops->sign(call->backend, &tx->sender, &digest, &tx->signature)) {
        if (!is_impersonated(call, &tx->sender))
            return kl_rpc_fail(call, KL_RPC_INPUT, "unknown account");
        tx->signature = (kl_signature){.r = kl_u256_from_address(&tx->sender)};
    }
    return kl_rpc_seal_tx(call, tx);
}
