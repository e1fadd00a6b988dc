/* eth_, polled filters [execution-apis eth/filter]. */
#include "rpc/at.h"
#include "rpc/filter.h"
#include "rpc/method.h"
#include "rpc/put.h"
#include "rpc/worker_priv.h"

static struct kl_filters *filters_of(const struct kl_rpc_call *call)
{
    return call->worker->core->filters;
}

static bool add(struct kl_rpc_call *call, kl_filter_kind kind, const kl_log_query *query)
{
    kl_filter_id id;
    struct kl_tip *tip = kl_chain_published(call->backend->ops->chain(call->backend));
    kl_status status = kl_filter_add(filters_of(call), call, kind, query, tip, &id);
    kl_tip_unref(tip);
    if (status == KL_LIMIT)
        return kl_rpc_fail(call, KL_RPC_LIMIT, "too many filters");
    if (!kl_rpc_ok(call, status))
        return false;
    kl_json_put_data(call->out, KL_SPAN_OF(id.b));
    return true;
}

bool kl_rpc_eth_new_filter(struct kl_rpc_call *call)
{
    kl_log_query query;
    return kl_arg_log_query(call, kl_arg_at(call, 0), &query) && add(call, KL_FILTER_LOGS, &query);
}

bool kl_rpc_eth_new_block_filter(struct kl_rpc_call *call)
{
    return add(call, KL_FILTER_BLOCKS, NULL);
}

bool kl_rpc_eth_new_pending_transaction_filter(struct kl_rpc_call *call)
{
    bool whole = false;
    kl_arg arg = kl_arg_at(call, 0);
    if (kl_arg_there(arg) && !kl_arg_bool(call, arg, &whole))
        return false;
    return add(call, whole ? KL_FILTER_PENDING_TXS : KL_FILTER_PENDING, NULL);
}

/* An id that is none of ours is one that is not found: clients keep ids over a node's restart. */
static bool read_id(struct kl_rpc_call *call, kl_filter_id *out)
{
    kl_u256 number;
    u8 bytes[32];
    *out = (kl_filter_id){{0}};
    if (!kl_arg_u256(call, kl_arg_at(call, 0), &number))
        return false;
    kl_u256_to_be(bytes, number);
    if ((number.w[2] | number.w[3]) == 0)
        memcpy(out->b, bytes + 16, sizeof out->b);
    return true;
}

bool kl_rpc_eth_uninstall_filter(struct kl_rpc_call *call)
{
    kl_filter_id id;
    if (!read_id(call, &id))
        return false;
    kl_json_put_bool(call->out, kl_filter_remove(filters_of(call), &id));
    return true;
}

static bool use(struct kl_rpc_call *call, struct kl_filter_use *out)
{
    kl_filter_id id;
    if (!read_id(call, &id))
        return false;
    if (kl_filter_use(filters_of(call), call, &id, out) != KL_OK)
        return kl_rpc_fail(call, KL_RPC_INPUT, "filter not found");
    return true;
}

/* One block that stands: its hash, or its logs that match. */
static bool put_block(struct kl_rpc_call *call, struct kl_filter_use *u, u64 number,
                      const kl_hash *hash, usize *count)
{
    usize more = 1;
    if (u->kind == KL_FILTER_BLOCKS) {
        kl_json_put_hash(call->out, hash);
    } else if (kl_log_query_reaches(u->query, number)) {
        kl_log_filter filter = u->query->filter;
        filter.from = filter.to = number;
        if (!kl_rpc_put_log_range(call, &filter, SIZE_MAX, &more))
            return false;
    }
    *count += more;
    return true;
}

/* Enough for one poll?  The next goes on from there: a filter with much to tell is not one that
 * fails for ever. */
static bool is_enough(struct kl_rpc_call *call, usize count)
{
    return count >= call->config->limits.log_max || kl_rpc_expired(call);
}

/* The block of a step, unless it has been taken back since. */
static bool put_step(struct kl_rpc_call *call, struct kl_filter_use *u, const kl_feed_step *step,
                     usize *count)
{
    kl_hash hash;
    if (step->version <= u->version)
        return true;
    u->version = step->version;
    u->next_block = step->header.number + 1;
    if (step->step != KL_STEP_BLOCK)
        return true;
    kl_status status = kl_reader_hash_of(kl_rpc_reader(call), step->header.number, &hash);
    if (status == KL_NOTFOUND || (status == KL_OK && !kl_hash_eq(&hash, &step->hash)))
        return true;
    return kl_rpc_ok(call, status) && put_block(call, u, step->header.number, &hash, count);
}

/* By number, for a filter that has lost steps.  It has found them again when it has told the newest
 * block: `end` is where the feed stood before that one was known. */
static bool put_missed(struct kl_rpc_call *call, struct kl_filter_use *u, u64 end, usize *count)
{
    const struct kl_tip *tip = kl_reader_tip(kl_rpc_reader(call));
    while (u->next_block <= tip->header.number) {
        kl_hash hash;
        if (!kl_rpc_ok(call, kl_reader_hash_of(kl_rpc_reader(call), u->next_block, &hash)) ||
            !put_block(call, u, u->next_block, &hash, count))
            return false;
        u->next_block++;
        if (is_enough(call, *count))
            return true;
    }
    u->steps = end;
    u->version = tip->version;
    return true;
}

/* The reader is opened after `end` is read, so that it has every block before. */
static bool put_steps(struct kl_rpc_call *call, struct kl_filter_use *u)
{
    u64 end = kl_feed_steps(call->feed);
    usize count = 0;
    if (!kl_rpc_reader(call))
        return false;
    while (u->steps < end && !is_enough(call, count)) {
        kl_feed_step step;
        if (kl_feed_step_at(call->feed, u->steps, &step) != KL_OK)
            return put_missed(call, u, end, &count);
        if (!put_step(call, u, &step, &count))
            return false;
        u->steps++;
    }
    return true;
}

/* Of whole transactions, those that have left the pool by now are left out. */
static bool put_one_pending(struct kl_rpc_call *call, const struct kl_filter_use *u,
                            const kl_hash *hash)
{
    const kl_put_place nowhere = {0};
    kl_rpc_pooled pooled;
    if (u->kind == KL_FILTER_PENDING) {
        kl_json_put_hash(call->out, hash);
        return true;
    }
    kl_status status = call->backend->ops->pooled(call->backend, hash, call->arena, &pooled);
    if (status == KL_NOTFOUND)
        return true;
    if (!kl_rpc_ok(call, status))
        return false;
    kl_put_tx(call->out, &pooled.tx, &nowhere);
    return true;
}

static bool put_pending(struct kl_rpc_call *call, struct kl_filter_use *u)
{
    u64 end = kl_feed_pending(call->feed);
    if (end - u->pending > KL_FEED_PENDING)
        u->pending = end - KL_FEED_PENDING;
    for (; u->pending < end; u->pending++) {
        kl_hash hash;
        if (kl_feed_pending_at(call->feed, u->pending, &hash) == KL_OK &&
            !put_one_pending(call, u, &hash))
            return false;
    }
    return true;
}

bool kl_rpc_eth_get_filter_changes(struct kl_rpc_call *call)
{
    struct kl_filter_use u;
    if (!use(call, &u))
        return false;
    const struct kl_filter_use before = u;
    kl_json_put_array(call->out);
    bool good = kl_filter_hears_pending(u.kind) ? put_pending(call, &u) : put_steps(call, &u);
    if (good)
        kl_json_put_array_end(call->out);
    kl_filter_told(filters_of(call), good ? &u : &before);
    return good;
}

bool kl_rpc_eth_get_filter_logs(struct kl_rpc_call *call)
{
    struct kl_filter_use u;
    if (!use(call, &u))
        return false;
    bool good = u.kind == KL_FILTER_LOGS ? kl_rpc_put_logs(call, u.query)
                                         : kl_rpc_fail(call, KL_RPC_INPUT, "filter not found");
    kl_filter_told(filters_of(call), &u);
    return good;
}
