/* log_query: what eth_getLogs, filters and subscriptions to logs ask for [execution-apis Filter].
 */
#ifndef KL_RPC_LOG_QUERY_H
#define KL_RPC_LOG_QUERY_H

#include "rpc/param.h"

enum {
    KL_LOG_ADDRESSES_MAX = 1000, /* of one query, as in geth */
    KL_LOG_TOPICS_MAX = 1000,    /* alternatives at one place */
};

/* Addresses and topics live in the call's arena.  filter.from and filter.to are for the caller to
 * set. */
typedef struct kl_log_query {
    kl_log_filter filter;
    bool by_hash; /* one block, whatever from and to say */
    kl_hash hash;
    bool has_from, has_to;
    kl_block_ref from, to;
} kl_log_query;

/* A missing object asks for everything. */
bool kl_arg_log_query(struct kl_rpc_call *call, kl_arg arg, kl_log_query *out);

/* Resolves the range (missing ends: the newest block) and writes the matches as an array. */
bool kl_rpc_put_logs(struct kl_rpc_call *call, const kl_log_query *query);

/* A copy on the heap, to be given to free(); NULL when there is no memory.  *bytes: what it takes.
 */
kl_log_query *kl_log_query_keep(const kl_log_query *query, usize *bytes);

/* The matches in [filter.from, filter.to] as elements of an array that is open.  More than max of
 * them are an error. */
bool kl_rpc_put_log_range(struct kl_rpc_call *call, const kl_log_filter *filter, usize max,
                          usize *count);

/* Does a filter or subscription hear of this block?  Tags and a hash bound nothing. */
bool kl_log_query_reaches(const kl_log_query *query, u64 number);

#endif
