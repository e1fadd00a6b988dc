/* worker: what a thread that serves calls has for itself. */
#ifndef KL_RPC_WORKER_PRIV_H
#define KL_RPC_WORKER_PRIV_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/sync.h"
#include "rpc/method.h"
#include "rpc/quota.h"

/* What all calls of a server share. */
struct kl_rpc_core {
    const kl_rpc_config *config;
    kl_rpc_table methods;
    struct kl_feed *feed;
    struct kl_filters *filters;
    struct kl_quota *quota;       /* of clients' addresses */
    _Atomic unsigned block_waits; /* calls that hold a thread until the next block */
};

/* Calls are numbered, so that one that is to be stopped cannot be mistaken for the next. */
struct kl_rpc_worker {
    struct kl_rpc_core *core;
    struct kl_arena arena;
    u32 place;            /* of the client's address, in the quota */
    u64 number;           /* of the call in work, or the last one */
    _Atomic u64 expired;  /* the number of the call that is to stop */
    kl_mutex mutex;       /* over what follows */
    struct kl_exec *exec; /* made when first needed */
    void (*cancel_exec)(struct kl_exec *exec);
    void (*free_exec)(struct kl_exec *exec);
    u64 exec_number; /* of the call that uses exec; 0: none does */
};

void kl_rpc_worker_init(struct kl_rpc_worker *worker, struct kl_rpc_core *core);
void kl_rpc_worker_done(struct kl_rpc_worker *worker);

/* Around each request. */
void kl_rpc_worker_begin(struct kl_rpc_worker *worker);
void kl_rpc_worker_end(struct kl_rpc_worker *worker);

bool kl_rpc_worker_expired(struct kl_rpc_worker *worker);

/* Stops the request with this number if it is still in work.  Any thread. */
void kl_rpc_worker_expire(struct kl_rpc_worker *worker, u64 number);

#endif
