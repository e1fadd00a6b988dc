#include "rpc/log_query.h"

#include "rpc/at.h"
#include "rpc/put.h"

#include <stdlib.h>

enum { PIECE_BLOCKS = 1024 }; /* between two looks at the time */

/* How many alternatives there are. */
static bool read_count(struct kl_rpc_call *call, kl_arg arg, usize max, usize *out)
{
    usize count;
    if (!kl_arg_count(call, arg, SIZE_MAX, &count))
        return false;
    if (count > max)
        return kl_rpc_fail(call, KL_RPC_INPUT,
                           "exceed max addresses or topics per search position");
    *out = count;
    return true;
}

static bool read_addresses(struct kl_rpc_call *call, kl_arg arg, kl_log_filter *filter)
{
    usize count = 1, at = 0;
    bool many = kl_json_is(call->json, arg.ref, KL_JSON_ARRAY);
    if (!kl_arg_there(arg))
        return true;
    if (many && !read_count(call, arg, KL_LOG_ADDRESSES_MAX, &count))
        return false;
    kl_address *list = KL_TAKE(call->arena, kl_address, count);
    if (!list)
        return kl_rpc_ok(call, KL_NOMEM);
    filter->addresses = list;
    filter->address_count = count;
    if (!many)
        return kl_arg_address(call, arg, list);
    for (kl_arg e = kl_arg_first(call, arg); kl_arg_there(e); e = kl_arg_after(call, arg, e))
        if (!kl_arg_address(call, e, &list[at++]))
            return false;
    return true;
}

/* One place: null matches all, a topic itself, a list any of its own; a null in a list, or no
 * element, makes the place match all [geth]. */
static bool read_place(struct kl_rpc_call *call, kl_arg arg, kl_log_filter *filter, usize place)
{
    usize count = 1, at = 0;
    bool many = kl_json_is(call->json, arg.ref, KL_JSON_ARRAY);
    if (kl_json_is(call->json, arg.ref, KL_JSON_NULL))
        return true;
    if (many && !read_count(call, arg, KL_LOG_TOPICS_MAX, &count))
        return false;
    kl_hash *list = KL_TAKE(call->arena, kl_hash, count);
    if (!list)
        return kl_rpc_ok(call, KL_NOMEM);
    if (!many && !kl_arg_hash(call, arg, list))
        return false;
    for (kl_arg e = kl_arg_first(call, arg); many && kl_arg_there(e);
         e = kl_arg_after(call, arg, e)) {
        if (kl_json_is(call->json, e.ref, KL_JSON_NULL))
            return true;
        if (!kl_arg_hash(call, e, &list[at++]))
            return false;
    }
    filter->topics[place] = list;
    filter->topic_counts[place] = count;
    return true;
}

static bool read_topics(struct kl_rpc_call *call, kl_arg arg, kl_log_filter *filter)
{
    usize count, place = 0;
    if (!kl_arg_there(arg))
        return true;
    if (!kl_arg_count(call, arg, SIZE_MAX, &count))
        return false;
    if (count > KL_COUNT_OF(filter->topics))
        return kl_rpc_fail(call, KL_RPC_INPUT, "exceed max topics");
    for (kl_arg e = kl_arg_first(call, arg); kl_arg_there(e); e = kl_arg_after(call, arg, e))
        if (!read_place(call, e, filter, place++))
            return false;
    return true;
}

static bool read_range(struct kl_rpc_call *call, kl_arg arg, kl_log_query *query)
{
    kl_arg hash = kl_arg_member(call, arg, "blockHash");
    kl_arg from = kl_arg_member(call, arg, "fromBlock"), to = kl_arg_member(call, arg, "toBlock");
    query->by_hash = kl_arg_there(hash);
    query->has_from = kl_arg_there(from);
    query->has_to = kl_arg_there(to);
    if (query->by_hash && (query->has_from || query->has_to))
        return kl_arg_fail(call, arg,
                           "cannot specify both BlockHash and FromBlock/ToBlock, choose one or "
                           "the other");
    return query->by_hash
               ? kl_arg_hash(call, hash, &query->hash)
               : kl_arg_block(call, from, &query->from) && kl_arg_block(call, to, &query->to);
}

bool kl_arg_log_query(struct kl_rpc_call *call, kl_arg arg, kl_log_query *out)
{
    kl_log_query query = {0};
    if (kl_arg_there(arg) &&
        (!kl_arg_object(call, arg) || !read_range(call, arg, &query) ||
         !read_addresses(call, kl_arg_member(call, arg, "address"), &query.filter) ||
         !read_topics(call, kl_arg_member(call, arg, "topics"), &query.filter)))
        return false;
    *out = query;
    return true;
}

struct collect {
    struct kl_rpc_call *call;
    usize count, max;
    bool expired, full;
};

static bool collect(void *ctx, const kl_log_hit *hit)
{
    struct collect *c = ctx;
    c->expired = kl_rpc_expired(c->call);
    c->full = c->count == c->max;
    if (c->expired || c->full || c->call->out->buf->failed)
        return false;
    c->count++;
    kl_put_log(c->call->out, hit->entry, &hit->block->block, hit->tx_index, hit->log_index);
    return true;
}

/* In pieces, because a search that finds nothing does not look at the time. */
bool kl_rpc_put_log_range(struct kl_rpc_call *call, const kl_log_filter *filter, usize max,
                          usize *count)
{
    struct collect c = {.call = call, .max = max};
    kl_status status = KL_OK;
    kl_log_filter piece = *filter;
    for (u64 next = filter->from; next <= filter->to && status == KL_OK && !c.full && !c.expired;
         next = piece.to + 1) {
        piece.from = next;
        piece.to = KL_MIN(filter->to, kl_add_sat_u64(next, PIECE_BLOCKS - 1));
        status = kl_reader_logs(kl_rpc_reader(call), &piece, collect, &c);
        c.expired |= kl_rpc_expired(call);
        if (piece.to == UINT64_MAX)
            break;
    }
    *count = c.count;
    if (c.full)
        return kl_rpc_fail(call, KL_RPC_LIMIT, "query returned more than %zu results", max);
    if (c.expired)
        return kl_rpc_ok(call, KL_CANCELED);
    if (status == KL_NOTFOUND)
        return kl_rpc_fail(call, KL_RPC_INPUT, "block range is not available any more");
    return kl_rpc_ok(call, status);
}

/* The blocks asked for, up to the newest there is. */
static bool resolve(struct kl_rpc_call *call, const kl_log_query *query, kl_log_filter *filter)
{
    bool found;
    if (query->by_hash) {
        const kl_block_ref ref = {.kind = KL_BLOCK_HASH, .hash = query->hash};
        if (!kl_rpc_number_at(call, &ref, &filter->from, &found))
            return false;
        filter->to = filter->from;
        return found || kl_rpc_fail(call, KL_RPC_INPUT, "unknown block");
    }
    if (!kl_rpc_number_at(call, &query->from, &filter->from, &found) ||
        !kl_rpc_number_at(call, &query->to, &filter->to, &found))
        return false;
    u64 head = kl_reader_tip(kl_rpc_reader(call))->header.number;
    if (filter->from > filter->to && query->has_from && query->has_to)
        return kl_rpc_fail(call, KL_RPC_PARAMS, "invalid block range params");
    filter->to = KL_MIN(filter->to, head);
    return true;
}

bool kl_rpc_put_logs(struct kl_rpc_call *call, const kl_log_query *query)
{
    kl_log_filter filter = query->filter;
    usize count;
    if (!kl_rpc_reader(call) || !resolve(call, query, &filter))
        return false;
    kl_json_put_array(call->out);
    if (filter.from <= filter.to &&
        !kl_rpc_put_log_range(call, &filter, call->config->limits.log_max, &count))
        return false;
    kl_json_put_array_end(call->out);
    return true;
}

bool kl_log_query_reaches(const kl_log_query *query, u64 number)
{
    bool below = query->has_from && query->from.kind == KL_BLOCK_NUMBER;
    bool above = query->has_to && query->to.kind == KL_BLOCK_NUMBER;
    return !(below && number < query->from.number) && !(above && number > query->to.number);
}

kl_log_query *kl_log_query_keep(const kl_log_query *query, usize *bytes)
{
    const kl_log_filter *filter = &query->filter;
    usize addresses = filter->address_count * sizeof(kl_address), room = sizeof *query + addresses;
    for (usize place = 0; place < KL_COUNT_OF(filter->topics); place++)
        room += filter->topic_counts[place] * sizeof(kl_hash);
    u8 *memory = malloc(room), *at = memory + sizeof *query;
    if (!memory)
        return NULL;
    kl_log_query *kept = (kl_log_query *)(void *)memory;
    *kept = *query;
    for (usize place = 0; place < KL_COUNT_OF(filter->topics); place++) {
        usize len = filter->topic_counts[place] * sizeof(kl_hash);
        if (len)
            memcpy(at, filter->topics[place], len);
        kept->filter.topics[place] = (const kl_hash *)(const void *)at;
        at += len;
    }
    if (addresses)
        memcpy(at, filter->addresses, addresses);
    kept->filter.addresses = (const kl_address *)(const void *)at;
    *bytes = room;
    return kept;
}
