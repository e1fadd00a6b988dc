/* evm: the Ethereum virtual machine [YP section 9 and appendix H], all forks.
 *
 * One interpreter, built from opcodes.def with computed dispatch.  Calls do not recurse: frames lie
 * on an explicit stack of 1,024, their words and memories in two reserved regions, so that a call
 * costs no malloc.  It sees the world through a kl_evm_host and knows nothing of blocks, tries or
 * disks.  Tracing runs in a second instance of the loop, so that running without it pays nothing.
 *
 *   evm.h    running a message     host.h   the world         code.h   analysed code and its cache
 *   gas.h    prices by fork        trace.h  watching it run   precompile.h  built-in contracts
 *
 * Thread: one kl_evm a thread. */
#ifndef KL_EVM_EVM_H
#define KL_EVM_EVM_H

#include "base/arena.h"
#include "base/status.h"
#include "base/u256.h"
#include "evm/code.h"
#include "evm/host.h"
#include "evm/trace.h"
#include "types/fork.h"

#define KL_EVM_DEPTH_MAX 1024

struct kl_evm;

typedef struct kl_evm_config {
    usize memory_limit; /* of all frames' memories together: KL_LIMIT beyond, never a verdict */
} kl_evm_config;

KL_MUST_USE kl_status kl_evm_new(struct kl_evm **out, const kl_evm_config *config);
void kl_evm_free(struct kl_evm *evm);

/* The block the message runs in. */
typedef struct kl_evm_block {
    kl_fork fork;
    u64 chain_id, number, timestamp, gas_limit;
    kl_address coinbase;
    kl_u256 difficulty; /* prevRandao from Paris on */
    kl_u256 base_fee, blob_base_fee;
    /* Limits that a dev chain may lift; 0 means the fork's own. */
    u32 code_size_limit;
} kl_evm_block;

/* The transaction it belongs to. */
typedef struct kl_evm_tx {
    kl_address origin;
    kl_u256 gas_price;
    const kl_hash *blob_hashes;
    usize blob_count;
    u64 refund; /* granted before the run [EIP-7702]: the counter that tracers see starts there */
} kl_evm_tx;

typedef struct kl_evm_message {
    bool create;    /* input is init code, to is where the contract goes */
    bool is_static; /* [EIP-214]; only eth_call tooling sets it at the top */
    kl_address caller;
    kl_address to;
    kl_u256 value; /* the caller has it: checked by whoever sends the message */
    kl_span input;
    u64 gas;
} kl_evm_message;

/* How a frame ended; evm/halt.def has texts and EIP-3155 names. */
typedef enum kl_halt {
#define KL_HALT_X(name, text) KL_HALT_##name,
#include "evm/halt.def"
#undef KL_HALT_X
    KL_HALT_COUNT
} kl_halt;

const char *kl_halt_text(kl_halt halt);

/* Is it geth's "out of gas", with more words or without? */
bool kl_halt_is_gas(kl_halt halt);

typedef struct kl_evm_result {
    kl_halt halt;   /* KL_HALT_NONE: ended well; KL_HALT_REVERT: gas_left and output count */
    u64 gas_left;   /* 0 for all other halts */
    u64 refund;     /* the refund counter, not yet capped; 0 unless it ended well */
    kl_span output; /* returned data or deployed code; lives until the next run */
} kl_evm_result;

/* Runs one message to its end.  Moves the value, enters the frame, and on any halt but NONE leaves
 * the host as it was.  The nonce of the caller, intrinsic gas, access lists (the message's own
 * addresses too) and authorizations are the caller's business; whom `to` delegates to is warmed
 * here [EIP-7702].  A creation bumps the new account's nonce [EIP-161] and checks collisions
 * [EIP-684, EIP-7610].  gas is at most INT64_MAX, as no block may have more (asserted).  tracer may
 * be NULL. A status means the run has no result at all. */
KL_MUST_USE kl_status kl_evm_run(struct kl_evm *evm, struct kl_evm_host *host,
                                 const kl_evm_block *block, const kl_evm_tx *tx,
                                 const kl_evm_message *message, struct kl_tracer *tracer,
                                 kl_evm_result *out);

/* Stops a run on another thread at its next jump or call: it returns KL_CANCELED.  Does nothing
 * where nothing runs.  For time limits of eth_call. */
void kl_evm_cancel(struct kl_evm *evm);

#endif
