/* json: RFC 8259 text to a flat tree, and back.
 *
 * The reader makes one pass over the caller's bytes and fills an array of nodes in document order;
 * there is no recursion and no allocation beyond the arena.  Numbers stay text: Ethereum's
 * quantities are strings, and doubles have no place here.  Of members with one name the last one
 * counts. Thread: any.  Owner: text and nodes must outlive the kl_json; spans handed out view the
 * text. */
#ifndef KL_CODEC_JSON_H
#define KL_CODEC_JSON_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/rule.h"
#include "base/status.h"
#include "base/u256.h"

#define KL_JSON_DEPTH_MAX 64

typedef enum kl_json_kind {
    KL_JSON_NULL,
    KL_JSON_FALSE,
    KL_JSON_TRUE,
    KL_JSON_NUMBER,
    KL_JSON_STRING,
    KL_JSON_ARRAY,
    KL_JSON_OBJECT,
} kl_json_kind;

/* A value, or the name of a member (a string node right before the member's value). */
typedef struct kl_json_node {
    u8 kind;      /* kl_json_kind */
    bool escaped; /* a string that holds a backslash */
    u32 start;    /* of the value's text; of a string, behind its opening quote */
    u32 len;      /* of the value's text; of a string, without its quotes */
    u32 next;     /* index of the node behind this value and all in it */
    u32 count;    /* elements of an array, members of an object */
} kl_json_node;

struct kl_json {
    kl_span text;
    const kl_json_node *nodes;
    usize node_count;
};

/* A node's index; 0 is the root. */
typedef u32 kl_json_ref;
#define KL_JSON_NONE UINT32_MAX

/* Reads exactly one value with blanks around it.  *broken: JSON_SYNTAX, JSON_DEPTH, JSON_SIZE (more
 * than max_nodes values and names, or 4 GiB of text), with *at the byte offset; KL_NOMEM when the
 * arena is exhausted. */
KL_MUST_USE kl_status kl_json_parse(struct kl_json *out, kl_span text, usize max_nodes,
                                    struct kl_arena *arena, kl_rule *broken, usize *at);

/* 1-based line of byte offset at, for messages about files. */
usize kl_json_line(kl_span text, usize at);

static inline kl_json_kind kl_json_kind_of(const struct kl_json *json, kl_json_ref ref)
{
    return (kl_json_kind)json->nodes[ref].kind;
}

/* KL_JSON_NONE has no kind but may be asked for. */
static inline bool kl_json_is(const struct kl_json *json, kl_json_ref ref, kl_json_kind kind)
{
    return ref != KL_JSON_NONE && json->nodes[ref].kind == (u8)kind;
}

/* The value of the member called name, or KL_JSON_NONE; also for a ref that is no object. */
kl_json_ref kl_json_member(const struct kl_json *json, kl_json_ref object, const char *name);

/* Walks: first element of an array, or first name of an object; KL_JSON_NONE when empty. */
kl_json_ref kl_json_first(const struct kl_json *json, kl_json_ref container);
/* The element behind ref, or, from a member's value, the name of the next member. */
kl_json_ref kl_json_after(const struct kl_json *json, kl_json_ref container, kl_json_ref ref);
/* The value of the member whose name is at ref. */
static inline kl_json_ref kl_json_value(kl_json_ref name)
{
    return name + 1;
}

/* Element index of an array, or KL_JSON_NONE. */
kl_json_ref kl_json_at(const struct kl_json *json, kl_json_ref array, usize index);

/* The raw text of a value (a container with its brackets, a string without its quotes and with its
 * escapes). */
kl_span kl_json_raw(const struct kl_json *json, kl_json_ref ref);

/* A string's bytes in UTF-8; copies into the arena only when it is escaped.  False when the arena
 * is exhausted.  The parser has already checked the escapes. */
KL_MUST_USE bool kl_json_string(kl_span *out, const struct kl_json *json, kl_json_ref ref,
                                struct kl_arena *arena);

/* True when ref is a string that, its escapes resolved, equals text. */
bool kl_json_equals(const struct kl_json *json, kl_json_ref ref, const char *text);

/* A whole non-negative number without fraction or exponent that fits. */
KL_MUST_USE bool kl_json_number_u64(u64 *out, const struct kl_json *json, kl_json_ref ref);

/* Writing: commas and colons come by themselves; values at the top stand side by side.  Nesting up
 * to KL_JSON_DEPTH_MAX (asserted).  Bytes that are no UTF-8 come out as U+FFFD. */
struct kl_json_out {
    struct kl_buf *buf;
    u64 not_first; /* bit d - 1: something was written at depth d */
    unsigned depth;
    bool after_key;
};

static inline struct kl_json_out kl_json_out_to(struct kl_buf *buf)
{
    return (struct kl_json_out){.buf = buf};
}

void kl_json_put_object(struct kl_json_out *out);
void kl_json_put_object_end(struct kl_json_out *out);
void kl_json_put_array(struct kl_json_out *out);
void kl_json_put_array_end(struct kl_json_out *out);
void kl_json_put_key(struct kl_json_out *out,
                     const char *name); /* plain ASCII, no escapes needed */
void kl_json_put_key_span(struct kl_json_out *out, kl_span name); /* escaped as need be */
void kl_json_put_null(struct kl_json_out *out);
void kl_json_put_bool(struct kl_json_out *out, bool v);
void kl_json_put_number(struct kl_json_out *out, u64 v);          /* 42 */
void kl_json_put_string(struct kl_json_out *out, kl_span utf8);   /* escaped as need be */
void kl_json_put_text(struct kl_json_out *out, const char *text); /* the same, NUL-terminated */
void kl_json_put_raw(struct kl_json_out *out, kl_span json);      /* a value already in JSON */
void kl_json_put_data(struct kl_json_out *out, kl_span bytes);    /* "0x…" */
void kl_json_put_quantity(struct kl_json_out *out, u64 v);        /* "0x2a" */
void kl_json_put_quantity_u256(struct kl_json_out *out, kl_u256 v);

static inline void kl_json_put_hash(struct kl_json_out *out, const kl_hash *h)
{
    kl_json_put_data(out, kl_hash_span(h));
}

static inline void kl_json_put_address(struct kl_json_out *out, const kl_address *a)
{
    kl_json_put_data(out, kl_address_span(a));
}

/* A member of the open object: its name, plain ASCII, and its value as kl_json_put_… writes it. */
#define KL_JSON_ADD(kind, type)                                                                  \
    static inline void kl_json_add_##kind(struct kl_json_out *out, const char *name, type value) \
    {                                                                                            \
        kl_json_put_key(out, name);                                                              \
        kl_json_put_##kind(out, value);                                                          \
    }
KL_JSON_ADD(bool, bool)
KL_JSON_ADD(number, u64)
KL_JSON_ADD(string, kl_span)
KL_JSON_ADD(text, const char *)
KL_JSON_ADD(data, kl_span)
KL_JSON_ADD(quantity, u64)
KL_JSON_ADD(quantity_u256, kl_u256)
KL_JSON_ADD(hash, const kl_hash *)
KL_JSON_ADD(address, const kl_address *)
#undef KL_JSON_ADD

static inline void kl_json_add_null(struct kl_json_out *out, const char *name)
{
    kl_json_put_key(out, name);
    kl_json_put_null(out);
}

#endif
