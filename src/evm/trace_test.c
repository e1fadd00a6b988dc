/* What a tracer is told: the values here are what geth's tracers print for the same code. */
#include "evm/trace.h"

#include "evm/evm_test_priv.h"

struct seen_step {
    u64 pc, gas, gas_cost, memory_len, return_len;
    u8 op;
    unsigned depth;
    usize stack_len;
    kl_u256 top;
    i64 refund;
    int fault; /* how it ended, when it did not end well */
};

struct seen_call {
    kl_trace_call call;
    kl_trace_end end;
    bool left;
    usize at_step; /* how many steps there were before */
};

struct recorder {
    struct kl_tracer tracer;
    struct seen_step steps[128];
    struct seen_call calls[16];
    usize step_count, call_count, open[16], open_count, faults;
};

static struct recorder *recorder_of(struct kl_tracer *tracer)
{
    return (struct recorder *)(void *)tracer;
}

static void on_step(struct kl_tracer *tracer, const kl_trace_step *step)
{
    struct recorder *r = recorder_of(tracer);
    CHECK(r->step_count < KL_COUNT_OF(r->steps));
    r->steps[r->step_count++] = (struct seen_step){
        .pc = step->pc,
        .gas = step->gas,
        .gas_cost = step->gas_cost,
        .memory_len = step->memory.len,
        .return_len = step->return_data.len,
        .op = step->op,
        .depth = step->depth,
        .stack_len = step->stack_len,
        .top = step->stack_len ? step->stack[step->stack_len - 1] : KL_U256_ZERO,
        .refund = step->refund,
    };
}

static void on_fault(struct kl_tracer *tracer, const kl_trace_step *step, int halt)
{
    struct recorder *r = recorder_of(tracer);
    CHECK(r->step_count > 0 && r->steps[r->step_count - 1].pc == step->pc);
    r->steps[r->step_count - 1].fault = halt;
    r->faults++;
}

static void on_enter(struct kl_tracer *tracer, const kl_trace_call *call)
{
    struct recorder *r = recorder_of(tracer);
    CHECK(r->call_count < KL_COUNT_OF(r->calls));
    r->open[r->open_count++] = r->call_count;
    r->calls[r->call_count++] = (struct seen_call){.call = *call, .at_step = r->step_count};
}

static void on_leave(struct kl_tracer *tracer, const kl_trace_call *call, const kl_trace_end *end)
{
    struct recorder *r = recorder_of(tracer);
    CHECK(r->open_count > 0);
    struct seen_call *c = &r->calls[r->open[--r->open_count]];
    CHECK(kl_address_eq(&c->call.to, &call->to) && c->call.gas == call->gas && !c->left);
    c->end = *end;
    c->end.output.p = NULL; /* its bytes are gone when this is looked at */
    c->left = true;
}

static struct recorder recorder;

static void watch(struct world *w)
{
    recorder =
        (struct recorder){.tracer = {on_step, on_fault, on_enter, on_leave, .want_memory = true}};
    w->tracer = &recorder.tracer;
}

static void check_step(usize i, u64 pc, u8 op, u64 gas, u64 cost, usize stack_len, u64 memory_len)
{
    const struct seen_step *s = &recorder.steps[i];
    CHECK(i < recorder.step_count);
    CHECK_U64(s->pc, pc);
    CHECK_U64(s->op, op);
    CHECK_U64(s->gas, gas);
    CHECK_U64(s->gas_cost, cost);
    CHECK_U64(s->stack_len, stack_len);
    CHECK_U64(s->memory_len, memory_len);
}

/* Stack and memory are shown as they are before the instruction, its price with all its parts. */
KL_TEST(trace_steps)
{
    WORLD(w, KL_OSAKA);
    struct code c = {0};
    watch(w);
    w->message.gas = 100000;
    OP(&c, MSTORE, 64, 7);
    OP(&c, MLOAD, 0);
    OP(&c, SLOAD, 1);
    op(&c, KL_OP_SSTORE);
    op(&c, KL_OP_STOP);
    CHECK_HALT(run(w, &c), KL_HALT_NONE);
    u64 gas = 100000;
    check_step(0, 0, KL_OP_PUSH1, gas, 3, 0, 0);
    check_step(1, 2, KL_OP_PUSH1, gas - 3, 3, 1, 0);
    check_step(2, 4, KL_OP_MSTORE, gas - 6, 3 + 9, 2, 0);
    check_step(3, 5, KL_OP_PUSH1, gas - 18, 3, 0, 96);
    check_step(4, 7, KL_OP_MLOAD, gas - 21, 3, 1, 96);
    check_step(5, 8, KL_OP_PUSH1, gas - 24, 3, 1, 96);
    check_step(6, 10, KL_OP_SLOAD, gas - 27, 2100, 2, 96);
    check_step(7, 11, KL_OP_SSTORE, gas - 2127, 2200, 2, 96);
    check_step(8, 12, KL_OP_STOP, gas - 4327, 0, 0, 96);
    CHECK_U64(recorder.call_count, 1);
}

KL_TEST(trace_jump_shows_its_target)
{
    WORLD(w, KL_OSAKA);
    struct code c = {0};
    watch(w);
    w->message.gas = 1000;
    OP(&c, JUMP, 4);
    op(&c, 0xfe);
    op(&c, KL_OP_JUMPDEST);
    OP(&c, KECCAK256, 0, 96);
    CHECK_HALT(run(w, &c), KL_HALT_NONE);
    check_step(0, 0, KL_OP_PUSH1, 1000, 3, 0, 0);
    check_step(1, 2, KL_OP_JUMP, 997, 8, 1, 0);
    check_step(2, 4, KL_OP_JUMPDEST, 989, 1, 0, 0);
    check_step(5, 9, KL_OP_KECCAK256, 982, 30 + 18 + 9, 2, 0);
    check_step(6, 10, KL_OP_STOP, 982 - 57, 0, 1, 96);
    CHECK_U64(recorder.step_count, 7);
    CHECK_U64(recorder.faults, 0);
}

KL_TEST(trace_refund_is_the_counter_with_this_store)
{
    WORLD(w, KL_OSAKA);
    struct code c = {0};
    watch(w);
    mock_put_slot(&w->mock, w->contract, KL_U256_ONE, KL_U256_ONE);
    OP(&c, SSTORE, 1, 0);
    OP(&c, SSTORE, 1, 1);
    CHECK_HALT(run(w, &c), KL_HALT_NONE);
    CHECK_U64(recorder.steps[1].refund, 0);
    CHECK(recorder.steps[2].op == KL_OP_SSTORE && recorder.steps[2].refund == 4800);
    CHECK(recorder.steps[2].gas_cost == 2100 + 2900);
    CHECK(recorder.steps[5].op == KL_OP_SSTORE && recorder.steps[5].refund == 2800);
    CHECK_U64(recorder.steps[5].gas_cost, 100);
}

/* What authorizations gave back counts already [EIP-7702]. */
KL_TEST(trace_refund_starts_with_what_was_granted)
{
    WORLD(w, KL_PRAGUE);
    struct code c = {0};
    watch(w);
    w->tx.refund = 12500;
    op(&c, KL_OP_STOP);
    CHECK_HALT(run(w, &c), KL_HALT_NONE);
    CHECK_U64(recorder.steps[0].refund, 12500);
    CHECK_U64(w->result.refund, 0);
}

/* Every kind of fault is shown once as a step, then as a fault. */
KL_TEST(trace_faults)
{
    static const struct {
        u8 code[6];
        u8 len;
        u64 gas;
        kl_halt halt;
        u8 steps;
        u64 cost; /* of the last one */
    } cases[] = {
        {{KL_OP_ADD}, 1, 100, KL_HALT_STACK_UNDERFLOW, 1, 3},
        {{0xfe}, 1, 100, KL_HALT_BAD_OPCODE, 1, 0},
        {{KL_OP_PUSH1, 1, KL_OP_PUSH1, 1, KL_OP_ADD}, 5, 8, KL_HALT_OUT_OF_GAS, 3, 3},
        {{KL_OP_PUSH1, 9, KL_OP_JUMP}, 3, 100, KL_HALT_BAD_JUMP, 2, 8},
        {{KL_OP_PUSH1, 0, KL_OP_PUSH1, 0, KL_OP_REVERT}, 5, 100, KL_HALT_REVERT, 3, 0},
        {{KL_OP_PUSH1, 1, KL_OP_PUSH1, 64, KL_OP_MSTORE}, 5, 10, KL_HALT_OUT_OF_GAS, 3, 12},
        {{KL_OP_PUSH1, 1, KL_OP_DUP1, KL_OP_SSTORE}, 4, 2000, KL_HALT_STORE_SENTRY, 3, 0},
        {{KL_OP_EXP}, 1, 100, KL_HALT_STACK_UNDERFLOW, 1, 0},
        {{KL_OP_PUSH1, 1, KL_OP_DUP1, KL_OP_DUP1, KL_OP_RETURNDATACOPY},
         5,
         100,
         KL_HALT_RETURN_DATA_BOUNDS,
         4,
         9},
    };
    for (usize i = 0; i < KL_COUNT_OF(cases); i++) {
        WORLD(w, KL_OSAKA);
        watch(w);
        struct code c = {.len = cases[i].len};
        memcpy(c.b, cases[i].code, c.len);
        w->message.gas = cases[i].gas;
        CHECK_HALT(run(w, &c), cases[i].halt);
        CHECK_U64(recorder.step_count, cases[i].steps);
        const struct seen_step *last = &recorder.steps[recorder.step_count - 1];
        CHECK(recorder.faults == 1 && last->fault == (int)cases[i].halt);
        CHECK_U64(last->gas_cost, cases[i].cost);
        CHECK(recorder.calls[0].left && recorder.calls[0].end.halt == (int)cases[i].halt);
    }
}

/* What may not write is shown with its price, as it would have run [EIP-214]. */
KL_TEST(trace_write_protection)
{
    static const struct {
        u8 op;
        u64 cost;
    } cases[] = {{KL_OP_SSTORE, 22100},
                 {KL_OP_LOG0, 375 + 8},
                 {KL_OP_TSTORE, 100},
                 {KL_OP_CREATE, 32002},
                 {KL_OP_SELFDESTRUCT, 32600}};
    for (usize i = 0; i < KL_COUNT_OF(cases); i++) {
        WORLD(w, KL_OSAKA);
        struct code c = {0};
        watch(w);
        w->message.is_static = true;
        OP(&c, MSTORE, 0, 0);
        push(&c, 1);
        push(&c, 1);
        push(&c, 0);
        op(&c, cases[i].op);
        CHECK_HALT(run(w, &c), KL_HALT_WRITE_PROTECTION);
        const struct seen_step *last = &recorder.steps[recorder.step_count - 1];
        CHECK(last->op == cases[i].op && last->fault == KL_HALT_WRITE_PROTECTION);
        CHECK_U64(last->gas_cost, cases[i].cost);
        CHECK_U64(last->stack_len, 3);
    }
}

static void push_call(struct code *c, u8 byte, const kl_address *to, u64 value)
{
    for (unsigned i = 0; i < 4; i++)
        push(c, 0);
    if (byte == KL_OP_CALL || byte == KL_OP_CALLCODE)
        push(c, value);
    push_address(c, to);
    push(c, 5000);
    op(c, byte);
}

/* A call's step comes before the call is entered; its cost has the gas it passes, not the stipend.
 */
KL_TEST(trace_calls)
{
    WORLD(w, KL_OSAKA);
    struct code callee = {0}, c = {0};
    kl_address identity = {{[19] = 4}};
    watch(w);
    OP(&callee, RETURN, 0, 32);
    place(w, &other_address, code_span(&callee));
    push_call(&c, KL_OP_CALL, &other_address, 1);
    push_call(&c, KL_OP_DELEGATECALL, &other_address, 0);
    push_call(&c, KL_OP_STATICCALL, &identity, 0);
    push_call(&c, KL_OP_CALL, &other_address, 5000); /* more than it has */
    w->message.value = kl_u256_of(3);
    CHECK_HALT(run(w, &c), KL_HALT_NONE);

    const struct seen_call *outer = &recorder.calls[0], *call = &recorder.calls[1];
    CHECK_U64(recorder.call_count, 5);
    CHECK(outer->call.kind == KL_CALL && outer->call.depth == 1 && outer->left);
    CHECK(kl_address_eq(&outer->call.from, &sender_address) && outer->call.gas == w->message.gas);
    CHECK_U64(outer->end.gas_used, gas_used(w));

    const struct seen_step *step = &recorder.steps[call->at_step - 1];
    CHECK(step->op == KL_OP_CALL && step->depth == 1);
    CHECK_U64(step->gas_cost, 2600 + 9000 + 5000);
    CHECK(call->call.kind == KL_CALL && call->call.depth == 2 && call->call.gas == 7300);
    CHECK(kl_address_eq(&call->call.from, &contract_address) &&
          kl_address_eq(&call->call.to, &other_address) && call->call.value.w[0] == 1);
    CHECK(call->end.gas_used == 9 && call->end.output.len == 32 && call->end.halt == 0);
    CHECK(recorder.steps[call->at_step].depth == 2 && recorder.steps[call->at_step].pc == 0);
    CHECK_U64(recorder.steps[call->at_step + 3].return_len, 32);

    call = &recorder.calls[2];
    CHECK(call->call.kind == KL_DELEGATECALL && call->call.value.w[0] == 3 &&
          kl_address_eq(&call->call.to, &other_address));
    call = &recorder.calls[3];
    CHECK(call->call.kind == KL_STATICCALL && call->end.gas_used == 15 && call->end.halt == 0);
    call = &recorder.calls[4];
    CHECK(call->end.halt == KL_HALT_BALANCE && call->end.gas_used == 0 && call->left);
}

KL_TEST(trace_creation_and_selfdestruct)
{
    WORLD(w, KL_OSAKA);
    struct code c = {0};
    watch(w);
    OP(&c, CREATE, 0, 0, 0);
    push_address(&c, &third_address);
    op(&c, KL_OP_SELFDESTRUCT);
    CHECK_HALT(run(w, &c), KL_HALT_NONE);
    CHECK_U64(recorder.call_count, 3);
    CHECK(recorder.calls[1].call.kind == KL_CREATE && recorder.calls[1].call.depth == 2);
    CHECK(recorder.steps[3].op == KL_OP_CREATE && recorder.steps[3].gas_cost == 32000);
    CHECK(recorder.steps[4].depth == 1); /* empty init code runs nothing */
    const struct seen_call *end = &recorder.calls[2];
    CHECK(end->call.kind == KL_SELFDESTRUCT && end->call.depth == 2 && end->left);
    CHECK(kl_address_eq(&end->call.to, &third_address) && end->call.value.w[0] == 1000);
    CHECK(kl_address_eq(&end->call.from, &contract_address) && end->end.gas_used == 0);
}

/* A tracer that wants nothing is told nothing. */
KL_TEST(trace_hooks_are_optional)
{
    WORLD(w, KL_OSAKA);
    struct kl_tracer deaf = {0};
    struct code c = {0};
    w->tracer = &deaf;
    OP(&c, CREATE, 0, 0, 0);
    push_call(&c, KL_OP_CALL, &other_address, 1);
    op(&c, 0xfe);
    CHECK_HALT(run(w, &c), KL_HALT_BAD_OPCODE);
}
