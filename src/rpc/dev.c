/* Dev operations go to the execution thread one by one, as steps of the ledger. */
#include "rpc/dev_priv.h"

bool kl_rpc_dev_apply(struct kl_rpc_call *call, kl_devop *op)
{
    kl_rule broken = KL_RULE_NONE;
    if (!kl_rpc_ok(call, call->backend->ops->dev(call->backend, op, &broken)))
        return false;
    return broken == KL_RULE_NONE || kl_rpc_fail_rule(call, broken);
}

bool kl_rpc_dev_done(struct kl_rpc_call *call, kl_devop *op)
{
    if (!kl_rpc_dev_apply(call, op))
        return false;
    kl_json_put_null(call->out);
    return true;
}

bool kl_rpc_dev_env(struct kl_rpc_call *call, const kl_dev_env **out)
{
    struct kl_reader *reader = kl_rpc_reader(call);
    if (!reader)
        return false;
    const struct kl_tip *tip = kl_reader_tip(reader);
    if (!tip->dev)
        return kl_rpc_fail_rule(call, KL_RULE_DEV_FORBIDDEN);
    *out = &tip->dev->env;
    return true;
}
