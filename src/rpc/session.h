/* session: a WebSocket client's subscriptions.
 *
 * A topic is what can be subscribed to (newHeads, logs, …): a row of functions.  eth_subscribe
 * finds the topic and calls kl_rpc_subscribe; from then on the topic's functions are called with
 * every step or pending transaction, and write their notifications with kl_rpc_notice and
 * kl_rpc_notice_end:
 *
 *     static bool new_heads_step(struct kl_rpc_call *call, void *state, const kl_feed_step *step)
 *     {
 *         if (step->step != KL_STEP_BLOCK)
 *             return true;
 *         kl_rpc_notice(call);
 *         put_header(call->out, &step->header, &step->hash);
 *         kl_rpc_notice_end(call);
 *         return true;
 *     }
 *
 * Thread: that of the call. */
#ifndef KL_RPC_SESSION_H
#define KL_RPC_SESSION_H

#include "rpc/call.h"
#include "rpc/feed.h"

typedef struct kl_rpc_topic {
    const char *name;
    /* Reads what else the subscription was given (parameters 1 and up) and makes *state, which may
     * be NULL; false when it is wrong.  NULL: there is nothing to read. */
    bool (*open)(struct kl_rpc_call *call, void **state);
    /* What there is to say about a step, or a pending transaction; NULL: nothing.  Parameters are
     * none here; the reader and the EVM are as in a call.  False: it failed, and the client is
     * dropped, since it would miss something. */
    bool (*step)(struct kl_rpc_call *call, void *state, const kl_feed_step *step);
    bool (*pending)(struct kl_rpc_call *call, void *state, const kl_hash *hash);
    void (*close)(void *state);
} kl_rpc_topic;

typedef struct kl_rpc_subscription_id {
    u8 b[16];
} kl_rpc_subscription_id;

/* Subscribes the call's client.  False, and said, over HTTP, over the limit, and when the topic's
 * open fails. */
bool kl_rpc_subscribe(struct kl_rpc_call *call, const kl_rpc_topic *topic,
                      kl_rpc_subscription_id *out);
/* False when the client has no such subscription. */
bool kl_rpc_unsubscribe(struct kl_rpc_session *session, const kl_rpc_subscription_id *id);

/* Around the value of a notification. */
void kl_rpc_notice(struct kl_rpc_call *call);
void kl_rpc_notice_end(struct kl_rpc_call *call);

/* For the server. */

KL_MUST_USE kl_status kl_rpc_session_new(struct kl_rpc_session **out, struct kl_feed *feed,
                                         u64 seed);
void kl_rpc_session_free(struct kl_rpc_session *session);

/* Has it subscriptions?  NULL has none. */
bool kl_rpc_session_hears(const struct kl_rpc_session *session);
/* Is there something it has not been told? */
bool kl_rpc_session_behind(const struct kl_rpc_session *session);
/* Frames of all that has not been told yet, appended to out; false when something was lost or
 * failed, or does not fit out's limit. */
KL_MUST_USE bool kl_rpc_session_tell(struct kl_rpc_session *session, struct kl_rpc_worker *worker,
                                     struct kl_buf *out);

#endif
