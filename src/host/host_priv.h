/* host_priv: what the files of host share.
 *
 * One lock guards the pool, the producer's machine, the requests and the flags; it is never held
 * while a transaction runs or a disk is waited for.  The execution thread alone touches the chain's
 * head and the machines in `run`. */
#ifndef KL_HOST_HOST_PRIV_H
#define KL_HOST_HOST_PRIV_H

#include "host/host.h"

/* Somebody who waits for a transaction to be in a published block, or gone. */
struct waiter {
    kl_hash hash;
    kl_cond woken;
    bool settled; /* it is in step `version`, or gone */
    u64 version;  /* 0: gone */
    kl_rule fate; /* the rule that kept it out of a block for good */
    struct waiter *next;
};

/* Work for the execution thread, on the asker's stack. */
typedef enum request_kind {
    REQUEST_MINE,
    REQUEST_DEV,
} request_kind;

struct request {
    request_kind kind;
    u64 count, spacing; /* MINE */
    kl_devop *op;       /* DEV */
    kl_rule broken;
    kl_status status;
    u64 version; /* the last step made; published before the asker goes on */
    bool done;
    kl_cond woken;
    struct request *next;
};

struct kl_host {
    kl_host_config config;
    struct kl_chain *chain;
    struct kl_exec *exec; /* the execution thread's, like run */
    struct kl_run *run;
    struct kl_host_listener *listeners;

    kl_mutex lock; /* guards what follows */
    kl_cond wake_execution, wake_ledger, wake_state, progress;
    struct kl_pool *pool;
    struct kl_tip *pool_tip;   /* the head that the pool's facts are of */
    struct kl_view *pool_view; /* its state; used under the lock only */
    kl_solo solo;
    struct waiter *waiters;
    u64 arrivals; /* transactions that became pending, so far */
    struct request *requests, **last_request;
    u64 published; /* version */
    bool stop, execution_done, ledger_done;
    bool dirty;     /* written and not synced */
    bool flush_due; /* synced and not looked at by the state thread */
    kl_status broken;
};

/* submit.c: the pool.  The lock is held. */
KL_MUST_USE kl_status kl_host_pool_follow(struct kl_host *host, struct kl_tip *tip);
void kl_host_pool_refresh_all(struct kl_host *host);
void kl_host_pool_refresh(struct kl_host *host, const kl_address *sender);
void kl_host_settle(struct kl_host *host, const kl_hash *hash, u64 version, kl_rule fate);
/* Nobody waits any longer for what the pool no longer has. */
void kl_host_settle_gone(struct kl_host *host);
/* Nothing in the pool can be in a block soon: nobody waits any longer. */
void kl_host_settle_all(struct kl_host *host);

/* produce.c: the execution thread makes steps.  The lock is not held. */
/* empty: a block without transactions is a block too. */
KL_MUST_USE kl_status kl_host_build(struct kl_host *host, u64 tx_max, u64 timestamp_min,
                                    bool empty);
KL_MUST_USE kl_status kl_host_serve(struct kl_host *host, struct request *request);
/* The step is appended; writes it and, unless blocks must be durable first, shows it to readers. */
KL_MUST_USE kl_status kl_host_commit(struct kl_host *host, struct kl_tip *tip);

/* publish.c: shows readers what they may see, tells listeners and wakes who waits. */
void kl_host_publish(struct kl_host *host, bool durable);

/* host.c: no more blocks for good, because of status.  The lock is held. */
void kl_host_break(struct kl_host *host, kl_status status);
/* run.c: too much unflushed state: building waits for the database.  The lock is held. */
bool kl_host_held_back(struct kl_host *host);

u64 kl_host_now_ns(struct kl_host *host);

#endif
