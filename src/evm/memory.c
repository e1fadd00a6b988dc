/* A frame's memory: grows by words, reads as zero where nothing was written [YP section 9.1].
 *
 * Frames use the region one after the other, so bytes another frame wrote may lie where this one
 * grows to; they are cleared then, and only they: what lies behind region.used was never written.
 */
#include "evm/evm_priv.h"

/* Clears whole words.  Most growth is by one or two, where a call of memset, which the compiler
 * makes of any plain loop, would cost more than all the rest. */
static void clear(u8 *p, usize len)
{
    if (len > 256) {
        memset(p, 0, len);
        return;
    }
    for (; len; len -= 32) {
        memset(p, 0, 32);
        p += 32;
        __asm__("" : "+r"(p));
    }
}

kl_op_end kl_memory_grow(struct kl_evm *evm, struct kl_frame *f, u64 end)
{
    struct kl_region *region = &evm->memory;
    usize base = (usize)(f->memory - region->base), old = base + f->memory_len;
    if (end > region->size - base) {
        evm->status = KL_LIMIT;
        return KL_OP_STATUS;
    }
    f->memory_len = kl_words(end) * 32;
    usize grown = base + f->memory_len;
    if (old < region->used)
        clear(region->base + old, KL_MIN(grown, region->used) - old);
    region->used = KL_MAX(region->used, grown);
    return KL_OP_NEXT;
}

kl_op_end kl_out_of_gas(struct kl_evm *evm, struct kl_frame *f, u64 price, u64 end)
{
    if (end <= KL_MEMORY_PRICED)
        return kl_halt_with(evm, KL_HALT_OUT_OF_GAS);
    f->gas += (i64)price;
    return kl_halt_with(evm, KL_HALT_MEMORY_SIZE);
}

kl_op_end kl_memory_pay(struct kl_evm *evm, struct kl_frame *f, u64 *end, const kl_u256 *to,
                        const kl_u256 *len)
{
    if (!kl_memory_end(end, to, len))
        return kl_halt_with(evm, KL_HALT_GAS_OVERFLOW);
    u64 price = kl_gas_add(kl_memory_price(f, *end), kl_gas_words(len->w[0], KL_GAS_COPY_WORD));
    if (!kl_charge(f, price))
        return kl_out_of_gas(evm, f, price, *end);
    kl_trace_point(evm, f);
    return KL_OP_NEXT;
}

kl_op_end kl_memory_copy(struct kl_evm *evm, struct kl_frame *f, unsigned args, const kl_u256 *to,
                         kl_span source, const kl_u256 *from, const kl_u256 *len)
{
    u64 end;
    kl_op_end paid = kl_memory_pay(evm, f, &end, to, len);
    if (paid != KL_OP_NEXT)
        return paid;
    if (kl_memory_reach(evm, f, end) != KL_OP_NEXT)
        return KL_OP_STATUS;
    kl_memory_fill(f, to, source, from, len);
    f->sp -= args;
    return KL_OP_NEXT;
}

void kl_memory_fill(struct kl_frame *f, const kl_u256 *to, kl_span source, const kl_u256 *from,
                    const kl_u256 *len)
{
    u64 count = len->w[0];
    if (count) {
        kl_span part = kl_span_sub(source, kl_u256_sat_u64(*from), count);
        u8 *at = f->memory + to->w[0];
        if (part.len)
            memcpy(at, part.p, part.len);
        memset(at + part.len, 0, count - part.len);
    }
}
