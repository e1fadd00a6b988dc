#include "rpc/call.h"

#include <stdarg.h>
#include <stdio.h>

#include "rpc/revert.h"
#include "rpc/worker_priv.h"

static const struct {
    int code;
    const char *text;
} errors[] = {
    {0, "no error"},
#define KL_RPC_ERROR_X(name, code, text) {code, text},
#include "rpc/error.def"
#undef KL_RPC_ERROR_X
};

int kl_rpc_error_code(kl_rpc_error error)
{
    KL_ASSERT(error < KL_RPC_ERROR_COUNT);
    return errors[error].code;
}

const char *kl_rpc_error_text(kl_rpc_error error)
{
    KL_ASSERT(error < KL_RPC_ERROR_COUNT);
    return errors[error].text;
}

bool kl_rpc_fail(struct kl_rpc_call *call, kl_rpc_error error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(call->message, sizeof call->message, format, args);
    va_end(args);
    KL_ASSERT(len >= 0);
    call->error = error;
    return false;
}

bool kl_rpc_fail_rule(struct kl_rpc_call *call, kl_rule rule)
{
    return kl_rpc_fail(call, KL_RPC_INPUT, "%s", kl_rule_text(rule));
}

bool kl_rpc_fail_revert(struct kl_rpc_call *call, kl_span output)
{
    char reason[KL_RPC_MESSAGE_MAX];
    bool has_reason = kl_revert_reason(reason, sizeof reason, output);
    call->has_data = true;
    call->data = output;
    return kl_rpc_fail(call, KL_RPC_REVERTED, "execution reverted%s%s", has_reason ? ": " : "",
                       has_reason ? reason : "");
}

bool kl_rpc_ok(struct kl_rpc_call *call, kl_status status)
{
    double timeout_s = (double)call->config->limits.call_timeout_ns / 1e9;
    switch (status) {
    case KL_OK:
        return true;
    case KL_CANCELED:
        return kl_rpc_fail(call, KL_RPC_INPUT, "execution aborted (timeout = %gs)", timeout_s);
    case KL_NOTFOUND:
        return kl_rpc_fail(call, KL_RPC_NOT_FOUND, "%s", kl_status_text(status));
    case KL_TIMEOUT:
    case KL_BUSY:
    case KL_AGAIN:
        return kl_rpc_fail(call, KL_RPC_UNAVAILABLE, "%s", kl_status_text(status));
    case KL_LIMIT:
        return kl_rpc_fail(call, KL_RPC_LIMIT, "%s", kl_status_text(status));
    case KL_UNSUPPORTED:
        return kl_rpc_fail(call, KL_RPC_UNSUPPORTED, "%s", kl_status_text(status));
    case KL_FULL:
        return kl_rpc_fail(call, KL_RPC_UNAVAILABLE,
                           "%s: nothing is taken until there is room again; reads go on",
                           kl_status_text(status));
    case KL_NOMEM:
    case KL_IO:
    case KL_DENIED:
    case KL_CORRUPT:
        break;
    }
    return kl_rpc_fail(call, KL_RPC_INTERNAL, "%s", kl_status_text(status));
}

bool kl_rpc_expired(const struct kl_rpc_call *call)
{
    return kl_rpc_worker_expired(call->worker);
}
