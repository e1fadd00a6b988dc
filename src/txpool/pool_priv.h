/* pool_priv: what the files of txpool share: entries, senders, and the heap of senders by price. */
#ifndef KL_TXPOOL_POOL_PRIV_H
#define KL_TXPOOL_POOL_PRIV_H

#include "base/map.h"
#include "base/sync.h"
#include "txpool/txpool.h"

/* A transaction in memory of its own; `room` holds its envelope and its lists. */
struct entry {
    kl_refs refs;
    kl_pool_tx pub;
    kl_u256 cost; /* the most it can take from the sender's balance */
    u8 room[];
};

/* One sender's transactions, in order of nonce: entries[first .. first + count). */
struct sender {
    kl_address address;
    kl_pool_facts facts;
    struct entry **entries;
    usize first, count, cap;
    kl_u256 costs;    /* of all entries together, modulo 2^256 */
    usize pending;    /* how many of them, from the first on, could be in the next block */
    kl_u256 cost_max; /* no entry costs more */
    usize heap_index; /* in the pool's heap by price of the last entry */
    u64 news_ns;      /* when a transaction of it came or went */

    bool is_large;             /* it has more than its share: */
    struct sender *next_large; /* another that has, in no order */
    struct sender *next_stale; /* while they are gathered */
};

struct kl_pool {
    kl_pool_config config;
    kl_pool_head head;
    struct kl_map by_hash;   /* entries */
    struct kl_map by_sender; /* senders */
    struct sender **heap;    /* the sender whose last entry pays least stands first */
    usize heap_count, heap_cap;
    struct sender *large; /* that have more than their share, see sender_share */
    usize bytes, pending, queued;
    u64 arrivals, now_ns;
};

/* entry.c */
KL_MUST_USE kl_status kl_entry_new(struct entry **out, const kl_tx *tx, bool local, u64 arrival);
void kl_entry_unref(struct entry *entry);
static inline struct entry *kl_entry_of(const kl_pool_tx *tx)
{
    return (struct entry *)((uintptr_t)tx - offsetof(struct entry, pub));
}

/* sender.c: entries of one sender.  Positions count from 0, the lowest nonce. */
static inline struct entry *kl_sender_at(const struct sender *sender, usize position)
{
    KL_ASSERT(position < sender->count);
    return sender->entries[sender->first + position];
}
static inline struct entry *kl_sender_last(const struct sender *sender)
{
    return kl_sender_at(sender, sender->count - 1);
}
/* The position of nonce, or where it would go. */
usize kl_sender_find(const struct sender *sender, u64 nonce, bool *found);
KL_MUST_USE kl_status kl_sender_insert(struct sender *sender, usize position, struct entry *entry);
struct entry *kl_sender_take(struct sender *sender, usize position);
/* How many entries from the first on follow one another from the account's nonce; the first `known`
 * are known to. */
usize kl_sender_run(const struct sender *sender, usize known);

/* heap.c: keeps kl_pool.heap in order. */
KL_MUST_USE kl_status kl_price_heap_add(struct kl_pool *pool, struct sender *sender);
void kl_price_heap_remove(struct kl_pool *pool, struct sender *sender);
void kl_price_heap_changed(struct kl_pool *pool, struct sender *sender);

/* What is about to come in. */
struct arrival {
    const kl_tx *tx;
    struct sender *sender;   /* NULL: it has none here */
    const struct entry *old; /* whose place it takes; or NULL */
    bool pending;            /* it could be in the next block */
};
/* room.c: evicts what stands in an arrival's way, or says the rule that keeps it out. */
kl_rule kl_pool_make_room(struct kl_pool *pool, const struct arrival *a);

/* share.c: keeps kl_pool.large; after each change of a sender's count. */
void kl_share_changed(struct kl_pool *pool, struct sender *sender);
/* The one that has most, of those that have more than their share; or NULL. */
struct sender *kl_share_largest(const struct kl_pool *pool);

/* pool.c */
void kl_pool_drop(struct kl_pool *pool, struct sender *sender, usize position);

/* judge.c: the rule that keeps tx out, whatever else is in the pool. */
kl_rule kl_pool_judge(const struct kl_pool *pool, const kl_tx *tx, const kl_pool_facts *facts);

#endif
