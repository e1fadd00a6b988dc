#include "cli/bench_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "rpc/http.h"
#include "sys/tcp.h"

#define IN_CAP_FIRST ((usize)16 << 10)
#define IN_CAP_MAX   ((usize)1 << 30)

bool kl_bench_url_parse(kl_bench_url *out, const char *text)
{
    static const char scheme[] = "http://";
    if (strncmp(text, scheme, sizeof scheme - 1) != 0)
        return false;
    text += sizeof scheme - 1;
    bool six = *text == '[';
    text += six;
    usize len = strcspn(text, six ? "]" : ":/");
    if (len == 0 || len >= sizeof out->host)
        return false;
    kl_bench_url url = {.port = 80};
    memcpy(url.host, text, len);
    if (strcmp(url.host, "localhost") == 0)
        snprintf(url.host, sizeof url.host, "127.0.0.1");
    text += len + (six && text[len] == ']');
    if (*text == ':') {
        char *end;
        unsigned long port = strtoul(text + 1, &end, 10);
        if (end == text + 1 || port == 0 || port > 65535)
            return false;
        url.port = (u16)port;
        text = end;
    }
    if (*text == '/')
        text++;
    if (*text)
        return false;
    *out = url;
    return true;
}

void kl_bench_request(struct kl_buf *out, const kl_bench_url *url, kl_span body)
{
    char head[256];
    bool six = strchr(url->host, ':') != NULL;
    int len = snprintf(head, sizeof head,
                       "POST / HTTP/1.1\r\nHost: %s%s%s:%u\r\nContent-Type: application/json\r\n"
                       "Content-Length: %zu\r\n\r\n",
                       six ? "[" : "", url->host, six ? "]" : "", url->port, body.len);
    KL_ASSERT(len > 0 && (usize)len < sizeof head);
    kl_buf_bytes(out, head, (usize)len);
    kl_buf_span(out, body);
}

/* The value of the field that line is, when it has that name. */
static bool field(kl_span line, const char *name, kl_span *value)
{
    usize len = strlen(name);
    if (line.len <= len || line.p[len] != ':' || strncasecmp((const char *)line.p, name, len) != 0)
        return false;
    kl_span v = kl_span_sub(line, len + 1, SIZE_MAX);
    while (v.len && (*v.p == ' ' || *v.p == '\t'))
        v = kl_span_sub(v, 1, SIZE_MAX);
    *value = v;
    return true;
}

/* What a head says of the body. */
struct body_kind {
    bool chunked, has_length;
    usize length;
};

static bool read_head(kl_span head, unsigned *http_status, struct body_kind *out)
{
    *out = (struct body_kind){0};
    if (head.len < 12 || memcmp(head.p, "HTTP/1.", 7) != 0)
        return false;
    unsigned status = 0;
    for (usize i = 9; i < 12; i++) {
        if (head.p[i] < '0' || head.p[i] > '9')
            return false;
        status = status * 10 + (head.p[i] - '0');
    }
    *http_status = status;
    while (head.len) {
        const u8 *end = memchr(head.p, '\n', head.len);
        usize len = end ? (usize)(end - head.p) : head.len;
        kl_span line = kl_span_sub(head, 0, len), value;
        if (line.len && line.p[line.len - 1] == '\r')
            line.len--;
        if (field(line, "content-length", &value)) {
            out->has_length = true;
            for (usize i = 0; i < value.len; i++) {
                if (value.p[i] < '0' || value.p[i] > '9' || out->length > IN_CAP_MAX)
                    return false;
                out->length = out->length * 10 + (usize)(value.p[i] - '0');
            }
        }
        if (field(line, "transfer-encoding", &value))
            out->chunked = value.len == 7 && strncasecmp((const char *)value.p, "chunked", 7) == 0;
        head = kl_span_sub(head, len + 1, SIZE_MAX);
    }
    return out->chunked || out->has_length || *http_status == 204;
}

/* Whole only when its last chunk is there: an answer is looked at anew whenever more has come, so
 * nothing may be moved before. */
static kl_http_reading read_chunks(u8 *at, usize count, kl_span *body, usize *used)
{
    struct kl_http_chunks probe = {0};
    u8 *scratch = malloc(count + 1);
    usize put = 0;
    if (!scratch)
        return KL_HTTP_WRONG;
    kl_rule broken = kl_http_chunks(&probe, scratch, kl_span_of(at, count), IN_CAP_MAX, used, &put);
    if (broken == KL_RULE_NONE && probe.done) {
        memcpy(at, scratch, put);
        *body = kl_span_of(at, put);
    }
    free(scratch);
    return broken != KL_RULE_NONE ? KL_HTTP_WRONG : probe.done ? KL_HTTP_WHOLE : KL_HTTP_PART;
}

kl_http_reading kl_bench_answer(u8 *bytes, usize count, unsigned *http_status, kl_span *body,
                                usize *len)
{
    u8 *end = memmem(bytes, count, "\r\n\r\n", 4);
    struct body_kind kind;
    if (!end)
        return count > KL_HTTP_HEAD_MAX ? KL_HTTP_WRONG : KL_HTTP_PART;
    usize head_len = (usize)(end - bytes) + 4, used;
    if (!read_head(kl_span_of(bytes, head_len), http_status, &kind))
        return KL_HTTP_WRONG;
    if (kind.chunked) {
        kl_http_reading got = read_chunks(bytes + head_len, count - head_len, body, &used);
        *len = head_len + used;
        return got;
    }
    if (count - head_len < kind.length)
        return KL_HTTP_PART;
    *body = kl_span_of(bytes + head_len, kind.length);
    *len = head_len + kind.length;
    return KL_HTTP_WHOLE;
}

static void fail(struct kl_bench_conn *conn, kl_status status)
{
    conn->status = status;
    conn->waiting = false;
    kl_loop_remove(conn->loop, &conn->watch);
    kl_tcp_close(conn->fd);
    conn->fd = -1;
    conn->answered(conn, KL_SPAN_NONE);
}

static void send_rest(struct kl_bench_conn *conn)
{
    while (conn->left.len) {
        usize put;
        kl_status status = kl_tcp_write(conn->fd, conn->left, &put);
        if (status == KL_AGAIN) {
            if (!conn->blocked)
                kl_loop_change(conn->loop, &conn->watch, KL_READY_READ | KL_READY_WRITE);
            conn->blocked = true;
            return;
        }
        if (status != KL_OK) {
            fail(conn, status);
            return;
        }
        conn->left = kl_span_sub(conn->left, put, SIZE_MAX);
    }
    if (conn->blocked)
        kl_loop_change(conn->loop, &conn->watch, KL_READY_READ);
    conn->blocked = false;
}

/* Room for at least one more byte. */
static bool make_room(struct kl_bench_conn *conn)
{
    if (conn->in_len < conn->in_cap)
        return true;
    usize cap = conn->in_cap ? 2 * conn->in_cap : IN_CAP_FIRST;
    u8 *in = cap > IN_CAP_MAX ? NULL : realloc(conn->in, cap);
    if (!in)
        return false;
    conn->in = in;
    conn->in_cap = cap;
    return true;
}

static void receive(struct kl_bench_conn *conn)
{
    usize got, len;
    kl_span body;
    if (!make_room(conn)) {
        fail(conn, KL_NOMEM);
        return;
    }
    kl_status status =
        kl_tcp_read(conn->fd, conn->in + conn->in_len, conn->in_cap - conn->in_len, &got);
    if (status == KL_AGAIN)
        return;
    if (status != KL_OK || got == 0 || !conn->waiting) {
        fail(conn, KL_IO);
        return;
    }
    conn->in_len += got;
    switch (kl_bench_answer(conn->in, conn->in_len, &conn->http_status, &body, &len)) {
    case KL_HTTP_PART:
        return;
    case KL_HTTP_WRONG:
        fail(conn, KL_CORRUPT);
        return;
    case KL_HTTP_WHOLE:
        conn->in_len = 0; /* one request at a time: nothing stands behind its answer */
        conn->waiting = false;
        conn->answered(conn, body);
        return;
    }
}

static bool ready(struct kl_watch *watch, unsigned what)
{
    struct kl_bench_conn *conn = watch->owner;
    if (what & KL_READY_WRITE)
        send_rest(conn);
    if (conn->fd >= 0 && (what & (KL_READY_READ | KL_READY_HANGUP)))
        receive(conn);
    return true;
}

kl_status kl_bench_conn_open(struct kl_bench_conn *conn, struct kl_loop *loop,
                             const kl_bench_url *url)
{
    conn->loop = loop;
    conn->fd = -1;
    conn->status = KL_OK;
    KL_TRY(kl_tcp_connect(&conn->fd, url->host, url->port));
    conn->watch = (struct kl_watch){.ready = ready, .owner = conn, .fd = conn->fd};
    kl_status status = kl_loop_add(loop, &conn->watch, KL_READY_READ, false);
    if (status != KL_OK) {
        kl_tcp_close(conn->fd);
        conn->fd = -1;
    }
    return status;
}

void kl_bench_conn_close(struct kl_bench_conn *conn)
{
    if (conn->loop && conn->fd >= 0) {
        kl_loop_remove(conn->loop, &conn->watch);
        kl_tcp_close(conn->fd);
    }
    free(conn->in);
    *conn = (struct kl_bench_conn){.fd = -1};
}

void kl_bench_conn_ask(struct kl_bench_conn *conn, kl_span request)
{
    KL_ASSERT(!conn->waiting && conn->fd >= 0);
    conn->waiting = true;
    conn->left = request;
    send_rest(conn);
}
