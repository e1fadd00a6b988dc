/* What the tracer is told, as geth tells it: an instruction is shown when its whole price is known
 * and taken, with stack and memory as they are before it runs; one that fails earlier is shown
 * with what is known of its price [EIP-3155]. */
#include "evm/evm_priv.h"

/* Does geth count all of an instruction's price as found out from its arguments, so that one which
 * fails for its stack shows none? */
static bool all_is_dynamic(const struct kl_evm *evm, u8 op)
{
    return op == KL_OP_EXP || (op >= KL_OP_LOG0 && op <= KL_OP_LOG4) ||
           (op == KL_OP_SLOAD && evm->fork >= KL_BERLIN);
}

static kl_trace_step step_of(struct kl_evm *evm, struct kl_frame *f)
{
    const struct kl_trace_now *now = &evm->now;
    u64 taken = now->gas - (u64)f->gas; /* right for a counter below zero too */
    i32 base = all_is_dynamic(evm, *f->ip) ? 0 : evm->gas.base[*f->ip];
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
        .refund = evm->refund + (i64)evm->tx->refund,
        .address = &f->address,
    };
}

/* The STOP behind init code that is empty is no instruction. */
void kl_trace_show(struct kl_evm *evm, struct kl_frame *f)
{
    if (evm->now.shown || f->code_len == 0)
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
    bool no_price = evm->halt == KL_HALT_GAS_OVERFLOW || evm->halt == KL_HALT_MEMORY_SIZE;
    if (no_price && all_is_dynamic(evm, step.op))
        step.gas_cost = 0;
    if (!evm->now.shown && evm->tracer->step)
        evm->tracer->step(evm->tracer, &step);
    if (evm->now.shown) { /* it ran: its arguments are off the stack, its memory is there */
        step.stack_len = (usize)(f->sp - f->stack);
        step.memory =
            evm->tracer->want_memory ? kl_span_of(f->memory, f->memory_len) : KL_SPAN_NONE;
        step.return_data = KL_SPAN_NONE;
    }
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
