/* eth_, what a client asks first [execution-apis eth/client]. */
#include "rpc/method.h"

static u64 chain_id(const struct kl_rpc_call *call)
{
    return kl_chain_spec(call->backend->ops->chain(call->backend))->chain_id;
}

bool kl_rpc_eth_chain_id(struct kl_rpc_call *call)
{
    kl_json_put_quantity(call->out, chain_id(call));
    return true;
}

/* The same number, in decimal. */
bool kl_rpc_net_version(struct kl_rpc_call *call)
{
    char text[KL_U256_DECIMAL_MAX];
    (void)kl_u256_decimal(text, kl_u256_of(chain_id(call)));
    kl_json_put_text(call->out, text);
    return true;
}

bool kl_rpc_eth_block_number(struct kl_rpc_call *call)
{
    struct kl_tip *tip = kl_chain_published(call->backend->ops->chain(call->backend));
    kl_json_put_quantity(call->out, tip->header.number);
    kl_tip_unref(tip);
    return true;
}
