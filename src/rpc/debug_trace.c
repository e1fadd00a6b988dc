/* debug_trace*: a transaction of the chain is executed again, behind the ones before it in its
 * block, on the state its block began with; a call runs where eth_call would run it. */
#include "rpc/at.h"
#include "rpc/call_env.h"
#include "rpc/method.h"
#include "rpc/trace_priv.h"

/* A block being executed once more. */
struct replay {
    struct kl_rpc_call *call;
    struct kl_exec *exec;
    kl_stored_block stored;
    struct kl_rpc_state parent;
    struct kl_view_reader reader;
    struct kl_view_hashes hashes;
    kl_exec_block block;
    kl_trace_where where;
    usize next; /* transaction */
};

static void replay_done(struct replay *r)
{
    kl_rpc_state_done(&r->parent);
}

/* Everything up to the first transaction. */
static bool replay_open(struct replay *r, struct kl_rpc_call *call, u64 number)
{
    struct kl_reader *reader = kl_rpc_reader(call);
    *r = (struct replay){.call = call};
    if (!reader)
        return false;
    if (number == 0)
        return kl_rpc_fail(call, KL_RPC_INPUT, "genesis is not traceable");
    const kl_block_ref parent = {.kind = KL_BLOCK_NUMBER, .number = number - 1};
    if (!kl_rpc_ok(call, kl_reader_block(reader, number, call->arena, &r->stored)) ||
        !kl_rpc_state_of(call, &parent, &r->parent) || !(r->exec = kl_rpc_exec(call)))
        return false;
    kl_view_reader_init(&r->reader, r->parent.view);
    kl_view_hashes_init(&r->hashes, r->parent.view);
    const kl_header *header = &r->stored.block.header;
    r->block = (kl_exec_block){
        .spec = kl_chain_spec(call->backend->ops->chain(call->backend)),
        .header = header,
        .reader = &r->reader.reader,
        .hashes = &r->hashes.hashes,
    };
    r->where =
        (kl_trace_where){.fork = kl_exec_fork(r->block.spec, header), .coinbase = header->coinbase};
    return kl_rpc_ok(call, kl_exec_begin(r->exec, &r->block));
}

/* The next transaction, with or without somebody watching. */
static bool replay_next(struct replay *r, struct kl_rpc_tracer *tracer)
{
    kl_tx *tx = &r->stored.block.txs[r->next++];
    kl_tx_result result = {0};
    kl_rule broken = KL_RULE_NONE;
    if (kl_rpc_expired(r->call))
        return kl_rpc_fail(r->call, KL_RPC_INPUT, "execution timeout");
    kl_tx_recover_authorities(tx); /* the ledger keeps senders alone */
    r->where.tx = tx;
    if (tracer)
        kl_rpc_tracer_begin(tracer, r->exec, &r->where);
    kl_status status = kl_exec_tx(r->exec, tx, tracer ? &tracer->hooks : NULL, &result, &broken);
    if (status == KL_OK && broken != KL_RULE_NONE)
        return kl_rpc_fail(r->call, KL_RPC_INTERNAL, "tracing failed: %s", kl_rule_text(broken));
    r->where.log_base += result.receipt.log_count;
    return tracer ? kl_rpc_tracer_end(tracer, &result, status) : kl_rpc_ok(r->call, status);
}

bool kl_rpc_debug_trace_transaction(struct kl_rpc_call *call)
{
    kl_hash hash;
    kl_trace_plan plan;
    u64 number;
    usize index;
    struct kl_reader *reader;
    KL_CLEANUP(replay_done) struct replay replay = {0};
    if (!kl_arg_hash(call, kl_arg_at(call, 0), &hash) ||
        !kl_arg_trace(call, kl_arg_at(call, 1), &plan) || !(reader = kl_rpc_reader(call)))
        return false;
    kl_status status = kl_reader_tx(reader, &hash, &number, &index);
    if (status == KL_NOTFOUND)
        return kl_rpc_fail(call, KL_RPC_INPUT, "transaction not found");
    if (!kl_rpc_ok(call, status) || !replay_open(&replay, call, number))
        return false;
    KL_ASSERT(index < replay.stored.block.tx_count);
    while (replay.next < index)
        if (!replay_next(&replay, NULL))
            return false;
    struct kl_rpc_tracer *tracer = kl_rpc_tracer_make(&plan, call);
    return tracer && replay_next(&replay, tracer);
}

/* [{txHash, result}]; what one trace has gathered is forgotten before the next. */
static bool trace_block(struct kl_rpc_call *call, u64 number, const kl_trace_plan *plan)
{
    KL_CLEANUP(replay_done) struct replay replay = {0};
    if (!replay_open(&replay, call, number))
        return false;
    kl_json_put_array(call->out);
    while (replay.next < replay.stored.block.tx_count) {
        kl_arena_mark mark = kl_arena_here(call->arena);
        kl_json_put_object(call->out);
        kl_json_add_hash(call->out, "txHash", &replay.stored.block.txs[replay.next].hash);
        kl_json_put_key(call->out, "result");
        struct kl_rpc_tracer *tracer = kl_rpc_tracer_make(plan, call);
        if (!tracer || !replay_next(&replay, tracer))
            return false;
        kl_json_put_object_end(call->out);
        kl_arena_rewind(call->arena, mark);
    }
    kl_json_put_array_end(call->out);
    return true;
}

bool kl_rpc_debug_trace_block_by_number(struct kl_rpc_call *call)
{
    kl_block_ref ref;
    kl_trace_plan plan;
    u64 number;
    bool found;
    if (!kl_arg_block(call, kl_arg_at(call, 0), &ref) ||
        !kl_arg_trace(call, kl_arg_at(call, 1), &plan))
        return false;
    if (ref.kind == KL_BLOCK_HASH)
        return kl_arg_fail(call, kl_arg_at(call, 0), "block number or tag expected");
    if (ref.kind == KL_BLOCK_PENDING)
        return kl_rpc_fail(call, KL_RPC_INPUT, "tracing on top of pending is not supported");
    if (!kl_rpc_number_at(call, &ref, &number, &found))
        return false;
    if (!found)
        return kl_rpc_fail(call, KL_RPC_INPUT, "block #%llu not found", (unsigned long long)number);
    return trace_block(call, number, &plan);
}

bool kl_rpc_debug_trace_block_by_hash(struct kl_rpc_call *call)
{
    kl_hash hash;
    kl_trace_plan plan;
    u64 number;
    struct kl_reader *reader;
    if (!kl_arg_hash(call, kl_arg_at(call, 0), &hash) ||
        !kl_arg_trace(call, kl_arg_at(call, 1), &plan) || !(reader = kl_rpc_reader(call)))
        return false;
    kl_status status = kl_reader_number_of(reader, &hash, &number);
    if (status == KL_NOTFOUND)
        return kl_rpc_fail(call, KL_RPC_INPUT, "block not found");
    return kl_rpc_ok(call, status) && trace_block(call, number, &plan);
}

static bool trace_call(struct kl_call_env *env, const kl_tx *tx, struct kl_rpc_tracer *tracer)
{
    struct kl_rpc_call *call = env->call;
    char text[KL_RULE_TEXT_MAX];
    kl_tx_result result;
    kl_rule broken;
    const kl_trace_where where = {.tx = tx,
                                  .fork = kl_exec_fork(env->block.spec, &env->header),
                                  .coinbase = env->header.coinbase};
    if (!kl_call_env_enter(env))
        return false;
    kl_rpc_tracer_begin(tracer, env->exec, &where);
    if (!kl_call_env_try(env, tx, &tracer->hooks, &result, &broken))
        /* the tracer knows better what has ended it */
        return (tracer->full || tracer->late || kl_rpc_expired(call)) &&
               kl_rpc_tracer_end(tracer, &result, KL_CANCELED);
    if (broken != KL_RULE_NONE) {
        kl_call_env_rule_text(env, tx, broken, text);
        return kl_rpc_fail(call, KL_RPC_INPUT, "tracing failed: %s", text);
    }
    return kl_rpc_tracer_end(tracer, &result, KL_OK);
}

bool kl_rpc_debug_trace_call(struct kl_rpc_call *call)
{
    kl_arg block = kl_arg_at(call, 1), options = kl_arg_at(call, 2);
    kl_tx_args args;
    kl_tx tx;
    kl_trace_plan plan;
    kl_block_ref ref;
    struct kl_rpc_tracer *tracer;
    KL_CLEANUP(kl_call_env_done) struct kl_call_env env = {0};
    if (!kl_arg_tx(call, kl_arg_at(call, 0), &args) || !kl_arg_block(call, block, &ref) ||
        !kl_arg_trace(call, options, &plan))
        return false;
    if (ref.kind == KL_BLOCK_PENDING)
        return kl_rpc_fail(call, KL_RPC_INPUT, "tracing on top of pending is not supported");
    if (kl_arg_there(kl_arg_member(call, options, "txIndex")))
        return kl_arg_fail(call, kl_arg_member(call, options, "txIndex"), "not supported");
    return kl_call_env_open(call, block, kl_arg_member(call, options, "stateOverrides"),
                            kl_arg_member(call, options, "blockOverrides"), &env) &&
           kl_call_env_tx(&env, &args, &tx) && (tracer = kl_rpc_tracer_make(&plan, call)) &&
           trace_call(&env, &tx, tracer);
}
