/* conn: one connection to a peer, from its first byte on: multistream agrees on noise, noise shows
 * who the peer is, yamux carries streams, and multistream agrees on each stream's protocol.
 *
 *     bytes ── multistream ── noise ──┬── (multistream) ── yamux ──┬── multistream ── a protocol
 *                                     └── who it is                ├── multistream ── a protocol
 *                                                                  └── …
 *
 * A pure machine: bytes in, events and bytes out.  It keeps no time: whoever owns it ends a
 * connection that does not open in time, and sweeps away streams that do not agree.  Memory is
 * bounded by the config and the limits of the parts, whatever the peer does.
 *
 * Thread: one at a time; events come from inside kl_conn_feed and kl_conn_open_stream, and their
 * handler may call everything but feed, pull and free. */
#ifndef KL_P2P_CONN_H
#define KL_P2P_CONN_H

#include "p2p/noise.h"
#include "p2p/yamux.h"

struct kl_conn;

/* A protocol that peers may open streams for. */
typedef struct kl_conn_protocol {
    kl_span name;
    kl_yamux_class class;
} kl_conn_protocol;

enum { KL_CONN_PROTOCOLS_MAX = 32 };

typedef struct kl_conn_config {
    bool dials;
    const kl_secret32 *identity;       /* Ed25519 */
    kl_secret32 static_key, ephemeral; /* X25519, fresh for each connection */
    const kl_peer_id *expected;        /* whom a dialer wants, or NULL */
    const kl_conn_protocol *protocols; /* the caller's */
    usize protocol_count;              /* at most KL_CONN_PROTOCOLS_MAX (asserted) */
    u32 peer_streams_max, streams_max; /* see yamux.h */
    u32 early_max; /* of the peer's, those that have not agreed: further ones are reset; 0: any */
    u32 window;
    usize queue_max;
} kl_conn_config;

typedef enum kl_conn_event_kind {
    KL_CONN_OPEN,      /* peer: encrypted, and streams can be opened */
    KL_CONN_STREAM,    /* stream, protocol: ours, its name's index as it was given; the peer's, an
                          index    of the config's protocols */
    KL_CONN_NO_STREAM, /* stream: the peer speaks none of the names; it is gone */
    KL_CONN_DATA,      /* stream, data: for the call; say kl_conn_took when it is dealt with */
    KL_CONN_ENDED,     /* stream: the peer sends nothing more on it */
    KL_CONN_RESET,     /* stream: it is gone */
    KL_CONN_PONG,      /* value */
    KL_CONN_GOAWAY,    /* value */
} kl_conn_event_kind;

typedef struct kl_conn_event {
    kl_conn_event_kind kind;
    const kl_peer_id *peer;
    u32 stream;
    bool ours; /* of STREAM: we opened it */
    usize protocol;
    kl_span data;
    u32 value;
} kl_conn_event;

struct kl_conn_user {
    void (*event)(struct kl_conn_user *user, const kl_conn_event *event);
};

KL_MUST_USE kl_status kl_conn_new(struct kl_conn **out, const kl_conn_config *config,
                                  struct kl_conn_user *user);
void kl_conn_free(struct kl_conn *conn); /* NULL is fine */

/* Takes all of bytes.  *broken ends the connection: what the parts say, or CONN_MUXER (the peer
 * speaks none of ours), CONN_NOISE (the same, of encryption).  KL_NOMEM ends it too. */
KL_MUST_USE kl_status kl_conn_feed(struct kl_conn *conn, kl_span bytes, kl_rule *broken);

/* Appends bytes to send: at most about max, so that what is queued can still be overtaken.  *more:
 * there is more to send. */
KL_MUST_USE kl_status kl_conn_pull(struct kl_conn *conn, usize max, struct kl_buf *out, bool *more);
bool kl_conn_wants_out(const struct kl_conn *conn);

bool kl_conn_is_open(const struct kl_conn *conn);

/* A stream for the first of names (the caller's, until STREAM or NO_STREAM tells which) that the
 * peer speaks.  Open (asserted).  KL_LIMIT, KL_NOMEM. */
KL_MUST_USE kl_status kl_conn_open_stream(struct kl_conn *conn, const kl_span *names, usize count,
                                          kl_yamux_class class, u32 *stream);

/* As in yamux.h, for streams that STREAM has told of. */
KL_MUST_USE kl_status kl_conn_write(struct kl_conn *conn, u32 stream, kl_span bytes);
usize kl_conn_queued(const struct kl_conn *conn, u32 stream);
void kl_conn_took(struct kl_conn *conn, u32 stream, usize bytes);
void kl_conn_end(struct kl_conn *conn, u32 stream);
void kl_conn_reset(struct kl_conn *conn, u32 stream);
void kl_conn_ping(struct kl_conn *conn, u32 value);
void kl_conn_go_away(struct kl_conn *conn, u32 reason);
usize kl_conn_stream_count(const struct kl_conn *conn);
/* As in yamux.h; 0 before it is open. */
kl_yamux_ado kl_conn_ado(const struct kl_conn *conn);
u32 kl_conn_stuck(struct kl_conn *conn);
/* Streams of either side that have not agreed on a protocol. */
usize kl_conn_agreeing(const struct kl_conn *conn);
/* Resets those that had not agreed at the last sweep either; of ours NO_STREAM tells. */
void kl_conn_sweep(struct kl_conn *conn);

#endif
