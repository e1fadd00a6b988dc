/* Senders that have more than their share: a list that is as long as what the pool holds divided by
 * the share, at most. */
#include "txpool/pool_priv.h"

static void take_out(struct kl_pool *pool, const struct sender *sender)
{
    struct sender **at = &pool->large;
    while (*at != sender)
        at = &(*at)->next_large;
    *at = sender->next_large;
}

void kl_share_changed(struct kl_pool *pool, struct sender *sender)
{
    usize share = pool->config.sender_share;
    bool is_large = share && sender->count > share;
    if (is_large == sender->is_large)
        return;
    sender->is_large = is_large;
    if (!is_large) {
        take_out(pool, sender);
        return;
    }
    sender->next_large = pool->large;
    pool->large = sender;
}

struct sender *kl_share_largest(const struct kl_pool *pool)
{
    struct sender *largest = pool->large;
    for (struct sender *s = pool->large; s; s = s->next_large)
        if (s->count > largest->count)
            largest = s;
    return largest;
}
