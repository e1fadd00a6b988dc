/* typed_types: the types of a document: a table, and the hash of each one's encoding. */
#include <stdio.h>
#include <stdlib.h>

#include "crypto/keccak.h"
#include "rpc/typed_data_priv.h"

static const char domain_name[] = "EIP712Domain";

static bool is_identifier(kl_span text)
{
    for (usize i = 0; i < text.len; i++) {
        u8 c = text.p[i], lower = c | 0x20;
        bool letter = (lower >= 'a' && lower <= 'z') || c == '_' || c == '$';
        if (!letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return text.len > 0;
}

/* The string at ref as it is meant, with a NUL behind it. */
static bool read_text(struct typed_document *doc, kl_json_ref ref, const char *what, kl_span *out)
{
    kl_span text;
    if (!kl_json_is(doc->json, ref, KL_JSON_STRING))
        return kl_typed_fail(doc, "%s is missing or no string", what);
    if (!kl_json_string(&text, doc->json, ref, doc->arena))
        return kl_typed_no_memory(doc);
    u8 *copy = KL_ZERO(doc->arena, u8, text.len + 1);
    if (!copy)
        return kl_typed_no_memory(doc);
    if (text.len)
        memcpy(copy, text.p, text.len);
    *out = kl_span_of(copy, text.len);
    return true;
}

/* "[]" and "[12]", any number of them. */
static bool are_suffixes(kl_span text)
{
    for (usize i = 0; i < text.len; i++) {
        usize digits = 0;
        if (text.p[i++] != '[')
            return false;
        for (; i < text.len && text.p[i] >= '0' && text.p[i] <= '9'; i++)
            digits++;
        if (i == text.len || text.p[i] != ']' || digits > 9)
            return false;
    }
    return true;
}

static const struct {
    const char *name;
    typed_kind kind;
    unsigned size;      /* when the name is all there is */
    unsigned step, max; /* a size may follow: a multiple of step up to max */
} atoms[] = {
    {"bool", TYPED_BOOL, 0, 0, 0},     {"address", TYPED_ADDRESS, 0, 0, 0},
    {"string", TYPED_STRING, 0, 0, 0}, {"bytes", TYPED_BYTES, 0, 1, 32},
    {"uint", TYPED_UINT, 256, 8, 256}, {"int", TYPED_INT, 256, 8, 256},
};

/* Up to three digits without a leading 0; 0 for anything else. */
static unsigned read_size(kl_span digits)
{
    unsigned size = 0;
    if (digits.len == 0 || digits.len > 3 || digits.p[0] == '0')
        return 0;
    for (usize i = 0; i < digits.len; i++) {
        if (digits.p[i] < '0' || digits.p[i] > '9')
            return 0;
        size = size * 10 + digits.p[i] - '0';
    }
    return size;
}

/* Is base one of the types that need no definition? */
static bool read_atom(kl_span base, struct typed_member *out)
{
    for (usize i = 0; i < KL_COUNT_OF(atoms); i++) {
        kl_span name = kl_span_str(atoms[i].name);
        if (!kl_span_eq(kl_span_sub(base, 0, name.len), name))
            continue;
        out->kind = atoms[i].kind;
        out->size = atoms[i].size;
        if (base.len == name.len)
            return true;
        unsigned size = read_size(kl_span_sub(base, name.len, base.len));
        if (size == 0 || atoms[i].step == 0 || size % atoms[i].step || size > atoms[i].max)
            continue;
        out->size = size;
        if (out->kind == TYPED_BYTES)
            out->kind = TYPED_FIXED;
        return true;
    }
    return false;
}

static bool read_member(struct typed_document *doc, kl_json_ref ref, struct typed_member *out)
{
    kl_span name;
    if (!kl_json_is(doc->json, ref, KL_JSON_OBJECT))
        return kl_typed_fail(doc, "a member of a type is no object");
    if (!read_text(doc, kl_json_member(doc->json, ref, "name"), "name of a member", &name) ||
        !read_text(doc, kl_json_member(doc->json, ref, "type"), "type of a member", &out->type))
        return false;
    if (!is_identifier(name))
        return kl_typed_fail(doc, "invalid member name %.40s", (const char *)name.p);
    out->name = (const char *)name.p;
    while (out->base < out->type.len && out->type.p[out->base] != '[')
        out->base++;
    if (!are_suffixes(kl_span_sub(out->type, out->base, out->type.len)))
        return kl_typed_fail(doc, "unknown type %.40s", (const char *)out->type.p);
    return true;
}

static bool read_struct(struct typed_document *doc, kl_json_ref list, struct typed_struct *out)
{
    const struct kl_json *json = doc->json;
    if (!kl_json_is(json, list, KL_JSON_ARRAY))
        return kl_typed_fail(doc, "type %.40s is no array", (const char *)out->name.p);
    usize count = json->nodes[list].count;
    if (count > TYPED_MEMBERS_MAX)
        return kl_typed_fail(doc, "type %.40s has more than %d members", (const char *)out->name.p,
                             TYPED_MEMBERS_MAX);
    out->members = KL_ZERO(doc->arena, struct typed_member, count);
    if (count && !out->members)
        return kl_typed_no_memory(doc);
    for (kl_json_ref e = kl_json_first(json, list); e != KL_JSON_NONE;
         e = kl_json_after(json, list, e))
        if (!read_member(doc, e, &out->members[out->count++]))
            return false;
    return true;
}

static bool add_struct(struct typed_document *doc, kl_span name, struct typed_struct **out)
{
    struct typed_member atom;
    if (!is_identifier(name) || read_atom(name, &atom))
        return kl_typed_fail(doc, "invalid type name %.40s", (const char *)name.p);
    if (doc->count == TYPED_STRUCTS_MAX)
        return kl_typed_fail(doc, "more than %d types", TYPED_STRUCTS_MAX);
    if (kl_typed_find(doc, name))
        return kl_typed_fail(doc, "type %.40s is defined twice", (const char *)name.p);
    *out = &doc->structs[doc->count++];
    **out = (struct typed_struct){.name = name};
    return true;
}

/* The domain's members in the order of the specification. */
static bool derive_domain(struct typed_document *doc, kl_json_ref domain)
{
    static const struct {
        const char *name, *type;
    } known[] = {
        {"name", "string"},     {"version", "string"},
        {"chainId", "uint256"}, {"verifyingContract", "address"},
        {"salt", "bytes32"},
    };
    struct typed_struct *s = NULL;
    if (!add_struct(doc, kl_span_str(domain_name), &s))
        return false;
    s->members = KL_ZERO(doc->arena, struct typed_member, KL_COUNT_OF(known));
    if (!s->members)
        return kl_typed_no_memory(doc);
    for (usize i = 0; i < KL_COUNT_OF(known); i++) {
        kl_json_ref value = kl_json_member(doc->json, domain, known[i].name);
        if (value == KL_JSON_NONE || kl_json_is(doc->json, value, KL_JSON_NULL))
            continue;
        kl_span type = kl_span_str(known[i].type);
        s->members[s->count++] =
            (struct typed_member){.name = known[i].name, .type = type, .base = type.len};
    }
    return true;
}

/* Finds what each member's type is made of. */
static bool resolve(struct typed_document *doc)
{
    for (usize i = 0; i < doc->count; i++)
        for (usize k = 0; k < doc->structs[i].count; k++) {
            struct typed_member *m = &doc->structs[i].members[k];
            kl_span base = kl_span_of(m->type.p, m->base);
            if (read_atom(base, m))
                continue;
            m->kind = TYPED_STRUCT;
            m->is = kl_typed_find(doc, base);
            if (!m->is)
                return kl_typed_fail(doc, "unknown type %.40s", (const char *)m->type.p);
        }
    return true;
}

bool kl_typed_types(struct typed_document *doc, kl_json_ref types, kl_json_ref domain)
{
    const struct kl_json *json = doc->json;
    if (!kl_json_is(json, types, KL_JSON_OBJECT))
        return kl_typed_fail(doc, "types is missing or no object");
    for (kl_json_ref name = kl_json_first(json, types); name != KL_JSON_NONE;
         name = kl_json_after(json, types, kl_json_value(name))) {
        kl_span text;
        struct typed_struct *s = NULL;
        if (!read_text(doc, name, "name of a type", &text) || !add_struct(doc, text, &s) ||
            !read_struct(doc, kl_json_value(name), s))
            return false;
    }
    if (!kl_typed_find(doc, kl_span_str(domain_name)) && !derive_domain(doc, domain))
        return false;
    return resolve(doc);
}

struct typed_struct *kl_typed_find(struct typed_document *doc, kl_span name)
{
    for (usize i = 0; i < doc->count; i++)
        if (kl_span_eq(doc->structs[i].name, name))
            return &doc->structs[i];
    return NULL;
}

static void add_text(kl_keccak *k, const char *text)
{
    kl_keccak_add(k, kl_span_str(text));
}

/* "Mail(Person from,Person to,string contents)" */
static void add_definition(kl_keccak *k, const struct typed_struct *s)
{
    kl_keccak_add(k, s->name);
    add_text(k, "(");
    for (usize i = 0; i < s->count; i++) {
        if (i)
            add_text(k, ",");
        kl_keccak_add(k, s->members[i].type);
        add_text(k, " ");
        add_text(k, s->members[i].name);
    }
    add_text(k, ")");
}

static int by_name(const void *a, const void *b)
{
    const struct typed_struct *x = *(struct typed_struct *const *)a;
    const struct typed_struct *y = *(struct typed_struct *const *)b;
    return kl_span_cmp(x->name, y->name);
}

/* `of` first, then everything it refers to, sorted by name. */
const kl_hash *kl_typed_type_hash(struct typed_document *doc, struct typed_struct *of)
{
    struct typed_struct *reached[TYPED_STRUCTS_MAX];
    usize count = 0;
    if (of->has_hash)
        return &of->hash;
    for (usize i = 0; i < doc->count; i++)
        doc->structs[i].reached = false;
    of->reached = true;
    reached[count++] = of;
    for (usize at = 0; at < count; at++)
        for (usize i = 0; i < reached[at]->count; i++) {
            struct typed_struct *next = reached[at]->members[i].is;
            if (next && !next->reached) {
                next->reached = true;
                reached[count++] = next;
            }
        }
    qsort(reached + 1, count - 1, sizeof *reached, by_name);
    kl_keccak keccak;
    kl_keccak_init(&keccak);
    for (usize i = 0; i < count; i++)
        add_definition(&keccak, reached[i]);
    of->hash = kl_keccak_done(&keccak);
    of->has_hash = true;
    return &of->hash;
}
