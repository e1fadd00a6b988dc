/* ws: WebSocket from the server's side [RFC 6455]: the key of the handshake, frames, messages.
 *
 * A connection's bytes lie in one buffer; kl_ws_next takes the frames in it one by one, unmasks
 * them where they lie, and moves the pieces of a fragmented message together at the buffer's start:
 *
 *     0 ─── whole ───┬─ gap ─┬──── frames not looked at yet ──── len
 *     the message    └ used up since
 *     so far
 *
 * Nothing is allocated, and no length is believed before the bytes are there.  Thread: any. */
#ifndef KL_RPC_WS_H
#define KL_RPC_WS_H

#include "base/rule.h"
#include "base/span.h"

enum {
    KL_WS_FRAME_HEAD_MAX = 14, /* of a frame we get */
    KL_WS_HEAD_MAX = 10,       /* of a frame we send */
    KL_WS_CONTROL_MAX = 125,
    KL_WS_ACCEPT_LEN = 28,
};

/* Status codes of Close frames [RFC 6455 section 7.4.1]. */
enum {
    KL_WS_NORMAL = 1000,
    KL_WS_GOING_AWAY = 1001,
    KL_WS_PROTOCOL = 1002,
    KL_WS_NOT_UTF8 = 1007,
    KL_WS_POLICY = 1008,
    KL_WS_TOO_BIG = 1009,
    KL_WS_TRY_LATER = 1013,
};

typedef enum kl_ws_opcode {
    KL_WS_CONTINUATION = 0,
    KL_WS_TEXT = 1,
    KL_WS_BINARY = 2,
    KL_WS_CLOSE = 8,
    KL_WS_PING = 9,
    KL_WS_PONG = 10,
} kl_ws_opcode;

/* What answers the client's Sec-WebSocket-Key; WS_HANDSHAKE when key is not the base64 of 16 bytes.
 */
kl_rule kl_ws_accept(char out[KL_WS_ACCEPT_LEN], kl_span key);

/* A connection's place in its stream of frames; starts as zero. */
struct kl_ws {
    usize whole;  /* bytes of the unfinished message at the start of the buffer */
    usize at;     /* where the next frame begins */
    u8 opcode;    /* of the unfinished message, or 0 */
    bool closing; /* Close has come: nothing after it is looked at */
};

typedef enum kl_ws_event_kind {
    KL_WS_WAIT,    /* for more bytes */
    KL_WS_MESSAGE, /* bytes: the message, text or binary */
    KL_WS_PINGED,  /* bytes: to be sent back in a Pong */
    KL_WS_PONGED,
    KL_WS_CLOSED, /* code: what to answer with, the client's own */
} kl_ws_event_kind;

typedef struct kl_ws_event {
    kl_ws_event_kind kind;
    kl_span bytes; /* in the buffer, until the next call */
    u16 code;
} kl_ws_event;

/* The next event in buffer, of which len bytes have arrived.  WS_FRAME, WS_UTF8, and WS_SIZE for a
 * message of more than message_max bytes: the connection is to be closed with kl_ws_code_of. */
kl_rule kl_ws_next(struct kl_ws *ws, u8 *buffer, usize len, usize message_max, kl_ws_event *out);

/* Moves what is still needed together at the start of the buffer and returns its length.  What the
 * last event gave is gone then. */
usize kl_ws_compact(struct kl_ws *ws, u8 *buffer, usize len);

unsigned kl_ws_code_of(kl_rule rule);

/* The head of an unfragmented frame; returns its length. */
usize kl_ws_head(u8 out[KL_WS_HEAD_MAX], kl_ws_opcode opcode, u64 payload_len);

/* Is it well-formed UTF-8 (no surrogates, nothing above U+10FFFF, shortest forms)? */
bool kl_ws_utf8(kl_span bytes);

#endif
