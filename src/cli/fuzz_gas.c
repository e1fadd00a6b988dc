/* fuzz_gas: where gas just suffices.  The outermost code's instructions are watched once with ample
 * gas; a limit lower by what was left behind an instruction makes it the last that can be paid. */
#include "cli/fuzz_gen.h"
#include "types/intrinsic.h"

enum { STEPS_MAX = 4096, STOPS = 3 };

struct watch {
    struct kl_tracer tracer;
    kl_fuzz_reach *reach;
    u64 *left; /* gas behind each instruction of the outermost code, if it costs what it says */
    usize count;
};

static void step(struct kl_tracer *tracer, const kl_trace_step *s)
{
    struct watch *w = (struct watch *)tracer;
    w->reach->op[s->op]++;
    if (s->depth == 1 && w->count < STEPS_MAX && s->gas_cost <= s->gas)
        w->left[w->count++] = s->gas - s->gas_cost;
}

static void leave(struct kl_tracer *tracer, KL_UNUSED const kl_trace_call *call,
                  const kl_trace_end *end)
{
    struct watch *w = (struct watch *)tracer;
    if ((usize)end->halt < KL_COUNT_OF(w->reach->halt))
        w->reach->halt[end->halt]++;
}

static void add(kl_fuzz_case *c, u64 gas)
{
    for (usize i = 0; i < c->gas_count; i++)
        if (c->gas[i] == gas)
            return;
    if (c->gas_count < KL_FUZZ_GAS_MAX)
        c->gas[c->gas_count++] = gas;
}

/* A threshold, and one below. */
static void add_edge(kl_fuzz_case *c, u64 gas, u64 least)
{
    if (gas == 0 || gas < least || gas > c->gas[0])
        return;
    add(c, gas);
    add(c, gas - 1);
}

kl_status kl_fuzz_gas(struct kl_fuzz *f, kl_fuzz_case *c, kl_fuzz_reach *reach)
{
    kl_span raw;
    kl_statecase end;
    struct watch w = {.tracer = {.step = step, .leave = leave}, .reach = reach};
    w.left = KL_TAKE(f->arena, u64, STEPS_MAX);
    if (!w.left)
        return KL_NOMEM;
    u64 least = KL_MAX(kl_intrinsic_gas(&c->tx, c->fork), kl_floor_gas(&c->tx, c->fork));
    c->gas[0] = kl_add_sat_u64(c->gas[0], least);
    KL_TRY(kl_fuzz_case_run(f->bench, c, c->gas[0], f->arena, &w.tracer, &raw, &end));
    if (kl_fuzz_one_in(f, 4))
        add_edge(c, least, least);
    if (end.broken != KL_RULE_NONE)
        return KL_OK;
    if (kl_fuzz_one_in(f, 2))
        add_edge(c, end.gas_used + end.refund, least);
    for (usize i = 0; w.count > 0 && i < STOPS; i++)
        add_edge(c, c->gas[0] - w.left[kl_fuzz_below(f, w.count)], least);
    return KL_OK;
}
