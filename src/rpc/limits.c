/* limits: what a client may ask for and hold, unless the operator says otherwise.  Where geth has
 * the same limit, its value is taken: batches, gas and time of a call, idle time, filters. */
#include "rpc/rpc.h"

kl_rpc_limits kl_rpc_limits_default(void)
{
    const u64 second = 1000000000;
    return (kl_rpc_limits){
        .connection_max = 4096,
        .body_bytes = 5 << 20,
        .response_bytes = 128 << 20,
        .batch_max = 1000,
        .batch_bytes = 25000000,
        .header_timeout_ns = 30 * second,
        .idle_timeout_ns = 120 * second,
        .call_gas = 50000000,
        .call_timeout_ns = 5 * second,
        .log_max = 10000,
        .subscription_max = 128,
        .filter_max = 10000,
        .filter_timeout_ns = 300 * second,
        .socket_queue_bytes = 8 << 20,
        .buffer_bytes = 256 << 20,
    };
}
