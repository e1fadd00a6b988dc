/* What geth says of instructions and ends, for traces. */
#include <stdio.h>

#include "evm/evm.h"
#include "evm/opcode.h"

bool kl_halt_is_gas(kl_halt halt)
{
    return halt == KL_HALT_OUT_OF_GAS || halt == KL_HALT_TOUCH_OUT_OF_GAS ||
           halt == KL_HALT_STORE_SENTRY || halt == KL_HALT_MEMORY_SIZE ||
           halt == KL_HALT_INIT_CODE_SIZE;
}

bool kl_halt_comes_first(int halt)
{
    return kl_halt_is_gas((kl_halt)halt) || halt == KL_HALT_GAS_OVERFLOW ||
           halt == KL_HALT_STACK_UNDERFLOW || halt == KL_HALT_STACK_OVERFLOW;
}

void kl_op_text(char out[KL_OP_TEXT_MAX], u8 op)
{
    const char *name = kl_opcode_name(op);
    if (name)
        (void)snprintf(out, KL_OP_TEXT_MAX, "%s", name);
    else
        (void)snprintf(out, KL_OP_TEXT_MAX, "opcode %#x not defined", op);
}

void kl_halt_detail(char out[KL_HALT_DETAIL_MAX], int halt, const kl_trace_step *step)
{
    const unsigned most = 1024;
    const char *text = kl_halt_text((kl_halt)halt);
    char op[KL_OP_TEXT_MAX];
    if (step && halt == KL_HALT_STACK_UNDERFLOW) {
        (void)snprintf(out, KL_HALT_DETAIL_MAX, "%s (%zu <=> %u)", text, step->stack_len,
                       kl_opcode_in(step->op));
    } else if (step && halt == KL_HALT_STACK_OVERFLOW) {
        (void)snprintf(out, KL_HALT_DETAIL_MAX, "stack limit reached %zu (%u)", step->stack_len,
                       most + kl_opcode_in(step->op) - kl_opcode_out(step->op));
    } else if (step && halt == KL_HALT_BAD_OPCODE) {
        kl_op_text(op, step->op);
        (void)snprintf(out, KL_HALT_DETAIL_MAX, "%s: %s", text, op);
    } else if (step && halt == KL_HALT_INIT_CODE_SIZE && step->stack_len >= 3) {
        (void)snprintf(out, KL_HALT_DETAIL_MAX, "%s: size %llu", text,
                       (unsigned long long)kl_u256_sat_u64(step->stack[step->stack_len - 3]));
    } else {
        (void)snprintf(out, KL_HALT_DETAIL_MAX, "%s", text);
    }
}
