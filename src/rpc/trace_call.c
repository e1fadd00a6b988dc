/* callTracer: the tree of calls.  Frames lie in the call's arena and are written at the end, when
 * it is known how each went; the walk over them goes by links, for the tree is up to 1,024 deep. */
#include "evm/opcode.h"
#include "rpc/revert.h"
#include "rpc/trace_priv.h"

enum { REASON_MAX = 512 };

/* A log entry and how many calls its frame had made before it. */
struct note {
    kl_log_entry entry;
    usize index, position;
    struct note *next;
};

struct frame {
    kl_trace_call call; /* input is a copy */
    int halt;
    u64 gas_used;
    kl_span output;
    const char *error; /* what the halt's own text does not say, or NULL */
    struct note *notes, **last_note;
    struct frame *parent, *first, **last, *next;
    usize calls;
};

struct call_tracer {
    struct kl_rpc_tracer base;
    bool top_only, with_logs;
    struct frame *top, *now;
    bool logs; /* the last instruction was a LOG */
    bool has_fault;
    char fault[KL_HALT_DETAIL_MAX]; /* of the frame that is about to be left */
};

static struct call_tracer *of(struct kl_tracer *hooks)
{
    return (struct call_tracer *)(void *)hooks;
}

static struct kl_arena *arena_of(struct call_tracer *t)
{
    return t->base.call->arena;
}

static bool is_shown(const struct call_tracer *t, unsigned depth)
{
    return !t->top_only || depth == 1;
}

/* Bytes that outlive the hook; NULL for none, and when there is no room, which stops the trace. */
static kl_span keep(struct call_tracer *t, kl_span bytes)
{
    kl_span copy = kl_arena_copy(arena_of(t), bytes);
    if (!copy.p && bytes.len)
        kl_rpc_tracer_full(&t->base);
    return copy;
}

/* The entry that the last instruction has added to the transaction's. */
static void take_log(struct call_tracer *t)
{
    const kl_log_entry *entries;
    usize count;
    if (!t->logs)
        return;
    t->logs = false;
    kl_journal_logs(kl_exec_journal(t->base.exec), &entries, &count);
    struct note *note = KL_ZERO(arena_of(t), struct note, 1);
    if (!note || !count) {
        kl_rpc_tracer_full(&t->base);
        return;
    }
    note->entry = entries[count - 1];
    note->index = t->base.where.log_base + count - 1;
    note->position = t->now->calls;
    *t->now->last_note = note;
    t->now->last_note = &note->next;
}

static void on_step(struct kl_tracer *hooks, const kl_trace_step *step)
{
    struct call_tracer *t = of(hooks);
    if (!kl_rpc_tracer_goes_on(&t->base))
        return;
    take_log(t);
    t->logs = step->op >= KL_OP_LOG0 && step->op <= KL_OP_LOG4 && is_shown(t, step->depth);
}

static void on_fault(struct kl_tracer *hooks, const kl_trace_step *step, int halt)
{
    struct call_tracer *t = of(hooks);
    t->logs = false;
    kl_halt_detail(t->fault, halt, step);
    t->has_fault = true;
}

static void on_enter(struct kl_tracer *hooks, const kl_trace_call *call)
{
    struct call_tracer *t = of(hooks);
    if (!kl_rpc_tracer_goes_on(&t->base) || !is_shown(t, call->depth))
        return;
    take_log(t);
    struct frame *f = KL_ZERO(arena_of(t), struct frame, 1);
    if (!f) {
        kl_rpc_tracer_full(&t->base);
        return;
    }
    f->call = *call;
    f->call.input = keep(t, call->input);
    f->last = &f->first;
    f->last_note = &f->notes;
    f->parent = t->now;
    if (t->now) {
        *t->now->last = f;
        t->now->last = &f->next;
        t->now->calls++;
    } else {
        t->top = f;
    }
    t->now = f;
}

static void on_leave(struct kl_tracer *hooks, const kl_trace_call *call, const kl_trace_end *end)
{
    struct call_tracer *t = of(hooks);
    struct frame *f = t->now;
    bool has_fault = t->has_fault;
    t->has_fault = false;
    if (!kl_rpc_tracer_goes_on(&t->base) || !is_shown(t, call->depth))
        return;
    take_log(t);
    f->halt = end->halt;
    f->gas_used = end->gas_used;
    if (end->halt == KL_HALT_NONE || end->halt == KL_HALT_REVERT)
        f->output = keep(t, end->output);
    if (has_fault)
        f->error = (const char *)keep(t, kl_span_of(t->fault, strlen(t->fault) + 1)).p;
    t->now = f->parent;
}

static const char *type_of(const struct frame *f)
{
    static const char *const names[] = {
        [KL_CALL] = "CALL",
        [KL_CALLCODE] = "CALLCODE",
        [KL_DELEGATECALL] = "DELEGATECALL",
        [KL_STATICCALL] = "STATICCALL",
        [KL_CREATE] = "CREATE",
        [KL_CREATE2] = "CREATE2",
        [KL_SELFDESTRUCT] = "SELFDESTRUCT",
    };
    return names[f->call.kind];
}

static void put_end(struct kl_json_out *out, const struct frame *f)
{
    char reason[REASON_MAX];
    if (f->output.len) {
        kl_json_add_data(out, "output", f->output);
    }
    if (f->halt == KL_HALT_NONE)
        return;
    kl_json_add_text(out, "error", f->error ? f->error : kl_halt_text((kl_halt)f->halt));
    if (f->halt == KL_HALT_REVERT && kl_revert_reason(reason, sizeof reason, f->output)) {
        kl_json_add_text(out, "revertReason", reason);
    }
}

static void put_logs(struct kl_json_out *out, const struct frame *f)
{
    kl_json_put_key(out, "logs");
    kl_json_put_array(out);
    for (const struct note *n = f->notes; n; n = n->next) {
        kl_json_put_object(out);
        kl_json_add_address(out, "address", &n->entry.address);
        kl_json_put_key(out, "topics");
        kl_json_put_array(out);
        for (usize i = 0; i < n->entry.topic_count; i++)
            kl_json_put_hash(out, &n->entry.topics[i]);
        kl_json_put_array_end(out);
        kl_json_add_data(out, "data", n->entry.data);
        kl_json_add_quantity(out, "index", n->index);
        kl_json_add_quantity(out, "position", n->position);
        kl_json_put_object_end(out);
    }
    kl_json_put_array_end(out);
}

/* A frame's own members; the object stays open.  A writer's nesting is bounded, a tree's is not, so
 * each frame has a writer of its own. */
static void put_frame(struct call_tracer *t, const struct frame *f, bool failed)
{
    struct kl_json_out out = kl_json_out_to(t->base.call->out->buf);
    const kl_trace_call *call = &f->call;
    bool creates = call->kind == KL_CREATE || call->kind == KL_CREATE2;
    kl_json_put_object(&out);
    kl_json_add_address(&out, "from", &call->from);
    kl_json_add_quantity(&out, "gas", call->gas);
    kl_json_add_quantity(&out, "gasUsed", f->gas_used);
    if (!creates || f->halt == KL_HALT_NONE) {
        kl_json_add_address(&out, "to", &call->to);
    }
    kl_json_add_data(&out, "input", call->input);
    put_end(&out, f);
    if (call->kind != KL_STATICCALL) {
        kl_json_add_quantity_u256(&out, "value", call->value);
    }
    kl_json_add_text(&out, "type", type_of(f));
    if (f->notes && !failed)
        put_logs(&out, f);
    if (f->first)
        kl_json_put_key(&out, "calls");
}

/* Entries of a frame that failed, or that lies in one, were never emitted. */
static void put_tree(struct call_tracer *t)
{
    struct kl_buf *buf = t->base.call->out->buf;
    usize failed = 0; /* how many of the open frames have failed */
    const struct frame *f = t->top;
    while (f && !buf->failed) {
        failed += f->halt != KL_HALT_NONE;
        put_frame(t, f, failed > 0);
        if (f->first) {
            kl_buf_str(buf, "[");
            f = f->first;
            continue;
        }
        failed -= f->halt != KL_HALT_NONE;
        kl_buf_str(buf, "}");
        for (; f->parent && !f->next; f = f->parent) {
            failed -= f->parent->halt != KL_HALT_NONE;
            kl_buf_str(buf, "]}");
        }
        if (f->next)
            kl_buf_str(buf, ",");
        f = f->next;
    }
}

static struct kl_rpc_tracer *make(struct kl_rpc_call *call, kl_arg options)
{
    struct call_tracer *t = kl_rpc_tracer_take(call, sizeof *t);
    if (!t || !kl_arg_trace_flag(call, options, "onlyTopCall", &t->top_only) ||
        !kl_arg_trace_flag(call, options, "withLog", &t->with_logs))
        return NULL;
    t->base.hooks = (struct kl_tracer){.step = t->with_logs ? on_step : NULL,
                                       .fault = on_fault,
                                       .enter = on_enter,
                                       .leave = on_leave};
    return &t->base;
}

/* The outermost call is told as the transaction: all the gas it names and all that it pays for. */
static void end(struct kl_rpc_tracer *tracer, const kl_tx_result *result)
{
    struct call_tracer *t = of(&tracer->hooks);
    if (!t->top) {
        kl_json_put_null(tracer->call->out);
        return;
    }
    t->top->call.gas = tracer->where.tx->gas_limit;
    t->top->gas_used = result->gas_used;
    kl_json_put_raw(tracer->call->out, KL_SPAN_NONE); /* the place of a value */
    put_tree(t);
}

const kl_rpc_tracer_kind kl_tracer_call = {.name = "callTracer", .make = make, .end = end};
