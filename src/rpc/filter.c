#include "rpc/filter.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/rand.h"
#include "base/sync.h"

enum { QUERY_BYTES_MAX = 64 << 20 }; /* of all filters' queries */

struct kl_filter {
    kl_refs refs;
    kl_filter_id id;
    kl_filter_kind kind;
    kl_log_query *query;
    usize query_bytes;
    struct kl_filter *older, *newer; /* in order of use */
    u64 used_ns;
    u64 steps, pending, version, next_block; /* see kl_filter_use */
};

struct kl_filters {
    struct kl_feed *feed;
    kl_mutex mutex; /* over what follows, and the filters' last line */
    struct kl_map by_id;
    struct kl_filter *oldest, *newest; /* by their last use */
    usize query_bytes;
    u64 seed;
};

kl_status kl_filters_new(struct kl_filters **out, struct kl_feed *feed, u64 seed)
{
    struct kl_filters *filters = calloc(1, sizeof *filters);
    if (!filters)
        return KL_NOMEM;
    filters->feed = feed;
    filters->seed = seed;
    kl_mutex_init(&filters->mutex);
    kl_map_init(&filters->by_id, offsetof(struct kl_filter, id), sizeof(kl_filter_id), seed);
    *out = filters;
    return KL_OK;
}

static void unref(struct kl_filter *filter)
{
    if (!kl_refs_drop(&filter->refs))
        return;
    free(filter->query);
    free(filter);
}

/* Used at this moment: the newest.  The mutex is held. */
static void enlist(struct kl_filters *filters, struct kl_filter *filter, u64 now_ns)
{
    filter->used_ns = now_ns;
    filter->newer = NULL;
    filter->older = filters->newest;
    *(filter->older ? &filter->older->newer : &filters->oldest) = filter;
    filters->newest = filter;
}

static void delist(struct kl_filters *filters, struct kl_filter *filter)
{
    *(filter->older ? &filter->older->newer : &filters->oldest) = filter->newer;
    *(filter->newer ? &filter->newer->older : &filters->newest) = filter->older;
}

/* The mutex is held. */
static void drop(struct kl_filters *filters, struct kl_filter *filter)
{
    KL_ASSERT(kl_map_take(&filters->by_id, &filter->id) == filter);
    delist(filters, filter);
    filters->query_bytes -= filter->query_bytes;
    if (kl_filter_hears_pending(filter->kind))
        kl_feed_unlisten(filters->feed);
    unref(filter);
}

void kl_filters_free(struct kl_filters *filters)
{
    if (!filters)
        return;
    usize cursor = 0;
    for (struct kl_filter *filter; (filter = kl_map_next(&filters->by_id, &cursor)) != NULL;)
        unref(filter);
    kl_map_done(&filters->by_id);
    kl_mutex_done(&filters->mutex);
    free(filters);
}

/* Drops what nobody has polled for too long. */
static void sweep(struct kl_filters *filters, const struct kl_rpc_call *call, u64 now_ns)
{
    u64 limit_ns = call->config->limits.filter_timeout_ns;
    while (filters->oldest && now_ns - filters->oldest->used_ns > limit_ns)
        drop(filters, filters->oldest);
}

static kl_status filter_new(struct kl_filter **out, kl_filter_kind kind, const kl_log_query *query)
{
    struct kl_filter *filter = calloc(1, sizeof *filter);
    if (!filter)
        return KL_NOMEM;
    kl_refs_init(&filter->refs);
    filter->kind = kind;
    if (query)
        filter->query = kl_log_query_keep(query, &filter->query_bytes);
    if (query && !filter->query) {
        unref(filter);
        return KL_NOMEM;
    }
    *out = filter;
    return KL_OK;
}

/* The mutex is held. */
static kl_status insert(struct kl_filters *filters, const struct kl_rpc_call *call,
                        struct kl_filter *filter, u64 now_ns)
{
    if (filters->by_id.count >= call->config->limits.filter_max ||
        filters->query_bytes + filter->query_bytes > QUERY_BYTES_MAX)
        return KL_LIMIT;
    do
        kl_rand_fill(&filters->seed, filter->id.b, sizeof filter->id.b);
    while (kl_map_get(&filters->by_id, &filter->id));
    KL_TRY(kl_map_put(&filters->by_id, filter));
    enlist(filters, filter, now_ns);
    filters->query_bytes += filter->query_bytes;
    if (kl_filter_hears_pending(filter->kind))
        kl_feed_listen(filters->feed);
    return KL_OK;
}

kl_status kl_filter_add(struct kl_filters *filters, const struct kl_rpc_call *call,
                        kl_filter_kind kind, const kl_log_query *query, const struct kl_tip *tip,
                        kl_filter_id *out)
{
    struct kl_filter *filter;
    KL_TRY(filter_new(&filter, kind, query));
    filter->version = tip->version;
    filter->next_block = tip->header.number + 1;
    filter->steps = kl_feed_steps(filters->feed);
    filter->pending = kl_feed_pending(filters->feed);
    kl_lock(&filters->mutex);
    u64 now_ns = kl_mono_ns(call->config->clock);
    sweep(filters, call, now_ns);
    kl_status status = insert(filters, call, filter, now_ns);
    if (status == KL_OK)
        *out = filter->id;
    else
        unref(filter);
    kl_unlock(&filters->mutex);
    return status;
}

bool kl_filter_remove(struct kl_filters *filters, const kl_filter_id *id)
{
    kl_lock(&filters->mutex);
    struct kl_filter *filter = kl_map_get(&filters->by_id, id);
    if (filter)
        drop(filters, filter);
    kl_unlock(&filters->mutex);
    return filter != NULL;
}

kl_status kl_filter_use(struct kl_filters *filters, const struct kl_rpc_call *call,
                        const kl_filter_id *id, struct kl_filter_use *out)
{
    kl_status status = KL_NOTFOUND;
    kl_lock(&filters->mutex);
    struct kl_filter *filter = kl_map_get(&filters->by_id, id);
    if (filter) {
        kl_refs_add(&filter->refs);
        delist(filters, filter);
        enlist(filters, filter, kl_mono_ns(call->config->clock));
        *out = (struct kl_filter_use){
            .filter = filter,
            .kind = filter->kind,
            .query = filter->query,
            .steps = filter->steps,
            .pending = filter->pending,
            .version = filter->version,
            .next_block = filter->next_block,
        };
        status = KL_OK;
    }
    kl_unlock(&filters->mutex);
    return status;
}

void kl_filter_told(struct kl_filters *filters, const struct kl_filter_use *use)
{
    kl_lock(&filters->mutex);
    use->filter->steps = KL_MAX(use->filter->steps, use->steps);
    use->filter->pending = KL_MAX(use->filter->pending, use->pending);
    if (use->version >= use->filter->version) { /* two polls at once: the one that saw more */
        use->filter->version = use->version;
        use->filter->next_block = use->next_block;
    }
    kl_unlock(&filters->mutex);
    unref(use->filter);
}
