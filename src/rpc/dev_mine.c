/* When blocks are made.  As in Anvil there is one way at a time: each transaction its block, a
 * block each interval, or blocks by hand. */
#include "rpc/dev_priv.h"
#include "rpc/method.h"

#define NS_PER_S 1000000000u

enum {
    MINE_AT_ONCE = 64 /* blocks between two looks at the call's time */
};

/* Makes count blocks.  With a spacing, each comes that much later than the one before it, and the
 * first that much later than now. */
static bool mine(struct kl_rpc_call *call, u64 count, u64 spacing_s)
{
    while (count) {
        u64 part = KL_MIN(count, (u64)MINE_AT_ONCE);
        if (kl_rpc_expired(call))
            return kl_rpc_ok(call, KL_CANCELED);
        kl_devop shift = {.kind = KL_DEVOP_SHIFT_TIME,
                          .seconds = (i64)KL_MIN(spacing_s, (u64)INT64_MAX)};
        if ((spacing_s && !kl_rpc_dev_apply(call, &shift)) ||
            !kl_rpc_ok(call, call->backend->ops->mine(call->backend, part, spacing_s)))
            return false;
        count -= part;
    }
    return true;
}

bool kl_rpc_dev_mine(struct kl_rpc_call *call)
{
    kl_arg blocks = kl_arg_at(call, 0), interval = kl_arg_at(call, 1);
    u64 count = 1, spacing_s = 0;
    if ((kl_arg_there(blocks) && !kl_arg_number(call, blocks, &count)) ||
        (kl_arg_there(interval) && !kl_arg_number(call, interval, &spacing_s)) ||
        !mine(call, count, spacing_s))
        return false;
    kl_json_put_null(call->out);
    return true;
}

/* A timestamp, or an object with one and with a number of blocks; either may be left out. */
bool kl_rpc_evm_mine(struct kl_rpc_call *call)
{
    kl_arg arg = kl_arg_at(call, 0), timestamp = arg;
    u64 count = 1, at;
    if (kl_json_is(call->json, arg.ref, KL_JSON_OBJECT)) {
        kl_arg blocks = kl_arg_member(call, arg, "blocks");
        timestamp = kl_arg_member(call, arg, "timestamp");
        if (kl_arg_there(blocks) && !kl_arg_number(call, blocks, &count))
            return false;
    }
    if (kl_arg_there(timestamp) &&
        (!kl_arg_number(call, timestamp, &at) || !kl_rpc_dev_next_timestamp(call, at)))
        return false;
    if (!mine(call, count, 0))
        return false;
    kl_json_put_text(call->out, "0x0");
    return true;
}

bool kl_rpc_dev_get_automine(struct kl_rpc_call *call)
{
    kl_json_put_bool(call->out, call->backend->ops->automine(call->backend));
    return true;
}

bool kl_rpc_dev_set_automine(struct kl_rpc_call *call)
{
    const struct kl_rpc_backend_ops *ops = call->backend->ops;
    bool on;
    if (!kl_arg_bool(call, kl_arg_at(call, 0), &on))
        return false;
    if (on && !ops->automine(call->backend))
        ops->set_interval(call->backend, 0);
    ops->set_automine(call->backend, on);
    kl_json_put_null(call->out);
    return true;
}

/* Seconds, or null. */
bool kl_rpc_dev_get_interval(struct kl_rpc_call *call)
{
    u64 ns = call->backend->ops->interval_ns(call->backend);
    if (ns)
        kl_json_put_number(call->out, ns / NS_PER_S);
    else
        kl_json_put_null(call->out);
    return true;
}

bool kl_rpc_dev_set_interval(struct kl_rpc_call *call)
{
    const struct kl_rpc_backend_ops *ops = call->backend->ops;
    u64 seconds;
    if (!kl_arg_number(call, kl_arg_at(call, 0), &seconds))
        return false;
    ops->set_automine(call->backend, false);
    ops->set_interval(call->backend, kl_mul_sat_u64(seconds, NS_PER_S));
    kl_json_put_null(call->out);
    return true;
}
