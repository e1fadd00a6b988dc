/* rpc: Ethereum's JSON-RPC over HTTP and WebSocket, both on one port.
 *
 *   rpc.h       the server               method.h, method.def  one row a method
 *   backend.h   what it asks the node    error.h               codes and geth's words
 *
 * Every length, count, depth and time that comes from a client has a limit in kl_rpc_limits; what
 * is over it gets an answer that says so, and costs no memory.  Thread: the server owns its
 * threads; start, stop and the notify functions may be called from any. */
#ifndef KL_RPC_RPC_H
#define KL_RPC_RPC_H

#include "base/env.h"
#include "rpc/backend.h"

typedef struct kl_rpc_limits {
    usize connection_max;
    usize body_bytes;         /* of a request (default 5 MiB) */
    usize response_bytes;     /* of an answer (default 128 MiB) */
    usize batch_max;          /* calls in one batch */
    usize batch_bytes;        /* of a batch's answer, when less than response_bytes */
    u64 header_timeout_ns;    /* for the whole header, and for the whole body */
    u64 idle_timeout_ns;      /* keep-alive */
    u64 call_rate;            /* calls a second of one address, in the mean; 0: any number */
    u64 call_gas;             /* of eth_call and eth_estimateGas */
    u64 call_timeout_ns;      /* of eth_call, eth_getLogs, traces */
    usize log_max;            /* entries of eth_getLogs */
    usize subscription_max;   /* of one connection */
    usize filter_max;         /* polled filters of all clients */
    u64 filter_timeout_ns;    /* a filter nobody polls is dropped */
    usize socket_queue_bytes; /* unread news of a slow WebSocket client: then it is closed */
    usize buffer_bytes;       /* held for slow clients, all together: then requests get a 503 */
} kl_rpc_limits;
kl_rpc_limits kl_rpc_limits_default(void);

typedef struct kl_rpc_config {
    const char *host; /* numeric address, "127.0.0.1" */
    u16 port;         /* 0: any free one */
    usize threads;
    bool dev;                /* evm_, anvil_, hardhat_ methods and unlocked accounts */
    const char *cors_origin; /* "*" or an origin; NULL: no CORS headers */
    kl_rpc_limits limits;
    struct kl_clock *clock;
    struct kl_rpc_backend *backend;
    struct kl_code_cache *codes;
    struct kl_workers *workers;
    u64 seed;
} kl_rpc_config;

struct kl_rpc;

/* Binds and starts its threads.  KL_BUSY when the port is taken, KL_IO. */
KL_MUST_USE kl_status kl_rpc_start(struct kl_rpc **out, const kl_rpc_config *config);
u16 kl_rpc_port(const struct kl_rpc *rpc);
/* Stops accepting, lets requests in flight end (at most grace_ns), closes everything. */
void kl_rpc_stop(struct kl_rpc *rpc, u64 grace_ns);

/* What it holds and has done; for metrics and tests. */
typedef struct kl_rpc_stats {
    usize connections;
    usize threads;           /* grows by one for each call that takes long, up to a bound */
    usize buffer_bytes;      /* held for slow clients now, see kl_rpc_limits.buffer_bytes */
    usize buffer_peak_bytes; /* and at most so far */
    u64 requests;            /* a batch is one */
    u64 refused;             /* connections over connection_max */
    u64 taken_over;          /* calls so long that another thread went on with the other clients */
} kl_rpc_stats;
void kl_rpc_stats_of(struct kl_rpc *rpc, kl_rpc_stats *out);

/* News for subscriptions and filters; quick, never waits for a client. */
void kl_rpc_notify_tip(struct kl_rpc *rpc, struct kl_tip *tip);
void kl_rpc_notify_pending(struct kl_rpc *rpc, const kl_tx *tx);

#endif
