/* eth_getLogs [execution-apis eth/filter]. */
#include "rpc/log_query.h"
#include "rpc/method.h"

bool kl_rpc_eth_get_logs(struct kl_rpc_call *call)
{
    kl_log_query query;
    return kl_arg_log_query(call, kl_arg_at(call, 0), &query) && kl_rpc_put_logs(call, &query);
}
