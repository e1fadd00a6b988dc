#include "rpc/next_header.h"

#include "chain/difficulty.h"
#include "exec/fees.h"

void kl_rpc_next_header(struct kl_rpc_call *call, const struct kl_tip *head, kl_header *out)
{
    const kl_spec *spec = kl_chain_spec(call->backend->ops->chain(call->backend));
    const kl_header *parent = &head->header;
    kl_build_plan plan = {0};
    call->backend->ops->next_block(call->backend, head, &plan);
    u64 number = parent->number + 1;
    kl_fork fork = kl_spec_fork(spec, number, plan.timestamp);
    kl_header header = {
        .parent_hash = head->hash,
        .coinbase = plan.coinbase,
        .number = number,
        .gas_limit = plan.gas_limit,
        .timestamp = plan.timestamp,
        .tail = kl_header_tail(fork),
        .base_fee = plan.has_base_fee ? plan.base_fee
                                      : kl_base_fee_after(spec, parent, number, plan.timestamp),
        .excess_blob_gas = kl_excess_blob_gas_after(spec, parent, number, plan.timestamp),
        .parent_beacon_root = plan.parent_beacon_root,
    };
    if (fork >= KL_PARIS)
        header.mix_hash = plan.mix_hash;
    else
        header.difficulty = kl_difficulty_after(parent, plan.timestamp, fork);
    *out = header;
}
