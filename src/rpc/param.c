/* param: what is wrong is said in geth's words where geth has some. */
#include "rpc/param.h"

#include <stdarg.h>
#include <stdio.h>

#include "codec/hex.h"
#include "rpc/method.h"

/* null is as good as missing. */
static kl_json_ref unless_null(const struct kl_rpc_call *call, kl_json_ref ref)
{
    return kl_json_is(call->json, ref, KL_JSON_NULL) ? KL_JSON_NONE : ref;
}

kl_arg kl_arg_at(const struct kl_rpc_call *call, unsigned index)
{
    kl_json_ref ref = KL_JSON_NONE;
    if (kl_json_is(call->json, call->params, KL_JSON_OBJECT)) {
        bool optional;
        char name[64];
        kl_span of_table = kl_rpc_method_param(call->method, index, &optional);
        KL_ASSERT(of_table.len < sizeof name);
        memcpy(name, of_table.p, of_table.len);
        name[of_table.len] = 0;
        ref = kl_json_member(call->json, call->params, name);
    } else if (call->params != KL_JSON_NONE) {
        ref = kl_json_at(call->json, call->params, index);
    }
    return (kl_arg){.ref = unless_null(call, ref), .index = index};
}

kl_arg kl_arg_member(const struct kl_rpc_call *call, kl_arg object, const char *name)
{
    kl_json_ref ref = kl_json_is(call->json, object.ref, KL_JSON_OBJECT)
                          ? kl_json_member(call->json, object.ref, name)
                          : KL_JSON_NONE;
    return (kl_arg){.ref = unless_null(call, ref), .index = object.index, .field = name};
}

bool kl_arg_fail(struct kl_rpc_call *call, kl_arg arg, const char *format, ...)
{
    char why[KL_RPC_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(why, sizeof why, format, args);
    va_end(args);
    KL_ASSERT(len >= 0);
    return kl_rpc_fail(call, KL_RPC_PARAMS, "invalid argument %u: %s%s%s", arg.index,
                       arg.field ? arg.field : "", arg.field ? ": " : "", why);
}

static bool missing(struct kl_rpc_call *call, kl_arg arg)
{
    if (arg.field)
        return kl_arg_fail(call, arg, "missing");
    return kl_rpc_fail(call, KL_RPC_PARAMS, "missing value for required argument %u", arg.index);
}

/* The bytes of a string value. */
static bool string(struct kl_rpc_call *call, kl_arg arg, kl_span *out, const char *what)
{
    if (!kl_arg_there(arg))
        return missing(call, arg);
    if (!kl_json_is(call->json, arg.ref, KL_JSON_STRING))
        return kl_arg_fail(call, arg, "%s expected", what);
    if (!kl_json_string(out, call->json, arg.ref, call->arena))
        return kl_rpc_ok(call, KL_NOMEM);
    return true;
}

/* A parameter whose text does not spell its type; of a member, why is enough. */
static bool not_a(struct kl_rpc_call *call, kl_arg arg, const char *why, const char *what)
{
    if (arg.field)
        return kl_arg_fail(call, arg, "%s", why);
    return kl_arg_fail(call, arg, "json: cannot unmarshal %s into Go value of type %s", why, what);
}

static bool fixed(struct kl_rpc_call *call, kl_arg arg, void *out, usize len, const char *what)
{
    kl_span text;
    u8 bytes[32];
    if (!string(call, arg, &text, "hex string"))
        return false;
    kl_rule rule = kl_hex_fixed(bytes, len, text);
    if (rule == KL_RULE_HEX_LENGTH && text.len % 2 == 0)
        return kl_arg_fail(call, arg, "hex string has length %zu, want %zu for %s", text.len - 2,
                           2 * len, what);
    if (rule != KL_RULE_NONE)
        return not_a(call, arg,
                     rule == KL_RULE_HEX_LENGTH ? "hex string of odd length" : kl_rule_text(rule),
                     what);
    memcpy(out, bytes, len);
    return true;
}

bool kl_arg_address(struct kl_rpc_call *call, kl_arg arg, kl_address *out)
{
    return fixed(call, arg, out->b, sizeof out->b, "common.Address");
}

bool kl_arg_hash(struct kl_rpc_call *call, kl_arg arg, kl_hash *out)
{
    return fixed(call, arg, out->b, sizeof out->b, "common.Hash");
}

bool kl_arg_data(struct kl_rpc_call *call, kl_arg arg, kl_span *out)
{
    kl_span text;
    bool no_memory;
    if (!string(call, arg, &text, "hex string"))
        return false;
    kl_rule rule = kl_hex_data(out, text, call->arena, &no_memory);
    if (no_memory)
        return kl_rpc_ok(call, KL_NOMEM);
    if (rule == KL_RULE_HEX_LENGTH)
        return kl_arg_fail(call, arg, "hex string of odd length");
    return rule == KL_RULE_NONE || kl_arg_fail(call, arg, "%s", kl_rule_text(rule));
}

bool kl_arg_u256(struct kl_rpc_call *call, kl_arg arg, kl_u256 *out)
{
    kl_span text;
    if (!string(call, arg, &text, "hex string"))
        return false;
    kl_rule rule = kl_hex_u256(out, text);
    return rule == KL_RULE_NONE || kl_arg_fail(call, arg, "%s", kl_rule_text(rule));
}

bool kl_arg_u64(struct kl_rpc_call *call, kl_arg arg, u64 *out)
{
    kl_u256 wide;
    if (!kl_arg_u256(call, arg, &wide))
        return false;
    return kl_u256_to_u64(out, wide) || kl_arg_fail(call, arg, "hex number > 64 bits");
}

bool kl_arg_number_u256(struct kl_rpc_call *call, kl_arg arg, kl_u256 *out)
{
    kl_span text;
    if (kl_json_is(call->json, arg.ref, KL_JSON_NUMBER))
        return kl_u256_from_decimal(out, kl_json_raw(call->json, arg.ref)) ||
               kl_arg_fail(call, arg, "whole number of at most 256 bits expected");
    if (!string(call, arg, &text, "number"))
        return false;
    return kl_u256_from_decimal(out, text) || kl_arg_u256(call, arg, out);
}

bool kl_arg_number(struct kl_rpc_call *call, kl_arg arg, u64 *out)
{
    kl_u256 wide;
    if (kl_json_is(call->json, arg.ref, KL_JSON_NUMBER))
        return kl_json_number_u64(out, call->json, arg.ref) ||
               kl_arg_fail(call, arg, "whole number of at most 64 bits expected");
    if (!kl_arg_number_u256(call, arg, &wide))
        return false;
    return kl_u256_to_u64(out, wide) || kl_arg_fail(call, arg, "number > 64 bits");
}

/* "0x" is slot 0, and the prefix may be missing. */
bool kl_arg_slot(struct kl_rpc_call *call, kl_arg arg, kl_hash *out)
{
    enum { DIGITS = 2 * sizeof out->b };
    char word[DIGITS];
    kl_hash slot;
    kl_span text;
    if (!string(call, arg, &text, "hex string"))
        return false;
    bool prefix = text.len >= 2 && text.p[0] == '0' && (text.p[1] | 0x20) == 'x';
    kl_span digits = prefix ? kl_span_sub(text, 2, text.len - 2) : text;
    if (digits.len > DIGITS)
        return kl_rpc_fail(call, KL_RPC_PARAMS,
                           "storage key too long (want at most 32 bytes): \"%.*s\"",
                           (int)KL_MIN(text.len, KL_RPC_MESSAGE_MAX), (const char *)text.p);
    memset(word, '0', DIGITS);
    if (digits.len)
        memcpy(word + DIGITS - digits.len, digits.p, digits.len);
    if (kl_hex_parse(slot.b, sizeof slot.b, kl_span_of(word, DIGITS)) != KL_RULE_NONE)
        return kl_rpc_fail(call, KL_RPC_PARAMS, "invalid hex in storage key: \"%.*s\"",
                           (int)text.len, (const char *)text.p);
    *out = slot;
    return true;
}

bool kl_arg_bool(struct kl_rpc_call *call, kl_arg arg, bool *out)
{
    if (!kl_arg_there(arg))
        return missing(call, arg);
    bool is_true = kl_json_is(call->json, arg.ref, KL_JSON_TRUE);
    if (!is_true && !kl_json_is(call->json, arg.ref, KL_JSON_FALSE))
        return kl_arg_fail(call, arg, "true or false expected");
    *out = is_true;
    return true;
}

bool kl_arg_text(struct kl_rpc_call *call, kl_arg arg, kl_span *out)
{
    return string(call, arg, out, "string");
}

bool kl_arg_object(struct kl_rpc_call *call, kl_arg arg)
{
    if (!kl_arg_there(arg))
        return missing(call, arg);
    return kl_json_is(call->json, arg.ref, KL_JSON_OBJECT) ||
           kl_arg_fail(call, arg, "object expected");
}

bool kl_arg_count(struct kl_rpc_call *call, kl_arg array, usize max, usize *out)
{
    if (!kl_arg_there(array))
        return missing(call, array);
    if (!kl_json_is(call->json, array.ref, KL_JSON_ARRAY))
        return kl_arg_fail(call, array, "array expected");
    usize count = call->json->nodes[array.ref].count;
    if (count > max)
        return kl_arg_fail(call, array, "too many elements, want at most %zu", max);
    *out = count;
    return true;
}

/* Elements are not blanked when they are null: a null among topics means something. */
kl_arg kl_arg_first(const struct kl_rpc_call *call, kl_arg array)
{
    kl_json_ref ref = kl_json_is(call->json, array.ref, KL_JSON_ARRAY)
                          ? kl_json_first(call->json, array.ref)
                          : KL_JSON_NONE;
    return (kl_arg){.ref = ref, .index = array.index, .field = array.field};
}

kl_arg kl_arg_after(const struct kl_rpc_call *call, kl_arg array, kl_arg element)
{
    element.ref = kl_json_after(call->json, array.ref, element.ref);
    return element;
}

static const struct {
    const char *tag;
    kl_block_kind kind;
} tags[] = {
    {"latest", KL_BLOCK_LATEST},     {"pending", KL_BLOCK_PENDING},
    {"earliest", KL_BLOCK_EARLIEST}, {"finalized", KL_BLOCK_FINALIZED},
    {"safe", KL_BLOCK_SAFE},
};

/* [EIP-1898]: exactly one of blockNumber and blockHash. */
static bool block_object(struct kl_rpc_call *call, kl_arg arg, kl_block_ref *out)
{
    kl_arg number = kl_arg_member(call, arg, "blockNumber");
    kl_arg hash = kl_arg_member(call, arg, "blockHash");
    kl_arg canonical = kl_arg_member(call, arg, "requireCanonical");
    if (kl_arg_there(number) && kl_arg_there(hash))
        return kl_arg_fail(call, arg,
                           "cannot specify both BlockHash and BlockNumber, choose one or "
                           "the other");
    if (kl_arg_there(number))
        return !kl_json_is(call->json, number.ref, KL_JSON_OBJECT)
                   ? kl_arg_block(call, number, out)
                   : kl_arg_fail(call, number, "hex string expected");
    kl_block_ref ref = {.kind = KL_BLOCK_HASH};
    if (!kl_arg_there(hash))
        return kl_arg_fail(call, arg, "blockNumber or blockHash expected");
    if (!kl_arg_hash(call, hash, &ref.hash) ||
        (kl_arg_there(canonical) && !kl_arg_bool(call, canonical, &ref.canonical)))
        return false;
    *out = ref;
    return true;
}

bool kl_arg_block(struct kl_rpc_call *call, kl_arg arg, kl_block_ref *out)
{
    enum { HASH_TEXT = 66 };
    kl_block_ref ref = {.kind = KL_BLOCK_LATEST};
    kl_span text;
    if (!kl_arg_there(arg)) {
        *out = ref;
        return true;
    }
    if (kl_json_is(call->json, arg.ref, KL_JSON_OBJECT))
        return block_object(call, arg, out);
    if (!string(call, arg, &text, "block number, tag or object"))
        return false;
    for (usize i = 0; i < KL_COUNT_OF(tags); i++)
        if (kl_span_eq(text, kl_span_str(tags[i].tag))) {
            ref.kind = tags[i].kind;
            *out = ref;
            return true;
        }
    bool is_hash = text.len == HASH_TEXT;
    ref.kind = is_hash ? KL_BLOCK_HASH : KL_BLOCK_NUMBER;
    if (is_hash ? !kl_arg_hash(call, arg, &ref.hash) : !kl_arg_u64(call, arg, &ref.number))
        return false;
    *out = ref;
    return true;
}
