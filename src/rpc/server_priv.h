/* server: the threads and sockets under the connections.
 *
 * There is one lane a thread: an event loop with the connections that were given to it.  A lane's
 * thread serves a request where it stands, so the common, short call costs no hand-over.  A call
 * that takes long must not keep the lane's other clients waiting: after some milliseconds a spare
 * thread takes the lane over and goes on with the next event, while the first finishes its call,
 * posts the answer to the lane and becomes a spare itself.
 *
 *     lane.word:   OWNED ──call──► IN_CALL ──done──► OWNED      (the thread that called)
 *                                     └──taken───► OWNED        (the spare that took it)
 *
 * Both ways out of IN_CALL are compare-and-swaps of one word that carries the call's number:
 * exactly one of the two threads owns the lane afterwards.  Everything in a lane but its mail and
 * its counters belongs to its owner; a busy peer's conn and session belong to the thread that is in
 * its call. */
#ifndef KL_RPC_SERVER_PRIV_H
#define KL_RPC_SERVER_PRIV_H

#include "rpc/conn_priv.h"
#include "rpc/feed.h"
#include "rpc/session.h"
#include "rpc/worker_priv.h"
#include "sys/loop.h"
#include "sys/thread.h"

enum {
    KL_RPC_LANES_MAX = 64,
    KL_RPC_SPARES_MAX = 8, /* threads beyond one a lane: so many slow calls hold nobody up */
};

struct kl_lane;
struct kl_rpc_thread;

/* A client. */
struct kl_peer {
    struct kl_watch watch;
    struct kl_timer timer;
    struct kl_conn conn;
    struct kl_lane *lane;
    struct kl_rpc_session *session; /* of a WebSocket; made at its first call */
    bool watched;                   /* by the lane's loop, */
    unsigned interest;              /* for this */
    bool busy;                      /* a call is in work */
    bool gone;                      /* while busy: the client has hung up */
    bool again, hearing;            /* in the lane's lists of these names */
    struct kl_rpc_thread *thread;   /* busy: which calls, */
    u64 number;                     /* and the call's number there */
    u32 place;                      /* of its address, in the quota */
    struct kl_peer *next, *prev;
    struct kl_peer *next_again, *next_mail;
};

struct kl_lane {
    struct kl_rpc *server;
    struct kl_loop *loop;
    struct kl_watch listener;
    struct kl_timer accept_timer; /* until accepting is tried again */
    bool accepting, stopping, stopping_now;
    struct kl_peer *peers;
    struct kl_peer *again_first, *again_last; /* have input left that has arrived already */
    kl_moment now;
    u64 date_ns; /* when now.date was made */
    u64 told_steps, told_pending;
    struct kl_rpc_thread *thread; /* the owner's, for handlers */
    u64 calls;

    _Atomic u64 word;
    u64 seen_word; /* the watcher's: at its last look */
    atomic_size_t peer_count;
    atomic_uint hearing_count;

    kl_mutex mutex;
    struct kl_peer *mail; /* new peers, and peers whose call is done; newest first */
    atomic_bool has_mail;
};

struct kl_rpc_thread {
    struct kl_rpc *server;
    kl_thread thread;
    struct kl_rpc_worker worker;
    struct kl_buf out;
    u8 *inbox;
    struct kl_lane *lane;    /* to begin with; NULL for spares */
    _Atomic u64 call_number; /* 0: in no call */
    _Atomic u64 call_began_ns;
};

enum { KL_RPC_RUNNING, KL_RPC_STOPPING, KL_RPC_STOP_NOW };

struct kl_rpc {
    kl_rpc_config config;
    struct kl_rpc_core core;
    struct kl_quota quota;
    struct kl_conn_env env;
    char *greeting, *cors;
    int listener_fd;
    u16 port;
    usize connection_max;
    atomic_size_t connections;
    _Atomic u64 refused, taken;
    atomic_int phase;
    struct kl_lane *lanes;
    usize lane_count;

    kl_mutex mutex; /* over what follows */
    kl_cond changed;
    struct kl_rpc_thread *threads[KL_RPC_LANES_MAX + KL_RPC_SPARES_MAX];
    usize thread_count;
    usize spares;     /* threads without a lane */
    bool watched;     /* one of them watches the lanes */
    usize lanes_left; /* not yet empty after a stop */
    atomic_bool watcher_sleeps;
};

/* As kl_rpc_start, with a table of methods. */
KL_MUST_USE kl_status kl_rpc_start_with(struct kl_rpc **out, const kl_rpc_config *config,
                                        kl_rpc_table methods);

/* lane.c */
KL_MUST_USE kl_status kl_lane_open(struct kl_lane *lane, struct kl_rpc *server);
void kl_lane_close(struct kl_lane *lane);
/* Serves the lane until it has been taken by another thread (false), or is empty after a stop. */
bool kl_lane_run(struct kl_lane *lane, struct kl_rpc_thread *thread);
/* Takes the lane from its thread when that has been in one and the same call since the last look.
 */
bool kl_lane_take(struct kl_lane *lane);

/* server.c: wakes the watcher if it sleeps. */
void kl_rpc_watch(struct kl_rpc *server);
void kl_moment_now(kl_moment *out, struct kl_clock *clock);

#endif
