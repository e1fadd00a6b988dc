/* call: one JSON-RPC call, as its method sees it.
 *
 * A method is a function bool kl_rpc_x(struct kl_rpc_call *call) with a row in method.def.  It
 * reads its parameters (param.h), writes exactly one JSON value to call->out and returns true; or
 * says what is wrong with one of the kl_rpc_fail functions and returns false, whatever it has
 * written by then.
 *
 *     bool kl_rpc_net_listening(struct kl_rpc_call *call)
 *     {
 *         kl_json_put_bool(call->out, true);
 *         return true;
 *     }
 *
 * What it takes from call->arena, the reader and the spans of its parameters live until it returns.
 * It may run on any of the server's threads, and for limits.call_timeout_ns: loops that can take
 * long ask kl_rpc_expired now and then; the EVM is stopped from outside. */
#ifndef KL_RPC_CALL_H
#define KL_RPC_CALL_H

#include "codec/json.h"
#include "rpc/rpc.h"

struct kl_rpc_worker;
struct kl_rpc_session;

typedef enum kl_rpc_error {
    KL_RPC_NO_ERROR,
#define KL_RPC_ERROR_X(name, code, text) KL_RPC_##name,
#include "rpc/error.def"
#undef KL_RPC_ERROR_X
    KL_RPC_ERROR_COUNT
} kl_rpc_error;

int kl_rpc_error_code(kl_rpc_error error);
const char *kl_rpc_error_text(kl_rpc_error error);

enum {
    KL_RPC_MESSAGE_MAX = 512
}; /* bytes of an error's message with its NUL; longer ones are cut */

struct kl_rpc_call {
    const kl_rpc_config *config;
    struct kl_rpc_backend *backend;
    struct kl_feed *feed;
    struct kl_rpc_session *session; /* of the WebSocket the call came by; NULL over HTTP */
    struct kl_arena *arena;
    struct kl_json_out *out;
    const struct kl_json *json;
    kl_json_ref params; /* an array or object, or KL_JSON_NONE */
    const struct kl_rpc_method *method;

    /* The following are for call.c, param.c and jsonrpc.c. */
    struct kl_rpc_worker *worker;
    struct kl_reader *reader;
    void (*close_reader)(struct kl_reader *reader);
    kl_rpc_error error;
    char message[KL_RPC_MESSAGE_MAX];
    bool has_data;
    kl_span data;
    usize notice_start; /* see session.h */
};

/* Say what is wrong, in printf's manner; always false. */
bool kl_rpc_fail(struct kl_rpc_call *call, kl_rpc_error error, const char *format, ...)
    KL_PRINTF(3, 4);
/* The input breaks a rule: its text, as INPUT. */
bool kl_rpc_fail_rule(struct kl_rpc_call *call, kl_rule rule);
/* The EVM reverted: REVERTED, with its data and, when it has the form Error(string), its reason. */
bool kl_rpc_fail_revert(struct kl_rpc_call *call, kl_span output);

/* True for KL_OK; anything else is said. */
KL_MUST_USE bool kl_rpc_ok(struct kl_rpc_call *call, kl_status status);

/* Has the call's time run out, or its client gone?  Costs one load. */
KL_MUST_USE bool kl_rpc_expired(const struct kl_rpc_call *call);

/* The chain as of the newest published tip, the same for the whole call; NULL when that has been
 * said to fail. */
struct kl_reader *kl_rpc_reader(struct kl_rpc_call *call);

/* This thread's EVM, made at the first call that needs one; NULL when that has been said to fail.
 * It is stopped (KL_CANCELED) when the call expires. */
struct kl_exec *kl_rpc_exec(struct kl_rpc_call *call);

#endif
