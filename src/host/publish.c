#include "host/host_priv.h"

static void wake_waiters(struct kl_host *host)
{
    for (struct waiter *w = host->waiters; w; w = w->next)
        if (w->settled && w->version <= host->published)
            kl_cond_signal(&w->woken);
}

static void show(void *ctx, struct kl_tip *tip)
{
    struct kl_host *host = ctx;
    for (struct kl_host_listener *l = host->listeners; l; l = l->next)
        l->tip(l, tip);
    kl_lock(&host->lock);
    host->published = tip->version;
    wake_waiters(host);
    kl_cond_broadcast(&host->progress);
    kl_unlock(&host->lock);
}

void kl_host_publish(struct kl_host *host, bool durable)
{
    kl_chain_publish(host->chain, durable, show, host);
}
