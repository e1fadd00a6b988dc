/* fuzz_case: what geth's evm, EthereumJS and Keel read alike: numbers as "0x…", the signed bytes
 * beside the fields, storage keys and values as 32 bytes or as quantities. */
#include "cli/fuzz_case.h"

#include "cli/fixture_put.h"

static kl_spec spec_of(const kl_fuzz_case *c)
{
    kl_spec spec;
    kl_spec_init(&spec, c->fork);
    spec.engine = KL_ENGINE_EXTERNAL;
    return spec;
}

static kl_status run_on(kl_statebench *bench, const kl_fuzz_case *c, struct kl_delta *pre, u64 gas,
                        struct kl_arena *arena, struct kl_tracer *tracer, kl_span *raw,
                        kl_statecase *end)
{
    kl_spec spec = spec_of(c);
    kl_tx tx = c->tx;
    tx.gas_limit = gas;
    KL_TRY(kl_tx_sign(&tx, &c->key, arena));
    kl_statecase got = {.broken = kl_tx_recover(&tx, c->fork)};
    kl_tx again;
    /* Runners read the bytes, and so does this. */
    if (got.broken == KL_RULE_NONE)
        KL_TRY(kl_tx_decode(&again, tx.raw, c->fork, arena, &got.broken));
    KL_TRY(kl_statecase_run(bench, &spec, &c->env, pre, &tx, tracer, &got));
    *raw = tx.raw;
    *end = got;
    return KL_OK;
}

kl_status kl_fuzz_case_run(kl_statebench *bench, const kl_fuzz_case *c, u64 gas,
                           struct kl_arena *arena, struct kl_tracer *tracer, kl_span *raw,
                           kl_statecase *end)
{
    struct kl_delta *pre;
    kl_hash root;
    kl_statebench_clear(bench);
    KL_TRY(kl_world_genesis(bench->world, c->alloc, c->alloc_count, false, &bench->arena, &pre,
                            &root));
    kl_status status = run_on(bench, c, pre, gas, arena, tracer, raw, end);
    kl_delta_unref(pre);
    return status;
}

kl_status kl_fuzz_case_fill(kl_statebench *bench, kl_fuzz_case *c, struct kl_arena *arena)
{
    struct kl_delta *pre;
    kl_hash root;
    kl_statebench_clear(bench);
    KL_TRY(kl_world_genesis(bench->world, c->alloc, c->alloc_count, false, &bench->arena, &pre,
                            &root));
    kl_status status = KL_OK;
    for (usize i = 0; i < c->gas_count && status == KL_OK; i++)
        status = run_on(bench, c, pre, c->gas[i], arena, NULL, &c->raw[i], &c->end[i]);
    kl_delta_unref(pre);
    return status;
}

static void put_env(struct kl_json_out *out, const kl_fuzz_case *c)
{
    const kl_header *env = &c->env;
    kl_json_put_key(out, "env");
    kl_json_put_object(out);
    kl_json_add_data(out, "currentCoinbase", kl_address_span(&env->coinbase));
    kl_json_add_quantity(out, "currentGasLimit", env->gas_limit);
    kl_json_add_quantity(out, "currentNumber", env->number);
    kl_json_add_quantity(out, "currentTimestamp", env->timestamp);
    kl_json_add_quantity_u256(out, "currentDifficulty", env->difficulty);
    if (c->fork >= KL_LONDON)
        kl_json_add_quantity_u256(out, "currentBaseFee", env->base_fee);
    if (c->fork >= KL_PARIS)
        kl_json_add_data(out, "currentRandom", kl_hash_span(&env->mix_hash));
    if (c->fork >= KL_CANCUN)
        kl_json_add_quantity(out, "currentExcessBlobGas", env->excess_blob_gas);
    kl_json_put_object_end(out);
}

static void put_access_list(struct kl_json_out *out, const kl_tx *tx)
{
    kl_json_put_key(out, "accessLists");
    kl_json_put_array(out);
    kl_json_put_array(out);
    for (usize i = 0; i < tx->access_count; i++) {
        const kl_access *entry = &tx->access_list[i];
        kl_json_put_object(out);
        kl_json_add_data(out, "address", kl_address_span(&entry->address));
        kl_json_put_key(out, "storageKeys");
        kl_json_put_array(out);
        for (usize j = 0; j < entry->slot_count; j++)
            kl_json_put_hash(out, &entry->slots[j]);
        kl_json_put_array_end(out);
        kl_json_put_object_end(out);
    }
    kl_json_put_array_end(out);
    kl_json_put_array_end(out);
}

static void put_authorizations(struct kl_json_out *out, const kl_tx *tx)
{
    kl_json_put_key(out, "authorizationList");
    kl_json_put_array(out);
    for (usize i = 0; i < tx->authorization_count; i++) {
        const kl_authorization *a = &tx->authorizations[i];
        kl_json_put_object(out);
        kl_json_add_quantity_u256(out, "chainId", a->chain_id);
        kl_json_add_data(out, "address", kl_address_span(&a->address));
        kl_json_add_quantity(out, "nonce", a->nonce);
        kl_json_add_quantity(out, "v", a->signature.y_parity);
        kl_json_add_quantity_u256(out, "r", a->signature.r);
        kl_json_add_quantity_u256(out, "s", a->signature.s);
        kl_json_put_object_end(out);
    }
    kl_json_put_array_end(out);
}

static void put_fees(struct kl_json_out *out, const kl_tx *tx)
{
    if (tx->type < KL_TX_DYNAMIC_FEE) {
        kl_json_add_quantity_u256(out, "gasPrice", tx->max_fee);
    } else {
        kl_json_add_quantity_u256(out, "maxFeePerGas", tx->max_fee);
        kl_json_add_quantity_u256(out, "maxPriorityFeePerGas", tx->max_priority_fee);
    }
    if (tx->type != KL_TX_BLOB)
        return;
    kl_json_add_quantity_u256(out, "maxFeePerBlobGas", tx->max_blob_fee);
    kl_json_put_key(out, "blobVersionedHashes");
    kl_json_put_array(out);
    for (usize i = 0; i < tx->blob_count; i++)
        kl_json_put_hash(out, &tx->blob_hashes[i]);
    kl_json_put_array_end(out);
}

static void put_transaction(struct kl_json_out *out, const kl_fuzz_case *c)
{
    const kl_tx *tx = &c->tx;
    kl_json_put_key(out, "transaction");
    kl_json_put_object(out);
    kl_json_put_key(out, "data");
    kl_json_put_array(out);
    kl_json_put_data(out, tx->data);
    kl_json_put_array_end(out);
    kl_json_put_key(out, "gasLimit");
    kl_json_put_array(out);
    for (usize i = 0; i < c->gas_count; i++)
        kl_json_put_quantity(out, c->gas[i]);
    kl_json_put_array_end(out);
    kl_json_put_key(out, "value");
    kl_json_put_array(out);
    kl_json_put_quantity_u256(out, tx->value);
    kl_json_put_array_end(out);
    kl_json_add_quantity(out, "nonce", tx->nonce);
    put_fees(out, tx);
    if (tx->type >= KL_TX_ACCESS_LIST)
        put_access_list(out, tx);
    if (tx->type == KL_TX_SET_CODE)
        put_authorizations(out, tx);
    kl_json_add_data(out, "secretKey", kl_span_of(c->key.b, sizeof c->key.b));
    kl_json_add_data(out, "sender", kl_address_span(&tx->sender));
    kl_json_put_key(out, "to");
    if (tx->has_to)
        kl_json_put_address(out, &tx->to);
    else
        kl_json_put_text(out, "");
    kl_json_put_object_end(out);
}

static void put_post(struct kl_json_out *out, const kl_fuzz_case *c)
{
    kl_json_put_key(out, "post");
    kl_json_put_object(out);
    kl_json_put_key(out, kl_fork_name(c->fork));
    kl_json_put_array(out);
    for (usize i = 0; i < c->gas_count; i++) {
        const kl_statecase *end = &c->end[i];
        kl_json_put_object(out);
        kl_json_add_data(out, "hash", kl_hash_span(&end->root));
        kl_json_add_data(out, "logs", kl_hash_span(&end->logs));
        kl_json_add_data(out, "txbytes", c->raw[i]);
        kl_json_put_key(out, "indexes");
        kl_json_put_object(out);
        kl_json_add_number(out, "data", 0);
        kl_json_add_number(out, "gas", i);
        kl_json_add_number(out, "value", 0);
        kl_json_put_object_end(out);
        if (end->broken != KL_RULE_NONE) {
            kl_json_add_text(out, "expectException", kl_rule_fixture(end->broken));
        }
        kl_json_put_object_end(out);
    }
    kl_json_put_array_end(out);
    kl_json_put_object_end(out);
}

void kl_fuzz_case_put(struct kl_json_out *out, const char *name, const kl_fuzz_case *c)
{
    kl_json_put_key(out, name);
    kl_json_put_object(out);
    put_env(out, c);
    kl_json_put_key(out, "pre");
    kl_json_put_object(out);
    for (usize i = 0; i < c->alloc_count; i++)
        kl_fixture_put_account(out, &c->alloc[i]);
    kl_json_put_object_end(out);
    put_transaction(out, c);
    put_post(out, c);
    kl_json_put_object_end(out);
}
