/* jsonrpc: an answer is written in place.  A result goes straight into the output behind its head;
 * when the method fails, or the output grows over its limit, everything since the head is taken
 * back and an error stands there instead. */
#include "rpc/jsonrpc.h"

#include <stdio.h>

#include "rpc/worker_priv.h"

enum {
    NODES_MAX = 1 << 19, /* JSON values and names of a request: what 5 MiB of calls can need */
    NAME_SHOWN = 64,     /* bytes of an unknown method's name that its error repeats */
};

/* The request (or batch) in work. */
struct serving {
    struct kl_rpc_worker *worker;
    struct kl_rpc_session *session;
    const struct kl_json *json;
    struct kl_buf *out;
    usize result_limit; /* of out, for results; errors may go beyond */
    bool full;          /* of a batch: the results so far are all there will be */
};

static const struct kl_json no_json;

static void put_head(struct serving *s, kl_json_ref id)
{
    const struct kl_json *json = s->json;
    kl_buf_str(s->out, "{\"jsonrpc\":\"2.0\",\"id\":");
    if (id == KL_JSON_NONE) {
        kl_buf_str(s->out, "null");
    } else if (kl_json_is(json, id, KL_JSON_STRING)) {
        kl_span inner = kl_json_raw(json, id); /* the quotes stand around it */
        kl_buf_span(s->out, kl_span_of(inner.p - 1, inner.len + 2));
    } else {
        kl_buf_span(s->out, kl_json_raw(json, id));
    }
}

/* An error in the place of whatever has been written since mark. */
static void put_error(struct serving *s, usize mark, kl_json_ref id, int code, const char *message,
                      const kl_span *data)
{
    s->out->failed = false;
    s->out->len = mark;
    s->out->limit = SIZE_MAX / 2;
    put_head(s, id);
    kl_buf_str(s->out, ",\"error\":");
    struct kl_json_out json = kl_json_out_to(s->out);
    kl_json_put_object(&json);
    char digits[16];
    int len = snprintf(digits, sizeof digits, "%d", code);
    kl_json_put_key(&json, "code");
    kl_json_put_raw(&json, kl_span_of(digits, (usize)len));
    kl_json_add_text(&json, "message", message);
    if (data) {
        kl_json_add_data(&json, "data", *data);
    }
    kl_json_put_object_end(&json);
    kl_buf_str(s->out, "}");
    s->out->limit = KL_MAX(s->result_limit, s->out->len);
}

/* What holds a batch together is written at any length. */
static void put_beyond(struct serving *s, const char *text)
{
    s->out->limit = SIZE_MAX / 2;
    kl_buf_str(s->out, text);
    s->out->limit = KL_MAX(s->result_limit, s->out->len);
}

static void put_plain_error(struct serving *s, kl_json_ref id, kl_rpc_error error,
                            const char *message)
{
    put_error(s, s->out->len, id, kl_rpc_error_code(error),
              message ? message : kl_rpc_error_text(error), NULL);
}

/* Do the params fit what the table says of the method? */
static bool check_params(struct kl_rpc_call *call)
{
    const struct kl_json *json = call->json;
    bool optional, named = kl_json_is(json, call->params, KL_JSON_OBJECT);
    usize max = 0;
    while (kl_rpc_method_param(call->method, max, &optional).len)
        max++;
    if (call->params == KL_JSON_NONE)
        return true;
    if (!named && !kl_json_is(json, call->params, KL_JSON_ARRAY))
        return kl_rpc_fail(call, KL_RPC_PARAMS, "params must be an array or an object");
    if (!named && json->nodes[call->params].count > max)
        return kl_rpc_fail(call, KL_RPC_PARAMS, "too many arguments, want at most %zu", max);
    for (kl_json_ref name = named ? kl_json_first(json, call->params) : KL_JSON_NONE;
         name != KL_JSON_NONE; name = kl_json_after(json, call->params, kl_json_value(name))) {
        usize i = 0;
        while (i < max && !kl_span_eq(kl_rpc_method_param(call->method, i, &optional),
                                      kl_json_raw(json, name)))
            i++;
        if (i == max)
            return kl_rpc_fail(call, KL_RPC_PARAMS, "there is no argument of this name: %.*s",
                               (int)KL_MIN(kl_json_raw(json, name).len, (usize)NAME_SHOWN),
                               (const char *)kl_json_raw(json, name).p);
    }
    return true;
}

static bool may_call(const struct serving *s)
{
    const struct kl_rpc_worker *w = s->worker;
    return w->place == KL_QUOTA_NO_PLACE ||
           kl_quota_take(w->core->quota, w->place, kl_mono_ns(w->core->config->clock));
}

static bool has_chain(struct kl_rpc_call *call)
{
    const struct kl_rpc_backend_ops *ops = call->backend->ops;
    if (call->method->run == kl_rpc_keel_status || !ops || !ops->closed ||
        !ops->closed(call->backend))
        return true;
    return kl_rpc_fail(call, KL_RPC_UNAVAILABLE,
                       "the chain is not open: there is no room on a disk; see keel_status");
}

/* Runs the call; its result goes to out. */
static bool run(struct serving *s, struct kl_rpc_call *call, kl_span name)
{
    const kl_rpc_config *config = call->config;
    call->method = kl_rpc_method_find(s->worker->core->methods, name);
    if (!call->method || (call->method->dev && !config->dev))
        return kl_rpc_fail(call, KL_RPC_METHOD, "the method %.*s does not exist/is not available",
                           (int)KL_MIN(name.len, (usize)NAME_SHOWN), (const char *)name.p);
    if (s->full || s->out->failed)
        return kl_rpc_fail(call, KL_RPC_LIMIT, "response too large");
    if (!may_call(s))
        return kl_rpc_fail(call, KL_RPC_LIMIT, "too many calls of one address; try again later");
    if (!check_params(call) || !has_chain(call))
        return false;
    bool good = call->method->run(call);
    if (call->close_reader)
        call->close_reader(call->reader);
    if (good && s->out->failed) {
        s->full = true;
        return kl_rpc_fail(call, KL_RPC_LIMIT, "response too large");
    }
    return good;
}

/* The parts of a request; false when it is none. */
typedef struct request {
    kl_json_ref id, params; /* or KL_JSON_NONE */
    kl_span method;
} request;

static bool read_request(request *out, struct serving *s, kl_json_ref ref)
{
    const struct kl_json *json = s->json;
    *out = (request){.id = kl_json_member(json, ref, "id"),
                     .params = kl_json_member(json, ref, "params")};
    if (kl_json_is(json, out->params, KL_JSON_NULL))
        out->params = KL_JSON_NONE;
    kl_json_ref method = kl_json_member(json, ref, "method");
    return kl_json_is(json, method, KL_JSON_STRING) &&
           kl_json_equals(json, kl_json_member(json, ref, "jsonrpc"), "2.0") &&
           kl_json_string(&out->method, json, method, &s->worker->arena);
}

static void serve_one(struct serving *s, kl_json_ref ref)
{
    usize mark = s->out->len;
    request r;
    if (!read_request(&r, s, ref)) {
        put_plain_error(s, r.id, KL_RPC_REQUEST, NULL);
        return;
    }
    put_head(s, r.id);
    kl_buf_str(s->out, ",\"result\":");
    struct kl_json_out out = kl_json_out_to(s->out);
    const struct kl_rpc_core *core = s->worker->core;
    struct kl_rpc_call call = {
        .config = core->config,
        .backend = core->config->backend,
        .feed = core->feed,
        .session = s->session,
        .arena = &s->worker->arena,
        .out = &out,
        .json = s->json,
        .params = r.params,
        .worker = s->worker,
    };
    kl_arena_mark before = kl_arena_here(&s->worker->arena);
    bool good = run(s, &call, r.method);
    KL_ASSERT(good ? out.depth == 0 : call.error != KL_RPC_NO_ERROR);
    kl_buf_str(s->out, "}");
    if (r.id == KL_JSON_NONE) {
        s->out->failed = false;
        s->out->len = mark;
    } else if (!good || s->out->failed) {
        put_error(s, mark, r.id, kl_rpc_error_code(call.error), call.message,
                  call.has_data ? &call.data : NULL);
    }
    kl_arena_rewind(&s->worker->arena, before);
}

static void serve_batch(struct serving *s)
{
    const struct kl_json *json = s->json;
    usize count = json->nodes[0].count, max = s->worker->core->config->limits.batch_max;
    if (count == 0) {
        put_plain_error(s, KL_JSON_NONE, KL_RPC_REQUEST, "empty batch");
        return;
    }
    if (count > max) {
        put_plain_error(s, KL_JSON_NONE, KL_RPC_REQUEST, "batch too large");
        return;
    }
    usize start = s->out->len;
    s->result_limit = KL_MIN(s->result_limit, start + s->worker->core->config->limits.batch_bytes);
    put_beyond(s, "[");
    usize first = s->out->len;
    for (kl_json_ref ref = kl_json_first(json, 0); ref != KL_JSON_NONE;
         ref = kl_json_after(json, 0, ref)) {
        usize mark = s->out->len;
        if (mark > first)
            put_beyond(s, ",");
        usize body = s->out->len;
        serve_one(s, ref);
        if (s->out->len == body)
            s->out->len = mark;
    }
    if (s->out->len == first)
        s->out->len = start; /* notifications only */
    else
        put_beyond(s, "]");
}

bool kl_jsonrpc_serve(struct kl_rpc_worker *worker, struct kl_rpc_session *session, kl_span text,
                      struct kl_buf *out)
{
    struct serving s = {.worker = worker, .session = session, .json = &no_json, .out = out};
    s.result_limit = out->len + worker->core->config->limits.response_bytes;
    out->limit = s.result_limit;
    struct kl_json json;
    kl_rule broken;
    usize at;
    kl_status status = kl_json_parse(&json, text, NODES_MAX, &worker->arena, &broken, &at);
    if (status != KL_OK) {
        put_plain_error(&s, KL_JSON_NONE, KL_RPC_INTERNAL, kl_status_text(status));
    } else if (broken != KL_RULE_NONE) {
        char message[128];
        snprintf(message, sizeof message, "parse error: %s, at byte %zu", kl_rule_text(broken), at);
        put_plain_error(&s, KL_JSON_NONE, KL_RPC_PARSE, message);
    } else {
        s.json = &json;
        if (kl_json_is(&json, 0, KL_JSON_ARRAY))
            serve_batch(&s);
        else
            serve_one(&s, 0);
    }
    return !out->failed;
}
