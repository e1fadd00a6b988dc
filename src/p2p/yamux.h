/* yamux: many streams over one connection [libp2p specs: yamux; /yamux/1.0.0].
 *
 * A frame is 12 bytes, {version 0, type, flags, stream, length}, and behind a data frame its bytes.
 * Each side may send on a stream as much as the other has opened its window for; 256 KiB at first.
 *
 * A stream of ours has a class.  Whatever can be sent goes out by class: nothing of a lower one
 * while a higher has something; streams of one class take turns, and a frame carries at most 16
 * KiB, so that a vote waits for one frame of a block and no more.  Nothing is framed before it is
 * asked for (kl_yamux_pull): what is queued can still be overtaken.
 *
 * A pure machine: bytes in, events and bytes out; memory is bounded by the config, whatever the
 * peer does.  After a broken rule the connection is over.  Thread: one at a time; events come from
 * inside kl_yamux_feed, and their handler may call everything but feed, pull and free. */
#ifndef KL_P2P_YAMUX_H
#define KL_P2P_YAMUX_H

#include "base/buf.h"
#include "base/rule.h"
#include "base/status.h"

struct kl_yamux;

typedef enum kl_yamux_class {
    KL_YAMUX_FIRST, /* votes and proposals */
    KL_YAMUX_USUAL,
    KL_YAMUX_BULK, /* blocks and state for those who are behind */
    KL_YAMUX_CLASSES,
} kl_yamux_class;

enum {
    KL_YAMUX_WINDOW = 262144, /* at first, of both sides [yamux: 256 KiB] */
    KL_YAMUX_FRAME_MAX = 16384,
    KL_YAMUX_STREAMS_MAX = 1024,
    KL_YAMUX_LIGHT_DATA = 32,      /* a ping of libp2p is as long */
    KL_YAMUX_LIGHT_WINDOW = 16384, /* implementations open half a window, 128 KiB, or more */
};

typedef struct kl_yamux_config {
    bool dials;           /* our streams have odd numbers */
    u32 peer_streams_max; /* open ones of the peer's making; further ones are reset */
    u32 streams_max;      /* of both sides, at most KL_YAMUX_STREAMS_MAX */
    u32 window;           /* how far ahead a peer may send on a stream, at least KL_YAMUX_WINDOW */
    usize queue_max;      /* bytes queued on one stream */
} kl_yamux_config;

typedef enum kl_yamux_event_kind {
    KL_YAMUX_OPENED, /* stream, by the peer: kl_yamux_set_class, or reset it */
    KL_YAMUX_DATA,   /* stream, data: lives for the call; say kl_yamux_took when it is dealt with */
    KL_YAMUX_ENDED,  /* stream: the peer sends nothing more on it */
    KL_YAMUX_RESET,  /* stream: it is gone */
    KL_YAMUX_PONG,   /* value: of our ping */
    KL_YAMUX_GOAWAY, /* value: 0 an orderly end; the peer opens nothing more and takes nothing new
                      */
} kl_yamux_event_kind;

typedef struct kl_yamux_event {
    kl_yamux_event_kind kind;
    u32 stream;
    kl_span data;
    u32 value;
} kl_yamux_event;

struct kl_yamux_user {
    void (*event)(struct kl_yamux_user *user, const kl_yamux_event *event);
};

KL_MUST_USE kl_status kl_yamux_new(struct kl_yamux **out, const kl_yamux_config *config,
                                   struct kl_yamux_user *user);
void kl_yamux_free(struct kl_yamux *y); /* NULL is fine */

/* All of bytes is taken.  YAMUX_VERSION, YAMUX_TYPE, YAMUX_FLAGS, YAMUX_STREAM (a number of ours,
 * or one that was used), YAMUX_WINDOW (more than it was opened for, or opened beyond 32 bits),
 * YAMUX_PING (too many of them unanswered).  KL_NOMEM. */
KL_MUST_USE kl_status kl_yamux_feed(struct kl_yamux *y, kl_span bytes, kl_rule *broken);

/* Frames of what there is to send, at most about max bytes (a frame that was begun is finished);
 * false when nothing is left that may be sent. */
bool kl_yamux_pull(struct kl_yamux *y, usize max, struct kl_buf *out);
/* Is there anything that pull would send? */
bool kl_yamux_wants_out(const struct kl_yamux *y);

/* A stream of ours.  KL_LIMIT: too many, the numbers are used up, or the peer said it goes away. */
KL_MUST_USE kl_status kl_yamux_open(struct kl_yamux *y, kl_yamux_class class, u32 *stream);
void kl_yamux_set_class(struct kl_yamux *y, u32 stream, kl_yamux_class class);

/* Queues bytes; all or nothing.  KL_LIMIT over queue_max; KL_NOTFOUND when the stream is gone or we
 * have ended it; KL_NOMEM. */
KL_MUST_USE kl_status kl_yamux_write(struct kl_yamux *y, u32 stream, kl_span bytes);
bool kl_yamux_has(const struct kl_yamux *y, u32 stream);
usize kl_yamux_queued(const struct kl_yamux *y, u32 stream);
/* So many bytes of a stream's data were dealt with: the peer may send as many more. */
void kl_yamux_took(struct kl_yamux *y, u32 stream, usize bytes);
/* Nothing more comes from us, behind what is queued.  The stream is gone when both sides ended it.
 * Streams that are gone may be named to these without effect. */
void kl_yamux_end(struct kl_yamux *y, u32 stream);
void kl_yamux_reset(struct kl_yamux *y, u32 stream);

void kl_yamux_ping(struct kl_yamux *y, u32 value);
/* We open nothing more and take nothing new. */
void kl_yamux_go_away(struct kl_yamux *y, u32 reason);

usize kl_yamux_stream_count(const struct kl_yamux *y);

/* What the peer has done so far that may have been for nothing. */
typedef struct kl_yamux_ado {
    u64 light;  /* frames that carry next to nothing: pings, data of less than KL_YAMUX_LIGHT_DATA
                   bytes, windows opened by less than KL_YAMUX_LIGHT_WINDOW */
    u64 opened; /* streams */
    u64 lost;   /* bytes on streams that were gone */
} kl_yamux_ado;
kl_yamux_ado kl_yamux_ado_of(const struct kl_yamux *y);
/* To be asked now and then: the number of times in a row, the longest of any stream, at which
 * bytes waited for a window and it had been opened by less than KL_YAMUX_LIGHT_WINDOW since. */
u32 kl_yamux_stuck(struct kl_yamux *y);

#endif
