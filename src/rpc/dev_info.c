/* What a dev tool asks to know what it talks to [Anvil's nodeInfo]. */
#include "exec/fees.h"
#include "rpc/dev_priv.h"
#include "rpc/method.h"

#define PRIORITY_FEE 1000000000u /* what eth_gasPrice puts on top of the base fee */

static void put_environment(struct kl_json_out *out, const kl_spec *spec, const struct kl_tip *head,
                            const kl_build_plan *plan)
{
    kl_u256 base_fee =
        plan->has_base_fee
            ? plan->base_fee
            : kl_base_fee_after(spec, &head->header, head->header.number + 1, plan->timestamp);
    kl_json_put_object(out);
    kl_json_add_quantity_u256(out, "baseFee", base_fee);
    kl_json_add_number(out, "chainId", spec->chain_id);
    kl_json_add_quantity(out, "gasLimit", plan->gas_limit);
    kl_json_add_quantity_u256(out, "gasPrice", kl_u256_add(base_fee, kl_u256_of(PRIORITY_FEE)));
    kl_json_put_object_end(out);
}

/* Keel does not fork other chains. */
static void put_no_fork(struct kl_json_out *out)
{
    kl_json_put_object(out);
    kl_json_add_null(out, "forkUrl");
    kl_json_add_null(out, "forkBlockNumber");
    kl_json_add_null(out, "forkRetryBackoff");
    kl_json_put_object_end(out);
}

bool kl_rpc_dev_node_info(struct kl_rpc_call *call)
{
    struct kl_reader *reader = kl_rpc_reader(call);
    if (!reader)
        return false;
    struct kl_rpc_backend *backend = call->backend;
    const kl_spec *spec = kl_chain_spec(backend->ops->chain(backend));
    const struct kl_tip *head = kl_reader_tip(reader);
    kl_build_plan plan;
    backend->ops->next_block(backend, head, &plan);
    struct kl_json_out *out = call->out;
    kl_json_put_object(out);
    kl_json_add_quantity(out, "currentBlockNumber", head->header.number);
    kl_json_add_number(out, "currentBlockTimestamp", head->header.timestamp);
    kl_json_add_hash(out, "currentBlockHash", &head->hash);
    kl_json_add_text(out, "hardFork",
                     kl_fork_name(kl_spec_fork(spec, head->header.number + 1, plan.timestamp)));
    kl_json_add_text(out, "transactionOrder", backend->fifo ? "fifo" : "fees");
    kl_json_put_key(out, "environment");
    put_environment(out, spec, head, &plan);
    kl_json_put_key(out, "forkConfig");
    put_no_fork(out);
    kl_json_put_object_end(out);
    return true;
}

bool kl_rpc_dev_genesis_time(struct kl_rpc_call *call)
{
    struct kl_reader *reader = kl_rpc_reader(call);
    kl_header genesis;
    kl_hash hash;
    if (!reader || !kl_rpc_ok(call, kl_reader_header(reader, 0, call->arena, &genesis, &hash)))
        return false;
    kl_json_put_number(call->out, genesis.timestamp);
    return true;
}
