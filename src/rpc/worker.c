#include "rpc/worker_priv.h"

enum {
    ARENA_KEEP = 1 << 18, /* bytes a thread keeps between requests */
};
/* Beside what an answer may hold: the nodes of the largest request, twice, and a method's own. */
static const usize arena_extra = (usize)128 << 20;

void kl_rpc_worker_init(struct kl_rpc_worker *worker, struct kl_rpc_core *core)
{
    *worker = (struct kl_rpc_worker){.core = core, .place = KL_QUOTA_NO_PLACE};
    kl_arena_init(&worker->arena, core->config->limits.response_bytes + arena_extra);
    kl_mutex_init(&worker->mutex);
}

void kl_rpc_worker_done(struct kl_rpc_worker *worker)
{
    if (worker->exec)
        worker->free_exec(worker->exec);
    kl_mutex_done(&worker->mutex);
    kl_arena_done(&worker->arena);
}

void kl_rpc_worker_begin(struct kl_rpc_worker *worker)
{
    worker->number++;
}

void kl_rpc_worker_end(struct kl_rpc_worker *worker)
{
    if (worker->exec_number) {
        kl_lock(&worker->mutex);
        worker->exec_number = 0;
        kl_unlock(&worker->mutex);
    }
    kl_arena_reset(&worker->arena, ARENA_KEEP);
}

bool kl_rpc_worker_expired(struct kl_rpc_worker *worker)
{
    return atomic_load_explicit(&worker->expired, memory_order_relaxed) == worker->number;
}

void kl_rpc_worker_expire(struct kl_rpc_worker *worker, u64 number)
{
    atomic_store(&worker->expired, number);
    kl_lock(&worker->mutex);
    if (worker->exec_number == number)
        worker->cancel_exec(worker->exec);
    kl_unlock(&worker->mutex);
}
