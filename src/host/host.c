#include "host/host_priv.h"

#include <stdlib.h>

#define EXEC_MEMORY    ((usize)4 << 30) /* address space; gas bounds what is touched */
#define JOURNAL_MEMORY ((usize)4 << 30)

u64 kl_host_now_ns(struct kl_host *host)
{
    return kl_mono_ns(host->config.clock);
}

static kl_status open_machines(struct kl_host *host)
{
    const kl_exec_config config = {
        .evm_memory_limit = EXEC_MEMORY,
        .journal_memory_limit = JOURNAL_MEMORY,
        .codes = host->config.codes,
        .seed = host->config.seed,
    };
    KL_TRY(kl_exec_new(&host->exec, &config));
    KL_TRY(kl_run_new(&host->run, host->exec));
    return kl_pool_new(&host->pool, &host->config.pool);
}

static kl_status open_pool(struct kl_host *host)
{
    struct kl_tip *head = kl_chain_head(host->chain);
    kl_lock(&host->lock);
    kl_status status = kl_host_pool_follow(host, head);
    host->published = head->version;
    kl_unlock(&host->lock);
    kl_tip_unref(head);
    return status;
}

kl_status kl_host_open(struct kl_host **out, const kl_host_config *config,
                       struct kl_progress *progress, kl_chain_report *report)
{
    struct kl_host *host = calloc(1, sizeof *host);
    if (!host)
        return KL_NOMEM;
    host->config = *config;
    host->last_request = &host->requests;
    kl_mutex_init(&host->lock);
    kl_cond_init(&host->wake_execution);
    kl_cond_init(&host->wake_ledger);
    kl_cond_init(&host->wake_state);
    kl_cond_init(&host->progress);
    kl_solo_init(&host->solo, config->automine, config->interval_ns, kl_host_now_ns(host));
    kl_solo_set_on_demand(&host->solo, config->on_demand);
    kl_status status = kl_chain_open(&host->chain, &config->chain, progress, report);
    if (status == KL_OK)
        status = open_machines(host);
    if (status == KL_OK)
        status = open_pool(host);
    if (status != KL_OK) {
        kl_host_close(host);
        return status;
    }
    *out = host;
    return KL_OK;
}

void kl_host_close(struct kl_host *host)
{
    if (!host)
        return;
    kl_view_close(host->pool_view);
    kl_tip_unref(host->pool_tip);
    kl_pool_free(host->pool);
    kl_run_free(host->run);
    kl_exec_free(host->exec);
    kl_chain_close(host->chain);
    kl_cond_done(&host->progress);
    kl_cond_done(&host->wake_state);
    kl_cond_done(&host->wake_ledger);
    kl_cond_done(&host->wake_execution);
    kl_mutex_done(&host->lock);
    free(host);
}

struct kl_chain *kl_host_chain(struct kl_host *host)
{
    return host->chain;
}

void kl_host_listen(struct kl_host *host, struct kl_host_listener *listener)
{
    listener->next = host->listeners;
    host->listeners = listener;
}

kl_status kl_host_health(struct kl_host *host)
{
    kl_lock(&host->lock);
    kl_status status = host->broken;
    kl_unlock(&host->lock);
    return status;
}

/* Whoever has only no room can be opened again, so what else fails behind that counts more. */
void kl_host_break(struct kl_host *host, kl_status status)
{
    if (host->broken != KL_OK && (host->broken != KL_FULL || status == KL_FULL))
        return;
    host->broken = status;
    for (struct waiter *w = host->waiters; w; w = w->next)
        kl_cond_signal(&w->woken);
    kl_cond_broadcast(&host->progress);
    kl_cond_signal(&host->wake_execution);
    for (struct kl_host_listener *l = host->listeners; l; l = l->next)
        if (l->broken)
            l->broken(l, status);
}

void kl_host_halt(struct kl_host *host)
{
    kl_lock(&host->lock);
    kl_host_break(host, KL_FULL);
    kl_unlock(&host->lock);
}

void kl_host_stop(struct kl_host *host)
{
    kl_lock(&host->lock);
    host->stop = true;
    kl_cond_broadcast(&host->wake_execution);
    kl_cond_broadcast(&host->wake_ledger);
    kl_cond_broadcast(&host->wake_state);
    kl_cond_broadcast(&host->progress);
    kl_unlock(&host->lock);
    kl_chain_hurry(host->chain);
    kl_exec_cancel(host->exec);
}

bool kl_host_automine(struct kl_host *host)
{
    kl_lock(&host->lock);
    bool on = host->solo.automine;
    kl_unlock(&host->lock);
    return on;
}

void kl_host_set_automine(struct kl_host *host, bool on)
{
    kl_lock(&host->lock);
    kl_solo_set_automine(&host->solo, on);
    kl_solo_tx_waiting(&host->solo, kl_pool_count(host->pool).pending > 0);
    kl_cond_signal(&host->wake_execution);
    kl_unlock(&host->lock);
}

u64 kl_host_interval(struct kl_host *host)
{
    kl_lock(&host->lock);
    u64 interval_ns = host->solo.interval_ns;
    kl_unlock(&host->lock);
    return interval_ns;
}

void kl_host_set_interval(struct kl_host *host, u64 interval_ns)
{
    kl_lock(&host->lock);
    kl_solo_set_interval(&host->solo, interval_ns, kl_host_now_ns(host));
    kl_cond_signal(&host->wake_execution);
    kl_unlock(&host->lock);
}
