/* What a connection says: whose it is, hellos, and frames in streams, one for each class. */
#include "p2p/swarm_priv.h"

/* --- whose it is --- */

/* Whether a connection that has just opened is to be kept beside, or instead of, the one there. */
static bool is_kept(const struct swarm_link *link, const struct swarm_link *there)
{
    const struct kl_swarm *s = link->swarm;
    bool we_are_less = memcmp(s->self.key, link->id.key, sizeof s->self.key) < 0;
    return there->dialled == link->dialled || link->dialled == we_are_less;
}

/* A place for a stranger. */
static kl_rule take_new_place(struct swarm_link *link)
{
    struct kl_swarm *s = link->swarm;
    kl_rule why = link->dialled ? KL_RULE_NONE : swarm_admit(link);
    if (why != KL_RULE_NONE)
        return why;
    for (u32 i = 0; i < KL_SWARM_PEERS_MAX; i++) {
        if (s->peers[i].used)
            continue;
        s->peers[i] = (struct swarm_peer){
            .id = link->id, .used = true, .link = link->at, .pause_ns = SWARM_PAUSE_NS};
        link->peer = i;
        return KL_RULE_NONE;
    }
    return KL_RULE_SWARM_FULL;
}

void swarm_take_place(struct swarm_link *link)
{
    struct kl_swarm *s = link->swarm;
    u32 place = swarm_find(s, &link->id);
    if (link->dialled && link->peer != SWARM_NOBODY)
        s->peers[link->peer].dialling = false;
    if (kl_peer_id_eq(&s->self, &link->id)) {
        swarm_fail(link, KL_RULE_SWARM_SELF);
        return;
    }
    u32 there = place == SWARM_NOBODY ? SWARM_NOBODY : s->peers[place].link;
    if (there != SWARM_NOBODY) {
        if (s->links[there]->over || is_kept(link, s->links[there])) {
            swarm_end(s, there, s->links[there]->why);
            place = swarm_find(s, &link->id);
        } else {
            swarm_fail(link, KL_RULE_NONE);
            return;
        }
    }
    kl_rule why = KL_RULE_NONE;
    if (place == SWARM_NOBODY) {
        why = take_new_place(link);
    } else {
        link->peer = place;
        s->peers[place].link = link->at;
    }
    if (why == KL_RULE_SWARM_STRANGER && s->user->introduced) {
        link->state = SWARM_GUEST;
        return;
    }
    if (why != KL_RULE_NONE)
        swarm_refuse(link, why);
}

static void open_own(struct swarm_link *link, swarm_protocol protocol, u32 *stream)
{
    const struct kl_swarm *s = link->swarm;
    if (kl_conn_open_stream(link->conn, &s->name_spans[protocol], 1, s->protocols[protocol].class,
                            stream) != KL_OK)
        swarm_fail(link, KL_RULE_NONE);
}

void swarm_meet(struct swarm_link *link)
{
    struct kl_swarm *s = link->swarm;
    link->state = SWARM_OPEN;
    link->opened_ns = link->swept_ns = link->watched_ns = s->now_ns;
    if (link->over)
        return;
    link->is_met = true;
    if (s->user->met)
        s->user->met(s->user, link->peer);
    open_own(link, SWARM_P_HELLO, &link->hello_out);
    if (!link->over)
        swarm_ask_identify(link);
}

static void on_open(struct swarm_link *link, const kl_peer_id *id)
{
    link->id = *id;
    link->has_id = true;
    swarm_take_place(link);
    if (link->state != SWARM_GUEST)
        swarm_meet(link);
}

/* --- hellos --- */

/* Both have said who they are: our streams. */
static void open_classes(struct swarm_link *link)
{
    if (!link->hello_said || !link->hello_heard)
        return;
    for (usize i = 0; i < KL_SWARM_CLASSES && !link->over; i++)
        open_own(link, (swarm_protocol)i, &link->out[i]);
}

static void say_hello(struct swarm_link *link)
{
    struct kl_swarm *s = link->swarm;
    struct kl_buf text;
    u8 head[SWARM_FRAME_HEAD];
    link->hello_agreed = true;
    kl_buf_init(&text, KL_SWARM_HELLO_MAX);
    if (s->user->greet)
        s->user->greet(s->user, link->peer, &text);
    kl_store_be32(head, (u32)text.len);
    if (text.failed || kl_conn_write(link->conn, link->hello_out, KL_SPAN_OF(head)) != KL_OK ||
        kl_conn_write(link->conn, link->hello_out, kl_buf_view(&text)) != KL_OK)
        swarm_fail(link, KL_RULE_NONE);
    kl_buf_done(&text);
    kl_conn_end(link->conn, link->hello_out);
    link->hello_said = true;
    open_classes(link);
}

void swarm_hear_hello(struct swarm_link *link, kl_span hello)
{
    struct kl_swarm *s = link->swarm;
    kl_rule why = s->user->hello ? s->user->hello(s->user, link->peer, hello) : KL_RULE_NONE;
    if (why != KL_RULE_NONE) {
        swarm_fail(link, why);
        return;
    }
    link->hello_heard = true;
    open_classes(link);
}

/* --- streams --- */

/* A stream of ours is agreed on; with the last of them frames can be sent. */
static void our_class(struct swarm_link *link, usize class)
{
    struct kl_swarm *s = link->swarm;
    bool all = true;
    link->ready[class] = true;
    for (usize i = 0; i < KL_SWARM_CLASSES; i++)
        all &= link->ready[i];
    if (!all || link->is_up)
        return;
    link->is_up = true;
    s->user->up(s->user, link->peer);
}

static void our_stream(struct swarm_link *link, const kl_conn_event *e)
{
    for (usize i = 0; i < KL_SWARM_CLASSES; i++)
        if (link->out[i] == e->stream) {
            our_class(link, i);
            return;
        }
    if (link->hello_out == e->stream)
        say_hello(link);
    else if (link->gossip_out == e->stream)
        swarm_gossip_stream(link, e);
    else
        swarm_service_stream(link, e);
}

/* A stream of the peer's begins: of each class the newest counts. */
static void peers_class(struct swarm_link *link, usize class, u32 stream)
{
    struct swarm_in *in = &link->in[class];
    if (!link->hello_heard) {
        swarm_fail(link, KL_RULE_SWARM_EARLY);
        return;
    }
    if (in->stream)
        kl_conn_reset(link->conn, in->stream);
    in->stream = stream;
    kl_buf_clear(&in->frame);
}

static void on_stream(struct swarm_link *link, const kl_conn_event *e)
{
    if (e->ours) {
        our_stream(link, e);
    } else if (e->protocol < KL_SWARM_CLASSES) {
        peers_class(link, e->protocol, e->stream);
    } else if (e->protocol >= SWARM_P_GOSSIP12) {
        swarm_gossip_stream(link, e);
    } else if (e->protocol != SWARM_P_HELLO) {
        swarm_service_stream(link, e);
    } else if (link->hello_in.stream || link->hello_heard) {
        swarm_fail(link, KL_RULE_SWARM_HELLO_TWICE);
    } else {
        link->hello_in.stream = e->stream;
    }
}

/* --- frames --- */

static usize frame_len(const struct kl_buf *buf)
{
    return buf->len < SWARM_FRAME_HEAD ? 0 : kl_load_be32(buf->p);
}

/* The room of a big frame is not kept. */
static void clear_frame(struct kl_buf *buf)
{
    usize limit = buf->limit;
    if (buf->cap > SWARM_KEPT) {
        kl_buf_done(buf);
        kl_buf_init(buf, limit);
    }
    kl_buf_clear(buf);
}

bool swarm_take_frame(struct swarm_link *link, struct kl_buf *buf, kl_span *data, kl_span *frame)
{
    usize want = SWARM_FRAME_HEAD + frame_len(buf);
    usize len = KL_MIN(want - buf->len, data->len);
    kl_buf_bytes(buf, data->p, len);
    *data = kl_span_sub(*data, len, data->len - len);
    if (buf->failed || frame_len(buf) > buf->limit - SWARM_FRAME_HEAD) {
        swarm_fail(link, KL_RULE_SWARM_FRAME);
        return false;
    }
    if (buf->len < SWARM_FRAME_HEAD || buf->len < SWARM_FRAME_HEAD + frame_len(buf))
        return false;
    *frame = kl_span_of(buf->p + SWARM_FRAME_HEAD, buf->len - SWARM_FRAME_HEAD);
    return true;
}

static void class_data(struct swarm_link *link, usize class, kl_span data)
{
    struct kl_swarm *s = link->swarm;
    struct kl_buf *buf = &link->in[class].frame;
    kl_span frame;
    while (data.len && !link->over)
        if (swarm_take_frame(link, buf, &data, &frame)) {
            s->user->frame(s->user, link->peer, (kl_swarm_class) class, frame);
            clear_frame(buf);
        }
    if (buf->len > SWARM_KEPT)
        swarm_bound_held(s);
}

static void hello_data(struct swarm_link *link, kl_span data)
{
    kl_span frame;
    while (data.len && !link->over) {
        if (link->hello_heard)
            swarm_fail(link, KL_RULE_SWARM_HELLO_TWICE);
        else if (swarm_take_frame(link, &link->hello_in.frame, &data, &frame))
            swarm_hear_hello(link, frame);
    }
}

static void on_data(struct swarm_link *link, const kl_conn_event *e)
{
    kl_conn_took(link->conn, e->stream, e->data.len);
    for (usize i = 0; i < KL_SWARM_CLASSES; i++)
        if (link->in[i].stream == e->stream) {
            class_data(link, i, e->data);
            return;
        }
    if (link->hello_in.stream == e->stream)
        hello_data(link, e->data);
    else if (link->gossip_in == e->stream)
        swarm_gossip_data(link, e->data);
    else
        swarm_service_data(link, e->stream, e->data);
}

/* --- ends --- */

/* A stream has ended: ours, or theirs.  Without ours of a class the connection is of no use. */
static void on_gone(struct swarm_link *link, const kl_conn_event *e)
{
    u32 stream = e->stream;
    for (usize i = 0; i < KL_SWARM_CLASSES; i++) {
        if (link->out[i] == stream)
            swarm_fail(link, KL_RULE_NONE);
        if (link->in[i].stream == stream) {
            link->in[i].stream = 0;
            kl_conn_end(link->conn, stream);
        }
    }
    if (link->hello_in.stream == stream) {
        link->hello_in.stream = 0;
        kl_conn_end(link->conn, stream);
    } else if (link->hello_out == stream) {
        link->hello_out = 0;
    } else if (link->gossip_in == stream || link->gossip_out == stream) {
        swarm_gossip_gone(link, stream);
    } else {
        swarm_service_gone(link, stream, e->kind);
    }
}

void swarm_on_conn(struct kl_conn_user *user, const kl_conn_event *e)
{
    struct swarm_link *link = (struct swarm_link *)user;
    if (link->over)
        return;
    if (link->state == SWARM_GUEST) {
        swarm_on_guest(link, e);
        return;
    }
    switch (e->kind) {
    case KL_CONN_OPEN:
        on_open(link, e->peer);
        break;
    case KL_CONN_STREAM:
        on_stream(link, e);
        break;
    case KL_CONN_DATA:
        on_data(link, e);
        break;
    case KL_CONN_NO_STREAM:
    case KL_CONN_ENDED:
    case KL_CONN_RESET:
        on_gone(link, e);
        break;
    case KL_CONN_PONG:
        link->pinged_ns = 0;
        break;
    case KL_CONN_GOAWAY:
        swarm_fail(link, KL_RULE_NONE);
        break;
    }
}

/* --- sending --- */

bool kl_swarm_send(struct kl_swarm *s, u32 place, kl_swarm_class class, kl_span frame)
{
    u8 head[SWARM_FRAME_HEAD];
    i32 at = kl_swarm_link(s, place);
    struct swarm_link *link = at == KL_SWARM_NONE ? NULL : s->links[at];
    if (!link || link->over || !link->is_up || frame.len > s->config.frame_max[class])
        return false;
    bool friend = swarm_is_friend(link);
    usize queue_max = friend ? s->config.limits.queue_friend : s->config.limits.queue_stranger;
    u32 stream = link->out[class];
    if (kl_conn_queued(link->conn, stream) > queue_max ||
        (!friend && frame.len > SWARM_KEPT && swarm_waiting(s) + frame.len > s->config.limits.held))
        return false;
    kl_store_be32(head, (u32)frame.len);
    if (kl_conn_write(link->conn, stream, KL_SPAN_OF(head)) != KL_OK ||
        kl_conn_write(link->conn, stream, frame) != KL_OK) {
        swarm_fail(link, KL_RULE_NONE); /* half a frame may be queued */
        return false;
    }
    s->user->writable(s->user, (u32)at);
    return true;
}
