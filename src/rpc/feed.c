#include "rpc/feed.h"

#include <stdlib.h>

#include "base/sync.h"

struct kl_feed {
    atomic_uint listeners;
    _Atomic u64 step_count, pending_count; /* written under the mutex */
    kl_mutex mutex;
    kl_feed_step steps[KL_FEED_STEPS];
    kl_hash pending[KL_FEED_PENDING];
};

kl_status kl_feed_new(struct kl_feed **out)
{
    struct kl_feed *feed = calloc(1, sizeof *feed);
    if (!feed)
        return KL_NOMEM;
    kl_mutex_init(&feed->mutex);
    *out = feed;
    return KL_OK;
}

void kl_feed_free(struct kl_feed *feed)
{
    if (!feed)
        return;
    kl_mutex_done(&feed->mutex);
    free(feed);
}

void kl_feed_add_step(struct kl_feed *feed, const kl_feed_step *step)
{
    kl_lock(&feed->mutex);
    feed->steps[atomic_load(&feed->step_count) % KL_FEED_STEPS] = *step;
    atomic_fetch_add(&feed->step_count, 1);
    kl_unlock(&feed->mutex);
}

void kl_feed_add_pending(struct kl_feed *feed, const kl_hash *hash)
{
    if (atomic_load(&feed->listeners) == 0)
        return;
    kl_lock(&feed->mutex);
    feed->pending[atomic_load(&feed->pending_count) % KL_FEED_PENDING] = *hash;
    atomic_fetch_add(&feed->pending_count, 1);
    kl_unlock(&feed->mutex);
}

void kl_feed_listen(struct kl_feed *feed)
{
    atomic_fetch_add(&feed->listeners, 1);
}

void kl_feed_unlisten(struct kl_feed *feed)
{
    KL_ASSERT(atomic_fetch_sub(&feed->listeners, 1) > 0);
}

u64 kl_feed_steps(struct kl_feed *feed)
{
    return atomic_load(&feed->step_count);
}

u64 kl_feed_pending(struct kl_feed *feed)
{
    return atomic_load(&feed->pending_count);
}

/* Is index still, or already, one of the last `kept` of count? */
static kl_status judge(u64 index, u64 count, u64 kept)
{
    return index >= count ? KL_AGAIN : count - index > kept ? KL_NOTFOUND : KL_OK;
}

kl_status kl_feed_step_at(struct kl_feed *feed, u64 index, kl_feed_step *out)
{
    kl_lock(&feed->mutex);
    kl_status status = judge(index, atomic_load(&feed->step_count), KL_FEED_STEPS);
    if (status == KL_OK)
        *out = feed->steps[index % KL_FEED_STEPS];
    kl_unlock(&feed->mutex);
    return status;
}

kl_status kl_feed_pending_at(struct kl_feed *feed, u64 index, kl_hash *out)
{
    kl_lock(&feed->mutex);
    kl_status status = judge(index, atomic_load(&feed->pending_count), KL_FEED_PENDING);
    if (status == KL_OK)
        *out = feed->pending[index % KL_FEED_PENDING];
    kl_unlock(&feed->mutex);
    return status;
}
