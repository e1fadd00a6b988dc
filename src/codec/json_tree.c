/* json_tree: finding and reading values in a parsed document. */
#include "codec/json.h"
#include "codec/json_priv.h"

static kl_span text_of(const struct kl_json *json, kl_json_ref ref)
{
    const kl_json_node *node = &json->nodes[ref];
    return kl_span_of(json->text.p + node->start, node->len);
}

static bool is_container(const struct kl_json *json, kl_json_ref ref)
{
    return kl_json_is(json, ref, KL_JSON_ARRAY) || kl_json_is(json, ref, KL_JSON_OBJECT);
}

/* Takes the next character off a string's text and writes it as UTF-8; returns its length.  The
 * text has been parsed, so its escapes are well-formed. */
static usize take_char(u8 utf8[4], kl_span *text)
{
    u32 point = text->p[0];
    usize taken = 1, len = 1;
    utf8[0] = text->p[0];
    if (point == '\\') {
        taken += kl_json_escape(&point, text->p + 1, text->p + text->len);
        len = kl_json_utf8_put(utf8, point);
    }
    *text = kl_span_of(text->p + taken, text->len - taken);
    return len;
}

/* Is the string at ref, its escapes resolved, equal to want? */
static bool same_string(const struct kl_json *json, kl_json_ref ref, kl_span want)
{
    kl_span text = text_of(json, ref);
    if (!json->nodes[ref].escaped)
        return kl_span_eq(text, want);
    while (text.len) {
        u8 utf8[4];
        usize len = take_char(utf8, &text);
        if (len > want.len || memcmp(utf8, want.p, len) != 0)
            return false;
        want = kl_span_of(want.p + len, want.len - len);
    }
    return want.len == 0;
}

kl_json_ref kl_json_member(const struct kl_json *json, kl_json_ref object, const char *name)
{
    if (!kl_json_is(json, object, KL_JSON_OBJECT))
        return KL_JSON_NONE;
    kl_span want = kl_span_str(name);
    kl_json_ref found = KL_JSON_NONE;
    for (kl_json_ref at = kl_json_first(json, object); at != KL_JSON_NONE;
         at = kl_json_after(json, object, kl_json_value(at)))
        if (same_string(json, at, want))
            found = kl_json_value(at);
    return found;
}

kl_json_ref kl_json_first(const struct kl_json *json, kl_json_ref container)
{
    if (!is_container(json, container) || json->nodes[container].count == 0)
        return KL_JSON_NONE;
    return container + 1;
}

kl_json_ref kl_json_after(const struct kl_json *json, kl_json_ref container, kl_json_ref ref)
{
    kl_json_ref next = json->nodes[ref].next;
    return next < json->nodes[container].next ? next : KL_JSON_NONE;
}

kl_json_ref kl_json_at(const struct kl_json *json, kl_json_ref array, usize index)
{
    if (!kl_json_is(json, array, KL_JSON_ARRAY) || index >= json->nodes[array].count)
        return KL_JSON_NONE;
    kl_json_ref at = array + 1;
    while (index-- > 0)
        at = json->nodes[at].next;
    return at;
}

kl_span kl_json_raw(const struct kl_json *json, kl_json_ref ref)
{
    return text_of(json, ref);
}

bool kl_json_string(kl_span *out, const struct kl_json *json, kl_json_ref ref,
                    struct kl_arena *arena)
{
    KL_ASSERT(kl_json_is(json, ref, KL_JSON_STRING));
    kl_span text = text_of(json, ref);
    if (!json->nodes[ref].escaped) {
        *out = text;
        return true;
    }
    u8 *bytes = KL_TAKE(arena, u8, text.len); /* an escape is never shorter than what it means */
    if (!bytes)
        return false;
    usize len = 0;
    while (text.len) {
        u8 utf8[4];
        usize n = take_char(utf8, &text);
        memcpy(bytes + len, utf8, n);
        len += n;
    }
    *out = kl_span_of(bytes, len);
    return true;
}

bool kl_json_equals(const struct kl_json *json, kl_json_ref ref, const char *text)
{
    return kl_json_is(json, ref, KL_JSON_STRING) && same_string(json, ref, kl_span_str(text));
}

bool kl_json_number_u64(u64 *out, const struct kl_json *json, kl_json_ref ref)
{
    if (!kl_json_is(json, ref, KL_JSON_NUMBER))
        return false;
    kl_span digits = text_of(json, ref);
    u64 v = 0;
    for (usize i = 0; i < digits.len; i++) {
        u8 digit = (u8)(digits.p[i] - '0');
        if (digit > 9 || !kl_mul_u64(&v, v, 10) || !kl_add_u64(&v, v, digit))
            return false;
    }
    *out = v;
    return true;
}
