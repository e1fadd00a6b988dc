/* Frames: how a call or creation starts and ends [YP sections 7 and 8]. */
#include "crypto/keccak.h"
#include "evm/code_priv.h"
#include "evm/evm_priv.h"

#define ARENA_KEEP (64 << 10)

static bool is_creation(kl_call_kind kind)
{
    return kind == KL_CREATE || kind == KL_CREATE2;
}

/* Keeps output for RETURNDATA*, or for the outside. */
static kl_op_end keep_output(struct kl_evm *evm, kl_span output)
{
    struct kl_region *room = &evm->returns;
    evm->returned = KL_SPAN_NONE;
    if (output.len == 0)
        return KL_OP_NEXT;
    if (output.len > room->size) {
        evm->status = KL_LIMIT;
        return KL_OP_STATUS;
    }
    memcpy(room->base, output.p, output.len);
    room->used = KL_MAX(room->used, output.len);
    evm->returned = kl_span_of(room->base, output.len);
    return KL_OP_NEXT;
}

/* The result of a call or creation goes to the frame that asked for it, which runs from here on. */
static kl_op_end give(struct kl_evm *evm, const kl_trace_call *call, kl_halt halt, u64 gas_left,
                      kl_span output, u64 out_offset, u64 out_len)
{
    struct kl_frame *f = evm->frame;
    bool outside = f == evm->frames, created = is_creation(call->kind);
    if (KL_UNLIKELY(evm->tracer))
        kl_trace_leave(evm, call, gas_left, halt, output);
    if ((halt != KL_HALT_NONE && halt != KL_HALT_REVERT) ||
        (halt == KL_HALT_NONE && created && !outside)) /* [EIP-211] */
        output = KL_SPAN_NONE;
    if (keep_output(evm, output) != KL_OP_NEXT)
        return KL_OP_STATUS;
    if (outside) {
        evm->result = (kl_evm_result){
            .halt = halt,
            .gas_left = gas_left,
            .refund = halt == KL_HALT_NONE && evm->refund > 0 ? (u64)evm->refund : 0,
            .output = evm->returned,
        };
        return KL_OP_DONE;
    }
    u64 copied = KL_MIN(out_len, evm->returned.len);
    if (copied)
        memcpy(f->memory + out_offset, evm->returned.p, copied);
    f->gas += (i64)gas_left;
    *f->sp++ = halt != KL_HALT_NONE ? KL_U256_ZERO
               : created            ? kl_u256_from_address(&call->to)
                                    : KL_U256_ONE;
    f->ip++;
    return KL_OP_FRAME;
}

/* The end of a call or creation that ran no code. */
static kl_op_end end_at_once(struct kl_evm *evm, const kl_enter *enter, kl_halt halt, u64 gas_left,
                             kl_span output)
{
    return give(evm, &enter->call, halt, gas_left, output, enter->out_offset, enter->out_len);
}

kl_op_end kl_frame_refuse(struct kl_evm *evm, const kl_enter *enter, kl_halt halt)
{
    if (KL_UNLIKELY(evm->tracer))
        kl_trace_enter(evm, &enter->call);
    return end_at_once(evm, enter, halt, enter->call.gas, KL_SPAN_NONE);
}

static kl_op_end run_precompile(struct kl_evm *evm, const kl_enter *enter,
                                const struct kl_precompile *precompile, u32 snapshot)
{
    kl_span input = enter->call.input, output = KL_SPAN_NONE;
    u64 gas = enter->call.gas, price = kl_precompile_gas(precompile, input, evm->fork);
    kl_halt halt = price == UINT64_MAX ? KL_HALT_PRECOMPILE : KL_HALT_OUT_OF_GAS;
    if (price <= gas) {
        bool ok;
        kl_arena_reset(&evm->arena, ARENA_KEEP);
        KL_TRY_HOST(kl_precompile_run(precompile, input, evm->fork, &evm->arena, &output, &ok));
        if (ok)
            return end_at_once(evm, enter, KL_HALT_NONE, gas - price, output);
        halt = KL_HALT_PRECOMPILE;
    }
    evm->host->ops->revert(evm->host, snapshot);
    return end_at_once(evm, enter, halt, 0, KL_SPAN_NONE);
}

/* The next frame, with everything but its code and memory. */
static struct kl_frame *push(struct kl_evm *evm, const kl_enter *enter, u32 snapshot)
{
    const struct kl_frame *caller = evm->frame;
    struct kl_frame *f = ++evm->frame;
    kl_call_kind kind = enter->call.kind;
    bool borrowed = kind == KL_CALLCODE || kind == KL_DELEGATECALL;
    f->stack = f->sp = caller->sp;
    f->gas = (i64)enter->call.gas;
    f->memory_len = 0;
    f->self = borrowed ? caller->self : enter->account;
    f->address = borrowed ? caller->address : enter->call.to;
    f->caller = kind == KL_DELEGATECALL ? caller->caller : caller->address;
    f->is_static = caller->is_static || kind == KL_STATICCALL;
    f->call = enter->call;
    f->snapshot = snapshot;
    f->refund_before = evm->refund;
    f->out_offset = enter->out_offset;
    f->out_len = enter->out_len;
    evm->returned = KL_SPAN_NONE;
    usize stack_end = (usize)((u8 *)(f->stack + KL_STACK_MAX) - evm->stack.base);
    evm->stack.used = KL_MAX(evm->stack.used, stack_end);
    return f;
}

/* Whether the named account gets the value, or is at least touched [EIP-161]. */
static bool reaches_account(struct kl_evm *evm, const kl_enter *enter)
{
    if (enter->call.kind != KL_CALL && enter->call.kind != KL_STATICCALL)
        return false;
    return evm->fork < KL_SPURIOUS || !kl_u256_is_zero(enter->call.value) ||
           evm->host->ops->exists(evm->host, enter->account);
}

static bool can_pay(struct kl_evm *evm, const kl_enter *enter)
{
    if (enter->call.kind != KL_CALL && enter->call.kind != KL_CALLCODE)
        return true;
    return kl_u256_is_zero(enter->call.value) ||
           !kl_u256_lt(evm->host->ops->balance(evm->host, evm->frame->self), enter->call.value);
}

kl_op_end kl_frame_call(struct kl_evm *evm, const kl_enter *enter)
{
    const struct kl_evm_host_ops *ops = evm->host->ops;
    const struct kl_frame *caller = evm->frame;
    if (KL_UNLIKELY(evm->tracer))
        kl_trace_enter(evm, &enter->call);
    if (enter->call.depth > KL_EVM_DEPTH_MAX + 1)
        return end_at_once(evm, enter, KL_HALT_DEPTH, enter->call.gas, KL_SPAN_NONE);
    if (!can_pay(evm, enter))
        return end_at_once(evm, enter, KL_HALT_BALANCE, enter->call.gas, KL_SPAN_NONE);

    u32 snapshot = ops->snapshot(evm->host);
    if (reaches_account(evm, enter))
        ops->transfer(evm->host, caller->self, enter->account, &enter->call.value);
    const struct kl_precompile *precompile = kl_precompile_at(&enter->call.to, evm->fork);
    if (precompile)
        return run_precompile(evm, enter, precompile, snapshot);
    if (!enter->code || enter->code->len == 0)
        return end_at_once(evm, enter, KL_HALT_NONE, enter->call.gas, KL_SPAN_NONE);

    struct kl_frame *f = push(evm, enter, snapshot);
    f->memory = caller->memory + caller->memory_len;
    f->ip = f->code = enter->code->bytes;
    f->code_len = enter->code->len;
    f->jumpdests = enter->code->jumpdests;
    f->input = enter->call.input;
    return KL_OP_FRAME;
}

/* Lays out init code behind the caller's memory, as code.c does on the heap. */
static kl_op_end place_init_code(struct kl_evm *evm, struct kl_frame *f, u8 *at, kl_span code)
{
    struct kl_region *region = &evm->memory;
    usize words = kl_jumpdest_words(code.len), start = (usize)(at - region->base);
    usize padded = (code.len + KL_CODE_PAD + 31) / 32 * 32;
    usize len = padded + (words + 3) / 4 * 32;
    if (len > region->size - start) {
        evm->status = KL_LIMIT;
        return KL_OP_STATUS;
    }
    u64 *map = (u64 *)(void *)(at + padded);
    if (code.len)
        memcpy(at, code.p, code.len);
    memset(at + code.len, 0, len - code.len);
    kl_jumpdests_find(map, at, code.len);
    region->used = KL_MAX(region->used, start + len);
    f->ip = f->code = at;
    f->code_len = code.len;
    f->jumpdests = map;
    f->memory = at + len;
    return KL_OP_FRAME;
}

/* [EIP-684, EIP-7610] */
static bool collides(struct kl_evm *evm, const kl_evm_account *account)
{
    const struct kl_evm_host_ops *ops = evm->host->ops;
    const kl_hash *hash = ops->code_hash(evm->host, account);
    return ops->nonce(evm->host, account) != 0 ||
           !(kl_hash_eq(hash, &kl_keccak_empty) || kl_hash_is_zero(hash)) ||
           ops->has_storage(evm->host, account);
}

kl_op_end kl_frame_create(struct kl_evm *evm, const kl_enter *enter)
{
    const struct kl_evm_host_ops *ops = evm->host->ops;
    const struct kl_frame *caller = evm->frame;
    if (KL_UNLIKELY(evm->tracer))
        kl_trace_enter(evm, &enter->call);
    if (collides(evm, enter->account))
        return end_at_once(evm, enter, KL_HALT_COLLISION, 0, KL_SPAN_NONE);
    u32 snapshot = ops->snapshot(evm->host);
    ops->create(evm->host, enter->account);
    if (evm->fork >= KL_SPURIOUS)
        ops->set_nonce(evm->host, enter->account, 1); /* [EIP-161] */
    ops->transfer(evm->host, caller->self, enter->account, &enter->call.value);
    struct kl_frame *f = push(evm, enter, snapshot);
    f->input = KL_SPAN_NONE;
    return place_init_code(evm, f, caller->memory + caller->memory_len, enter->call.input);
}

/* Gives the new contract the code its creation returned.  evm->halt says how that went. */
static kl_op_end deploy(struct kl_evm *evm, struct kl_frame *f)
{
    kl_span code = evm->output;
    if (code.len > kl_deployed_limit(evm)) {
        evm->halt = KL_HALT_CODE_SIZE; /* [EIP-170] */
    } else if (evm->fork >= KL_LONDON && code.len && code.p[0] == 0xef) {
        evm->halt = KL_HALT_BAD_CODE; /* [EIP-3541] */
    } else if (kl_mul_sat_u64(code.len, KL_GAS_CODE_BYTE) <= (u64)f->gas) {
        f->gas -= (i64)(code.len * KL_GAS_CODE_BYTE);
        if (code.len)
            KL_TRY_HOST(evm->host->ops->set_code(evm->host, f->self, code));
    } else if (evm->fork >= KL_HOMESTEAD) {
        evm->halt = KL_HALT_CODE_STORE_OUT_OF_GAS; /* [EIP-2] */
    } else {
        evm->output = KL_SPAN_NONE; /* Frontier keeps the contract, without code */
    }
    return KL_OP_NEXT;
}

kl_op_end kl_frame_end(struct kl_evm *evm)
{
    struct kl_frame *f = evm->frame;
    if (evm->halt == KL_HALT_NONE && is_creation(f->call.kind) && deploy(evm, f) != KL_OP_NEXT)
        return KL_OP_STATUS;
    if (evm->halt != KL_HALT_NONE) {
        evm->host->ops->revert(evm->host, f->snapshot);
        evm->refund = f->refund_before;
    }
    bool keeps_gas = evm->halt == KL_HALT_NONE || evm->halt == KL_HALT_REVERT;
    evm->frame--;
    return give(evm, &f->call, evm->halt, keeps_gas ? (u64)f->gas : 0, evm->output, f->out_offset,
                f->out_len);
}
