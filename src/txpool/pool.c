/* Entries hang on their senders in order of nonce; the first so many of a sender that follow one
 * another from the account's nonce are pending, the rest are queued.  A map finds entries by hash,
 * a heap the sender whose last entry is cheapest, which is what goes when the pool is full. */
#include <stdlib.h>

#include "txpool/pool_priv.h"
#include "types/intrinsic.h"

kl_status kl_pool_new(struct kl_pool **out, const kl_pool_config *config)
{
    struct kl_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return KL_NOMEM;
    pool->config = *config;
    kl_map_init(&pool->by_hash, offsetof(struct entry, pub.tx.hash), sizeof(kl_hash), config->seed);
    kl_map_init(&pool->by_sender, offsetof(struct sender, address), sizeof(kl_address),
                config->seed);
    *out = pool;
    return KL_OK;
}

static void sender_free(struct sender *sender)
{
    for (usize i = 0; i < sender->count; i++)
        kl_entry_unref(kl_sender_at(sender, i));
    free(sender->entries);
    free(sender);
}

void kl_pool_clear(struct kl_pool *pool)
{
    usize cursor = 0;
    for (struct sender *sender; (sender = kl_map_next(&pool->by_sender, &cursor)) != NULL;)
        sender_free(sender);
    kl_map_clear(&pool->by_sender);
    kl_map_clear(&pool->by_hash);
    pool->heap_count = pool->bytes = pool->pending = pool->queued = 0;
    pool->large = NULL;
}

void kl_pool_free(struct kl_pool *pool)
{
    if (!pool)
        return;
    kl_pool_clear(pool);
    kl_map_done(&pool->by_sender);
    kl_map_done(&pool->by_hash);
    free(pool->heap);
    free(pool);
}

void kl_pool_set_head(struct kl_pool *pool, const kl_pool_head *head)
{
    pool->head = *head;
}

/* Counts the sender's pending run, of which the first `known` are known to belong to it. */
static void recount(struct kl_pool *pool, struct sender *sender, usize known)
{
    usize run = kl_sender_run(sender, known);
    pool->pending += run - sender->pending;
    pool->queued -= run - sender->pending;
    sender->pending = run;
}

/* The sender under address, made and put into map and heap when it is not there.  A sender in the
 * pool always has an entry, so a new one is given its first. */
static kl_status sender_new(struct kl_pool *pool, const kl_address *address, struct entry *first,
                            struct sender **out)
{
    struct sender *sender = calloc(1, sizeof *sender);
    if (!sender)
        return KL_NOMEM;
    sender->address = *address;
    kl_status status = kl_sender_insert(sender, 0, first);
    if (status == KL_OK)
        status = kl_map_put(&pool->by_sender, sender);
    if (status == KL_OK) {
        status = kl_price_heap_add(pool, sender);
        if (status != KL_OK)
            kl_map_take(&pool->by_sender, address->b);
    }
    if (status != KL_OK) {
        free(sender->entries);
        free(sender);
        return status;
    }
    *out = sender;
    return KL_OK;
}

static void count_in(struct kl_pool *pool, struct sender *sender, const struct entry *entry)
{
    sender->costs = kl_u256_add(sender->costs, entry->cost);
    pool->bytes += entry->pub.tx.raw.len;
    pool->queued++; /* recount moves it over if it is pending */
}

static void count_out(struct kl_pool *pool, struct sender *sender, usize position)
{
    const struct entry *entry = kl_sender_at(sender, position);
    sender->costs = kl_u256_sub(sender->costs, entry->cost);
    pool->bytes -= entry->pub.tx.raw.len;
    if (position < sender->pending) {
        pool->pending--;
        sender->pending--;
    } else {
        pool->queued--;
    }
}

/* Takes the entry at position out; resettle must follow before anything else. */
static void take_out(struct kl_pool *pool, struct sender *sender, usize position)
{
    count_out(pool, sender, position);
    struct entry *entry = kl_sender_take(sender, position);
    kl_share_changed(pool, sender);
    kl_map_take(&pool->by_hash, entry->pub.tx.hash.b);
    kl_entry_unref(entry);
}

/* Puts run and heap right after entries went; a sender without any goes too.  The first `known`
 * entries are known to be in the run. */
static void resettle(struct kl_pool *pool, struct sender *sender, usize known)
{
    if (sender->count) {
        recount(pool, sender, known);
        kl_price_heap_changed(pool, sender);
        return;
    }
    kl_price_heap_remove(pool, sender);
    kl_map_take(&pool->by_sender, sender->address.b);
    sender_free(sender);
}

void kl_pool_drop(struct kl_pool *pool, struct sender *sender, usize position)
{
    take_out(pool, sender, position);
    resettle(pool, sender, KL_MIN(position, sender->pending));
}

/* What a replacement must offer at least: so many percent more than what it replaces, in both
 * fees. */
static bool pays_more(const struct kl_pool *pool, const kl_tx *tx, const kl_tx *than)
{
    kl_u256 fee, tip;
    kl_u256 percent = kl_u256_of(100 + pool->config.replace_percent), whole = kl_u256_of(100);
    return !kl_u256_muldiv_over(&fee, than->max_fee, percent, whole) &&
           !kl_u256_muldiv_over(&tip, than->max_priority_fee, percent, whole) &&
           !kl_u256_lt(tx->max_fee, fee) && !kl_u256_lt(tx->max_priority_fee, tip) &&
           kl_u256_lt(than->max_fee, tx->max_fee);
}

/* May the sender have one more? */
static kl_rule judge_share(const struct kl_pool *pool, const struct sender *sender, bool pending)
{
    usize queued = sender->count - sender->pending;
    if (pending ? sender->pending >= pool->config.per_sender_max
                : queued >= pool->config.queued_sender_max)
        return KL_RULE_POOL_SENDER_FULL;
    return KL_RULE_NONE;
}

static kl_status replace(struct kl_pool *pool, struct sender *sender, usize position,
                         struct entry *entry, kl_pool_added *out)
{
    struct entry **at = &sender->entries[sender->first + position];
    struct entry *old = *at;
    kl_map_take(&pool->by_hash, old->pub.tx.hash.b);
    kl_status status = kl_map_put(&pool->by_hash, entry); /* has the room the old one left */
    KL_ASSERT(status == KL_OK);
    pool->bytes += entry->pub.tx.raw.len - old->pub.tx.raw.len;
    sender->costs = kl_u256_add(kl_u256_sub(sender->costs, old->cost), entry->cost);
    *at = entry;
    out->replaced = true;
    out->replaced_hash = old->pub.tx.hash;
    kl_entry_unref(old);
    kl_price_heap_changed(pool, sender);
    return KL_OK;
}

static kl_status insert(struct kl_pool *pool, struct sender *sender, usize position,
                        struct entry *entry)
{
    KL_TRY(kl_map_put(&pool->by_hash, entry));
    kl_status status = sender ? kl_sender_insert(sender, position, entry)
                              : sender_new(pool, &entry->pub.tx.sender, entry, &sender);
    if (status != KL_OK) {
        kl_map_take(&pool->by_hash, entry->pub.tx.hash.b);
        return status;
    }
    count_in(pool, sender, entry);
    kl_share_changed(pool, sender);
    kl_price_heap_changed(pool, sender);
    return KL_OK;
}

/* Can the sender's balance pay for all of its transactions together, with tx among them? */
static kl_rule judge_costs(const struct sender *sender, const kl_tx *tx, const kl_pool_facts *facts,
                           usize position, bool found)
{
    kl_u256 cost, others = sender->costs;
    if (found)
        others = kl_u256_sub(others, kl_sender_at(sender, position)->cost);
    if (!kl_tx_cost(&cost, tx) || kl_u256_add_over(&cost, cost, others) ||
        kl_u256_lt(facts->balance, cost))
        return KL_RULE_TX_FUNDS;
    return KL_RULE_NONE;
}

/* Whether tx, to stand at position, could be in the next block. */
static bool is_ready(const struct sender *sender, const kl_tx *tx, const kl_pool_facts *facts,
                     usize position)
{
    return position <= (sender ? sender->pending : 0) && tx->nonce - position == facts->nonce;
}

/* Everything that can be said against tx, known its sender and where it would stand. */
static kl_rule judge(struct kl_pool *pool, const kl_tx *tx, const kl_pool_arrival *how,
                     struct sender *sender, usize position, bool found)
{
    if (kl_map_get(&pool->by_hash, tx->hash.b))
        return KL_RULE_POOL_KNOWN;
    KL_JUDGE(kl_pool_judge(pool, tx, &how->facts));
    if (!sender)
        return KL_RULE_NONE;
    if (found && how->only_new)
        return KL_RULE_POOL_REPLACE_UNDERPRICED;
    KL_JUDGE(judge_costs(sender, tx, &how->facts, position, found));
    if (!found)
        return judge_share(pool, sender, is_ready(sender, tx, &how->facts, position));
    return pays_more(pool, tx, &kl_sender_at(sender, position)->pub.tx)
               ? KL_RULE_NONE
               : KL_RULE_POOL_REPLACE_UNDERPRICED;
}

kl_status kl_pool_add(struct kl_pool *pool, const kl_tx *tx, const kl_pool_arrival *how,
                      kl_pool_added *out, kl_rule *broken)
{
    kl_pool_update(pool, &tx->sender, &how->facts);
    struct sender *sender = kl_map_get(&pool->by_sender, tx->sender.b);
    bool found = false;
    usize position = sender ? kl_sender_find(sender, tx->nonce, &found) : 0;
    *broken = judge(pool, tx, how, sender, position, found);
    const struct arrival arrival = {
        .tx = tx,
        .sender = sender,
        .old = found ? kl_sender_at(sender, position) : NULL,
        .pending = is_ready(sender, tx, &how->facts, position),
    };
    if (*broken == KL_RULE_NONE)
        *broken = kl_pool_make_room(pool, &arrival);
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    struct entry *entry;
    kl_pool_added added = {0};
    KL_TRY(kl_entry_new(&entry, tx, how->local, pool->arrivals));
    kl_status status = found ? replace(pool, sender, position, entry, &added)
                             : insert(pool, sender, position, entry);
    if (status != KL_OK) {
        kl_entry_unref(entry);
        return status;
    }
    pool->arrivals++;
    sender = kl_map_get(&pool->by_sender, tx->sender.b);
    sender->facts = how->facts;
    sender->news_ns = pool->now_ns;
    if (kl_u256_lt(sender->cost_max, entry->cost))
        sender->cost_max = entry->cost;
    recount(pool, sender, sender->pending); /* nothing can be put in before the end of the run */
    added.pending = position < sender->pending;
    *out = added;
    return KL_OK;
}

/* The sender's entries have been looked at with these facts. */
static bool is_known(const kl_pool_facts *had, const kl_pool_facts *facts)
{
    return had->nonce == facts->nonce && kl_u256_eq(had->balance, facts->balance);
}

static void drop_unpayable(struct kl_pool *pool, struct sender *sender)
{
    for (usize i = 0; i < sender->count;)
        if (kl_u256_lt(sender->facts.balance, kl_sender_at(sender, i)->cost))
            take_out(pool, sender, i);
        else
            i++;
}

void kl_pool_update(struct kl_pool *pool, const kl_address *address, const kl_pool_facts *facts)
{
    struct sender *sender = kl_map_get(&pool->by_sender, address->b);
    if (!sender || is_known(&sender->facts, facts))
        return;
    sender->facts = *facts;
    sender->news_ns = pool->now_ns;
    while (sender->count && kl_sender_at(sender, 0)->pub.tx.nonce < facts->nonce)
        take_out(pool, sender, 0);
    /* What is left of the run is still one, unless the nonce went back or over a gap. */
    usize known = sender->count && kl_sender_at(sender, 0)->pub.tx.nonce == facts->nonce
                      ? sender->pending
                      : 0;
    if (kl_u256_lt(facts->balance, sender->cost_max)) {
        known = 0;
        drop_unpayable(pool, sender);
    }
    resettle(pool, sender, known);
}

static bool is_stale(const struct kl_pool *pool, const struct sender *sender)
{
    return sender->count > sender->pending &&
           pool->now_ns - sender->news_ns > pool->config.queued_ns;
}

static void drop_queued(struct kl_pool *pool, struct sender *sender)
{
    for (usize i = sender->count; i-- > sender->pending;)
        if (!kl_sender_at(sender, i)->pub.local)
            take_out(pool, sender, i);
    resettle(pool, sender, sender->pending);
}

void kl_pool_pass_time(struct kl_pool *pool, u64 now_ns)
{
    struct sender *stale = NULL; /* they may leave the map, so they are gathered first */
    usize cursor = 0;
    pool->now_ns = now_ns;
    if (!pool->config.queued_ns)
        return;
    for (struct sender *s; (s = kl_map_next(&pool->by_sender, &cursor)) != NULL;)
        if (is_stale(pool, s)) {
            s->next_stale = stale;
            stale = s;
        }
    for (struct sender *next; stale; stale = next) {
        next = stale->next_stale;
        drop_queued(pool, stale);
    }
}

void kl_pool_senders(struct kl_pool *pool, void (*each)(void *ctx, const kl_address *sender),
                     void *ctx)
{
    usize cursor = 0;
    for (const struct sender *s; (s = kl_map_next(&pool->by_sender, &cursor)) != NULL;)
        each(ctx, &s->address);
}

bool kl_pool_remove(struct kl_pool *pool, const kl_hash *hash)
{
    const struct entry *entry = kl_map_get(&pool->by_hash, hash->b);
    if (!entry)
        return false;
    struct sender *sender = kl_map_get(&pool->by_sender, entry->pub.tx.sender.b);
    bool found;
    usize position = kl_sender_find(sender, entry->pub.tx.nonce, &found);
    KL_ASSERT(found);
    kl_pool_drop(pool, sender, position);
    return true;
}

const kl_pool_tx *kl_pool_get(struct kl_pool *pool, const kl_hash *hash)
{
    const struct entry *entry = kl_map_get(&pool->by_hash, hash->b);
    return entry ? &entry->pub : NULL;
}

u64 kl_pool_next_nonce(struct kl_pool *pool, const kl_address *address, u64 account_nonce)
{
    const struct sender *sender = kl_map_get(&pool->by_sender, address->b);
    return sender ? sender->facts.nonce + sender->pending : account_nonce;
}

static int by_address(const void *a, const void *b)
{
    const struct sender *x = *(struct sender *const *)a, *y = *(struct sender *const *)b;
    return memcmp(x->address.b, y->address.b, sizeof x->address.b);
}

kl_status kl_pool_each(struct kl_pool *pool,
                       void (*each)(void *ctx, const kl_pool_tx *tx, bool pending), void *ctx)
{
    if (pool->heap_count == 0)
        return KL_OK;
    struct sender **sorted = malloc(pool->heap_count * sizeof *sorted);
    if (!sorted)
        return KL_NOMEM;
    memcpy(sorted, pool->heap, pool->heap_count * sizeof *sorted);
    qsort(sorted, pool->heap_count, sizeof *sorted, by_address);
    for (usize s = 0; s < pool->heap_count; s++)
        for (usize i = 0; i < sorted[s]->count; i++)
            each(ctx, &kl_sender_at(sorted[s], i)->pub, i < sorted[s]->pending);
    free(sorted);
    return KL_OK;
}

kl_pool_counts kl_pool_count(const struct kl_pool *pool)
{
    return (kl_pool_counts){pool->pending, pool->queued, pool->bytes};
}
