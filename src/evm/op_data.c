/* Instructions over memory and call data, and those whose price depends on their size. */
#include "crypto/keccak.h"
#include "evm/evm_priv.h"

kl_op_end kl_op_exp(struct kl_evm *evm, struct kl_frame *f)
{
    kl_u256 *top = f->sp - 1;
    if (!kl_charge(f, kl_gas_exp_byte(evm->fork) * kl_u256_bytes(top[-1])))
        return kl_halt_with(evm, KL_HALT_OUT_OF_GAS);
    kl_trace_point(evm, f);
    top[-1] = kl_u256_exp(top[0], top[-1]);
    f->sp--;
    return KL_OP_NEXT;
}

kl_op_end kl_op_keccak256(struct kl_evm *evm, struct kl_frame *f)
{
    kl_u256 *top = f->sp - 1;
    u64 end;
    if (!kl_memory_end(&end, &top[0], &top[-1]))
        return kl_halt_with(evm, KL_HALT_GAS_OVERFLOW);
    u64 len = top[-1].w[0];
    u64 price = kl_gas_add(kl_memory_price(f, end), kl_gas_words(len, KL_GAS_KECCAK_WORD));
    if (!kl_charge(f, price))
        return kl_out_of_gas(evm, f, price, end);
    kl_trace_point(evm, f);
    if (kl_memory_reach(evm, f, end) != KL_OP_NEXT)
        return KL_OP_STATUS;
    kl_hash hash = kl_keccak256(len ? kl_span_of(f->memory + top[0].w[0], len) : KL_SPAN_NONE);
    top[-1] = kl_u256_from_hash(&hash);
    f->sp--;
    return KL_OP_NEXT;
}

/* Where the loop's own look finds call data shorter than a word. */
kl_op_end kl_op_calldataload(struct kl_evm *evm, struct kl_frame *f)
{
    kl_trace_point(evm, f);
    u8 word[32] = {0};
    kl_span part = kl_span_sub(f->input, kl_u256_sat_u64(f->sp[-1]), sizeof word);
    if (part.len)
        memcpy(word, part.p, part.len);
    f->sp[-1] = kl_u256_from_be(word);
    return KL_OP_NEXT;
}

/* Pays for, and makes, len bytes of memory at the offset on top of the stack. */
static inline kl_op_end reach(struct kl_evm *evm, struct kl_frame *f, u64 len)
{
    kl_u256 bytes = kl_u256_of(len);
    u64 end;
    if (!kl_memory_end(&end, f->sp - 1, &bytes))
        return kl_halt_with(evm, KL_HALT_GAS_OVERFLOW);
    u64 price = kl_memory_price(f, end);
    if (!kl_charge(f, price))
        return kl_out_of_gas(evm, f, price, end);
    kl_trace_point(evm, f);
    return kl_memory_reach(evm, f, end);
}

/* These three come after the loop's own look found the memory too short. */
kl_op_end kl_op_mload(struct kl_evm *evm, struct kl_frame *f)
{
    kl_op_end end = reach(evm, f, 32);
    if (end == KL_OP_NEXT)
        f->sp[-1] = kl_u256_from_be(f->memory + f->sp[-1].w[0]);
    return end;
}

kl_op_end kl_op_mstore(struct kl_evm *evm, struct kl_frame *f)
{
    kl_op_end end = reach(evm, f, 32);
    if (end == KL_OP_NEXT) {
        kl_u256_to_be(f->memory + f->sp[-1].w[0], f->sp[-2]);
        f->sp -= 2;
    }
    return end;
}

kl_op_end kl_op_mstore8(struct kl_evm *evm, struct kl_frame *f)
{
    kl_op_end end = reach(evm, f, 1);
    if (end == KL_OP_NEXT) {
        f->memory[f->sp[-1].w[0]] = (u8)f->sp[-2].w[0];
        f->sp -= 2;
    }
    return end;
}

/* [EIP-5656] */
kl_op_end kl_op_mcopy(struct kl_evm *evm, struct kl_frame *f)
{
    const kl_u256 *to = f->sp - 1, *from = f->sp - 2, *len = f->sp - 3;
    u64 to_end, from_end;
    if (!kl_memory_end(&to_end, to, len) || !kl_memory_end(&from_end, from, len))
        return kl_halt_with(evm, KL_HALT_GAS_OVERFLOW);
    u64 end = KL_MAX(to_end, from_end), count = len->w[0];
    u64 price = kl_gas_add(kl_memory_price(f, end), kl_gas_words(count, KL_GAS_COPY_WORD));
    if (!kl_charge(f, price))
        return kl_out_of_gas(evm, f, price, end);
    kl_trace_point(evm, f);
    if (kl_memory_reach(evm, f, end) != KL_OP_NEXT)
        return KL_OP_STATUS;
    if (count)
        memmove(f->memory + to->w[0], f->memory + from->w[0], count);
    f->sp -= 3;
    return KL_OP_NEXT;
}

kl_op_end kl_op_calldatacopy(struct kl_evm *evm, struct kl_frame *f)
{
    return kl_memory_copy(evm, f, 3, f->sp - 1, f->input, f->sp - 2, f->sp - 3);
}

kl_op_end kl_op_codecopy(struct kl_evm *evm, struct kl_frame *f)
{
    kl_span code = kl_span_of(f->code, f->code_len);
    return kl_memory_copy(evm, f, 3, f->sp - 1, code, f->sp - 2, f->sp - 3);
}

/* [EIP-211]: reading past the end is an error, even of no bytes. */
kl_op_end kl_op_returndatacopy(struct kl_evm *evm, struct kl_frame *f)
{
    const kl_u256 *to = f->sp - 1, *offset = f->sp - 2, *len = f->sp - 3;
    u64 from, count, end, memory_end;
    kl_op_end paid = kl_memory_pay(evm, f, &memory_end, to, len);
    if (paid != KL_OP_NEXT)
        return paid;
    f->sp -= 3;
    if (!kl_u256_to_u64(&from, *offset) || !kl_u256_to_u64(&count, *len) ||
        !kl_add_u64(&end, from, count) || end > evm->returned.len)
        return kl_fault_with(evm, f, memory_end, KL_HALT_RETURN_DATA_BOUNDS);
    if (kl_memory_reach(evm, f, memory_end) != KL_OP_NEXT)
        return KL_OP_STATUS;
    kl_memory_fill(f, to, evm->returned, offset, len);
    return KL_OP_NEXT;
}

kl_op_end kl_op_log(struct kl_evm *evm, struct kl_frame *f)
{
    unsigned topics = *f->ip - KL_OP_LOG0;
    const kl_u256 *offset = f->sp - 1, *len = f->sp - 2;
    u64 end;
    if (!kl_memory_end(&end, offset, len))
        return kl_halt_with(evm, KL_HALT_GAS_OVERFLOW);
    u64 bytes = KL_MIN(kl_mul_sat_u64(len->w[0], KL_GAS_LOG_BYTE), KL_GAS_NEVER);
    u64 price = kl_gas_add(kl_memory_price(f, end), bytes);
    if (!kl_charge(f, price))
        return kl_out_of_gas(evm, f, price, end);
    kl_trace_point(evm, f);
    if (f->is_static)
        return kl_fault_with(evm, f, end, KL_HALT_WRITE_PROTECTION); /* [EIP-214] */
    if (kl_memory_reach(evm, f, end) != KL_OP_NEXT)
        return KL_OP_STATUS;
    kl_log_entry entry = {.address = f->address, .topic_count = (u8)topics};
    if (len->w[0])
        entry.data = kl_span_of(f->memory + offset->w[0], len->w[0]);
    for (unsigned i = 0; i < topics; i++)
        entry.topics[i] = kl_u256_to_hash(f->sp[-3 - (int)i]);
    KL_TRY_HOST(evm->host->ops->log(evm->host, &entry));
    f->sp -= 2 + topics;
    return KL_OP_NEXT;
}

static kl_op_end end_with(struct kl_evm *evm, struct kl_frame *f, kl_halt halt)
{
    u64 end;
    if (!kl_memory_end(&end, &f->sp[-1], &f->sp[-2]))
        return kl_halt_with(evm, KL_HALT_GAS_OVERFLOW);
    u64 price = kl_memory_price(f, end);
    if (!kl_charge(f, price))
        return kl_out_of_gas(evm, f, price, end);
    kl_trace_point(evm, f);
    if (kl_memory_reach(evm, f, end) != KL_OP_NEXT)
        return KL_OP_STATUS;
    f->sp -= 2;
    u64 len = f->sp[0].w[0];
    evm->halt = halt;
    evm->output = len ? kl_span_of(f->memory + f->sp[1].w[0], len) : KL_SPAN_NONE;
    return KL_OP_HALT;
}

kl_op_end kl_op_return(struct kl_evm *evm, struct kl_frame *f)
{
    return end_with(evm, f, KL_HALT_NONE);
}

kl_op_end kl_op_revert(struct kl_evm *evm, struct kl_frame *f)
{
    return end_with(evm, f, KL_HALT_REVERT);
}
