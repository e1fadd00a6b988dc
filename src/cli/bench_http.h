/* bench_http: a client's side of HTTP/1.1, as small as a load generator wants it: one request at a
 * time on a kept-alive connection, over a kl_loop.
 *
 * Thread: the loop's. */
#ifndef KL_CLI_BENCH_HTTP_H
#define KL_CLI_BENCH_HTTP_H

#include "base/buf.h"
#include "sys/loop.h"

/* Where a node listens: "http://127.0.0.1:8545", a numeric address. */
typedef struct kl_bench_url {
    char host[48];
    u16 port;
} kl_bench_url;

/* False for anything else than http://ADDRESS[:PORT][/]. */
KL_MUST_USE bool kl_bench_url_parse(kl_bench_url *out, const char *text);

/* Writes a whole POST request with a JSON body. */
void kl_bench_request(struct kl_buf *out, const kl_bench_url *url, kl_span body);

/* An answer at the start of bytes. */
typedef enum kl_http_reading {
    KL_HTTP_PART,  /* more must come */
    KL_HTTP_WHOLE, /* *body is its body, *len its length */
    KL_HTTP_WRONG, /* not an answer of HTTP/1.1 that a POST can have */
} kl_http_reading;

/* Reads an answer; a chunked body is put together in place. */
kl_http_reading kl_bench_answer(u8 *bytes, usize count, unsigned *http_status, kl_span *body,
                                usize *len);

struct kl_bench_conn {
    /* Called with the body of the answer, or with conn->status != KL_OK when there will be none:
     * KL_IO, KL_CORRUPT (no HTTP).  body lives until the next request.  May ask again. */
    void (*answered)(struct kl_bench_conn *conn, kl_span body);
    void *owner; /* the handler's business */
    kl_status status;
    unsigned http_status;

    /* its own */
    struct kl_watch watch;
    struct kl_loop *loop;
    int fd;
    bool waiting, blocked;
    kl_span left; /* of the request */
    u8 *in;
    usize in_len, in_cap;
};

/* Fill answered and owner before.  KL_NOTFOUND when nobody listens, KL_LIMIT, KL_IO, KL_NOMEM. */
KL_MUST_USE kl_status kl_bench_conn_open(struct kl_bench_conn *conn, struct kl_loop *loop,
                                         const kl_bench_url *url);
void kl_bench_conn_close(struct kl_bench_conn *conn); /* also one of zeros */

/* Sends a whole request, which must stay until it is answered; none may be under way (asserted). */
void kl_bench_conn_ask(struct kl_bench_conn *conn, kl_span request);

#endif
