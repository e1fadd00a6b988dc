/* replica_rig: a few replicas wired directly, in one thread: virtual time, a network that keeps
 * order and loses what a test says, lanes that take a moment for each job, simulated disks.  What
 * becomes final is compared between nodes, height by height. */
#ifndef KL_HOST_REPLICA_RIG_TEST_H
#define KL_HOST_REPLICA_RIG_TEST_H

#include "base/test.h"
#include "host/filler.h"

enum { RIG_NODES_MAX = 8, RIG_HEIGHTS_MAX = 16384, RIG_ACCOUNTS = 4, RIG_VOTES_MAX = 65536 };
#define RIG_MS 1000000ull
#define RIG_S  1000000000ull

struct kl_sim_disk;
struct rig;

struct rig_node {
    struct rig *rig;
    u32 index;
    bool up;
    u32 life;
    struct kl_replica *replica; /* or, while it takes a state from the others, */
    struct kl_filler *filler;
    kl_replica_report report;
    struct kl_sim_disk *disk, *key_disk;
    struct kl_kv *kv;
    kl_secret32 vote_secret, randao_secret;
    struct kl_clock clock;
    i64 skew_ns; /* of its wall clock */
    struct kl_jobs jobs;
    struct kl_replica_net net;
    struct kl_replica_watch watch;
    u64 lane_free_ns[KL_LANES], lane_slow_ns[KL_LANES];
    u64 height; /* shown */
    usize signs, found, penalties, far, refused;
    u64 blamed;             /* units of nuisance, of whoever */
    kl_rule refusal;        /* the last one, of a block */
    kl_rule penalty;        /* the last one */
    u64 verdicts[3];        /* on gossip, by kind */
    kl_vote_subject *votes; /* all that it ever signed: none excludes another (checked) */
    usize vote_count;
    char alarm[100];
    usize stalls; /* lines that said why there is no block */
    char stall[KL_REPLICA_WHY_MAX + 100];
};

struct rig_item;

struct rig {
    u32 count;
    u64 epoch_blocks;
    u32 period_ms, empty_ms;
    bool no_key[RIG_NODES_MAX]; /* observers */
    bool restored[RIG_NODES_MAX];
    bool used[RIG_NODES_MAX]; /* somebody else has its key; it fails where another thinks so */
    u8 wards[RIG_NODES_MAX];  /* bit i: node i is one */
    kl_pin pin[RIG_NODES_MAX];
    bool policy; /* the validator contract is there, validators are accounts, votes secp256k1's */
    struct rig_node nodes[RIG_NODES_MAX];
    u64 now_ns, order, rng;
    struct rig_item *items; /* by time */
    /* Whether a frame gets through; NULL: all do. */
    bool (*passes)(struct rig *rig, u32 from, u32 to, kl_message_kind kind);
    /* Changes what somebody says; NULL: nothing. */
    void (*twist)(struct rig *rig, u32 from, kl_message *message);
    bool cut[RIG_NODES_MAX]; /* from everybody else */
    u32 loss_percent;
    u64 delay_ns; /* at most so much beyond the usual: frames overtake one another */
    u64 frames[KL_MESSAGE_LAST + 1]; /* that arrived, by kind */
    kl_hash final[RIG_HEIGHTS_MAX];
    u64 height, transactions;
    usize compact_bytes; /* of replicas' config */
    u64 queued_ns;       /* of their pools' */
    u64 nonce[RIG_ACCOUNTS];
    u64 fee_percent; /* of what transactions offer usually; 0: 100 */
    struct kl_arena arena;
    struct kl_buf genesis;
    const kl_vote_scheme *scheme;
};

void rig_init(struct rig *rig, u32 count, u64 epoch_blocks, u64 seed);
/* Makes guards, opens and starts everybody. */
void rig_start(struct rig *rig);
void rig_done(struct rig *rig);

void rig_open(struct rig *rig, u32 node);
kl_chain_config rig_chain_config(struct rig *rig, u32 node);
/* Another data folder, empty, of a node that is down; its key stays. */
void rig_wipe(struct rig *rig, u32 node);
/* Opens a node to be filled by the others; once it is over, rig_filled opens its replica. */
void rig_fill(struct rig *rig, u32 node);
void rig_filled(struct rig *rig, u32 node);
/* Power is lost: what is unsynced is gone, or some of it. */
void rig_crash(struct rig *rig, u32 node);
void rig_crash_how(struct rig *rig, u32 node, unsigned how); /* kl_power_cut */
/* Until the time, or until everybody who is up has shown height. */
void rig_until(struct rig *rig, u64 end_ns);
bool rig_reaches(struct rig *rig, u64 height, u64 timeout_ns);
/* A transfer, sent to a node. */
kl_rule rig_submit(struct rig *rig, u32 node, u32 account);
/* The same, signed and not sent; chain_id 4711 is the rig's. */
kl_tx rig_tx(struct rig *rig, u32 account, u64 chain_id);
/* A frame of one envelope, as if a peer passed it on; the time goes on until there is a verdict. */
kl_replica_verdict rig_gossip(struct rig *rig, u32 to, u32 from, kl_span envelope);
/* A frame as if it came from a peer. */
void rig_deliver(struct rig *rig, u32 to, u32 from, const kl_message *message);

#endif
