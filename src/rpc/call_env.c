#include "rpc/call_env.h"

#include "exec/fees.h"
#include "rpc/call_override.h"
#include "rpc/next_header.h"

/* Hashes that the chain does not have, of heights that only an override reaches, read 0. */
static kl_status get_hash(struct kl_block_hashes *hashes, u64 number, kl_hash *out)
{
    struct kl_env_hashes *of = (struct kl_env_hashes *)hashes;
    kl_status status = of->known.hashes.get(&of->known.hashes, number, out);
    if (status != KL_NOTFOUND)
        return status;
    *out = (kl_hash){0};
    return KL_OK;
}

/* Sets header and state. */
static bool place(struct kl_call_env *env, const kl_block_ref *ref)
{
    struct kl_rpc_call *call = env->call;
    kl_hash hash;
    if (!kl_rpc_state_of(call, ref, &env->state))
        return false;
    struct kl_reader *reader = kl_rpc_reader(call);
    if (ref->kind != KL_BLOCK_PENDING)
        return kl_rpc_ok(
            call, kl_reader_header(reader, env->state.number, call->arena, &env->header, &hash));
    kl_rpc_next_header(call, kl_reader_tip(reader), &env->header);
    return true;
}

static bool override_block(struct kl_call_env *env, kl_arg overrides)
{
    bool has_blob_base_fee = false;
    if (!kl_arg_block_overrides(env->call, overrides, &env->header, &has_blob_base_fee,
                                &env->blob_base_fee))
        return false;
    if (has_blob_base_fee)
        env->block.blob_base_fee = &env->blob_base_fee;
    return true;
}

bool kl_call_env_open(struct kl_rpc_call *call, kl_arg block, kl_arg state_overrides,
                      kl_arg block_overrides, struct kl_call_env *out)
{
    kl_block_ref ref;
    return kl_arg_block(call, block, &ref) &&
           kl_call_env_open_at(call, &ref, state_overrides, block_overrides, out);
}

bool kl_call_env_open_at(struct kl_rpc_call *call, const kl_block_ref *block,
                         kl_arg state_overrides, kl_arg block_overrides, struct kl_call_env *out)
{
    struct kl_call_env *env = out;
    *env = (struct kl_call_env){.call = call};
    if (!place(env, block) || !override_block(env, block_overrides) ||
        !kl_arg_state_overrides(call, state_overrides, &env->overrides, &env->override_count))
        return false;
    env->exec = kl_rpc_exec(call);
    if (!env->exec)
        return false;
    kl_view_reader_init(&env->reader, env->state.view);
    env->hashes.hashes.get = get_hash;
    kl_view_hashes_init(&env->hashes.known, env->state.view);
    env->block.spec = kl_chain_spec(call->backend->ops->chain(call->backend));
    env->block.header = &env->header;
    env->block.reader = &env->reader.reader;
    env->block.hashes = &env->hashes.hashes;
    env->base_fee = env->header.base_fee;
    return true;
}

void kl_call_env_done(struct kl_call_env *env)
{
    kl_rpc_state_done(&env->state);
}

bool kl_call_env_enter(struct kl_call_env *env)
{
    if (!kl_rpc_ok(env->call, kl_rpc_expired(env->call) ? KL_CANCELED : KL_OK) ||
        !kl_rpc_ok(env->call, kl_exec_enter(env->exec, &env->block)))
        return false;
    env->entered = true;
    return env->override_count == 0 ||
           kl_rpc_ok(env->call, kl_state_override_apply(kl_exec_journal(env->exec), env->overrides,
                                                        env->override_count));
}

/* A call without any price pays nothing [geth CallDefaults]. */
static bool is_free(const kl_tx *tx)
{
    return kl_u256_is_zero(tx->max_fee) && kl_u256_is_zero(tx->max_priority_fee);
}

/* The least type that can hold what args name. */
static kl_tx_type type_of(const kl_tx_args *args)
{
    if (args->has_authorizations)
        return KL_TX_SET_CODE;
    if (args->has_blob_hashes)
        return KL_TX_BLOB;
    if (args->has_max_fee || args->has_max_priority_fee)
        return KL_TX_DYNAMIC_FEE;
    return args->has_access_list ? KL_TX_ACCESS_LIST : KL_TX_LEGACY;
}

bool kl_call_env_tx(struct kl_call_env *env, const kl_tx_args *args, kl_tx *out)
{
    u64 cap = env->call->config->limits.call_gas, chain_id = env->block.spec->chain_id;
    if (args->has_chain_id && args->chain_id != chain_id)
        return kl_rpc_fail(env->call, KL_RPC_INPUT,
                           "chainId does not match node's (have=%llu, want=%llu)",
                           (unsigned long long)args->chain_id, (unsigned long long)chain_id);
    kl_tx tx = {
        .type = (u8)type_of(args),
        .has_to = args->has_to,
        .replay_safe = true,
        .has_sender = true,
        .chain_id = chain_id,
        .nonce = args->nonce,
        .gas_limit = args->has_gas ? KL_MIN(args->gas, cap) : cap,
        .max_fee = args->has_gas_price ? args->gas_price : args->max_fee,
        .max_priority_fee = args->has_gas_price ? args->gas_price : args->max_priority_fee,
        .max_blob_fee = args->max_blob_fee,
        .value = args->value,
        .to = args->to,
        .data = args->data,
        .access_list = args->access_list,
        .access_count = args->access_count,
        .blob_hashes = args->blob_hashes,
        .blob_count = args->blob_count,
        .authorizations = args->authorizations,
        .authorization_count = args->authorization_count,
        .sender = args->from,
    };
    kl_tx_recover_authorities(&tx);
    env->header.base_fee = is_free(&tx) ? KL_U256_ZERO : env->base_fee;
    env->entered = false;
    *out = tx;
    return true;
}

bool kl_call_env_try(struct kl_call_env *env, const kl_tx *tx, struct kl_tracer *tracer,
                     kl_tx_result *out, kl_rule *broken)
{
    if (!env->entered && !kl_call_env_enter(env))
        return false;
    kl_call how = {.tx = tx, .free = is_free(tx)};
    return kl_rpc_ok(env->call, kl_exec_call(env->exec, &how, tracer, out, broken));
}

void kl_call_env_rule_text(struct kl_call_env *env, const kl_tx *tx, kl_rule broken,
                           char text[KL_RULE_TEXT_MAX])
{
    kl_jaccount *sender;
    kl_tx_facts facts = {.tx = tx,
                         .fork = kl_exec_fork(env->block.spec, &env->header),
                         .chain_id = env->block.spec->chain_id,
                         .base_fee = env->header.base_fee};
    if (kl_journal_account(kl_exec_journal(env->exec), &tx->sender, &sender) == KL_OK)
        facts.balance = sender->now.balance;
    kl_rule_text_run(text, &facts, broken);
}

bool kl_call_env_run(struct kl_call_env *env, const kl_tx *tx, struct kl_tracer *tracer,
                     kl_tx_result *out)
{
    char text[KL_RULE_TEXT_MAX];
    kl_rule broken;
    if (!kl_call_env_try(env, tx, tracer, out, &broken))
        return false;
    if (broken == KL_RULE_NONE)
        return true;
    kl_call_env_rule_text(env, tx, broken, text);
    return kl_rpc_fail(env->call, KL_RPC_INPUT, "err: %s (supplied gas %llu)", text,
                       (unsigned long long)tx->gas_limit);
}

bool kl_call_env_fail_halt(struct kl_call_env *env, const kl_tx_result *result)
{
    if (result->halt == KL_HALT_REVERT)
        return kl_rpc_fail_revert(env->call, result->output);
    return kl_rpc_fail(env->call, KL_RPC_INPUT, "%s", kl_halt_text(result->halt));
}
