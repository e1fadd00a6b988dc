/* eth_, the node itself: what it can sign with, and what it is busy with. */
#include "rpc/method.h"

bool kl_rpc_eth_accounts(struct kl_rpc_call *call)
{
    const struct kl_rpc_backend_ops *ops = call->backend->ops;
    usize count = ops->account_count(call->backend);
    kl_json_put_array(call->out);
    for (usize i = 0; i < count; i++) {
        kl_address address = ops->account(call->backend, i);
        kl_json_put_address(call->out, &address);
    }
    kl_json_put_array_end(call->out);
    return true;
}

bool kl_rpc_eth_coinbase(struct kl_rpc_call *call)
{
    kl_build_plan plan = {0};
    struct kl_tip *tip = kl_chain_published(call->backend->ops->chain(call->backend));
    call->backend->ops->next_block(call->backend, tip, &plan);
    kl_tip_unref(tip);
    kl_json_put_address(call->out, &plan.coinbase);
    return true;
}

/* Nobody mines by proof of work here. */
bool kl_rpc_eth_mining(struct kl_rpc_call *call)
{
    kl_json_put_bool(call->out, false);
    return true;
}

bool kl_rpc_eth_hashrate(struct kl_rpc_call *call)
{
    kl_json_put_quantity(call->out, 0);
    return true;
}
