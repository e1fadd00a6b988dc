/* web3_, net_, rpc_: who we are. */
#include "codec/hex.h"
#include "crypto/keccak.h"
#include "rpc/param.h"
#include "rpc/worker_priv.h"

bool kl_rpc_web3_client_version(struct kl_rpc_call *call)
{
    kl_json_put_text(call->out, call->backend->client_version);
    return true;
}

bool kl_rpc_web3_sha3(struct kl_rpc_call *call)
{
    kl_span data;
    if (!kl_arg_data(call, kl_arg_at(call, 0), &data))
        return false;
    kl_hash hash = kl_keccak256(data);
    kl_json_put_hash(call->out, &hash);
    return true;
}

bool kl_rpc_net_listening(struct kl_rpc_call *call)
{
    kl_json_put_bool(call->out, true);
    return true;
}

bool kl_rpc_net_peer_count(struct kl_rpc_call *call)
{
    kl_json_put_quantity(call->out, call->backend->ops->peer_count(call->backend));
    return true;
}

/* The namespaces that have a method here, each once; the table is sorted, so they stand together.
 */
bool kl_rpc_rpc_modules(struct kl_rpc_call *call)
{
    kl_span last = KL_SPAN_NONE;
    kl_rpc_table table = call->worker->core->methods;
    kl_json_put_object(call->out);
    for (usize i = 0; i < table.count; i++) {
        const kl_rpc_method *method = &table.rows[i];
        kl_span space = kl_span_of(method->name, strcspn(method->name, "_"));
        if ((method->dev && !call->config->dev) || kl_span_eq(space, last))
            continue;
        last = space;
        kl_json_put_key_span(call->out, space);
        kl_json_put_text(call->out, "1.0");
    }
    kl_json_put_object_end(call->out);
    return true;
}
