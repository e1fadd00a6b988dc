/* buf: bytes that grow on the heap up to a limit, for output whose size is not known before.
 * A write over the limit, or when the heap is exhausted, sets `failed` and writes nothing, and so
 * do all writes after it: check once, at the end. */
#ifndef KL_BASE_BUF_H
#define KL_BASE_BUF_H

#include "base/span.h"

struct kl_buf {
    u8 *p;
    usize len, cap, limit;
    bool failed;
};

void kl_buf_init(struct kl_buf *buf, usize limit);
void kl_buf_done(struct kl_buf *buf);

/* Forgets the bytes and the failure, keeps the room. */
void kl_buf_clear(struct kl_buf *buf);

/* Room for len more bytes, to be filled by the caller; NULL on failure. */
u8 *kl_buf_extend(struct kl_buf *buf, usize len);
void kl_buf_bytes(struct kl_buf *buf, const void *bytes, usize len);

static inline void kl_buf_span(struct kl_buf *buf, kl_span s)
{
    kl_buf_bytes(buf, s.p, s.len);
}

static inline void kl_buf_str(struct kl_buf *buf, const char *text)
{
    kl_buf_bytes(buf, text, strlen(text));
}

/* Text in printf's manner, for people: not for hot paths. */
void kl_buf_print(struct kl_buf *buf, const char *format, ...) KL_PRINTF(2, 3);

static inline kl_span kl_buf_view(const struct kl_buf *buf)
{
    return kl_span_of(buf->p, buf->len);
}

#endif
