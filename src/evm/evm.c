#include <stdlib.h>

#include "evm/evm_priv.h"

/* What a machine keeps of its regions between runs, so that no page of it is asked for twice: as
 * much memory as one frame can have within EIP-7825's gas, twice over.  A transaction that spreads
 * memory over some hundred frames gets at 17 MiB. */
#define KEEP_BYTES ((usize)8 << 20)

/* Room for what precompiles return, and for what they compute with. */
#define ARENA_LIMIT ((usize)64 << 20)

#define STACK_BYTES ((KL_EVM_DEPTH_MAX + 2) * KL_STACK_MAX * sizeof(kl_u256))

static void free_evm(struct kl_evm **evm)
{
    kl_evm_free(*evm);
}

kl_status kl_evm_new(struct kl_evm **out, const kl_evm_config *config)
{
    usize page = 4096, memory = KL_MAX(config->memory_limit, page);
    KL_CLEANUP(free_evm) struct kl_evm *evm = calloc(1, sizeof *evm);
    if (!evm || memory > SIZE_MAX / 4)
        return KL_NOMEM;
    memory = (memory + page - 1) / page * page;
    kl_arena_init(&evm->arena, ARENA_LIMIT);
    KL_TRY(kl_region_init(&evm->stack, STACK_BYTES));
    KL_TRY(kl_region_init(&evm->memory, memory));
    KL_TRY(kl_region_init(&evm->returns, memory));
    *out = evm;
    evm = NULL;
    return KL_OK;
}

void kl_evm_free(struct kl_evm *evm)
{
    if (!evm)
        return;
    kl_region_done(&evm->stack);
    kl_region_done(&evm->memory);
    kl_region_done(&evm->returns);
    kl_arena_done(&evm->arena);
    free(evm);
}

void kl_evm_cancel(struct kl_evm *evm)
{
    kl_flag_set(&evm->cancel, true);
}

const char *kl_halt_text(kl_halt halt)
{
    static const char *const texts[] = {
#define KL_HALT_X(name, text) text,
#include "evm/halt.def"
#undef KL_HALT_X
    };
    KL_ASSERT(halt < KL_HALT_COUNT);
    return texts[halt];
}

/* Frame 0, from which the message comes. */
static kl_op_end outside(struct kl_evm *evm, const kl_evm_message *message)
{
    struct kl_frame *f = evm->frame = evm->frames;
    *f = (struct kl_frame){
        .stack = (kl_u256 *)(void *)evm->stack.base,
        .sp = (kl_u256 *)(void *)evm->stack.base,
        .memory = evm->memory.base,
        .address = message->caller,
        .is_static = message->is_static,
    };
    KL_TRY_HOST(evm->host->ops->account(evm->host, &message->caller, &f->self, NULL));
    return KL_OP_NEXT;
}

static kl_op_end enter_message(struct kl_evm *evm, const kl_evm_message *message)
{
    kl_op_end end = outside(evm, message);
    if (end != KL_OP_NEXT)
        return end;
    kl_enter enter = {.call = {.kind = message->create ? KL_CREATE : KL_CALL,
                               .depth = 1,
                               .from = message->caller,
                               .to = message->to,
                               .code_address = message->to,
                               .value = message->value,
                               .gas = message->gas,
                               .input = message->input}};
    u64 unpaid; /* what a delegation costs is no part of a transaction's price [EIP-7702] */
    KL_TRY_HOST(evm->host->ops->account(evm->host, &message->to, &enter.account, NULL));
    if (message->create)
        return kl_frame_create(evm, &enter);
    end = kl_code_of(evm, &message->to, enter.account, &enter.code, &enter.call.code_address,
                     &unpaid);
    return end == KL_OP_NEXT ? kl_frame_call(evm, &enter) : end;
}

static void set_fork(struct kl_evm *evm, kl_fork fork)
{
    if (evm->dispatch_loop && evm->fork == fork)
        return;
    evm->fork = fork;
    evm->dispatch_loop = NULL;
    kl_gas_table_fill(&evm->gas, fork);
}

kl_status kl_evm_run(struct kl_evm *evm, struct kl_evm_host *host, const kl_evm_block *block,
                     const kl_evm_tx *tx, const kl_evm_message *message, struct kl_tracer *tracer,
                     kl_evm_result *out)
{
    KL_ASSERT(message->gas <= INT64_MAX);
    kl_flag_set(&evm->cancel, false);
    set_fork(evm, block->fork);
    evm->host = host;
    evm->block = block;
    evm->tx = tx;
    evm->tracer = tracer;
    evm->refund = 0;
    evm->returned = KL_SPAN_NONE;
    evm->status = KL_OK;
    kl_op_end end = enter_message(evm, message);
    if (end == KL_OP_FRAME)
        evm->status = tracer ? kl_loop_traced(evm) : kl_loop_plain(evm);
    kl_region_trim(&evm->stack, KEEP_BYTES);
    kl_region_trim(&evm->memory, KEEP_BYTES);
    if (evm->status != KL_OK)
        return evm->status;
    *out = evm->result;
    return KL_OK;
}
