/* eth_, running without sending [execution-apis eth/execute]. */
#include "rpc/call_env.h"
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
