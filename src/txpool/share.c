/* Senders that have more than their share: a list that is as long as what the pool holds divided by
 * the share, at most. */
#include "txpool/pool_priv.h"

static void link_in(struct kl_pool *pool, struct sender *sender)
{
    sender->larger_before = NULL;
    sender->larger_after = pool->large;
    if (pool->large)
        pool->large->larger_before = sender;
    pool->large = sender;
}

static void link_out(struct kl_pool *pool, struct sender *sender)
{
    if (sender->larger_before)
        sender->larger_before->larger_after = sender->larger_after;
    else
        pool->large = sender->larger_after;
    if (sender->larger_after)
        sender->larger_after->larger_before = sender->larger_before;
}

void kl_share_changed(struct kl_pool *pool, struct sender *sender)
{
    usize share = pool->config.sender_share;
    bool is_large = share && sender->count > share;
    if (is_large == sender->is_large)
        return;
    sender->is_large = is_large;
    if (is_large)
        link_in(pool, sender);
    else
        link_out(pool, sender);
}

struct sender *kl_share_largest(const struct kl_pool *pool)
{
    struct sender *largest = pool->large;
    for (struct sender *s = pool->large; s; s = s->larger_after)
        if (s->count > largest->count)
            largest = s;
    return largest;
}
