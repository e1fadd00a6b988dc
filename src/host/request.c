/* Requests: dev operations and mining by hand, which the execution thread does between blocks. */
#include "host/host_priv.h"

static u64 head_version(struct kl_host *host)
{
    struct kl_tip *head = kl_chain_head(host->chain);
    u64 version = head->version;
    kl_tip_unref(head);
    return version;
}

static kl_status serve_dev(struct kl_host *host, struct request *request)
{
    struct kl_tip *tip, *head = kl_chain_head(host->chain);
    if (request->op->kind == KL_DEVOP_SNAPSHOT && head->dev)
        request->op->number = head->dev->env.next_snapshot;
    kl_status status =
        kl_chain_dev(host->chain, host->run, head, request->op, &tip, &request->broken);
    kl_tip_unref(head);
    if (status != KL_OK || request->broken != KL_RULE_NONE)
        return status;
    status = kl_host_commit(host, tip);
    kl_tip_unref(tip);
    KL_TRY(status);
    kl_lock(&host->lock);
    kl_host_pool_refresh_all(host);
    kl_host_settle_gone(host);
    kl_solo_tx_waiting(&host->solo, kl_pool_count(host->pool).pending > 0);
    kl_unlock(&host->lock);
    if (host->config.durability != KL_DURABLE_EACH)
        kl_host_publish(host, false);
    return KL_OK;
}

/* Waits until the state database has caught up; KL_CANCELED when the host stops. */
static kl_status keep_pace(struct kl_host *host)
{
    kl_lock(&host->lock);
    while (!host->stop && host->broken == KL_OK && kl_host_held_back(host))
        kl_cond_wait(&host->progress, &host->lock);
    kl_status status = host->stop ? KL_CANCELED : host->broken;
    kl_unlock(&host->lock);
    return status;
}

/* Blocks `spacing` seconds apart; chain time stays ahead by what they took. */
static kl_status serve_mine(struct kl_host *host, struct request *request)
{
    u64 ahead = 0;
    for (u64 i = 0; i < request->count; i++) {
        struct kl_tip *head = kl_chain_head(host->chain);
        u64 earliest =
            i && request->spacing ? kl_add_sat_u64(head->header.timestamp, request->spacing) : 0;
        kl_tip_unref(head);
        KL_TRY(keep_pace(host));
        KL_TRY(kl_host_build(host, UINT64_MAX, earliest, true));
        if (i && request->spacing)
            ahead = kl_add_sat_u64(ahead, request->spacing);
    }
    if (!ahead || !kl_chain_spec(host->chain)->dev)
        return KL_OK;
    kl_devop shift = {.kind = KL_DEVOP_SHIFT_TIME, .seconds = (i64)KL_MIN(ahead, INT64_MAX)};
    request->op = &shift;
    kl_status status = serve_dev(host, request);
    request->op = NULL;
    return status;
}

kl_status kl_host_serve(struct kl_host *host, struct request *request)
{
    kl_status status =
        request->kind == REQUEST_DEV ? serve_dev(host, request) : serve_mine(host, request);
    request->version = head_version(host);
    return status;
}

/* Hands the request over and waits until it is done and what it made can be read. */
static kl_status ask(struct kl_host *host, struct request *request)
{
    kl_cond_init(&request->woken);
    kl_lock(&host->lock);
    if (host->stop || host->broken != KL_OK) {
        request->status = host->stop ? KL_CANCELED : host->broken;
    } else {
        *host->last_request = request;
        host->last_request = &request->next;
        kl_cond_signal(&host->wake_execution);
        while (!request->done)
            kl_cond_wait(&request->woken, &host->lock);
        while (request->status == KL_OK && host->published < request->version &&
               host->broken == KL_OK && !host->ledger_done)
            kl_cond_wait(&host->progress, &host->lock);
    }
    kl_unlock(&host->lock);
    kl_cond_done(&request->woken);
    return request->status;
}

kl_status kl_host_mine(struct kl_host *host, u64 count, u64 spacing)
{
    struct request request = {.kind = REQUEST_MINE, .count = count, .spacing = spacing};
    return ask(host, &request);
}

kl_status kl_host_dev(struct kl_host *host, kl_devop *op, kl_rule *broken)
{
    struct request request = {.kind = REQUEST_DEV, .op = op};
    kl_status status = ask(host, &request);
    *broken = request.broken;
    return status;
}
