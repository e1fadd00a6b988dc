/* feed: what has happened lately, for subscriptions and filters: the last published steps, and the
 * hashes of transactions that became pending.
 *
 * Whoever listens remembers how far it has read and catches up when it likes; who falls behind what
 * is kept has lost something, and is told so.  Writing never waits for a reader.  Thread: any. */
#ifndef KL_RPC_FEED_H
#define KL_RPC_FEED_H

#include "chain/chain.h"

#define KL_FEED_STEPS   256 /* kept; a subscriber this far behind has not read for minutes */
#define KL_FEED_PENDING 8192

/* One published step. */
typedef struct kl_feed_step {
    kl_step step;
    u64 version;
    kl_hash hash; /* of the head block as of this step */
    kl_header header;
} kl_feed_step;

struct kl_feed;

/* KL_NOMEM. */
KL_MUST_USE kl_status kl_feed_new(struct kl_feed **out);
void kl_feed_free(struct kl_feed *feed);

void kl_feed_add_step(struct kl_feed *feed, const kl_feed_step *step);
/* Does nothing while nobody listens to pending transactions. */
void kl_feed_add_pending(struct kl_feed *feed, const kl_hash *hash);

/* Listeners to pending transactions say so, and say when they stop. */
void kl_feed_listen(struct kl_feed *feed);
void kl_feed_unlisten(struct kl_feed *feed);

/* How many there have been so far: a new listener begins here. */
u64 kl_feed_steps(struct kl_feed *feed);
u64 kl_feed_pending(struct kl_feed *feed);

/* Number `index` of all there have been.  KL_AGAIN: it is yet to come; KL_NOTFOUND: no longer kept.
 */
KL_MUST_USE kl_status kl_feed_step_at(struct kl_feed *feed, u64 index, kl_feed_step *out);
KL_MUST_USE kl_status kl_feed_pending_at(struct kl_feed *feed, u64 index, kl_hash *out);

#endif
