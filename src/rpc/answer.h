/* answer: the heads of HTTP answers.  Pure; thread: any. */
#ifndef KL_RPC_ANSWER_H
#define KL_RPC_ANSWER_H

#include "base/span.h"

enum {
    KL_HTTP_DATE_LEN = 29,
    KL_ORIGIN_MAX = 256,  /* bytes of an origin */
    KL_ANSWER_MAX = 1024, /* bytes of an answer's head, whatever it holds */
};

typedef struct kl_answer {
    unsigned status;
    const char *type; /* of the body; NULL: there is none */
    usize body_len;
    const char *date;     /* KL_HTTP_DATE_LEN bytes, see kl_http_date */
    bool close;           /* the connection ends after this answer */
    bool keep_alive;      /* it stays, and the client does not take that for granted */
    const char *cors;     /* the origin whose pages may read it, or "*"; NULL: none may */
    bool preflight;       /* says what CORS allows ... */
    bool private_network; /* ... also from public sites to this one */
    const char *fields;   /* further fields, each ended by CR LF; NULL: none */
} kl_answer;

/* Writes status line and header with the empty line; returns their length. */
usize kl_answer_head(u8 out[KL_ANSWER_MAX], const kl_answer *answer);

/* "Not Found". */
const char *kl_http_reason(unsigned status);

/* "Sun, 06 Nov 1994 08:49:37 GMT" [RFC 9110 section 5.6.7]; not NUL-terminated. */
void kl_http_date(char out[KL_HTTP_DATE_LEN], u64 unix_s);

/* May a page of this origin call us?  host is what the request gave as Host, cors as in kl_answer.
 *
 * Browsers let any page send a simple POST and open a WebSocket anywhere, and only keep it from
 * reading answers; so a page whose origin is not allowed is refused outright.  Requests without an
 * origin do not come from pages; those of browser extensions name theirs, and are the user's own
 * will. A page that this server itself served under a numeric address or localhost is allowed
 * (under a name, it could be any site whose name was made to point here). */
bool kl_origin_allowed(kl_span origin, kl_span host, const char *cors);

#endif
