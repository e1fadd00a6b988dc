/* evm_priv: the machine and its frames, and what instructions that run outside the loop share.
 *
 * Frame i is at call depth i; frame 0 is the outside, the receiver of the outermost result.  A
 * frame's stack begins where its caller's ends, and so does its memory, behind a creation's init
 * code:
 *
 *   stack    | frame 1 words | frame 2 words …
 *   memory   | frame 1 memory | [frame 2 init code, jump targets] | frame 2 memory | …
 *
 * A callee's input lies in its caller's memory, which cannot grow meanwhile.  Its output is copied
 * to the `returns` region when it ends: only one frame's return data is alive at a time, because a
 * call throws the caller's away. */
#ifndef KL_EVM_EVM_PRIV_H
#define KL_EVM_EVM_PRIV_H

#include "base/sync.h"
#include "evm/evm.h"
#include "evm/gas_priv.h"
#include "evm/opcode.h"
#include "evm/precompile.h"
#include "evm/region_priv.h"

#define KL_STACK_MAX 1024

/* The longest memory whose price geth works out; what is longer has none. */
#define KL_MEMORY_PRICED 0x1fffffffe0u

struct kl_frame {
    /* The loop's registers, while something else runs. */
    const u8 *ip; /* the instruction */
    kl_u256 *sp;  /* behind the topmost word */
    i64 gas;

    kl_u256 *stack; /* its first word */
    u8 *memory;
    u64 memory_len; /* a multiple of 32 */
    const u8 *code; /* code_len bytes, and zeros behind */
    u64 code_len;
    const u64 *jumpdests;
    kl_span input;        /* a creation has none */
    kl_evm_account *self; /* whose storage and balance are in use */
    kl_address address, caller;
    bool is_static;
    kl_trace_call call; /* what was asked for */

    /* For its end. */
    u32 snapshot;
    i64 refund_before;
    u64 out_offset, out_len;
};

/* What the traced loop remembers of the instruction it is at. */
struct kl_trace_now {
    const kl_u256 *sp;
    u64 gas, memory_len;
    bool shown;
};

struct kl_evm {
    struct kl_frame *frame; /* the one that runs */
    kl_flag cancel;
    kl_fork fork;
    const void *dispatch[256];                      /* where the loop in use continues, by opcode */
    kl_status (*dispatch_loop)(struct kl_evm *evm); /* which loop that is */
    kl_gas_table gas;

    struct kl_evm_host *host;
    const kl_evm_block *block;
    const kl_evm_tx *tx;
    struct kl_tracer *tracer;
    struct kl_trace_now now;

    i64 refund;
    kl_span returned; /* the running frame's return data */
    kl_halt halt;     /* how the running frame ended … */
    kl_span output;   /* … and with what */
    kl_status status; /* of what the host could not do */
    kl_evm_result result;

    struct kl_region stack, memory, returns;
    struct kl_arena arena; /* of one precompile's run */
    struct kl_frame frames[KL_EVM_DEPTH_MAX + 2];
};

/* How an instruction that runs outside the loop ended. */
typedef enum kl_op_end {
    KL_OP_NEXT,   /* go on behind it */
    KL_OP_FRAME,  /* evm->frame changed: go on at its ip */
    KL_OP_HALT,   /* the frame ends with evm->halt and evm->output */
    KL_OP_STATUS, /* the run ends with evm->status */
    KL_OP_DONE,   /* the run ends with evm->result */
} kl_op_end;

typedef kl_op_end kl_op(struct kl_evm *evm, struct kl_frame *f);

/* Instructions, by the file they are in.  The base price is paid and the stack's bounds are
 * checked; the rest of the price, and moving f->sp, is theirs. */
KL_NOINLINE kl_op kl_op_exp, kl_op_keccak256, kl_op_calldataload;           /* op_data.c */
KL_NOINLINE kl_op kl_op_mload, kl_op_mstore, kl_op_mstore8, kl_op_mcopy;    /* op_data.c */
KL_NOINLINE kl_op kl_op_calldatacopy, kl_op_codecopy, kl_op_returndatacopy; /* op_data.c */
KL_NOINLINE kl_op kl_op_log, kl_op_return, kl_op_revert;                    /* op_data.c */
KL_NOINLINE kl_op kl_op_balance, kl_op_selfbalance, kl_op_blockhash,
    kl_op_selfdestruct;                                                    /* op_state.c */
KL_NOINLINE kl_op kl_op_extcodesize, kl_op_extcodecopy, kl_op_extcodehash; /* op_state.c */
KL_NOINLINE kl_op kl_op_sload, kl_op_sstore, kl_op_tload, kl_op_tstore;    /* op_state.c */
KL_NOINLINE kl_op kl_op_call, kl_op_create;                                /* op_call.c */

/* The two instances of the loop.  They run evm->frame until the run ends. */
kl_status kl_loop_plain(struct kl_evm *evm);
kl_status kl_loop_traced(struct kl_evm *evm);

/* Where offset + len ends, 0 when len is 0; false when no gas could pay for it. */
KL_MUST_USE static inline bool kl_memory_end(u64 *end, const kl_u256 *offset, const kl_u256 *len)
{
    if (kl_u256_is_zero(*len)) {
        *end = 0;
        return true;
    }
    return !(offset->w[1] | offset->w[2] | offset->w[3] | len->w[1] | len->w[2] | len->w[3]) &&
           kl_add_u64(end, offset->w[0], len->w[0]) && *end <= UINT64_MAX - 31;
}

/* What it costs to make the frame's memory reach end. */
static inline u64 kl_memory_price(const struct kl_frame *f, u64 end)
{
    return end <= f->memory_len ? 0 : kl_gas_memory(end) - kl_gas_memory(f->memory_len);
}

/* memory.c: makes it so: KL_OP_NEXT, or KL_OP_STATUS with KL_LIMIT. */
kl_op_end kl_memory_grow(struct kl_evm *evm, struct kl_frame *f, u64 end);
static inline kl_op_end kl_memory_reach(struct kl_evm *evm, struct kl_frame *f, u64 end)
{
    return end <= f->memory_len ? KL_OP_NEXT : kl_memory_grow(evm, f, end);
}

/* The end of a frame that cannot pay price, which has been taken, for an instruction that needs
 * memory up to end (0: none).  Where memory is too long to have a price, geth shows none. */
KL_NOINLINE kl_op_end kl_out_of_gas(struct kl_evm *evm, struct kl_frame *f, u64 price, u64 end);

/* Pays for copying len bytes to `to`, which end at *end. */
kl_op_end kl_memory_pay(struct kl_evm *evm, struct kl_frame *f, u64 *end, const kl_u256 *to,
                        const kl_u256 *len);
/* Fills them, being there, with source from offset on, and zeros behind its end. */
void kl_memory_fill(struct kl_frame *f, const kl_u256 *to, kl_span source, const kl_u256 *from,
                    const kl_u256 *len);
/* Copies source from offset on, and zeros behind its end; pays for memory and words; takes args
 * words from the stack. */
kl_op_end kl_memory_copy(struct kl_evm *evm, struct kl_frame *f, unsigned args, const kl_u256 *to,
                         kl_span source, const kl_u256 *from, const kl_u256 *len);

/* A call or creation whose price is paid. */
typedef struct kl_enter {
    kl_trace_call call;      /* input: of a creation, its code */
    kl_evm_account *account; /* at call.to */
    const struct kl_code *code;
    u64 out_offset, out_len; /* where the caller wants the output */
} kl_enter;

/* frame.c: starts it from the running frame: KL_OP_FRAME, also when it ended at once and its caller
 * is to go on. */
kl_op_end kl_frame_call(struct kl_evm *evm, const kl_enter *enter);
/* The same; the new address is warm and the creator's nonce counted. */
kl_op_end kl_frame_create(struct kl_evm *evm, const kl_enter *enter);
/* A creation that fails before any of that; its gas goes back. */
kl_op_end kl_frame_refuse(struct kl_evm *evm, const kl_enter *enter, kl_halt halt);
/* Ends the running frame with evm->halt and evm->output. */
KL_NOINLINE kl_op_end kl_frame_end(struct kl_evm *evm);

/* op_call.c: the code that runs for the account at address, and where it comes from: its own, or
 * from Prague on the code of whom it delegates to; *price is what looking there costs. */
kl_op_end kl_code_of(struct kl_evm *evm, const kl_address *address, kl_evm_account *account,
                     const struct kl_code **code, kl_address *code_address, u64 *price);

/* The limits on code of this block. */
static inline u64 kl_deployed_limit(const struct kl_evm *evm)
{
    u32 own = kl_code_size_limit(evm->fork), lifted = evm->block->code_size_limit;
    return lifted && own != UINT32_MAX ? lifted : own;
}

static inline u64 kl_init_code_limit(const struct kl_evm *evm)
{
    u32 own = kl_init_code_size_limit(evm->fork), lifted = evm->block->code_size_limit;
    return lifted && own != UINT32_MAX ? 2 * (u64)lifted : own;
}

/* trace.c: shows the tracer the current instruction, its whole price being paid; the end it came
 * to; a call and its end.  Only with evm->tracer. */
KL_NOINLINE void kl_trace_show(struct kl_evm *evm, struct kl_frame *f);
KL_NOINLINE void kl_trace_fault(struct kl_evm *evm, struct kl_frame *f);
void kl_trace_enter(struct kl_evm *evm, const kl_trace_call *call);
void kl_trace_leave(struct kl_evm *evm, const kl_trace_call *call, u64 gas_left, kl_halt halt,
                    kl_span output);

/* To stand between an instruction's last charge and its first effect. */
static inline void kl_trace_point(struct kl_evm *evm, struct kl_frame *f)
{
    if (KL_UNLIKELY(evm->tracer))
        kl_trace_show(evm, f);
}

/* For what the host does: ends the run when it could not. */
#define KL_TRY_HOST(operation)                    \
    do {                                          \
        if ((evm->status = (operation)) != KL_OK) \
            return KL_OP_STATUS;                  \
    } while (0)

static inline kl_op_end kl_halt_with(struct kl_evm *evm, kl_halt halt)
{
    evm->halt = halt;
    evm->output = KL_SPAN_NONE;
    return KL_OP_HALT;
}

/* price <= KL_GAS_NEVER.  False when it was too much; the frame is then to end. */
KL_MUST_USE static inline bool kl_charge(struct kl_frame *f, u64 price)
{
    f->gas -= (i64)price;
    return f->gas >= 0;
}

/* The end of a frame whose instruction is paid for, and may not run: its memory, up to end, is made
 * for a tracer alone, so that no limit of this machine comes before the verdict. */
static inline kl_op_end kl_fault_with(struct kl_evm *evm, struct kl_frame *f, u64 end, kl_halt halt)
{
    if (evm->tracer && kl_memory_reach(evm, f, end) != KL_OP_NEXT)
        return KL_OP_STATUS;
    return kl_halt_with(evm, halt);
}

#endif
