/* eth_subscribe: what happens, as it happens, over WebSocket [geth's pubsub].  A revert on a dev
 * chain is not told as removed logs; the heads that follow it are told as they come. */
#include <stdlib.h>

#include "rpc/log_query.h"
#include "rpc/method.h"
#include "rpc/put.h"
#include "rpc/session.h"

static bool heads_step(struct kl_rpc_call *call, void *state, const kl_feed_step *step)
{
    (void)state;
    if (step->step != KL_STEP_BLOCK)
        return true;
    kl_rpc_notice(call);
    kl_put_header(call->out, &step->header, &step->hash);
    kl_rpc_notice_end(call);
    return true;
}

static bool logs_open(struct kl_rpc_call *call, void **state)
{
    kl_log_query query;
    usize bytes;
    if (!kl_arg_log_query(call, kl_arg_at(call, 1), &query))
        return false;
    *state = kl_log_query_keep(&query, &bytes);
    return kl_rpc_ok(call, *state ? KL_OK : KL_NOMEM);
}

static void put_matches(struct kl_rpc_call *call, const kl_log_query *query,
                        const kl_stored_block *stored)
{
    usize log_index = 0;
    for (usize t = 0; t < stored->block.tx_count; t++)
        for (usize i = 0; i < stored->receipts[t].log_count; i++, log_index++) {
            const kl_log_entry *entry = &stored->receipts[t].logs[i];
            if (!kl_log_filter_match(&query->filter, entry))
                continue;
            kl_rpc_notice(call);
            kl_put_log(call->out, entry, &stored->block, t, log_index);
            kl_rpc_notice_end(call);
        }
}

static bool logs_step(struct kl_rpc_call *call, void *state, const kl_feed_step *step)
{
    static const kl_bloom empty;
    const kl_log_query *query = state;
    kl_stored_block stored;
    if (step->step != KL_STEP_BLOCK || !kl_log_query_reaches(query, step->header.number) ||
        memcmp(&step->header.logs_bloom, &empty, sizeof empty) == 0)
        return true;
    struct kl_reader *reader = kl_rpc_reader(call);
    if (!reader)
        return false;
    kl_arena_mark mark = kl_arena_here(call->arena);
    kl_status status = kl_reader_shared(reader, step->header.number, call->arena, &stored);
    if (status == KL_OK && kl_hash_eq(&stored.block.hash, &step->hash))
        put_matches(call, query, &stored);
    kl_arena_rewind(call->arena, mark);
    return status == KL_NOTFOUND || kl_rpc_ok(call, status);
}

/* Hashes, or with `true` whole transactions, of which those that have left the pool by now are
 * left out. */
static bool pending_open(struct kl_rpc_call *call, void **state)
{
    bool whole = false;
    kl_arg arg = kl_arg_at(call, 1);
    if (kl_arg_there(arg) && !kl_arg_bool(call, arg, &whole))
        return false;
    static char yes;
    *state = whole ? &yes : NULL;
    return true;
}

static bool pending_hash(struct kl_rpc_call *call, void *state, const kl_hash *hash)
{
    kl_rpc_pooled pooled;
    if (!state) {
        kl_rpc_notice(call);
        kl_json_put_hash(call->out, hash);
        kl_rpc_notice_end(call);
        return true;
    }
    kl_status status = call->backend->ops->pooled(call->backend, hash, call->arena, &pooled);
    if (status == KL_NOTFOUND)
        return true;
    if (!kl_rpc_ok(call, status))
        return false;
    const kl_put_place nowhere = {0};
    kl_rpc_notice(call);
    kl_put_tx(call->out, &pooled.tx, &nowhere);
    kl_rpc_notice_end(call);
    return true;
}

static const kl_rpc_topic topics[] = {
    {.name = "newHeads", .step = heads_step},
    {.name = "logs", .open = logs_open, .step = logs_step, .close = free},
    {.name = "newPendingTransactions", .open = pending_open, .pending = pending_hash},
    {.name = "syncing"}, /* there is never anything to say */
};

bool kl_rpc_eth_subscribe(struct kl_rpc_call *call)
{
    kl_span name;
    kl_rpc_subscription_id id;
    if (!kl_arg_text(call, kl_arg_at(call, 0), &name))
        return false;
    for (usize i = 0; i < KL_COUNT_OF(topics); i++) {
        if (!kl_span_eq(name, kl_span_str(topics[i].name)))
            continue;
        if (!kl_rpc_subscribe(call, &topics[i], &id))
            return false;
        kl_json_put_data(call->out, KL_SPAN_OF(id.b));
        return true;
    }
    return kl_rpc_fail(call, KL_RPC_METHOD, "no \"%.*s\" subscription in eth namespace",
                       (int)KL_MIN(name.len, 64), (const char *)name.p);
}

bool kl_rpc_eth_unsubscribe(struct kl_rpc_call *call)
{
    kl_rpc_subscription_id id;
    kl_span bytes;
    if (!kl_arg_data(call, kl_arg_at(call, 0), &bytes))
        return false;
    bool found = false;
    if (bytes.len == sizeof id.b) {
        memcpy(id.b, bytes.p, sizeof id.b);
        found = kl_rpc_unsubscribe(call->session, &id);
    }
    if (!found)
        return kl_rpc_fail(call, KL_RPC_INPUT, "subscription not found");
    kl_json_put_bool(call->out, true);
    return true;
}
