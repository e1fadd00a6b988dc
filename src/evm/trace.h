/* trace: watching the EVM run.  Any hook may be NULL.  Pointers are good during the call only. */
#ifndef KL_EVM_TRACE_H
#define KL_EVM_TRACE_H

#include "base/u256.h"

struct kl_evm_message;

/* A frame's moment before an instruction [EIP-3155]. */
typedef struct kl_trace_step {
    u64 pc, gas, gas_cost; /* gas_cost: of this instruction, as far as known before it runs */
    u8 op;
    unsigned depth;       /* 1 for the outermost */
    const kl_u256 *stack; /* bottom first */
    usize stack_len;
    kl_span memory, return_data;
    i64 refund;
    const kl_address *address; /* whose storage is in use */
} kl_trace_step;

typedef enum kl_call_kind {
    KL_CALL,
    KL_CALLCODE,
    KL_DELEGATECALL,
    KL_STATICCALL,
    KL_CREATE,
    KL_CREATE2,
    KL_SELFDESTRUCT,
} kl_call_kind;

typedef struct kl_trace_call {
    kl_call_kind kind;
    unsigned depth; /* of the new frame, 1 for the outermost */
    kl_address from, to, code_address;
    kl_u256 value;
    u64 gas;
    kl_span input;
} kl_trace_call;

typedef struct kl_trace_end {
    int halt; /* kl_halt */
    u64 gas_used;
    kl_span output;
} kl_trace_end;

struct kl_tracer {
    void (*step)(struct kl_tracer *tracer, const kl_trace_step *step);
    /* The instruction of the last step ended its frame so. */
    void (*fault)(struct kl_tracer *tracer, const kl_trace_step *step, int halt);
    void (*enter)(struct kl_tracer *tracer, const kl_trace_call *call);
    void (*leave)(struct kl_tracer *tracer, const kl_trace_call *call, const kl_trace_end *end);
    bool want_memory; /* fills step->memory */
};

/* Does an instruction that ends its frame with this kl_halt fail before it could run? */
bool kl_halt_comes_first(int halt);
/* geth's name of an instruction: "SSTORE", "opcode 0xc not defined". */
enum { KL_OP_TEXT_MAX = 32 };
void kl_op_text(char out[KL_OP_TEXT_MAX], u8 op);
/* geth's words for how a frame ended; step is the instruction that ended it, or NULL. */
enum { KL_HALT_DETAIL_MAX = 112 };
void kl_halt_detail(char out[KL_HALT_DETAIL_MAX], int halt, const kl_trace_step *step);

#endif
