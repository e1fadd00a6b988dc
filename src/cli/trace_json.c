/* trace_json: geth writes a step once it knows that there is gas and stack for it; a failure before
 * that is part of the step's only line, a failure while it runs is a second line.  So each step is
 * held back until the next event. */
#include "cli/trace_json.h"

#include "codec/hex.h"
#include "codec/json.h"
#include "evm/evm.h"

#define LINE_MAX_BYTES ((usize)64 << 20)

static struct kl_trace_json *of(struct kl_tracer *tracer)
{
    return (struct kl_trace_json *)tracer;
}

static void flush(struct kl_trace_json *trace)
{
    fwrite(trace->line.p, 1, trace->line.len, trace->out);
    kl_buf_clear(&trace->line);
}

static void put_stack(struct kl_json_out *out, const kl_trace_step *step, bool none)
{
    kl_json_put_key(out, "stack");
    if (none) {
        kl_json_put_null(out);
        return;
    }
    kl_json_put_array(out);
    for (usize i = 0; i < step->stack_len; i++)
        kl_json_put_quantity_u256(out, step->stack[i]);
    kl_json_put_array_end(out);
}

static void put_bytes(struct kl_json_out *out, const char *name, kl_span bytes)
{
    if (bytes.len == 0)
        return;
    kl_json_add_data(out, name, bytes);
}

/* '<' and '>' are escaped, as geth's writer does. */
static void put_error(struct kl_json_out *out, const char *text)
{
    char escaped[2 + 6 * KL_HALT_DETAIL_MAX], *to = escaped;
    *to++ = '"';
    for (const char *c = text; *c; c++) {
        bool plain = *c != '<' && *c != '>';
        to += snprintf(to, 7, plain ? "%c" : "\\u%04x", *c);
    }
    *to++ = '"';
    kl_json_put_key(out, "error");
    kl_json_put_raw(out, kl_span_of(escaped, (usize)(to - escaped)));
}

static void put_name(struct kl_json_out *out, u8 op)
{
    char name[KL_OP_TEXT_MAX];
    kl_op_text(name, op);
    kl_json_add_text(out, "opName", name);
}

static void put_step(struct kl_trace_json *trace, const kl_trace_step *step, const char *error)
{
    struct kl_json_out out = kl_json_out_to(&trace->line);
    kl_json_put_object(&out);
    kl_json_add_number(&out, "pc", step->pc);
    kl_json_add_number(&out, "op", step->op);
    kl_json_add_quantity(&out, "gas", step->gas);
    kl_json_add_quantity(&out, "gasCost", step->gas_cost);
    put_bytes(&out, "memory", trace->options.memory ? step->memory : KL_SPAN_NONE);
    kl_json_add_number(&out, "memSize", step->memory.len);
    put_stack(&out, step, trace->options.no_stack);
    put_bytes(&out, "returnData", trace->options.return_data ? step->return_data : KL_SPAN_NONE);
    kl_json_add_number(&out, "depth", step->depth);
    kl_json_add_number(&out, "refund", (u64)KL_MAX(step->refund, 0));
    put_name(&out, step->op);
    if (error)
        put_error(&out, error);
    kl_json_put_object_end(&out);
    kl_buf_str(&trace->line, "\n");
}

static void on_step(struct kl_tracer *tracer, const kl_trace_step *step)
{
    flush(of(tracer));
    put_step(of(tracer), step, NULL);
}

static void on_fault(struct kl_tracer *tracer, const kl_trace_step *step, int halt)
{
    struct kl_trace_json *trace = of(tracer);
    kl_halt_detail(trace->error, halt, step);
    if (kl_halt_comes_first(halt))
        kl_buf_clear(&trace->line);
    else
        flush(trace);
    put_step(trace, step, trace->error);
    flush(trace);
}

/* A string of hex digits without "0x". */
static void put_digits(struct kl_trace_json *trace, struct kl_json_out *out, kl_span bytes)
{
    kl_buf_clear(&trace->text);
    u8 *room = kl_buf_extend(&trace->text, bytes.len * 2 + 2);
    if (!room)
        return;
    room[0] = room[bytes.len * 2 + 1] = '"';
    kl_hex_digits((char *)room + 1, bytes);
    kl_json_put_raw(out, kl_buf_view(&trace->text));
}

/* A frame's beginning; its input is part of all memory. */
static void on_enter(struct kl_tracer *tracer, const kl_trace_call *call)
{
    static const char *const types[] = {
        [KL_CALL] = "CALL",
        [KL_CALLCODE] = "CALLCODE",
        [KL_DELEGATECALL] = "DELEGATECALL",
        [KL_STATICCALL] = "STATICCALL",
        [KL_CREATE] = "CREATE",
        [KL_CREATE2] = "CREATE2",
        [KL_SELFDESTRUCT] = "SELFDESTRUCT",
    };
    struct kl_trace_json *trace = of(tracer);
    flush(trace);
    struct kl_json_out out = kl_json_out_to(&trace->line);
    kl_json_put_object(&out);
    kl_json_add_data(&out, "from", kl_address_span(&call->from));
    kl_json_add_data(&out, "to", kl_address_span(&call->code_address));
    put_bytes(&out, "input", trace->options.memory ? call->input : KL_SPAN_NONE);
    kl_json_add_quantity(&out, "gas", call->gas);
    if (call->kind == KL_STATICCALL)
        kl_json_add_null(&out, "value");
    else
        kl_json_add_quantity_u256(&out, "value", call->value);
    kl_json_add_text(&out, "type", types[call->kind]);
    kl_json_put_object_end(&out);
    kl_buf_str(&trace->line, "\n");
    flush(trace);
}

static void on_leave(struct kl_tracer *tracer, KL_UNUSED const kl_trace_call *call,
                     const kl_trace_end *end)
{
    struct kl_trace_json *trace = of(tracer);
    flush(trace);
    struct kl_json_out out = kl_json_out_to(&trace->line);
    kl_json_put_object(&out);
    kl_json_put_key(&out, "output");
    put_digits(trace, &out, end->output);
    kl_json_add_quantity(&out, "gasUsed", end->gas_used);
    if (end->halt != KL_HALT_NONE)
        put_error(&out, trace->error[0] ? trace->error : kl_halt_text((kl_halt)end->halt));
    trace->error[0] = '\0';
    kl_json_put_object_end(&out);
    kl_buf_str(&trace->line, "\n");
    flush(trace);
}

void kl_trace_json_init(struct kl_trace_json *trace, FILE *out, kl_trace_json_options options)
{
    *trace = (struct kl_trace_json){.tracer = {.step = on_step,
                                               .fault = on_fault,
                                               .enter = options.frames ? on_enter : NULL,
                                               .leave = on_leave,
                                               .want_memory = true},
                                    .options = options,
                                    .out = out};
    kl_buf_init(&trace->line, LINE_MAX_BYTES);
    kl_buf_init(&trace->text, LINE_MAX_BYTES);
}

void kl_trace_json_done(struct kl_trace_json *trace)
{
    flush(trace);
    kl_buf_done(&trace->line);
    kl_buf_done(&trace->text);
}
