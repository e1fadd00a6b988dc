#include "rpc/call_override.h"

#include "codec/hex.h"

enum { OVERRIDES_MAX = 1 << 16 };

/* The members of an object, one after the other: its name and, as an arg, its value. */
struct members {
    struct kl_rpc_call *call;
    kl_arg object;
    kl_json_ref name;
};

static bool members_begin(struct members *m, struct kl_rpc_call *call, kl_arg object)
{
    if (!kl_arg_object(call, object))
        return false;
    *m = (struct members){
        .call = call, .object = object, .name = kl_json_first(call->json, object.ref)};
    return true;
}

static usize members_count(const struct members *m)
{
    return m->call->json->nodes[m->object.ref].count;
}

static kl_arg members_value(const struct members *m)
{
    return (kl_arg){
        .ref = kl_json_value(m->name), .index = m->object.index, .field = m->object.field};
}

static void members_next(struct members *m)
{
    m->name = kl_json_after(m->call->json, m->object.ref, kl_json_value(m->name));
}

/* The name as bytes of a fixed length, or as a number when number is not NULL. */
static bool member_name(const struct members *m, u8 *fixed, usize len, kl_u256 *number)
{
    kl_span text;
    if (!kl_json_string(&text, m->call->json, m->name, m->call->arena))
        return kl_rpc_ok(m->call, KL_NOMEM);
    kl_rule rule = number ? kl_hex_u256(number, text) : kl_hex_fixed(fixed, len, text);
    return rule == KL_RULE_NONE || kl_arg_fail(m->call, m->object, "%s", kl_rule_text(rule));
}

static bool read_slots(struct kl_rpc_call *call, kl_arg arg, kl_state_override *out)
{
    struct members m;
    if (!members_begin(&m, call, arg))
        return false;
    usize count = members_count(&m), i = 0;
    struct kl_slot_override *slots = KL_TAKE(call->arena, struct kl_slot_override, count);
    if (count && !slots)
        return kl_rpc_ok(call, KL_NOMEM);
    for (; m.name != KL_JSON_NONE; members_next(&m), i++)
        if (!member_name(&m, NULL, 0, &slots[i].key) ||
            !kl_arg_u256(call, members_value(&m), &slots[i].value))
            return false;
    out->has_slots = true;
    out->slots = slots;
    out->slot_count = count;
    return true;
}

static bool read_account(struct kl_rpc_call *call, kl_arg arg, kl_state_override *out)
{
    kl_arg balance = kl_arg_member(call, arg, "balance");
    kl_arg nonce = kl_arg_member(call, arg, "nonce");
    kl_arg code = kl_arg_member(call, arg, "code");
    kl_arg state = kl_arg_member(call, arg, "state");
    kl_arg diff = kl_arg_member(call, arg, "stateDiff");
    out->has_balance = kl_arg_there(balance);
    out->has_nonce = kl_arg_there(nonce);
    out->has_code = kl_arg_there(code);
    out->fresh = kl_arg_there(state);
    if (!kl_arg_object(call, arg) ||
        (out->has_balance && !kl_arg_u256(call, balance, &out->balance)) ||
        (out->has_nonce && !kl_arg_u64(call, nonce, &out->nonce)) ||
        (out->has_code && !kl_arg_data(call, code, &out->code)))
        return false;
    if (kl_arg_there(kl_arg_member(call, arg, "movePrecompileToAddress")))
        return kl_arg_fail(call, arg, "movePrecompileToAddress is not supported");
    if (kl_arg_there(state) && kl_arg_there(diff))
        return kl_arg_fail(call, arg, "account has both 'state' and 'stateDiff'");
    if (kl_arg_there(state))
        return read_slots(call, state, out);
    return !kl_arg_there(diff) || read_slots(call, diff, out);
}

bool kl_arg_state_overrides(struct kl_rpc_call *call, kl_arg arg, const kl_state_override **out,
                            usize *count)
{
    struct members m;
    if (!kl_arg_there(arg)) {
        *out = NULL;
        *count = 0;
        return true;
    }
    if (!members_begin(&m, call, arg))
        return false;
    usize n = members_count(&m), i = 0;
    if (n > OVERRIDES_MAX)
        return kl_arg_fail(call, arg, "too many accounts, want at most %d", OVERRIDES_MAX);
    kl_state_override *overrides = KL_ZERO(call->arena, kl_state_override, n);
    if (n && !overrides)
        return kl_rpc_ok(call, KL_NOMEM);
    for (; m.name != KL_JSON_NONE; members_next(&m), i++)
        if (!member_name(&m, overrides[i].address.b, sizeof overrides[i].address.b, NULL) ||
            !read_account(call, members_value(&m), &overrides[i]))
            return false;
    *out = overrides;
    *count = n;
    return true;
}

/* A member by its name, or by the one it had before. */
static kl_arg either(const struct kl_rpc_call *call, kl_arg object, const char *name,
                     const char *old)
{
    kl_arg member = kl_arg_member(call, object, name);
    return kl_arg_there(member) ? member : kl_arg_member(call, object, old);
}

static bool read_word(struct kl_rpc_call *call, kl_arg arg, kl_hash *out)
{
    kl_u256 number;
    if (!kl_arg_u256(call, arg, &number))
        return false;
    *out = kl_u256_to_hash(number);
    return true;
}

bool kl_arg_block_overrides(struct kl_rpc_call *call, kl_arg arg, kl_header *header,
                            bool *has_blob_base_fee, kl_u256 *blob_base_fee)
{
    if (!kl_arg_there(arg))
        return true;
    if (!kl_arg_object(call, arg))
        return false;
    kl_arg number = kl_arg_member(call, arg, "number");
    kl_arg time = either(call, arg, "time", "timestamp");
    kl_arg gas_limit = kl_arg_member(call, arg, "gasLimit");
    kl_arg coinbase = either(call, arg, "feeRecipient", "coinbase");
    kl_arg randao = either(call, arg, "prevRandao", "random");
    kl_arg difficulty = kl_arg_member(call, arg, "difficulty");
    kl_arg base_fee = either(call, arg, "baseFeePerGas", "baseFee");
    kl_arg blob_fee = kl_arg_member(call, arg, "blobBaseFee");
    *has_blob_base_fee = kl_arg_there(blob_fee);
    return (!kl_arg_there(number) || kl_arg_u64(call, number, &header->number)) &&
           (!kl_arg_there(time) || kl_arg_u64(call, time, &header->timestamp)) &&
           (!kl_arg_there(gas_limit) || kl_arg_u64(call, gas_limit, &header->gas_limit)) &&
           (!kl_arg_there(coinbase) || kl_arg_address(call, coinbase, &header->coinbase)) &&
           (!kl_arg_there(randao) || read_word(call, randao, &header->mix_hash)) &&
           (!kl_arg_there(difficulty) || kl_arg_u256(call, difficulty, &header->difficulty)) &&
           (!kl_arg_there(base_fee) || kl_arg_u256(call, base_fee, &header->base_fee)) &&
           (!kl_arg_there(blob_fee) || kl_arg_u256(call, blob_fee, blob_base_fee));
}

/* Gives the account the storage of nobody; code, nonce and balance stay. */
static kl_status wipe_storage(struct kl_journal *journal, kl_jaccount *account)
{
    kl_span code;
    kl_hash code_hash = account->now.code_hash;
    KL_TRY(kl_journal_code(journal, account, &code));
    kl_journal_create(journal, account);
    return code.len ? kl_journal_set_code(journal, account, code, &code_hash) : KL_OK;
}

static kl_status apply(struct kl_journal *journal, const kl_state_override *o)
{
    kl_jaccount *account;
    KL_TRY(kl_journal_account(journal, &o->address, &account));
    if (o->fresh)
        KL_TRY(wipe_storage(journal, account));
    if (o->has_balance)
        kl_journal_set_balance(journal, account, o->balance);
    if (o->has_nonce)
        kl_journal_set_nonce(journal, account, o->nonce);
    if (o->has_code)
        KL_TRY(kl_journal_set_code(journal, account, o->code, NULL));
    if (o->has_slots)
        kl_journal_touch(journal, account);
    for (usize i = 0; i < o->slot_count; i++) {
        kl_jslot *slot;
        bool cold;
        KL_TRY(kl_journal_slot(journal, account, &o->slots[i].key, &slot, &cold));
        kl_journal_set_slot(journal, account, slot, &o->slots[i].value);
    }
    return KL_OK;
}

kl_status kl_state_override_apply(struct kl_journal *journal, const kl_state_override *overrides,
                                  usize count)
{
    for (usize i = 0; i < count; i++)
        KL_TRY(apply(journal, &overrides[i]));
    return kl_journal_end_tx(journal, false);
}
