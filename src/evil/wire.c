/* A connection of the attacker: well-behaved until its stage is reached, and with everything below
 * it in reach from there on.  yamux is written out here, since the machine in p2p cannot do wrong.
 */
#include <stdio.h>
#include <stdlib.h>

#include "evil/evil_priv.h"
#include "sys/tcp.h"

#define FIRST_WINDOW UINT64_C(262144)
#define RAW_ENOUGH   ((usize)256 << 10)

enum { YAMUX_HEAD = 12, PIECE = 8192 };

static const kl_span noise_name = {(const u8 *)"/noise", 6};
static const kl_span yamux_name = {(const u8 *)"/yamux/1.0.0", 12};

void evil_wire_init(struct evil_wire *w, struct evil *evil)
{
    const kl_evil_config *config = evil->config;
    *w = (struct evil_wire){.evil = evil, .fd = -1};
    w->target = &config->targets[(usize)(w - evil->wires) % config->target_count];
    kl_buf_init(&w->in, 1 << 20);
    kl_buf_init(&w->plain, 1 << 22);
    kl_buf_init(&w->raw, (usize)64 << 20);
    for (usize i = 0; i < EVIL_NAMES; i++)
        kl_buf_init(&w->out[i].queue, (usize)64 << 20);
    for (usize i = 0; i < EVIL_THEIRS_MAX; i++)
        kl_buf_init(&w->theirs[i].frame, KL_MESSAGE_MAX + 4);
}

void evil_wire_close(struct evil_wire *w)
{
    kl_tcp_close(w->fd);
    kl_noise_free(w->noise);
    evil_forge_free(w->forge);
    kl_buf_done(&w->in);
    kl_buf_done(&w->plain);
    kl_buf_done(&w->raw);
    for (usize i = 0; i < EVIL_NAMES; i++)
        kl_buf_done(&w->out[i].queue);
    for (usize i = 0; i < EVIL_THEIRS_MAX; i++)
        kl_buf_done(&w->theirs[i].frame);
    evil_wire_init(w, w->evil);
}

static kl_status dial(struct evil_wire *w)
{
    const kl_evil_config *c = w->evil->config;
    char from[16];
    u32 at = kl_load_be32(c->from);
    if (!c->from_count)
        return kl_tcp_dial(&w->fd, w->target->host, w->target->port);
    at += (u32)(w - w->evil->wires) % c->from_count;
    snprintf(from, sizeof from, "%u.%u.%u.%u", at >> 24, at >> 16 & 0xff, at >> 8 & 0xff,
             at & 0xff);
    return kl_tcp_dial_from(&w->fd, from, w->target->host, w->target->port);
}

bool evil_wire_dial(struct evil_wire *w)
{
    struct evil *e = w->evil;
    w->at = EVIL_DIALS;
    w->next_id = 1;
    w->identity = e->config->identity;
    bool nobody =
        e->attack->habits & EVIL_NOBODY || (e->attack->habits & EVIL_SPIES && w != e->wires);
    if (nobody || !e->config->has_identity)
        evil_random_bytes(e, w->identity.b, sizeof w->identity.b);
    return dial(w) == KL_OK;
}

/* --- what is said --- */

void evil_raw(struct evil_wire *w, kl_span bytes)
{
    kl_buf_span(&w->raw, bytes);
}

void evil_text(struct evil_wire *w, kl_span bytes)
{
    kl_noise_write(w->noise, bytes, &w->raw);
}

void evil_yamux(struct evil_wire *w, u8 type, u16 flags, u32 stream, u32 length, kl_span body)
{
    u8 frame[YAMUX_HEAD + PIECE];
    KL_ASSERT(body.len <= PIECE);
    frame[0] = 0;
    frame[1] = type;
    kl_store_be16(frame + 2, flags);
    kl_store_be32(frame + 4, stream);
    kl_store_be32(frame + 8, length);
    if (body.len)
        memcpy(frame + YAMUX_HEAD, body.p, body.len);
    evil_text(w, kl_span_of(frame, YAMUX_HEAD + body.len));
}

u32 evil_open(struct evil_wire *w, kl_span bytes)
{
    u32 id = w->next_id;
    w->next_id += 2;
    evil_yamux(w, EVIL_DATA, EVIL_SYN, id, (u32)bytes.len, bytes);
    return id;
}

void evil_queue(struct evil_wire *w, evil_class class, kl_span bytes)
{
    kl_buf_span(&w->out[class].queue, bytes);
}

void evil_frame(struct evil_wire *w, evil_class class, kl_span frame)
{
    u8 head[4];
    kl_store_be32(head, (u32)frame.len);
    evil_queue(w, class, KL_SPAN_OF(head));
    evil_queue(w, class, frame);
}

void evil_message(struct evil_wire *w, evil_class class, const kl_message *message)
{
    struct evil *e = w->evil;
    kl_buf_clear(&e->made);
    kl_message_encode(&e->made, message, e->config->scheme);
    KL_ASSERT(!e->made.failed);
    evil_frame(w, class, kl_buf_view(&e->made));
}

static void open_stream(struct evil_wire *w, usize i, const kl_span *name, kl_span bytes)
{
    struct evil_stream *s = &w->out[i];
    struct kl_buf first;
    kl_buf_init(&first, 1 << 13);
    kl_multistream_dial(&s->m, name, 1, &first);
    kl_buf_span(&first, bytes);
    KL_ASSERT(!first.failed);
    s->id = evil_open(w, kl_buf_view(&first));
    s->window = FIRST_WINDOW - first.len;
    kl_buf_done(&first);
}

static void open_classes(struct evil_wire *w)
{
    for (usize i = 0; i < EVIL_CLASSES; i++)
        open_stream(w, i, &w->evil->name_spans[i], KL_SPAN_NONE);
}

void evil_open_other(struct evil_wire *w, const char *name, kl_span bytes)
{
    kl_span span = kl_span_str(name);
    open_stream(w, EVIL_OTHER, &span, bytes);
    w->out[EVIL_OTHER].agreed = true;
}

void evil_end_other(struct evil_wire *w)
{
    evil_yamux(w, EVIL_DATA, EVIL_FIN, w->out[EVIL_OTHER].id, 0, KL_SPAN_NONE);
}

static void send_queue(struct evil_wire *w, struct evil_stream *s)
{
    while (s->agreed && s->queue_at < s->queue.len && s->window && w->raw.len < RAW_ENOUGH) {
        usize len = KL_MIN(KL_MIN(s->queue.len - s->queue_at, (usize)s->window), (usize)PIECE);
        evil_yamux(w, EVIL_DATA, 0, s->id, (u32)len, kl_span_of(s->queue.p + s->queue_at, len));
        s->queue_at += len;
        s->window -= len;
    }
    if (s->queue_at == s->queue.len) {
        s->queue_at = 0;
        kl_buf_clear(&s->queue);
    }
}

void evil_wire_settle(struct evil_wire *w)
{
    for (usize i = 0; i < EVIL_NAMES && w->at >= EVIL_SHAKEN; i++)
        send_queue(w, &w->out[i]);
    if (w->greeted && !w->out[0].id && w->out[EVIL_HELLO].agreed && !w->out[EVIL_HELLO].queue.len)
        open_classes(w);
}

bool evil_wire_is_idle(const struct evil_wire *w)
{
    for (usize i = 0; i < EVIL_NAMES; i++)
        if (w->out[i].queue.len)
            return false;
    return w->raw.len - w->raw_at < RAW_ENOUGH / 4;
}

/* --- what is heard --- */

bool evil_decode(struct evil_wire *w, kl_message *out, kl_span frame)
{
    struct evil *e = w->evil;
    kl_rule broken;
    kl_arena_reset(&e->arena, 1 << 16);
    return kl_message_decode(out, frame, e->config->scheme, &e->arena, &broken) == KL_OK &&
           broken == KL_RULE_NONE;
}

static void settle_ready(struct evil_wire *w)
{
    for (usize i = 0; i < EVIL_CLASSES; i++)
        if (!w->out[i].agreed)
            return;
    if (w->at == EVIL_SHAKEN)
        w->at = EVIL_READY;
}

static bool hear_ours(struct evil_wire *w, struct evil_stream *s, kl_span data)
{
    struct kl_buf none;
    kl_buf_init(&none, 1 << 12);
    bool good = s->agreed || kl_multistream_feed(&s->m, &data, &none) == KL_RULE_NONE;
    kl_buf_done(&none);
    if (good && !s->agreed && s->m.done) {
        good = s->m.chosen != KL_MULTISTREAM_NONE;
        s->agreed = good;
        settle_ready(w);
    }
    return good;
}

static void hear_frame(struct evil_wire *w, struct evil_heard *h, kl_span frame)
{
    struct evil *e = w->evil;
    e->report->heard++;
    if (h->class == EVIL_HELLO) { /* theirs does for ours */
        if (e->attack->habits & EVIL_SPIES) {
            kl_buf_clear(&e->kept);
            kl_buf_span(&e->kept, frame);
        }
        if (e->attack->stage > EVIL_SHAKEN && !w->greeted)
            evil_frame(w, EVIL_HELLO, frame);
        w->greeted = true;
        return;
    }
    if (h->class == EVIL_BFT && frame.len && frame.p[0] == KL_MESSAGE_VOTE) {
        kl_message message;
        if (evil_decode(w, &message, frame)) {
            e->has_vote = true;
            e->vote = message.vote;
            e->height = KL_MAX(e->height, message.vote.subject.proposal.height);
        }
    }
    if (e->attack->hear)
        e->attack->hear(w, h->class, frame);
}

static void take_frames(struct evil_wire *w, struct evil_heard *h, kl_span data)
{
    while (data.len && !h->frame.failed) {
        usize want = h->frame.len < 4 ? 4 : 4 + (usize)kl_load_be32(h->frame.p);
        usize len = KL_MIN(want - h->frame.len, data.len);
        kl_buf_bytes(&h->frame, data.p, len);
        data = kl_span_sub(data, len, data.len - len);
        if (h->frame.failed || h->frame.len < 4 || h->frame.len < 4 + kl_load_be32(h->frame.p))
            continue;
        hear_frame(w, h, kl_span_of(h->frame.p + 4, h->frame.len - 4));
        kl_buf_clear(&h->frame);
    }
}

static struct evil_heard *their_stream(struct evil_wire *w, u32 id, bool is_new)
{
    for (usize i = 0; i < EVIL_THEIRS_MAX; i++)
        if (w->theirs[i].id == id)
            return &w->theirs[i];
    for (usize i = 0; i < EVIL_THEIRS_MAX && is_new; i++)
        if (!w->theirs[i].id) {
            struct evil_heard *h = &w->theirs[i];
            struct kl_buf hello;
            kl_buf_init(&hello, 1 << 12);
            h->id = id;
            kl_multistream_listen(&h->m, w->evil->name_spans,
                                  w->identify.len ? EVIL_NAMES : EVIL_OTHER, &hello);
            evil_yamux(w, EVIL_DATA, EVIL_ACK, id, (u32)hello.len, kl_buf_view(&hello));
            kl_buf_done(&hello);
            return h;
        }
    return NULL;
}

static void say_identify(struct evil_wire *w, u32 id)
{
    kl_span rest = w->identify;
    while (rest.len > PIECE) {
        evil_yamux(w, EVIL_DATA, 0, id, PIECE, kl_span_sub(rest, 0, PIECE));
        rest = kl_span_sub(rest, PIECE, rest.len - PIECE);
    }
    evil_yamux(w, EVIL_DATA, EVIL_FIN, id, (u32)rest.len, rest);
}

static void hear_theirs(struct evil_wire *w, struct evil_heard *h, kl_span data)
{
    if (!h->m.done) {
        struct kl_buf answer;
        kl_buf_init(&answer, 1 << 12);
        kl_rule broken = kl_multistream_feed(&h->m, &data, &answer);
        if (answer.len)
            evil_yamux(w, EVIL_DATA, 0, h->id, (u32)answer.len, kl_buf_view(&answer));
        kl_buf_done(&answer);
        if (broken != KL_RULE_NONE || !h->m.done || h->m.chosen >= EVIL_NAMES)
            return;
        h->class = (evil_class)h->m.chosen;
        if (h->class == EVIL_OTHER)
            say_identify(w, h->id);
    }
    if (h->class != EVIL_GOSSIP)
        take_frames(w, h, data);
}

static bool hear_data(struct evil_wire *w, u32 id, kl_span data)
{
    if (id & 1) {
        for (usize i = 0; i < EVIL_OTHER; i++)
            if (w->out[i].id == id)
                return hear_ours(w, &w->out[i], data);
        return true;
    }
    struct evil_heard *h = their_stream(w, id, false);
    if (h)
        hear_theirs(w, h, data);
    if (!(w->evil->attack->habits & EVIL_MEAN))
        evil_yamux(w, EVIL_WINDOW, 0, id, (u32)data.len, KL_SPAN_NONE);
    return true;
}

static void hear_head(struct evil_wire *w)
{
    u8 type = w->head[1];
    unsigned flags = kl_load_be16(w->head + 2);
    u32 stream = kl_load_be32(w->head + 4), length = kl_load_be32(w->head + 8);
    if (type == EVIL_PING && flags & EVIL_SYN)
        evil_yamux(w, EVIL_PING, EVIL_ACK, 0, length, KL_SPAN_NONE);
    if (type > EVIL_WINDOW)
        return;
    if (flags & EVIL_SYN)
        (void)their_stream(w, stream, true);
    for (usize i = 0; i < EVIL_NAMES && type == EVIL_WINDOW; i++)
        if (w->out[i].id == stream)
            w->out[i].window += length;
    if (type == EVIL_DATA) {
        w->body_left = length;
        w->body_stream = stream;
    }
}

static bool hear_yamux(struct evil_wire *w, kl_span bytes)
{
    while (bytes.len) {
        if (w->body_left) {
            usize len = KL_MIN((usize)w->body_left, bytes.len);
            if (!hear_data(w, w->body_stream, kl_span_sub(bytes, 0, len)))
                return false;
            w->body_left -= (u32)len;
            bytes = kl_span_sub(bytes, len, bytes.len - len);
            continue;
        }
        usize len = KL_MIN(YAMUX_HEAD - w->head_len, bytes.len);
        memcpy(w->head + w->head_len, bytes.p, len);
        w->head_len += len;
        bytes = kl_span_sub(bytes, len, bytes.len - len);
        if (w->head_len == YAMUX_HEAD) {
            w->head_len = 0;
            hear_head(w);
        }
    }
    return true;
}

/* --- the way to the stage --- */

static bool begin_noise(struct evil_wire *w)
{
    kl_noise_config config = {
        .dials = true,
        .identity = &w->identity,
        .expected = &w->target->id,
        .muxers = &yamux_name,
        .muxer_count = w->evil->attack->habits & EVIL_MUXLESS ? 0 : 1,
    };
    evil_random_bytes(w->evil, config.static_key.b, sizeof config.static_key.b);
    evil_random_bytes(w->evil, config.ephemeral.b, sizeof config.ephemeral.b);
    return kl_noise_new(&w->noise, &config, &w->raw) == KL_OK;
}

static bool feed_noise(struct evil_wire *w, kl_span *in)
{
    kl_rule broken;
    kl_buf_clear(&w->plain);
    if (kl_noise_feed(w->noise, in, &w->raw, &w->plain, &broken) != KL_OK || broken != KL_RULE_NONE)
        return false;
    if (w->at == EVIL_NOISE && kl_noise_is_open(w->noise)) {
        w->at = EVIL_SHAKEN;
        if (w->evil->attack->stage > EVIL_SHAKEN)
            open_stream(w, EVIL_HELLO, &w->evil->name_spans[EVIL_HELLO], KL_SPAN_NONE);
    }
    return hear_yamux(w, kl_buf_view(&w->plain));
}

static bool feed_all(struct evil_wire *w, kl_span *in)
{
    const struct evil_attack *a = w->evil->attack;
    if (w->at == EVIL_TCP && a->stage > EVIL_TCP) {
        if (kl_multistream_feed(&w->m, in, &w->raw) != KL_RULE_NONE)
            return false;
        if (!w->m.done)
            return true;
        if (w->m.chosen == KL_MULTISTREAM_NONE)
            return false;
        w->at = EVIL_NOISE;
        if (a->habits & EVIL_FORGES)
            w->forge = evil_forge_new(w);
        else if (a->stage > EVIL_NOISE && !begin_noise(w))
            return false;
    }
    if (w->forge)
        return evil_forge_feed(w->forge, w, in);
    if (w->noise)
        return feed_noise(w, in);
    *in = KL_SPAN_NONE;
    return true;
}

bool evil_wire_feed(struct evil_wire *w, kl_span bytes)
{
    struct kl_buf *in = &w->in;
    kl_buf_span(in, bytes);
    kl_span rest = kl_buf_view(in);
    bool good = !in->failed && feed_all(w, &rest);
    if (rest.len)
        memmove(in->p, rest.p, rest.len);
    in->len = rest.len;
    evil_wire_settle(w);
    return good && !w->raw.failed;
}

void evil_wire_connected(struct evil_wire *w)
{
    w->at = EVIL_TCP;
    if (w->evil->attack->stage > EVIL_TCP)
        kl_multistream_dial(&w->m, &noise_name, 1, &w->raw);
}
