/* wire: machines joined as nodes are: each has a swarm (p2p/swarm.h) and a router of gossip
 * (p2p/gossip.h), and between them is what TCP makes of a bad network.
 *
 *   wire.c   the swarms: what replicas say, and what they hear; what must hold of connections
 *   pipe.c   connections: bytes in order, late, in any portions, of which so many are on their way
 *
 * Bytes are never lost, come once and in order; the weather holds them up.  Where links are cut a
 * connection is silent until somebody gives it up; a machine that goes down resets its connections,
 * or leaves them without a word.  Everything is drawn from a generator of the wire's own. */
#ifndef KL_LAB_WIRE_PRIV_H
#define KL_LAB_WIRE_PRIV_H

#include "lab/world_priv.h"
#include "p2p/swarm.h"

#define KL_LAB_WIRE_NONE UINT32_MAX /* no pipe, no number in gossip, no peer */

/* What an event of a machine's wire is about: kl_lab_event.lane. */
typedef enum kl_lab_wire_event {
    KL_LAB_WIRE_TICK,  /* swarm or gossip asked to be called */
    KL_LAB_WIRE_INBOX, /* there is something for the replica */
    KL_LAB_WIRE_LATE,  /* frame is to be sent to peer */
} kl_lab_wire_event;

/* Of those that were met. */
struct lab_place {
    u32 machine; /* who stands there */
    bool gray;
    u32 gossip; /* its number in the router, or KL_LAB_WIRE_NONE */
};

/* What came for the replica: a frame, or word of a connection. */
struct lab_item {
    struct kl_lab_frame *frame; /* NULL: word of a connection */
    u32 peer;
    bool up, gossiped;
    u8 id[KL_GOSSIP_ID_LEN];
};

/* The wire's end at a machine that is up. */
struct kl_lab_plug {
    struct kl_swarm_user user; /* first */
    struct kl_gossip_user gossip_user;
    struct kl_lab_machine *machine;
    struct kl_swarm *swarm;
    struct kl_gossip *gossip;
    u32 pipe_of[KL_SWARM_LINKS_MAX]; /* of a link, or KL_LAB_WIRE_NONE */
    struct lab_place places[KL_SWARM_PEERS_MAX];
    bool up[KL_LAB_MACHINES_MAX]; /* frames flow to that machine */
    u64 since_ns;                 /* it is up */
    u64 beat_ns, tick_ns;         /* tick_ns: of the event in the heap */
    bool touched;                 /* its wish to be called may have changed */
    bool any_gray, inbox_posted;
    struct lab_item *inbox;
    usize inbox_count, inbox_cap;
    struct {
        u8 id[KL_GOSSIP_ID_LEN];
        u32 peer;
    } judged[1024]; /* messages that a verdict is awaited on, newest last */
    u64 judged_count;
};

struct lab_pipe;

struct kl_lab_wire {
    u64 dice;
    struct kl_entropy entropy;
    char digest[9], topic[32];
    kl_secret32 identities[KL_LAB_MACHINES_MAX];
    kl_peer_id ids[KL_LAB_MACHINES_MAX];
    bool open;    /* observers are strangers, whom validators do not list */
    bool world;   /* machines have public addresses, of which connections are counted */
    u64 delay_ns; /* latencies and jitter are up to */
    u64 latency_ns[KL_LAB_MACHINES_MAX][KL_LAB_MACHINES_MAX];
    bool mute[KL_LAB_MACHINES_MAX]; /* down, and nothing answers in its place */
    struct lab_pipe **pipes;
    u32 pipe_count, pipe_cap, serial;
    bool any_over;
    struct lab_dirty {
        u32 pipe, serial, end;
    } * dirty;
    usize dirty_count, dirty_cap;
};

/* --- pipe.c --- */
/* A connection that a machine dials: swarms are told how it goes on. */
u32 kl_lab_pipe_dial(struct kl_lab *lab, u32 from, u32 link, u32 to);
/* The machine that holds the link has closed it. */
void kl_lab_pipe_close(struct kl_lab *lab, u32 pipe, u32 machine, u32 link);
/* Its swarm has something to send. */
void kl_lab_pipe_writable(struct kl_lab *lab, u32 pipe, u32 machine, u32 link);
/* The other end's machine. */
u32 kl_lab_pipe_peer(const struct kl_lab *lab, u32 pipe, u32 machine);
/* A machine is gone; silently: nobody is told. */
void kl_lab_pipe_abandon(struct kl_lab *lab, u32 machine, bool silently);
void kl_lab_pipe_happen(struct kl_lab *lab, const kl_lab_event *event);
/* What was cut or clogged may flow again. */
void kl_lab_pipe_heal(struct kl_lab *lab);
/* Sends what swarms have to say, and forgets connections that are over. */
void kl_lab_pipe_settle(struct kl_lab *lab);
void kl_lab_pipe_done(struct kl_lab *lab);

/* --- wire.c --- */
u64 kl_lab_wire_below(struct kl_lab *lab, u64 n);
bool kl_lab_wire_percent(struct kl_lab *lab, u32 percent);
/* A pipe has come to the machine: a link, or KL_SWARM_NONE. */
i32 kl_lab_wire_accepts(struct kl_lab_machine *machine, u32 from, u32 pipe);
kl_multiaddr kl_lab_wire_addr(const struct kl_lab *lab, u32 machine);

void kl_lab_wire_begin(struct kl_lab *lab);
void kl_lab_wire_done(struct kl_lab *lab);
void kl_lab_wire_start(struct kl_lab_machine *machine);
void kl_lab_wire_stop(struct kl_lab_machine *machine);
/* Whether what is said to all is said to it: votes and proposals are not for strangers. */
bool kl_lab_wire_tells(struct kl_lab_machine *from, u32 to, kl_message_kind kind);
/* As the replica's network interface. */
void kl_lab_wire_send(struct kl_lab_machine *from, u32 to, struct kl_lab_frame *frame,
                      u64 extra_ns);
void kl_lab_wire_publish(struct kl_lab_machine *machine, const struct kl_lab_frame *frame);
void kl_lab_wire_verdict(struct kl_lab_machine *machine, const u8 id[KL_GOSSIP_ID_LEN],
                         kl_replica_verdict verdict);
void kl_lab_wire_penalize(struct kl_lab_machine *machine, u32 peer, kl_rule rule);
/* A machine's event; and what follows any event of the world. */
void kl_lab_wire_happen(struct kl_lab_machine *machine, const kl_lab_event *event);
void kl_lab_wire_settle(struct kl_lab *lab);
/* In calm weather: all honest machines that are up are connected; breaks the run where two have
 * not been for too long. */
bool kl_lab_wire_is_whole(struct kl_lab *lab);

#endif
