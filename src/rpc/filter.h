/* filter: polled filters, of all clients: what has happened since the last poll.
 *
 * A filter remembers how far it has read the feed.  One that was not polled for so long that the
 * feed has forgotten steps goes on from the block numbers it has not seen, so that it misses no
 * block that still stands.  What dev operations take back is not reported as removed: a poll tells
 * of blocks and logs that stand when it is answered.
 *
 * Thread: any. */
#ifndef KL_RPC_FILTER_H
#define KL_RPC_FILTER_H

#include "rpc/feed.h"
#include "rpc/log_query.h"

typedef enum kl_filter_kind {
    KL_FILTER_BLOCKS,
    KL_FILTER_LOGS,
    KL_FILTER_PENDING,     /* hashes of transactions */
    KL_FILTER_PENDING_TXS, /* and themselves */
} kl_filter_kind;

static inline bool kl_filter_hears_pending(kl_filter_kind kind)
{
    return kind == KL_FILTER_PENDING || kind == KL_FILTER_PENDING_TXS;
}

typedef struct kl_filter_id {
    u8 b[16];
} kl_filter_id;

struct kl_filters;

/* KL_NOMEM. */
KL_MUST_USE kl_status kl_filters_new(struct kl_filters **out, struct kl_feed *feed, u64 seed);
void kl_filters_free(struct kl_filters *filters);

/* A new filter, for which everything up to tip is old; query for LOGS, else NULL.  KL_LIMIT
 * when there are limits.filter_max of them, or their queries are too large together. */
KL_MUST_USE kl_status kl_filter_add(struct kl_filters *filters, const struct kl_rpc_call *call,
                                    kl_filter_kind kind, const kl_log_query *query,
                                    const struct kl_tip *tip, kl_filter_id *out);
/* False when there is none. */
bool kl_filter_remove(struct kl_filters *filters, const kl_filter_id *id);

/* One filter in use: what it is, and how far it has been told. */
struct kl_filter_use {
    struct kl_filter *filter; /* referenced */
    kl_filter_kind kind;
    const kl_log_query *query;
    u64 steps, pending; /* of the feed */
    u64 version;        /* of the last step it has seen */
    u64 next_block;     /* the lowest number it has not seen */
};

/* KL_NOTFOUND.  To be ended by kl_filter_told, with what has been told by then, or as it was. */
KL_MUST_USE kl_status kl_filter_use(struct kl_filters *filters, const struct kl_rpc_call *call,
                                    const kl_filter_id *id, struct kl_filter_use *out);
void kl_filter_told(struct kl_filters *filters, const struct kl_filter_use *use);

#endif
