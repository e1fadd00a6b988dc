/* eth_, fees [execution-apis eth/fee_market]. */
#include "rpc/fee.h"
#include "rpc/method.h"
#include "rpc/next_header.h"

/* The header of the next block on top of the newest published one. */
static bool next_header(struct kl_rpc_call *call, kl_header *out)
{
    struct kl_reader *reader = kl_rpc_reader(call);
    if (!reader)
        return false;
    kl_rpc_next_header(call, kl_reader_tip(reader), out);
    return true;
}

bool kl_rpc_eth_max_priority_fee_per_gas(struct kl_rpc_call *call)
{
    kl_u256 tip;
    if (!kl_rpc_suggest_tip(call, &tip))
        return false;
    kl_json_put_quantity_u256(call->out, tip);
    return true;
}

bool kl_rpc_eth_gas_price(struct kl_rpc_call *call)
{
    kl_u256 tip;
    kl_header next;
    if (!next_header(call, &next) || !kl_rpc_suggest_tip(call, &tip))
        return false;
    kl_json_put_quantity_u256(call->out, kl_u256_add(next.base_fee, tip));
    return true;
}

bool kl_rpc_eth_blob_base_fee(struct kl_rpc_call *call)
{
    const kl_spec *spec = kl_chain_spec(call->backend->ops->chain(call->backend));
    kl_header next;
    if (!next_header(call, &next))
        return false;
    kl_json_put_quantity_u256(call->out, kl_rpc_blob_fee(spec, &next));
    return true;
}
