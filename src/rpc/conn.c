/* conn: the states of a connection.
 *
 *            ┌─────────────── next request ───────────────┐
 *            ▼                                            │
 *          HEAD ──► BODY or CHUNKS ──► CALLING ───────────┤
 *            ├──────── page, preflight ───────────────────┘
 *            ├──────── refusal ──────► LAST ──► LINGER ──► DEAD
 *            └──────── upgrade ──────► SOCKET ◄──► SOCKET_CALLING
 *                                        └─ Close, error ──► LAST
 *
 * Output goes first: nothing is read or called while some of it is unsent, so a client that does
 * not read is not served.
 *
 * LINGER reads and forgets what the client still sends: closing at once would make the kernel
 * answer that with a reset, which can destroy the answer before the client has read it [RFC 9112
 * section 9.6]. */
#include "rpc/conn_state_priv.h"

enum {
    CHUNKS_ROOM = 4096,     /* for what stands between pieces, beyond the body itself */
    PROGRESS_BYTES = 65536, /* a client reads this much in an idle timeout, or is dropped */
};

static const u64 linger_ns = 2000000000;

void kl_conn_init(struct kl_conn *conn, struct kl_conn_env *env, const kl_moment *now)
{
    *conn = (struct kl_conn){
        .env = env,
        .method = KL_HTTP_OTHER,
        .deadline_ns = kl_add_sat_u64(now->now_ns, env->limits.header_timeout_ns),
    };
}

void kl_conn_done(struct kl_conn *conn)
{
    kl_bytes_free(&conn->in, &conn->env->budget);
    kl_bytes_free(&conn->out, &conn->env->budget);
}

static void die(struct kl_conn *conn)
{
    conn->state = DEAD;
}

static bool has_output(const struct kl_conn *conn)
{
    return conn->out.at < conn->out.len;
}

/* Input not yet used up; .p is not NULL. */
static kl_span unread(const struct kl_conn *conn)
{
    static const u8 none;
    usize len = conn->in.len - conn->in.at;
    return kl_span_of(len ? conn->in.p + conn->in.at : &none, len);
}

/* Each of the following does what it can with the input there is; false when it needs more. */

static bool step_head(struct kl_conn *conn, const kl_moment *now)
{
    kl_span bytes = unread(conn);
    usize len = kl_http_head_len(bytes, &conn->seen);
    if (len > KL_HTTP_HEAD_MAX || (len == 0 && bytes.len >= KL_HTTP_HEAD_MAX)) {
        kl_conn_refuse_rule(conn, now, KL_RULE_HTTP_HEAD_SIZE);
        return true;
    }
    if (len == 0) {
        if (conn->ended)
            die(conn);
        if (bytes.len && !conn->started) {
            conn->started = true;
            kl_conn_due_in(conn, now, conn->env->limits.header_timeout_ns);
        }
        return conn->ended;
    }
    kl_http_request r;
    kl_rule rule = kl_http_parse(&r, kl_span_of(bytes.p, len));
    conn->started = true;
    conn->in.at += len;
    if (rule == KL_RULE_NONE)
        kl_conn_route(conn, now, &r);
    else
        kl_conn_refuse_rule(conn, now, rule);
    return true;
}

static void call_with(struct kl_conn *conn, kl_span body, kl_conn_state state)
{
    conn->body = body;
    conn->state = state;
    conn->deadline_ns = UINT64_MAX;
}

static bool step_body(struct kl_conn *conn)
{
    kl_span bytes = unread(conn);
    if (bytes.len < conn->body_left) {
        if (conn->ended)
            die(conn);
        return conn->ended;
    }
    call_with(conn, kl_span_of(bytes.p, (usize)conn->body_left), CALLING);
    return true;
}

static bool step_chunks(struct kl_conn *conn, const kl_moment *now)
{
    usize raw_at = conn->in.at + conn->chunks.body_len, used = 0, put_len = 0;
    if (raw_at < conn->in.len) {
        u8 *raw = conn->in.p + raw_at;
        kl_span bytes = kl_span_of(raw, conn->in.len - raw_at);
        kl_rule rule = kl_http_chunks(&conn->chunks, raw, bytes, conn->env->limits.body_bytes,
                                      &used, &put_len);
        if (rule != KL_RULE_NONE) {
            kl_conn_refuse_rule(conn, now, rule);
            return true;
        }
        memmove(raw + put_len, raw + used, bytes.len - used);
        conn->in.len -= used - put_len;
    }
    if (conn->chunks.done)
        call_with(conn, kl_span_of(conn->in.p + conn->in.at, conn->chunks.body_len), CALLING);
    else if (conn->ended)
        die(conn);
    return conn->chunks.done || conn->ended;
}

static void put_frame(struct kl_conn *conn, kl_ws_opcode opcode, kl_span payload)
{
    u8 head[KL_WS_HEAD_MAX];
    kl_conn_put(conn, kl_span_of(head, kl_ws_head(head, opcode, payload.len)));
    kl_conn_put(conn, payload);
}

static void end_socket(struct kl_conn *conn, unsigned code, const char *why)
{
    u8 payload[KL_WS_CONTROL_MAX];
    kl_span reason = kl_span_str(why);
    KL_ASSERT(reason.len <= sizeof payload - 2);
    kl_store_be16(payload, (u16)code);
    memcpy(payload + 2, reason.p, reason.len);
    put_frame(conn, KL_WS_CLOSE, kl_span_of(payload, 2 + reason.len));
    if (conn->state != DEAD)
        conn->state = LAST;
}

/* All that has come is looked at; is a message under way? */
static bool wait_for_frames(struct kl_conn *conn, const kl_moment *now)
{
    usize len = conn->in.len - conn->in.at;
    if (len)
        conn->in.len = conn->in.at + kl_ws_compact(&conn->ws, conn->in.p + conn->in.at, len);
    bool under_way = conn->in.len > conn->in.at || conn->ws.opcode;
    if (under_way != conn->started)
        kl_conn_due_in(conn, now,
                       under_way ? conn->env->limits.header_timeout_ns
                                 : conn->env->limits.idle_timeout_ns);
    conn->started = under_way;
    if (conn->ended)
        die(conn);
    return conn->ended;
}

static bool step_socket(struct kl_conn *conn, const kl_moment *now)
{
    if (conn->stopping) {
        end_socket(conn, KL_WS_GOING_AWAY, "the node is going down");
        return true;
    }
    usize len = conn->in.len - conn->in.at;
    kl_ws_event event = {.kind = KL_WS_WAIT};
    kl_rule rule = len ? kl_ws_next(&conn->ws, conn->in.p + conn->in.at, len,
                                    conn->env->limits.body_bytes, &event)
                       : KL_RULE_NONE;
    if (rule != KL_RULE_NONE) {
        end_socket(conn, kl_ws_code_of(rule), kl_rule_text(rule));
        return true;
    }
    switch (event.kind) {
    case KL_WS_WAIT:
        return wait_for_frames(conn, now);
    case KL_WS_MESSAGE:
        call_with(conn, event.bytes, SOCKET_CALLING);
        break;
    case KL_WS_PINGED:
        put_frame(conn, KL_WS_PONG, event.bytes);
        break;
    case KL_WS_PONGED:
        break;
    case KL_WS_CLOSED:
        end_socket(conn, event.code, "");
        break;
    }
    return true;
}

kl_conn_need kl_conn_step(struct kl_conn *conn, const kl_moment *now)
{
    for (bool more = true; more;) {
        if (conn->state != DEAD && has_output(conn))
            return KL_CONN_WRITE;
        switch ((kl_conn_state)conn->state) {
        case HEAD:
            more = step_head(conn, now);
            break;
        case BODY:
            more = step_body(conn);
            break;
        case CHUNKS:
            more = step_chunks(conn, now);
            break;
        case SOCKET:
            more = step_socket(conn, now);
            break;
        case CALLING:
        case SOCKET_CALLING:
            return KL_CONN_CALL;
        case LAST:
            conn->state = LINGER;
            kl_conn_due_in(conn, now, linger_ns);
            return KL_CONN_FINISH;
        case LINGER:
            conn->in.at = conn->in.len;
            if (!conn->ended)
                return KL_CONN_READ;
            die(conn);
            break;
        case DEAD:
            return KL_CONN_CLOSE;
        }
    }
    return KL_CONN_READ;
}

void kl_conn_answer(struct kl_conn *conn, struct kl_buf *buf, const kl_moment *now)
{
    KL_ASSERT(!buf->failed && buf->len >= KL_CONN_HEAD_ROOM && !has_output(conn));
    KL_ASSERT(conn->state == CALLING || conn->state == SOCKET_CALLING);
    u8 head[KL_ANSWER_MAX];
    usize head_len = 0, body_len = buf->len - KL_CONN_HEAD_ROOM;
    if (conn->state == SOCKET_CALLING) {
        head_len = body_len ? kl_ws_head(head, KL_WS_TEXT, body_len) : 0;
        conn->state = SOCKET;
        kl_conn_due_in(conn, now, conn->env->limits.idle_timeout_ns);
    } else {
        conn->keep_alive &= !conn->stopping;
        head_len = kl_answer_head(head, &(kl_answer){.status = 200,
                                                     .type = body_len ? "application/json" : NULL,
                                                     .body_len = body_len,
                                                     .date = now->date,
                                                     .close = !conn->keep_alive,
                                                     .keep_alive = conn->keep_alive && conn->old,
                                                     .cors = conn->env->cors});
        conn->in.at += conn->body.len;
        kl_conn_next_request(conn, now);
    }
    conn->body = KL_SPAN_NONE;
    usize at = KL_CONN_HEAD_ROOM - head_len;
    if (at == buf->len)
        return; /* what notifications over a WebSocket get */
    memcpy(buf->p + at, head, head_len);
    conn->out = (struct kl_conn_bytes){
        .p = buf->p, .at = at, .len = buf->len, .cap = buf->len, .lent = true};
    conn->out_from = buf;
    conn->answering = true;
}

void kl_conn_drop(struct kl_conn *conn)
{
    conn->body = KL_SPAN_NONE;
    die(conn);
}

bool kl_conn_has_input(const struct kl_conn *conn)
{
    return conn->in.at < conn->in.len;
}

bool kl_conn_is_socket(const struct kl_conn *conn)
{
    return conn->state == SOCKET || conn->state == SOCKET_CALLING;
}

bool kl_conn_hears(const struct kl_conn *conn)
{
    return conn->state == SOCKET && !(conn->answering && has_output(conn));
}

void kl_conn_push(struct kl_conn *conn, kl_span frames)
{
    KL_ASSERT(kl_conn_hears(conn));
    usize unread = conn->out.len - conn->out.at, most = conn->env->limits.socket_queue_bytes;
    if (unread > most || frames.len > most - unread ||
        !kl_bytes_append(&conn->out, frames, &conn->env->budget, false))
        die(conn);
}

void kl_conn_frame(struct kl_buf *buf, usize start)
{
    KL_ASSERT(!buf->failed && buf->len - start >= KL_WS_HEAD_MAX);
    u8 head[KL_WS_HEAD_MAX], *frame = buf->p + start;
    usize len = buf->len - start - KL_WS_HEAD_MAX;
    usize head_len = kl_ws_head(head, KL_WS_TEXT, len);
    memmove(frame + head_len, frame + KL_WS_HEAD_MAX, len);
    memcpy(frame, head, head_len);
    buf->len = start + head_len + len;
}

static usize input_limit(const struct kl_conn *conn)
{
    usize body_bytes = conn->env->limits.body_bytes;
    switch ((kl_conn_state)conn->state) {
    case BODY:
        return (usize)conn->body_left;
    case CHUNKS:
        return body_bytes + CHUNKS_ROOM;
    case SOCKET:
        return body_bytes + KL_WS_FRAME_HEAD_MAX + KL_WS_CONTROL_MAX;
    case HEAD:
    case LINGER:
    case LAST:
    case CALLING:
    case SOCKET_CALLING:
    case DEAD:
        break;
    }
    return KL_HTTP_HEAD_MAX;
}

/* What the client has sent cannot be kept: it goes, and the client is told. */
static void no_memory(struct kl_conn *conn, const kl_moment *now)
{
    kl_bytes_free(&conn->in, &conn->env->budget);
    if (conn->state == SOCKET)
        end_socket(conn, KL_WS_TRY_LATER, "too many slow clients at once");
    else if (conn->state == LAST || conn->state == LINGER)
        die(conn);
    else
        kl_conn_refuse(conn, now, 503, "too many slow clients at once", "Retry-After: 1\r\n");
}

u8 *kl_conn_room(struct kl_conn *conn, u8 *inbox, usize *len, const kl_moment *now)
{
    if (conn->in.at == conn->in.len) {
        kl_bytes_free(&conn->in, &conn->env->budget);
        conn->in = (struct kl_conn_bytes){.p = inbox, .cap = KL_CONN_INBOX, .lent = true};
        *len = KL_CONN_INBOX;
        return inbox;
    }
    u8 *room = kl_bytes_room(&conn->in, input_limit(conn), len, &conn->env->budget);
    if (!room)
        no_memory(conn, now);
    return room;
}

void kl_conn_got(struct kl_conn *conn, usize n, const kl_moment *now)
{
    KL_ASSERT(n <= conn->in.cap - conn->in.len);
    conn->in.len += n;
    conn->ended |= n == 0;
    conn->awaits_pong = false;
    if (conn->state == SOCKET && !conn->started)
        kl_conn_due_in(conn, now, conn->env->limits.idle_timeout_ns);
}

kl_span kl_conn_output(const struct kl_conn *conn)
{
    return kl_span_of(conn->out.p + conn->out.at, conn->out.len - conn->out.at);
}

void kl_conn_sent(struct kl_conn *conn, usize n, const kl_moment *now)
{
    KL_ASSERT(n <= conn->out.len - conn->out.at);
    conn->out.at += n;
    conn->sent += n;
    bool all = conn->out.at == conn->out.len;
    if (conn->blocked && (all || conn->sent >= PROGRESS_BYTES)) {
        kl_conn_due_in(conn, now, conn->env->limits.idle_timeout_ns);
        conn->sent = 0;
    }
    if (all) {
        kl_bytes_free(&conn->out, &conn->env->budget);
        conn->blocked = conn->answering = false;
    }
}

void kl_conn_blocked(struct kl_conn *conn, const kl_moment *now)
{
    if (conn->blocked)
        return;
    conn->blocked = true;
    conn->sent = 0;
    kl_conn_due_in(conn, now, conn->env->limits.idle_timeout_ns);
}

bool kl_conn_park(struct kl_conn *conn, const kl_moment *now)
{
    KL_ASSERT(conn->state != CALLING && conn->state != SOCKET_CALLING);
    struct kl_buf *from = conn->out.lent ? conn->out_from : NULL;
    conn->out_from = NULL;
    if (!kl_bytes_keep(&conn->out, from, &conn->env->budget)) {
        die(conn);
        conn->out = (struct kl_conn_bytes){0};
    } else if (!kl_bytes_keep(&conn->in, NULL, &conn->env->budget)) {
        no_memory(conn, now);
    } else {
        return true;
    }
    if (conn->in.lent)
        conn->in = (struct kl_conn_bytes){0};
    return false;
}

void kl_conn_late(struct kl_conn *conn, const kl_moment *now)
{
    if (has_output(conn)) {
        die(conn);
        return;
    }
    switch ((kl_conn_state)conn->state) {
    case HEAD:
        if (conn->started)
            kl_conn_refuse(conn, now, 408, "the request took too long to arrive", NULL);
        else
            die(conn);
        break;
    case BODY:
    case CHUNKS:
        kl_conn_refuse(conn, now, 408, "the request took too long to arrive", NULL);
        break;
    case SOCKET:
        if (conn->started) {
            end_socket(conn, KL_WS_POLICY, "the message took too long to arrive");
        } else if (conn->awaits_pong) {
            die(conn);
        } else {
            put_frame(conn, KL_WS_PING, KL_SPAN_NONE);
            conn->awaits_pong = true;
            kl_conn_due_in(conn, now, conn->env->limits.idle_timeout_ns);
        }
        break;
    case CALLING:
    case SOCKET_CALLING:
        break;
    case LAST:
    case LINGER:
    case DEAD:
        die(conn);
        break;
    }
}

void kl_conn_stop(struct kl_conn *conn)
{
    conn->stopping = true;
    conn->keep_alive = false;
    if (conn->state == HEAD && !conn->started && !has_output(conn))
        die(conn);
}
