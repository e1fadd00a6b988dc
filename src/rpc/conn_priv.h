/* conn: one client's connection without its socket: HTTP requests and WebSocket messages in,
 * answers and notifications out, with every limit and every deadline.
 *
 * A step machine.  Whoever owns the socket does what kl_conn_step asks for:
 *
 *     READ    read into kl_conn_room, tell kl_conn_got; or kl_conn_park and come back when readable
 *     WRITE   write kl_conn_output, tell kl_conn_sent; or kl_conn_blocked, park and come back
 *     CALL    let the JSON in conn->body be answered, hand the answer to kl_conn_answer
 *     FINISH  say that no more will be written
 *     CLOSE   close the socket and kl_conn_done
 *
 * and asks again, and calls kl_conn_late when conn->deadline_ns has come.
 *
 * Memory: while a thread works on a connection, input lies in the thread's own inbox and an answer
 * in the thread's own buffer: both are lent.  Only what is left when the thread turns away
 * (kl_conn_park: half a request, the rest of an answer the client does not read) moves into memory
 * of the connection, which grows with what has arrived, never with what was announced, and is
 * counted in the budget that all connections share.  A connection at rest holds none.
 *
 * Thread: one at a time. */
#ifndef KL_RPC_CONN_PRIV_H
#define KL_RPC_CONN_PRIV_H

#include <stdatomic.h>

#include "base/buf.h"
#include "rpc/answer.h"
#include "rpc/http.h"
#include "rpc/rpc.h"
#include "rpc/ws.h"

/* Bytes that connections hold. */
struct kl_budget {
    atomic_size_t used, peak;
    usize limit;
};

/* What all connections of a server share; constant but for the budget. */
struct kl_conn_env {
    kl_rpc_limits limits;
    const char *cors; /* as in kl_answer */
    kl_span greeting; /* what GET / shows */
    struct kl_budget budget;
};

/* Room to be left free before an answer in its buffer, for what goes ahead of it. */
#define KL_CONN_HEAD_ROOM ((usize)KL_ANSWER_MAX)
/* Bytes of a thread's inbox; a bigger one gains nothing. */
#define KL_CONN_INBOX ((usize)65536)
_Static_assert(KL_CONN_HEAD_ROOM >= KL_WS_HEAD_MAX, "the head of a frame fits too");
_Static_assert(KL_CONN_INBOX > KL_HTTP_HEAD_MAX, "the largest head fits");

typedef enum kl_conn_need {
    KL_CONN_READ,
    KL_CONN_WRITE,
    KL_CONN_CALL,
    KL_CONN_FINISH,
    KL_CONN_CLOSE,
} kl_conn_need;

/* What time it is, for deadlines and for the Date of answers. */
typedef struct kl_moment {
    u64 now_ns;
    char date[KL_HTTP_DATE_LEN];
} kl_moment;

/* Bytes at [at, len) of room for cap; lent ones are the thread's. */
struct kl_conn_bytes {
    u8 *p;
    usize at, len, cap;
    bool lent;
};

struct kl_conn {
    struct kl_conn_env *env;
    struct kl_conn_bytes in, out;
    struct kl_buf *out_from; /* whose bytes a lent out is */
    kl_span body;            /* what a CALL is about */
    u64 deadline_ns;         /* UINT64_MAX: none */
    usize sent;              /* since the deadline was last moved */
    unsigned state;
    bool started;   /* the request or message in work has begun to arrive */
    bool blocked;   /* output waits for the client */
    bool answering; /* what is in out is an answer, not news */
    bool ended;     /* the client will send no more */
    bool awaits_pong;
    bool stopping; /* see kl_conn_stop */
    /* of the request in work */
    kl_http_method method;
    bool keep_alive, old; /* see kl_http_request */
    u64 body_left;        /* of a body with a length */
    usize seen;           /* see kl_http_head_len */
    struct kl_http_chunks chunks;
    struct kl_ws ws;
};

void kl_conn_init(struct kl_conn *conn, struct kl_conn_env *env, const kl_moment *now);
void kl_conn_done(struct kl_conn *conn);

/* Is it a WebSocket? */
bool kl_conn_is_socket(const struct kl_conn *conn);

/* Where the next bytes are to be read to: room in the connection's own memory when it holds some,
 * or else the inbox.  NULL when there is no memory: then step. */
u8 *kl_conn_room(struct kl_conn *conn, u8 *inbox, usize *len, const kl_moment *now);
/* n bytes have been read there; 0: the client will send no more. */
void kl_conn_got(struct kl_conn *conn, usize n, const kl_moment *now);

kl_conn_need kl_conn_step(struct kl_conn *conn, const kl_moment *now);

/* After CALL: the answer lies in buf behind KL_CONN_HEAD_ROOM free bytes; none there is no answer,
 * as notifications get.  buf is lent until the answer is sent or parked. */
void kl_conn_answer(struct kl_conn *conn, struct kl_buf *buf, const kl_moment *now);

/* After CALL: there is no answer to be had; the connection ends. */
void kl_conn_drop(struct kl_conn *conn);

/* Has input arrived that no step has used yet? */
bool kl_conn_has_input(const struct kl_conn *conn);

/* May news be sent now?  False while a call is in work or its answer unsent, and on what is no open
 * WebSocket: then the news has to wait. */
bool kl_conn_hears(const struct kl_conn *conn);
/* News: frames, as kl_conn_frame makes them, to be written in order after what is in out.  More
 * unread than limits.socket_queue_bytes: the connection will close. */
void kl_conn_push(struct kl_conn *conn, kl_span frames);

/* In buf from offset start on: KL_WS_HEAD_MAX free bytes and a message.  Makes a frame of them. */
void kl_conn_frame(struct kl_buf *buf, usize start);

kl_span kl_conn_output(const struct kl_conn *conn);
void kl_conn_sent(struct kl_conn *conn, usize n, const kl_moment *now);
/* The client takes nothing for now. */
void kl_conn_blocked(struct kl_conn *conn, const kl_moment *now);

/* Takes what is lent into the connection's memory; step afterwards when it returns false: there was
 * none left. */
KL_MUST_USE bool kl_conn_park(struct kl_conn *conn, const kl_moment *now);

/* The deadline has come: ends what waits for it; step afterwards. */
void kl_conn_late(struct kl_conn *conn, const kl_moment *now);

/* The server goes down: closes once what is in work has been answered; step afterwards. */
void kl_conn_stop(struct kl_conn *conn);

#endif
