#include "p2p/conn.h"

#include <stdlib.h>

#include "base/map.h"
#include "p2p/multistream.h"

#define OUT_MAX ((usize)1 << 20) /* bytes that handshakes may have queued */

static const kl_span noise_name = {(const u8 *)"/noise", 6};
static const kl_span yamux_name = {(const u8 *)"/yamux/1.0.0", 12};

typedef enum conn_phase {
    PHASE_AGREES_NOISE,
    PHASE_NOISE,
    PHASE_AGREES_MUXER,
    PHASE_OPEN,
} conn_phase;

/* A stream whose protocol is not agreed on yet. */
struct agreeing {
    u32 id;
    bool ours, swept; /* was there at a sweep */
    kl_multistream m;
};

struct kl_conn {
    kl_conn_config config;
    struct kl_yamux_user yamux_user;
    struct kl_conn_user *user;
    conn_phase phase;
    bool over;
    kl_multistream m;
    kl_span names[KL_CONN_PROTOCOLS_MAX];
    struct kl_noise *noise;
    struct kl_yamux *yamux;
    struct kl_map agreeing; /* by stream */
    u32 early;              /* of them, the peer's */
    struct kl_buf in;       /* the beginning of a frame */
    struct kl_buf plain;    /* decrypted, being dealt with */
    struct kl_buf raw;      /* to be sent as it is */
    struct kl_buf text;     /* to be encrypted */
    kl_status status;       /* what went wrong inside an event */
};

static void tell(struct kl_conn *c, const kl_conn_event *event)
{
    c->user->event(c->user, event);
}

/* --- streams --- */

static void forget_agreeing(struct kl_conn *c, u32 id)
{
    struct agreeing *a = kl_map_take(&c->agreeing, &id);
    c->early -= a && !a->ours;
    free(a);
}

static kl_status add_agreeing(struct kl_conn *c, u32 id, bool ours, struct agreeing **out)
{
    struct agreeing *a = calloc(1, sizeof *a);
    if (!a)
        return KL_NOMEM;
    a->id = id;
    a->ours = ours;
    kl_status status = kl_map_put(&c->agreeing, a);
    if (status != KL_OK) {
        free(a);
        return status;
    }
    c->early += !ours;
    *out = a;
    return KL_OK;
}

/* Queues what multistream said, and gives the room back. */
static void say(struct kl_conn *c, u32 id, struct kl_buf *send)
{
    kl_status status = send->failed ? KL_NOMEM : kl_yamux_write(c->yamux, id, kl_buf_view(send));
    kl_buf_done(send);
    if (status != KL_OK)
        kl_conn_reset(c, id);
}

static void begin_peers(struct kl_conn *c, u32 id)
{
    struct agreeing *a;
    struct kl_buf send;
    if (c->config.early_max && c->early >= c->config.early_max) {
        kl_yamux_reset(c->yamux, id);
        return;
    }
    kl_status status = add_agreeing(c, id, false, &a);
    if (status != KL_OK) {
        c->status = status;
        return;
    }
    kl_buf_init(&send, OUT_MAX);
    kl_multistream_listen(&a->m, c->names, c->config.protocol_count, &send);
    say(c, id, &send);
}

static void agreed(struct kl_conn *c, struct agreeing *a)
{
    kl_conn_event event = {
        .kind = KL_CONN_STREAM, .stream = a->id, .ours = a->ours, .protocol = a->m.chosen};
    forget_agreeing(c, event.stream);
    if (event.protocol == KL_MULTISTREAM_NONE) {
        kl_yamux_reset(c->yamux, event.stream);
        event.kind = KL_CONN_NO_STREAM;
    } else if (!event.ours) {
        kl_yamux_set_class(c->yamux, event.stream, c->config.protocols[event.protocol].class);
    }
    tell(c, &event);
}

/* Bytes of a stream that is still agreeing; what is left behind its last line is the protocol's. */
static void go_on_agreeing(struct kl_conn *c, struct agreeing *a, kl_span data)
{
    struct kl_buf send;
    u32 id = a->id;
    usize len = data.len;
    kl_buf_init(&send, OUT_MAX);
    kl_rule broken = kl_multistream_feed(&a->m, &data, &send);
    kl_yamux_took(c->yamux, id, len - data.len);
    say(c, id, &send);
    a = kl_map_get(&c->agreeing, &id);
    if (!a)
        return; /* what it had to say did not fit, and it was reset */
    if (broken != KL_RULE_NONE) {
        kl_conn_reset(c, id);
        tell(c, &(kl_conn_event){.kind = KL_CONN_NO_STREAM, .stream = id});
        return;
    }
    if (!a->m.done)
        return;
    agreed(c, a);
    if (data.len && kl_yamux_has(c->yamux, id))
        tell(c, &(kl_conn_event){.kind = KL_CONN_DATA, .stream = id, .data = data});
}

static void on_data(struct kl_conn *c, const kl_yamux_event *event)
{
    struct agreeing *a = kl_map_get(&c->agreeing, &event->stream);
    if (a)
        go_on_agreeing(c, a, event->data);
    else
        tell(c,
             &(kl_conn_event){.kind = KL_CONN_DATA, .stream = event->stream, .data = event->data});
}

/* The peer has ended, or reset, a stream. */
static void on_end(struct kl_conn *c, u32 id, kl_conn_event_kind kind)
{
    bool was_agreeing = kl_map_get(&c->agreeing, &id);
    if (was_agreeing) {
        kl_conn_reset(c, id);
        kind = KL_CONN_NO_STREAM;
    }
    tell(c, &(kl_conn_event){.kind = kind, .stream = id});
}

static void on_yamux(struct kl_yamux_user *user, const kl_yamux_event *event)
{
    struct kl_conn *c = (struct kl_conn *)((char *)user - offsetof(struct kl_conn, yamux_user));
    switch (event->kind) {
    case KL_YAMUX_OPENED:
        begin_peers(c, event->stream);
        break;
    case KL_YAMUX_DATA:
        on_data(c, event);
        break;
    case KL_YAMUX_ENDED:
        on_end(c, event->stream, KL_CONN_ENDED);
        break;
    case KL_YAMUX_RESET:
        on_end(c, event->stream, KL_CONN_RESET);
        break;
    case KL_YAMUX_PONG:
        tell(c, &(kl_conn_event){.kind = KL_CONN_PONG, .value = event->value});
        break;
    case KL_YAMUX_GOAWAY:
        tell(c, &(kl_conn_event){.kind = KL_CONN_GOAWAY, .value = event->value});
        break;
    }
}

kl_status kl_conn_open_stream(struct kl_conn *c, const kl_span *names, usize count,
                              kl_yamux_class class, u32 *stream)
{
    struct agreeing *a;
    struct kl_buf send;
    u32 id;
    KL_ASSERT(c->phase == PHASE_OPEN);
    KL_TRY(kl_yamux_open(c->yamux, class, &id));
    kl_status status = add_agreeing(c, id, true, &a);
    if (status != KL_OK) {
        kl_yamux_reset(c->yamux, id);
        return status;
    }
    kl_buf_init(&send, OUT_MAX);
    kl_multistream_dial(&a->m, names, count, &send);
    say(c, id, &send);
    *stream = id;
    return KL_OK;
}

kl_status kl_conn_write(struct kl_conn *c, u32 stream, kl_span bytes)
{
    return kl_yamux_write(c->yamux, stream, bytes);
}

usize kl_conn_queued(const struct kl_conn *c, u32 stream)
{
    return kl_yamux_queued(c->yamux, stream);
}

void kl_conn_took(struct kl_conn *c, u32 stream, usize bytes)
{
    kl_yamux_took(c->yamux, stream, bytes);
}

void kl_conn_end(struct kl_conn *c, u32 stream)
{
    kl_yamux_end(c->yamux, stream);
}

void kl_conn_reset(struct kl_conn *c, u32 stream)
{
    forget_agreeing(c, stream);
    kl_yamux_reset(c->yamux, stream);
}

void kl_conn_ping(struct kl_conn *c, u32 value)
{
    kl_yamux_ping(c->yamux, value);
}

void kl_conn_go_away(struct kl_conn *c, u32 reason)
{
    if (c->yamux)
        kl_yamux_go_away(c->yamux, reason);
}

usize kl_conn_stream_count(const struct kl_conn *c)
{
    return c->yamux ? kl_yamux_stream_count(c->yamux) : 0;
}

kl_yamux_ado kl_conn_ado(const struct kl_conn *c)
{
    return c->yamux ? kl_yamux_ado_of(c->yamux) : (kl_yamux_ado){0};
}

u32 kl_conn_stuck(struct kl_conn *c)
{
    return c->yamux ? kl_yamux_stuck(c->yamux) : 0;
}

usize kl_conn_agreeing(const struct kl_conn *c)
{
    return c->agreeing.count;
}

/* One that is to go, or NULL: the map may not change while it is walked over. */
static struct agreeing *next_to_sweep(const struct kl_conn *c)
{
    usize cursor = 0;
    for (struct agreeing *a; (a = kl_map_next(&c->agreeing, &cursor)) != NULL;)
        if (a->swept)
            return a;
    return NULL;
}

void kl_conn_sweep(struct kl_conn *c)
{
    for (struct agreeing *a; (a = next_to_sweep(c)) != NULL;) {
        const kl_conn_event event = {.kind = KL_CONN_NO_STREAM, .stream = a->id};
        bool ours = a->ours;
        kl_conn_reset(c, a->id);
        if (ours)
            tell(c, &event);
    }
    usize cursor = 0;
    for (struct agreeing *a; (a = kl_map_next(&c->agreeing, &cursor)) != NULL;)
        a->swept = true;
}

/* --- the way up --- */

static kl_status begin_noise(struct kl_conn *c)
{
    const kl_noise_config config = {
        .dials = c->config.dials,
        .identity = c->config.identity,
        .static_key = c->config.static_key,
        .ephemeral = c->config.ephemeral,
        .expected = c->config.expected,
        .muxers = &yamux_name,
        .muxer_count = 1,
    };
    c->phase = PHASE_NOISE;
    kl_status status = kl_noise_new(&c->noise, &config, &c->raw);
    kl_secret32_wipe(&c->config.static_key);
    kl_secret32_wipe(&c->config.ephemeral);
    return status;
}

static kl_status begin_yamux(struct kl_conn *c)
{
    const kl_yamux_config config = {
        .dials = c->config.dials,
        .peer_streams_max = c->config.peer_streams_max,
        .streams_max = c->config.streams_max,
        .window = c->config.window,
        .queue_max = c->config.queue_max,
    };
    KL_TRY(kl_yamux_new(&c->yamux, &config, &c->yamux_user));
    c->phase = PHASE_OPEN;
    tell(c, &(kl_conn_event){.kind = KL_CONN_OPEN, .peer = kl_noise_peer(c->noise)});
    return KL_OK;
}

static void begin_multistream(struct kl_conn *c, const kl_span *name, struct kl_buf *send)
{
    if (c->config.dials)
        kl_multistream_dial(&c->m, name, 1, send);
    else
        kl_multistream_listen(&c->m, name, 1, send);
}

/* Noise is open: yamux is next, agreed on already or not. */
static kl_status after_noise(struct kl_conn *c)
{
    if (kl_noise_muxer(c->noise) != KL_NOISE_NO_MUXER)
        return begin_yamux(c);
    c->phase = PHASE_AGREES_MUXER;
    begin_multistream(c, &yamux_name, &c->text);
    return KL_OK;
}

/* --- bytes --- */

static kl_status hear_plain(struct kl_conn *c, kl_span text, kl_rule *broken)
{
    if (c->phase == PHASE_AGREES_MUXER) {
        *broken = kl_multistream_feed(&c->m, &text, &c->text);
        if (*broken != KL_RULE_NONE || !c->m.done)
            return KL_OK;
        if (c->m.chosen == KL_MULTISTREAM_NONE) {
            *broken = KL_RULE_CONN_MUXER;
            return KL_OK;
        }
        KL_TRY(begin_yamux(c));
    }
    if (text.len)
        KL_TRY(kl_yamux_feed(c->yamux, text, broken));
    return c->status;
}

static kl_status hear_noise(struct kl_conn *c, kl_span *bytes, kl_rule *broken)
{
    bool was_open = kl_noise_is_open(c->noise);
    kl_buf_clear(&c->plain);
    KL_TRY(kl_noise_feed(c->noise, bytes, &c->raw, &c->plain, broken));
    if (*broken == KL_RULE_NONE && !was_open && kl_noise_is_open(c->noise))
        KL_TRY(after_noise(c));
    if (*broken == KL_RULE_NONE && c->plain.len)
        KL_TRY(hear_plain(c, kl_buf_view(&c->plain), broken));
    return KL_OK;
}

static kl_status hear(struct kl_conn *c, kl_span *bytes, kl_rule *broken)
{
    if (c->phase == PHASE_AGREES_NOISE) {
        *broken = kl_multistream_feed(&c->m, bytes, &c->raw);
        if (*broken != KL_RULE_NONE || !c->m.done)
            return KL_OK;
        if (c->m.chosen == KL_MULTISTREAM_NONE) {
            *broken = KL_RULE_CONN_NOISE;
            return KL_OK;
        }
        KL_TRY(begin_noise(c));
    }
    return hear_noise(c, bytes, broken);
}

/* Keeps what is left of bytes in `in`, which may be where they lie. */
static kl_status keep_rest(struct kl_conn *c, kl_span rest)
{
    bool is_inside = c->in.p && rest.p >= c->in.p && rest.p <= c->in.p + c->in.len;
    if (is_inside) {
        memmove(c->in.p, rest.p, rest.len);
        c->in.len = rest.len;
        return KL_OK;
    }
    kl_buf_clear(&c->in);
    kl_buf_span(&c->in, rest);
    return c->in.failed ? KL_NOMEM : KL_OK;
}

kl_status kl_conn_feed(struct kl_conn *c, kl_span bytes, kl_rule *broken)
{
    KL_ASSERT(!c->over);
    *broken = KL_RULE_NONE;
    if (c->in.len) {
        kl_buf_span(&c->in, bytes);
        bytes = kl_buf_view(&c->in);
    }
    kl_status status = c->in.failed ? KL_NOMEM : hear(c, &bytes, broken);
    if (status == KL_OK && (c->raw.failed || c->text.failed))
        status = KL_NOMEM;
    c->over = status != KL_OK || *broken != KL_RULE_NONE;
    return c->over ? status : keep_rest(c, bytes);
}

bool kl_conn_wants_out(const struct kl_conn *c)
{
    return c->raw.len || c->text.len || (c->yamux && kl_yamux_wants_out(c->yamux));
}

kl_status kl_conn_pull(struct kl_conn *c, usize max, struct kl_buf *out, bool *more)
{
    kl_buf_span(out, kl_buf_view(&c->raw));
    kl_buf_clear(&c->raw);
    if (c->yamux)
        (void)kl_yamux_pull(c->yamux, max, &c->text);
    if (c->text.len) {
        kl_noise_write(c->noise, kl_buf_view(&c->text), out);
        kl_buf_clear(&c->text);
    }
    *more = kl_conn_wants_out(c);
    return out->failed || c->text.failed ? KL_NOMEM : KL_OK;
}

bool kl_conn_is_open(const struct kl_conn *c)
{
    return c->phase == PHASE_OPEN && !c->over;
}

kl_status kl_conn_new(struct kl_conn **out, const kl_conn_config *config, struct kl_conn_user *user)
{
    KL_ASSERT(config->protocol_count <= KL_CONN_PROTOCOLS_MAX);
    struct kl_conn *c = calloc(1, sizeof *c);
    if (!c)
        return KL_NOMEM;
    c->config = *config;
    c->user = user;
    c->yamux_user.event = on_yamux;
    for (usize i = 0; i < config->protocol_count; i++)
        c->names[i] = config->protocols[i].name;
    kl_map_init(&c->agreeing, offsetof(struct agreeing, id), sizeof(u32), 0);
    kl_buf_init(&c->in, 2 * OUT_MAX);
    kl_buf_init(&c->plain, SIZE_MAX);
    kl_buf_init(&c->raw, OUT_MAX);
    kl_buf_init(&c->text, 16 * OUT_MAX);
    begin_multistream(c, &noise_name, &c->raw);
    *out = c;
    return KL_OK;
}

void kl_conn_free(struct kl_conn *c)
{
    if (!c)
        return;
    usize cursor = 0;
    for (struct agreeing *a; (a = kl_map_next(&c->agreeing, &cursor)) != NULL;)
        free(a);
    kl_map_done(&c->agreeing);
    kl_yamux_free(c->yamux);
    kl_noise_free(c->noise);
    kl_buf_done(&c->in);
    kl_buf_done(&c->plain);
    kl_buf_done(&c->raw);
    kl_buf_done(&c->text);
    kl_wipe(c, sizeof *c);
    free(c);
}
