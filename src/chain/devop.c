#include "chain/devop.h"

#include "chain/rules.h"
#include "codec/rlp.h"

static const char *const names[KL_DEVOP_COUNT] = {
#define KL_DEVOP_X(NAME, name, members) [KL_DEVOP_##NAME] = (name),
#include "chain/devop.def"
#undef KL_DEVOP_X
};

enum {
    ADDRESS = 1,
    KEY = 2,
    VALUE = 4,
    NUMBER = 8,
    SECONDS = 16,
    CODE = 32,
    FLAG = 64,
};

static const u8 members_of[KL_DEVOP_COUNT] = {
#define KL_DEVOP_X(NAME, name, members) [KL_DEVOP_##NAME] = (members),
#include "chain/devop.def"
#undef KL_DEVOP_X
};

const char *kl_devop_name(kl_devop_kind kind)
{
    KL_ASSERT(kind < KL_DEVOP_COUNT);
    return names[kind];
}

kl_devop kl_devop_strip(const kl_devop *op)
{
    KL_ASSERT(op->kind < KL_DEVOP_COUNT);
    u8 members = members_of[op->kind];
    kl_devop stripped = {.kind = op->kind};
    if (members & ADDRESS)
        stripped.address = op->address;
    if (members & KEY)
        stripped.key = op->key;
    if (members & VALUE)
        stripped.value = op->value;
    if (members & NUMBER)
        stripped.number = op->number;
    if (members & SECONDS)
        stripped.seconds = op->seconds;
    if (members & CODE)
        stripped.code = op->code;
    if (members & FLAG)
        stripped.flag = op->flag;
    return stripped;
}

static bool is_stripped(const kl_devop *op)
{
    kl_devop s = kl_devop_strip(op);
    return kl_address_eq(&s.address, &op->address) && kl_u256_eq(s.key, op->key) &&
           kl_u256_eq(s.value, op->value) && s.number == op->number && s.seconds == op->seconds &&
           s.code.len == op->code.len && s.flag == op->flag;
}

void kl_devop_encode(kl_out *out, const kl_devop *op)
{
    kl_rlp_mark list = kl_rlp_put_begin(out);
    kl_rlp_put_u64(out, op->kind);
    kl_rlp_put_address(out, &op->address);
    kl_rlp_put_u256(out, op->key);
    kl_rlp_put_u256(out, op->value);
    kl_rlp_put_u64(out, op->number);
    kl_rlp_put_u64(out, (u64)op->seconds);
    kl_rlp_put_bytes(out, op->code);
    kl_rlp_put_u64(out, op->flag);
    kl_rlp_put_end(out, list);
}

/* A boolean is the number 0 or 1. */
static kl_rule read_bool(kl_rlp *from, bool *out)
{
    u64 number;
    KL_JUDGE(kl_rlp_u64(from, &number));
    if (number > 1)
        return KL_RULE_RLP_INTEGER;
    *out = number != 0;
    return KL_RULE_NONE;
}

kl_rule kl_devop_decode(kl_devop *out, kl_span bytes)
{
    kl_rlp items;
    kl_devop op = {0};
    u64 kind, seconds;
    KL_JUDGE(kl_rlp_open(&items, bytes));
    KL_JUDGE(kl_rlp_u64(&items, &kind));
    if (kind >= KL_DEVOP_COUNT)
        return KL_RULE_DEV_KIND;
    op.kind = (kl_devop_kind)kind;
    KL_JUDGE(kl_rlp_address(&items, &op.address));
    KL_JUDGE(kl_rlp_u256(&items, &op.key));
    KL_JUDGE(kl_rlp_u256(&items, &op.value));
    KL_JUDGE(kl_rlp_u64(&items, &op.number));
    KL_JUDGE(kl_rlp_u64(&items, &seconds));
    op.seconds = (i64)seconds;
    KL_JUDGE(kl_rlp_bytes(&items, &op.code));
    KL_JUDGE(read_bool(&items, &op.flag));
    KL_JUDGE(kl_rlp_close(&items));
    if (!is_stripped(&op))
        return KL_RULE_DEV_MEMBER;
    *out = op;
    return KL_RULE_NONE;
}

void kl_dev_env_init(kl_dev_env *env)
{
    *env = (kl_dev_env){.next_snapshot = 1};
}

static usize find_impersonated(const kl_dev_env *env, const kl_address *address)
{
    usize i = 0;
    while (i < env->impersonated_count && !kl_address_eq(&env->impersonated[i], address))
        i++;
    return i;
}

bool kl_dev_impersonated(const kl_dev_env *env, const kl_address *address)
{
    return env->impersonate_all || find_impersonated(env, address) < env->impersonated_count;
}

bool kl_dev_find_snapshot(const kl_dev_env *env, u64 id, u64 *version)
{
    if (id == KL_DEV_GENESIS_SNAPSHOT) {
        *version = 0;
        return true;
    }
    for (usize i = 0; i < env->snapshot_count; i++)
        if (env->snapshots[i].id == id) {
            *version = env->snapshots[i].version;
            return true;
        }
    return false;
}

static kl_rule impersonate(kl_dev_env *env, const kl_devop *op)
{
    usize at = find_impersonated(env, &op->address);
    bool found = at < env->impersonated_count;
    if (op->flag && !found) {
        if (env->impersonated_count == KL_DEV_IMPERSONATED_MAX)
            return KL_RULE_DEV_LIMIT;
        env->impersonated[env->impersonated_count++] = op->address;
    } else if (!op->flag && found) {
        env->impersonated[at] = env->impersonated[--env->impersonated_count];
    }
    return KL_RULE_NONE;
}

static kl_rule shift_time(kl_dev_env *env, i64 seconds)
{
    return __builtin_add_overflow(env->time_offset_s, seconds, &env->time_offset_s)
               ? KL_RULE_DEV_TIME
               : KL_RULE_NONE;
}

static kl_rule set_gas_limit(kl_dev_env *env, u64 limit)
{
    if (limit < KL_GAS_LIMIT_MIN || limit > KL_GAS_LIMIT_MAX)
        return KL_RULE_DEV_GAS_LIMIT;
    env->has_gas_limit = true;
    env->gas_limit = limit;
    return KL_RULE_NONE;
}

static kl_rule snapshot(kl_dev_env *env, u64 version)
{
    if (env->snapshot_count == KL_DEV_SNAPSHOT_MAX)
        memmove(env->snapshots, env->snapshots + 1,
                --env->snapshot_count * sizeof env->snapshots[0]);
    env->snapshots[env->snapshot_count++] = (kl_dev_snapshot){env->next_snapshot++, version};
    return KL_RULE_NONE;
}

kl_rule kl_dev_apply(kl_dev_env *env, const kl_devop *op, u64 version)
{
    switch (op->kind) {
    case KL_DEVOP_IMPERSONATE:
        return impersonate(env, op);
    case KL_DEVOP_IMPERSONATE_ALL:
        env->impersonate_all = op->flag;
        return KL_RULE_NONE;
    case KL_DEVOP_SHIFT_TIME:
        return shift_time(env, op->seconds);
    case KL_DEVOP_NEXT_TIMESTAMP:
        env->has_timestamp = true;
        env->timestamp = op->number;
        env->time_offset_s = op->seconds;
        return KL_RULE_NONE;
    case KL_DEVOP_NEXT_BASE_FEE:
        env->has_base_fee = true;
        env->base_fee = op->value;
        return KL_RULE_NONE;
    case KL_DEVOP_NEXT_RANDAO:
        env->has_randao = true;
        env->randao = kl_u256_to_hash(op->value);
        return KL_RULE_NONE;
    case KL_DEVOP_GAS_LIMIT:
        return set_gas_limit(env, op->number);
    case KL_DEVOP_COINBASE:
        env->has_coinbase = true;
        env->coinbase = op->address;
        return KL_RULE_NONE;
    case KL_DEVOP_SNAPSHOT:
        return snapshot(env, version);
    case KL_DEVOP_SET_BALANCE:
    case KL_DEVOP_SET_NONCE:
    case KL_DEVOP_SET_CODE:
    case KL_DEVOP_SET_STORAGE:
    case KL_DEVOP_REVERT:
    case KL_DEVOP_COUNT:
        break;
    }
    KL_UNREACHABLE();
}

bool kl_dev_block_done(kl_dev_env *env)
{
    bool used = env->has_timestamp || env->has_base_fee || env->has_randao;
    env->has_timestamp = env->has_base_fee = env->has_randao = false;
    return used;
}

/* A value that may be absent is a list of none or one. */
static void put_maybe_u64(kl_out *out, bool has, u64 value)
{
    kl_rlp_mark list = kl_rlp_put_begin(out);
    if (has)
        kl_rlp_put_u64(out, value);
    kl_rlp_put_end(out, list);
}

static void put_maybe_bytes(kl_out *out, bool has, kl_span bytes)
{
    kl_rlp_mark list = kl_rlp_put_begin(out);
    if (has)
        kl_rlp_put_bytes(out, bytes);
    kl_rlp_put_end(out, list);
}

void kl_dev_env_encode(kl_out *out, const kl_dev_env *env)
{
    kl_hash base_fee = kl_u256_to_hash(env->base_fee);
    kl_rlp_mark all = kl_rlp_put_begin(out);
    kl_rlp_put_u64(out, (u64)env->time_offset_s);
    put_maybe_u64(out, env->has_timestamp, env->timestamp);
    put_maybe_bytes(out, env->has_base_fee, kl_hash_span(&base_fee));
    put_maybe_bytes(out, env->has_randao, kl_hash_span(&env->randao));
    put_maybe_u64(out, env->has_gas_limit, env->gas_limit);
    put_maybe_bytes(out, env->has_coinbase, kl_address_span(&env->coinbase));
    kl_rlp_put_u64(out, env->impersonate_all);
    kl_rlp_mark list = kl_rlp_put_begin(out);
    for (usize i = 0; i < env->impersonated_count; i++)
        kl_rlp_put_address(out, &env->impersonated[i]);
    kl_rlp_put_end(out, list);
    kl_rlp_put_u64(out, env->next_snapshot);
    list = kl_rlp_put_begin(out);
    for (usize i = 0; i < env->snapshot_count; i++) {
        kl_rlp_put_u64(out, env->snapshots[i].id);
        kl_rlp_put_u64(out, env->snapshots[i].version);
    }
    kl_rlp_put_end(out, list);
    kl_rlp_put_end(out, all);
}

static kl_rule read_maybe_u64(kl_rlp *from, bool *has, u64 *out)
{
    kl_rlp items;
    KL_JUDGE(kl_rlp_list(from, &items));
    *has = !kl_rlp_end(&items);
    if (*has)
        KL_JUDGE(kl_rlp_u64(&items, out));
    return kl_rlp_close(&items);
}

static kl_rule read_maybe_fixed(kl_rlp *from, bool *has, void *out, usize len)
{
    kl_rlp items;
    KL_JUDGE(kl_rlp_list(from, &items));
    *has = !kl_rlp_end(&items);
    if (*has)
        KL_JUDGE(kl_rlp_fixed(&items, out, len));
    return kl_rlp_close(&items);
}

static kl_rule read_impersonated(kl_rlp *from, kl_dev_env *env)
{
    kl_rlp items;
    KL_JUDGE(kl_rlp_list(from, &items));
    while (!kl_rlp_end(&items)) {
        if (env->impersonated_count == KL_DEV_IMPERSONATED_MAX)
            return KL_RULE_DEV_LIMIT;
        KL_JUDGE(kl_rlp_address(&items, &env->impersonated[env->impersonated_count++]));
    }
    return KL_RULE_NONE;
}

static kl_rule read_snapshots(kl_rlp *from, kl_dev_env *env)
{
    kl_rlp items;
    KL_JUDGE(kl_rlp_list(from, &items));
    while (!kl_rlp_end(&items)) {
        if (env->snapshot_count == KL_DEV_SNAPSHOT_MAX)
            return KL_RULE_DEV_LIMIT;
        kl_dev_snapshot *snapshot_out = &env->snapshots[env->snapshot_count++];
        KL_JUDGE(kl_rlp_u64(&items, &snapshot_out->id));
        KL_JUDGE(kl_rlp_u64(&items, &snapshot_out->version));
    }
    return KL_RULE_NONE;
}

kl_rule kl_dev_env_decode(kl_dev_env *out, kl_span bytes)
{
    kl_rlp items;
    u64 offset;
    kl_hash base_fee = {{0}};
    kl_dev_env_init(out);
    KL_JUDGE(kl_rlp_open(&items, bytes));
    KL_JUDGE(kl_rlp_u64(&items, &offset));
    out->time_offset_s = (i64)offset;
    KL_JUDGE(read_maybe_u64(&items, &out->has_timestamp, &out->timestamp));
    KL_JUDGE(read_maybe_fixed(&items, &out->has_base_fee, base_fee.b, sizeof base_fee.b));
    out->base_fee = kl_u256_from_hash(&base_fee);
    KL_JUDGE(read_maybe_fixed(&items, &out->has_randao, out->randao.b, sizeof out->randao.b));
    KL_JUDGE(read_maybe_u64(&items, &out->has_gas_limit, &out->gas_limit));
    KL_JUDGE(read_maybe_fixed(&items, &out->has_coinbase, out->coinbase.b, sizeof out->coinbase.b));
    KL_JUDGE(read_bool(&items, &out->impersonate_all));
    KL_JUDGE(read_impersonated(&items, out));
    KL_JUDGE(kl_rlp_u64(&items, &out->next_snapshot));
    KL_JUDGE(read_snapshots(&items, out));
    return kl_rlp_close(&items);
}
