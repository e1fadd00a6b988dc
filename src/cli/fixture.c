#include "cli/fixture.h"

#include "codec/hex.h"

#define NODES_MAX (32u << 20)

kl_status kl_fixture_parse(struct kl_fixture *fixture, kl_span text, struct kl_arena *arena)
{
    kl_rule broken;
    usize at;
    *fixture = (struct kl_fixture){.arena = arena};
    KL_TRY(kl_json_parse(&fixture->json, text, NODES_MAX, arena, &broken, &at));
    return broken == KL_RULE_NONE ? KL_OK : KL_CORRUPT;
}

static void blame(struct kl_fixture *fixture, const char *name)
{
    if (!fixture->bad)
        fixture->bad = name;
}

const char *kl_fixture_text(struct kl_fixture *fixture, kl_json_ref ref)
{
    kl_span bytes;
    char *text = NULL;
    if (kl_json_is(&fixture->json, ref, KL_JSON_STRING) &&
        kl_json_string(&bytes, &fixture->json, ref, fixture->arena))
        text = KL_TAKE(fixture->arena, char, bytes.len + 1);
    if (!text) {
        blame(fixture, "text");
        return "";
    }
    memcpy(text, bytes.p, bytes.len);
    text[bytes.len] = '\0';
    return text;
}

kl_json_ref kl_fixture_need(struct kl_fixture *fixture, kl_json_ref object, const char *name)
{
    kl_json_ref ref = kl_json_member(&fixture->json, object, name);
    if (ref == KL_JSON_NONE)
        blame(fixture, name);
    return ref;
}

/* The raw text of a string or a number; empty, and blamed, for anything else. */
static kl_span scalar(struct kl_fixture *fixture, kl_json_ref ref, const char *name)
{
    if (!kl_json_is(&fixture->json, ref, KL_JSON_STRING) &&
        !kl_json_is(&fixture->json, ref, KL_JSON_NUMBER)) {
        blame(fixture, name);
        return KL_SPAN_NONE;
    }
    return kl_json_raw(&fixture->json, ref);
}

/* "0x1f", "0x001f", "31", 31; "0x" and "" are 0.  "0x:bigint 0x1…" announces a number that may be
 * wider than its field; it becomes the largest that fits. */
kl_u256 kl_fixture_u256(struct kl_fixture *fixture, kl_json_ref ref, const char *name)
{
    static const char big[] = "0x:bigint ";
    kl_u256 v = KL_U256_ZERO;
    kl_span text = scalar(fixture, ref, name);
    if (kl_span_eq(kl_span_sub(text, 0, sizeof big - 1), KL_SPAN_TEXT(big))) {
        text = kl_span_sub(text, sizeof big - 1, text.len);
        if (kl_hex_u256(&v, text) == KL_RULE_HEX_WIDE)
            return KL_U256_MAX;
    }
    bool hex = text.len >= 2 && text.p[0] == '0' && (text.p[1] == 'x' || text.p[1] == 'X');
    if (text.len == 0 || (hex && text.len == 2))
        return v;
    bool good = hex ? kl_hex_u256(&v, text) == KL_RULE_NONE : kl_u256_from_decimal(&v, text);
    if (!good)
        blame(fixture, name);
    return v;
}

u64 kl_fixture_u64(struct kl_fixture *fixture, kl_json_ref ref, const char *name)
{
    u64 v = 0;
    if (!kl_u256_to_u64(&v, kl_fixture_u256(fixture, ref, name)))
        blame(fixture, name);
    return v;
}

kl_span kl_fixture_bytes(struct kl_fixture *fixture, kl_json_ref ref, const char *name)
{
    kl_span bytes = KL_SPAN_NONE, text = scalar(fixture, ref, name);
    bool no_memory = false;
    if (text.len > 0 &&
        (kl_hex_data(&bytes, text, fixture->arena, &no_memory) != KL_RULE_NONE || no_memory))
        blame(fixture, name);
    return bytes;
}

kl_hash kl_fixture_hash(struct kl_fixture *fixture, kl_json_ref ref, const char *name)
{
    return kl_u256_to_hash(kl_fixture_u256(fixture, ref, name));
}

kl_address kl_fixture_address(struct kl_fixture *fixture, kl_json_ref ref, const char *name)
{
    kl_address address = {0};
    kl_span text = scalar(fixture, ref, name);
    bool bare = text.len == 2 * sizeof address.b;
    kl_rule broken = bare ? kl_hex_parse(address.b, sizeof address.b, text)
                          : kl_hex_fixed(address.b, sizeof address.b, text);
    if (broken != KL_RULE_NONE)
        blame(fixture, name);
    return address;
}

kl_u256 kl_fixture_get_u256(struct kl_fixture *fixture, kl_json_ref object, const char *name)
{
    kl_json_ref ref = kl_json_member(&fixture->json, object, name);
    return ref == KL_JSON_NONE ? KL_U256_ZERO : kl_fixture_u256(fixture, ref, name);
}

u64 kl_fixture_get_u64(struct kl_fixture *fixture, kl_json_ref object, const char *name)
{
    kl_json_ref ref = kl_json_member(&fixture->json, object, name);
    return ref == KL_JSON_NONE ? 0 : kl_fixture_u64(fixture, ref, name);
}

static usize members(const struct kl_fixture *fixture, kl_json_ref object)
{
    return kl_json_is(&fixture->json, object, KL_JSON_OBJECT) ? fixture->json.nodes[object].count
                                                              : 0;
}

/* The address of a member's name, which is a string node like any other. */
static void read_storage(struct kl_fixture *fixture, kl_json_ref storage, kl_alloc *out)
{
    usize most = members(fixture, storage);
    kl_hash *keys = KL_TAKE(fixture->arena, kl_hash, most);
    kl_u256 *values = KL_TAKE(fixture->arena, kl_u256, most);
    if (most && (!keys || !values)) {
        blame(fixture, "storage");
        return;
    }
    kl_json_ref at = most ? kl_json_first(&fixture->json, storage) : KL_JSON_NONE;
    for (; at != KL_JSON_NONE; at = kl_json_after(&fixture->json, storage, kl_json_value(at))) {
        kl_u256 value = kl_fixture_u256(fixture, kl_json_value(at), "storage");
        if (kl_u256_is_zero(value))
            continue;
        keys[out->slot_count] = kl_fixture_hash(fixture, at, "storage");
        values[out->slot_count++] = value;
    }
    out->keys = keys;
    out->values = values;
}

const kl_alloc *kl_fixture_alloc(struct kl_fixture *fixture, kl_json_ref object, usize *count)
{
    usize most = members(fixture, object), n = 0;
    kl_alloc *list = KL_ZERO(fixture->arena, kl_alloc, most);
    *count = 0;
    if (!list && most) {
        blame(fixture, "alloc");
        return NULL;
    }
    kl_json_ref at = most ? kl_json_first(&fixture->json, object) : KL_JSON_NONE;
    for (; at != KL_JSON_NONE; at = kl_json_after(&fixture->json, object, kl_json_value(at))) {
        kl_json_ref account = kl_json_value(at);
        kl_alloc *a = &list[n++];
        a->address = kl_fixture_address(fixture, at, "alloc");
        a->nonce = kl_fixture_get_u64(fixture, account, "nonce");
        a->balance = kl_fixture_get_u256(fixture, account, "balance");
        kl_json_ref code = kl_json_member(&fixture->json, account, "code");
        if (code != KL_JSON_NONE)
            a->code = kl_fixture_bytes(fixture, code, "code");
        read_storage(fixture, kl_json_member(&fixture->json, account, "storage"), a);
    }
    *count = n;
    return list;
}

void kl_fixture_config(struct kl_fixture *fixture, kl_json_ref test, kl_spec *spec)
{
    struct kl_json *json = &fixture->json;
    kl_json_ref config = kl_json_member(json, test, "config");
    if (config == KL_JSON_NONE)
        return;
    if (kl_json_member(json, config, "chainid") != KL_JSON_NONE)
        spec->chain_id = kl_fixture_get_u64(fixture, config, "chainid");
    kl_json_ref schedule = kl_json_member(json, config, "blobSchedule");
    kl_json_ref at = members(fixture, schedule) ? kl_json_first(json, schedule) : KL_JSON_NONE;
    for (; at != KL_JSON_NONE; at = kl_json_after(json, schedule, kl_json_value(at))) {
        kl_fork fork;
        if (!kl_fork_from_name(&fork, kl_json_raw(json, at)))
            continue;
        kl_json_ref row = kl_json_value(at);
        spec->blobs[fork] = (kl_blob_schedule){
            .target = (u32)kl_fixture_get_u64(fixture, row, "target"),
            .max = (u32)kl_fixture_get_u64(fixture, row, "max"),
            .update_fraction = kl_fixture_get_u64(fixture, row, "baseFeeUpdateFraction")};
    }
}

/* Is name, of len letters, one of the names in list ("A|B|C")? */
static bool listed(const char *list, const char *name, usize len)
{
    for (const char *at = list; *at; at += strcspn(at, "|"), at += *at == '|')
        if (strcspn(at, "|") == len && strncmp(at, name, len) == 0)
            return true;
    return false;
}

bool kl_fixture_expects(const char *expected, kl_rule rule)
{
    const char *known = kl_rule_fixture(rule);
    for (const char *at = expected; *at; at += strcspn(at, "|"), at += *at == '|')
        if (listed(known, at, strcspn(at, "|")))
            return true;
    return false;
}
