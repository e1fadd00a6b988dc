/* The pool follows the head that the execution thread has made, not the one readers see: its facts
 * are always of one and the same tip, so that a nonce never seems to go back. */
#include "crypto/keccak.h"
#include "exec/fees.h"
#include "host/host_priv.h"

/* The store ends snapshots that are old, and between blocks this one can be. */
static kl_status renew_view(struct kl_host *host)
{
    struct kl_view *view;
    KL_TRY(kl_chain_view(host->chain, host->pool_tip, &view));
    kl_view_close(host->pool_view);
    host->pool_view = view;
    return KL_OK;
}

static kl_status facts_of(struct kl_host *host, const kl_address *address, kl_pool_facts *out)
{
    kl_hash hash = kl_keccak256(kl_address_span(address));
    kl_account account;
    bool exists;
    kl_status status = kl_view_account(host->pool_view, &hash, &account, &exists);
    if (status == KL_TIMEOUT) {
        KL_TRY(renew_view(host));
        status = kl_view_account(host->pool_view, &hash, &account, &exists);
    }
    KL_TRY(status);
    *out = (kl_pool_facts){account.nonce, account.balance};
    return KL_OK;
}

kl_status kl_host_pool_follow(struct kl_host *host, struct kl_tip *tip)
{
    const kl_spec *spec = kl_chain_spec(host->chain);
    kl_build_plan plan;
    struct kl_view *view;
    KL_TRY(kl_chain_view(host->chain, tip, &view));
    kl_view_close(host->pool_view);
    kl_tip_unref(host->pool_tip);
    host->pool_view = view;
    host->pool_tip = kl_tip_ref(tip);
    kl_host_next_block(host, tip, &plan);
    kl_pool_set_head(host->pool,
                     &(kl_pool_head){
                         .base_fee = plan.has_base_fee ? plan.base_fee
                                                       : kl_base_fee_after(spec, &tip->header,
                                                                           tip->header.number + 1,
                                                                           plan.timestamp),
                         .gas_limit = plan.gas_limit,
                         .fork = kl_spec_fork(spec, tip->header.number + 1, plan.timestamp),
                         .chain_id = spec->chain_id,
                     });
    return KL_OK;
}

void kl_host_pool_refresh(struct kl_host *host, const kl_address *sender)
{
    kl_pool_facts facts;
    if (facts_of(host, sender, &facts) == KL_OK)
        kl_pool_update(host->pool, sender, &facts);
}

/* Senders may leave the pool while they are refreshed, so they are gathered first. */
struct gathered {
    struct kl_arena arena;
    kl_address *list;
    usize count, cap;
};

static void gather(void *ctx, const kl_address *sender)
{
    struct gathered *g = ctx;
    if (g->count == g->cap) {
        usize cap = g->cap ? g->cap * 2 : 64;
        kl_address *list = KL_TAKE(&g->arena, kl_address, cap);
        if (!list)
            return;
        if (g->count)
            memcpy(list, g->list, g->count * sizeof *list);
        g->list = list;
        g->cap = cap;
    }
    g->list[g->count++] = *sender;
}

void kl_host_pool_refresh_all(struct kl_host *host)
{
    struct gathered g = {0};
    kl_arena_init(&g.arena, SIZE_MAX);
    kl_pool_senders(host->pool, gather, &g);
    for (usize i = 0; i < g.count; i++)
        kl_host_pool_refresh(host, &g.list[i]);
    kl_arena_done(&g.arena);
}

void kl_host_settle(struct kl_host *host, const kl_hash *hash, u64 version, kl_rule fate)
{
    for (struct waiter *w = host->waiters; w; w = w->next)
        if (!w->settled && kl_hash_eq(&w->hash, hash)) {
            w->settled = true;
            w->version = version;
            w->fate = fate;
            kl_cond_signal(&w->woken);
        }
}

void kl_host_settle_all(struct kl_host *host)
{
    for (struct waiter *w = host->waiters; w; w = w->next)
        if (!w->settled) {
            w->settled = true;
            w->version = 0;
            kl_cond_signal(&w->woken);
        }
}

void kl_host_settle_gone(struct kl_host *host)
{
    for (struct waiter *w = host->waiters; w; w = w->next)
        if (!w->settled && !kl_pool_get(host->pool, &w->hash)) {
            w->settled = true;
            w->version = 0;
            kl_cond_signal(&w->woken);
        }
}

static kl_status add(struct kl_host *host, const kl_tx *tx, bool only_new, kl_pool_added *added,
                     kl_rule *broken)
{
    kl_pool_arrival how = {.local = true, .only_new = only_new};
    if (host->stop)
        return KL_CANCELED;
    if (host->broken != KL_OK)
        return host->broken;
    KL_TRY(facts_of(host, &tx->sender, &how.facts));
    KL_TRY(kl_pool_add(host->pool, tx, &how, added, broken));
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    kl_host_settle_gone(host); /* replaced, or no longer among the best */
    if (added->pending) {
        host->arrivals++;
        kl_solo_tx_waiting(&host->solo, true);
        if (kl_solo_next(&host->solo, kl_host_now_ns(host)).build)
            kl_cond_signal(&host->wake_execution);
    }
    return KL_OK;
}

/* Tells listeners, without the lock: they may take their time. */
static void tell_pending(struct kl_host *host, const kl_pool_tx *tx)
{
    kl_unlock(&host->lock);
    for (struct kl_host_listener *l = host->listeners; l; l = l->next)
        l->pending(l, tx);
    kl_lock(&host->lock);
}

static void enlist(struct kl_host *host, struct waiter *w)
{
    kl_cond_init(&w->woken);
    w->next = host->waiters;
    host->waiters = w;
}

static void delist(struct kl_host *host, struct waiter *w)
{
    struct waiter **link = &host->waiters;
    while (*link != w)
        link = &(*link)->next;
    *link = w->next;
    kl_cond_done(&w->woken);
}

/* It is in a block that readers see, or gone. */
static bool is_told(const struct kl_host *host, const struct waiter *w)
{
    return w->settled && w->version <= host->published;
}

static bool is_over(const struct kl_host *host, const struct waiter *w)
{
    return is_told(host, w) || host->stop || host->broken != KL_OK;
}

/* What follows an admission that made the transaction pending: the lock is held before and after.
 */
static kl_status follow_up(struct kl_host *host, const kl_hash *hash, bool wait, u64 timeout_ns,
                           kl_rule *broken)
{
    struct waiter w = {.hash = *hash};
    const kl_pool_tx *tx = kl_pool_tx_ref(kl_pool_get(host->pool, hash));
    u64 end_ns = kl_add_sat_u64(kl_host_now_ns(host), timeout_ns);
    enlist(host, &w);
    tell_pending(host, tx);
    for (u64 now_ns; wait && !is_over(host, &w) && (now_ns = kl_host_now_ns(host)) < end_ns;)
        kl_cond_wait_ns(&w.woken, &host->lock, end_ns - now_ns);
    delist(host, &w);
    kl_pool_tx_unref(tx);
    if (wait)
        *broken = w.fate;
    return wait && !is_told(host, &w) ? host->broken : KL_OK;
}

static bool is_to_wait(const struct kl_host *host, kl_host_wait wait)
{
    return wait == KL_HOST_WAIT_ALWAYS || (wait == KL_HOST_WAIT_AUTOMINE && host->solo.automine);
}

kl_status kl_host_submit(struct kl_host *host, const kl_tx *tx, const kl_host_submission *how,
                         kl_rule *broken)
{
    kl_pool_added added = {0};
    *broken = KL_RULE_NONE;
    kl_lock(&host->lock);
    kl_status status = add(host, tx, how->only_new, &added, broken);
    if (status == KL_OK && *broken == KL_RULE_NONE && added.pending)
        status = follow_up(host, &tx->hash, is_to_wait(host, how->wait), how->timeout_ns, broken);
    kl_unlock(&host->lock);
    return status;
}

kl_status kl_host_next_nonce(struct kl_host *host, const kl_address *sender, u64 *out)
{
    kl_pool_facts facts;
    kl_lock(&host->lock);
    kl_status status = facts_of(host, sender, &facts);
    if (status == KL_OK)
        *out = kl_pool_next_nonce(host->pool, sender, facts.nonce);
    kl_unlock(&host->lock);
    return status;
}

void kl_host_with_pool(struct kl_host *host, void (*use)(void *ctx, struct kl_pool *pool),
                       void *ctx)
{
    kl_lock(&host->lock);
    use(ctx, host->pool);
    kl_host_settle_gone(host);
    kl_unlock(&host->lock);
}
