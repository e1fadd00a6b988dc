/* Instructions that look at or change accounts, storage and blocks. */
#include "crypto/keccak.h"
#include "evm/evm_priv.h"

/* The account at address; pays for a first touch [EIP-2929]. */
static kl_op_end touch(struct kl_evm *evm, struct kl_frame *f, const kl_address *address,
                       kl_evm_account **out)
{
    bool cold = false, metered = evm->fork >= KL_BERLIN;
    KL_TRY_HOST(evm->host->ops->account(evm->host, address, out, metered ? &cold : NULL));
    if (cold && !kl_charge(f, KL_GAS_COLD_ACCOUNT - KL_GAS_WARM))
        return kl_halt_with(evm, KL_HALT_OUT_OF_GAS);
    return KL_OP_NEXT;
}

/* The account whose address is on top of the stack. */
static kl_op_end touch_top(struct kl_evm *evm, struct kl_frame *f, kl_evm_account **out)
{
    kl_address address = kl_u256_to_address(f->sp[-1]);
    kl_op_end end = touch(evm, f, &address, out);
    if (end == KL_OP_NEXT)
        kl_trace_point(evm, f);
    return end;
}

kl_op_end kl_op_balance(struct kl_evm *evm, struct kl_frame *f)
{
    kl_evm_account *account;
    kl_op_end end = touch_top(evm, f, &account);
    if (end == KL_OP_NEXT)
        f->sp[-1] = evm->host->ops->balance(evm->host, account);
    return end;
}

kl_op_end kl_op_selfbalance(struct kl_evm *evm, struct kl_frame *f)
{
    kl_trace_point(evm, f);
    *f->sp++ = evm->host->ops->balance(evm->host, f->self);
    return KL_OP_NEXT;
}

kl_op_end kl_op_extcodesize(struct kl_evm *evm, struct kl_frame *f)
{
    kl_evm_account *account;
    const struct kl_code *code;
    kl_op_end end = touch_top(evm, f, &account);
    if (end != KL_OP_NEXT)
        return end;
    KL_TRY_HOST(evm->host->ops->code(evm->host, account, &code));
    f->sp[-1] = kl_u256_of(code ? code->len : 0);
    return KL_OP_NEXT;
}

kl_op_end kl_op_extcodecopy(struct kl_evm *evm, struct kl_frame *f)
{
    kl_address address = kl_u256_to_address(f->sp[-1]);
    kl_evm_account *account;
    const struct kl_code *code;
    kl_op_end end = touch(evm, f, &address, &account);
    if (end != KL_OP_NEXT)
        return end;
    KL_TRY_HOST(evm->host->ops->code(evm->host, account, &code));
    kl_span bytes = code ? kl_span_of(code->bytes, code->len) : KL_SPAN_NONE;
    return kl_memory_copy(evm, f, 4, f->sp - 2, bytes, f->sp - 3, f->sp - 4);
}

/* [EIP-1052]; from EIP-161 on an empty account counts as none. */
kl_op_end kl_op_extcodehash(struct kl_evm *evm, struct kl_frame *f)
{
    kl_evm_account *account;
    kl_op_end end = touch_top(evm, f, &account);
    if (end != KL_OP_NEXT)
        return end;
    bool none = evm->host->ops->is_empty(evm->host, account);
    f->sp[-1] =
        none ? KL_U256_ZERO : kl_u256_from_hash(evm->host->ops->code_hash(evm->host, account));
    return KL_OP_NEXT;
}

kl_op_end kl_op_blockhash(struct kl_evm *evm, struct kl_frame *f)
{
    kl_trace_point(evm, f);
    u64 number = evm->block->number, wanted;
    kl_hash hash = {{0}};
    if (kl_u256_to_u64(&wanted, f->sp[-1]) && wanted < number && number - wanted <= 256)
        KL_TRY_HOST(evm->host->ops->block_hash(evm->host, wanted, &hash));
    f->sp[-1] = kl_u256_from_hash(&hash);
    return KL_OP_NEXT;
}

kl_op_end kl_op_sload(struct kl_evm *evm, struct kl_frame *f)
{
    kl_evm_slot slot;
    KL_TRY_HOST(evm->host->ops->slot(evm->host, f->self, &f->sp[-1], &slot));
    if (slot.cold && evm->fork >= KL_BERLIN &&
        !kl_charge(f, KL_GAS_COLD_SLOT - KL_GAS_WARM)) /* [EIP-2929] */
        return kl_halt_with(evm, KL_HALT_OUT_OF_GAS);
    kl_trace_point(evm, f);
    f->sp[-1] = slot.current;
    return KL_OP_NEXT;
}

kl_op_end kl_op_sstore(struct kl_evm *evm, struct kl_frame *f)
{
    kl_evm_slot slot;
    const kl_u256 *key = f->sp - 1, *value = f->sp - 2;
    if (evm->fork >= KL_ISTANBUL && f->gas <= KL_GAS_SSTORE_SENTRY) /* [EIP-2200] */
        return kl_halt_with(evm, KL_HALT_STORE_SENTRY);
    KL_TRY_HOST(evm->host->ops->slot(evm->host, f->self, key, &slot));
    kl_sstore_price price = kl_gas_sstore(evm->fork, &slot.original, &slot.current, value);
    if (slot.cold && evm->fork >= KL_BERLIN)
        price.gas += KL_GAS_COLD_SLOT; /* [EIP-2929] */
    evm->refund += price.refund;       /* gone again when the frame fails */
    if (!kl_charge(f, price.gas))
        return kl_halt_with(evm, KL_HALT_OUT_OF_GAS);
    kl_trace_point(evm, f);
    if (f->is_static)
        return kl_halt_with(evm, KL_HALT_WRITE_PROTECTION); /* [EIP-214] */
    if (!kl_u256_eq(slot.current, *value))
        evm->host->ops->set_slot(evm->host, f->self, &slot, value);
    f->sp -= 2;
    return KL_OP_NEXT;
}

/* [EIP-1153] */
kl_op_end kl_op_tload(struct kl_evm *evm, struct kl_frame *f)
{
    kl_u256 value;
    kl_trace_point(evm, f);
    KL_TRY_HOST(evm->host->ops->transient(evm->host, f->self, &f->sp[-1], &value));
    f->sp[-1] = value;
    return KL_OP_NEXT;
}

kl_op_end kl_op_tstore(struct kl_evm *evm, struct kl_frame *f)
{
    if (f->is_static)
        return kl_halt_with(evm, KL_HALT_WRITE_PROTECTION);
    kl_trace_point(evm, f);
    KL_TRY_HOST(evm->host->ops->set_transient(evm->host, f->self, &f->sp[-1], &f->sp[-2]));
    f->sp -= 2;
    return KL_OP_NEXT;
}

/* What it costs that the heir comes into being [EIP-150, EIP-161]. */
static u64 heir_price(struct kl_evm *evm, const struct kl_frame *f, const kl_evm_account *heir)
{
    const struct kl_evm_host_ops *ops = evm->host->ops;
    bool fresh = false;
    if (evm->fork >= KL_SPURIOUS)
        fresh =
            ops->is_empty(evm->host, heir) && !kl_u256_is_zero(ops->balance(evm->host, f->self));
    else if (evm->fork >= KL_TANGERINE)
        fresh = !ops->exists(evm->host, heir);
    return fresh ? KL_GAS_NEW_ACCOUNT : 0;
}

kl_op_end kl_op_selfdestruct(struct kl_evm *evm, struct kl_frame *f)
{
    const struct kl_evm_host_ops *ops = evm->host->ops;
    kl_address address = kl_u256_to_address(f->sp[-1]);
    kl_evm_account *heir;
    bool cold = false, first;
    KL_TRY_HOST(ops->account(evm->host, &address, &heir, evm->fork >= KL_BERLIN ? &cold : NULL));
    u64 price = (cold ? KL_GAS_COLD_ACCOUNT : 0) + heir_price(evm, f, heir); /* [EIP-2929] */
    if (!kl_charge(f, price))
        return kl_halt_with(evm, KL_HALT_OUT_OF_GAS);
    kl_trace_point(evm, f);
    if (f->is_static)
        return kl_halt_with(evm, KL_HALT_WRITE_PROTECTION); /* [EIP-214] */
    if (KL_UNLIKELY(evm->tracer)) {
        kl_trace_call call = {.kind = KL_SELFDESTRUCT,
                              .depth = (unsigned)(f - evm->frames) + 1,
                              .from = f->address,
                              .to = address,
                              .code_address = address,
                              .value = ops->balance(evm->host, f->self)};
        kl_trace_enter(evm, &call);
        kl_trace_leave(evm, &call, 0, KL_HALT_NONE, KL_SPAN_NONE);
    }
    ops->destroy(evm->host, f->self, heir, &first);
    evm->refund += first ? kl_refund_selfdestruct(evm->fork) : 0;
    return kl_halt_with(evm, KL_HALT_NONE);
}
