#include "codec/hex.h"
#include "types/genesis_priv.h"

/* Joins the path with dots, as much of it as there is room for. */
static void write_path(const struct kl_genesis_reader *r, char *out, usize room)
{
    usize len = 0;
    for (unsigned i = 0; i < r->depth; i++) {
        if (i > 0 && len < room - 1)
            out[len++] = '.';
        usize n = KL_MIN(r->path[i].len, room - 1 - len);
        if (n)
            memcpy(out + len, r->path[i].p, n);
        len += n;
    }
    out[len] = 0;
}

kl_rule kl_genesis_blame(struct kl_genesis_reader *r, kl_rule rule, kl_json_ref ref)
{
    if (rule == KL_RULE_NONE || rule == KL_NO_VERDICT)
        return rule;
    kl_file_fault *fault = r->fault;
    *fault = (kl_file_fault){.rule = rule};
    fault->line = kl_json_line(r->json->text, r->json->nodes[ref].start);
    write_path(r, fault->where, sizeof fault->where);
    return rule;
}

void kl_genesis_enter(struct kl_genesis_reader *r, kl_span name)
{
    KL_ASSERT(r->depth < KL_GENESIS_PATH_MAX);
    r->path[r->depth++] = name;
}

void kl_genesis_leave(struct kl_genesis_reader *r)
{
    KL_ASSERT(r->depth > 0);
    r->depth--;
}

static u8 lower(u8 c)
{
    return c >= 'A' && c <= 'Z' ? (u8)(c + 'a' - 'A') : c;
}

static bool same_name(kl_span text, const char *name)
{
    usize i = 0;
    while (i < text.len && name[i] && lower(text.p[i]) == lower((u8)name[i]))
        i++;
    return i == text.len && !name[i];
}

kl_json_ref kl_genesis_member(const struct kl_genesis_reader *r, kl_json_ref object,
                              const char *name)
{
    kl_json_ref found = KL_JSON_NONE;
    for (kl_json_ref at = kl_json_first(r->json, object); at != KL_JSON_NONE;
         at = kl_json_after(r->json, object, kl_json_value(at)))
        if (same_name(kl_json_raw(r->json, at), name))
            found = kl_json_value(at);
    return kl_json_is(r->json, found, KL_JSON_NULL) ? KL_JSON_NONE : found;
}

static kl_rule number(struct kl_genesis_reader *r, kl_json_ref ref, kl_u256 *out)
{
    kl_span text = kl_json_raw(r->json, ref);
    bool is_string = kl_json_is(r->json, ref, KL_JSON_STRING);
    if (!is_string && !kl_json_is(r->json, ref, KL_JSON_NUMBER))
        return kl_genesis_blame(r, KL_RULE_GENESIS_KIND, ref);
    if (is_string && text.len == 0) {
        *out = KL_U256_ZERO;
        return KL_RULE_NONE;
    }
    if (text.len >= 2 && text.p[0] == '0' && lower(text.p[1]) == 'x')
        return kl_genesis_blame(r, kl_hex_u256(out, text), ref);
    bool good = kl_u256_from_decimal(out, text);
    return good ? KL_RULE_NONE : kl_genesis_blame(r, KL_RULE_GENESIS_NUMBER, ref);
}

kl_rule kl_genesis_u256(struct kl_genesis_reader *r, kl_json_ref ref, void *out)
{
    return number(r, ref, out);
}

kl_rule kl_genesis_u64(struct kl_genesis_reader *r, kl_json_ref ref, void *out)
{
    kl_u256 wide;
    KL_JUDGE(number(r, ref, &wide));
    bool fits = kl_u256_to_u64(out, wide);
    return fits ? KL_RULE_NONE : kl_genesis_blame(r, KL_RULE_GENESIS_NUMBER, ref);
}

kl_rule kl_genesis_at_least_one(struct kl_genesis_reader *r, kl_json_ref ref, void *out)
{
    return kl_genesis_range(r, ref, 1, UINT64_MAX, out);
}

kl_rule kl_genesis_range(struct kl_genesis_reader *r, kl_json_ref ref, u64 least, u64 most,
                         u64 *out)
{
    u64 v;
    KL_JUDGE(kl_genesis_u64(r, ref, &v));
    if (v < least || v > most)
        return kl_genesis_blame(r, KL_RULE_GENESIS_RANGE, ref);
    *out = v;
    return KL_RULE_NONE;
}

kl_rule kl_genesis_bool(struct kl_genesis_reader *r, kl_json_ref ref, void *out)
{
    bool yes = kl_json_is(r->json, ref, KL_JSON_TRUE);
    if (!yes && !kl_json_is(r->json, ref, KL_JSON_FALSE))
        return kl_genesis_blame(r, KL_RULE_GENESIS_KIND, ref);
    *(bool *)out = yes;
    return KL_RULE_NONE;
}

static kl_rule fixed(struct kl_genesis_reader *r, kl_json_ref ref, void *out, usize len)
{
    if (!kl_json_is(r->json, ref, KL_JSON_STRING))
        return kl_genesis_blame(r, KL_RULE_GENESIS_KIND, ref);
    return kl_genesis_blame(r, kl_hex_fixed(out, len, kl_json_raw(r->json, ref)), ref);
}

kl_rule kl_genesis_hash(struct kl_genesis_reader *r, kl_json_ref ref, void *out)
{
    return fixed(r, ref, out, sizeof(kl_hash));
}

kl_rule kl_genesis_address(struct kl_genesis_reader *r, kl_json_ref ref, void *out)
{
    return fixed(r, ref, out, sizeof(kl_address));
}

kl_rule kl_genesis_data(struct kl_genesis_reader *r, kl_json_ref ref, void *out)
{
    bool no_memory;
    if (!kl_json_is(r->json, ref, KL_JSON_STRING))
        return kl_genesis_blame(r, KL_RULE_GENESIS_KIND, ref);
    kl_rule rule = kl_hex_data(out, kl_json_raw(r->json, ref), r->arena, &no_memory);
    return no_memory ? KL_NO_VERDICT : kl_genesis_blame(r, rule, ref);
}

kl_rule kl_genesis_object(struct kl_genesis_reader *r, kl_json_ref ref)
{
    bool good = kl_json_is(r->json, ref, KL_JSON_OBJECT);
    return good ? KL_RULE_NONE : kl_genesis_blame(r, KL_RULE_GENESIS_KIND, ref);
}

kl_rule kl_genesis_fields(struct kl_genesis_reader *r, kl_json_ref object,
                          const kl_genesis_field *fields, usize count)
{
    for (usize i = 0; i < count; i++) {
        kl_json_ref ref = kl_genesis_member(r, object, fields[i].name);
        kl_genesis_enter(r, kl_span_str(fields[i].name));
        if (ref != KL_JSON_NONE)
            KL_JUDGE(fields[i].read(r, ref, fields[i].out));
        else if (fields[i].required)
            return kl_genesis_blame(r, KL_RULE_GENESIS_MISSING, object);
        kl_genesis_leave(r);
    }
    return KL_RULE_NONE;
}

/* The field called as the name at ref, or NULL. */
static const kl_genesis_field *find_field(const struct kl_genesis_reader *r, kl_json_ref name,
                                          const kl_genesis_field *fields, usize count)
{
    for (usize i = 0; i < count; i++)
        if (kl_json_equals(r->json, name, fields[i].name))
            return &fields[i];
    return NULL;
}

kl_rule kl_genesis_ours(struct kl_genesis_reader *r, kl_json_ref object,
                        const kl_genesis_field *fields, usize count)
{
    KL_JUDGE(kl_genesis_object(r, object));
    for (kl_json_ref name = kl_json_first(r->json, object); name != KL_JSON_NONE;
         name = kl_json_after(r->json, object, kl_json_value(name))) {
        const kl_genesis_field *field = find_field(r, name, fields, count);
        kl_genesis_enter(r, kl_json_raw(r->json, name));
        if (!field)
            return kl_genesis_blame(r, KL_RULE_GENESIS_UNKNOWN, name);
        KL_JUDGE(field->read(r, kl_json_value(name), field->out));
        kl_genesis_leave(r);
    }
    for (usize i = 0; i < count; i++) {
        if (!fields[i].required || kl_json_member(r->json, object, fields[i].name) != KL_JSON_NONE)
            continue;
        kl_genesis_enter(r, kl_span_str(fields[i].name));
        return kl_genesis_blame(r, KL_RULE_GENESIS_MISSING, object);
    }
    return KL_RULE_NONE;
}
