/* txpool_: what waits in the pool [geth's txpool namespace]. */
#include <stdio.h>

#include "crypto/address.h"
#include "rpc/method.h"
#include "rpc/param.h"
#include "rpc/put.h"

bool kl_rpc_txpool_status(struct kl_rpc_call *call)
{
    usize pending, queued;
    call->backend->ops->pool_counts(call->backend, &pending, &queued);
    kl_json_put_object(call->out);
    kl_json_add_quantity(call->out, "pending", pending);
    kl_json_add_quantity(call->out, "queued", queued);
    kl_json_put_object_end(call->out);
    return true;
}

/* One transaction, whole or in a line. */
typedef void put_one(struct kl_rpc_call *call, const kl_tx *tx);

static void put_whole(struct kl_rpc_call *call, const kl_tx *tx)
{
    const kl_put_place nowhere = {0};
    kl_put_tx(call->out, tx, &nowhere);
}

/* "0x…: 1 wei + 21000 gas × 2 wei" [geth]. */
static void put_line(struct kl_rpc_call *call, const kl_tx *tx)
{
    char line[43 + 2 * KL_U256_DECIMAL_MAX + 96];
    char to[43] = "contract creation", value[KL_U256_DECIMAL_MAX], price[KL_U256_DECIMAL_MAX];
    if (tx->has_to)
        kl_address_text(to, &tx->to);
    (void)kl_u256_decimal(value, tx->value);
    (void)kl_u256_decimal(price, tx->max_fee);
    (void)snprintf(line, sizeof line, "%s: %s wei + %llu gas × %s wei", to, value,
                   (unsigned long long)tx->gas_limit, price);
    kl_json_put_text(call->out, line);
}

/* {nonce: transaction, …} of one sender from *at on, which stands behind them afterwards. */
static void put_sender(struct kl_rpc_call *call, const kl_rpc_pooled *all, usize count, usize *at,
                       bool pending, put_one *put)
{
    const kl_address sender = all[*at].tx.sender;
    kl_json_put_object(call->out);
    for (; *at < count && kl_address_eq(&all[*at].tx.sender, &sender); ++*at) {
        char nonce[KL_U256_DECIMAL_MAX];
        if (all[*at].pending != pending)
            continue;
        (void)kl_u256_decimal(nonce, kl_u256_of(all[*at].tx.nonce));
        kl_json_put_key(call->out, nonce);
        put(call, &all[*at].tx);
    }
    kl_json_put_object_end(call->out);
}

static bool has(const kl_rpc_pooled *all, usize count, usize at, bool pending)
{
    for (usize i = at; i < count && kl_address_eq(&all[i].tx.sender, &all[at].tx.sender); i++)
        if (all[i].pending == pending)
            return true;
    return false;
}

static usize behind(const kl_rpc_pooled *all, usize count, usize at)
{
    usize i = at;
    while (i < count && kl_address_eq(&all[i].tx.sender, &all[at].tx.sender))
        i++;
    return i;
}

/* {address: {nonce: …}}; with `only`, {nonce: …} of that sender. */
static void put_half(struct kl_rpc_call *call, const kl_rpc_pooled *all, usize count, bool pending,
                     put_one *put, const kl_address *only)
{
    bool any = false;
    kl_json_put_key(call->out, pending ? "pending" : "queued");
    if (!only)
        kl_json_put_object(call->out);
    for (usize at = 0; at < count;) {
        bool wanted = !only || kl_address_eq(&all[at].tx.sender, only);
        if (!wanted || !has(all, count, at, pending)) {
            at = behind(all, count, at);
            continue;
        }
        if (!only) {
            char text[43];
            kl_address_text(text, &all[at].tx.sender);
            kl_json_put_key(call->out, text);
        }
        put_sender(call, all, count, &at, pending, put);
        any = true;
    }
    if (only && !any) {
        kl_json_put_object(call->out);
        kl_json_put_object_end(call->out);
    }
    if (!only)
        kl_json_put_object_end(call->out);
}

static bool put_content(struct kl_rpc_call *call, put_one *put, const kl_address *only)
{
    kl_rpc_pooled *all;
    usize count;
    if (!kl_rpc_ok(call,
                   call->backend->ops->pool_content(call->backend, call->arena, &all, &count)))
        return false;
    kl_json_put_object(call->out);
    put_half(call, all, count, true, put, only);
    put_half(call, all, count, false, put, only);
    kl_json_put_object_end(call->out);
    return true;
}

bool kl_rpc_txpool_content(struct kl_rpc_call *call)
{
    return put_content(call, put_whole, NULL);
}

bool kl_rpc_txpool_content_from(struct kl_rpc_call *call)
{
    kl_address address;
    return kl_arg_address(call, kl_arg_at(call, 0), &address) &&
           put_content(call, put_whole, &address);
}

bool kl_rpc_txpool_inspect(struct kl_rpc_call *call)
{
    return put_content(call, put_line, NULL);
}

/* The pool's transactions that this node can sign for. */
bool kl_rpc_eth_pending_transactions(struct kl_rpc_call *call)
{
    const struct kl_rpc_backend_ops *ops = call->backend->ops;
    kl_rpc_pooled *all;
    usize count;
    if (!kl_rpc_ok(call, ops->pool_content(call->backend, call->arena, &all, &count)))
        return false;
    kl_json_put_array(call->out);
    for (usize i = 0; i < count; i++) {
        bool ours = false;
        for (usize k = 0; k < ops->account_count(call->backend) && !ours; k++) {
            kl_address address = ops->account(call->backend, k);
            ours = kl_address_eq(&address, &all[i].tx.sender);
        }
        if (ours && all[i].pending)
            put_whole(call, &all[i].tx);
    }
    kl_json_put_array_end(call->out);
    return true;
}
