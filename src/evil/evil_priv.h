/* evil_priv: a connection of the attacker, and what attacks are made of. */
#ifndef KL_EVIL_EVIL_PRIV_H
#define KL_EVIL_EVIL_PRIV_H

#include "base/buf.h"
#include "chain/chain.h"
#include "evil/evil.h"
#include "p2p/multistream.h"
#include "p2p/noise.h"
#include "sync/message.h"

/* How far a connection has come, and how far it behaves. */
typedef enum evil_stage {
    EVIL_DIALS,
    EVIL_TCP,    /* connected */
    EVIL_NOISE,  /* multistream has agreed on noise */
    EVIL_SHAKEN, /* noise is open, and yamux agreed on in it */
    EVIL_READY,  /* hellos were said, and Keel's streams are open */
} evil_stage;

/* What it leaves undone all the time. */
typedef enum evil_habit {
    EVIL_NONE = 0,
    EVIL_DEAF = 1,     /* does not read */
    EVIL_MEAN = 2,     /* reads, and opens no window */
    EVIL_NOBODY = 4,   /* is somebody new each time, whoever it may be */
    EVIL_LISTED = 8,   /* needs an identity that is let in */
    EVIL_FUNDED = 16,  /* needs an account with funds */
    EVIL_FORGES = 32,  /* shows an identity that has signed nothing */
    EVIL_MUXLESS = 64, /* names no muxer inside noise */
    EVIL_BRIEF = 128,  /* hangs up itself once the stage is reached */
    EVIL_VOTES = 256,  /* needs a validator's key */
    EVIL_LEADS = 512,  /* proposes when it is that validator's turn; the rule is what refuses the
                          block, "": it is good */
    EVIL_SPIES = 1024, /* is let in with its first connection, and nobody with the others */
} evil_habit;

/* Streams of ours, and names that we listen to. */
typedef enum evil_class {
    EVIL_BFT,
    EVIL_PROPOSAL,
    EVIL_TX,
    EVIL_SYNC,
    EVIL_CLASSES,
    EVIL_HELLO = EVIL_CLASSES,
    EVIL_GOSSIP, /* only listened to */
    EVIL_OTHER,  /* a stream of any name; listened to it is identify */
    EVIL_NAMES,
} evil_class;

enum {
    EVIL_SYN = 1,
    EVIL_ACK = 2,
    EVIL_FIN = 4,
    EVIL_RST = 8,
    EVIL_DATA = 0,
    EVIL_WINDOW = 1,
    EVIL_PING = 2,
    EVIL_GOAWAY = 3,

    EVIL_THEIRS_MAX = 16, /* streams of theirs that are listened to */
};

struct evil_stream {
    u32 id; /* 0: none */
    kl_multistream m;
    bool agreed;
    u64 window;
    struct kl_buf queue;
    usize queue_at;
};

struct evil_heard {
    u32 id; /* 0: none */
    kl_multistream m;
    evil_class class;
    struct kl_buf frame;
};

struct evil_wire {
    struct evil *evil;
    const kl_evil_target *target;
    int fd; /* -1: none */
    evil_stage at;
    kl_secret32 identity;
    kl_multistream m;
    struct kl_noise *noise;
    struct evil_forge *forge;
    struct kl_buf in, plain, raw; /* come; decrypted; to be sent */
    usize raw_at;
    u8 head[12]; /* of yamux */
    usize head_len;
    u32 body_left, body_stream;
    u32 next_id;
    struct evil_stream out[EVIL_NAMES];
    struct evil_heard theirs[EVIL_THEIRS_MAX];
    bool greeted;     /* their hello was heard, and ours is on its way */
    kl_span identify; /* what is said to whoever asks; nothing: that is not spoken */
    u64 steps;
    u64 asked_ns; /* something was asked for */
    u64 again_ns; /* dialled again */
};

struct evil_attack {
    const char *name;
    evil_stage stage;
    u32 wires;
    unsigned habits;
    void (*begin)(struct evil_wire *w); /* once the stage is reached; or NULL */
    void (*step)(struct evil_wire *w);  /* again and again, while what it said is sent; or NULL */
    /* What the target says; or NULL. */
    void (*hear)(struct evil_wire *w, evil_class class, kl_span frame);
    const char *rule, *why, *text; /* why: it is borne */
};

/* What is the matter with a leader's block. */
struct evil_block {
    usize txs;         /* at most; 0: as many as fit */
    kl_span code;      /* transactions that create with it take all the gas */
    usize bytes;       /* of data in each of the transactions that fill it; they are zero */
    usize junk;        /* bytes of one transaction that its header knows nothing of */
    u64 ahead_ms;      /* of the clock */
    bool never;        /* at the end of time */
    u64 behind, off_s; /* time_ms so far below what its parent allows; timestamp beside it */
};

/* What a leader knows. */
struct evil_lead {
    kl_proposal top;   /* notarized, the highest view */
    kl_proposal past;  /* a certificate ends this view */
    kl_proposal led;   /* ours, the newest */
    kl_proposal along; /* somebody's, for which it has voted as others do */
    kl_hash own;       /* the block of that, until a certificate names it */
    u64 asked_ns;      /* for blocks */
};

struct evil {
    const kl_evil_config *config;
    const struct evil_attack *attack;
    kl_evil_report *report;
    struct evil_wire *wires;
    usize wire_count;
    char names[EVIL_NAMES][40];
    kl_span name_spans[EVIL_NAMES];
    u64 now_ns;
    u64 random;
    bool busy; /* something was done in the last turn */
    /* What was heard of the target's chain. */
    bool has_vote;
    kl_vote vote;
    u64 height;
    u64 voted_view;
    struct kl_buf kept; /* a frame that was heard */
    struct kl_buf made; /* a frame that is being made */
    struct kl_arena arena;
    kl_address account;
    kl_vote_domain domain;      /* of its votes, where it has a validator's key */
    struct evil_follow *follow; /* NULL: does not lead */
    struct evil_lead lead;
    u64 nonce;
};

/* wire.c */
void evil_wire_init(struct evil_wire *w, struct evil *evil);
/* Connects; false when that fails at once. */
bool evil_wire_dial(struct evil_wire *w);
/* It is connected: begins the way to the stage. */
void evil_wire_connected(struct evil_wire *w);
void evil_wire_close(struct evil_wire *w);
/* Takes bytes of the target; false: it makes no sense to us. */
bool evil_wire_feed(struct evil_wire *w, kl_span bytes);
/* What can be sent is put into raw. */
void evil_wire_settle(struct evil_wire *w);
bool evil_wire_is_idle(const struct evil_wire *w);

/* Bytes as they are, before noise is open. */
void evil_raw(struct evil_wire *w, kl_span bytes);
/* A frame of yamux with any head; body may be empty, or shorter than the head says. */
void evil_yamux(struct evil_wire *w, u8 type, u16 flags, u32 stream, u32 length, kl_span body);
void evil_text(struct evil_wire *w, kl_span bytes); /* encrypted */
/* Opens a stream, saying bytes. */
u32 evil_open(struct evil_wire *w, kl_span bytes);
/* Opens a stream of that protocol as EVIL_OTHER, and says bytes without waiting for the answer; one
 * that was open is forgotten. */
void evil_open_other(struct evil_wire *w, const char *name, kl_span bytes);
void evil_end_other(struct evil_wire *w);
/* Bytes, and a frame, on a stream of ours, as its window allows. */
void evil_queue(struct evil_wire *w, evil_class class, kl_span bytes);
void evil_frame(struct evil_wire *w, evil_class class, kl_span frame);
void evil_message(struct evil_wire *w, evil_class class, const kl_message *message);
/* A frame that was heard; what it points to lives until the next one.  False: it makes no sense. */
bool evil_decode(struct evil_wire *w, kl_message *out, kl_span frame);

/* talk.c: a vote of the validator whose key it has. */
void evil_sign(const struct evil *evil, kl_vote *out, const kl_vote_subject *subject);

/* follow.c: the chain. */
KL_MUST_USE kl_status evil_follow_open(struct evil_follow **out, kl_span genesis);
void evil_follow_close(struct evil_follow *follow); /* NULL is fine */
/* Executes a body on its parent; false: that is not here, or it is no good. */
bool evil_follow_take(struct evil_follow *follow, kl_span body);
struct kl_tip *evil_follow_tip(const struct evil_follow *follow, const kl_hash *hash); /* or NULL */
u64 evil_follow_height(const struct evil_follow *follow);
kl_vote_domain evil_follow_domain(const struct evil_follow *follow);
/* NULL: it could not be built. */
struct kl_tip *evil_follow_build(struct evil_follow *follow, struct kl_tip *parent,
                                 const kl_bft_plan *bft, struct kl_tx_source *source);
u64 evil_follow_nonce(struct evil_follow *follow, const struct kl_tip *tip,
                      const kl_address *address);

/* forge.c: a handshake in whose third message stands an identity that has not signed it. */
struct evil_forge *evil_forge_new(struct evil_wire *w);
void evil_forge_free(struct evil_forge *forge); /* NULL is fine */
bool evil_forge_feed(struct evil_forge *forge, struct evil_wire *w, kl_span *in);

void evil_random_bytes(struct evil *evil, void *out, usize len);

#endif
