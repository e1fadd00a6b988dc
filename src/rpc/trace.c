#include "rpc/trace_priv.h"

#include <stddef.h>
#include <stdio.h>

#include "codec/hex.h"
#include "evm/opcode.h"

#define LOOK_EVERY 1024u /* events between two looks at the clock */

static const kl_rpc_tracer_kind *const kinds[] = {
    &kl_tracer_struct, &kl_tracer_call, &kl_tracer_four_byte, &kl_tracer_noop, &kl_tracer_prestate,
};

static const struct {
    const char *name;
    u64 ns;
} units[] = {
    {"ns", 1},          {"us", 1000},        {"ms", 1000000},
    {"s", 1000000000u}, {"m", 60000000000u}, {"h", 3600000000000u},
};

/* One number with its unit: "1.5s". */
static bool duration_part(kl_span *text, u64 *ns)
{
    u64 whole = 0, part = 0, scale = 1;
    usize at = 0, digits = 0;
    for (; at < text->len && text->p[at] >= '0' && text->p[at] <= '9'; at++, digits++)
        whole = kl_add_sat_u64(kl_mul_sat_u64(whole, 10), (u64)(text->p[at] - '0'));
    if (at < text->len && text->p[at] == '.')
        for (at++; at < text->len && text->p[at] >= '0' && text->p[at] <= '9'; at++, digits++)
            if (scale < 1000000000) {
                part = part * 10 + (u64)(text->p[at] - '0');
                scale *= 10;
            }
    usize start = at;
    while (at < text->len && text->p[at] >= 'a' && text->p[at] <= 'z')
        at++;
    kl_span unit = kl_span_sub(*text, start, at - start);
    *text = kl_span_sub(*text, at, text->len - at);
    for (usize i = 0; digits && i < KL_COUNT_OF(units); i++)
        if (kl_span_eq(unit, kl_span_str(units[i].name))) {
            u64 add = kl_add_sat_u64(kl_mul_sat_u64(whole, units[i].ns),
                                     (u64)((u128)part * units[i].ns / scale));
            *ns = kl_add_sat_u64(*ns, add);
            return true;
        }
    return false;
}

/* A time as Go writes it: "5s", "1m30s", "300ms". */
static bool duration(struct kl_rpc_call *call, kl_arg arg, u64 *out)
{
    kl_span text, rest;
    u64 ns = 0;
    if (!kl_arg_text(call, arg, &text))
        return false;
    rest = text;
    bool good = rest.len > 0;
    while (good && rest.len)
        good = duration_part(&rest, &ns);
    if (!good)
        return kl_arg_fail(call, arg, "invalid duration \"%.*s\"", (int)KL_MIN(text.len, 40u),
                           (const char *)text.p);
    *out = KL_MAX(ns, 1u);
    return true;
}

bool kl_arg_trace(struct kl_rpc_call *call, kl_arg options, kl_trace_plan *out)
{
    kl_arg tracer = kl_arg_member(call, options, "tracer");
    kl_arg timeout = kl_arg_member(call, options, "timeout");
    kl_trace_plan plan = {.kind = &kl_tracer_struct, .options = options};
    kl_span name;
    if (kl_arg_there(options) && !kl_arg_object(call, options))
        return false;
    if (kl_arg_there(timeout) && !duration(call, timeout, &plan.timeout_ns))
        return false;
    if (kl_arg_there(tracer)) {
        if (!kl_arg_text(call, tracer, &name))
            return false;
        plan.options = kl_arg_member(call, options, "tracerConfig");
        plan.kind = NULL;
        for (usize i = 0; i < KL_COUNT_OF(kinds); i++)
            if (kinds[i]->name && kl_span_eq(name, kl_span_str(kinds[i]->name)))
                plan.kind = kinds[i];
        if (!plan.kind)
            return kl_arg_fail(call, tracer, "there is no tracer of this name: %.*s",
                               (int)KL_MIN(name.len, 40u), (const char *)name.p);
        if (kl_arg_there(plan.options) && !kl_arg_object(call, plan.options))
            return false;
    }
    *out = plan;
    return true;
}

bool kl_arg_trace_flag(struct kl_rpc_call *call, kl_arg options, const char *name, bool *out)
{
    kl_arg arg = kl_arg_member(call, options, name);
    return !kl_arg_there(arg) || kl_arg_bool(call, arg, out);
}

void *kl_rpc_tracer_take(struct kl_rpc_call *call, usize size)
{
    void *tracer = kl_arena_zero(call->arena, size, _Alignof(max_align_t));
    return kl_rpc_ok(call, tracer ? KL_OK : KL_NOMEM) ? tracer : NULL;
}

/* For a tracer that does not look at instructions, but has a time to keep. */
static void look_at_clock(struct kl_tracer *hooks, const kl_trace_step *step)
{
    (void)step;
    (void)kl_rpc_tracer_goes_on((struct kl_rpc_tracer *)(void *)hooks);
}

struct kl_rpc_tracer *kl_rpc_tracer_make(const kl_trace_plan *plan, struct kl_rpc_call *call)
{
    struct kl_rpc_tracer *tracer = plan->kind->make(call, plan->options);
    if (!tracer)
        return NULL;
    tracer->kind = plan->kind;
    tracer->call = call;
    if (!plan->timeout_ns)
        return tracer;
    if (!tracer->hooks.step)
        tracer->hooks.step = look_at_clock;
    tracer->end_ns = kl_add_sat_u64(kl_mono_ns(call->config->clock), plan->timeout_ns);
    return tracer;
}

void kl_rpc_tracer_begin(struct kl_rpc_tracer *tracer, struct kl_exec *exec,
                         const kl_trace_where *where)
{
    tracer->exec = exec;
    tracer->where = *where;
    if (tracer->kind->begin)
        tracer->kind->begin(tracer);
}

bool kl_rpc_tracer_end(struct kl_rpc_tracer *tracer, const kl_tx_result *result, kl_status status)
{
    struct kl_rpc_call *call = tracer->call;
    if (tracer->full || call->out->buf->failed)
        return kl_rpc_fail(call, KL_RPC_LIMIT, "response too large");
    if (tracer->late || status == KL_CANCELED)
        return kl_rpc_fail(call, KL_RPC_INPUT, "execution timeout");
    if (!kl_rpc_ok(call, status))
        return false;
    tracer->kind->end(tracer, result);
    return !tracer->full || kl_rpc_fail(call, KL_RPC_LIMIT, "response too large");
}

bool kl_rpc_tracer_goes_on(struct kl_rpc_tracer *tracer)
{
    if (tracer->full || tracer->late)
        return false;
    if (tracer->end_ns && tracer->quiet-- == 0) {
        tracer->quiet = LOOK_EVERY;
        tracer->late = kl_mono_ns(tracer->call->config->clock) >= tracer->end_ns;
    }
    if (tracer->call->out->buf->failed)
        tracer->full = true;
    if (!tracer->full && !tracer->late)
        return true;
    kl_exec_cancel(tracer->exec);
    return false;
}

void kl_rpc_tracer_full(struct kl_rpc_tracer *tracer)
{
    tracer->full = true;
    kl_exec_cancel(tracer->exec);
}

void kl_trace_put_key(struct kl_json_out *out, kl_span bytes)
{
    char name[2 + 2 * sizeof(kl_hash) + 1] = "0x";
    KL_ASSERT(bytes.len <= sizeof(kl_hash));
    kl_hex_digits(name + 2, bytes);
    name[2 + 2 * bytes.len] = 0;
    kl_json_put_key(out, name);
}
