/* conn, requests: pages, preflights, refusals and the upgrade to WebSocket are answered at once;
 * what remains is a POST whose body is JSON. */
#include <stdio.h>

#include "rpc/conn_state_priv.h"

void kl_conn_next_request(struct kl_conn *conn, const kl_moment *now)
{
    conn->state = conn->keep_alive ? HEAD : LAST;
    conn->method = KL_HTTP_OTHER;
    conn->started = false;
    conn->seen = 0;
    kl_conn_due_in(conn, now, conn->env->limits.idle_timeout_ns);
}

/* A whole answer with a text; text may be NULL. */
static void reply(struct kl_conn *conn, const kl_moment *now, kl_answer *answer, kl_span text)
{
    u8 head[KL_ANSWER_MAX];
    answer->type = text.p ? "text/plain; charset=utf-8" : NULL;
    answer->body_len = text.len;
    answer->date = now->date;
    answer->close = !conn->keep_alive && answer->status != 101;
    answer->keep_alive = conn->keep_alive && conn->old;
    answer->cors = conn->env->cors;
    kl_conn_put(conn, kl_span_of(head, kl_answer_head(head, answer)));
    if (conn->method != KL_HTTP_HEAD)
        kl_conn_put(conn, text);
    conn->answering = true;
    if (conn->state != DEAD)
        kl_conn_next_request(conn, now);
}

/* An answer that says what is wrong; the connection ends with it. */
void kl_conn_refuse(struct kl_conn *conn, const kl_moment *now, unsigned status, const char *why,
                    const char *fields)
{
    char text[256];
    int len = snprintf(text, sizeof text, "%u %s: %s\n", status, kl_http_reason(status), why);
    KL_ASSERT(len > 0 && (usize)len < sizeof text);
    conn->keep_alive = false;
    reply(conn, now, &(kl_answer){.status = status, .fields = fields},
          kl_span_of(text, (usize)len));
}

void kl_conn_refuse_rule(struct kl_conn *conn, const kl_moment *now, kl_rule rule)
{
    const char *fields =
        rule == KL_RULE_WS_VERSION ? "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" : NULL;
    kl_conn_refuse(conn, now, kl_http_status_of(rule), kl_rule_text(rule), fields);
}

static const char allow[] = "Allow: POST, GET, HEAD, OPTIONS\r\n";

/* GET, HEAD and OPTIONS, and methods that are none. */
static void answer_without_body(struct kl_conn *conn, const kl_moment *now,
                                const kl_http_request *r)
{
    bool page = r->method == KL_HTTP_GET || r->method == KL_HTTP_HEAD;
    if (r->method == KL_HTTP_OPTIONS)
        reply(conn, now,
              &(kl_answer){.status = 204,
                           .fields = allow,
                           .preflight = r->preflight,
                           .private_network = r->private_network},
              KL_SPAN_NONE);
    else if (!page)
        reply(conn, now, &(kl_answer){.status = 405, .fields = allow},
              KL_SPAN_TEXT("405 Method Not Allowed: JSON-RPC is spoken by POST\n"));
    else if (kl_span_eq(r->path, KL_SPAN_TEXT("/")))
        reply(conn, now, &(kl_answer){.status = 200}, conn->env->greeting);
    else
        reply(conn, now, &(kl_answer){.status = 404},
              KL_SPAN_TEXT("404 Not Found: there is only / here\n"));
}

static void upgrade(struct kl_conn *conn, const kl_moment *now, const kl_http_request *r)
{
    char fields[128], accept[KL_WS_ACCEPT_LEN];
    kl_rule rule = r->ws_version != 13 ? KL_RULE_WS_VERSION : kl_ws_accept(accept, r->ws_key);
    if (rule != KL_RULE_NONE) {
        kl_conn_refuse_rule(conn, now, rule);
        return;
    }
    int len =
        snprintf(fields, sizeof fields,
                 "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %.*s\r\n",
                 KL_WS_ACCEPT_LEN, accept);
    KL_ASSERT(len > 0 && (usize)len < sizeof fields);
    reply(conn, now, &(kl_answer){.status = 101, .fields = fields}, KL_SPAN_NONE);
    if (conn->state != DEAD)
        conn->state = SOCKET;
    conn->ws = (struct kl_ws){0};
}

void kl_conn_route(struct kl_conn *conn, const kl_moment *now, const kl_http_request *r)
{
    const kl_rpc_limits *limits = &conn->env->limits;
    bool has_body = r->chunked || r->length > 0;
    conn->method = r->method;
    conn->keep_alive = r->keep_alive && !conn->stopping;
    conn->old = r->old;
    if (!kl_origin_allowed(r->origin, r->host, conn->env->cors)) {
        kl_conn_refuse(conn, now, 403, "pages of this origin may not call this node", NULL);
    } else if (r->length > limits->body_bytes) {
        kl_conn_refuse_rule(conn, now, KL_RULE_HTTP_BODY_SIZE);
    } else if (r->method == KL_HTTP_OTHER && has_body) {
        kl_conn_refuse(conn, now, 405, "JSON-RPC is spoken by POST", allow);
    } else if (r->method != KL_HTTP_POST && has_body) {
        kl_conn_refuse(conn, now, 400, "only POST may have a body", NULL);
    } else if (r->method == KL_HTTP_GET && r->upgrade) {
        upgrade(conn, now, r);
    } else if (r->method != KL_HTTP_POST) {
        answer_without_body(conn, now, r);
    } else if (!r->chunked && !r->has_length) {
        kl_conn_refuse(conn, now, 411, "a POST needs Content-Length", NULL);
    } else {
        conn->state = r->chunked ? CHUNKS : BODY;
        conn->body_left = r->length;
        conn->chunks = (struct kl_http_chunks){0};
        kl_conn_due_in(conn, now, limits->header_timeout_ns);
        if (r->expects)
            kl_conn_put(conn, KL_SPAN_TEXT("HTTP/1.1 100 Continue\r\n\r\n"));
    }
}
