#include "p2p/delimited.h"

#include "codec/protobuf.h"

void kl_delimited_init(struct kl_delimited *d, usize message_max)
{
    *d = (struct kl_delimited){.max = message_max};
    kl_buf_init(&d->part, message_max + KL_VARINT_MAX);
}

void kl_delimited_done(struct kl_delimited *d)
{
    kl_buf_done(&d->part);
}

/* How many bytes, length included, the message at the front of bytes has; 0 while they do not say.
 */
static kl_rule extent(const struct kl_delimited *d, kl_span bytes, usize *head, usize *total)
{
    u64 len;
    kl_span rest = bytes;
    kl_rule rule = kl_varint(&rest, &len);
    *head = *total = 0;
    if (rule == KL_RULE_VARINT_SHORT)
        return KL_RULE_NONE;
    KL_JUDGE(rule);
    if (len > d->max)
        return KL_RULE_DELIMITED_LONG;
    *head = bytes.len - rest.len;
    *total = *head + (usize)len;
    return KL_RULE_NONE;
}

static kl_status keep(struct kl_delimited *d, kl_span *in, usize len)
{
    kl_buf_span(&d->part, kl_span_sub(*in, 0, len));
    if (d->part.failed)
        return KL_NOMEM;
    *in = kl_span_sub(*in, len, in->len - len);
    return KL_OK;
}

kl_status kl_delimited_next(struct kl_delimited *d, kl_span *in, kl_span *message, bool *whole,
                            kl_rule *broken)
{
    usize head, total;
    *whole = false;
    *broken = KL_RULE_NONE;
    if (d->given) {
        kl_buf_clear(&d->part);
        d->given = false;
    }
    while (in->len) {
        kl_span bytes = d->part.len ? kl_buf_view(&d->part) : *in;
        *broken = extent(d, bytes, &head, &total);
        if (*broken != KL_RULE_NONE)
            return KL_OK;
        if (d->part.len == 0 && total && total <= in->len) {
            *message = kl_span_sub(*in, head, total - head);
            *in = kl_span_sub(*in, total, in->len - total);
            *whole = true;
            return KL_OK;
        }
        if (d->part.len == 0 || total == 0)
            KL_TRY(keep(d, in, 1)); /* a length is short */
        else
            KL_TRY(keep(d, in, KL_MIN(in->len, total - d->part.len)));
        *broken = extent(d, kl_buf_view(&d->part), &head, &total);
        if (*broken != KL_RULE_NONE)
            return KL_OK;
        if (total && d->part.len == total) {
            *message = kl_span_sub(kl_buf_view(&d->part), head, total - head);
            *whole = d->given = true;
            return KL_OK;
        }
    }
    return KL_OK;
}
