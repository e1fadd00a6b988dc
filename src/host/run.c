/* The three threads.  They end one after the other: execution when it is told to, the ledger when
 * execution is done and everything is synced, the state when the ledger is done. */
#include "host/host_priv.h"

#define FLUSH_AT_STOP_NS 500000000u /* what is left is rolled forward at the next start */

static void answer(struct request *request, kl_status status)
{
    request->status = status;
    request->done = true;
    kl_cond_signal(&request->woken);
}

static struct request *take_request(struct kl_host *host)
{
    struct request *request = host->requests;
    if (request) {
        host->requests = request->next;
        if (!host->requests)
            host->last_request = &host->requests;
    }
    return request;
}

bool kl_host_held_back(struct kl_host *host)
{
    kl_chain_lag lag;
    kl_chain_lag_of(host->chain, &lag);
    return lag.delta_bytes > host->config.lag_max;
}

/* One piece of work, or a wait for some; the lock is held before and after. */
static void execution_turn(struct kl_host *host)
{
    struct request *request = take_request(host);
    kl_status status = KL_OK;
    if (request) {
        kl_unlock(&host->lock);
        status = kl_host_serve(host, request);
        kl_lock(&host->lock);
        answer(request, status);
    } else {
        kl_solo_action action = kl_solo_next(&host->solo, kl_host_now_ns(host));
        if (host->broken != KL_OK)
            action = (kl_solo_action){.wait_ns = UINT64_MAX};
        if (!action.build) {
            kl_cond_wait_ns(&host->wake_execution, &host->lock,
                            KL_MIN(action.wait_ns, UINT64_C(3600000000000)));
            return;
        }
        if (kl_host_held_back(host)) {
            kl_cond_wait(&host->progress, &host->lock);
            return;
        }
        kl_unlock(&host->lock);
        bool empty = action.by_interval && !host->config.on_demand;
        status = kl_host_build(host, action.tx_max, 0, empty);
        kl_lock(&host->lock);
        kl_solo_built(&host->solo, &action, kl_host_now_ns(host));
    }
    if (status != KL_OK && !host->stop)
        kl_host_break(host, status);
}

void kl_host_execution_run(struct kl_host *host)
{
    kl_lock(&host->lock);
    while (!host->stop)
        execution_turn(host);
    for (struct request *request; (request = take_request(host)) != NULL;)
        answer(request, KL_CANCELED);
    for (struct waiter *w = host->waiters; w; w = w->next)
        kl_cond_signal(&w->woken);
    host->execution_done = true;
    kl_cond_signal(&host->wake_ledger);
    kl_unlock(&host->lock);
}

/* Lets more writes gather for one sync; the lock is held. */
static void gather_writes(struct kl_host *host)
{
    u64 end_ns = kl_host_now_ns(host) + host->config.sync_interval_ns / 2;
    for (u64 now_ns; !host->execution_done && (now_ns = kl_host_now_ns(host)) < end_ns;)
        kl_cond_wait_ns(&host->wake_ledger, &host->lock, end_ns - now_ns);
}

void kl_host_ledger_run(struct kl_host *host)
{
    const bool each = host->config.durability == KL_DURABLE_EACH;
    const bool never = host->config.durability == KL_DURABLE_NEVER;
    kl_lock(&host->lock);
    while (host->dirty || !host->execution_done) {
        if (!host->dirty) {
            kl_cond_wait(&host->wake_ledger, &host->lock);
            continue;
        }
        if (!each)
            gather_writes(host);
        host->dirty = false;
        kl_unlock(&host->lock);
        kl_status status = never ? KL_OK : kl_chain_sync(host->chain);
        if (status == KL_OK && each)
            kl_host_publish(host, true);
        kl_lock(&host->lock);
        if (status != KL_OK)
            kl_host_break(host, status);
        host->flush_due = true;
        kl_cond_signal(&host->wake_state);
    }
    host->ledger_done = true;
    kl_cond_signal(&host->wake_state);
    kl_cond_broadcast(&host->progress);
    kl_unlock(&host->lock);
}

/* Flushes what there is; returns whether there is more. */
static bool flush(struct kl_host *host)
{
    bool more = false;
    kl_status status =
        kl_chain_flush(host->chain, host->config.durability != KL_DURABLE_NEVER, &more);
    kl_lock(&host->lock);
    if (status != KL_OK)
        kl_host_break(host, status);
    kl_cond_broadcast(&host->progress);
    kl_unlock(&host->lock);
    return status == KL_OK && more;
}

void kl_host_state_run(struct kl_host *host)
{
    bool more = false, done = false;
    while (!done) {
        kl_lock(&host->lock);
        while (!more && !host->flush_due && !host->ledger_done)
            kl_cond_wait(&host->wake_state, &host->lock);
        host->flush_due = false;
        done = host->ledger_done;
        kl_unlock(&host->lock);
        more = flush(host);
    }
    u64 end_ns = kl_host_now_ns(host) + FLUSH_AT_STOP_NS;
    while (more && kl_host_now_ns(host) < end_ns)
        more = flush(host);
}
