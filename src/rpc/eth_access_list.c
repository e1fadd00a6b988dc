/* eth_createAccessList [execution-apis eth/execute]: runs the message until what it touches is what
 * its list names. A list changes prices and thereby, rarely, the way a message takes; so one run is
 * not always enough, and since lists only grow, there is a last one. */
#include "crypto/address.h"
#include "evm/precompile.h"
#include "rpc/call_env.h"
#include "rpc/method.h"
#include "rpc/touched.h"

static void touched_donep(struct kl_touched *touched)
{
    kl_touched_done(touched);
}

/* What is warm without being named: sender, receiver, precompiles, who authorizes. */
static bool leave_out_warm(struct kl_call_env *env, const kl_tx *tx, struct kl_touched *touched)
{
    kl_address address = tx->to;
    usize cursor = 0;
    if (!tx->has_to) {
        kl_jaccount *sender;
        if (!kl_call_env_enter(env) ||
            !kl_rpc_ok(env->call,
                       kl_journal_account(kl_exec_journal(env->exec), &tx->sender, &sender)))
            return false;
        address = kl_address_of_create(&tx->sender, sender->now.nonce);
    }
    kl_touched_leave_out(touched, &tx->sender);
    kl_touched_leave_out(touched, &address);
    kl_fork fork = kl_exec_fork(env->block.spec, &env->header);
    while (kl_precompile_next(fork, &cursor, &address))
        kl_touched_leave_out(touched, &address);
    for (usize i = 0; i < tx->authorization_count; i++)
        if (tx->authorizations[i].has_authority)
            kl_touched_leave_out(touched, &tx->authorizations[i].authority);
    return true;
}

static void put_result(struct kl_json_out *out, const kl_tx *tx, const kl_tx_result *result)
{
    kl_json_put_object(out);
    kl_json_put_key(out, "accessList");
    kl_json_put_array(out);
    for (usize i = 0; i < tx->access_count; i++) {
        kl_json_put_object(out);
        kl_json_add_address(out, "address", &tx->access_list[i].address);
        kl_json_put_key(out, "storageKeys");
        kl_json_put_array(out);
        for (usize k = 0; k < tx->access_list[i].slot_count; k++)
            kl_json_put_hash(out, &tx->access_list[i].slots[k]);
        kl_json_put_array_end(out);
        kl_json_put_object_end(out);
    }
    kl_json_put_array_end(out);
    if (result->halt != KL_HALT_NONE) {
        kl_json_add_text(out, "error", kl_halt_text(result->halt));
    }
    kl_json_add_quantity(out, "gasUsed", result->gas_used);
    kl_json_put_object_end(out);
}

bool kl_rpc_eth_create_access_list(struct kl_rpc_call *call)
{
    KL_CLEANUP(kl_call_env_done) struct kl_call_env env = {0};
    KL_CLEANUP(touched_donep) struct kl_touched touched;
    kl_tx_args args;
    kl_tx tx;
    kl_tx_result result;
    usize before;
    kl_touched_init(&touched, call->arena, call->config->seed);
    if (!kl_arg_tx(call, kl_arg_at(call, 0), &args) ||
        !kl_call_env_open(call, kl_arg_at(call, 1), kl_arg_at(call, 2), kl_arg_at(call, 3), &env) ||
        !kl_call_env_tx(&env, &args, &tx) || !leave_out_warm(&env, &tx, &touched))
        return false;
    if (tx.type == KL_TX_LEGACY && kl_exec_fork(env.block.spec, &env.header) >= KL_BERLIN)
        tx.type = KL_TX_ACCESS_LIST;
    kl_touched_add_list(&touched, tx.access_list, tx.access_count);
    do {
        before = touched.changes;
        if (!kl_rpc_ok(call, kl_touched_list(&touched, &tx.access_list, &tx.access_count)) ||
            !kl_call_env_enter(&env) || !kl_call_env_run(&env, &tx, &touched.tracer, &result))
            return false;
    } while (touched.changes > before);
    put_result(call->out, &tx, &result);
    return true;
}
