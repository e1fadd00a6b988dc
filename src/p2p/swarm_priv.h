/* swarm_priv: what the files of the swarm share. */
#ifndef KL_P2P_SWARM_PRIV_H
#define KL_P2P_SWARM_PRIV_H

#include "p2p/delimited.h"
#include "p2p/nuisance.h"
#include "p2p/ping.h"
#include "p2p/swarm.h"

#define SWARM_MS         UINT64_C(1000000)
#define SWARM_S          UINT64_C(1000000000)
#define SWARM_PUSHES_NS  (10 * SWARM_S)
#define SWARM_NEVER      UINT64_MAX
#define SWARM_PAUSE_NS   (100 * SWARM_MS)
#define SWARM_NOBODY     UINT32_MAX
#define SWARM_GOSSIP_MAX ((usize)1 << 20) /* bytes that wait, of those that may be lost */

enum {
    SWARM_FRAME_HEAD = 4,
    SWARM_NAME_MAX = 40,
    SWARM_PINGS_MAX = 2,    /* streams that a peer pings on */
    SWARM_PUSHES_MAX = 8,   /* of identify, in SWARM_PUSHES_NS */
    SWARM_ENDS_MAX = 16,    /* answers to identify and pings that are not ended yet */
    SWARM_KNOCKS_MAX = 512, /* addresses that are remembered */
    SWARM_SHUNNED_MAX = 64,
    SWARM_KEPT = 1 << 16, /* bytes of room that a frame leaves behind */
};

/* Protocols, as the connection knows them. */
typedef enum swarm_protocol {
    SWARM_P_BFT, /* those of the classes first, in their order */
    SWARM_P_PROPOSAL,
    SWARM_P_TX,
    SWARM_P_SYNC,
    SWARM_P_HELLO,
    SWARM_P_IDENTIFY,
    SWARM_P_PUSH,
    SWARM_P_PING,
    SWARM_P_GOSSIP12, /* these last: not everybody gossips */
    SWARM_P_GOSSIP11,
    SWARM_P_GOSSIP10,
    SWARM_PROTOCOLS,
} swarm_protocol;

typedef enum swarm_state {
    SWARM_DIALLING, /* no socket yet */
    SWARM_SHAKES,
    SWARM_GUEST, /* it has shown who it is, and says why it is to be let in */
    SWARM_OPEN,
} swarm_state;

/* A stream of the peer's that carries frames. */
struct swarm_in {
    u32 stream; /* 0: none */
    struct kl_buf frame;
};

/* An answer of ours, to be ended when it is due. */
struct swarm_end {
    u32 stream; /* 0: none */
    u64 due_ns;
};

struct swarm_ping {
    u32 stream; /* 0: none */
    kl_ping_echo echo;
};

struct swarm_link {
    struct kl_conn_user user; /* first */
    struct kl_swarm *swarm;
    u32 at; /* its number */
    swarm_state state;
    bool dialled;       /* by us */
    bool over;          /* something is wrong with it: ended soon */
    bool has_id;        /* it has shown who it is, or is dialled for it */
    bool is_met, is_up; /* the user knows of it */
    bool gossips;       /* so does the user */
    bool offends;       /* it ends for what the peer did */
    kl_rule why;
    u32 peer; /* its place; of one that is dialled for a friend, the place it is for */
    kl_peer_id id;
    kl_multiaddr remote; /* but of one that is being dialled */
    struct kl_conn *conn;
    u64 began_ns, opened_ns, heard_ns, pinged_ns, swept_ns;
    u64 watched_ns;       /* whether it takes what waits for it was looked at */
    bool pulled;          /* something was asked for since */
    u32 unread;           /* looks in a row at which nothing was */
    kl_nuisance nuisance; /* while it has no place */
    kl_yamux_ado counted; /* of its ado, so far */

    u32 hello_out; /* our stream, until it has said all */
    bool hello_agreed, hello_said, hello_heard;
    struct swarm_in hello_in;
    u32 asks; /* a guest's question who we are, answered once it is let in; 0: none */
    u32 out[KL_SWARM_CLASSES]; /* our streams; 0: none yet */
    bool ready[KL_SWARM_CLASSES];
    struct swarm_in in[KL_SWARM_CLASSES];

    u32 identify_out; /* we ask */
    u32 push_in, push_out;
    struct kl_buf identify_text, push_text;
    bool takes_push;
    u32 told;   /* which version of ours it has heard last */
    u32 pushes; /* of the peer's, since */
    u64 push_since_ns;
    struct swarm_end ends[SWARM_ENDS_MAX];
    struct swarm_ping pings[SWARM_PINGS_MAX];

    u32 gossip_out, gossip_in;
    bool gossip_ready; /* agreed on; what was to be said before waits */
    struct kl_buf gossip_wait;
    struct kl_delimited gossip;
};

struct swarm_peer {
    kl_peer_id id;
    bool used;
    kl_swarm_standing standing;
    u32 link; /* open, or SWARM_NOBODY */
    bool dialling;
    u64 dial_ns, pause_ns;
    kl_nuisance nuisance;
};

struct swarm_knock {
    u8 key[16];
    u32 count; /* in the minute since */
    u64 since_ns;
};

struct swarm_shunned {
    kl_peer_id id;
    u64 until_ns;
};

struct kl_swarm {
    kl_swarm_config config;
    kl_secret32 identity;
    kl_peer_id self;
    struct kl_swarm_user *user;
    char names[SWARM_PROTOCOLS][SWARM_NAME_MAX];
    kl_span name_spans[SWARM_PROTOCOLS];
    kl_conn_protocol protocols[SWARM_PROTOCOLS];
    usize protocol_count;
    struct swarm_peer peers[KL_SWARM_PEERS_MAX];
    struct swarm_link *links[KL_SWARM_LINKS_MAX];
    u32 link_end; /* there were never any from here on */
    struct swarm_knock knocks[SWARM_KNOCKS_MAX];
    struct swarm_shunned shunned[SWARM_SHUNNED_MAX];
    u32 next_shunned;
    u64 now_ns;
    u32 inside; /* calls of a connection that are not over: links are not ended there */
    u32 next_ping;
    u64 refused, bytes_in;
    bool sated; /* strangers who dial us are not let in */

    u32 version; /* of what we say of ourselves */
    usize addr_count, record_len;
    kl_multiaddr addrs[KL_IDENTIFY_ADDRS_MAX];
    u8 record[KL_GOSSIP_RECORD_MAX];
};

/* swarm.c */
u32 swarm_find(const struct kl_swarm *s, const kl_peer_id *id);
/* Tells the user, and ends the link; not inside a connection's call, but for another's. */
void swarm_end(struct kl_swarm *s, u32 at, kl_rule why);
/* Ends it as soon as may be. */
void swarm_fail(struct swarm_link *link, kl_rule why);
/* The same, of one that is not let in. */
void swarm_refuse(struct swarm_link *link, kl_rule why);
/* A place for a friend, of a stranger if there is no other; SWARM_NOBODY: all are friends'. */
u32 swarm_place_for(struct kl_swarm *s, const kl_peer_id *id);
bool swarm_is_friend(const struct swarm_link *link);

/* What a link's peer has done for nothing counts; it fails when that is too much. */
void swarm_nuisance(struct swarm_link *link, u64 units);

/* swarm_talk.c: streams and frames */
void swarm_on_conn(struct kl_conn_user *user, const kl_conn_event *event);
/* It has its place: it is met, and asked who it is. */
void swarm_meet(struct swarm_link *link);
/* Gives it the place of who it has shown to be; what is not kept, or not let in, fails; one whom
 * only its hello can get in is a guest. */
void swarm_take_place(struct swarm_link *link);
void swarm_hear_hello(struct swarm_link *link, kl_span hello);
/* Takes bytes of one frame; *frame, once it is whole, until the buffer is cleared.  False: there is
 * none yet, or it is too long, and the link fails. */
bool swarm_take_frame(struct swarm_link *link, struct kl_buf *buf, kl_span *data, kl_span *frame);

/* swarm_guest.c: who is not known, at a network that is not open */
void swarm_on_guest(struct swarm_link *link, const kl_conn_event *event);

/* swarm_service.c: identify and ping */
void swarm_ask_identify(struct swarm_link *link);
/* Says who we are, in a stream that asks for it, or is of a push. */
void swarm_tell_of_us(struct swarm_link *link, u32 stream);
void swarm_service_stream(struct swarm_link *link, const kl_conn_event *e);
void swarm_service_data(struct swarm_link *link, u32 stream, kl_span data);
void swarm_service_gone(struct swarm_link *link, u32 stream, kl_conn_event_kind how);
u64 swarm_service_due_ns(const struct swarm_link *link);
void swarm_service_tick(struct swarm_link *link);

/* swarm_gossip.c */
void swarm_begin_gossip(struct swarm_link *link, kl_gossip_version version);
void swarm_gossip_stream(struct swarm_link *link, const kl_conn_event *e);
void swarm_gossip_data(struct swarm_link *link, kl_span data);
void swarm_gossip_gone(struct swarm_link *link, u32 stream);

/* swarm_limit.c: who is let in */
/* May one more connection come from there? */
kl_rule swarm_knock(struct kl_swarm *s, const kl_multiaddr *remote);
/* May whoever has shown who it is stay, without a place of its own?  May end another link. */
kl_rule swarm_admit(struct swarm_link *link);
void swarm_shun(struct kl_swarm *s, const kl_peer_id *id);
bool swarm_is_shunned(const struct kl_swarm *s, const kl_peer_id *id);
/* The stranger that goes first, or SWARM_NOBODY; inbound: only of those that dialled us and have
 * said no hello in time. */
u32 swarm_least(const struct kl_swarm *s, bool inbound);
/* Sends who hoards away, when there is too much. */
void swarm_bound_held(struct kl_swarm *s);
/* Bytes of big frames that wait for strangers. */
usize swarm_waiting(const struct kl_swarm *s);

#endif
