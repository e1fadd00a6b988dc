/* lab: a network of replicas over virtual time, network and disks, in one thread, from one seed;
 * and an oracle that knows what must never happen [notes: the deterministic simulator].
 *
 * The replicas are the production code (host/replica.h) with everything below it: chain, execution,
 * ledger, state, pool, fetch, engine, guard.  What the seed decides: when messages arrive and
 * whether, how long disks and execution take, who crashes, what of an unsynced write survives, who
 * lies.  The same seed and options give the same trace hash on every run and machine.
 *
 * docs/internals/lab.md names the parts. */
#ifndef KL_LAB_LAB_H
#define KL_LAB_LAB_H

#include "base/span.h"
#include "base/status.h"

/* Classes of faults; a seed's swarm has each on or off. */
#define KL_LAB_FAULTS(X)                                                                         \
    X(LOSS, "loss")             /* messages are lost, 0 to 30 % */                               \
    X(DUPLICATE, "duplicate")   /* or come twice */                                              \
    X(DELAY, "delay")           /* or late, with a heavy tail */                                 \
    X(PARTITION, "partition")   /* some cannot reach others, one way or both */                  \
    X(CLOG, "clog")             /* a link carries nothing for a while, then all at once */       \
    X(SKEW, "skew")             /* wall clocks are off by up to 2 s, and jump */                 \
    X(CRASH, "crash")           /* power is lost: unsynced bytes, all, some or none, are gone */ \
    X(PAUSE, "pause")           /* a process stands still for 1 to 60 s */                       \
    X(SLOW_DISK, "slow-disk")   /* a sync takes up to 2 s */                                     \
    X(DISK_ERROR, "disk-error") /* EIO, or no space, from some operation on */                   \
    X(BITFLIP, "bit-flip")      /* a bit of a log turns */                                       \
    X(WIPE, "wipe")             /* the data folder is lost, the key is not */                    \
    X(BACKUP, "backup")         /* data and key come back from an old copy */                    \
    X(SLOW_EXEC, "slow-exec")   /* blocks take long to execute */                                \
    X(SET_CHANGE, "set-change") /* validators are voted in and out, epoch by epoch */            \
    X(BYZANTINE, "byzantine")   /* up to F weight does what attack.h says */

typedef enum kl_lab_fault {
#define KL_LAB_FAULT_X(name, text) KL_LAB_##name,
    KL_LAB_FAULTS(KL_LAB_FAULT_X)
#undef KL_LAB_FAULT_X
        KL_LAB_FAULT_COUNT,
} kl_lab_fault;
/* "loss"; NULL beyond the last. */
const char *kl_lab_fault_name(kl_lab_fault fault);

/* Deliberate bugs of a host, which the oracle must catch: the test of the tests. */
enum {
    KL_LAB_BUG_GUARD_UNSYNCED = 1 << 0,  /* signs before the guard is durable */
    KL_LAB_BUG_GUARD_RESET = 1 << 1,     /* begins a guard anew at each start */
    KL_LAB_BUG_LOG_UNSYNCED = 1 << 2,    /* votes before bodies and certificates are durable */
    KL_LAB_BUG_LEDGER_UNSYNCED = 1 << 3, /* shows blocks before they are durable */
    KL_LAB_BUG_WIRE_TURNS_BITS = 1
                                 << 4, /* with a wire: a byte that comes is another, now and then */
};

typedef struct kl_lab_options {
    u64 seed;
    u32 nodes;  /* validators at the start, 1 to 24; 0: the seed decides */
    u64 views;  /* the run ends when so many were entered; 0: the seed decides, 100 in the middle */
    u32 faults; /* bit 1 << kl_lab_fault: allowed; of these the seed takes each with one half */
    bool all;   /* take every allowed fault */
    u8 scheme;  /* of votes; 0: the seed decides, mostly the one for tests */
    u32 attack; /* what all faulty validators do, see world_priv.h; 0: the seed decides */
    u32 bugs;   /* deliberate ones, for tests */
    bool forks; /* more than F are twins: the chain may fork, and who did it must be seen */
    bool wire;  /* machines are joined by p2p over byte streams, see wire_priv.h */
    bool tell;  /* every step on standard output */
    bool silent; /* nothing on standard error, however it ends */
} kl_lab_options;

typedef struct kl_lab_result {
    u64 trace;        /* hash of everything that happened */
    u64 views;        /* entered by an honest node before the weather ended, each counted once */
    u64 node_views;   /* views that honest nodes entered, each of each node */
    u64 height;       /* highest final block */
    u64 transactions; /* in final blocks */
    u64 messages, bytes, virtual_ns;
    u64 connections, silences; /* with a wire: that carried frames; that were given up */
    u32 nodes;
    u32 faults;    /* that the seed took */
    u64 sometimes; /* bit for each interesting event that happened */
    bool failed;
    u32 assertion;    /* 1 to 12, 0: liveness or another */
    char broken[400]; /* the first assertion that did not hold, in words */
} kl_lab_result;

/* Interesting events, of which each campaign must reach all: what bit n stands for, and with how
 * many validators it can happen at all; NULL beyond the last. */
const char *kl_lab_sometimes_text(u32 n, u32 *least_validators);

/* One run.  With failed the last events of every node are printed on standard error before it
 * returns.  The heap's exhaustion ends the process. */
void kl_lab_run(const kl_lab_options *options, kl_lab_result *out);

#endif
