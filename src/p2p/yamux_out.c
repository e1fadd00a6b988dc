/* What goes out: answers first, then windows, then streams by class and in turns. */
#include "p2p/yamux_priv.h"

enum { QUEUE_KEPT = 1 << 16 };

void yamux_turns_push(struct kl_yamux *y, struct yamux_stream *s)
{
    struct yamux_turns *t = &y->turns[s->class];
    s->next = NULL;
    s->before = t->last;
    *(t->last ? &t->last->next : &t->first) = s;
    t->last = s;
}

void yamux_turns_drop(struct kl_yamux *y, struct yamux_stream *s)
{
    struct yamux_turns *t = &y->turns[s->class];
    *(s->before ? &s->before->next : &t->first) = s->next;
    *(s->next ? &s->next->before : &t->last) = s->before;
    s->next = s->before = NULL;
}

static usize queued(const struct yamux_stream *s)
{
    return s->queue.len - s->queue_at;
}

/* Enough was dealt with that telling the peer is worth a frame. */
static bool owes_window(const struct kl_yamux *y, const struct yamux_stream *s)
{
    return s->credit >= y->config.window / 2 && !s->peer_ended;
}

static bool has_turn(const struct kl_yamux *y, const struct yamux_stream *s)
{
    return owes_window(y, s) || (queued(s) && s->send_window) ||
           (s->ending && !s->ended && !queued(s));
}

static void put_window(struct yamux_stream *s, struct kl_buf *out)
{
    yamux_put_head(out, &(struct yamux_head){
                            .type = YAMUX_WINDOW_UPDATE, .stream = s->id, .length = s->credit});
    s->window += s->credit;
    s->credit = 0;
}

static void put_data(struct yamux_stream *s, struct kl_buf *out)
{
    usize len = KL_MIN(queued(s), (usize)KL_YAMUX_FRAME_MAX);
    len = KL_MIN(len, (usize)s->send_window);
    struct yamux_head head = {.type = YAMUX_DATA, .stream = s->id, .length = (u32)len};
    s->ended = s->ending && len == queued(s);
    if (s->ended)
        head.flags = YAMUX_FIN;
    yamux_put_head(out, &head);
    if (len)
        kl_buf_bytes(out, s->queue.p + s->queue_at, len);
    s->send_window -= (u32)len;
    s->queue_at += len;
    if (s->queue_at < s->queue.len)
        return;
    s->queue_at = 0;
    if (s->queue.cap > QUEUE_KEPT) { /* a body's room is not kept */
        kl_buf_done(&s->queue);
        kl_buf_init(&s->queue, SIZE_MAX);
    }
    kl_buf_clear(&s->queue);
}

/* One frame of the best stream that has one; false when none has. */
static bool put_next(struct kl_yamux *y, struct kl_buf *out)
{
    for (usize c = 0; c < KL_YAMUX_CLASSES; c++)
        for (struct yamux_stream *s = y->turns[c].first; s; s = s->next) {
            if (!has_turn(y, s))
                continue;
            yamux_turns_drop(y, s);
            yamux_turns_push(y, s);
            if (owes_window(y, s))
                put_window(s, out);
            else
                put_data(s, out);
            yamux_settle(y, s);
            return true;
        }
    return false;
}

bool kl_yamux_pull(struct kl_yamux *y, usize max, struct kl_buf *out)
{
    usize begin = out->len;
    kl_buf_span(out, kl_buf_view(&y->control));
    kl_buf_clear(&y->control);
    while (out->len - begin < max && !out->failed)
        if (!put_next(y, out))
            return false;
    return kl_yamux_wants_out(y);
}

bool kl_yamux_wants_out(const struct kl_yamux *y)
{
    if (y->control.len)
        return true;
    for (usize c = 0; c < KL_YAMUX_CLASSES; c++)
        for (const struct yamux_stream *s = y->turns[c].first; s; s = s->next)
            if (has_turn(y, s))
                return true;
    return false;
}
