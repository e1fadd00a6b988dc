/* Buckets of a few entries, found by the hash's first bytes; the oldest of a bucket goes.  Hashes
 * are chosen by senders, who could fill one bucket: then they are recovered again, as they would be
 * without. */
#include "types/senders.h"

#include <stdlib.h>

#include "base/sync.h"

enum { WAYS = 4 };

typedef struct entry {
    kl_hash tx;
    kl_address sender;
    bool any;
} entry;

struct kl_senders {
    kl_mutex lock;
    usize mask;
    u8 *oldest; /* of each bucket */
    entry *entries;
};

kl_status kl_senders_new(struct kl_senders **out, usize entries)
{
    usize buckets = 1;
    while (buckets * WAYS < entries)
        buckets *= 2;
    struct kl_senders *senders = calloc(1, sizeof *senders);
    if (!senders)
        return KL_NOMEM;
    kl_mutex_init(&senders->lock);
    senders->mask = buckets - 1;
    senders->oldest = calloc(buckets, 1);
    senders->entries = calloc(buckets * WAYS, sizeof *senders->entries);
    if (!senders->oldest || !senders->entries) {
        kl_senders_free(senders);
        return KL_NOMEM;
    }
    *out = senders;
    return KL_OK;
}

void kl_senders_free(struct kl_senders *senders)
{
    if (!senders)
        return;
    kl_mutex_done(&senders->lock);
    free(senders->oldest);
    free(senders->entries);
    free(senders);
}

static usize bucket_of(const struct kl_senders *senders, const kl_hash *tx)
{
    return kl_load_be64(tx->b) & senders->mask;
}

static const entry *find_in(const entry *bucket, const kl_hash *tx)
{
    for (usize i = 0; i < WAYS; i++)
        if (bucket[i].any && kl_hash_eq(&bucket[i].tx, tx))
            return &bucket[i];
    return NULL;
}

static bool find(struct kl_senders *senders, const kl_hash *tx, kl_address *out)
{
    kl_lock(&senders->lock);
    const entry *found = find_in(senders->entries + bucket_of(senders, tx) * WAYS, tx);
    if (found)
        *out = found->sender;
    kl_unlock(&senders->lock);
    return found;
}

static void put(struct kl_senders *senders, const kl_tx *tx)
{
    usize bucket = bucket_of(senders, &tx->hash);
    entry *entries = senders->entries + bucket * WAYS;
    kl_lock(&senders->lock);
    if (!find_in(entries, &tx->hash))
        entries[senders->oldest[bucket]++ % WAYS] = (entry){tx->hash, tx->sender, true};
    kl_unlock(&senders->lock);
}

/* Before Homestead other signatures were good [EIP-2]: those are not remembered. */
kl_rule kl_senders_recover(struct kl_senders *senders, kl_tx *tx, kl_fork fork)
{
    if (!senders || fork < KL_HOMESTEAD)
        return kl_tx_recover(tx, fork);
    if (find(senders, &tx->hash, &tx->sender)) {
        tx->has_sender = true;
        kl_tx_recover_authorities(tx);
        return KL_RULE_NONE;
    }
    kl_rule broken = kl_tx_recover(tx, fork);
    if (broken == KL_RULE_NONE)
        put(senders, tx);
    return broken;
}

void kl_senders_remember(struct kl_senders *senders, const kl_tx *tx)
{
    if (senders && tx->has_sender)
        put(senders, tx);
}

struct recovery {
    struct kl_senders *senders;
    kl_tx *txs;
    kl_rule *broken;
    kl_fork fork;
};

static void recover_part(void *ctx, usize index)
{
    const struct recovery *r = ctx;
    kl_tx *tx = &r->txs[index];
    r->broken[index] = tx->has_sender ? KL_RULE_NONE : kl_senders_recover(r->senders, tx, r->fork);
}

void kl_senders_recover_all(struct kl_senders *senders, kl_tx *txs, kl_rule *broken, usize count,
                            kl_fork fork, struct kl_workers *workers)
{
    struct recovery r = {senders, txs, broken, fork};
    kl_workers_run(workers, recover_part, &r, count);
}
