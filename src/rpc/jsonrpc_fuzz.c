/* JSON-RPC: whatever the text, the answer is JSON, or nothing when only notifications were sent,
 * and stays within its limit.
 *
 * Input: what a client sends as a body. */
#include "base/fuzz.h"
#include "rpc/jsonrpc.h"
#include "rpc/param.h"
#include "rpc/tx_args.h"
#include "rpc/worker_priv.h"

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

/* Every reader, on the same value. */
static bool read_all(struct kl_rpc_call *call)
{
    kl_arg arg = kl_arg_at(call, 0);
    kl_address address;
    kl_hash hash;
    kl_span span;
    u64 number;
    kl_u256 wide;
    bool flag;
    kl_block_ref ref;
    kl_tx_args tx;
    unsigned good = kl_arg_address(call, arg, &address);
    good += kl_arg_hash(call, arg, &hash);
    good += kl_arg_data(call, arg, &span);
    good += kl_arg_u64(call, arg, &number);
    good += kl_arg_u256(call, arg, &wide);
    good += kl_arg_number(call, arg, &number);
    good += kl_arg_slot(call, arg, &hash);
    good += kl_arg_bool(call, arg, &flag);
    good += kl_arg_text(call, arg, &span);
    good += kl_arg_block(call, arg, &ref);
    good += kl_arg_tx(call, arg, &tx);
    if (good == 0)
        return false;
    kl_json_put_number(call->out, good);
    return true;
}

static bool revert(struct kl_rpc_call *call)
{
    kl_span data;
    return kl_arg_data(call, kl_arg_at(call, 0), &data) && kl_rpc_fail_revert(call, data);
}

static const kl_rpc_method rows[] = {
    {"d", echo, true, ""},
    {"e", echo, false, "a?, b?"},
    {"r", read_all, false, "a"},
    {"v", revert, false, "data"},
};

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    kl_rpc_limits limits = {
        .response_bytes = 500, .batch_max = 8, .batch_bytes = 500, .call_timeout_ns = 5000000000};
    struct kl_rpc_backend backend = {0};
    kl_rpc_config config = {.backend = &backend, .limits = limits};
    struct kl_rpc_core core = {.config = &config, .methods = {rows, KL_COUNT_OF(rows)}};
    struct kl_rpc_worker worker;
    struct kl_buf out;
    kl_rpc_worker_init(&worker, &core);
    kl_buf_init(&out, SIZE_MAX / 2);
    KL_ASSERT(kl_jsonrpc_serve(&worker, NULL, kl_span_of(bytes, len), &out));
    if (out.len) {
        struct kl_json json;
        kl_rule broken;
        usize at;
        KL_ASSERT(kl_json_parse(&json, kl_buf_view(&out), 1 << 20, &worker.arena, &broken, &at) ==
                  KL_OK);
        KL_ASSERT(broken == KL_RULE_NONE);
        bool batch = kl_json_is(&json, 0, KL_JSON_ARRAY);
        usize answers = batch ? json.nodes[0].count : 1;
        KL_ASSERT(answers >= 1 && answers <= limits.batch_max);
        /* each answer may at worst be an error that repeats a long id */
        KL_ASSERT(out.len <=
                  limits.response_bytes + answers * (KL_RPC_MESSAGE_MAX * 6 + 2 * len + 200));
    }
    kl_buf_done(&out);
    kl_rpc_worker_done(&worker);
    return 0;
}
