/* room: whether a full pool takes an arrival, and what goes for it: what senders have beyond their
 * share, from the largest, where the arrival's has less and the next block could hold it; else
 * others' last ones, cheapest first, all of them cheaper than the arrival.  What that comes to is
 * found out before anything goes, so that nobody makes others' transactions go with one that is not
 * taken itself. */
#include "txpool/pool_priv.h"

/* What must go, at least. */
struct lack {
    usize count, bytes;
};

static struct lack lack_of(const struct kl_pool *pool, const struct arrival *a)
{
    usize count = pool->by_hash.count + !a->old;
    usize bytes = pool->bytes + a->tx->raw.len - (a->old ? a->old->pub.tx.raw.len : 0);
    return (struct lack){
        .count = count > pool->config.tx_max ? count - pool->config.tx_max : 0,
        .bytes = bytes > pool->config.bytes_max ? bytes - pool->config.bytes_max : 0,
    };
}

static bool is_lacking(struct lack lack)
{
    return lack.count || lack.bytes;
}

static struct lack without(struct lack lack, const struct entry *entry)
{
    return (struct lack){lack.count - (lack.count != 0),
                         lack.bytes - KL_MIN(lack.bytes, entry->pub.tx.raw.len)};
}

static bool is_cheaper(const struct entry *entry, const kl_tx *tx)
{
    return kl_u256_lt(entry->pub.tx.max_fee, tx->max_fee);
}

/* What is lacking without a sender's last ones, up to the first that is not cheaper. */
static struct lack without_cheaper(struct lack lack, const struct sender *sender, const kl_tx *tx)
{
    for (usize i = sender->count; i > 0 && is_lacking(lack); i--) {
        const struct entry *entry = kl_sender_at(sender, i - 1);
        if (!is_cheaper(entry, tx))
            break;
        lack = without(lack, entry);
    }
    return lack;
}

/* Whether all that could go is enough.  Walks over the heap, one below the other, from left to
 * right; below whoever is not cheaper nobody is.  Each one seen gives something, so the walk is not
 * longer than what is lacking. */
static bool is_enough(const struct kl_pool *pool, const kl_tx *tx, struct lack lack)
{
    usize at = 0;
    while (at < pool->heap_count) {
        const struct sender *sender = pool->heap[at];
        bool cheaper = is_cheaper(kl_sender_last(sender), tx);
        lack = without_cheaper(lack, sender, tx);
        if (!is_lacking(lack))
            return true;
        if (cheaper && 2 * at + 1 < pool->heap_count) {
            at = 2 * at + 1;
            continue;
        }
        while (at && (at % 2 == 0 || at + 1 == pool->heap_count))
            at = (at - 1) / 2;
        if (!at)
            break;
        at++;
    }
    return false;
}

/* Whether what senders have beyond their share is enough.  Each one seen gives something. */
static bool is_enough_beyond(const struct kl_pool *pool, struct lack lack)
{
    for (const struct sender *s = pool->large; s && is_lacking(lack); s = s->next_large)
        for (usize i = s->count; i > pool->config.sender_share && is_lacking(lack); i--)
            lack = without(lack, kl_sender_at(s, i - 1));
    return !is_lacking(lack);
}

static bool has_its_share(const struct kl_pool *pool, const struct arrival *a)
{
    usize share = pool->config.sender_share;
    return share && !a->old && a->sender && a->sender->count >= share;
}

/* Takes what is lacking from those that have more than their share; false: nothing was taken. */
static bool make_room_beyond(struct kl_pool *pool, const struct arrival *a, struct lack lack)
{
    bool is_next = a->pending && !kl_u256_lt(a->tx->max_fee, pool->head.base_fee);
    if (!is_next || a->old || !is_enough_beyond(pool, lack))
        return false;
    while (is_lacking(lack_of(pool, a))) {
        struct sender *largest = kl_share_largest(pool);
        kl_pool_drop(pool, largest, largest->count - 1);
    }
    return true;
}

static kl_rule judge(const struct kl_pool *pool, const struct arrival *a, struct lack lack)
{
    const struct sender *cheapest = pool->heap_count ? pool->heap[0] : NULL;
    if (!cheapest)
        return KL_RULE_POOL_FULL;
    if (!is_cheaper(kl_sender_last(cheapest), a->tx))
        return KL_RULE_POOL_UNDERPRICED;
    if (a->pending)
        return is_enough(pool, a->tx, lack) ? KL_RULE_NONE : KL_RULE_POOL_FULL;
    if (cheapest->pending == cheapest->count)
        return KL_RULE_POOL_FUTURE;
    return is_lacking(without(lack, kl_sender_last(cheapest))) ? KL_RULE_POOL_FULL : KL_RULE_NONE;
}

kl_rule kl_pool_make_room(struct kl_pool *pool, const struct arrival *a)
{
    struct lack lack = lack_of(pool, a);
    if (!is_lacking(lack))
        return KL_RULE_NONE;
    if (has_its_share(pool, a))
        return KL_RULE_POOL_SENDER_FULL;
    if (make_room_beyond(pool, a, lack))
        return KL_RULE_NONE;
    if (a->sender) /* its own stay: a gap before the arrival would be no help */
        kl_price_heap_remove(pool, a->sender);
    kl_rule broken = judge(pool, a, lack);
    while (broken == KL_RULE_NONE && is_lacking(lack_of(pool, a)))
        kl_pool_drop(pool, pool->heap[0], pool->heap[0]->count - 1);
    if (a->sender) {
        kl_status status = kl_price_heap_add(pool, a->sender); /* has the room that it left */
        KL_ASSERT(status == KL_OK);
    }
    return broken;
}
