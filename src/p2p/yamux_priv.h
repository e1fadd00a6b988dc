/* yamux_priv: what the files of yamux share. */
#ifndef KL_P2P_YAMUX_PRIV_H
#define KL_P2P_YAMUX_PRIV_H

#include "base/map.h"
#include "p2p/yamux.h"

enum {
    YAMUX_HEAD = 12,
    YAMUX_CONTROL_MAX = 1 << 16, /* bytes of answers that wait */

    YAMUX_DATA = 0,
    YAMUX_WINDOW_UPDATE = 1,
    YAMUX_PING = 2,
    YAMUX_GOAWAY = 3,

    YAMUX_SYN = 1,
    YAMUX_ACK = 2,
    YAMUX_FIN = 4,
    YAMUX_RST = 8,
};

struct yamux_stream {
    u32 id;
    kl_yamux_class class;
    bool ours;
    bool ending, ended; /* by us: asked for, and sent */
    bool peer_ended;
    u32 send_window;     /* we may send */
    u32 window;          /* the peer may send */
    u32 credit;          /* was dealt with and not given back yet */
    u32 stuck;           /* see kl_yamux_stuck */
    u64 opened;          /* by the peer, since that was asked last */
    struct kl_buf queue; /* what waits, from queue_at on */
    usize queue_at;
    struct yamux_stream *next, *before; /* of its class, in turns */
};

struct yamux_turns {
    struct yamux_stream *first, *last;
};

struct yamux_head {
    u8 type;
    u16 flags;
    u32 stream, length;
};

struct kl_yamux {
    kl_yamux_config config;
    struct kl_yamux_user *user;
    struct kl_map streams; /* by id */
    u32 peer_streams;
    u32 next_id, peer_last_id;
    bool we_leave, peer_leaves, over;
    struct yamux_turns turns[KL_YAMUX_CLASSES];
    struct kl_buf control;

    u8 head[YAMUX_HEAD]; /* of the frame that comes in */
    usize head_len;
    u32 body_left, body_stream; /* bytes of a data frame that are still to come */
    bool body_ends;

    kl_yamux_ado ado;
};

/* yamux.c */
struct yamux_stream *yamux_find(const struct kl_yamux *y, u32 id);
KL_MUST_USE kl_status yamux_add(struct kl_yamux *y, u32 id, bool ours, kl_yamux_class class);
/* Forgets the stream when both sides have ended it. */
void yamux_settle(struct kl_yamux *y, struct yamux_stream *s);
void yamux_remove(struct kl_yamux *y, struct yamux_stream *s);
/* Queues an answer; false when too many wait. */
bool yamux_control(struct kl_yamux *y, const struct yamux_head *head);
void yamux_put_head(struct kl_buf *out, const struct yamux_head *head);
/* yamux_out.c: puts the stream at the end of its class. */
void yamux_turns_push(struct kl_yamux *y, struct yamux_stream *s);
void yamux_turns_drop(struct kl_yamux *y, struct yamux_stream *s);

#endif
