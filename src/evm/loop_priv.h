/* loop_priv: the interpreter's loop, compiled once plain and once traced (LOOP, TRACED).
 *
 * Threaded code: every instruction ends by jumping to the next one's label, found by opcode in
 * evm->dispatch.  ip, sp and gas live in registers; SAVE and LOAD move them to and from the frame
 * around everything that runs outside the loop.  Code is padded with zeros (STOP), so reading it
 * needs no checks.  What an instruction needs of stack and gas before it starts comes from
 * opcodes.def; the prices taken here are those that never changed (gas_test.c), all others are in
 * evm->gas. */
#ifndef KL_EVM_LOOP_PRIV_H
#define KL_EVM_LOOP_PRIV_H

#include "evm/evm_priv.h"

#pragma GCC diagnostic ignored "-Wpedantic" /* labels as values */

enum {
#define KL_OPCODE_X(byte, name, in, out, fork, gas) \
    IN_##name = in, OUT_##name = out, GAS_##name = gas,
#include "evm/opcodes.def"
#undef KL_OPCODE_X
};

#define SAVE() (f->ip = ip, f->sp = sp, f->gas = gas)
#define LOAD() (sp = f->sp, gas = f->gas)

/* Starts instruction name: what stands between two of these is the instruction. */
#define OP(name) op_##name : BEGIN(IN_##name, OUT_##name, GAS_##name)

#define BEGIN(in, out, price)                                                    \
    REMEMBER();                                                                  \
    if ((in) > 0 && KL_UNLIKELY(sp < stack + (in)))                              \
        goto stack_underflow;                                                    \
    if ((out) > (in) && KL_UNLIKELY(sp + ((out) - (in)) > stack + KL_STACK_MAX)) \
        goto stack_overflow;                                                     \
    if ((price) != 0 && KL_UNLIKELY((gas -= (price)) < 0))                       \
    goto out_of_gas

#if TRACED
#define REMEMBER() \
    (SAVE(),       \
     evm->now = (struct kl_trace_now){.sp = sp, .gas = (u64)gas, .memory_len = f->memory_len})
#define SHOW() (f->gas = gas, kl_trace_show(evm, f))
#else
#define REMEMBER() (void)0
#define SHOW()     (void)0
#endif

#define NEXT(bytes)                \
    do {                           \
        ip += (bytes);             \
        goto * evm->dispatch[*ip]; \
    } while (0)

/* Runs the instruction outside the loop. */
#define OUTSIDE(function)                   \
    do {                                    \
        SAVE();                             \
        end = function(evm, f);             \
        if (KL_UNLIKELY(end != KL_OP_NEXT)) \
            goto ended;                     \
        LOAD();                             \
        NEXT(1);                            \
    } while (0)

/* An instruction that is wholly outside, with a price that never changed, or one that did. */
#define OP_OUTSIDE(name, function) \
    OP(name);                      \
    OUTSIDE(function)
#define OP_REPRICED(name, function)                               \
    op_##name : BEGIN(IN_##name, OUT_##name, evm->gas.base[*ip]); \
    OUTSIDE(function)

/* Instructions that only compute. */
#define OP_PUSH(name, value) \
    OP(name);                \
    SHOW();                  \
    *sp++ = (value);         \
    NEXT(1)
#define OP_PUSH_SMALL(name, value) \
    OP(name);                      \
    SHOW();                        \
    set_small(sp, value);          \
    sp++;                          \
    NEXT(1)
#define OP_UNARY_BY(name, statement) \
    OP(name);                        \
    SHOW();                          \
    statement;                       \
    NEXT(1)
#define OP_BINARY_BY(name, statement) \
    OP(name);                         \
    SHOW();                           \
    statement;                        \
    sp--;                             \
    NEXT(1)
#define OP_TERNARY_BY(name, statement) \
    OP(name);                          \
    SHOW();                            \
    statement;                         \
    sp -= 2;                           \
    NEXT(1)
#define OP_UNARY(name, value)  OP_UNARY_BY(name, sp[-1] = (value))
#define OP_BINARY(name, value) OP_BINARY_BY(name, sp[-2] = (value))

#define OP_PUSH_BYTES(n)         \
    OP(PUSH##n);                 \
    SHOW();                      \
    push_bytes(sp++, ip + 1, n); \
    NEXT(1 + n)
#define OP_DUP(n)            \
    OP(DUP##n);              \
    SHOW();                  \
    copy_word(sp, sp - (n)); \
    sp++;                    \
    NEXT(1)
#define OP_SWAP(n)                    \
    OP(SWAP##n);                      \
    SHOW();                           \
    swap_words(sp - 1, sp - 1 - (n)); \
    NEXT(1)

/* Words move limb by limb: a wider load would wait for the narrow stores that made the word to
 * reach the cache, where a load of a limb takes it from the store buffer. */
KL_INLINE void copy_word(kl_u256 *to, const kl_u256 *from)
{
    u64 w0 = from->w[0], w1 = from->w[1], w2 = from->w[2], w3 = from->w[3];
    __asm__("" : "+r"(w0), "+r"(w1), "+r"(w2), "+r"(w3));
    to->w[0] = w0;
    to->w[1] = w1;
    to->w[2] = w2;
    to->w[3] = w3;
}

KL_INLINE void swap_words(kl_u256 *a, kl_u256 *b)
{
    u64 w0 = a->w[0], w1 = a->w[1], w2 = a->w[2], w3 = a->w[3];
    __asm__("" : "+r"(w0), "+r"(w1), "+r"(w2), "+r"(w3));
    copy_word(a, b);
    b->w[0] = w0;
    b->w[1] = w1;
    b->w[2] = w2;
    b->w[3] = w3;
}

/* A number of one limb. */
KL_INLINE void set_small(kl_u256 *word, u64 low)
{
    word->w[0] = low;
    memset(word->w + 1, 0, 24);
}

/* The n bytes at p as a number; reads up to eight bytes from p whatever n is. */
KL_INLINE void push_bytes(kl_u256 *word, const u8 *p, unsigned n)
{
    if (n <= 8) {
        set_small(word, kl_load_be64(p) >> (64 - 8 * n));
        return;
    }
    for (unsigned i = 0; i < 4; i++) {
        unsigned done = 8 * i, left = n > done ? n - done : 0;
        word->w[i] = left >= 8 ? kl_load_be64(p + left - 8)
                     : left    ? kl_load_be64(p) >> (64 - 8 * left)
                               : 0;
    }
}

/* Whether len bytes at offset lie in memory that is already there. */
KL_INLINE bool in_memory(const struct kl_frame *f, const kl_u256 *offset, u64 len)
{
    return (offset->w[1] | offset->w[2] | offset->w[3] | offset->w[0] >> 32) == 0 &&
           offset->w[0] + len <= f->memory_len;
}

KL_INLINE bool is_jumpdest(const struct kl_frame *f, const kl_u256 *to)
{
    return (to->w[1] | to->w[2] | to->w[3]) == 0 && to->w[0] < f->code_len &&
           (f->jumpdests[to->w[0] / 64] >> (to->w[0] % 64) & 1);
}

/* [EIP-4844] */
KL_INLINE kl_u256 blob_hash(const kl_evm_tx *tx, kl_u256 index)
{
    u64 i = kl_u256_sat_u64(index);
    return i < tx->blob_count ? kl_u256_from_hash(&tx->blob_hashes[i]) : KL_U256_ZERO;
}

kl_status LOOP(struct kl_evm *evm)
{
    static const void *const labels[256] = {
#define KL_OPCODE_X(byte, name, in, out, fork, gas) [byte] = &&op_##name,
#include "evm/opcodes.def"
#undef KL_OPCODE_X
    };
    if (evm->dispatch_loop != LOOP) {
        for (usize i = 0; i < KL_COUNT_OF(labels); i++)
            evm->dispatch[i] = evm->gas.base[i] == KL_GAS_UNDEFINED ? &&bad_opcode : labels[i];
        evm->dispatch_loop = LOOP;
    }

    struct kl_frame *f = evm->frame;
    const kl_u256 *stack = f->stack;
    const u8 *ip = f->ip;
    kl_u256 *sp = f->sp;
    i64 gas = f->gas;
    kl_op_end end;
    u64 to;
    kl_u256 rest;
    NEXT(0);

    OP(STOP);
    SHOW();
    evm->halt = KL_HALT_NONE;
    evm->output = KL_SPAN_NONE;
    SAVE();
    goto frame_ends;

    OP_BINARY(ADD, kl_u256_add(sp[-1], sp[-2]));
    OP_BINARY(MUL, kl_u256_mul(sp[-1], sp[-2]));
    OP_BINARY(SUB, kl_u256_sub(sp[-1], sp[-2]));
    OP_BINARY_BY(DIV, kl_u256_divide(&sp[-2], &rest, &sp[-1], &sp[-2]));
    OP_BINARY_BY(SDIV, kl_u256_sdivide(&sp[-2], &rest, &sp[-1], &sp[-2]));
    OP_BINARY_BY(MOD, kl_u256_divide(&rest, &sp[-2], &sp[-1], &sp[-2]));
    OP_BINARY_BY(SMOD, kl_u256_sdivide(&rest, &sp[-2], &sp[-1], &sp[-2]));
    OP_TERNARY_BY(ADDMOD, kl_u256_add_mod(&sp[-3], &sp[-1], &sp[-2], &sp[-3]));
    OP_TERNARY_BY(MULMOD, kl_u256_mul_mod(&sp[-3], &sp[-1], &sp[-2], &sp[-3]));
    OP_OUTSIDE(EXP, kl_op_exp);
    OP_BINARY_BY(SIGNEXTEND, kl_u256_sign_extend(&sp[-2], sp[-1]));

    OP_BINARY_BY(LT, set_small(&sp[-2], kl_u256_lt(sp[-1], sp[-2])));
    OP_BINARY_BY(GT, set_small(&sp[-2], kl_u256_lt(sp[-2], sp[-1])));
    OP_BINARY_BY(SLT, set_small(&sp[-2], kl_u256_slt(sp[-1], sp[-2])));
    OP_BINARY_BY(SGT, set_small(&sp[-2], kl_u256_slt(sp[-2], sp[-1])));
    OP_BINARY_BY(EQ, set_small(&sp[-2], kl_u256_eq(sp[-1], sp[-2])));
    OP_UNARY_BY(ISZERO, set_small(&sp[-1], kl_u256_is_zero(sp[-1])));
    OP_BINARY(AND, kl_u256_and(sp[-1], sp[-2]));
    OP_BINARY(OR, kl_u256_or(sp[-1], sp[-2]));
    OP_BINARY(XOR, kl_u256_xor(sp[-1], sp[-2]));
    OP_UNARY(NOT, kl_u256_not(sp[-1]));
    OP_BINARY(BYTE, kl_u256_byte(sp[-1], sp[-2]));
    OP_BINARY(SHL, kl_u256_shl(sp[-2], kl_u256_sat_u64(sp[-1])));
    OP_BINARY(SHR, kl_u256_shr(sp[-2], kl_u256_sat_u64(sp[-1])));
    OP_BINARY(SAR, kl_u256_sar(sp[-2], kl_u256_sat_u64(sp[-1])));
    OP_UNARY_BY(CLZ, set_small(&sp[-1], 256 - kl_u256_bits(sp[-1])));

    OP_OUTSIDE(KECCAK256, kl_op_keccak256);

    OP_PUSH(ADDRESS, kl_u256_from_address(&f->address));
    OP_REPRICED(BALANCE, kl_op_balance);
    OP_PUSH(ORIGIN, kl_u256_from_address(&evm->tx->origin));
    OP_PUSH(CALLER, kl_u256_from_address(&f->caller));
    OP_PUSH(CALLVALUE, f->call.value);

    OP(CALLDATALOAD);
    if (KL_UNLIKELY((sp[-1].w[1] | sp[-1].w[2] | sp[-1].w[3] | sp[-1].w[0] >> 32) != 0 ||
                    sp[-1].w[0] + 32 > f->input.len))
        OUTSIDE(kl_op_calldataload);
    SHOW();
    sp[-1] = kl_u256_from_be(f->input.p + sp[-1].w[0]);
    NEXT(1);

    OP_PUSH_SMALL(CALLDATASIZE, f->input.len);
    OP_OUTSIDE(CALLDATACOPY, kl_op_calldatacopy);
    OP_PUSH_SMALL(CODESIZE, f->code_len);
    OP_OUTSIDE(CODECOPY, kl_op_codecopy);
    OP_PUSH(GASPRICE, evm->tx->gas_price);
    OP_REPRICED(EXTCODESIZE, kl_op_extcodesize);
    OP_REPRICED(EXTCODECOPY, kl_op_extcodecopy);
    OP_PUSH_SMALL(RETURNDATASIZE, evm->returned.len);
    OP_OUTSIDE(RETURNDATACOPY, kl_op_returndatacopy);
    OP_REPRICED(EXTCODEHASH, kl_op_extcodehash);

    OP_OUTSIDE(BLOCKHASH, kl_op_blockhash);
    OP_PUSH(COINBASE, kl_u256_from_address(&evm->block->coinbase));
    OP_PUSH_SMALL(TIMESTAMP, evm->block->timestamp);
    OP_PUSH_SMALL(NUMBER, evm->block->number);
    OP_PUSH(DIFFICULTY, evm->block->difficulty);
    OP_PUSH_SMALL(GASLIMIT, evm->block->gas_limit);
    OP_PUSH_SMALL(CHAINID, evm->block->chain_id);
    OP_OUTSIDE(SELFBALANCE, kl_op_selfbalance);
    OP_PUSH(BASEFEE, evm->block->base_fee);
    OP_UNARY(BLOBHASH, blob_hash(evm->tx, sp[-1]));
    OP_PUSH(BLOBBASEFEE, evm->block->blob_base_fee);

    OP(POP);
    SHOW();
    sp--;
    NEXT(1);

    OP(MLOAD);
    if (KL_UNLIKELY(!in_memory(f, &sp[-1], 32)))
        OUTSIDE(kl_op_mload);
    SHOW();
    sp[-1] = kl_u256_from_be(f->memory + sp[-1].w[0]);
    NEXT(1);

    OP(MSTORE);
    if (KL_UNLIKELY(!in_memory(f, &sp[-1], 32)))
        OUTSIDE(kl_op_mstore);
    SHOW();
    kl_u256_to_be(f->memory + sp[-1].w[0], sp[-2]);
    sp -= 2;
    NEXT(1);

    OP(MSTORE8);
    if (KL_UNLIKELY(!in_memory(f, &sp[-1], 1)))
        OUTSIDE(kl_op_mstore8);
    SHOW();
    f->memory[sp[-1].w[0]] = (u8)sp[-2].w[0];
    sp -= 2;
    NEXT(1);

    OP_REPRICED(SLOAD, kl_op_sload);
    OP_OUTSIDE(SSTORE, kl_op_sstore);

    OP(JUMPI);
    SHOW();
    sp -= 2;
    if (kl_u256_is_zero(sp[0]))
        NEXT(1);
    if (KL_UNLIKELY(!is_jumpdest(f, &sp[1])))
        goto bad_jump;
    to = sp[1].w[0];
    goto jump;

    OP(JUMP);
    SHOW();
    sp--;
    if (KL_UNLIKELY(!is_jumpdest(f, &sp[0])))
        goto bad_jump;
    to = sp[0].w[0];
jump:
    if (KL_UNLIKELY(kl_flag_is_up(&evm->cancel)))
        return KL_CANCELED;
    ip = f->code + to;
    if (TRACED)
        NEXT(0);
    if (KL_UNLIKELY((gas -= GAS_JUMPDEST) < 0)) /* the JUMPDEST just found, at once */
        goto out_of_gas;
    NEXT(1);

    OP_PUSH_SMALL(PC, (u64)(ip - f->code));
    OP_PUSH_SMALL(MSIZE, f->memory_len);
    OP_PUSH_SMALL(GAS, (u64)gas);

    OP(JUMPDEST);
    SHOW();
    NEXT(1);

    OP_OUTSIDE(TLOAD, kl_op_tload);
    OP_OUTSIDE(TSTORE, kl_op_tstore);
    OP_OUTSIDE(MCOPY, kl_op_mcopy);

    OP_PUSH(PUSH0, KL_U256_ZERO);
    OP_PUSH_BYTES(1);
    OP_PUSH_BYTES(2);
    OP_PUSH_BYTES(3);
    OP_PUSH_BYTES(4);
    OP_PUSH_BYTES(5);
    OP_PUSH_BYTES(6);
    OP_PUSH_BYTES(7);
    OP_PUSH_BYTES(8);
    OP_PUSH_BYTES(9);
    OP_PUSH_BYTES(10);
    OP_PUSH_BYTES(11);
    OP_PUSH_BYTES(12);
    OP_PUSH_BYTES(13);
    OP_PUSH_BYTES(14);
    OP_PUSH_BYTES(15);
    OP_PUSH_BYTES(16);
    OP_PUSH_BYTES(17);
    OP_PUSH_BYTES(18);
    OP_PUSH_BYTES(19);
    OP_PUSH_BYTES(20);
    OP_PUSH_BYTES(21);
    OP_PUSH_BYTES(22);
    OP_PUSH_BYTES(23);
    OP_PUSH_BYTES(24);
    OP_PUSH_BYTES(25);
    OP_PUSH_BYTES(26);
    OP_PUSH_BYTES(27);
    OP_PUSH_BYTES(28);
    OP_PUSH_BYTES(29);
    OP_PUSH_BYTES(30);
    OP_PUSH_BYTES(31);
    OP_PUSH_BYTES(32);

    OP_DUP(1);
    OP_DUP(2);
    OP_DUP(3);
    OP_DUP(4);
    OP_DUP(5);
    OP_DUP(6);
    OP_DUP(7);
    OP_DUP(8);
    OP_DUP(9);
    OP_DUP(10);
    OP_DUP(11);
    OP_DUP(12);
    OP_DUP(13);
    OP_DUP(14);
    OP_DUP(15);
    OP_DUP(16);

    OP_SWAP(1);
    OP_SWAP(2);
    OP_SWAP(3);
    OP_SWAP(4);
    OP_SWAP(5);
    OP_SWAP(6);
    OP_SWAP(7);
    OP_SWAP(8);
    OP_SWAP(9);
    OP_SWAP(10);
    OP_SWAP(11);
    OP_SWAP(12);
    OP_SWAP(13);
    OP_SWAP(14);
    OP_SWAP(15);
    OP_SWAP(16);

    OP_OUTSIDE(LOG0, kl_op_log);
    OP_OUTSIDE(LOG1, kl_op_log);
    OP_OUTSIDE(LOG2, kl_op_log);
    OP_OUTSIDE(LOG3, kl_op_log);
    OP_OUTSIDE(LOG4, kl_op_log);

    OP_OUTSIDE(CREATE, kl_op_create);
    OP_REPRICED(CALL, kl_op_call);
    OP_REPRICED(CALLCODE, kl_op_call);
    OP_OUTSIDE(RETURN, kl_op_return);
    OP_REPRICED(DELEGATECALL, kl_op_call);
    OP_OUTSIDE(CREATE2, kl_op_create);
    OP_REPRICED(STATICCALL, kl_op_call);
    OP_OUTSIDE(REVERT, kl_op_revert);
    OP_REPRICED(SELFDESTRUCT, kl_op_selfdestruct);

bad_opcode:
    REMEMBER();
    evm->halt = KL_HALT_BAD_OPCODE;
    goto fails;
stack_underflow:
    evm->halt = KL_HALT_STACK_UNDERFLOW;
    goto fails;
stack_overflow:
    evm->halt = KL_HALT_STACK_OVERFLOW;
    goto fails;
bad_jump:
    evm->halt = KL_HALT_BAD_JUMP;
    goto fails;
out_of_gas:
    evm->halt = KL_HALT_OUT_OF_GAS;
fails:
    evm->output = KL_SPAN_NONE;
    SAVE();
    end = KL_OP_HALT;

ended:
    if (end == KL_OP_HALT) {
        if (TRACED && evm->halt != KL_HALT_NONE)
            kl_trace_fault(evm, f);
    frame_ends:
        end = kl_frame_end(evm);
    }
    if (end == KL_OP_DONE || end == KL_OP_STATUS)
        return evm->status;
    if (KL_UNLIKELY(kl_flag_is_up(&evm->cancel)))
        return KL_CANCELED;
    f = evm->frame;
    stack = f->stack;
    ip = f->ip;
    LOAD();
    NEXT(0);
}

#endif
