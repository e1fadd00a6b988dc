/* replica: one member of a network whose validators vote.  It carries out what the engine
 * (consensus/simplex.h) and the fetch machine (sync/fetch.h) ask for: blocks are built, judged and
 * made final, votes signed behind the guard, messages sent, certificates and bodies made durable;
 * and it gives them the answers.  The real node and the simulator run this same code.
 *
 * It has no thread and no clock of its own: it is told the time, what peers said, and when its jobs
 * are done, by one thread at a time ("the replica's thread"), which never waits in it.  Slow work
 * goes to lanes (jobs.h).  What it sends goes to a network interface that takes whole frames and
 * never blocks.
 *
 * Two folders: the chain's data, and the key's with the sign guard, which may be another disk.
 *
 * Acknowledged: a final block is shown to readers when its Finalization is known and everything
 * that this node voted with was durable before; observers, and all nodes of networks with fewer
 * than four validators, wait for their own ledger's sync [DESIGN 7].
 *
 * Below the chain's pinned block (chain/pin.h) it signs nothing.  Where another one becomes final
 * at that height, it takes neither that nor what follows, and goes on as when a disk fails, with
 * KL_UNSUPPORTED.
 *
 * When a disk fails, in any of its logs, the replica stops signing and committing for good, says so
 * (health), goes on answering reads, and goes on forwarding what peers ask for from what it has.
 * Where its health is KL_FULL, nothing but room is missing: closed and opened again when there is
 * some, it goes on. */
#ifndef KL_HOST_REPLICA_H
#define KL_HOST_REPLICA_H

#include "chain/chain.h"
#include "chain/reader.h"
#include "consensus/simplex.h"
#include "guard/guard.h"
#include "host/bft_log.h"
#include "host/jobs.h"
#include "sync/fetch.h"
#include "txpool/txpool.h"

struct kl_replica;

/* Blocks that are missing, above which it is far behind, by the word of more than a third of the
 * peers.  At the genesis there is nothing to lose, and taking a state costs a few seconds at least,
 * in which these blocks are executed as well; whoever has a state would lose the history of it. */
enum { KL_REPLICA_FAR_FRESH = 256, KL_REPLICA_FAR = 1 << 17 };

/* A member as the network numbers it, 0 .. KL_REPLICA_PEERS_MAX - 1: whoever holds a connection. */
enum { KL_REPLICA_PEERS_MAX = 256 };
#define KL_REPLICA_ALL KL_BFT_ALL

enum { KL_REPLICA_GOSSIP_ID_LEN = 32 };

/* What a message of gossip is worth: passed on; against the rules, whoever looks at it; or neither.
 */
typedef enum kl_replica_verdict {
    KL_REPLICA_ACCEPT,
    KL_REPLICA_REJECT,
    KL_REPLICA_IGNORE,
} kl_replica_verdict;

/* Takes a frame (sync/message.h) for a peer, or for all that are connected; copies what it keeps;
 * loses it where it must. */
struct kl_replica_net {
    void (*send)(struct kl_replica_net *net, u32 peer, kl_message_kind kind, kl_span frame);
    /* The peer broke a rule that no correct one breaks. */
    void (*penalize)(struct kl_replica_net *net, u32 peer, kl_rule rule);
    /* It has made us do so much for nothing, which a correct one may do now and then; units of
     * nuisance, bytes beside them.  NULL: nobody counts. */
    void (*blame)(struct kl_replica_net *net, u32 peer, u64 units);
    /* Says a frame of transactions to everybody, through whoever passes it on; the answer to
     * kl_replica_gossiped, which may come at once.  NULL: own ones are sent to all. */
    void (*publish)(struct kl_replica_net *net, kl_span frame);
    void (*verdict)(struct kl_replica_net *net, const u8 id[KL_REPLICA_GOSSIP_ID_LEN],
                    kl_replica_verdict verdict);
    /* Whether a validator is to be spoken to now, by its vote key.  NULL: that is not known. */
    bool (*reaches)(struct kl_replica_net *net, const u8 *key);
};

/* A block that was proposed and gets no vote of ours: it breaks a rule, or (CONSENSUS_EARLY) its
 * time is too far ahead of our clock so far. */
typedef struct kl_replica_refusal {
    kl_rule why;
    u64 number, epoch, view;
    bool has_leader; /* that view's, where the epoch is the one we are in */
    kl_address leader;
} kl_replica_refusal;

/* Hears what becomes visible, on the replica's thread; must return quickly.  Each may be NULL. */
struct kl_replica_watch {
    void (*final)(struct kl_replica_watch *watch, struct kl_tip *tip);  /* shown to readers */
    void (*signs)(struct kl_replica_watch *watch, const kl_vote *vote); /* a signature was made */
    void (*found)(struct kl_replica_watch *watch, const kl_evidence *evidence);
    void (*alarm)(struct kl_replica_watch *watch, const char *what); /* static text */
    /* Somebody else has signed this with our key: signing is off, in later lives too. */
    void (*barred)(struct kl_replica_watch *watch, const kl_vote_subject *subject);
    /* So many blocks are missing here that the others' state is to be taken instead (filler.h):
     * this replica is to be closed, and goes on by blocks until it is.  Once. */
    void (*far)(struct kl_replica_watch *watch, u64 height);
    /* Nothing became final for some seconds though it should, and why; and that it is over. */
    void (*stalls)(struct kl_replica_watch *watch, const char *line); /* for the call */
    void (*refused)(struct kl_replica_watch *watch, const kl_replica_refusal *refusal);
};

typedef struct kl_replica_config {
    kl_chain_config chain;
    kl_pool_config pool;
    struct kl_fs *log_fs;                   /* the consensus log lies in its folder `consensus` */
    struct kl_fs *key_fs;                   /* the sign guard's folder; NULL: no key, observe */
    kl_secret32 vote_secret, randao_secret; /* copied, wiped at close; with key_fs */
    bool restored;   /* key or data came back from a copy, whoever brought it back says: what was
                        signed since is unknown, so it watches until the network is past all of it;
                        as a guard does that says it of itself (kl_guard_is_doubted) */
    bool shares_key; /* tests: somebody else signs with the key, and that is fine */
    /* Evidence goes on chain by a transaction of this account, where there is a policy contract;
     * copied, wiped at close. */
    bool has_operator;
    kl_secret32 operator_secret;
    kl_address coinbase;
    u64 gas_limit;  /* the builder aims at; 0: the parent's */
    u64 drift_ns;   /* how far ahead of our clock a block's time may be */
    u32 window;     /* of the engine, views */
    u64 far_blocks; /* in the place of KL_REPLICA_FAR_FRESH; 0: that */
    /* Bodies of so many bytes and more are proposed by the hashes of their transactions; 0: 4 KiB.
     */
    usize compact_bytes;
    struct kl_clock *clock;
    struct kl_jobs *jobs;
    struct kl_replica_net *net;
    struct kl_replica_watch *watch; /* or NULL */
    struct kl_workers *workers;
    struct kl_code_cache *codes;
    u64 seed;
} kl_replica_config;

typedef struct kl_replica_report {
    kl_chain_report chain;
    kl_bft_log_report log;
    kl_rule guard; /* GUARD_MISSING and the like: it observes; KL_RULE_NONE: it signs, or will */
    const char *beside; /* what could not be opened, where that is not the chain: its name */
} kl_replica_report;

/* Watching.  A copy of a guard lacks votes, and nothing in it says so; where the consensus log
 * shows a vote that it lacks, that is found at the start.  Who watches signs nothing until a block
 * that was proposed after the start (time_ms above our clock by more than drift_ns) is final, and
 * behind it one of two views later: whoever had signed in the view that the old life was in, or the
 * one before, has left it by then.  That takes clocks of honest nodes within drift_ns of one
 * another.
 *
 * Opens chain, consensus log and guard; says nothing yet.  A guard that is missing, damaged or
 * another's makes an observer, never a new guard; kl_guard_create is for whoever makes the key.
 * Fails like kl_chain_open and kl_bft_log_open.  Every lane is idle. */
KL_MUST_USE kl_status kl_replica_open(struct kl_replica **out, const kl_replica_config *config,
                                      struct kl_progress *progress, kl_replica_report *report);
/* No job is running.  Those that wait are dropped, must not be run any more, and their done is not
 * called: what a crash leaves, or a hurry.  NULL is fine. */
void kl_replica_close(struct kl_replica *replica);

/* Restores the engine from log and guard and starts it. */
void kl_replica_start(struct kl_replica *replica);

/* A peer can be spoken to, or no longer. */
void kl_replica_connected(struct kl_replica *replica, u32 peer);
void kl_replica_disconnected(struct kl_replica *replica, u32 peer);
/* What a peer is to us, until it is disconnected; said before kl_replica_connected, or later. */
typedef enum kl_replica_rank {
    KL_REPLICA_PEER,
    KL_REPLICA_WARD,     /* a validator that this node stands in front of: votes and proposals go
                            to it and from it to others by way of this node */
    KL_REPLICA_STRANGER, /* votes and proposals are neither taken from it for wards nor sent to it
                            for them */
} kl_replica_rank;
void kl_replica_set_rank(struct kl_replica *replica, u32 peer, kl_replica_rank rank);
/* A frame of a peer, judged here. */
void kl_replica_receive(struct kl_replica *replica, u32 peer, kl_span frame);

/* A frame of transactions that somebody has published, which peer has passed on; judged when its
 * transactions have been looked at, and then net's verdict is told. */
void kl_replica_gossiped(struct kl_replica *replica, const u8 id[KL_REPLICA_GOSSIP_ID_LEN],
                         u32 peer, kl_span frame);

/* The monotonic time at which it wants to be called, UINT64_MAX: not by itself; and the call. */
u64 kl_replica_due_ns(const struct kl_replica *replica);
void kl_replica_tick(struct kl_replica *replica);

/* A transaction of our own user's, decoded, with sender; admitted at once by what the pool knows of
 * the head (account facts are read here: not for untrusted volume), and sent to all peers.
 * only_new: see kl_pool_arrival.  *broken: see kl_pool_add.
 *
 * Until a final block holds it, or none can any more, it is sent to everybody every ten seconds and
 * to each peer that comes, and a file in the data folder keeps it over a restart.  What is beyond
 * 16,384 of them, or 32 MiB, is only in the pool. */
KL_MUST_USE kl_status kl_replica_submit(struct kl_replica *replica, const kl_tx *tx, bool only_new,
                                        kl_rule *broken);
/* Whether it is followed here like that; durable: after a power cut it will be there again. */
typedef enum kl_replica_own {
    KL_REPLICA_NOT_OWN,
    KL_REPLICA_OWN,
    KL_REPLICA_OWN_DURABLE,
} kl_replica_own;
kl_replica_own kl_replica_own_of(const struct kl_replica *replica, const kl_hash *hash);
/* Whether the file is about to hold it: seldom so, when the file is just being renewed.  Where this
 * is false, kill -9 does not take it. */
bool kl_replica_is_writing(const struct kl_replica *replica, const kl_hash *hash);

/* The nonce after the last pending one of sender, as of the newest final block that is known here,
 * which readers may not have been shown yet.  Fails like a read of the state. */
KL_MUST_USE kl_status kl_replica_next_nonce(struct kl_replica *replica, const kl_address *sender,
                                            u64 *out);

struct kl_chain *kl_replica_chain(struct kl_replica *replica);
struct kl_pool *kl_replica_pool(struct kl_replica *replica);

/* It is to write nothing any more, as if a disk had been found to be full. */
void kl_replica_halt(struct kl_replica *replica);

/* Why no blocks are made final any more: KL_OK, or what failed. */
kl_status kl_replica_health(const struct kl_replica *replica);
kl_simplex_status kl_replica_consensus(const struct kl_replica *replica);

/* Where the newest final block stands here, and with others: the highest that is known to be final
 * or that more than a third of the peers say they have. */
typedef struct kl_replica_sync {
    u64 first, height, target; /* first: at the start; target: not below the pinned block */
    u64 eta_s;                 /* by what came since it fell behind; UINT64_MAX: cannot be told */
    bool off_pin;              /* `found` is final where the pinned block belongs */
    kl_hash found;
    kl_fetch_lack lack;
} kl_replica_sync;
kl_replica_sync kl_replica_sync_of(const struct kl_replica *replica);

/* Why no block is made final, for people. */
enum { KL_REPLICA_WHY_MAX = 640 };
typedef struct kl_replica_why {
    kl_simplex_status consensus;
    u64 stalled_ns; /* how long nothing became final though it should; 0: that is not so */
    /* By place in the epoch's set: since its last vote came, at most since the start; our own: 0 */
    u64 silent_ns[KL_VALIDATORS_MAX];
    char text[KL_REPLICA_WHY_MAX];
} kl_replica_why;
void kl_replica_why_of(const struct kl_replica *replica, kl_replica_why *out);

/* Blocks that came by hashes, since the start: rebuilt from what was here, after the missing ones
 * had been asked for, or not at all, so that the whole was asked for. */
typedef struct kl_replica_compacts {
    u64 rebuilt, completed, given_up;
} kl_replica_compacts;
kl_replica_compacts kl_replica_compacts_of(const struct kl_replica *replica);

/* Bytes and counts it holds for peers and candidates, for bounds and metrics. */
typedef struct kl_replica_load {
    usize candidates; /* blocks judged and not final */
    usize candidate_bytes;
    usize jobs;          /* given and not done */
    u64 baseless_builds; /* ever: the engine asked for a block on one that was not executed here */
} kl_replica_load;
kl_replica_load kl_replica_load_of(const struct kl_replica *replica);

#endif
