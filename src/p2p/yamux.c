#include "p2p/yamux.h"

#include <stdlib.h>

#include "p2p/yamux_priv.h"

struct yamux_stream *yamux_find(const struct kl_yamux *y, u32 id)
{
    return kl_map_get(&y->streams, &id);
}

static void free_stream(struct yamux_stream *s)
{
    kl_buf_done(&s->queue);
    free(s);
}

void yamux_remove(struct kl_yamux *y, struct yamux_stream *s)
{
    yamux_turns_drop(y, s);
    KL_ASSERT(kl_map_take(&y->streams, &s->id) == s);
    y->peer_streams -= !s->ours;
    free_stream(s);
}

void yamux_settle(struct kl_yamux *y, struct yamux_stream *s)
{
    if (s->ended && s->peer_ended)
        yamux_remove(y, s);
}

/* A stream's first frame says that it is there, and opens the window as far as it goes.  It goes
 * with the answers, so that streams become known in the order of their numbers. */
static bool greet(struct kl_yamux *y, u32 id, bool ours)
{
    return yamux_control(y, &(struct yamux_head){.type = YAMUX_WINDOW_UPDATE,
                                                 .flags = ours ? YAMUX_SYN : YAMUX_ACK,
                                                 .stream = id,
                                                 .length = y->config.window - KL_YAMUX_WINDOW});
}

kl_status yamux_add(struct kl_yamux *y, u32 id, bool ours, kl_yamux_class class)
{
    struct yamux_stream *s = calloc(1, sizeof *s);
    if (!s)
        return KL_NOMEM;
    s->id = id;
    s->ours = ours;
    s->class = class;
    s->send_window = KL_YAMUX_WINDOW;
    s->window = y->config.window;
    kl_buf_init(&s->queue, SIZE_MAX);
    kl_status status = kl_map_put(&y->streams, s);
    if (status != KL_OK) {
        free_stream(s);
        return status;
    }
    y->peer_streams += !ours;
    y->over |= !greet(y, id, ours);
    yamux_turns_push(y, s);
    return KL_OK;
}

void yamux_put_head(struct kl_buf *out, const struct yamux_head *head)
{
    u8 bytes[YAMUX_HEAD];
    kl_out to = kl_out_of(bytes, sizeof bytes);
    kl_out_u8(&to, 0);
    kl_out_u8(&to, head->type);
    kl_out_u8(&to, (u8)(head->flags >> 8));
    kl_out_u8(&to, (u8)head->flags);
    kl_out_be32(&to, head->stream);
    kl_out_be32(&to, head->length);
    kl_buf_bytes(out, bytes, sizeof bytes);
}

bool yamux_control(struct kl_yamux *y, const struct yamux_head *head)
{
    yamux_put_head(&y->control, head);
    return !y->control.failed;
}

kl_status kl_yamux_new(struct kl_yamux **out, const kl_yamux_config *config,
                       struct kl_yamux_user *user)
{
    KL_ASSERT(config->window >= KL_YAMUX_WINDOW && config->streams_max <= KL_YAMUX_STREAMS_MAX &&
              config->queue_max > 0);
    struct kl_yamux *y = calloc(1, sizeof *y);
    if (!y)
        return KL_NOMEM;
    y->config = *config;
    y->user = user;
    y->next_id = config->dials ? 1 : 2;
    kl_map_init(&y->streams, offsetof(struct yamux_stream, id), sizeof(u32), 0);
    kl_buf_init(&y->control, YAMUX_CONTROL_MAX);
    *out = y;
    return KL_OK;
}

void kl_yamux_free(struct kl_yamux *y)
{
    if (!y)
        return;
    usize cursor = 0;
    for (struct yamux_stream *s; (s = kl_map_next(&y->streams, &cursor)) != NULL;)
        free_stream(s);
    kl_map_done(&y->streams);
    kl_buf_done(&y->control);
    free(y);
}

kl_status kl_yamux_open(struct kl_yamux *y, kl_yamux_class class, u32 *stream)
{
    if (y->peer_leaves || y->we_leave || y->streams.count >= y->config.streams_max ||
        y->next_id > UINT32_MAX - 2)
        return KL_LIMIT;
    KL_TRY(yamux_add(y, y->next_id, true, class));
    *stream = y->next_id;
    y->next_id += 2;
    return KL_OK;
}

void kl_yamux_set_class(struct kl_yamux *y, u32 stream, kl_yamux_class class)
{
    struct yamux_stream *s = yamux_find(y, stream);
    if (!s)
        return;
    yamux_turns_drop(y, s);
    s->class = class;
    yamux_turns_push(y, s);
}

/* What has gone out makes room at the front, once that is half: to a peer that reads slowly a queue
 * may never be empty. */
static void move_up(struct yamux_stream *s)
{
    usize rest = s->queue.len - s->queue_at;
    if (s->queue_at == 0 || s->queue_at < rest)
        return;
    memmove(s->queue.p, s->queue.p + s->queue_at, rest);
    s->queue.len = rest;
    s->queue_at = 0;
}

kl_status kl_yamux_write(struct kl_yamux *y, u32 stream, kl_span bytes)
{
    struct yamux_stream *s = yamux_find(y, stream);
    if (!s || s->ending)
        return KL_NOTFOUND;
    if (bytes.len > y->config.queue_max - (s->queue.len - s->queue_at))
        return KL_LIMIT;
    move_up(s);
    kl_buf_span(&s->queue, bytes);
    if (!s->queue.failed)
        return KL_OK;
    s->queue.failed = false;
    return KL_NOMEM;
}

bool kl_yamux_has(const struct kl_yamux *y, u32 stream)
{
    return yamux_find(y, stream);
}

usize kl_yamux_queued(const struct kl_yamux *y, u32 stream)
{
    const struct yamux_stream *s = yamux_find(y, stream);
    return s ? s->queue.len - s->queue_at : 0;
}

void kl_yamux_took(struct kl_yamux *y, u32 stream, usize bytes)
{
    struct yamux_stream *s = yamux_find(y, stream);
    if (!s)
        return;
    KL_ASSERT(bytes <= y->config.window - s->window - s->credit);
    s->credit += (u32)bytes;
}

void kl_yamux_end(struct kl_yamux *y, u32 stream)
{
    struct yamux_stream *s = yamux_find(y, stream);
    if (s)
        s->ending = true;
}

void kl_yamux_reset(struct kl_yamux *y, u32 stream)
{
    struct yamux_stream *s = yamux_find(y, stream);
    if (!s)
        return;
    y->over |= !yamux_control(
        y, &(struct yamux_head){.type = YAMUX_WINDOW_UPDATE, .flags = YAMUX_RST, .stream = stream});
    yamux_remove(y, s);
}

void kl_yamux_ping(struct kl_yamux *y, u32 value)
{
    y->over |= !yamux_control(
        y, &(struct yamux_head){.type = YAMUX_PING, .flags = YAMUX_SYN, .length = value});
}

void kl_yamux_go_away(struct kl_yamux *y, u32 reason)
{
    y->we_leave = true;
    y->over |= !yamux_control(y, &(struct yamux_head){.type = YAMUX_GOAWAY, .length = reason});
}

usize kl_yamux_stream_count(const struct kl_yamux *y)
{
    return y->streams.count;
}

kl_yamux_ado kl_yamux_ado_of(const struct kl_yamux *y)
{
    return y->ado;
}

u32 kl_yamux_stuck(struct kl_yamux *y)
{
    u32 most = 0;
    usize cursor = 0;
    for (struct yamux_stream *s; (s = kl_map_next(&y->streams, &cursor)) != NULL;) {
        bool waits = s->queue.len > s->queue_at && s->send_window < KL_YAMUX_LIGHT_WINDOW;
        s->stuck = waits && s->opened < KL_YAMUX_LIGHT_WINDOW ? s->stuck + 1 : 0;
        s->opened = 0;
        most = KL_MAX(most, s->stuck);
    }
    return most;
}
