/* identify, asked of everybody and answered, its push, and ping's echo. */
#include "p2p/swarm_priv.h"

/* --- what we say of ourselves --- */

static void fill(const struct kl_swarm *s, const struct swarm_link *link, kl_identify *out)
{
    *out = (kl_identify){
        .has_key = true,
        .key = s->self,
        .has_observed = link->remote.host != KL_HOST_NONE,
        .observed = link->remote,
        .addr_count = s->addr_count,
        .protocol_count = s->protocol_count,
        .protocol_version = kl_span_str("keel/1"),
        .agent_version = kl_span_str(s->config.agent),
        .record = kl_span_of(s->record, s->record_len),
    };
    memcpy(out->addrs, s->addrs, sizeof s->addrs);
    memcpy(out->protocols, s->name_spans, sizeof s->name_spans);
}

static struct swarm_end *free_end(struct swarm_link *link)
{
    for (usize i = 0; i < SWARM_ENDS_MAX; i++)
        if (!link->ends[i].stream)
            return &link->ends[i];
    return NULL;
}

/* A little later, for what was just written (see identify.h). */
static void end_later(struct swarm_link *link, u32 stream)
{
    struct swarm_end *end = free_end(link);
    if (end)
        *end = (struct swarm_end){stream, link->swarm->now_ns + KL_IDENTIFY_END_NS};
    else
        kl_conn_end(link->conn, stream);
}

/* Writes it, and ends the stream a little later. */
void swarm_tell_of_us(struct swarm_link *link, u32 stream)
{
    u8 bytes[KL_IDENTIFY_MAX];
    struct swarm_end *end = free_end(link);
    kl_identify us;
    kl_out out = kl_out_of(bytes, sizeof bytes);
    fill(link->swarm, link, &us);
    kl_identify_put(&out, &us);
    if (!end || kl_conn_write(link->conn, stream, kl_span_of(bytes, out.len)) != KL_OK) {
        kl_conn_reset(link->conn, stream);
        return;
    }
    *end = (struct swarm_end){stream, link->swarm->now_ns + KL_IDENTIFY_END_NS};
    link->told = link->swarm->version;
}

static void push(struct swarm_link *link)
{
    struct kl_swarm *s = link->swarm;
    if (!link->takes_push || link->push_out || link->over)
        return;
    if (kl_conn_open_stream(link->conn, &s->name_spans[SWARM_P_PUSH], 1, KL_YAMUX_USUAL,
                            &link->push_out) != KL_OK)
        link->push_out = 0; /* it asks when it meets us again */
    else
        s->user->writable(s->user, link->at);
}

void kl_swarm_set_addrs(struct kl_swarm *s, const kl_multiaddr *addrs, usize addr_count,
                        kl_span record)
{
    KL_ASSERT(addr_count <= KL_IDENTIFY_ADDRS_MAX && record.len <= sizeof s->record);
    if (addr_count)
        memcpy(s->addrs, addrs, addr_count * sizeof *addrs);
    s->addr_count = addr_count;
    if (record.len)
        memcpy(s->record, record.p, record.len);
    s->record_len = record.len;
    s->version++;
    for (u32 i = 0; i < s->link_end; i++)
        if (s->links[i] && s->links[i]->is_met)
            push(s->links[i]);
}

/* --- what the peer says of itself --- */

void swarm_ask_identify(struct swarm_link *link)
{
    if (kl_conn_open_stream(link->conn, &link->swarm->name_spans[SWARM_P_IDENTIFY], 1,
                            KL_YAMUX_USUAL, &link->identify_out) != KL_OK)
        swarm_fail(link, KL_RULE_NONE);
}

static bool has_prefix(kl_span text, kl_span prefix)
{
    return text.len >= prefix.len && memcmp(text.p, prefix.p, prefix.len) == 0;
}

/* A node of another network speaks Keel's protocols, and none of ours. */
static bool is_elsewhere(const struct kl_swarm *s, const kl_identify *identify)
{
    kl_span keel = kl_span_str("/keel/");
    kl_span ours = kl_span_sub(s->name_spans[SWARM_P_HELLO], 0, keel.len + 8);
    bool any = false;
    for (usize i = 0; i < identify->protocol_count; i++) {
        if (has_prefix(identify->protocols[i], ours))
            return false;
        any |= has_prefix(identify->protocols[i], keel);
    }
    return any;
}

static void hear_identify(struct swarm_link *link, kl_span text)
{
    struct kl_swarm *s = link->swarm;
    kl_identify peer;
    kl_rule broken = kl_identify_get(&peer, text);
    if (broken == KL_RULE_NONE && is_elsewhere(s, &peer))
        broken = KL_RULE_SWARM_NETWORK;
    if (broken != KL_RULE_NONE) {
        swarm_fail(link, broken);
        return;
    }
    link->takes_push |= kl_identify_speaks(&peer, s->name_spans[SWARM_P_PUSH]);
    if (link->told != s->version) /* we have moved between its question and this */
        push(link);
    if (s->user->identified)
        s->user->identified(s->user, link->peer, &peer);
    for (usize i = SWARM_P_GOSSIP12; i < SWARM_PROTOCOLS; i++)
        if (kl_identify_speaks(&peer, s->name_spans[i])) {
            swarm_begin_gossip(link, (kl_gossip_version)(KL_GOSSIP_V12 - (i - SWARM_P_GOSSIP12)));
            return;
        }
}

/* --- streams --- */

/* What a peer says of itself is read, and may have a signature: not without end. */
static bool may_push(struct swarm_link *link)
{
    u64 now_ns = link->swarm->now_ns;
    if (link->push_since_ns + SWARM_PUSHES_NS <= now_ns) {
        link->push_since_ns = now_ns;
        link->pushes = 0;
    }
    return !link->push_in && ++link->pushes <= SWARM_PUSHES_MAX;
}

static void peers_push(struct swarm_link *link, u32 stream)
{
    if (!may_push(link)) {
        kl_conn_reset(link->conn, stream);
        return;
    }
    link->push_in = stream;
    kl_buf_clear(&link->push_text);
}

static void peers_ping(struct swarm_link *link, u32 stream)
{
    for (usize i = 0; i < SWARM_PINGS_MAX; i++)
        if (!link->pings[i].stream) {
            link->pings[i] = (struct swarm_ping){.stream = stream};
            return;
        }
    kl_conn_reset(link->conn, stream);
}

void swarm_service_stream(struct swarm_link *link, const kl_conn_event *e)
{
    if (e->ours && link->push_out == e->stream) {
        link->push_out = 0;
        swarm_tell_of_us(link, e->stream);
    } else if (!e->ours && e->protocol == SWARM_P_IDENTIFY) {
        swarm_tell_of_us(link, e->stream);
    } else if (!e->ours && e->protocol == SWARM_P_PUSH) {
        peers_push(link, e->stream);
    } else if (!e->ours && e->protocol == SWARM_P_PING) {
        peers_ping(link, e->stream);
    }
}

static void echo(struct swarm_link *link, struct swarm_ping *ping, kl_span data)
{
    struct kl_buf out;
    kl_buf_init(&out, data.len + KL_PING_LEN);
    kl_ping_echo_feed(&ping->echo, data, &out);
    swarm_nuisance(link, out.len / KL_PING_LEN * KL_NUISANCE_PING);
    if (out.failed || kl_conn_queued(link->conn, ping->stream) > KL_YAMUX_WINDOW ||
        kl_conn_write(link->conn, ping->stream, kl_buf_view(&out)) != KL_OK) {
        kl_conn_reset(link->conn, ping->stream);
        ping->stream = 0;
    }
    kl_buf_done(&out);
}

static void keep_text(struct swarm_link *link, struct kl_buf *text, kl_span data)
{
    kl_buf_span(text, data);
    if (text->failed)
        swarm_fail(link, KL_RULE_IDENTIFY_LONG);
}

void swarm_service_data(struct swarm_link *link, u32 stream, kl_span data)
{
    for (usize i = 0; i < SWARM_PINGS_MAX; i++)
        if (link->pings[i].stream == stream) {
            echo(link, &link->pings[i], data);
            return;
        }
    if (link->identify_out == stream)
        keep_text(link, &link->identify_text, data);
    else if (link->push_in == stream)
        keep_text(link, &link->push_text, data);
    else if (data.len) /* of a stream that only we write on */
        kl_conn_reset(link->conn, stream);
}

/* Takes a text over, so that its room is free whatever hearing it leads to. */
static void hear_text(struct swarm_link *link, u32 *stream, struct kl_buf *text, bool whole)
{
    struct kl_buf taken = *text;
    kl_buf_init(text, KL_IDENTIFY_MAX);
    kl_conn_end(link->conn, *stream);
    *stream = 0;
    if (whole && taken.len)
        hear_identify(link, kl_buf_view(&taken));
    kl_buf_done(&taken);
}

void swarm_service_gone(struct swarm_link *link, u32 stream, kl_conn_event_kind how)
{
    bool whole = how == KL_CONN_ENDED;
    for (usize i = 0; i < SWARM_PINGS_MAX; i++)
        if (link->pings[i].stream == stream) {
            link->pings[i].stream = 0;
            if (whole)
                end_later(link, stream);
        }
    for (usize i = 0; i < SWARM_ENDS_MAX; i++)
        if (link->ends[i].stream == stream && !whole)
            link->ends[i].stream = 0;
    if (link->push_out == stream)
        link->push_out = 0;
    if (link->identify_out == stream)
        hear_text(link, &link->identify_out, &link->identify_text, whole);
    else if (link->push_in == stream)
        hear_text(link, &link->push_in, &link->push_text, whole);
}

/* --- time --- */

u64 swarm_service_due_ns(const struct swarm_link *link)
{
    u64 due_ns = SWARM_NEVER;
    for (usize i = 0; i < SWARM_ENDS_MAX; i++)
        if (link->ends[i].stream)
            due_ns = KL_MIN(due_ns, link->ends[i].due_ns);
    return due_ns;
}

void swarm_service_tick(struct swarm_link *link)
{
    for (usize i = 0; i < SWARM_ENDS_MAX; i++) {
        struct swarm_end *end = &link->ends[i];
        if (!end->stream || end->due_ns > link->swarm->now_ns)
            continue;
        kl_conn_end(link->conn, end->stream);
        end->stream = 0;
    }
}
