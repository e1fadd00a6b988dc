/* Programs.  Whatever the code does, gas never rises within a frame, depth and stack stay within
 * their limits, a halt but NONE leaves the world as it was, and a watched run ends as an unwatched
 * one does.
 *
 * Input: fork, options, gas (2 bytes), then the code of a contract; half of it is its neighbour's
 * with SPLIT, calldata with DATA.  ASSISTED code is a row of instructions before each of which as
 * many words are pushed as it takes, so that few of them end in an empty stack: a word is made of
 * the byte behind the instruction. */
#define MOCK_ACCOUNTS 256
#define MOCK_SLOTS    1024

#include "base/fuzz.h"
#include "evm/gas.h"
#include "evm/mock_host_priv.h"
#include "evm/opcode.h"

enum { ASSISTED = 1, SPLIT = 2, DATA = 4, CREATE = 8, STATIC = 16, FAIL = 32 };
enum { CODE_MAX = 4096, FRAMES_MAX = KL_EVM_DEPTH_MAX + 1 };

static const kl_address here = {{0xc0, [19] = 0x01}};
static const kl_address neighbour = {{0xc0, [19] = 0x02}};
static const kl_address sender = {{0x5e, [19] = 0x03}};

static const u8 takes[256] = {
#define KL_OPCODE_X(byte, name, in, out, fork, gas) [byte] = (in),
#include "evm/opcodes.def"
#undef KL_OPCODE_X
};

struct program {
    kl_fork fork;
    u8 options;
    u64 gas;
    kl_span code, other, data;
};

struct code {
    u8 b[CODE_MAX];
    usize len;
};

static void put(struct code *c, u8 byte)
{
    if (c->len < sizeof c->b)
        c->b[c->len++] = byte;
}

/* Small numbers, offsets, addresses, and the extremes. */
static void push(struct code *c, u8 what)
{
    static const kl_address *const accounts[] = {&here, &neighbour, &sender};
    if (what < 0xc0) {
        put(c, KL_OP_PUSH1);
        put(c, what < 0x80 ? what : (u8)((what & 0x3f) * 32 % 256));
    } else if (what < 0xe0) {
        put(c, KL_OP_PUSH20);
        for (usize i = 0; i < 20; i++)
            put(c, what < 0xd8 ? accounts[what % 3]->b[i] : i == 19 ? what - 0xd7 : 0);
    } else if (what < 0xf0) {
        put(c, KL_OP_PUSH1);
        put(c, what & 15);
        put(c, KL_OP_NOT);
    } else {
        put(c, what % 2 ? KL_OP_GAS : KL_OP_CALLER);
    }
}

static kl_span assist(struct code *c, kl_span in)
{
    for (usize i = 0; i < in.len; i++) {
        u8 op = in.p[i];
        bool is_copy = op >= KL_OP_PUSH1 && op <= KL_OP_SWAP16;
        for (unsigned k = is_copy ? 0 : takes[op]; k > 0; k--) {
            i++;
            push(c, i < in.len ? in.p[i] : 0);
        }
        put(c, op);
    }
    return kl_span_of(c->b, c->len);
}

static struct program parse(kl_span in, struct code code[2])
{
    struct program p = {.fork = (kl_fork)(in.p[0] % KL_FORK_COUNT), .options = in.p[1]};
    p.gas = (u64)kl_load_be16(in.p + 2) * 4;
    kl_span rest = kl_span_sub(in, 4, CODE_MAX);
    usize half = p.options & (SPLIT | DATA) ? rest.len / 2 : rest.len;
    kl_span behind = kl_span_sub(rest, half, SIZE_MAX);
    p.code = kl_span_sub(rest, 0, half);
    if (p.options & SPLIT)
        p.other = behind;
    if (p.options & DATA)
        p.data = behind;
    if (p.options & ASSISTED) {
        p.code = assist(&code[0], p.code);
        p.other = assist(&code[1], p.other);
    }
    return p;
}

/* A tracer that holds what it sees against the limits. */
struct watcher {
    struct kl_tracer tracer;
    u64 gas[FRAMES_MAX + 2]; /* the last seen at each depth */
    unsigned depth;
    u64 steps;
};

static void on_step(struct kl_tracer *tracer, const kl_trace_step *step)
{
    struct watcher *w = (struct watcher *)(void *)tracer;
    KL_ASSERT(step->depth == w->depth && step->depth <= FRAMES_MAX);
    KL_ASSERT(step->stack_len <= 1024 && step->gas <= w->gas[step->depth]);
    KL_ASSERT(step->memory.len % 32 == 0);
    w->gas[step->depth] = step->gas;
    w->steps++;
}

static void on_enter(struct kl_tracer *tracer, const kl_trace_call *call)
{
    struct watcher *w = (struct watcher *)(void *)tracer;
    if (call->kind == KL_SELFDESTRUCT)
        return;
    KL_ASSERT(call->depth == w->depth + 1 && call->depth <= FRAMES_MAX + 1); /* too deep is told */
    w->depth = call->depth;
    w->gas[w->depth] = call->gas;
}

static void on_leave(struct kl_tracer *tracer, const kl_trace_call *call, const kl_trace_end *end)
{
    struct watcher *w = (struct watcher *)(void *)tracer;
    if (call->kind == KL_SELFDESTRUCT)
        return;
    KL_ASSERT(call->depth == w->depth && end->gas_used <= call->gas);
    w->depth--;
}

struct outcome {
    kl_status status;
    kl_evm_result result;
    kl_hash output, world;
};

static struct outcome run(struct kl_evm *evm, const struct program *p, struct kl_tracer *tracer)
{
    struct mock_host mock;
    mock_init(&mock, p->fork);
    mock_account *self = mock_put(&mock, &here, kl_u256_of(1000), p->code);
    mock_put(&mock, &neighbour, kl_u256_of(5), p->other);
    mock_put(&mock, &sender, kl_u256_of(1000000), KL_SPAN_NONE);
    mock_put_slot(&mock, self, kl_u256_of(1), kl_u256_of(7));
    mock.fail_after = p->options & FAIL ? 1 + (u32)p->gas % 16 : 0;
    const kl_evm_block block = {
        .fork = p->fork,
        .chain_id = 1337,
        .number = 300,
        .timestamp = 1700000000,
        .gas_limit = 30000000,
        .coinbase = {{0xcb}},
        .difficulty = {{1, 2, 3, 4}},
        .base_fee = kl_u256_of(7),
        .blob_base_fee = kl_u256_of(3),
    };
    kl_hash blob = {{1}};
    const kl_evm_tx tx = {sender, kl_u256_of(10), &blob, 1};
    kl_address made = {{0xaa}};
    bool create = p->options & CREATE;
    const kl_evm_message message = {
        .create = create,
        .is_static = !create && (p->options & STATIC) && p->fork >= KL_BYZANTIUM,
        .caller = sender,
        .to = create ? made : here,
        .value = kl_u256_of(p->options & STATIC ? 0 : 3),
        .input = create ? p->code : p->data,
        .gas = p->gas,
    };
    u32 changes = mock_op_snapshot(&mock.host);
    struct outcome o = {.status =
                            kl_evm_run(evm, &mock.host, &block, &tx, &message, tracer, &o.result)};
    o.world = mock_digest(&mock);
    if (o.status == KL_OK) {
        KL_ASSERT(o.result.halt < KL_HALT_COUNT && o.result.gas_left <= p->gas);
        if (o.result.halt != KL_HALT_NONE) /* at most, whom `here` delegates to is warm */
            KL_ASSERT(mock_op_snapshot(&mock.host) <= changes + self->code->delegates &&
                      o.result.refund == 0);
        if (o.result.halt != KL_HALT_NONE && o.result.halt != KL_HALT_REVERT)
            KL_ASSERT(o.result.gas_left == 0 && o.result.output.len == 0);
        o.output = kl_keccak256(o.result.output);
    }
    mock_done(&mock);
    return o;
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    static struct kl_evm *evm;
    static struct code code[2];
    if (len < 4)
        return 0;
    if (!evm)
        KL_ASSERT(kl_evm_new(&evm, &(kl_evm_config){.memory_limit = 1 << 26}) == KL_OK);
    code[0].len = code[1].len = 0;
    struct program p = parse(kl_span_of(bytes, len), code);
    struct watcher watcher = {.tracer = {.step = on_step, .enter = on_enter, .leave = on_leave}};
    struct outcome plain = run(evm, &p, NULL), traced = run(evm, &p, &watcher.tracer);
    KL_ASSERT(plain.status == traced.status);
    if (plain.status != KL_OK)
        return 0;
    KL_ASSERT(watcher.depth == 0);
    KL_ASSERT(plain.result.halt == traced.result.halt);
    KL_ASSERT(plain.result.gas_left == traced.result.gas_left);
    KL_ASSERT(plain.result.refund == traced.result.refund);
    KL_ASSERT(kl_hash_eq(&plain.output, &traced.output));
    KL_ASSERT(kl_hash_eq(&plain.world, &traced.world));
    return 0;
}
