/* fuzz_gas: where gas just suffices.  A case runs once with ample gas, watched.
 *
 * Of an instruction of the outermost code the limit that just reaches it is known at once: lower by
 * what was left behind it.  Further down it is not: a call passes on all but a 64th [EIP-150], or
 * what its stack says, with a stipend or without, and what ran before may have taken whatever it
 * got.  There the limit is searched: it is the one with which the instruction runs, while with one
 * less it does not. */
#include "cli/fuzz_gen.h"
#include "evm/opcode.h"
#include "types/intrinsic.h"

enum { STEPS_MAX = 4096, STOPS = 3, DEEP_STOPS = 2, TRIES_MAX = 40 };
enum { SSTORE_LEAST = 2301 }; /* what SSTORE asks for, whatever it takes [EIP-2200] */

/* An instruction of a run: the place among all, and what it has. */
struct spot {
    u64 place, pc;
    u8 op;
    unsigned depth;
    u64 left; /* gas behind it */
};

struct watch {
    struct kl_tracer tracer;
    kl_fuzz_reach *reach; /* or NULL */
    bool sentry;
    u64 places;
    struct spot *at; /* [STEPS_MAX] instructions that can be paid; or NULL */
    usize count, deep;
    const struct spot *sought; /* or NULL */
    bool met;
    u64 left; /* behind the one that is sought, if met */
};

/* What is left behind an instruction; false: it cannot be paid. */
static bool left_behind(const struct watch *w, const kl_trace_step *s, u64 *left)
{
    u64 need = s->gas_cost;
    if (s->op == KL_OP_SSTORE && w->sentry)
        need = KL_MAX(need, (u64)SSTORE_LEAST);
    if (s->gas < need)
        return false;
    *left = s->gas - need;
    return true;
}

static void step(struct kl_tracer *tracer, const kl_trace_step *s)
{
    struct watch *w = (struct watch *)tracer;
    u64 left, place = w->places++;
    if (w->reach)
        w->reach->op[s->op]++;
    if (!left_behind(w, s, &left))
        return;
    if (w->at && w->count < STEPS_MAX) {
        w->at[w->count++] = (struct spot){place, s->pc, s->op, s->depth, left};
        w->deep += s->depth > 1;
    }
    if (w->sought && place == w->sought->place && s->pc == w->sought->pc &&
        s->op == w->sought->op && s->depth == w->sought->depth) {
        w->met = true;
        w->left = left;
    }
}

static void leave(struct kl_tracer *tracer, KL_UNUSED const kl_trace_call *call,
                  const kl_trace_end *end)
{
    struct watch *w = (struct watch *)tracer;
    if (w->reach && (usize)end->halt < KL_COUNT_OF(w->reach->halt))
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

/* Does the instruction run with this limit, and with how much left? */
static kl_status probe(struct kl_fuzz *f, const kl_fuzz_case *c, const struct spot *sought, u64 gas,
                       bool *met, u64 *left)
{
    kl_span raw;
    kl_statecase end;
    struct watch w = {.tracer = {.step = step}, .sentry = c->fork >= KL_ISTANBUL, .sought = sought};
    KL_TRY(kl_fuzz_case_run(f->bench, c, gas, f->arena, &w.tracer, &raw, &end));
    *met = w.met;
    *left = w.left;
    return KL_OK;
}

/* Seeks the limit with which an instruction can just be paid: it is above `low` and at most `high`.
 * A limit lower by what is left never takes more than that from an inner frame, so that steps of
 * that size come near from above, 64 times nearer each for each level of depth; where they do not,
 * halving goes on. */
static kl_status seek(struct kl_fuzz *f, kl_fuzz_case *c, const struct spot *sought, u64 least)
{
    u64 low = least - 1, high = c->gas[0], left = sought->left, before = UINT64_MAX;
    for (usize i = 0; i < TRIES_MAX && high - low > 1; i++) {
        bool near = left < before / 4, met;
        u64 step_down = KL_MAX(left, (u64)1);
        u64 gas = near && step_down < high - low ? high - step_down : low + (high - low) / 2;
        u64 there;
        before = near ? left : before;
        KL_TRY(probe(f, c, sought, gas, &met, &there));
        if (met) {
            high = gas;
            left = there;
        } else {
            low = gas;
            before = 0; /* no way from above: halve */
        }
    }
    if (high - low == 1)
        add_edge(c, high, least);
    return KL_OK;
}

/* Thresholds of instructions in inner frames, some of those watched. */
static kl_status add_deep(struct kl_fuzz *f, kl_fuzz_case *c, const struct watch *w, u64 least)
{
    for (usize i = 0; w->deep > 0 && i < DEEP_STOPS; i++) {
        usize wanted = kl_fuzz_below(f, w->deep);
        for (usize j = 0; j < w->count; j++)
            if (w->at[j].depth > 1 && wanted-- == 0)
                KL_TRY(seek(f, c, &w->at[j], least));
    }
    return KL_OK;
}

static void add_outermost(struct kl_fuzz *f, kl_fuzz_case *c, const struct watch *w, u64 least)
{
    for (usize i = 0; w->count > w->deep && i < STOPS; i++) {
        usize wanted = kl_fuzz_below(f, w->count - w->deep);
        for (usize j = 0; j < w->count; j++)
            if (w->at[j].depth == 1 && wanted-- == 0)
                add_edge(c, c->gas[0] - w->at[j].left, least);
    }
}

kl_status kl_fuzz_gas(struct kl_fuzz *f, kl_fuzz_case *c, kl_fuzz_reach *reach)
{
    kl_span raw;
    kl_statecase end;
    struct watch w = {
        .tracer = {.step = step, .leave = leave}, .reach = reach, .sentry = c->fork >= KL_ISTANBUL};
    w.at = KL_TAKE(f->arena, struct spot, STEPS_MAX);
    if (!w.at)
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
    add_outermost(f, c, &w, least);
    return add_deep(f, c, &w, least);
}
