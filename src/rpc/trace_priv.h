/* trace: what debug_trace* can watch a transaction with.  A tracer is made for one transaction, is
 * given to exec, and then writes one JSON value in the shape of geth's tracer of that name.
 *
 *     struct kl_rpc_tracer *tracer = kl_rpc_tracer_make(&plan, call);
 *     kl_rpc_tracer_begin(tracer, exec, &where);
 *     status = kl_exec_tx(exec, tx, &tracer->hooks, &result, &broken);
 *     if (kl_rpc_tracer_end(tracer, &result, status)) …
 *
 * What it gathers lies in the call's arena; a trace that is larger than an answer may be stops the
 * EVM, and so does the time that was asked for. */
#ifndef KL_RPC_TRACE_PRIV_H
#define KL_RPC_TRACE_PRIV_H

#include "exec/exec.h"
#include "rpc/param.h"

struct kl_rpc_tracer;

typedef struct kl_rpc_tracer_kind {
    const char *name; /* "callTracer"; NULL: the struct logger, which has none */
    /* From the options: the whole object for the struct logger, tracerConfig for the others.  NULL
     * when that has been said to fail. */
    struct kl_rpc_tracer *(*make)(struct kl_rpc_call *call, kl_arg options);
    void (*begin)(struct kl_rpc_tracer *tracer); /* may be NULL */
    void (*end)(struct kl_rpc_tracer *tracer, const kl_tx_result *result);
} kl_rpc_tracer_kind;

/* Where the transaction runs. */
typedef struct kl_trace_where {
    const kl_tx *tx;
    kl_fork fork;
    kl_address coinbase;
    usize log_base; /* log entries of the block so far */
} kl_trace_where;

struct kl_rpc_tracer {
    struct kl_tracer hooks; /* first */
    const kl_rpc_tracer_kind *kind;
    struct kl_rpc_call *call;
    struct kl_exec *exec;
    kl_trace_where where;
    u64 end_ns;     /* monotonic time at which it gives up; 0: the call's time only */
    unsigned quiet; /* events until it looks at the clock again */
    bool full;      /* it holds or has written all it may */
    bool late;
};

/* The options of one debug_trace* call [geth TraceConfig]. */
typedef struct kl_trace_plan {
    const kl_rpc_tracer_kind *kind;
    kl_arg options;
    u64 timeout_ns; /* 0: none of its own */
} kl_trace_plan;

/* Reads tracer, tracerConfig and timeout of an options object, which may be missing. */
KL_MUST_USE bool kl_arg_trace(struct kl_rpc_call *call, kl_arg options, kl_trace_plan *out);

/* A member that is true or false, or missing: *out stays then. */
KL_MUST_USE bool kl_arg_trace_flag(struct kl_rpc_call *call, kl_arg options, const char *name,
                                   bool *out);

/* NULL when that has been said to fail. */
struct kl_rpc_tracer *kl_rpc_tracer_make(const kl_trace_plan *plan, struct kl_rpc_call *call);
/* Before the transaction; exec is between transactions. */
void kl_rpc_tracer_begin(struct kl_rpc_tracer *tracer, struct kl_exec *exec,
                         const kl_trace_where *where);
/* Behind it: writes the value, or says why there is none. */
KL_MUST_USE bool kl_rpc_tracer_end(struct kl_rpc_tracer *tracer, const kl_tx_result *result,
                                   kl_status status);

/* For tracers, when they are made: their zeroed memory; NULL when that has been said to fail. */
void *kl_rpc_tracer_take(struct kl_rpc_call *call, usize size);
/* For tracers, in their hooks: false once there is nothing more to gather. */
bool kl_rpc_tracer_goes_on(struct kl_rpc_tracer *tracer);
/* There is no room for what it should hold: stops the EVM. */
void kl_rpc_tracer_full(struct kl_rpc_tracer *tracer);

/* A member's name: "0x…" of a hash or an address. */
void kl_trace_put_key(struct kl_json_out *out, kl_span bytes);

extern const kl_rpc_tracer_kind kl_tracer_struct, kl_tracer_call, kl_tracer_four_byte,
    kl_tracer_noop, kl_tracer_prestate;

#endif
