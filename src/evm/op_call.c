/* The CALL and CREATE families: what they cost and what they ask for.  frame.c does it. */
#include "crypto/address.h"
#include "crypto/keccak.h"
#include "evm/evm_priv.h"

kl_op_end kl_code_of(struct kl_evm *evm, const kl_address *address, kl_evm_account *account,
                     const struct kl_code **code, kl_address *code_address, u64 *price)
{
    const struct kl_evm_host_ops *ops = evm->host->ops;
    kl_evm_account *delegate;
    bool cold = false;
    *code_address = *address;
    *price = 0;
    KL_TRY_HOST(ops->code(evm->host, account, code));
    if (evm->fork < KL_PRAGUE || !*code || !(*code)->delegates)
        return KL_OP_NEXT;
    *code_address = (*code)->delegate; /* followed once only [EIP-7702] */
    KL_TRY_HOST(ops->account(evm->host, code_address, &delegate, &cold));
    *price = cold ? KL_GAS_COLD_ACCOUNT : KL_GAS_WARM;
    if (kl_precompile_at(code_address, evm->fork)) {
        *code = NULL;
        return KL_OP_NEXT;
    }
    KL_TRY_HOST(ops->code(evm->host, delegate, code));
    return KL_OP_NEXT;
}

static kl_trace_call begin(const struct kl_evm *evm, kl_call_kind kind)
{
    return (kl_trace_call){.kind = kind,
                           .depth = (unsigned)(evm->frame - evm->frames) + 1,
                           .from = evm->frame->address};
}

/* The arguments of a call instruction, wherever they lie. */
struct call_args {
    kl_call_kind kind;
    const kl_u256 *gas, *to, *value, *in, *in_len, *out, *out_len; /* value NULL: none */
    unsigned count;
};

static struct call_args call_args(const struct kl_frame *f)
{
    u8 op = *f->ip;
    const kl_u256 *top = f->sp - 1;
    bool valued = op == KL_OP_CALL || op == KL_OP_CALLCODE;
    const kl_u256 *rest = top - (valued ? 3 : 2);
    return (struct call_args){
        .kind = op == KL_OP_CALL           ? KL_CALL
                : op == KL_OP_CALLCODE     ? KL_CALLCODE
                : op == KL_OP_DELEGATECALL ? KL_DELEGATECALL
                                           : KL_STATICCALL,
        .gas = top,
        .to = top - 1,
        .value = valued && !kl_u256_is_zero(top[-2]) ? top - 2 : NULL,
        .in = rest,
        .in_len = rest - 1,
        .out = rest - 2,
        .out_len = rest - 3,
        .count = valued ? 7 : 6,
    };
}

/* The callee's account: what looking there costs, which is taken, and what comes to the price if it
 * comes into being. */
static kl_op_end reach_account(struct kl_evm *evm, struct kl_frame *f, const struct call_args *args,
                               kl_enter *enter, u64 *price)
{
    const struct kl_evm_host_ops *ops = evm->host->ops;
    bool cold = false, fresh = false;
    u64 touch;
    KL_TRY_HOST(ops->account(evm->host, &enter->call.to, &enter->account,
                             evm->fork >= KL_BERLIN ? &cold : NULL));
    if (args->kind == KL_CALL)
        fresh = evm->fork < KL_SPURIOUS ? !ops->exists(evm->host, enter->account)
                                        : args->value && ops->is_empty(evm->host, enter->account);
    kl_op_end end = kl_code_of(evm, &enter->call.to, enter->account, &enter->code,
                               &enter->call.code_address, &touch); /* [EIP-7702] */
    if (end != KL_OP_NEXT)
        return end;
    *price = fresh ? KL_GAS_NEW_ACCOUNT : 0; /* [EIP-161] */
    if (cold)
        touch += KL_GAS_COLD_ACCOUNT - KL_GAS_WARM; /* [EIP-2929] */
    if (kl_charge(f, touch))
        return KL_OP_NEXT;
    f->gas += (i64)touch; /* geth does not show it */
    return kl_halt_with(evm, KL_HALT_TOUCH_OUT_OF_GAS);
}

/* Takes what the callee gets from what is left; false when there is too little. */
static bool take_gas(struct kl_evm *evm, struct kl_frame *f, const kl_u256 *wanted, u64 *given)
{
    u64 gas = kl_u256_sat_u64(*wanted), left = (u64)f->gas;
    if (evm->fork >= KL_TANGERINE)
        gas = KL_MIN(gas, left - left / 64); /* [EIP-150] */
    else if (gas > left)
        return false;
    f->gas -= (i64)gas;
    *given = gas;
    return true;
}

/* A call that nobody could pay: its price has what the callee would get in it, worked out as geth
 * does, which lets the difference wrap.  `left` is what there was before price was taken. */
static kl_op_end call_out_of_gas(struct kl_evm *evm, struct kl_frame *f, const kl_u256 *wanted,
                                 u64 left, u64 price, u64 end)
{
    u64 gas = kl_u256_sat_u64(*wanted), rest = left - price;
    if (evm->tracer && end <= KL_MEMORY_PRICED) {
        if (evm->fork >= KL_TANGERINE)
            gas = KL_MIN(gas, rest - rest / 64);
        f->gas = (i64)(rest - gas);
    } else if (evm->tracer) {
        f->gas = (i64)(evm->now.gas - (u64)evm->gas.base[*f->ip]);
        price = 0;
    }
    return kl_out_of_gas(evm, f, price, end);
}

/* Everything a call costs, up to what its callee gets. */
static kl_op_end pay_call(struct kl_evm *evm, struct kl_frame *f, const struct call_args *args,
                          kl_enter *enter, u64 *memory_end)
{
    u64 in_end, out_end, price;
    if (!kl_memory_end(&in_end, args->in, args->in_len) ||
        !kl_memory_end(&out_end, args->out, args->out_len))
        return kl_halt_with(evm, KL_HALT_GAS_OVERFLOW);
    *memory_end = KL_MAX(in_end, out_end);
    kl_op_end end = reach_account(evm, f, args, enter, &price);
    if (end != KL_OP_NEXT)
        return end;
    u64 left = (u64)f->gas;
    price =
        kl_gas_add(kl_memory_price(f, *memory_end), price + (args->value ? KL_GAS_CALL_VALUE : 0u));
    if (!kl_charge(f, price) || !take_gas(evm, f, args->gas, &enter->call.gas))
        return call_out_of_gas(evm, f, args->gas, left, price, *memory_end);
    return KL_OP_NEXT;
}

kl_op_end kl_op_call(struct kl_evm *evm, struct kl_frame *f)
{
    struct call_args args = call_args(f);
    u64 memory_end;
    kl_enter enter = {.call = begin(evm, args.kind)};
    enter.call.to = kl_u256_to_address(*args.to);
    kl_op_end end = pay_call(evm, f, &args, &enter, &memory_end);
    if (end != KL_OP_NEXT)
        return end;
    kl_trace_point(evm, f);
    if (args.kind == KL_CALL && args.value && f->is_static) {
        f->sp -= args.count;
        return kl_fault_with(evm, f, memory_end, KL_HALT_WRITE_PROTECTION); /* [EIP-214] */
    }
    if (kl_memory_reach(evm, f, memory_end) != KL_OP_NEXT)
        return KL_OP_STATUS;

    if (args.value) {
        enter.call.value = *args.value;
        enter.call.gas += KL_GAS_CALL_STIPEND;
    } else if (args.kind == KL_DELEGATECALL) {
        enter.call.value = f->call.value;
    }
    if (args.in_len->w[0])
        enter.call.input = kl_span_of(f->memory + args.in->w[0], args.in_len->w[0]);
    enter.out_len = args.out_len->w[0];
    enter.out_offset = enter.out_len ? args.out->w[0] : 0;
    f->sp -= args.count;
    return kl_frame_call(evm, &enter);
}

/* What a creation costs beyond its base: memory, and the words of its init code. */
static u64 create_price(struct kl_evm *evm, const struct kl_frame *f, bool salted, u64 end, u64 len)
{
    u64 per_word = 0;
    if (evm->fork >= KL_SHANGHAI)
        per_word += KL_GAS_INIT_CODE_WORD; /* [EIP-3860] */
    if (salted)
        per_word += KL_GAS_KECCAK_WORD; /* [EIP-1014] */
    return kl_gas_add(kl_memory_price(f, end), kl_gas_words(len, per_word));
}

/* Counts the creator's nonce, warms the new address and enters; or says why not. */
static kl_op_end create(struct kl_evm *evm, struct kl_frame *f, kl_enter *enter, u64 nonce)
{
    const struct kl_evm_host_ops *ops = evm->host->ops;
    bool cold;
    if (enter->call.depth > KL_EVM_DEPTH_MAX + 1)
        return kl_frame_refuse(evm, enter, KL_HALT_DEPTH);
    if (kl_u256_lt(ops->balance(evm->host, f->self), enter->call.value))
        return kl_frame_refuse(evm, enter, KL_HALT_BALANCE);
    if (nonce == UINT64_MAX) /* [EIP-2681] */
        return kl_frame_refuse(evm, enter, KL_HALT_NONCE_OVERFLOW);
    ops->set_nonce(evm->host, f->self, nonce + 1);
    KL_TRY_HOST(ops->account(evm->host, &enter->call.to, &enter->account,
                             evm->fork >= KL_BERLIN ? &cold : NULL)); /* [EIP-2929] */
    return kl_frame_create(evm, enter);
}

kl_op_end kl_op_create(struct kl_evm *evm, struct kl_frame *f)
{
    bool salted = *f->ip == KL_OP_CREATE2;
    const kl_u256 *top = f->sp - 1;
    u64 end;
    if (!kl_memory_end(&end, &top[-1], &top[-2]))
        return kl_halt_with(evm, KL_HALT_GAS_OVERFLOW);
    u64 len = top[-2].w[0];
    if (len > kl_init_code_limit(evm) && end <= KL_MEMORY_PRICED) /* [EIP-3860] */
        return kl_halt_with(evm, KL_HALT_INIT_CODE_SIZE);
    u64 price = create_price(evm, f, salted, end, len);
    if (!kl_charge(f, price))
        return kl_out_of_gas(evm, f, price, end);
    kl_trace_point(evm, f);
    if (f->is_static)
        return kl_fault_with(evm, f, end, KL_HALT_WRITE_PROTECTION); /* [EIP-214] */
    if (kl_memory_reach(evm, f, end) != KL_OP_NEXT)
        return KL_OP_STATUS;

    kl_enter enter = {.call = begin(evm, salted ? KL_CREATE2 : KL_CREATE)};
    kl_trace_call *call = &enter.call;
    u64 nonce = evm->host->ops->nonce(evm->host, f->self);
    call->value = top[0];
    if (len)
        call->input = kl_span_of(f->memory + top[-1].w[0], len);
    if (salted) {
        kl_hash salt = kl_u256_to_hash(top[-3]), code_hash = kl_keccak256(call->input);
        call->to = kl_address_of_create2(&f->address, &salt, &code_hash);
    } else {
        call->to = kl_address_of_create(&f->address, nonce);
    }
    call->code_address = call->to;
    call->gas = (u64)f->gas;
    if (evm->fork >= KL_TANGERINE)
        call->gas -= call->gas / 64; /* [EIP-150] */
    f->gas -= (i64)call->gas;
    f->sp -= salted ? 4 : 3;
    return create(evm, f, &enter, nonce);
}
