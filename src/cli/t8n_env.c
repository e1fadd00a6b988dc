/* t8n_env: the block's environment: what the file says, and what follows from its parent. */
#include "chain/difficulty.h"
#include "cli/t8n.h"
#include "crypto/keccak.h"
#include "exec/fees.h"

static bool has(const struct kl_fixture *f, kl_json_ref object, const char *name)
{
    kl_json_ref ref = kl_json_member(&f->json, object, name);
    return ref != KL_JSON_NONE && !kl_json_is(&f->json, ref, KL_JSON_NULL);
}

static kl_u256 wide(struct kl_fixture *f, kl_json_ref object, const char *name, bool *found)
{
    bool there = has(f, object, name);
    if (found)
        *found = there;
    return there ? kl_fixture_get_u256(f, object, name) : KL_U256_ZERO;
}

static u64 narrow(struct kl_fixture *f, kl_json_ref object, const char *name, bool *found)
{
    u64 v = 0;
    if (!kl_u256_to_u64(&v, wide(f, object, name, found)) && !f->bad)
        f->bad = name;
    return v;
}

static u64 needed(struct kl_fixture *f, kl_json_ref object, const char *name)
{
    bool found;
    u64 v = narrow(f, object, name, &found);
    if (!found && !f->bad)
        f->bad = name;
    return v;
}

static void *room(struct kl_fixture *f, void *memory, usize count, const char *name)
{
    if (!memory && count && !f->bad)
        f->bad = name;
    return memory;
}

static void read_ommers(kl_t8n_env *env, struct kl_fixture *f, kl_json_ref list)
{
    usize count = kl_fixture_count(f, list);
    kl_t8n_ommer *ommers = room(f, KL_TAKE(f->arena, kl_t8n_ommer, count), count, "ommers");
    kl_json_ref at = ommers && count ? kl_json_first(&f->json, list) : KL_JSON_NONE;
    for (usize i = 0; at != KL_JSON_NONE; i++, at = kl_json_after(&f->json, list, at)) {
        ommers[i].delta = needed(f, at, "delta");
        ommers[i].address =
            kl_fixture_address(f, kl_fixture_need(f, at, "address"), "ommers.address");
        if (ommers[i].delta > 8 && !f->bad)
            f->bad = "ommers.delta";
        env->ommer_count = i + 1;
    }
    env->ommers = ommers;
}

static void read_withdrawals(kl_t8n_env *env, struct kl_fixture *f, kl_json_ref list)
{
    usize count = kl_fixture_count(f, list);
    kl_withdrawal *all = room(f, KL_TAKE(f->arena, kl_withdrawal, count), count, "withdrawals");
    kl_json_ref at = all && count ? kl_json_first(&f->json, list) : KL_JSON_NONE;
    for (usize i = 0; at != KL_JSON_NONE; i++, at = kl_json_after(&f->json, list, at)) {
        all[i] = (kl_withdrawal){.index = needed(f, at, "index"),
                                 .validator_index = needed(f, at, "validatorIndex"),
                                 .address = kl_fixture_address(f, kl_fixture_need(f, at, "address"),
                                                               "withdrawals.address"),
                                 .amount = needed(f, at, "amount")};
        env->withdrawal_count = i + 1;
    }
    env->withdrawals = all;
    env->has_withdrawals = kl_json_is(&f->json, list, KL_JSON_ARRAY);
}

/* {number: hash} */
static void read_hashes(kl_t8n_env *env, struct kl_fixture *f, kl_json_ref object)
{
    env->has_hashes = kl_json_is(&f->json, object, KL_JSON_OBJECT);
    usize count = env->has_hashes ? f->json.nodes[object].count : 0;
    kl_t8n_hash *hashes = room(f, KL_TAKE(f->arena, kl_t8n_hash, count), count, "blockHashes");
    kl_json_ref at = hashes && count ? kl_json_first(&f->json, object) : KL_JSON_NONE;
    for (usize i = 0; at != KL_JSON_NONE; i++) {
        kl_json_ref value = kl_json_value(at);
        hashes[i] = (kl_t8n_hash){.number = kl_fixture_u64(f, at, "blockHashes"),
                                  .hash = kl_fixture_hash(f, value, "blockHashes")};
        env->hash_count = i + 1;
        at = kl_json_after(&f->json, object, value);
    }
    env->hashes = hashes;
}

static void read_parent(kl_t8n_env *env, struct kl_fixture *f, kl_json_ref from)
{
    bool has_excess, has_used;
    kl_header *parent = &env->parent;
    parent->difficulty = wide(f, from, "parentDifficulty", &env->has_parent_difficulty);
    parent->base_fee = wide(f, from, "parentBaseFee", &env->has_parent_base_fee);
    parent->gas_used = narrow(f, from, "parentGasUsed", NULL);
    parent->gas_limit = narrow(f, from, "parentGasLimit", NULL);
    parent->timestamp = narrow(f, from, "parentTimestamp", NULL);
    parent->ommers_hash = kl_u256_to_hash(wide(f, from, "parentUncleHash", NULL));
    parent->excess_blob_gas = narrow(f, from, "parentExcessBlobGas", &has_excess);
    parent->blob_gas_used = narrow(f, from, "parentBlobGasUsed", &has_used);
    env->has_parent_excess = has_excess && has_used;
    if (kl_u256_is_zero(kl_u256_from_hash(&parent->ommers_hash)))
        parent->ommers_hash = kl_keccak_empty_list;
    parent->number = env->header.number - 1;
}

bool kl_t8n_env_read(kl_t8n_env *out, struct kl_fixture *fixture, kl_json_ref env,
                     struct kl_t8n_fault *fault)
{
    struct kl_fixture *f = fixture;
    const struct kl_json *json = &f->json;
    kl_t8n_env got = {0};
    kl_header *header = &got.header;
    if (!kl_json_is(json, env, KL_JSON_OBJECT))
        return kl_t8n_blame(fault, KL_T8N_JSON, "failed unmarshalling env: there is no object");
    header->coinbase =
        kl_fixture_address(f, kl_fixture_need(f, env, "currentCoinbase"), "currentCoinbase");
    header->gas_limit = needed(f, env, "currentGasLimit");
    header->number = needed(f, env, "currentNumber");
    header->timestamp = needed(f, env, "currentTimestamp");
    header->difficulty = wide(f, env, "currentDifficulty", &got.has_difficulty);
    header->mix_hash = kl_u256_to_hash(wide(f, env, "currentRandom", &got.has_random));
    header->base_fee = wide(f, env, "currentBaseFee", &got.has_base_fee);
    header->excess_blob_gas = narrow(f, env, "currentExcessBlobGas", &got.has_excess);
    header->parent_beacon_root =
        kl_u256_to_hash(wide(f, env, "parentBeaconBlockRoot", &got.has_beacon_root));
    read_parent(&got, f, env);
    read_ommers(&got, f, kl_json_member(json, env, "ommers"));
    read_withdrawals(&got, f, kl_json_member(json, env, "withdrawals"));
    read_hashes(&got, f, kl_json_member(json, env, "blockHashes"));
    if (!kl_t8n_read(fault, f, "env"))
        return false;
    for (usize i = 0; i < got.hash_count; i++)
        if (got.hashes[i].number == header->number - 1)
            header->parent_hash = got.hashes[i].hash;
    *out = got;
    return true;
}

static bool complete_base_fee(kl_t8n_env *env, const kl_spec *spec, struct kl_t8n_fault *fault)
{
    kl_header *header = &env->header, *parent = &env->parent;
    if (env->fork < KL_LONDON || env->has_base_fee)
        return true;
    if (!env->has_parent_base_fee || header->number == 0)
        return kl_t8n_blame(fault, KL_T8N_CONFIG,
                            "EIP-1559 config but missing 'parentBaseFee' in env section");
    kl_fork before = kl_spec_fork(spec, parent->number, parent->timestamp);
    parent->tail = before >= KL_LONDON;
    header->base_fee = kl_base_fee_after(spec, parent, header->number, header->timestamp);
    env->has_base_fee = true;
    return true;
}

/* Before Paris difficulty is given or follows; from Paris on there is none. */
static bool complete_difficulty(kl_t8n_env *env, struct kl_t8n_fault *fault)
{
    kl_header *header = &env->header;
    if (env->fork >= KL_PARIS) {
        if (!env->has_random)
            return kl_t8n_blame(fault, KL_T8N_CONFIG,
                                "post-merge requires currentRandom to be defined in env");
        if (!kl_u256_is_zero(header->difficulty))
            return kl_t8n_blame(fault, KL_T8N_CONFIG,
                                "post-merge difficulty must be zero (or omitted) in env");
        env->has_difficulty = false;
        return true;
    }
    if (env->has_difficulty)
        return true;
    if (!env->has_parent_difficulty)
        return kl_t8n_blame(fault, KL_T8N_CONFIG,
                            "currentDifficulty was not provided, and cannot be calculated due to "
                            "missing parentDifficulty");
    if (header->number == 0)
        return kl_t8n_blame(fault, KL_T8N_CONFIG,
                            "currentDifficulty needs to be provided for block number 0");
    if (header->timestamp <= env->parent.timestamp)
        return kl_t8n_blame(fault, KL_T8N_CONFIG,
                            "currentDifficulty cannot be calculated -- currentTime (%llu) needs "
                            "to be after parent time (%llu)",
                            (unsigned long long)header->timestamp,
                            (unsigned long long)env->parent.timestamp);
    header->difficulty = kl_difficulty_after(&env->parent, header->timestamp, env->fork);
    env->has_difficulty = true;
    return true;
}

static void complete_excess(kl_t8n_env *env, const kl_spec *spec)
{
    kl_header *header = &env->header;
    if (env->has_excess || !env->has_parent_excess)
        return;
    env->parent.tail = kl_header_tail(KL_CANCUN);
    header->excess_blob_gas =
        kl_excess_blob_gas_after(spec, &env->parent, header->number, header->timestamp);
    env->has_excess = true;
}

bool kl_t8n_env_complete(kl_t8n_env *env, const kl_spec *spec, struct kl_t8n_fault *fault)
{
    kl_header *header = &env->header;
    env->fork = kl_exec_fork(spec, header);
    if (env->fork == KL_PARIS && !env->has_difficulty && !env->has_random) /* it may follow */
        env->fork = kl_spec_fork(spec, header->number, header->timestamp);
    header->tail = kl_header_tail(env->fork);
    if (header->gas_limit > INT64_MAX)
        return kl_t8n_blame(fault, KL_T8N_CONFIG, "currentGasLimit is above 2^63 - 1");
    if (!complete_base_fee(env, spec, fault))
        return false;
    if (env->fork >= KL_SHANGHAI && !env->has_withdrawals)
        return kl_t8n_blame(fault, KL_T8N_CONFIG,
                            "Shanghai config but missing 'withdrawals' in env section");
    if (!complete_difficulty(env, fault))
        return false;
    if (env->fork >= KL_CANCUN && !env->has_beacon_root)
        return kl_t8n_blame(fault, KL_T8N_CONFIG,
                            "post-cancun env requires parentBeaconBlockRoot to be set");
    complete_excess(env, spec);
    if (env->fork < KL_CANCUN)
        env->has_excess = false;
    return true;
}
