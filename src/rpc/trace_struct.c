/* The struct logger: every instruction, with what stood on the stack before it, written straight
 * into the answer.  An instruction's object stays open until the next event, because a failure is
 * part of it when the instruction failed before it could run; what fails while it runs ends its
 * frame and leaves no mark here, as with geth. */
#include "evm/opcode.h"
#include "rpc/trace_priv.h"

/* Slots of one contract that have been read or written, sorted by key. */
struct contract {
    kl_address address;
    struct slot {
        kl_hash key, value;
    } * slots;
    usize count, cap;
    struct contract *next;
};

struct logger {
    struct kl_rpc_tracer base;
    bool stack, storage, memory, return_data;
    u64 limit; /* bytes after which no more instructions are shown; 0: none */
    usize start;
    bool open; /* the last instruction's object is not closed */
    struct contract *contracts;
};

static struct logger *of(struct kl_tracer *hooks)
{
    return (struct logger *)(void *)hooks;
}

static struct contract *contract_at(struct logger *l, const kl_address *address)
{
    struct contract *c = l->contracts;
    while (c && !kl_address_eq(&c->address, address))
        c = c->next;
    if (c)
        return c;
    c = KL_ZERO(l->base.call->arena, struct contract, 1);
    if (!c)
        return NULL;
    c->address = *address;
    c->next = l->contracts;
    l->contracts = c;
    return c;
}

static bool make_room(struct logger *l, struct contract *c)
{
    if (c->count < c->cap)
        return true;
    usize cap = c->cap ? c->cap * 2 : 8;
    struct slot *slots = KL_TAKE(l->base.call->arena, struct slot, cap);
    if (!slots)
        return false;
    if (c->count)
        memcpy(slots, c->slots, c->count * sizeof *slots);
    c->slots = slots;
    c->cap = cap;
    return true;
}

/* False when there is no room. */
static bool remember(struct logger *l, struct contract *c, const kl_hash *key, const kl_hash *value)
{
    usize at = 0;
    while (at < c->count && memcmp(c->slots[at].key.b, key->b, sizeof key->b) < 0)
        at++;
    if (at == c->count || !kl_hash_eq(&c->slots[at].key, key)) {
        if (!make_room(l, c))
            return false;
        memmove(c->slots + at + 1, c->slots + at, (c->count - at) * sizeof *c->slots);
        c->slots[at].key = *key;
        c->count++;
    }
    c->slots[at].value = *value;
    return true;
}

/* What a slot holds; the instruction that is shown has warmed it already, or fails. */
static kl_hash stored(struct logger *l, const kl_address *address, const kl_u256 *key)
{
    struct kl_journal *journal = kl_exec_journal(l->base.exec);
    kl_jaccount *account;
    kl_jslot *slot;
    bool cold;
    if (kl_journal_account(journal, address, &account) != KL_OK ||
        kl_journal_slot(journal, account, key, &slot, &cold) != KL_OK)
        return (kl_hash){0};
    return kl_u256_to_hash(slot->current);
}

static void put_storage(struct logger *l, const kl_trace_step *step)
{
    const kl_u256 *top = step->stack + step->stack_len;
    bool load = step->op == KL_OP_SLOAD, store = step->op == KL_OP_SSTORE;
    if (!(load && step->stack_len >= 1) && !(store && step->stack_len >= 2))
        return;
    kl_hash key = kl_u256_to_hash(top[-1]);
    kl_hash value = load ? stored(l, step->address, top - 1) : kl_u256_to_hash(top[-2]);
    struct contract *c = contract_at(l, step->address);
    if (!c || !remember(l, c, &key, &value)) {
        kl_rpc_tracer_full(&l->base);
        return;
    }
    struct kl_json_out *out = l->base.call->out;
    kl_json_put_key(out, "storage");
    kl_json_put_object(out);
    for (usize i = 0; i < c->count; i++) {
        kl_trace_put_key(out, kl_hash_span(&c->slots[i].key));
        kl_json_put_hash(out, &c->slots[i].value);
    }
    kl_json_put_object_end(out);
}

static void put_stack(struct kl_json_out *out, const kl_trace_step *step)
{
    kl_json_put_key(out, "stack");
    kl_json_put_array(out);
    for (usize i = 0; i < step->stack_len; i++)
        kl_json_put_quantity_u256(out, step->stack[i]);
    kl_json_put_array_end(out);
}

/* Words of memory; it grows by whole ones. */
static void put_memory(struct kl_json_out *out, kl_span memory)
{
    kl_json_put_key(out, "memory");
    kl_json_put_array(out);
    for (usize at = 0; at < memory.len; at += 32)
        kl_json_put_data(out, kl_span_sub(memory, at, 32));
    kl_json_put_array_end(out);
}

static void put_step(struct logger *l, const kl_trace_step *step)
{
    struct kl_json_out *out = l->base.call->out;
    char name[KL_OP_TEXT_MAX];
    kl_op_text(name, step->op);
    kl_json_put_object(out);
    kl_json_add_number(out, "pc", step->pc);
    kl_json_add_text(out, "op", name);
    kl_json_add_number(out, "gas", step->gas);
    kl_json_add_number(out, "gasCost", step->gas_cost);
    kl_json_add_number(out, "depth", step->depth);
    if (l->stack)
        put_stack(out, step);
    if (l->return_data && step->return_data.len) {
        kl_json_add_data(out, "returnData", step->return_data);
    }
    if (l->memory && step->memory.len)
        put_memory(out, step->memory);
    if (l->storage)
        put_storage(l, step);
    if (step->refund > 0) {
        kl_json_add_number(out, "refund", (u64)step->refund);
    }
}

static void close_step(struct logger *l)
{
    if (l->open)
        kl_json_put_object_end(l->base.call->out);
    l->open = false;
}

static void on_step(struct kl_tracer *hooks, const kl_trace_step *step)
{
    struct logger *l = of(hooks);
    close_step(l);
    if (!kl_rpc_tracer_goes_on(&l->base) ||
        (l->limit && l->base.call->out->buf->len - l->start > l->limit))
        return;
    put_step(l, step);
    l->open = true;
}

static void on_fault(struct kl_tracer *hooks, const kl_trace_step *step, int halt)
{
    struct logger *l = of(hooks);
    char text[KL_HALT_DETAIL_MAX];
    if (!l->open || !kl_halt_comes_first(halt))
        return;
    kl_halt_detail(text, halt, step);
    kl_json_add_text(l->base.call->out, "error", text);
}

static struct kl_rpc_tracer *make(struct kl_rpc_call *call, kl_arg options)
{
    struct logger *l = kl_rpc_tracer_take(call, sizeof *l);
    bool no_stack = false, no_storage = false;
    kl_arg limit = kl_arg_member(call, options, "limit");
    if (!l || !kl_arg_trace_flag(call, options, "enableMemory", &l->memory) ||
        !kl_arg_trace_flag(call, options, "disableStack", &no_stack) ||
        !kl_arg_trace_flag(call, options, "disableStorage", &no_storage) ||
        !kl_arg_trace_flag(call, options, "enableReturnData", &l->return_data) ||
        (kl_arg_there(limit) && !kl_arg_number(call, limit, &l->limit)))
        return NULL;
    l->stack = !no_stack;
    l->storage = !no_storage;
    l->base.hooks =
        (struct kl_tracer){.step = on_step, .fault = on_fault, .want_memory = l->memory};
    return &l->base;
}

static void begin(struct kl_rpc_tracer *tracer)
{
    struct kl_json_out *out = tracer->call->out;
    kl_json_put_object(out);
    kl_json_put_key(out, "structLogs");
    kl_json_put_array(out);
    of(&tracer->hooks)->start = out->buf->len;
}

static void end(struct kl_rpc_tracer *tracer, const kl_tx_result *result)
{
    struct kl_json_out *out = tracer->call->out;
    bool returns = result->halt == KL_HALT_NONE || result->halt == KL_HALT_REVERT;
    close_step(of(&tracer->hooks));
    kl_json_put_array_end(out);
    kl_json_add_number(out, "gas", result->gas_used);
    kl_json_add_bool(out, "failed", result->halt != KL_HALT_NONE);
    kl_json_add_data(out, "returnValue", returns ? result->output : KL_SPAN_NONE);
    kl_json_put_object_end(out);
}

const kl_rpc_tracer_kind kl_tracer_struct = {.make = make, .begin = begin, .end = end};
