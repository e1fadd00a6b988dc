#include "rpc/fake_priv.h"

#include <stdatomic.h>
#include <unistd.h>

#include "rpc/param.h"
#include "rpc/session.h"

_Atomic bool kl_fake_go;
_Atomic unsigned kl_fake_waiting;

struct kl_rpc_backend kl_fake_backend = {.client_version = "Keel/test"};

static bool add(struct kl_rpc_call *call)
{
    u64 a, b = 1;
    kl_arg second = kl_arg_at(call, 1);
    if (!kl_arg_u64(call, kl_arg_at(call, 0), &a) ||
        (kl_arg_there(second) && !kl_arg_u64(call, second, &b)))
        return false;
    kl_json_put_quantity(call->out, a + b);
    return true;
}

static bool big(struct kl_rpc_call *call)
{
    u64 len;
    if (!kl_arg_number(call, kl_arg_at(call, 0), &len))
        return false;
    kl_json_put_array(call->out);
    for (u64 i = 0; i < len && !call->out->buf->failed; i++)
        kl_json_put_number(call->out, i % 10);
    kl_json_put_array_end(call->out);
    return true;
}

static bool block(struct kl_rpc_call *call)
{
    kl_block_ref ref;
    if (!kl_arg_block(call, kl_arg_at(call, 0), &ref))
        return false;
    kl_json_put_array(call->out);
    kl_json_put_number(call->out, ref.kind);
    kl_json_put_number(call->out, ref.number);
    kl_json_put_hash(call->out, &ref.hash);
    kl_json_put_bool(call->out, ref.canonical);
    kl_json_put_array_end(call->out);
    return true;
}

static bool echo(struct kl_rpc_call *call)
{
    kl_arg value = kl_arg_at(call, 0);
    if (!kl_arg_there(value))
        kl_json_put_null(call->out);
    else if (kl_json_is(call->json, value.ref, KL_JSON_STRING))
        kl_json_put_string(call->out, kl_json_raw(call->json, value.ref));
    else
        kl_json_put_raw(call->out, kl_json_raw(call->json, value.ref));
    return true;
}

static bool fail(struct kl_rpc_call *call)
{
    u64 error = KL_RPC_INPUT;
    kl_arg which = kl_arg_at(call, 0);
    if (kl_arg_there(which) && !kl_arg_number(call, which, &error))
        return false;
    kl_json_put_object(call->out); /* half a result, to be taken back */
    if (error == 0 || error >= KL_RPC_ERROR_COUNT)
        return kl_rpc_fail_rule(call, KL_RULE_TX_NONCE_LOW);
    return kl_rpc_fail(call, (kl_rpc_error)error, "%s", kl_rpc_error_text((kl_rpc_error)error));
}

static bool revert(struct kl_rpc_call *call)
{
    kl_span data = KL_SPAN_NONE;
    kl_arg arg = kl_arg_at(call, 0);
    if (kl_arg_there(arg) && !kl_arg_data(call, arg, &data))
        return false;
    return kl_rpc_fail_revert(call, data);
}

static bool wait_for_go(struct kl_rpc_call *call)
{
    atomic_fetch_add(&kl_fake_waiting, 1);
    while (!atomic_load(&kl_fake_go))
        usleep(500);
    atomic_fetch_sub(&kl_fake_waiting, 1);
    kl_json_put_text(call->out, "gone");
    return true;
}

static bool until_expired(struct kl_rpc_call *call)
{
    atomic_fetch_add(&kl_fake_waiting, 1);
    while (!kl_rpc_expired(call))
        usleep(500);
    atomic_fetch_sub(&kl_fake_waiting, 1);
    return kl_rpc_ok(call, KL_CANCELED);
}

/* Topics: the number of each step, twice; the hash of each pending transaction; what cannot be
 * opened; what fails at the first step. */

static int open_states;

static bool numbers_open(struct kl_rpc_call *call, void **state)
{
    (void)call;
    open_states++;
    *state = &open_states;
    return true;
}

static void numbers_close(void *state)
{
    KL_ASSERT(state == &open_states && open_states > 0);
    open_states--;
}

static bool numbers_step(struct kl_rpc_call *call, void *state, const kl_feed_step *step)
{
    KL_ASSERT(state == &open_states);
    for (int i = 0; i < 2; i++) {
        kl_rpc_notice(call);
        kl_json_put_quantity(call->out, step->header.number);
        kl_rpc_notice_end(call);
    }
    return true;
}

static bool hashes_pending(struct kl_rpc_call *call, void *state, const kl_hash *hash)
{
    KL_ASSERT(!state);
    kl_rpc_notice(call);
    kl_json_put_hash(call->out, hash);
    kl_rpc_notice_end(call);
    return true;
}

static bool closed_open(struct kl_rpc_call *call, void **state)
{
    (void)state;
    return kl_rpc_fail(call, KL_RPC_PARAMS, "closed");
}

static bool broken_step(struct kl_rpc_call *call, void *state, const kl_feed_step *step)
{
    (void)call, (void)state, (void)step;
    return false;
}

static const kl_rpc_topic topics[] = {
    {.name = "numbers", .open = numbers_open, .step = numbers_step, .close = numbers_close},
    {.name = "hashes", .pending = hashes_pending},
    {.name = "closed", .open = closed_open},
    {.name = "broken", .step = broken_step},
};

static bool subscribe(struct kl_rpc_call *call)
{
    kl_span name;
    kl_rpc_subscription_id id;
    if (!kl_arg_text(call, kl_arg_at(call, 0), &name))
        return false;
    for (usize i = 0; i < KL_COUNT_OF(topics); i++)
        if (kl_span_eq(name, kl_span_str(topics[i].name))) {
            if (!kl_rpc_subscribe(call, &topics[i], &id))
                return false;
            kl_json_put_data(call->out, KL_SPAN_OF(id));
            return true;
        }
    return kl_arg_fail(call, kl_arg_at(call, 0), "no such subscription");
}

static bool unsubscribe(struct kl_rpc_call *call)
{
    kl_rpc_subscription_id id;
    kl_span bytes;
    if (!kl_arg_data(call, kl_arg_at(call, 0), &bytes))
        return false;
    bool fits = bytes.len == sizeof id.b;
    if (fits)
        memcpy(id.b, bytes.p, sizeof id.b);
    kl_json_put_bool(call->out, fits && kl_rpc_unsubscribe(call->session, &id));
    return true;
}

static const kl_rpc_method rows[] = {
    {"fake_add", add, false, "a, b?"},
    {"fake_big", big, false, "bytes"},
    {"fake_block", block, false, "block?"},
    {"fake_dev", echo, true, ""},
    {"fake_echo", echo, false, "value?, more?"},
    {"fake_fail", fail, false, "error?"},
    {"fake_revert", revert, false, "data?"},
    {"fake_subscribe", subscribe, false, "topic"},
    {"fake_unsubscribe", unsubscribe, false, "id"},
    {"fake_until_expired", until_expired, false, ""},
    {"fake_wait", wait_for_go, false, ""},
};

const kl_rpc_table kl_fake_methods = {rows, KL_COUNT_OF(rows)};

kl_rpc_config kl_fake_config(void)
{
    kl_rpc_limits limits = kl_rpc_limits_default();
    limits.body_bytes = 20000;
    limits.response_bytes = 1001;
    limits.batch_max = 5;
    limits.subscription_max = 3;
    limits.socket_queue_bytes = 10000;
    return (kl_rpc_config){
        .host = "127.0.0.1",
        .threads = 1,
        .limits = limits,
        .backend = &kl_fake_backend,
    };
}
