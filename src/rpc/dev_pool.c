/* Taking transactions out of the pool. */
#include "rpc/dev_priv.h"
#include "rpc/method.h"

/* Its hash, or null when there is no such transaction. */
bool kl_rpc_dev_drop(struct kl_rpc_call *call)
{
    kl_hash hash;
    if (!kl_arg_hash(call, kl_arg_at(call, 0), &hash))
        return false;
    if (call->backend->ops->pool_drop(call->backend, &hash))
        kl_json_put_hash(call->out, &hash);
    else
        kl_json_put_null(call->out);
    return true;
}

bool kl_rpc_dev_drop_all(struct kl_rpc_call *call)
{
    call->backend->ops->pool_clear(call->backend);
    kl_json_put_null(call->out);
    return true;
}

bool kl_rpc_dev_drop_sender(struct kl_rpc_call *call)
{
    kl_address sender;
    kl_rpc_pooled *all;
    usize count;
    if (!kl_arg_address(call, kl_arg_at(call, 0), &sender) ||
        !kl_rpc_ok(call,
                   call->backend->ops->pool_content(call->backend, call->arena, &all, &count)))
        return false;
    for (usize i = 0; i < count; i++)
        if (kl_address_eq(&all[i].tx.sender, &sender))
            (void)call->backend->ops->pool_drop(call->backend, &all[i].tx.hash);
    kl_json_put_null(call->out);
    return true;
}
