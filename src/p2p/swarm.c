/* Places, links, and time.  A link is a connection or the attempt at one; a place has at most one
 * open link, and a friend's at most one dial under way.  Whatever goes wrong inside a connection's
 * call is only marked there (`over`): the link is ended when the call is over, or with the next
 * tick. */
#include "p2p/swarm.h"

#include <stdio.h>
#include <stdlib.h>

#include "p2p/swarm_priv.h"

#define PING_NS             SWARM_S
#define SILENCE_NS          (3 * SWARM_S)
#define SILENCE_STRANGER_NS (10 * SWARM_S)
#define SWEEP_NS            (5 * SWARM_S)
#define WATCH_NS            (5 * SWARM_S) /* between two looks at what waits */
#define STAYED_NS           (2 * SWARM_S) /* a connection that makes the next pause short again */

/* With nothing between: ten seconds and a little more; and thirty, for who opens a window of half a
 * mebibyte behind a line of 20 kB a second is slow, and not deaf. */
enum { DEAF_LOOKS = 2, STUCK_LOOKS = 6 };

u32 swarm_find(const struct kl_swarm *s, const kl_peer_id *id)
{
    for (u32 i = 0; i < KL_SWARM_PEERS_MAX; i++)
        if (s->peers[i].used && kl_peer_id_eq(&s->peers[i].id, id))
            return i;
    return SWARM_NOBODY;
}

bool swarm_is_friend(const struct swarm_link *link)
{
    return link->peer != SWARM_NOBODY &&
           link->swarm->peers[link->peer].standing != KL_SWARM_STRANGER;
}

/* --- the end of a link --- */

static void free_link(struct swarm_link *link)
{
    kl_conn_free(link->conn);
    kl_buf_done(&link->hello_in.frame);
    for (usize i = 0; i < KL_SWARM_CLASSES; i++)
        kl_buf_done(&link->in[i].frame);
    kl_buf_done(&link->identify_text);
    kl_buf_done(&link->push_text);
    kl_buf_done(&link->gossip_wait);
    kl_delimited_done(&link->gossip);
    free(link);
}

static u64 pause_max(const struct swarm_peer *peer)
{
    return peer->standing == KL_SWARM_VALIDATOR ? 2 * SWARM_S : 30 * SWARM_S;
}

/* A friend that is lost, or could not be reached, is dialled again after a pause. */
static void pause_peer(struct kl_swarm *s, struct swarm_peer *peer)
{
    peer->dial_ns = kl_add_sat_u64(s->now_ns, peer->pause_ns);
    peer->pause_ns = KL_MIN(2 * peer->pause_ns, pause_max(peer));
}

/* Takes a link out of its place; a stranger's place is free then. */
static void leave(struct kl_swarm *s, struct swarm_link *link)
{
    struct swarm_peer *peer = &s->peers[link->peer];
    if (link->dialled && link->state != SWARM_OPEN)
        peer->dialling = false;
    if (peer->link == link->at)
        peer->link = SWARM_NOBODY;
    if (peer->link != SWARM_NOBODY || peer->dialling)
        return;
    if (link->state == SWARM_OPEN && !link->offends && link->opened_ns + STAYED_NS <= s->now_ns)
        peer->pause_ns = SWARM_PAUSE_NS;
    if (peer->standing == KL_SWARM_STRANGER)
        peer->used = false;
    else
        pause_peer(s, peer);
}

static void tell_lost(struct kl_swarm *s, const struct swarm_link *link)
{
    if (link->gossips && s->user->silent)
        s->user->silent(s->user, link->peer);
    if (link->is_up)
        s->user->down(s->user, link->peer);
    if (link->is_met && s->user->lost)
        s->user->lost(s->user, link->peer);
}

static void forget(struct kl_swarm *s, u32 at)
{
    struct swarm_link *link = s->links[at];
    bool has_place = link->peer != SWARM_NOBODY;
    if (has_place)
        tell_lost(s, link);
    s->links[at] = NULL;
    if (has_place)
        leave(s, link);
    free_link(link);
}

/* Is this the peer's doing, so that it shall not be back at once?  What comes too late is not: who
 * stood still himself finds everybody late. */
static bool is_offence(kl_rule why)
{
    static const kl_rule fine[] = {
        KL_RULE_NONE,          KL_RULE_SWARM_SILENT,  KL_RULE_SWARM_HANDSHAKE,
        KL_RULE_SWARM_EVICTED, KL_RULE_SWARM_FULL,    KL_RULE_SWARM_CROWD,
        KL_RULE_SWARM_SELF,    KL_RULE_SWARM_SHUNNED, KL_RULE_SWARM_STRANGER,
        KL_RULE_SWARM_MEMORY,  KL_RULE_SWARM_HELLO,
    };
    for (usize i = 0; i < KL_COUNT_OF(fine); i++)
        if (why == fine[i])
            return false;
    return true;
}

void swarm_end(struct kl_swarm *s, u32 at, kl_rule why)
{
    struct swarm_link *link = s->links[at];
    link->offends = is_offence(why);
    if (link->offends && link->has_id && link->state == SWARM_OPEN) {
        if (swarm_is_friend(link))
            s->peers[link->peer].pause_ns = pause_max(&s->peers[link->peer]);
        else
            swarm_shun(s, &link->id);
    }
    s->user->close(s->user, at, why);
    forget(s, at);
}

void swarm_fail(struct swarm_link *link, kl_rule why)
{
    if (!link->over)
        link->why = why;
    link->over = true;
}

void swarm_refuse(struct swarm_link *link, kl_rule why)
{
    link->swarm->refused++;
    swarm_fail(link, why);
}

void swarm_nuisance(struct swarm_link *link, u64 units)
{
    struct kl_swarm *s = link->swarm;
    kl_nuisance *nuisance =
        link->peer == SWARM_NOBODY ? &link->nuisance : &s->peers[link->peer].nuisance;
    if (!kl_nuisance_add(nuisance, units, s->now_ns))
        swarm_fail(link, KL_RULE_SWARM_NUISANCE);
}

/* --- links --- */

static void init_buffers(struct swarm_link *link)
{
    const struct kl_swarm *s = link->swarm;
    for (usize c = 0; c < KL_SWARM_CLASSES; c++)
        kl_buf_init(&link->in[c].frame, s->config.frame_max[c] + SWARM_FRAME_HEAD);
    kl_buf_init(&link->hello_in.frame, KL_SWARM_HELLO_MAX + SWARM_FRAME_HEAD);
    kl_buf_init(&link->identify_text, KL_IDENTIFY_MAX);
    kl_buf_init(&link->push_text, KL_IDENTIFY_MAX);
    kl_buf_init(&link->gossip_wait, 2 * SWARM_GOSSIP_MAX + KL_GOSSIP_RPC_MAX);
    kl_delimited_init(&link->gossip, KL_GOSSIP_RPC_MAX);
}

static struct swarm_link *new_link(struct kl_swarm *s, bool dialled)
{
    for (u32 i = 0; i < KL_SWARM_LINKS_MAX; i++) {
        if (s->links[i])
            continue;
        struct swarm_link *link = calloc(1, sizeof *link);
        if (!link)
            return NULL;
        link->user = (struct kl_conn_user){.event = swarm_on_conn};
        link->swarm = s;
        link->at = i;
        link->state = SWARM_DIALLING;
        link->dialled = dialled;
        link->peer = SWARM_NOBODY;
        link->began_ns = link->heard_ns = s->now_ns;
        init_buffers(link);
        s->links[i] = link;
        s->link_end = KL_MAX(s->link_end, i + 1);
        return link;
    }
    return NULL;
}

/* Begins the handshake; false: no memory. */
static bool begin(struct swarm_link *link)
{
    struct kl_swarm *s = link->swarm;
    usize frame_max = SWARM_GOSSIP_MAX + KL_GOSSIP_RPC_MAX;
    for (usize i = 0; i < KL_SWARM_CLASSES; i++)
        frame_max = KL_MAX(frame_max, s->config.frame_max[i]);
    kl_conn_config config = {
        .dials = link->dialled,
        .identity = &s->identity,
        .expected = link->has_id ? &link->id : NULL,
        .protocols = s->protocols,
        .protocol_count = s->protocol_count,
        .peer_streams_max = KL_SWARM_STREAMS_MAX,
        .streams_max = 2 * KL_SWARM_STREAMS_MAX,
        .early_max = KL_SWARM_EARLY_MAX,
        .window = 4 * KL_YAMUX_WINDOW,
        .queue_max = KL_MAX(s->config.limits.queue_friend, SWARM_GOSSIP_MAX) + frame_max + 1024,
    };
    kl_entropy_fill(s->config.entropy, config.static_key.b, sizeof config.static_key.b);
    kl_entropy_fill(s->config.entropy, config.ephemeral.b, sizeof config.ephemeral.b);
    bool good = kl_conn_new(&link->conn, &config, &link->user) == KL_OK;
    kl_secret32_wipe(&config.static_key);
    kl_secret32_wipe(&config.ephemeral);
    link->state = SWARM_SHAKES;
    link->began_ns = link->heard_ns = s->now_ns;
    return good;
}

static void settle(struct kl_swarm *s, u32 at)
{
    struct swarm_link *link = s->links[at];
    if (!link)
        return;
    if (link->over)
        swarm_end(s, at, link->why);
    else if (link->conn && kl_conn_wants_out(link->conn))
        s->user->writable(s->user, at);
}

static kl_rule may_accept(struct kl_swarm *s, const kl_multiaddr *remote)
{
    u32 shaking = 0;
    for (u32 i = 0; i < s->link_end; i++)
        shaking += s->links[i] && !s->links[i]->dialled && s->links[i]->state != SWARM_OPEN;
    return shaking >= s->config.limits.handshakes ? KL_RULE_SWARM_FULL : swarm_knock(s, remote);
}

i32 kl_swarm_accepted(struct kl_swarm *s, const kl_multiaddr *remote, u64 now_ns, kl_rule *why)
{
    s->now_ns = now_ns;
    *why = may_accept(s, remote);
    struct swarm_link *link = *why == KL_RULE_NONE ? new_link(s, false) : NULL;
    if (!link) {
        s->refused++;
        *why = *why == KL_RULE_NONE ? KL_RULE_SWARM_FULL : *why;
        return KL_SWARM_NONE;
    }
    u32 at = link->at;
    link->remote = *remote;
    if (!begin(link)) {
        forget(s, at);
        *why = KL_RULE_SWARM_FULL;
        return KL_SWARM_NONE;
    }
    settle(s, at);
    return (i32)at;
}

void kl_swarm_opened(struct kl_swarm *s, u32 at, const kl_multiaddr *remote, u64 now_ns)
{
    struct swarm_link *link = s->links[at];
    s->now_ns = now_ns;
    if (!link)
        return;
    KL_ASSERT(link->state == SWARM_DIALLING);
    link->remote = *remote;
    if (!begin(link))
        swarm_fail(link, KL_RULE_NONE);
    settle(s, at);
}

void kl_swarm_closed(struct kl_swarm *s, u32 at, u64 now_ns)
{
    s->now_ns = now_ns;
    if (s->links[at])
        forget(s, at);
}

/* What yamux has counted since. */
static void count_nuisance(struct swarm_link *link)
{
    const kl_yamux_ado ado = kl_conn_ado(link->conn), *before = &link->counted;
    u64 units = (ado.light - before->light) * KL_NUISANCE_FRAME +
                (ado.opened - before->opened) * KL_NUISANCE_STREAM +
                ado.lost / KL_NUISANCE_LOST_BYTES - before->lost / KL_NUISANCE_LOST_BYTES;
    link->counted = ado;
    if (units)
        swarm_nuisance(link, units);
}

void kl_swarm_feed(struct kl_swarm *s, u32 at, kl_span bytes, u64 now_ns)
{
    struct swarm_link *link = s->links[at];
    kl_rule broken = KL_RULE_NONE;
    s->now_ns = now_ns;
    if (!link || !link->conn || link->over)
        return;
    link->heard_ns = now_ns;
    link->pinged_ns = 0; /* whoever says anything is there */
    s->bytes_in += bytes.len;
    s->inside++;
    kl_status status = kl_conn_feed(link->conn, bytes, &broken);
    s->inside--;
    if (status != KL_OK || broken != KL_RULE_NONE)
        swarm_fail(link, broken);
    count_nuisance(link);
    settle(s, at);
}

void kl_swarm_pull(struct kl_swarm *s, u32 at, usize max, struct kl_buf *out, bool *more)
{
    struct swarm_link *link = s->links[at];
    *more = false;
    if (!link || !link->conn || link->over)
        return;
    link->pulled = true;
    if (kl_conn_pull(link->conn, max, out, more) != KL_OK)
        swarm_fail(link, KL_RULE_NONE); /* ended with the next tick */
}

/* --- whom it is connected with --- */

static u32 free_place(struct kl_swarm *s)
{
    for (u32 i = 0; i < KL_SWARM_PEERS_MAX; i++)
        if (!s->peers[i].used)
            return i;
    return SWARM_NOBODY;
}

u32 swarm_place_for(struct kl_swarm *s, const kl_peer_id *id)
{
    u32 at = free_place(s);
    u32 least = at == SWARM_NOBODY ? swarm_least(s, false) : SWARM_NOBODY;
    if (least != SWARM_NOBODY) {
        swarm_end(s, least, KL_RULE_SWARM_EVICTED);
        at = free_place(s);
    }
    if (at == SWARM_NOBODY)
        return at;
    s->peers[at] = (struct swarm_peer){
        .id = *id, .used = true, .link = SWARM_NOBODY, .pause_ns = SWARM_PAUSE_NS};
    return at;
}

i32 kl_swarm_want(struct kl_swarm *s, const kl_peer_id *id, kl_swarm_standing standing, u64 now_ns)
{
    KL_ASSERT(standing != KL_SWARM_STRANGER && s->inside == 0);
    s->now_ns = now_ns;
    if (kl_peer_id_eq(&s->self, id))
        return KL_SWARM_NONE;
    u32 at = swarm_find(s, id);
    if (at == SWARM_NOBODY)
        at = swarm_place_for(s, id);
    if (at == SWARM_NOBODY)
        return KL_SWARM_NONE;
    struct swarm_peer *peer = &s->peers[at];
    peer->standing = standing;
    peer->pause_ns = KL_MIN(peer->pause_ns, pause_max(peer));
    peer->dial_ns = KL_MIN(peer->dial_ns, kl_add_sat_u64(now_ns, pause_max(peer)));
    return (i32)at;
}

/* Ends what is under way to somebody who is not wanted any more. */
static void end_dials(struct kl_swarm *s, u32 place)
{
    for (u32 i = 0; i < s->link_end; i++)
        if (s->links[i] && s->links[i]->peer == place && s->links[i]->state != SWARM_OPEN)
            swarm_end(s, i, KL_RULE_NONE);
}

void kl_swarm_unwant(struct kl_swarm *s, const kl_peer_id *id, u64 now_ns)
{
    KL_ASSERT(s->inside == 0);
    s->now_ns = now_ns;
    u32 at = swarm_find(s, id);
    if (at == SWARM_NOBODY)
        return;
    s->peers[at].standing = KL_SWARM_STRANGER;
    end_dials(s, at);
    u32 link = s->peers[at].link;
    if (!s->peers[at].used)
        return;
    if (link == SWARM_NOBODY)
        s->peers[at].used = false;
    else if (!s->config.open)
        swarm_end(s, link, KL_RULE_SWARM_STRANGER);
}

/* A dial to id is under way. */
static bool is_dialled(const struct kl_swarm *s, const kl_peer_id *id)
{
    for (u32 i = 0; i < s->link_end; i++)
        if (s->links[i] && s->links[i]->dialled && s->links[i]->state != SWARM_OPEN &&
            s->links[i]->has_id && kl_peer_id_eq(&s->links[i]->id, id))
            return true;
    return false;
}

i32 kl_swarm_dial(struct kl_swarm *s, const kl_peer_id *id, u64 now_ns)
{
    KL_ASSERT(s->inside == 0);
    s->now_ns = now_ns;
    if (id &&
        (kl_peer_id_eq(&s->self, id) || swarm_find(s, id) != SWARM_NOBODY || is_dialled(s, id)))
        return KL_SWARM_NONE;
    struct swarm_link *link = new_link(s, true);
    if (!link)
        return KL_SWARM_NONE;
    u32 at = link->at;
    if (id) {
        link->id = *id;
        link->has_id = true;
    }
    s->user->dial(s->user, KL_SWARM_NONE, at);
    return s->links[at] ? (i32)at : KL_SWARM_NONE;
}

/* --- time --- */

static bool may_dial(const struct swarm_peer *peer)
{
    return peer->used && peer->standing != KL_SWARM_STRANGER && peer->link == SWARM_NOBODY &&
           !peer->dialling;
}

static void dial_friend(struct kl_swarm *s, u32 place)
{
    struct swarm_peer *peer = &s->peers[place];
    struct swarm_link *link = new_link(s, true);
    if (!link) {
        pause_peer(s, peer);
        return;
    }
    peer->dialling = true;
    link->peer = place;
    link->id = peer->id;
    link->has_id = true;
    s->user->dial(s->user, (i32)place, link->at);
}

static u64 silence_ns(const struct swarm_link *link)
{
    return swarm_is_friend(link) ? SILENCE_NS : SILENCE_STRANGER_NS;
}

/* A peer that speaks Keel's hello says it in time. */
static bool owes_hello(const struct swarm_link *link)
{
    return link->hello_agreed && !link->hello_heard;
}

static u64 alive_due_ns(const struct swarm_link *link)
{
    return link->pinged_ns ? link->pinged_ns + silence_ns(link) : link->heard_ns + PING_NS;
}

/* Whether it has taken nothing of what waits for it at so many looks: of the connection, or of a
 * stream of it. */
static bool is_deaf(struct swarm_link *link)
{
    link->unread = kl_conn_wants_out(link->conn) && !link->pulled ? link->unread + 1 : 0;
    link->pulled = false;
    return link->unread >= DEAF_LOOKS || kl_conn_stuck(link->conn) > STUCK_LOOKS;
}

static u64 link_due_ns(const struct kl_swarm *s, const struct swarm_link *link)
{
    if (link->over)
        return 0;
    if (link->state != SWARM_OPEN)
        return link->began_ns + s->config.limits.handshake_ns;
    u64 due_ns = KL_MIN(alive_due_ns(link), swarm_service_due_ns(link));
    due_ns = KL_MIN(due_ns, link->watched_ns + WATCH_NS);
    if (owes_hello(link))
        due_ns = KL_MIN(due_ns, link->opened_ns + s->config.limits.handshake_ns);
    if (kl_conn_agreeing(link->conn))
        due_ns = KL_MIN(due_ns, link->swept_ns + SWEEP_NS);
    return due_ns;
}

static void tick_alive(struct swarm_link *link)
{
    struct kl_swarm *s = link->swarm;
    if (alive_due_ns(link) > s->now_ns)
        return;
    if (link->pinged_ns) {
        swarm_fail(link, KL_RULE_SWARM_SILENT);
        return;
    }
    link->pinged_ns = s->now_ns;
    kl_conn_ping(link->conn, ++s->next_ping);
}

static void tick_open(struct swarm_link *link)
{
    struct kl_swarm *s = link->swarm;
    s->inside++;
    tick_alive(link);
    swarm_service_tick(link);
    if (link->watched_ns + WATCH_NS <= s->now_ns) {
        link->watched_ns = s->now_ns;
        if (is_deaf(link))
            swarm_fail(link, KL_RULE_SWARM_DEAF);
    }
    if (owes_hello(link) && link->opened_ns + s->config.limits.handshake_ns <= s->now_ns)
        swarm_fail(link, KL_RULE_SWARM_HELLO);
    if (kl_conn_agreeing(link->conn) && link->swept_ns + SWEEP_NS <= s->now_ns) {
        link->swept_ns = s->now_ns;
        kl_conn_sweep(link->conn);
    }
    s->inside--;
}

static void tick_link(struct kl_swarm *s, u32 at)
{
    struct swarm_link *link = s->links[at];
    if (link_due_ns(s, link) > s->now_ns)
        return;
    if (!link->over && link->state == SWARM_GUEST)
        swarm_refuse(link, KL_RULE_SWARM_STRANGER);
    else if (!link->over && link->state != SWARM_OPEN)
        swarm_fail(link, KL_RULE_SWARM_HANDSHAKE);
    else if (!link->over)
        tick_open(link);
    settle(s, at);
}

void kl_swarm_tick(struct kl_swarm *s, u64 now_ns)
{
    s->now_ns = now_ns;
    for (u32 i = 0; i < s->link_end; i++)
        if (s->links[i])
            tick_link(s, i);
    for (u32 i = 0; i < KL_SWARM_PEERS_MAX; i++)
        if (may_dial(&s->peers[i]) && s->peers[i].dial_ns <= now_ns)
            dial_friend(s, i);
}

u64 kl_swarm_due_ns(const struct kl_swarm *s)
{
    u64 due_ns = SWARM_NEVER;
    for (u32 i = 0; i < s->link_end; i++)
        if (s->links[i])
            due_ns = KL_MIN(due_ns, link_due_ns(s, s->links[i]));
    for (u32 i = 0; i < KL_SWARM_PEERS_MAX; i++)
        if (may_dial(&s->peers[i]))
            due_ns = KL_MIN(due_ns, s->peers[i].dial_ns);
    return due_ns;
}

/* --- what is known of peers --- */

void kl_swarm_drop(struct kl_swarm *s, u32 place, kl_rule why, u64 now_ns)
{
    s->now_ns = now_ns;
    i32 at = kl_swarm_link(s, place);
    if (at == KL_SWARM_NONE)
        return;
    if (s->inside)
        swarm_fail(s->links[at], why);
    else
        swarm_end(s, (u32)at, why);
}

void kl_swarm_nuisance(struct kl_swarm *s, u32 place, u64 units, u64 now_ns)
{
    s->now_ns = now_ns;
    i32 at = kl_swarm_link(s, place);
    if (at == KL_SWARM_NONE)
        return;
    swarm_nuisance(s->links[at], units);
}

void kl_swarm_leave(struct kl_swarm *s)
{
    KL_ASSERT(s->inside == 0);
    for (u32 i = 0; i < s->link_end; i++) {
        struct swarm_link *link = s->links[i];
        if (!link || link->over || link->state != SWARM_OPEN)
            continue;
        kl_conn_go_away(link->conn, 0);
        s->user->writable(s->user, i);
    }
}

const kl_peer_id *kl_swarm_id(const struct kl_swarm *s, u32 place)
{
    return place < KL_SWARM_PEERS_MAX && s->peers[place].used ? &s->peers[place].id : NULL;
}

i32 kl_swarm_find(const struct kl_swarm *s, const kl_peer_id *id)
{
    u32 at = swarm_find(s, id);
    return at == SWARM_NOBODY ? KL_SWARM_NONE : (i32)at;
}

i32 kl_swarm_link(const struct kl_swarm *s, u32 place)
{
    u32 at = kl_swarm_id(s, place) ? s->peers[place].link : SWARM_NOBODY;
    return at == SWARM_NOBODY ? KL_SWARM_NONE : (i32)at;
}

bool kl_swarm_link_peer(const struct kl_swarm *s, u32 at, kl_peer_id *id, i32 *place)
{
    const struct swarm_link *link = s->links[at];
    if (!link || !link->has_id)
        return false;
    *id = link->id;
    *place = link->peer == SWARM_NOBODY ? KL_SWARM_NONE : (i32)link->peer;
    return true;
}

bool kl_swarm_link_is_outbound(const struct kl_swarm *s, u32 at)
{
    return s->links[at] && s->links[at]->dialled;
}

bool kl_swarm_link_is_open(const struct kl_swarm *s, u32 at)
{
    return s->links[at] && s->links[at]->is_met;
}

const kl_multiaddr *kl_swarm_link_remote(const struct kl_swarm *s, u32 at)
{
    const struct swarm_link *link = s->links[at];
    return link && link->state != SWARM_DIALLING ? &link->remote : NULL;
}

kl_swarm_standing kl_swarm_standing_of(const struct kl_swarm *s, u32 place)
{
    return kl_swarm_id(s, place) ? s->peers[place].standing : KL_SWARM_STRANGER;
}

kl_swarm_counts kl_swarm_counts_of(const struct kl_swarm *s)
{
    kl_swarm_counts c = {.refused = s->refused, .bytes_in = s->bytes_in, .sated = s->sated};
    for (u32 i = 0; i < s->link_end; i++) {
        const struct swarm_link *link = s->links[i];
        if (!link)
            continue;
        c.met += link->is_met;
        c.up += link->is_up;
        c.gossiping += link->gossips;
        c.inbound += link->is_met && !link->dialled;
        c.outbound += link->is_met && link->dialled;
    }
    return c;
}

/* --- life --- */

kl_swarm_limits kl_swarm_limits_usual(void)
{
    return (kl_swarm_limits){
        .inbound = 64,
        .per_ip = 2,
        .per_net = 8,
        .knocks = 10,
        .knocks_site = 600,
        .handshakes = 32,
        .handshake_ns = 10 * SWARM_S,
        .queue_friend = 8 << 20,
        .queue_stranger = 1 << 20,
        .held = 128 << 20,
    };
}

static void name_protocols(struct kl_swarm *s)
{
    static const struct {
        const char *name;
        bool keels;
        kl_yamux_class class;
    } table[SWARM_PROTOCOLS] = {
        [SWARM_P_BFT] = {"bft", true, KL_YAMUX_FIRST},
        [SWARM_P_PROPOSAL] = {"proposal", true, KL_YAMUX_FIRST},
        [SWARM_P_TX] = {"tx", true, KL_YAMUX_USUAL},
        [SWARM_P_SYNC] = {"sync", true, KL_YAMUX_BULK},
        [SWARM_P_HELLO] = {"hello", true, KL_YAMUX_FIRST},
        [SWARM_P_IDENTIFY] = {KL_IDENTIFY_NAME, false, KL_YAMUX_USUAL},
        [SWARM_P_PUSH] = {KL_IDENTIFY_PUSH_NAME, false, KL_YAMUX_USUAL},
        [SWARM_P_PING] = {KL_PING_NAME, false, KL_YAMUX_USUAL},
        [SWARM_P_GOSSIP12] = {KL_GOSSIP_NAME_V12, false, KL_YAMUX_USUAL},
        [SWARM_P_GOSSIP11] = {KL_GOSSIP_NAME_V11, false, KL_YAMUX_USUAL},
        [SWARM_P_GOSSIP10] = {KL_GOSSIP_NAME_V10, false, KL_YAMUX_USUAL},
    };
    for (usize i = 0; i < SWARM_PROTOCOLS; i++) {
        if (table[i].keels)
            snprintf(s->names[i], sizeof s->names[i], "/keel/%s/%s/1", s->config.digest,
                     table[i].name);
        else
            snprintf(s->names[i], sizeof s->names[i], "%s", table[i].name);
        s->name_spans[i] = kl_span_str(s->names[i]);
        s->protocols[i] = (kl_conn_protocol){s->name_spans[i], table[i].class};
    }
}

kl_status kl_swarm_new(struct kl_swarm **out, const kl_swarm_config *config,
                       struct kl_swarm_user *user)
{
    struct kl_swarm *s = calloc(1, sizeof *s);
    if (!s)
        return KL_NOMEM;
    s->config = *config;
    s->identity = *config->identity;
    s->config.identity = &s->identity;
    s->self = kl_peer_id_of(&s->identity);
    s->user = user;
    s->protocol_count = user->gossips ? SWARM_PROTOCOLS : SWARM_P_GOSSIP12;
    name_protocols(s);
    *out = s;
    return KL_OK;
}

void kl_swarm_free(struct kl_swarm *s)
{
    if (!s)
        return;
    for (u32 i = 0; i < s->link_end; i++)
        if (s->links[i])
            free_link(s->links[i]);
    kl_wipe(s, sizeof *s);
    free(s);
}
