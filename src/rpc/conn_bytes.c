/* conn, its memory: what is lent, what is kept, and the budget both count in. */
#include "rpc/conn_priv.h"

#include <stdlib.h>

#include "rpc/conn_bytes_priv.h"

enum {
    KEEP_MIN = 1024,
    COPY_MAX =
        16384, /* the rest of an answer up to this is copied, a longer one takes its buffer */
};

static bool charge(struct kl_budget *budget, usize bytes, bool beyond)
{
    usize before = atomic_fetch_add(&budget->used, bytes), used = before + bytes;
    if (!beyond && used > budget->limit) {
        atomic_fetch_sub(&budget->used, bytes);
        return false;
    }
    usize peak = atomic_load(&budget->peak);
    while (used > peak && !atomic_compare_exchange_weak(&budget->peak, &peak, used))
        continue;
    return true;
}

static void discharge(struct kl_budget *budget, usize bytes)
{
    atomic_fetch_sub(&budget->used, bytes);
}

void kl_bytes_free(struct kl_conn_bytes *b, struct kl_budget *budget)
{
    if (b->p && !b->lent) {
        free(b->p);
        discharge(budget, b->cap);
    }
    *b = (struct kl_conn_bytes){0};
}

/* Makes kept bytes have room for cap, those in use moved to the front. */
static bool resize(struct kl_conn_bytes *b, usize cap, struct kl_budget *budget, bool beyond)
{
    usize len = b->len - b->at;
    KL_ASSERT(!b->lent && cap >= len);
    if (!charge(budget, cap, beyond))
        return false;
    u8 *p = malloc(cap);
    if (!p) {
        discharge(budget, cap);
        return false;
    }
    if (len)
        memcpy(p, b->p + b->at, len);
    kl_bytes_free(b, budget);
    *b = (struct kl_conn_bytes){.p = p, .len = len, .cap = cap};
    return true;
}

bool kl_bytes_append(struct kl_conn_bytes *b, kl_span s, struct kl_budget *budget, bool beyond)
{
    usize need = b->len - b->at + s.len;
    if (b->cap - b->len < s.len &&
        !resize(b, KL_MAX(need, KL_MAX(2 * (b->len - b->at), (usize)KEEP_MIN)), budget, beyond))
        return false;
    if (s.len)
        memcpy(b->p + b->len, s.p, s.len);
    b->len += s.len;
    return true;
}

u8 *kl_bytes_room(struct kl_conn_bytes *b, usize limit, usize *len, struct kl_budget *budget)
{
    usize held = b->len - b->at;
    KL_ASSERT(held < limit);
    if (b->len == b->cap) {
        usize cap = KL_MIN(limit, KL_MAX(2 * held, (usize)KEEP_MIN));
        if (!resize(b, KL_MAX(cap, b->cap), budget, false))
            return NULL;
    }
    *len = b->cap - b->len;
    return b->p + b->len;
}

bool kl_bytes_keep(struct kl_conn_bytes *b, struct kl_buf *from, struct kl_budget *budget)
{
    usize len = b->len - b->at;
    if (len == 0) {
        kl_bytes_free(b, budget);
        return true;
    }
    if (!b->lent)
        return true;
    if (from && len > COPY_MAX) {
        KL_ASSERT(from->p == b->p);
        if (!charge(budget, from->cap, false))
            return false;
        b->cap = from->cap;
        b->lent = false;
        *from = (struct kl_buf){.limit = from->limit};
        return true;
    }
    struct kl_conn_bytes kept = {0};
    if (!resize(&kept, KL_MAX(len, (usize)KEEP_MIN), budget, false))
        return false;
    memcpy(kept.p, b->p + b->at, len);
    kept.len = len;
    *b = kept;
    return true;
}
