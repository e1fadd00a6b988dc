/* The chain as a whole: going back to a snapshot, and what the blocks to come are to be like. */
#include "rpc/dev_priv.h"
#include "rpc/method.h"

bool kl_rpc_dev_snapshot(struct kl_rpc_call *call)
{
    kl_devop op = {.kind = KL_DEVOP_SNAPSHOT};
    if (!kl_rpc_dev_apply(call, &op))
        return false;
    kl_json_put_quantity(call->out, op.number);
    return true;
}

/* Whether there was such a snapshot; it is used up, and so are those taken behind it. */
bool kl_rpc_dev_revert(struct kl_rpc_call *call)
{
    kl_devop op = {.kind = KL_DEVOP_REVERT};
    kl_u256 id;
    kl_rule broken = KL_RULE_DEV_SNAPSHOT;
    if (!kl_arg_number_u256(call, kl_arg_at(call, 0), &id))
        return false;
    if (kl_u256_to_u64(&op.number, id) && op.number != KL_DEV_GENESIS_SNAPSHOT &&
        !kl_rpc_ok(call, call->backend->ops->dev(call->backend, &op, &broken)))
        return false;
    if (broken != KL_RULE_NONE && broken != KL_RULE_DEV_SNAPSHOT)
        return kl_rpc_fail_rule(call, broken);
    kl_json_put_bool(call->out, broken == KL_RULE_NONE);
    return true;
}

/* Back to the genesis, with an empty pool. */
bool kl_rpc_dev_reset(struct kl_rpc_call *call)
{
    kl_devop op = {.kind = KL_DEVOP_REVERT, .number = KL_DEV_GENESIS_SNAPSHOT};
    kl_arg options = kl_arg_at(call, 0);
    if (kl_arg_there(kl_arg_member(call, options, "forking")) ||
        kl_arg_there(kl_arg_member(call, options, "jsonRpcUrl")))
        return kl_arg_fail(call, options, "forking is not supported");
    call->backend->ops->pool_clear(call->backend);
    return kl_rpc_dev_done(call, &op);
}

bool kl_rpc_dev_set_gas_limit(struct kl_rpc_call *call)
{
    kl_devop op = {.kind = KL_DEVOP_GAS_LIMIT};
    kl_u256 limit;
    if (!kl_arg_number_u256(call, kl_arg_at(call, 0), &limit))
        return false;
    op.number = KL_MIN(kl_u256_sat_u64(limit), (u64)INT64_MAX); /* what the EVM can count */
    if (!kl_rpc_dev_apply(call, &op))
        return false;
    kl_json_put_bool(call->out, true);
    return true;
}

bool kl_rpc_dev_set_coinbase(struct kl_rpc_call *call)
{
    kl_devop op = {.kind = KL_DEVOP_COINBASE};
    return kl_arg_address(call, kl_arg_at(call, 0), &op.address) && kl_rpc_dev_done(call, &op);
}

bool kl_rpc_dev_set_next_base_fee(struct kl_rpc_call *call)
{
    kl_devop op = {.kind = KL_DEVOP_NEXT_BASE_FEE};
    kl_u256 fee;
    if (!kl_arg_number_u256(call, kl_arg_at(call, 0), &fee))
        return false;
    op.value = kl_u256_of(kl_u256_sat_u64(fee)); /* the fee after it is computed from it */
    return kl_rpc_dev_done(call, &op);
}

static bool set_randao(struct kl_rpc_call *call)
{
    kl_devop op = {.kind = KL_DEVOP_NEXT_RANDAO};
    return kl_arg_number_u256(call, kl_arg_at(call, 0), &op.value) && kl_rpc_dev_apply(call, &op);
}

bool kl_rpc_dev_set_next_randao(struct kl_rpc_call *call)
{
    if (!set_randao(call))
        return false;
    kl_json_put_null(call->out);
    return true;
}

bool kl_rpc_hardhat_set_prev_randao(struct kl_rpc_call *call)
{
    if (!set_randao(call))
        return false;
    kl_json_put_bool(call->out, true);
    return true;
}
