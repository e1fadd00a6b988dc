/* A pick is a heap over the senders' next pending transactions, made when the builder asks and
 * worked off as it goes. */
#include <stdlib.h>

#include "txpool/pool_priv.h"

struct candidate {
    const struct sender *sender;
    usize position;
    kl_u256 tip; /* per gas, under the head's base fee */
};

struct kl_pool_pick {
    const struct kl_pool *pool;
    bool by_arrival;
    bool given; /* heap[0] is what was handed out last */
    usize count;
    struct candidate heap[];
};

static const kl_pool_tx *tx_of(const struct candidate *c)
{
    return &kl_sender_at(c->sender, c->position)->pub;
}

static bool before(const struct kl_pool_pick *pick, const struct candidate *a,
                   const struct candidate *b)
{
    int order = pick->by_arrival ? 0 : kl_u256_cmp(b->tip, a->tip);
    return order ? order < 0 : tx_of(a)->arrival < tx_of(b)->arrival;
}

static void sink(struct kl_pool_pick *pick, usize at)
{
    struct candidate moving = pick->heap[at];
    for (usize child; (child = 2 * at + 1) < pick->count; at = child) {
        if (child + 1 < pick->count && before(pick, &pick->heap[child + 1], &pick->heap[child]))
            child++;
        if (!before(pick, &pick->heap[child], &moving))
            break;
        pick->heap[at] = pick->heap[child];
    }
    pick->heap[at] = moving;
}

/* Sets the tip; false when the sender has no transaction at position that the next block could
 * hold. */
static bool ready(const struct kl_pool_pick *pick, struct candidate *c)
{
    if (c->position >= c->sender->pending)
        return false;
    const kl_tx *tx = &tx_of(c)->tx;
    kl_u256 room;
    if (kl_u256_sub_under(&room, tx->max_fee, pick->pool->head.base_fee))
        return false;
    c->tip = kl_u256_lt(room, tx->max_priority_fee) ? room : tx->max_priority_fee;
    return true;
}

kl_status kl_pool_pick_begin(struct kl_pool *pool, bool by_arrival, struct kl_pool_pick **out)
{
    struct kl_pool_pick *pick = malloc(sizeof *pick + pool->heap_count * sizeof(struct candidate));
    if (!pick)
        return KL_NOMEM;
    *pick = (struct kl_pool_pick){.pool = pool, .by_arrival = by_arrival};
    for (usize i = 0; i < pool->heap_count; i++) {
        struct candidate c = {.sender = pool->heap[i]};
        if (ready(pick, &c))
            pick->heap[pick->count++] = c;
    }
    for (usize i = pick->count / 2; i-- > 0;)
        sink(pick, i);
    *out = pick;
    return KL_OK;
}

const kl_pool_tx *kl_pool_pick_next(struct kl_pool_pick *pick, bool skip_sender)
{
    if (pick->given) {
        struct candidate *top = &pick->heap[0];
        top->position++;
        if (skip_sender || !ready(pick, top))
            *top = pick->heap[--pick->count];
        if (pick->count)
            sink(pick, 0);
    }
    pick->given = pick->count != 0;
    return pick->given ? tx_of(&pick->heap[0]) : NULL;
}

void kl_pool_pick_end(struct kl_pool_pick *pick)
{
    free(pick);
}
