/* What the tracer is told, as geth tells it: an instruction is shown when its whole price is known
 * and taken, with stack and memory as they are before it runs; one that fails earlier is shown
 * with what is known of its price [EIP-3155]. */
#include "evm/evm_priv.h"

static kl_trace_step step_of(struct kl_evm *evm, struct kl_frame *f)
{
    const struct kl_trace_now *now = &evm->now;
    u64 taken = now->gas - (u64)f->gas; /* right for a counter below zero too */
    i32 base = evm->gas.base[*f->ip];
    return (kl_trace_step){
        .pc = (u64)(f->ip - f->code),
        .gas = now->gas,
        .gas_cost = taken == 0 && base > 0 && !now->shown ? (u64)base : taken,
        .op = *f->ip,
        .depth = (unsigned)(f - evm->frames),
        .stack = f->stack,
        .stack_len = (usize)(now->sp - f->stack),
        .memory = evm->tracer->want_memory ? kl_span_of(f->memory, now->memory_len) : KL_SPAN_NONE,
        .return_data = evm->returned,
        .refund = evm->refund,
        .address = &f->address,
    };
}

void kl_trace_show(struct kl_evm *evm, struct kl_frame *f)
{
    if (evm->now.shown)
        return;
    if (evm->tracer->step) {
        kl_trace_step step = step_of(evm, f);
        evm->tracer->step(evm->tracer, &step);
    }
    evm->now.shown = true;
}

void kl_trace_fault(struct kl_evm *evm, struct kl_frame *f)
{
    kl_trace_step step = step_of(evm, f);
    if (!evm->now.shown && evm->tracer->step)
        evm->tracer->step(evm->tracer, &step);
    if (evm->tracer->fault)
        evm->tracer->fault(evm->tracer, &step, (int)evm->halt);
}

void kl_trace_enter(struct kl_evm *evm, const kl_trace_call *call)
{
    if (evm->tracer->enter)
        evm->tracer->enter(evm->tracer, call);
}

void kl_trace_leave(struct kl_evm *evm, const kl_trace_call *call, u64 gas_left, kl_halt halt,
                    kl_span output)
{
    if (!evm->tracer->leave)
        return;
    kl_trace_end end = {.halt = (int)halt, .gas_used = call->gas - gas_left, .output = output};
    evm->tracer->leave(evm->tracer, call, &end);
}
