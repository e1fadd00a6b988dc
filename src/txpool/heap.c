/* A binary heap of senders by what their last transaction offers: who is evicted first stands
 * first. Only a sender's last transaction is ever evicted, so that no gap opens before the others.
 */
#include <stdlib.h>

#include "txpool/pool_priv.h"

/* Is a the one to evict before b?  The cheaper one; among equals the later arrival. */
static bool before(const struct sender *a, const struct sender *b)
{
    const kl_pool_tx *x = &kl_sender_last(a)->pub, *y = &kl_sender_last(b)->pub;
    int order = kl_u256_cmp(x->tx.max_fee, y->tx.max_fee);
    return order ? order < 0 : x->arrival > y->arrival;
}

static void place(struct kl_pool *pool, usize index, struct sender *sender)
{
    pool->heap[index] = sender;
    sender->heap_index = index;
}

static void settle(struct kl_pool *pool, struct sender *sender)
{
    usize at = sender->heap_index;
    while (at > 0 && before(sender, pool->heap[(at - 1) / 2])) {
        place(pool, at, pool->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (usize child; (child = 2 * at + 1) < pool->heap_count; at = child) {
        if (child + 1 < pool->heap_count && before(pool->heap[child + 1], pool->heap[child]))
            child++;
        if (!before(pool->heap[child], sender))
            break;
        place(pool, at, pool->heap[child]);
    }
    place(pool, at, sender);
}

kl_status kl_price_heap_add(struct kl_pool *pool, struct sender *sender)
{
    if (pool->heap_count == pool->heap_cap) {
        usize cap = KL_MAX(pool->heap_cap * 2, (usize)16);
        struct sender **heap = realloc(pool->heap, cap * sizeof(struct sender *));
        if (!heap)
            return KL_NOMEM;
        pool->heap = heap;
        pool->heap_cap = cap;
    }
    place(pool, pool->heap_count++, sender);
    settle(pool, sender);
    return KL_OK;
}

void kl_price_heap_remove(struct kl_pool *pool, struct sender *sender)
{
    struct sender *last = pool->heap[--pool->heap_count];
    if (last == sender)
        return;
    place(pool, sender->heap_index, last);
    settle(pool, last);
}

void kl_price_heap_changed(struct kl_pool *pool, struct sender *sender)
{
    settle(pool, sender);
}
