/* member_priv: a member, for its own files. */
#ifndef KL_NODE_MEMBER_PRIV_H
#define KL_NODE_MEMBER_PRIV_H

#include "base/sync.h"
#include "node/hello.h"
#include "node/member.h"
#include "node/peers.h"
#include "sys/thread.h"

struct kl_member {
    kl_replica_config config;
    struct kl_replica_net net;
    struct kl_net *wire; /* or NULL, with the peers */
    struct kl_net_user wire_user;
    struct kl_peers *peers;
    struct kl_fs *fs; /* where peers.json is */
    struct kl_peers_wire peers_wire;
    u64 genesis_time;
    u64 epoch;            /* whose set the peers know */
    atomic_bool reranked; /* somebody is wanted, or not any more */
    struct kl_replica_watch watch;
    struct kl_member_listener *listener;
    struct kl_lanes *lanes;
    struct kl_replica *replica;
    struct kl_filler *filler; /* NULL: the replica is at work */
    kl_thread thread;
    bool running;

    kl_mutex lock; /* the replica's, and of what follows; before that of the peers */
    kl_peer_id ids[KL_SWARM_PEERS_MAX];
    bool up[KL_SWARM_PEERS_MAX];
    kl_multiaddr address; /* where we listen, and who we are */
    bool saves;           /* peers.json is being written, with this text */
    u64 save_ns;
    struct kl_job saving;
    struct kl_buf saved;
    kl_cond progress; /* something was shown */
    u64 shown;        /* blocks, so far */
    u32 keepers;      /* who waits for a file to hold a transaction */
    bool over;        /* jobs that end are of no interest any more */
    kl_status told;   /* what the listener knows to be broken */
    u64 fill_told_ns; /* when the listener heard of filling */
    bool fill_over;   /* and that it is over */

    kl_mutex bell; /* taken inside lock, or alone */
    kl_cond ring;
    bool rung, stop;
    u64 sleeps_until_ns; /* the thread; NEVER: it does not sleep */
};

/* The thread is to look what is due. */
void member_wake(struct kl_member *m);
/* The end of what another thread has done to the replica; the lock is held, and given back. */
void member_leave(struct kl_member *m);

/* member_net.c: others, and what they say. */
void member_net_init(struct kl_member *m);
KL_MUST_USE kl_status member_net_open(struct kl_member *m, const kl_replica_config *config,
                                      const kl_member_network *network, bool *listens);
void member_net_close(struct kl_member *m); /* the lanes are halted */
/* Who votes in the epoch of the blocks that follow tip. */
void member_net_set_validators(struct kl_member *m, const struct kl_tip *tip);
/* What is due, under the lock; returns when the next is. */
u64 member_net_turn(struct kl_member *m);

#endif
