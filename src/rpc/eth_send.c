/* eth_, sending [execution-apis eth/submit]. */
#include "rpc/method.h"
#include "rpc/put.h"
#include "rpc/submit.h"
#include "rpc/tx_fill.h"
#include "rpc/worker_priv.h"

enum {
    BLOCK_WAITS_MAX = 4, /* fewer than there are threads to spare */
    MS = 1000000,        /* in nanoseconds */
    NONCE_TRIES = 64,    /* others may take the nonce that was chosen */
};

/* The envelope, to be sent whenever the caller likes [execution-apis eth/sign]. */
bool kl_rpc_eth_sign_transaction(struct kl_rpc_call *call)
{
    kl_tx_args args;
    kl_tx tx;
    kl_address sender;
    if (!kl_arg_tx(call, kl_arg_at(call, 0), &args) || !kl_rpc_fill_tx(call, &args, &tx) ||
        !kl_rpc_sign_tx(call, &tx))
        return false;
    if (kl_tx_impersonates(&tx, &sender))
        return kl_rpc_fail(call, KL_RPC_INPUT, "an impersonated account has no key to sign with");
    kl_json_put_data(call->out, tx.raw);
    return true;
}

/* What eth_sendTransaction would sign, with a signature of zeros. */
bool kl_rpc_eth_fill_transaction(struct kl_rpc_call *call)
{
    static const kl_put_place nowhere;
    kl_tx_args args;
    kl_tx tx;
    if (!kl_arg_tx(call, kl_arg_at(call, 0), &args) || !kl_rpc_fill_tx(call, &args, &tx) ||
        !kl_rpc_seal_tx(call, &tx))
        return false;
    kl_json_put_object(call->out);
    kl_json_add_data(call->out, "raw", tx.raw);
    kl_json_put_key(call->out, "tx");
    kl_put_tx(call->out, &tx, &nowhere);
    kl_json_put_object_end(call->out);
    return true;
}

bool kl_rpc_eth_send_raw_transaction(struct kl_rpc_call *call)
{
    kl_span raw;
    kl_tx tx;
    kl_rule broken;
    static const kl_rpc_submission how;
    if (!kl_arg_data(call, kl_arg_at(call, 0), &raw) || !kl_rpc_decode_tx(call, raw, &tx) ||
        !kl_rpc_submit(call, &tx, &how, &broken))
        return false;
    kl_json_put_hash(call->out, &tx.hash);
    return true;
}

/* The next question to the chain is about its newest tip. */
static void forget_reader(struct kl_rpc_call *call)
{
    if (call->close_reader)
        call->close_reader(call->reader);
    call->reader = NULL;
    call->close_reader = NULL;
}

/* The receipt of what has just been sent. */
static bool put_receipt(struct kl_rpc_call *call, const kl_hash *hash)
{
    bool found;
    forget_reader(call);
    if (!kl_rpc_put_receipt_of(call, hash, &found))
        return false;
    if (found)
        return true;
    call->has_data = true;
    call->data = kl_hash_span(hash);
    return kl_rpc_fail(call, KL_RPC_NOT_MINED,
                       "the transaction was added to the pool but is in no block yet");
}

/* Who comes when enough others wait is told at once that there is no block yet. */
static bool send_and_wait(struct kl_rpc_call *call, const kl_tx *tx, u64 timeout_ns)
{
    struct kl_rpc_core *core = call->worker->core;
    kl_rule broken;
    bool waits = atomic_fetch_add(&core->block_waits, 1) < BLOCK_WAITS_MAX;
    kl_rpc_submission how = {.wait_ns = waits ? KL_MAX(timeout_ns, 1u) : 1};
    bool good = kl_rpc_submit(call, tx, &how, &broken);
    atomic_fetch_sub(&core->block_waits, 1);
    return good;
}

/* [EIP-7966]; the second parameter shortens the wait. */
bool kl_rpc_eth_send_raw_transaction_sync(struct kl_rpc_call *call)
{
    u64 most = call->config->limits.call_timeout_ns / MS, wait = most;
    kl_arg timeout = kl_arg_at(call, 1);
    kl_span raw;
    kl_tx *tx = KL_ZERO(call->arena, kl_tx, 1);
    if (!tx)
        return kl_rpc_ok(call, KL_NOMEM);
    if (!kl_arg_data(call, kl_arg_at(call, 0), &raw) ||
        (kl_arg_there(timeout) && !kl_arg_number(call, timeout, &wait)) ||
        !kl_rpc_decode_tx(call, raw, tx) || !send_and_wait(call, tx, KL_MIN(wait, most) * MS))
        return false;
    return put_receipt(call, &tx->hash);
}

/* Would another nonce have done? */
static bool nonce_was_taken(const kl_tx_args *args, kl_rule broken)
{
    return !args->has_nonce && (broken == KL_RULE_TX_NONCE_LOW || broken == KL_RULE_POOL_KNOWN ||
                                broken == KL_RULE_POOL_REPLACE_UNDERPRICED);
}

bool kl_rpc_eth_send_transaction(struct kl_rpc_call *call)
{
    kl_tx_args args;
    kl_tx tx;
    kl_rule broken = KL_RULE_NONE;
    if (!kl_arg_tx(call, kl_arg_at(call, 0), &args))
        return false;
    const kl_rpc_submission how = {.only_new = !args.has_nonce};
    for (int i = 0; i < NONCE_TRIES; i++) {
        if (!kl_rpc_fill_tx(call, &args, &tx) || !kl_rpc_sign_tx(call, &tx))
            return false;
        if (kl_rpc_submit(call, &tx, &how, &broken)) {
            kl_json_put_hash(call->out, &tx.hash);
            return true;
        }
        if (!nonce_was_taken(&args, broken))
            return false;
        forget_reader(call);
    }
    return false;
}
