/* span: bytes somebody else owns, and a bounded place to write bytes to. */
#ifndef KL_BASE_SPAN_H
#define KL_BASE_SPAN_H

#include "base/int.h"

/* A view of len bytes; the owner is whoever the function that hands it out says.  The empty span
 * may have p == NULL. */
typedef struct kl_span {
    const u8 *p;
    usize len;
} kl_span;

#define KL_SPAN_NONE    ((kl_span){NULL, 0})
#define KL_SPAN_OF(x)   ((kl_span){(const u8 *)&(x), sizeof(x)})
#define KL_SPAN_TEXT(s) ((kl_span){(const u8 *)(s), sizeof(s) - 1})

static inline kl_span kl_span_of(const void *p, usize len)
{
    return (kl_span){p, len};
}

/* The span of a NUL-terminated text, without the NUL. */
static inline kl_span kl_span_str(const char *text)
{
    return (kl_span){(const u8 *)text, strlen(text)};
}

static inline bool kl_span_eq(kl_span a, kl_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* Bytewise order, a prefix before what it is a prefix of: <0, 0 or >0. */
static inline int kl_span_cmp(kl_span a, kl_span b)
{
    usize n = KL_MIN(a.len, b.len);
    int order = n ? memcmp(a.p, b.p, n) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* The part from offset on, at most len bytes of it; empty where offset is past the end. */
static inline kl_span kl_span_sub(kl_span s, usize offset, usize len)
{
    if (offset >= s.len)
        return KL_SPAN_NONE;
    return (kl_span){s.p + offset, KL_MIN(len, s.len - offset)};
}

/* Cuts off the first len bytes, or all where there are fewer. */
static inline kl_span kl_span_take(kl_span *from, usize len)
{
    kl_span taken = kl_span_sub(*from, 0, len);
    *from = kl_span_sub(*from, taken.len, SIZE_MAX);
    return taken;
}

/* A writer into room the caller owns.  A write that does not fit sets `full` and writes nothing,
 * and so do all writes after it: check once, at the end.  A writer with p == NULL only counts. */
typedef struct kl_out {
    u8 *p;
    usize len, cap;
    bool full;
} kl_out;

static inline kl_out kl_out_of(void *p, usize cap)
{
    return (kl_out){.p = p, .cap = cap};
}

/* A writer that stores nothing and counts what would have been written. */
static inline kl_out kl_out_counter(void)
{
    return (kl_out){.p = NULL, .cap = SIZE_MAX};
}

static inline void kl_out_bytes(kl_out *out, const void *bytes, usize len)
{
    if (out->full || len > out->cap - out->len) {
        out->full = true;
        return;
    }
    if (out->p && len)
        memcpy(out->p + out->len, bytes, len);
    out->len += len;
}

static inline void kl_out_span(kl_out *out, kl_span s)
{
    kl_out_bytes(out, s.p, s.len);
}

static inline void kl_out_u8(kl_out *out, u8 v)
{
    kl_out_bytes(out, &v, 1);
}

static inline void kl_out_be32(kl_out *out, u32 v)
{
    u8 b[4];
    kl_store_be32(b, v);
    kl_out_bytes(out, b, sizeof b);
}

static inline void kl_out_be64(kl_out *out, u64 v)
{
    u8 b[8];
    kl_store_be64(b, v);
    kl_out_bytes(out, b, sizeof b);
}

static inline kl_span kl_out_done(const kl_out *out)
{
    return (kl_span){out->p, out->len};
}

#endif
