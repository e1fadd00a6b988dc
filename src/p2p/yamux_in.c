/* What comes in: a head of 12 bytes at a time, and the bytes of data frames as they arrive. */
#include "p2p/yamux_priv.h"

static void tell(struct kl_yamux *y, kl_yamux_event_kind kind, u32 stream, kl_span data, u32 value)
{
    const kl_yamux_event event = {.kind = kind, .stream = stream, .data = data, .value = value};
    y->user->event(y->user, &event);
}

static bool is_ours(const struct kl_yamux *y, u32 id)
{
    return (id & 1) == (y->config.dials ? 1u : 0u);
}

/* Has there been such a stream? */
static bool was_used(const struct kl_yamux *y, u32 id)
{
    return is_ours(y, id) ? id < y->next_id : id <= y->peer_last_id;
}

static kl_status open_stream(struct kl_yamux *y, u32 id, kl_rule *broken)
{
    if (id == 0 || is_ours(y, id) || yamux_find(y, id)) {
        *broken = KL_RULE_YAMUX_STREAM;
        return KL_OK;
    }
    y->peer_last_id = KL_MAX(y->peer_last_id, id);
    y->ado.opened++;
    if (y->we_leave || y->peer_streams >= y->config.peer_streams_max ||
        y->streams.count >= y->config.streams_max) {
        const struct yamux_head reset = {
            .type = YAMUX_WINDOW_UPDATE, .flags = YAMUX_RST, .stream = id};
        if (!yamux_control(y, &reset))
            *broken = KL_RULE_YAMUX_PING;
        return KL_OK;
    }
    KL_TRY(yamux_add(y, id, false, KL_YAMUX_USUAL));
    tell(y, KL_YAMUX_OPENED, id, KL_SPAN_NONE, 0);
    return KL_OK;
}

static void end_by_peer(struct kl_yamux *y, u32 id)
{
    struct yamux_stream *s = yamux_find(y, id);
    if (!s || s->peer_ended)
        return;
    s->peer_ended = true;
    tell(y, KL_YAMUX_ENDED, id, KL_SPAN_NONE, 0);
    s = yamux_find(y, id);
    if (s)
        yamux_settle(y, s);
}

static void reset_by_peer(struct kl_yamux *y, u32 id)
{
    struct yamux_stream *s = yamux_find(y, id);
    if (!s)
        return;
    yamux_remove(y, s);
    tell(y, KL_YAMUX_RESET, id, KL_SPAN_NONE, 0);
}

/* A stream that is gone may still be spoken of by a peer that does not know it yet. */
static kl_rule hear_data(struct kl_yamux *y, const struct yamux_head *h)
{
    struct yamux_stream *s = yamux_find(y, h->stream);
    if (s) {
        if (s->peer_ended || h->length > s->window)
            return KL_RULE_YAMUX_WINDOW;
        s->window -= h->length;
    }
    y->body_left = h->length;
    y->body_stream = h->stream;
    y->body_ends = (h->flags & YAMUX_FIN) != 0;
    return KL_RULE_NONE;
}

static kl_rule hear_window(struct kl_yamux *y, const struct yamux_head *h)
{
    struct yamux_stream *s = yamux_find(y, h->stream);
    if (s && h->length > UINT32_MAX - s->send_window)
        return KL_RULE_YAMUX_WINDOW;
    if (s) {
        s->send_window += h->length;
        s->opened = kl_add_sat_u64(s->opened, h->length);
    }
    if (h->flags & YAMUX_FIN)
        end_by_peer(y, h->stream);
    return KL_RULE_NONE;
}

static kl_status hear_stream(struct kl_yamux *y, const struct yamux_head *h, kl_rule *broken)
{
    if (h->flags & YAMUX_SYN)
        KL_TRY(open_stream(y, h->stream, broken));
    else if (h->stream == 0 || !was_used(y, h->stream))
        *broken = KL_RULE_YAMUX_STREAM;
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    *broken = h->type == YAMUX_DATA ? hear_data(y, h) : hear_window(y, h);
    if (*broken == KL_RULE_NONE && h->flags & YAMUX_RST)
        reset_by_peer(y, h->stream);
    return KL_OK;
}

static kl_rule hear_ping(struct kl_yamux *y, const struct yamux_head *h)
{
    if (h->stream != 0)
        return KL_RULE_YAMUX_STREAM;
    if (h->flags & YAMUX_ACK) {
        tell(y, KL_YAMUX_PONG, 0, KL_SPAN_NONE, h->length);
        return KL_RULE_NONE;
    }
    const struct yamux_head answer = {.type = YAMUX_PING, .flags = YAMUX_ACK, .length = h->length};
    return yamux_control(y, &answer) ? KL_RULE_NONE : KL_RULE_YAMUX_PING;
}

static kl_rule parse_head(struct yamux_head *h, const u8 bytes[YAMUX_HEAD])
{
    *h = (struct yamux_head){
        .type = bytes[1],
        .flags = (u16)(bytes[2] << 8 | bytes[3]),
        .stream = kl_load_be32(bytes + 4),
        .length = kl_load_be32(bytes + 8),
    };
    if (bytes[0] != 0)
        return KL_RULE_YAMUX_VERSION;
    if (h->type > YAMUX_GOAWAY)
        return KL_RULE_YAMUX_TYPE;
    return h->flags > (YAMUX_SYN | YAMUX_ACK | YAMUX_FIN | YAMUX_RST) ? KL_RULE_YAMUX_FLAGS
                                                                      : KL_RULE_NONE;
}

static bool is_light(const struct yamux_head *h)
{
    return h->type == YAMUX_DATA            ? h->length < KL_YAMUX_LIGHT_DATA
           : h->type == YAMUX_WINDOW_UPDATE ? h->length < KL_YAMUX_LIGHT_WINDOW
                                            : true;
}

static kl_status hear_head(struct kl_yamux *y, kl_rule *broken)
{
    struct yamux_head h;
    *broken = parse_head(&h, y->head);
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    y->ado.light += is_light(&h);
    if (h.type == YAMUX_PING) {
        *broken = hear_ping(y, &h);
    } else if (h.type == YAMUX_GOAWAY) {
        y->peer_leaves = true;
        tell(y, KL_YAMUX_GOAWAY, 0, KL_SPAN_NONE, h.length);
    } else {
        return hear_stream(y, &h, broken);
    }
    return KL_OK;
}

static void take_head(struct kl_yamux *y, kl_span *in)
{
    usize len = KL_MIN(in->len, YAMUX_HEAD - y->head_len);
    memcpy(y->head + y->head_len, in->p, len);
    y->head_len += len;
    *in = kl_span_sub(*in, len, in->len - len);
}

static void take_body(struct kl_yamux *y, kl_span *in)
{
    usize len = KL_MIN(in->len, (usize)y->body_left);
    kl_span data = kl_span_sub(*in, 0, len);
    *in = kl_span_sub(*in, len, in->len - len);
    y->body_left -= (u32)len;
    if (!yamux_find(y, y->body_stream))
        y->ado.lost += len;
    else if (len)
        tell(y, KL_YAMUX_DATA, y->body_stream, data, 0);
}

kl_status kl_yamux_feed(struct kl_yamux *y, kl_span bytes, kl_rule *broken)
{
    *broken = y->over ? KL_RULE_YAMUX_PING : KL_RULE_NONE;
    while (*broken == KL_RULE_NONE && bytes.len) {
        if (y->body_left == 0) {
            take_head(y, &bytes);
            if (y->head_len < YAMUX_HEAD)
                break;
            y->head_len = 0;
            KL_TRY(hear_head(y, broken));
        }
        if (*broken == KL_RULE_NONE && y->body_left && bytes.len)
            take_body(y, &bytes);
        if (y->body_left == 0 && y->body_ends) {
            y->body_ends = false;
            end_by_peer(y, y->body_stream);
        }
        if (y->over)
            *broken = KL_RULE_YAMUX_PING;
    }
    y->over |= *broken != KL_RULE_NONE;
    return KL_OK;
}
