#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { CAP_MIN = 256 };

void kl_buf_init(struct kl_buf *buf, usize limit)
{
    *buf = (struct kl_buf){.limit = limit};
}

void kl_buf_done(struct kl_buf *buf)
{
    free(buf->p);
    *buf = (struct kl_buf){.limit = buf->limit};
}

void kl_buf_clear(struct kl_buf *buf)
{
    buf->len = 0;
    buf->failed = false;
}

static bool reserve(struct kl_buf *buf, usize need)
{
    if (need <= buf->cap)
        return true;
    usize cap = KL_MAX(KL_MAX(buf->cap * 2, need), (usize)CAP_MIN);
    u8 *p = realloc(buf->p, cap);
    if (!p)
        return false;
    buf->p = p;
    buf->cap = cap;
    return true;
}

u8 *kl_buf_extend(struct kl_buf *buf, usize len)
{
    if (buf->failed || len > buf->limit - buf->len || !reserve(buf, buf->len + len)) {
        buf->failed = true;
        return NULL;
    }
    u8 *room = buf->p + buf->len;
    buf->len += len;
    return room;
}

void kl_buf_bytes(struct kl_buf *buf, const void *bytes, usize len)
{
    u8 *room = len ? kl_buf_extend(buf, len) : NULL;
    if (room)
        memcpy(room, bytes, len);
}

void kl_buf_print(struct kl_buf *buf, const char *format, ...)
{
    va_list list, again;
    va_start(list, format);
    va_copy(again, list);
    int len = vsnprintf(NULL, 0, format, list);
    KL_ASSERT(len >= 0);
    if (kl_buf_extend(buf, (usize)len + 1)) {
        (void)vsnprintf((char *)buf->p + buf->len - len - 1, (usize)len + 1, format, again);
        buf->len--; /* the NUL */
    }
    va_end(again);
    va_end(list);
}
