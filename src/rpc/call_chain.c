/* call, what it needs of the chain: opened when first asked for. */
#include "rpc/worker_priv.h"

enum {
    EVM_MEMORY = 1 << 28,     /* bytes of EVM memory a call may use; gas runs out before */
    JOURNAL_MEMORY = 1 << 28, /* bytes of state changes */
};

struct kl_reader *kl_rpc_reader(struct kl_rpc_call *call)
{
    if (!call->reader) {
        struct kl_chain *chain = call->backend->ops->chain(call->backend);
        if (!kl_rpc_ok(call, kl_reader_open(chain, &call->reader)))
            return NULL;
        call->close_reader = kl_reader_close;
    }
    return call->reader;
}

struct kl_exec *kl_rpc_exec(struct kl_rpc_call *call)
{
    struct kl_rpc_worker *worker = call->worker;
    if (!worker->exec) {
        kl_exec_config config = {
            .evm_memory_limit = EVM_MEMORY,
            .journal_memory_limit = JOURNAL_MEMORY,
            .codes = call->config->codes,
            .seed = call->config->seed,
        };
        struct kl_exec *exec;
        if (!kl_rpc_ok(call, kl_exec_new(&exec, &config)))
            return NULL;
        worker->cancel_exec = kl_exec_cancel;
        worker->free_exec = kl_exec_free;
        worker->exec = exec;
    }
    kl_lock(&worker->mutex);
    worker->exec_number = worker->number;
    kl_unlock(&worker->mutex);
    return kl_rpc_ok(call, kl_rpc_expired(call) ? KL_CANCELED : KL_OK) ? worker->exec : NULL;
}
