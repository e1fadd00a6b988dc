/* eth_config [EIP-7910]: what holds at the head, what the next fork brings, and the last one that
 * is scheduled. */
#include <stdio.h>

#include "evm/precompile.h"
#include "exec/exec.h"
#include "rpc/fork_id.h"
#include "rpc/method.h"

/* Contracts that the protocol itself calls or is told by, by name. */
static const struct {
    kl_fork fork;
    const char *name, *address;
} systems[] = {
    {KL_CANCUN, "BEACON_ROOTS_ADDRESS", "0x000f3df6d732807ef1319fb7b8bb8522d0beac02"},
    {KL_PRAGUE, "CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS",
     "0x0000bbddc7ce488642fb579f8b00f3a590007251"},
    {KL_PRAGUE, "DEPOSIT_CONTRACT_ADDRESS", NULL}, /* the spec's */
    {KL_PRAGUE, "HISTORY_STORAGE_ADDRESS", "0x0000f90827f1c53a10cb7a02335b175320002935"},
    {KL_PRAGUE, "WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS",
     "0x00000961ef480eb55e80d19ad83579a64c007002"},
};

static void put_blobs(struct kl_json_out *out, kl_blob_schedule blobs)
{
    kl_json_put_key(out, "blobSchedule");
    if (!blobs.update_fraction) {
        kl_json_put_null(out);
        return;
    }
    kl_json_put_object(out);
    kl_json_add_number(out, "baseFeeUpdateFraction", blobs.update_fraction);
    kl_json_add_number(out, "max", blobs.max);
    kl_json_add_number(out, "target", blobs.target);
    kl_json_put_object_end(out);
}

static void put_precompiles(struct kl_json_out *out, kl_fork fork)
{
    usize cursor = 0;
    kl_address address;
    kl_json_put_key(out, "precompiles");
    kl_json_put_object(out);
    while (kl_precompile_next(fork, &cursor, &address)) {
        kl_json_put_key(out, kl_precompile_name(kl_precompile_at(&address, fork)));
        kl_json_put_address(out, &address);
    }
    kl_json_put_object_end(out);
}

static void put_systems(struct kl_json_out *out, const kl_spec *spec, kl_fork fork)
{
    kl_json_put_key(out, "systemContracts");
    kl_json_put_object(out);
    for (usize i = 0; i < KL_COUNT_OF(systems); i++) {
        if (fork < systems[i].fork)
            continue;
        kl_json_put_key(out, systems[i].name);
        if (systems[i].address)
            kl_json_put_text(out, systems[i].address);
        else
            kl_json_put_address(out, &spec->deposit_contract);
    }
    kl_json_put_object_end(out);
}

static void put_fork(struct kl_rpc_call *call, const kl_header *genesis, const kl_hash *hash,
                     kl_fork fork)
{
    struct kl_json_out *out = call->out;
    const kl_spec *spec = kl_chain_spec(call->backend->ops->chain(call->backend));
    char id[12];
    snprintf(id, sizeof id, "0x%08x", kl_fork_id(spec, hash, genesis->timestamp, fork));
    bool later = spec->fork[fork].by == KL_AT_TIME && spec->fork[fork].at > genesis->timestamp;
    kl_json_put_object(out);
    kl_json_add_number(out, "activationTime", later ? spec->fork[fork].at : 0);
    put_blobs(out, kl_spec_blobs(spec, fork));
    kl_json_add_quantity(out, "chainId", spec->chain_id);
    kl_json_add_text(out, "forkId", id);
    put_precompiles(out, fork);
    put_systems(out, spec, fork);
    kl_json_put_object_end(out);
}

bool kl_rpc_eth_config(struct kl_rpc_call *call)
{
    const kl_spec *spec = kl_chain_spec(call->backend->ops->chain(call->backend));
    struct kl_reader *reader = kl_rpc_reader(call);
    kl_header genesis;
    kl_hash hash;
    if (!reader || !kl_rpc_ok(call, kl_reader_header(reader, 0, call->arena, &genesis, &hash)))
        return false;
    kl_fork now = kl_exec_fork(spec, &kl_reader_tip(reader)->header), next = now, last = now;
    for (kl_fork f = now + 1; f < KL_FORK_COUNT; f++) {
        if (spec->fork[f].by != KL_AT_TIME)
            continue;
        next = next == now ? f : next;
        last = f;
    }
    struct kl_json_out *out = call->out;
    kl_json_put_object(out);
    kl_json_put_key(out, "current");
    put_fork(call, &genesis, &hash, now);
    kl_json_put_key(out, "next");
    if (next > now)
        put_fork(call, &genesis, &hash, next);
    else
        kl_json_put_null(out);
    kl_json_put_key(out, "last");
    if (last > now)
        put_fork(call, &genesis, &hash, last);
    else
        kl_json_put_null(out);
    kl_json_put_object_end(out);
    return true;
}
