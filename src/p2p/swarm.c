#include "p2p/swarm.h"

#include <stdio.h>
#include <stdlib.h>

#define NEVER       UINT64_MAX
#define MS          UINT64_C(1000000)
#define PAUSE_NS    (100 * MS)
#define PAUSE_MAX   (2000 * MS)
#define PING_NS     (1000 * MS)
#define SILENCE_NS  (3000 * MS)
#define STREAMS_MAX 16u
#define NAME_MAX_   40

enum { FRAME_HEAD = 4 };
#define NOBODY UINT32_MAX

typedef enum link_state {
    LINK_FREE,
    LINK_DIALLING, /* no socket yet */
    LINK_SHAKES,
    LINK_OPEN,
} link_state;

struct incoming {
    u32 stream; /* 0: none */
    struct kl_buf frame;
};

struct link {
    struct kl_conn_user user; /* first */
    struct kl_swarm *swarm;
    link_state state;
    bool dialled; /* by us */
    bool is_up;   /* the user knows of it */
    bool over;    /* something is wrong with it: ended when the event has been dealt with */
    kl_rule why;
    u32 peer; /* known, or to be */
    kl_peer_id id;
    bool has_id; /* it has shown who it is */
    struct kl_conn *conn;
    u64 began_ns, heard_ns, pinged_ns;
    u32 out[KL_SWARM_CLASSES]; /* our streams; 0: none yet */
    bool ready[KL_SWARM_CLASSES];
    struct incoming in[KL_SWARM_CLASSES];
};

struct peer {
    kl_peer_id id;
    bool used;
    u32 link; /* open, or NOBODY */
    bool dialling;
    u64 dial_ns, pause_ns;
};

struct kl_swarm {
    kl_swarm_config config;
    kl_secret32 identity;
    kl_peer_id self;
    struct kl_swarm_user *user;
    char names[KL_SWARM_CLASSES][NAME_MAX_];
    kl_span name_spans[KL_SWARM_CLASSES];
    kl_conn_protocol protocols[KL_SWARM_CLASSES];
    struct peer peers[KL_SWARM_PEERS_MAX];
    struct link *links[KL_SWARM_LINKS_MAX];
    u64 now_ns;
};

static const kl_yamux_class yamux_class[KL_SWARM_CLASSES] = {[KL_SWARM_BFT] = KL_YAMUX_FIRST,
                                                             [KL_SWARM_TX] = KL_YAMUX_USUAL,
                                                             [KL_SWARM_SYNC] = KL_YAMUX_BULK};

static u32 index_of(const struct link *link)
{
    for (u32 i = 0; i < KL_SWARM_LINKS_MAX; i++)
        if (link->swarm->links[i] == link)
            return i;
    return NOBODY;
}

static u32 find_peer(const struct kl_swarm *s, const kl_peer_id *id)
{
    for (u32 i = 0; i < KL_SWARM_PEERS_MAX; i++)
        if (s->peers[i].used && kl_peer_id_eq(&s->peers[i].id, id))
            return i;
    return NOBODY;
}

/* --- the end of a link --- */

static void free_link(struct link *link)
{
    kl_conn_free(link->conn);
    for (usize i = 0; i < KL_SWARM_CLASSES; i++)
        kl_buf_done(&link->in[i].frame);
    free(link);
}

/* A peer that is lost, or could not be reached, is dialled again after a pause. */
static void pause_peer(struct kl_swarm *s, struct peer *peer)
{
    peer->dial_ns = s->now_ns + peer->pause_ns;
    peer->pause_ns = KL_MIN(2 * peer->pause_ns, PAUSE_MAX);
}

static void forget(struct kl_swarm *s, u32 at)
{
    struct link *link = s->links[at];
    struct peer *peer = link->peer == NOBODY ? NULL : &s->peers[link->peer];
    bool was_up = link->is_up;
    u32 number = link->peer;
    s->links[at] = NULL;
    if (peer && link->dialled && link->state != LINK_OPEN)
        peer->dialling = false;
    if (peer && peer->link == at)
        peer->link = NOBODY;
    if (peer && peer->link == NOBODY && !peer->dialling)
        pause_peer(s, peer);
    free_link(link);
    if (was_up)
        s->user->down(s->user, number);
}

static void end(struct kl_swarm *s, u32 at, kl_rule why)
{
    s->user->close(s->user, at, why);
    forget(s, at);
}

/* --- what a connection says --- */

static void open_streams(struct link *link)
{
    struct kl_swarm *s = link->swarm;
    for (usize i = 0; i < KL_SWARM_CLASSES && !link->over; i++)
        link->over = kl_conn_open_stream(link->conn, &s->name_spans[i], 1, yamux_class[i],
                                         &link->out[i]) != KL_OK;
}

/* Whether a connection that has just opened is to be kept beside, or instead of, the one there. */
static bool is_kept(struct kl_swarm *s, const struct link *link, const struct peer *peer)
{
    const struct link *there = peer->link == NOBODY ? NULL : s->links[peer->link];
    bool we_are_less = memcmp(s->self.key, peer->id.key, sizeof s->self.key) < 0;
    return !there || there->dialled == link->dialled || link->dialled == we_are_less;
}

static void on_open(struct link *link, const kl_peer_id *id)
{
    struct kl_swarm *s = link->swarm;
    u32 number = find_peer(s, id);
    link->id = *id;
    link->has_id = true;
    if (link->dialled)
        s->peers[link->peer].dialling = false;
    if (number == NOBODY || !is_kept(s, link, &s->peers[number])) {
        link->over = true;
        link->why = number == NOBODY ? KL_RULE_SWARM_STRANGER : KL_RULE_NONE;
        link->state = LINK_OPEN;
        return;
    }
    struct peer *peer = &s->peers[number];
    link->peer = number;
    link->state = LINK_OPEN;
    if (peer->link != NOBODY)
        end(s, peer->link, KL_RULE_NONE);
    peer->link = index_of(link);
    peer->pause_ns = PAUSE_NS;
    open_streams(link);
}

/* A stream of ours is agreed on; with the last of them frames can be sent. */
static void our_stream(struct link *link, u32 stream)
{
    struct kl_swarm *s = link->swarm;
    bool all = true;
    for (usize i = 0; i < KL_SWARM_CLASSES; i++) {
        link->ready[i] |= link->out[i] == stream;
        all &= link->ready[i];
    }
    if (!all || link->is_up)
        return;
    link->is_up = true;
    s->user->up(s->user, link->peer);
}

/* A stream of the peer's begins: of each class the newest counts. */
static void on_stream(struct link *link, const kl_conn_event *e)
{
    if (e->ours) {
        our_stream(link, e->stream);
        return;
    }
    struct incoming *in = &link->in[e->protocol];
    if (in->stream)
        kl_conn_reset(link->conn, in->stream);
    in->stream = e->stream;
    kl_buf_clear(&in->frame);
}

static usize frame_len(const struct kl_buf *buf)
{
    return buf->len < FRAME_HEAD ? 0 : kl_load_be32(buf->p);
}

/* Takes bytes of one frame; false when it is too long. */
static bool take_bytes(struct link *link, kl_swarm_class class, kl_span *data)
{
    struct kl_swarm *s = link->swarm;
    struct kl_buf *buf = &link->in[class].frame;
    usize want = buf->len < FRAME_HEAD ? FRAME_HEAD : FRAME_HEAD + frame_len(buf);
    usize len = KL_MIN(want - buf->len, data->len);
    kl_buf_bytes(buf, data->p, len);
    *data = kl_span_sub(*data, len, data->len - len);
    if (buf->failed || (buf->len == FRAME_HEAD && frame_len(buf) > s->config.frame_max[0]))
        return false;
    if (buf->len < FRAME_HEAD || buf->len < FRAME_HEAD + frame_len(buf))
        return true;
    kl_span frame = kl_span_of(buf->p + FRAME_HEAD, buf->len - FRAME_HEAD);
    if (link->peer != NOBODY)
        s->user->frame(s->user, link->peer, class, frame);
    kl_buf_clear(buf);
    return true;
}

static void on_data(struct link *link, const kl_conn_event *e)
{
    kl_span data = e->data;
    kl_conn_took(link->conn, e->stream, data.len);
    for (usize i = 0; i < KL_SWARM_CLASSES; i++) {
        if (link->in[i].stream != e->stream)
            continue;
        while (data.len && !link->over)
            if (!take_bytes(link, (kl_swarm_class)i, &data)) {
                link->over = true;
                link->why = KL_RULE_SWARM_FRAME;
            }
        return;
    }
    if (data.len) /* of a stream that only we write on */
        kl_conn_reset(link->conn, e->stream);
}

/* A stream has ended: ours, or theirs.  Without ours the connection is of no use. */
static void on_gone(struct link *link, u32 stream)
{
    for (usize i = 0; i < KL_SWARM_CLASSES; i++) {
        link->over |= link->out[i] == stream;
        if (link->in[i].stream == stream) {
            link->in[i].stream = 0;
            kl_conn_end(link->conn, stream);
        }
    }
}

static void on_conn(struct kl_conn_user *user, const kl_conn_event *e)
{
    struct link *link = (struct link *)user;
    if (link->over)
        return;
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
        on_gone(link, e->stream);
        break;
    case KL_CONN_PONG:
        link->pinged_ns = 0;
        break;
    case KL_CONN_GOAWAY:
        link->over = true;
        break;
    }
}

/* --- links --- */

static i32 new_link(struct kl_swarm *s, bool dialled, u32 peer)
{
    for (u32 i = 0; i < KL_SWARM_LINKS_MAX; i++) {
        if (s->links[i])
            continue;
        struct link *link = calloc(1, sizeof *link);
        if (!link)
            return KL_SWARM_NONE;
        link->user.event = on_conn;
        link->swarm = s;
        link->state = LINK_DIALLING;
        link->dialled = dialled;
        link->peer = peer;
        link->began_ns = link->heard_ns = s->now_ns;
        for (usize c = 0; c < KL_SWARM_CLASSES; c++)
            kl_buf_init(&link->in[c].frame, s->config.frame_max[0] + FRAME_HEAD);
        s->links[i] = link;
        return (i32)i;
    }
    return KL_SWARM_NONE;
}

/* Begins the handshake; false: no memory. */
static bool begin(struct kl_swarm *s, struct link *link)
{
    kl_conn_config config = {
        .dials = link->dialled,
        .identity = &s->identity,
        .expected = link->dialled ? &s->peers[link->peer].id : NULL,
        .protocols = s->protocols,
        .protocol_count = KL_SWARM_CLASSES,
        .peer_streams_max = STREAMS_MAX,
        .streams_max = 2 * STREAMS_MAX,
        .window = 4 * KL_YAMUX_WINDOW,
        .queue_max = s->config.limits.queue_friend,
    };
    kl_entropy_fill(s->config.entropy, config.static_key.b, sizeof config.static_key.b);
    kl_entropy_fill(s->config.entropy, config.ephemeral.b, sizeof config.ephemeral.b);
    bool good = kl_conn_new(&link->conn, &config, &link->user) == KL_OK;
    kl_secret32_wipe(&config.static_key);
    kl_secret32_wipe(&config.ephemeral);
    link->state = LINK_SHAKES;
    link->began_ns = link->heard_ns = s->now_ns;
    return good;
}

static void settle(struct kl_swarm *s, u32 at)
{
    struct link *link = s->links[at];
    if (!link)
        return;
    if (link->over)
        end(s, at, link->why);
    else if (link->conn && kl_conn_wants_out(link->conn))
        s->user->writable(s->user, at);
}

i32 kl_swarm_accepted(struct kl_swarm *s, KL_UNUSED const kl_multiaddr *remote, u64 now_ns,
                      kl_rule *why)
{
    *why = KL_RULE_NONE;
    u32 shaking = 0;
    s->now_ns = now_ns;
    for (u32 i = 0; i < KL_SWARM_LINKS_MAX; i++)
        shaking += s->links[i] && !s->links[i]->dialled && s->links[i]->state == LINK_SHAKES;
    if (shaking >= s->config.limits.handshakes)
        return KL_SWARM_NONE;
    i32 at = new_link(s, false, NOBODY);
    if (at == KL_SWARM_NONE)
        return at;
    if (!begin(s, s->links[at])) {
        forget(s, (u32)at);
        return KL_SWARM_NONE;
    }
    settle(s, (u32)at);
    return at;
}

void kl_swarm_opened(struct kl_swarm *s, u32 at, KL_UNUSED const kl_multiaddr *remote, u64 now_ns)
{
    struct link *link = s->links[at];
    s->now_ns = now_ns;
    if (!link)
        return;
    KL_ASSERT(link->state == LINK_DIALLING);
    link->over = !begin(s, link);
    settle(s, at);
}

void kl_swarm_closed(struct kl_swarm *s, u32 at, u64 now_ns)
{
    s->now_ns = now_ns;
    if (s->links[at])
        forget(s, at);
}

void kl_swarm_feed(struct kl_swarm *s, u32 at, kl_span bytes, u64 now_ns)
{
    struct link *link = s->links[at];
    kl_rule broken = KL_RULE_NONE;
    s->now_ns = now_ns;
    if (!link || !link->conn)
        return;
    link->heard_ns = now_ns;
    link->pinged_ns = 0; /* whoever says anything is there */
    kl_status status = kl_conn_feed(link->conn, bytes, &broken);
    if (status != KL_OK || broken != KL_RULE_NONE) {
        link->over = true;
        link->why = link->why == KL_RULE_NONE ? broken : link->why;
    }
    settle(s, at);
}

void kl_swarm_pull(struct kl_swarm *s, u32 at, usize max, struct kl_buf *out, bool *more)
{
    struct link *link = s->links[at];
    *more = false;
    if (link && link->conn && !link->over && kl_conn_pull(link->conn, max, out, more) != KL_OK)
        link->over = true; /* ended with the next tick */
}

/* --- time --- */

static bool may_dial(const struct peer *peer)
{
    return peer->used && peer->link == NOBODY && !peer->dialling;
}

static void dial(struct kl_swarm *s, u32 number)
{
    struct peer *peer = &s->peers[number];
    i32 at = new_link(s, true, number);
    if (at == KL_SWARM_NONE) {
        pause_peer(s, peer);
        return;
    }
    peer->dialling = true;
    s->user->dial(s->user, (i32)number, (u32)at);
}

static u64 link_due_ns(const struct kl_swarm *s, const struct link *link)
{
    if (link->over)
        return 0;
    if (link->state != LINK_OPEN)
        return link->began_ns + s->config.limits.handshake_ns;
    if (link->pinged_ns)
        return link->pinged_ns + SILENCE_NS;
    return link->heard_ns + PING_NS;
}

static void tick_link(struct kl_swarm *s, u32 at)
{
    static u32 pings;
    struct link *link = s->links[at];
    if (link_due_ns(s, link) > s->now_ns)
        return;
    if (link->over || link->state != LINK_OPEN || link->pinged_ns) {
        end(s, at,
            link->over                 ? link->why
            : link->state != LINK_OPEN ? KL_RULE_SWARM_HANDSHAKE
                                       : KL_RULE_SWARM_SILENT);
        return;
    }
    link->pinged_ns = s->now_ns;
    kl_conn_ping(link->conn, ++pings);
    settle(s, at);
}

void kl_swarm_tick(struct kl_swarm *s, u64 now_ns)
{
    s->now_ns = now_ns;
    for (u32 i = 0; i < KL_SWARM_LINKS_MAX; i++)
        if (s->links[i])
            tick_link(s, i);
    for (u32 i = 0; i < KL_SWARM_PEERS_MAX; i++)
        if (may_dial(&s->peers[i]) && s->peers[i].dial_ns <= now_ns)
            dial(s, i);
}

u64 kl_swarm_due_ns(const struct kl_swarm *s)
{
    u64 due_ns = NEVER;
    for (u32 i = 0; i < KL_SWARM_LINKS_MAX; i++)
        if (s->links[i])
            due_ns = KL_MIN(due_ns, link_due_ns(s, s->links[i]));
    for (u32 i = 0; i < KL_SWARM_PEERS_MAX; i++)
        if (may_dial(&s->peers[i]))
            due_ns = KL_MIN(due_ns, s->peers[i].dial_ns);
    return due_ns;
}

/* --- sending --- */

bool kl_swarm_send(struct kl_swarm *s, u32 number, kl_swarm_class class, kl_span frame)
{
    u8 head[FRAME_HEAD];
    if (number >= KL_SWARM_PEERS_MAX || !s->peers[number].used || s->peers[number].link == NOBODY ||
        frame.len > s->config.frame_max[0])
        return false;
    u32 at = s->peers[number].link;
    struct link *link = s->links[at];
    u32 stream = link->out[class];
    if (link->over || !link->ready[class] ||
        kl_conn_queued(link->conn, stream) + FRAME_HEAD + frame.len > s->config.limits.queue_friend)
        return false;
    kl_store_be32(head, (u32)frame.len);
    if (kl_conn_write(link->conn, stream, KL_SPAN_OF(head)) != KL_OK ||
        kl_conn_write(link->conn, stream, frame) != KL_OK) {
        link->over = true; /* half a frame may be queued */
        return false;
    }
    s->user->writable(s->user, at);
    return true;
}

void kl_swarm_drop(struct kl_swarm *s, u32 number, kl_rule why, u64 now_ns)
{
    s->now_ns = now_ns;
    if (number >= KL_SWARM_PEERS_MAX || !s->peers[number].used || s->peers[number].link == NOBODY)
        return;
    s->peers[number].pause_ns = PAUSE_MAX;
    end(s, s->peers[number].link, why);
}

bool kl_swarm_link_peer(const struct kl_swarm *s, u32 at, kl_peer_id *id, i32 *peer)
{
    const struct link *link = s->links[at];
    if (!link || (!link->has_id && link->peer == NOBODY))
        return false;
    *id = link->has_id ? link->id : s->peers[link->peer].id;
    *peer = link->peer == NOBODY ? KL_SWARM_NONE : (i32)link->peer;
    return true;
}

bool kl_swarm_is_up(const struct kl_swarm *s, u32 peer)
{
    u32 at = peer < KL_SWARM_PEERS_MAX && s->peers[peer].used ? s->peers[peer].link : NOBODY;
    return at != NOBODY && s->links[at]->is_up;
}

u32 kl_swarm_up_count(const struct kl_swarm *s)
{
    u32 count = 0;
    for (u32 i = 0; i < KL_SWARM_PEERS_MAX; i++)
        count += kl_swarm_is_up(s, i);
    return count;
}

i32 kl_swarm_want(struct kl_swarm *s, const kl_peer_id *id, KL_UNUSED kl_swarm_standing standing,
                  KL_UNUSED u64 now_ns)
{
    u32 at = find_peer(s, id);
    if (kl_peer_id_eq(&s->self, id))
        return KL_SWARM_NONE;
    for (u32 i = 0; at == NOBODY && i < KL_SWARM_PEERS_MAX; i++)
        if (!s->peers[i].used) {
            at = i;
            s->peers[i] =
                (struct peer){.id = *id, .used = true, .link = NOBODY, .pause_ns = PAUSE_NS};
        }
    return at == NOBODY ? KL_SWARM_NONE : (i32)at;
}

const kl_peer_id *kl_swarm_id(const struct kl_swarm *s, u32 peer)
{
    return peer < KL_SWARM_PEERS_MAX && s->peers[peer].used ? &s->peers[peer].id : NULL;
}

i32 kl_swarm_find(const struct kl_swarm *s, const kl_peer_id *id)
{
    u32 at = find_peer(s, id);
    return at == NOBODY ? KL_SWARM_NONE : (i32)at;
}

/* --- life --- */

kl_swarm_limits kl_swarm_limits_usual(void)
{
    return (kl_swarm_limits){
        .inbound = 64,
        .per_ip = 2,
        .per_net = 8,
        .knocks = 10,
        .handshakes = 32,
        .handshake_ns = UINT64_C(10000000000),
        .spare_local = true,
        .queue_friend = 32 << 20,
        .queue_stranger = 1 << 20,
    };
}

kl_status kl_swarm_new(struct kl_swarm **out, const kl_swarm_config *config,
                       struct kl_swarm_user *user)
{
    static const char *const topics[KL_SWARM_CLASSES] = {"bft", "tx", "sync"};
    struct kl_swarm *s = calloc(1, sizeof *s);
    if (!s)
        return KL_NOMEM;
    s->config = *config;
    s->identity = *config->identity;
    s->self = kl_peer_id_of(&s->identity);
    s->user = user;
    for (usize i = 0; i < KL_SWARM_CLASSES; i++) {
        snprintf(s->names[i], sizeof s->names[i], "/keel/%s/%s/1", config->digest, topics[i]);
        s->name_spans[i] = kl_span_str(s->names[i]);
        s->protocols[i] = (kl_conn_protocol){s->name_spans[i], yamux_class[i]};
    }
    *out = s;
    return KL_OK;
}

void kl_swarm_free(struct kl_swarm *s)
{
    if (!s)
        return;
    for (u32 i = 0; i < KL_SWARM_LINKS_MAX; i++)
        if (s->links[i])
            free_link(s->links[i]);
    kl_wipe(s, sizeof *s);
    free(s);
}
