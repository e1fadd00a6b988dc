/* eth_getLogs [execution-apis eth/filter]. */
#include "rpc/log_query.h"
#include "rpc/method.h"

/* A range that ends above the head would have to be asked for again: the client is told, instead of
 * given half. */
static bool range_is_there(struct kl_rpc_call *call, const kl_log_query *query)
{
    struct kl_reader *reader = kl_rpc_reader(call);
    if (!reader)
        return false;
    return !query->has_to || query->to.kind != KL_BLOCK_NUMBER ||
           query->to.number <= kl_reader_tip(reader)->header.number ||
           kl_rpc_fail(call, KL_RPC_PARAMS, "block range extends beyond current head block");
}

bool kl_rpc_eth_get_logs(struct kl_rpc_call *call)
{
    kl_log_query query;
    return kl_arg_log_query(call, kl_arg_at(call, 0), &query) && range_is_there(call, &query) &&
           kl_rpc_put_logs(call, &query);
}
