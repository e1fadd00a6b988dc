/* Chain time is the clock's, shifted: what these set is the shift, and the next block's timestamp.
 */
#include <inttypes.h>
#include <stdio.h>

#include "rpc/dev_priv.h"
#include "rpc/method.h"

#define NS_PER_S 1000000000u

/* A time beyond this many seconds is one in milliseconds, as JavaScript has it. */
#define MILLISECONDS_FROM UINT64_C(1000000000000)

u64 kl_rpc_dev_wall_s(const struct kl_rpc_call *call)
{
    return kl_wall_ns(call->config->clock) / NS_PER_S;
}

static void put_signed(struct kl_json_out *out, i64 v)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRId64, v);
    kl_json_put_raw(out, kl_span_of(digits, (usize)len));
}

/* Every block is a second later than the one before at least, so a chain of many blocks is ahead of
 * the clock: by so many seconds. */
static i64 lead_s(struct kl_rpc_call *call, const kl_dev_env *env)
{
    i64 head = (i64)kl_reader_tip(call->reader)->header.timestamp;
    i64 now = (i64)kl_rpc_dev_wall_s(call) + env->time_offset_s;
    return KL_MAX(head - now, 0);
}

/* Time passes from where the chain stands. */
bool kl_rpc_dev_increase_time(struct kl_rpc_call *call)
{
    u64 seconds;
    const kl_dev_env *env;
    if (!kl_arg_number(call, kl_arg_at(call, 0), &seconds) || !kl_rpc_dev_env(call, &env))
        return false;
    u64 shift = kl_add_sat_u64(seconds, (u64)lead_s(call, env));
    kl_devop op = {.kind = KL_DEVOP_SHIFT_TIME, .seconds = (i64)KL_MIN(shift, (u64)INT64_MAX)};
    if (!kl_rpc_dev_apply(call, &op))
        return false;
    put_signed(call->out, env->time_offset_s + op.seconds); /* env is the one before */
    return true;
}

bool kl_rpc_dev_set_time(struct kl_rpc_call *call)
{
    u64 to;
    const kl_dev_env *env;
    if (!kl_arg_number(call, kl_arg_at(call, 0), &to))
        return false;
    if (to > MILLISECONDS_FROM)
        to /= 1000;
    if (to > (u64)INT64_MAX)
        return kl_arg_fail(call, kl_arg_at(call, 0), "time out of range");
    if (!kl_rpc_dev_env(call, &env))
        return false;
    i64 now = (i64)kl_rpc_dev_wall_s(call) + env->time_offset_s;
    kl_devop op = {.kind = KL_DEVOP_SHIFT_TIME, .seconds = (i64)to - now};
    if (!kl_rpc_dev_apply(call, &op))
        return false;
    put_signed(call->out, KL_MAX(op.seconds, 0));
    return true;
}

bool kl_rpc_dev_next_timestamp(struct kl_rpc_call *call, u64 timestamp)
{
    struct kl_reader *reader = kl_rpc_reader(call);
    if (!reader)
        return false;
    if (timestamp < kl_reader_tip(reader)->header.timestamp)
        return kl_rpc_fail(call, KL_RPC_PARAMS,
                           "Timestamp error: %" PRIu64 " is lower than previous block's timestamp",
                           timestamp);
    if (timestamp > (u64)INT64_MAX)
        return kl_rpc_fail(call, KL_RPC_PARAMS, "Timestamp error: %" PRIu64 " is out of range",
                           timestamp);
    kl_devop op = {.kind = KL_DEVOP_NEXT_TIMESTAMP,
                   .number = timestamp,
                   .seconds = (i64)timestamp - (i64)kl_rpc_dev_wall_s(call)};
    return kl_rpc_dev_apply(call, &op);
}

bool kl_rpc_dev_set_next_timestamp(struct kl_rpc_call *call)
{
    u64 timestamp;
    if (!kl_arg_number(call, kl_arg_at(call, 0), &timestamp) ||
        !kl_rpc_dev_next_timestamp(call, timestamp))
        return false;
    kl_json_put_null(call->out);
    return true;
}
