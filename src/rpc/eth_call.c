/* eth_, running without sending [execution-apis eth/execute]. */
#include "rpc/estimate.h"
#include "rpc/method.h"

bool kl_rpc_eth_call(struct kl_rpc_call *call)
{
    KL_CLEANUP(kl_call_env_done) struct kl_call_env env = {0};
    kl_tx_args args;
    kl_tx tx;
    kl_tx_result result;
    if (!kl_arg_tx(call, kl_arg_at(call, 0), &args) ||
        !kl_call_env_open(call, kl_arg_at(call, 1), kl_arg_at(call, 2), kl_arg_at(call, 3), &env) ||
        !kl_call_env_tx(&env, &args, &tx) || !kl_call_env_run(&env, &tx, NULL, &result))
        return false;
    if (result.halt != KL_HALT_NONE)
        return kl_call_env_fail_halt(&env, &result);
    kl_json_put_data(call->out, result.output);
    return true;
}

/* Without a block: in the next one, where the transaction is to run. */
bool kl_rpc_eth_estimate_gas(struct kl_rpc_call *call)
{
    KL_CLEANUP(kl_call_env_done) struct kl_call_env env = {0};
    kl_block_ref block = {.kind = KL_BLOCK_PENDING};
    kl_arg at = kl_arg_at(call, 1);
    kl_tx_args args;
    u64 gas;
    if (!kl_arg_tx(call, kl_arg_at(call, 0), &args) ||
        (kl_arg_there(at) && !kl_arg_block(call, at, &block)) ||
        !kl_call_env_open_at(call, &block, kl_arg_at(call, 2), kl_arg_at(call, 3), &env) ||
        !kl_rpc_estimate_gas(&env, &args, &gas))
        return false;
    kl_json_put_quantity(call->out, gas);
    return true;
}
