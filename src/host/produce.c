/* Making a block: the pool's best transactions are taken out on paper, with the lock; the block is
 * built from the list, without it; and then the pool is told what became of them. */
#include "host/host_priv.h"

#include <stdlib.h>

#include "crypto/keccak.h"

#define NS_PER_S       1000000000u
#define CANDIDATES_MAX 100000u
#define SPARE          16u /* candidates beyond what is wanted: some may be refused */
#define GAS_OVERCOMMIT 4u  /* transactions rarely use all the gas they ask for */

/* The list a block is built from. */
struct offer {
    struct kl_tx_source source;
    struct kl_host *host;
    const kl_pool_tx **txs; /* referenced */
    kl_rule *fates;
    usize count, at;
    u64 arrivals; /* of the host, when it was filled */
};

static void offer_done(struct offer *o)
{
    for (usize i = 0; i < o->count; i++)
        kl_pool_tx_unref(o->txs[i]);
    free(o->txs);
    free(o->fates);
}

static const kl_tx *offer_next(struct kl_tx_source *source, u64 gas_left)
{
    struct offer *o = (struct offer *)source;
    (void)gas_left;
    return o->at < o->count ? &o->txs[o->at]->tx : NULL;
}

static void offer_result(struct kl_tx_source *source, const kl_tx *tx, const kl_tx_result *result,
                         kl_rule broken)
{
    struct offer *o = (struct offer *)source;
    o->fates[o->at++] = broken;
    for (struct kl_host_listener *l = o->host->listeners; l && broken == KL_RULE_NONE; l = l->next)
        if (l->executed)
            l->executed(l, tx, result);
}

static kl_status offer_add(struct offer *o, usize *cap, const kl_pool_tx *tx)
{
    if (o->count == *cap) {
        usize more = *cap ? *cap * 2 : 64;
        const kl_pool_tx **txs = realloc(o->txs, more * sizeof *txs);
        if (!txs)
            return KL_NOMEM;
        o->txs = txs;
        *cap = more;
    }
    o->txs[o->count++] = kl_pool_tx_ref(tx);
    return KL_OK;
}

/* Takes the best candidates of the pool; the lock is held. */
static kl_status offer_fill(struct offer *o, u64 tx_max, u64 gas_limit)
{
    struct kl_pool_pick *pick;
    usize cap = 0;
    o->arrivals = o->host->arrivals;
    u64 most = KL_MIN(kl_add_sat_u64(tx_max, SPARE), CANDIDATES_MAX), gas = 0;
    KL_TRY(kl_pool_pick_begin(o->host->pool, o->host->config.fifo, &pick));
    kl_status status = KL_OK;
    for (const kl_pool_tx *tx; status == KL_OK && o->count < most &&
                               gas < kl_mul_sat_u64(gas_limit, GAS_OVERCOMMIT) &&
                               (tx = kl_pool_pick_next(pick, false)) != NULL;) {
        gas = kl_add_sat_u64(gas, tx->tx.gas_limit);
        status = offer_add(o, &cap, tx);
    }
    kl_pool_pick_end(pick);
    if (status != KL_OK)
        return status;
    o->fates = malloc((o->count + 1) * sizeof *o->fates);
    return o->fates ? KL_OK : KL_NOMEM;
}

/* Refusals that may be different in a later block. */
static bool may_come_again(kl_rule rule)
{
    return rule == KL_RULE_BLOCK_GAS || rule == KL_RULE_BODY_SIZE ||
           rule == KL_RULE_TX_NONCE_HIGH || rule == KL_RULE_TX_NONCE_LOW ||
           rule == KL_RULE_TX_FEE_LOW || rule == KL_RULE_BLOCK_BLOB_GAS;
}

/* Tells the pool, and whoever waits, what became of the candidates; the lock is held. */
static void offer_settle(struct offer *o, u64 version)
{
    struct kl_host *host = o->host;
    for (usize i = 0; i < o->at; i++) {
        const kl_tx *tx = &o->txs[i]->tx;
        if (o->fates[i] == KL_RULE_NONE) {
            kl_host_settle(host, &tx->hash, version, KL_RULE_NONE);
            if (kl_pool_get(host->pool, &tx->hash))
                kl_host_pool_refresh(host, &tx->sender);
        } else if (!may_come_again(o->fates[i])) {
            kl_pool_remove(host->pool, &tx->hash);
            kl_host_settle(host, &tx->hash, 0, o->fates[i]);
        }
    }
    /* When nothing the pool has could be built in, what comes next is up to an event: an arrival,
     * which may already have been, a dev operation, another block. */
    bool any = host->arrivals != o->arrivals;
    for (usize i = 0; i < o->at; i++)
        any |= o->fates[i] == KL_RULE_NONE;
    bool waiting = any && kl_pool_count(host->pool).pending > 0;
    kl_solo_tx_waiting(&host->solo, waiting);
    if (!waiting)
        kl_host_settle_all(host);
}

/* mainnet's rule for prevRandao needs a beacon chain; alone, it only has to be different in every
 * block and the same for everybody who computes it. */
static kl_hash next_randao(const kl_header *parent)
{
    u8 preimage[40];
    memcpy(preimage, parent->mix_hash.b, 32);
    kl_store_be64(preimage + 32, parent->number + 1);
    return kl_keccak256(KL_SPAN_OF(preimage));
}

/* The gas limit moves towards the wanted one by less than a 1024th of the parent's a block. */
static u64 next_gas_limit(u64 parent, u64 wanted)
{
    u64 step = parent / 1024 - (parent / 1024 != 0);
    if (wanted > parent)
        return KL_MIN(wanted, kl_add_sat_u64(parent, step));
    return KL_MAX(wanted, parent - step);
}

/* Chain time now, in seconds: the clock's, shifted by what dev operations have set. */
static u64 chain_time(struct kl_host *host, const kl_dev_env *env)
{
    u64 wall_s = kl_wall_ns(host->config.clock) / NS_PER_S, shifted;
    if (!env)
        return wall_s;
    return __builtin_add_overflow((i64)wall_s, env->time_offset_s, (i64 *)&shifted) ||
                   (i64)shifted < 0
               ? 0
               : shifted;
}

void kl_host_next_block(struct kl_host *host, const struct kl_tip *head, kl_build_plan *out)
{
    const kl_spec *spec = kl_chain_spec(host->chain);
    const kl_dev_env *env = head->dev ? &head->dev->env : NULL;
    u64 wanted = host->config.gas_limit ? host->config.gas_limit : head->header.gas_limit;
    u64 earliest = head->header.timestamp + (spec->repeat_timestamp ? 0 : 1);
    *out = (kl_build_plan){
        .timestamp = KL_MAX(chain_time(host, env), earliest),
        .gas_limit = next_gas_limit(head->header.gas_limit, wanted),
        .coinbase = host->config.coinbase,
        .mix_hash = next_randao(&head->header),
        .tx_max = UINT64_MAX,
    };
    if (!env)
        return;
    if (env->has_timestamp)
        out->timestamp = KL_MAX(env->timestamp, earliest);
    if (env->has_gas_limit)
        out->gas_limit = env->gas_limit;
    if (env->has_coinbase)
        out->coinbase = env->coinbase;
    if (env->has_randao)
        out->mix_hash = env->randao;
    out->has_base_fee = env->has_base_fee;
    out->base_fee = env->base_fee;
}

kl_status kl_host_commit(struct kl_host *host, struct kl_tip *tip)
{
    KL_TRY(kl_chain_append(host->chain, tip));
    KL_TRY(kl_chain_write(host->chain));
    kl_lock(&host->lock);
    if (!host->dirty) /* otherwise the ledger thread knows: it is letting more of them gather */
        kl_cond_signal(&host->wake_ledger);
    host->dirty = true;
    kl_status status = kl_host_pool_follow(host, tip);
    kl_unlock(&host->lock);
    return status;
}

/* Builds on head from the offer and makes it the head. */
static kl_status build_on(struct kl_host *host, struct kl_tip *head, struct offer *offer,
                          const kl_build_plan *plan, bool empty)
{
    struct kl_tip *tip = NULL;
    kl_status status = KL_OK;
    if (empty || offer->count)
        KL_TRY(kl_chain_build(host->chain, host->run, head, plan, &offer->source, &tip));
    bool wanted = tip && (empty || tip->tx_count);
    if (wanted)
        status = kl_host_commit(host, tip);
    if (status == KL_OK) {
        kl_lock(&host->lock);
        offer_settle(offer, wanted ? tip->version : 0);
        kl_unlock(&host->lock);
    }
    kl_tip_unref(tip);
    return status;
}

kl_status kl_host_build(struct kl_host *host, u64 tx_max, u64 timestamp_min, bool empty)
{
    kl_build_plan plan;
    struct offer offer = {
        .source = {.next = offer_next, .done = offer_result},
        .host = host,
    };
    struct kl_tip *head = kl_chain_head(host->chain);
    kl_host_next_block(host, head, &plan);
    plan.tx_max = tx_max;
    plan.timestamp = KL_MAX(plan.timestamp, timestamp_min);
    kl_lock(&host->lock);
    kl_status status = offer_fill(&offer, plan.tx_max, plan.gas_limit);
    kl_unlock(&host->lock);
    if (status == KL_OK)
        status = build_on(host, head, &offer, &plan, empty);
    offer_done(&offer);
    kl_tip_unref(head);
    if (status == KL_OK && host->config.durability != KL_DURABLE_EACH)
        kl_host_publish(host, false);
    return status;
}
