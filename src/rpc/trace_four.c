/* 4byteTracer: which functions were called with how many bytes of arguments, and how often.
 * noopTracer: nothing, for the cost of running under a tracer. */
#include <stdio.h>
#include <stdlib.h>

#include "evm/precompile.h"
#include "rpc/trace_priv.h"

/* A selector, and the length of what follows it. */
typedef struct seen {
    u32 selector;
    usize len;
} seen;

struct four_byte {
    struct kl_rpc_tracer base;
    seen *list;
    usize count, cap;
};

static struct four_byte *of(struct kl_tracer *hooks)
{
    return (struct four_byte *)(void *)hooks;
}

static bool add(struct four_byte *t, seen what)
{
    if (t->count == t->cap) {
        usize cap = t->cap ? t->cap * 2 : 64;
        seen *list = KL_TAKE(t->base.call->arena, seen, cap);
        if (!list)
            return false;
        if (t->count)
            memcpy(list, t->list, t->count * sizeof *list);
        t->list = list;
        t->cap = cap;
    }
    t->list[t->count++] = what;
    return true;
}

static void on_enter(struct kl_tracer *hooks, const kl_trace_call *call)
{
    struct four_byte *t = of(hooks);
    bool calls = call->kind == KL_CALL || call->kind == KL_CALLCODE ||
                 call->kind == KL_DELEGATECALL || call->kind == KL_STATICCALL;
    if (!kl_rpc_tracer_goes_on(&t->base) || !calls || call->input.len < 4 ||
        kl_precompile_at(&call->to, t->base.where.fork))
        return;
    if (!add(t, (seen){kl_load_be32(call->input.p), call->input.len - 4}))
        kl_rpc_tracer_full(&t->base);
}

static int compare(const void *left, const void *right)
{
    const seen *a = left, *b = right;
    if (a->selector != b->selector)
        return a->selector < b->selector ? -1 : 1;
    return a->len < b->len ? -1 : a->len > b->len;
}

static void end(struct kl_rpc_tracer *tracer, const kl_tx_result *result)
{
    struct four_byte *t = of(&tracer->hooks);
    struct kl_json_out *out = tracer->call->out;
    char name[40];
    (void)result;
    if (t->count)
        qsort(t->list, t->count, sizeof *t->list, compare);
    kl_json_put_object(out);
    for (usize i = 0, same; i < t->count; i += same) {
        for (same = 1; i + same < t->count && !compare(&t->list[i], &t->list[i + same]);)
            same++;
        snprintf(name, sizeof name, "0x%08x-%zu", t->list[i].selector, t->list[i].len);
        kl_json_add_number(out, name, same);
    }
    kl_json_put_object_end(out);
}

static struct kl_rpc_tracer *make(struct kl_rpc_call *call, kl_arg options)
{
    struct four_byte *t = kl_rpc_tracer_take(call, sizeof *t);
    (void)options;
    if (!t)
        return NULL;
    t->base.hooks.enter = on_enter;
    return &t->base;
}

const kl_rpc_tracer_kind kl_tracer_four_byte = {.name = "4byteTracer", .make = make, .end = end};

static void see(struct kl_tracer *hooks, const kl_trace_step *step)
{
    (void)step;
    (void)kl_rpc_tracer_goes_on((struct kl_rpc_tracer *)(void *)hooks);
}

static struct kl_rpc_tracer *make_noop(struct kl_rpc_call *call, kl_arg options)
{
    struct kl_rpc_tracer *t = kl_rpc_tracer_take(call, sizeof *t);
    (void)options;
    if (t)
        t->hooks.step = see;
    return t;
}

static void end_noop(struct kl_rpc_tracer *tracer, const kl_tx_result *result)
{
    (void)result;
    kl_json_put_object(tracer->call->out);
    kl_json_put_object_end(tracer->call->out);
}

const kl_rpc_tracer_kind kl_tracer_noop = {
    .name = "noopTracer", .make = make_noop, .end = end_noop};
