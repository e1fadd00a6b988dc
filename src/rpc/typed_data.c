/* typed_data: encodes values by a stack of frames: a struct or an array that is being hashed, and
 * how far it has come.  Where an inner one ends, its hash is a word of the outer one. */
#include "rpc/typed_data.h"

#include <stdarg.h>
#include <stdio.h>

#include "codec/hex.h"
#include "crypto/keccak.h"
#include "rpc/typed_data_priv.h"

enum {
    FRAMES_MAX = KL_JSON_DEPTH_MAX + 1,
    VALUES_MAX = 1 << 18,
    WORD = 32,
};

struct frame {
    kl_keccak hash;
    kl_json_ref value; /* an object of `is`, or an array */
    struct typed_struct *is;
    usize member;           /* of a struct: the next one */
    kl_json_ref element;    /* of an array: the next one */
    struct typed_member of; /* of an array: what its elements are */
};

struct encoding {
    struct typed_document doc;
    struct frame *frames;
    usize depth;
    usize values;
};

bool kl_typed_fail(struct typed_document *doc, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(doc->why, KL_TYPED_DATA_WHY, format, args);
    va_end(args);
    return false;
}

bool kl_typed_no_memory(struct typed_document *doc)
{
    doc->no_memory = true;
    return false;
}

static bool fail_value(struct typed_document *doc, const struct typed_member *m)
{
    return kl_typed_fail(doc, "%.40s is no %.*s", m->name, (int)KL_MIN(m->type.len, 40u),
                         (const char *)m->type.p);
}

/* A whole number with or without a sign, decimal or, in a string, hex. */
static bool read_integer(struct typed_document *doc, const struct typed_member *m, kl_json_ref ref,
                         kl_u256 *out)
{
    kl_span text = KL_SPAN_NONE;
    kl_u256 number;
    if (kl_json_is(doc->json, ref, KL_JSON_NUMBER))
        text = kl_json_raw(doc->json, ref);
    else if (!kl_json_is(doc->json, ref, KL_JSON_STRING))
        return fail_value(doc, m);
    else if (!kl_json_string(&text, doc->json, ref, doc->arena))
        return kl_typed_no_memory(doc);
    bool negative = text.len && text.p[0] == '-';
    text = kl_span_sub(text, negative, text.len);
    if (!kl_u256_from_decimal(&number, text) && kl_hex_u256(&number, text) != KL_RULE_NONE)
        return fail_value(doc, m);
    unsigned bits = kl_u256_bits(number);
    if (m->kind == TYPED_UINT) {
        if (bits > m->size || (negative && bits))
            return fail_value(doc, m);
    } else if (bits >= m->size) { /* only the least number may use the sign's bit */
        kl_u256 least = kl_u256_shl(KL_U256_ONE, m->size - 1);
        if (!negative || !kl_u256_eq(number, least))
            return fail_value(doc, m);
    }
    *out = negative ? kl_u256_sub(KL_U256_ZERO, number) : number;
    return true;
}

static bool read_bytes(struct typed_document *doc, const struct typed_member *m, kl_json_ref ref,
                       kl_span *out)
{
    kl_span text;
    bool no_memory;
    if (!kl_json_is(doc->json, ref, KL_JSON_STRING))
        return fail_value(doc, m);
    if (!kl_json_string(&text, doc->json, ref, doc->arena))
        return kl_typed_no_memory(doc);
    kl_rule rule = kl_hex_data(out, text, doc->arena, &no_memory);
    if (no_memory)
        return kl_typed_no_memory(doc);
    return rule == KL_RULE_NONE || fail_value(doc, m);
}

/* Bytes of an exact length, standing at `at` of a word. */
static bool read_fixed(struct typed_document *doc, const struct typed_member *m, kl_json_ref ref,
                       usize at, usize len, u8 word[WORD])
{
    kl_span bytes;
    if (!read_bytes(doc, m, ref, &bytes))
        return false;
    if (bytes.len != len)
        return fail_value(doc, m);
    memcpy(word + at, bytes.p, len);
    return true;
}

static bool read_text(struct typed_document *doc, const struct typed_member *m, kl_json_ref ref,
                      kl_span *out)
{
    if (!kl_json_is(doc->json, ref, KL_JSON_STRING))
        return fail_value(doc, m);
    return kl_json_string(out, doc->json, ref, doc->arena) || kl_typed_no_memory(doc);
}

/* The word that stands for a value that is neither struct nor array [EIP-712 encodeData]. */
static bool read_word(struct typed_document *doc, const struct typed_member *m, kl_json_ref ref,
                      u8 word[WORD])
{
    kl_span bytes;
    kl_u256 number = KL_U256_ZERO;
    kl_hash hash;
    switch (m->kind) {
    case TYPED_BOOL:
        word[WORD - 1] = kl_json_is(doc->json, ref, KL_JSON_TRUE);
        return word[WORD - 1] || kl_json_is(doc->json, ref, KL_JSON_FALSE) || fail_value(doc, m);
    case TYPED_ADDRESS:
        return read_fixed(doc, m, ref, 12, 20, word);
    case TYPED_FIXED:
        return read_fixed(doc, m, ref, 0, m->size, word);
    case TYPED_STRING:
    case TYPED_BYTES:
        if (m->kind == TYPED_STRING ? !read_text(doc, m, ref, &bytes)
                                    : !read_bytes(doc, m, ref, &bytes))
            return false;
        hash = kl_keccak256(bytes);
        memcpy(word, hash.b, WORD);
        return true;
    case TYPED_UINT:
    case TYPED_INT:
        if (!read_integer(doc, m, ref, &number))
            return false;
        kl_u256_to_be(word, number);
        return true;
    case TYPED_STRUCT:
        break;
    }
    KL_UNREACHABLE();
}

static struct frame *push(struct encoding *e, kl_json_ref value)
{
    KL_ASSERT(e->depth < FRAMES_MAX); /* each frame is a container inside the one below */
    struct frame *f = &e->frames[e->depth++];
    *f = (struct frame){.value = value};
    kl_keccak_init(&f->hash);
    return f;
}

static void push_struct(struct encoding *e, kl_json_ref value, struct typed_struct *is)
{
    struct frame *f = push(e, value);
    f->is = is;
    kl_keccak_add(&f->hash, kl_hash_span(kl_typed_type_hash(&e->doc, is)));
}

/* Enters the array at value, whose type is m's, and takes off the last suffix. */
static bool push_array(struct encoding *e, const struct typed_member *m, kl_json_ref value)
{
    const struct kl_json *json = e->doc.json;
    kl_u256 wanted;
    if (!kl_json_is(json, value, KL_JSON_ARRAY))
        return fail_value(&e->doc, m);
    usize open = m->type.len - 1;
    while (m->type.p[open] != '[')
        open--;
    kl_span digits = kl_span_sub(m->type, open + 1, m->type.len - open - 2);
    if (digits.len && (!kl_u256_from_decimal(&wanted, digits) ||
                       kl_u256_sat_u64(wanted) != json->nodes[value].count))
        return fail_value(&e->doc, m);
    struct frame *f = push(e, value);
    f->of = *m;
    f->of.type.len = open;
    f->element = kl_json_first(json, value);
    return true;
}

/* Adds one value to the frame on top, or enters it. */
static bool put_value(struct encoding *e, const struct typed_member *m, kl_json_ref value)
{
    kl_keccak *hash = &e->frames[e->depth - 1].hash;
    u8 word[WORD] = {0};
    bool missing = value == KL_JSON_NONE || kl_json_is(e->doc.json, value, KL_JSON_NULL);
    if (++e->values > VALUES_MAX)
        return kl_typed_fail(&e->doc, "more than %d values", VALUES_MAX);
    bool is_array = m->type.len > m->base, is_struct = !is_array && m->kind == TYPED_STRUCT;
    if (missing && !is_struct)
        return kl_typed_fail(&e->doc, "%.40s is missing", m->name);
    if (is_array)
        return push_array(e, m, value);
    if (is_struct && !missing) {
        if (!kl_json_is(e->doc.json, value, KL_JSON_OBJECT))
            return fail_value(&e->doc, m);
        push_struct(e, value, m->is);
        return true;
    }
    if (!is_struct && !read_word(&e->doc, m, value, word))
        return false;
    kl_keccak_add(hash, KL_SPAN_OF(word));
    return true;
}

/* The next value of the frame on top; false at its end. */
static bool next_value(struct encoding *e, const struct typed_member **m, kl_json_ref *value)
{
    const struct kl_json *json = e->doc.json;
    struct frame *f = &e->frames[e->depth - 1];
    if (f->is) {
        if (f->member == f->is->count)
            return false;
        *m = &f->is->members[f->member++];
        *value = kl_json_member(json, f->value, (*m)->name);
        return true;
    }
    if (f->element == KL_JSON_NONE)
        return false;
    *m = &f->of;
    *value = f->element;
    f->element = kl_json_after(json, f->value, f->element);
    return true;
}

/* hashStruct [EIP-712]. */
static bool hash_struct(struct encoding *e, struct typed_struct *is, kl_json_ref value,
                        kl_hash *out)
{
    if (!kl_json_is(e->doc.json, value, KL_JSON_OBJECT))
        return kl_typed_fail(&e->doc, "the %.40s is missing or no object",
                             (const char *)is->name.p);
    push_struct(e, value, is);
    for (;;) {
        const struct typed_member *m;
        kl_json_ref next;
        if (next_value(e, &m, &next)) {
            if (!put_value(e, m, next))
                return false;
            continue;
        }
        kl_hash hash = kl_keccak_done(&e->frames[--e->depth].hash);
        if (e->depth == 0) {
            *out = hash;
            return true;
        }
        kl_keccak_add(&e->frames[e->depth - 1].hash, kl_hash_span(&hash));
    }
}

static bool hash_document(struct encoding *e, kl_json_ref ref, kl_hash *out)
{
    struct typed_document *doc = &e->doc;
    const struct kl_json *json = doc->json;
    kl_json_ref domain = kl_json_member(json, ref, "domain");
    kl_json_ref primary = kl_json_member(json, ref, "primaryType");
    kl_span name;
    kl_hash domain_hash, message_hash;
    if (!kl_typed_types(doc, kl_json_member(json, ref, "types"), domain))
        return false;
    if (!kl_json_is(json, primary, KL_JSON_STRING))
        return kl_typed_fail(doc, "primaryType is missing or no string");
    if (!kl_json_string(&name, json, primary, doc->arena))
        return kl_typed_no_memory(doc);
    struct typed_struct *type = kl_typed_find(doc, name);
    struct typed_struct *domain_type = kl_typed_find(doc, KL_SPAN_TEXT("EIP712Domain"));
    if (!type)
        return kl_typed_fail(doc, "primaryType is none of the types");
    if (!hash_struct(e, domain_type, domain, &domain_hash))
        return false;
    bool has_message = type != domain_type; /* a domain may be signed alone */
    if (has_message && !hash_struct(e, type, kl_json_member(json, ref, "message"), &message_hash))
        return false;
    kl_keccak keccak;
    kl_keccak_init(&keccak);
    kl_keccak_add(&keccak, KL_SPAN_TEXT("\x19\x01"));
    kl_keccak_add(&keccak, kl_hash_span(&domain_hash));
    if (has_message)
        kl_keccak_add(&keccak, kl_hash_span(&message_hash));
    *out = kl_keccak_done(&keccak);
    return true;
}

kl_status kl_typed_data_hash(kl_hash *out, const struct kl_json *json, kl_json_ref ref,
                             struct kl_arena *arena, char why[KL_TYPED_DATA_WHY])
{
    struct encoding *e = KL_ZERO(arena, struct encoding, 1);
    if (!e)
        return KL_NOMEM;
    e->frames = KL_TAKE(arena, struct frame, FRAMES_MAX);
    if (!e->frames)
        return KL_NOMEM;
    e->doc.json = json;
    e->doc.arena = arena;
    e->doc.why = why;
    why[0] = 0;
    if (!kl_json_is(json, ref, KL_JSON_OBJECT)) {
        kl_typed_fail(&e->doc, "typed data is no object");
        return KL_OK;
    }
    if (!hash_document(e, ref, out) && e->doc.no_memory)
        return KL_NOMEM;
    return KL_OK;
}
