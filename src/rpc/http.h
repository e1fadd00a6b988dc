/* http: the requests of HTTP/1.1 and 1.0, from bytes [RFC 9110, RFC 9112].
 *
 * Reading is strict, because two readings of one request are how requests are smuggled past a
 * proxy: lines end in CR LF, nothing folds, no blank stands before a colon, a body has one length
 * and is announced one way.  Nothing is allocated; spans handed out view the bytes.
 *
 *     bytes ──► kl_http_head_len ──► kl_http_parse ──► length known: so many bytes are the body
 *                                                 └──► chunked: kl_http_chunks, as bytes come in
 *
 * Thread: any. */
#ifndef KL_RPC_HTTP_H
#define KL_RPC_HTTP_H

#include "base/rule.h"
#include "base/span.h"

enum {
    KL_HTTP_HEAD_MAX =
        16384, /* bytes of request line and header; common servers allow 8 to 64 KiB */
    KL_HTTP_FIELD_MAX = 100,    /* fields of a header */
    KL_HTTP_TRAILER_MAX = 4096, /* bytes of chunk extensions and trailers; nobody sends any */
};

typedef enum kl_http_method {
    KL_HTTP_GET,
    KL_HTTP_HEAD,
    KL_HTTP_POST,
    KL_HTTP_OPTIONS,
    KL_HTTP_OTHER,
} kl_http_method;

typedef struct kl_http_request {
    kl_http_method method;
    kl_span path;         /* the target up to its query */
    kl_span host, origin; /* empty: none was sent */
    bool keep_alive;      /* what the client wishes */
    bool old;             /* HTTP/1.0: must be told when its wish is granted */
    bool expects;         /* waits for 100 Continue before it sends the body */
    bool has_length;      /* one of these two, or neither: then there is no body */
    bool chunked;
    u64 length;           /* of the body when has_length */
    bool preflight;       /* asks what CORS allows [Fetch 3.2.2] */
    bool private_network; /* and whether pages of public sites may reach this one */
    bool upgrade;         /* to WebSocket */
    kl_span ws_key;       /* as sent */
    u64 ws_version;       /* 0: none, or no number */
} kl_http_request;

/* The length of the request line and header at the start of bytes, with the empty line that ends
 * them; 0 while that has not arrived.  *seen keeps how far earlier calls have looked; it starts as
 * 0.  A first byte that no method has ends a head at once, which will be refused: a TLS client that
 * took this for an https port would wait for its time-out. */
usize kl_http_head_len(kl_span bytes, usize *seen);

/* Judges a whole head.  A rule from the HTTP_ rows; *out is rubbish then. */
kl_rule kl_http_parse(kl_http_request *out, kl_span head);

/* The status that answers a broken rule: 400, 413, … */
unsigned kl_http_status_of(kl_rule rule);

/* A chunked body being read; start as zero. */
struct kl_http_chunks {
    unsigned state, digits;
    u64 left;       /* of the chunk */
    usize body_len; /* bytes of the body so far */
    usize extra;    /* bytes of extensions and trailers so far */
    bool done;
};

/* Takes raw bytes in, up to the end of the body; puts those of the body at dst, which may be raw or
 * lie anywhere before it in the same buffer.  *used is raw.len unless the body ended before.
 * HTTP_CHUNK; HTTP_BODY_SIZE for more than body_max bytes. */
kl_rule kl_http_chunks(struct kl_http_chunks *chunks, u8 *dst, kl_span raw, usize body_max,
                       usize *used, usize *put);

#endif
