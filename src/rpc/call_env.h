/* call_env: where a call outside any block runs: the header it sees, the state below it with what
 * the caller overrides, the hashes for BLOCKHASH, and this thread's EVM.  For eth_call,
 * eth_estimateGas, eth_createAccessList and debug_traceCall.
 *
 *     KL_CLEANUP(kl_call_env_done) struct kl_call_env env = {0};
 *     kl_tx tx;
 *     kl_tx_result result;
 *     if (!kl_call_env_open(call, kl_arg_at(call, 1), state, block, &env) ||
 *         !kl_call_env_tx(&env, &args, &tx) || !kl_call_env_run(&env, &tx, tracer, &result))
 *         return false;
 *
 * A kl_call_env must not move while it is open.  Every function that returns false has said why. */
#ifndef KL_RPC_CALL_ENV_H
#define KL_RPC_CALL_ENV_H

#include "chain/reader.h"
#include "exec/exec.h"
#include "rpc/at.h"
#include "rpc/rule_text.h"
#include "rpc/tx_args.h"

/* What a caller puts in the place of an account's own [geth StateOverride]. */
typedef struct kl_state_override {
    kl_address address;
    bool has_balance, has_nonce, has_code;
    bool has_slots; /* state or stateDiff is there */
    bool fresh;     /* state: what is not among the slots reads 0 */
    kl_u256 balance;
    u64 nonce;
    kl_span code;
    const struct kl_slot_override {
        kl_u256 key, value;
    } * slots;
    usize slot_count;
} kl_state_override;

struct kl_call_env {
    struct kl_rpc_call *call;
    struct kl_exec *exec;
    kl_header header;    /* with the block overrides; under a call without a price base_fee is 0 */
    kl_exec_block block; /* for kl_exec_begin and kl_exec_enter */
    struct kl_rpc_state state; /* of a pending call the newest one */
    struct kl_view_reader reader;
    struct kl_env_hashes {
        struct kl_block_hashes hashes;
        struct kl_view_hashes known;
    } hashes;
    const kl_state_override *overrides; /* in the call's arena */
    usize override_count;
    kl_u256 base_fee;      /* of the header, whatever the call pays */
    kl_u256 blob_base_fee; /* what block.blob_base_fee points to, when it does */
    bool entered;
};

/* Opens at a block (number, tag, hash; missing: latest) with state and block overrides, either of
 * which may be missing.  Pending is the next block on top of the newest one's state. */
bool kl_call_env_open(struct kl_rpc_call *call, kl_arg block, kl_arg state_overrides,
                      kl_arg block_overrides, struct kl_call_env *out);
/* The same at a block that is known. */
bool kl_call_env_open_at(struct kl_rpc_call *call, const kl_block_ref *block,
                         kl_arg state_overrides, kl_arg block_overrides, struct kl_call_env *out);
void kl_call_env_done(struct kl_call_env *env); /* one that is all 0 is fine */

/* Starts over: an empty journal over the state and the overrides.  The first run does it by itself.
 */
bool kl_call_env_enter(struct kl_call_env *env);

/* The message that args ask for, as geth reads them: from defaults to the zero address, gas to the
 * node's cap for calls, which also bounds it, prices to 0.  It views args.  Without a price nothing
 * is paid and the block asks for none: BASEFEE reads 0. */
bool kl_call_env_tx(struct kl_call_env *env, const kl_tx_args *args, kl_tx *out);

/* kl_exec_call on top of what has happened since the last enter.  False only when there is no
 * result at all; that the message reverted or failed stands in out->halt. */
bool kl_call_env_run(struct kl_call_env *env, const kl_tx *tx, struct kl_tracer *tracer,
                     kl_tx_result *out);
/* The same with the verdict handed out instead of said. */
bool kl_call_env_try(struct kl_call_env *env, const kl_tx *tx, struct kl_tracer *tracer,
                     kl_tx_result *out, kl_rule *broken);

/* Why tx did not run, in geth's words. */
void kl_call_env_rule_text(struct kl_call_env *env, const kl_tx *tx, kl_rule broken,
                           char text[KL_RULE_TEXT_MAX]);

/* Says why a message did not succeed: a revert with its data, or the text of its halt. */
bool kl_call_env_fail_halt(struct kl_call_env *env, const kl_tx_result *result);

#endif
