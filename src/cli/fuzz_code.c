/* fuzz_code: bytecode from snippets.  Each snippet brings its own operands, so that most of what is
 * generated runs, and knows how many words it leaves; what lies on the stack at the end goes into
 * storage, logs or the output, where a difference shows.  Data (init code, inputs) stands behind
 * the code and is fetched with CODECOPY, whose offsets are filled in last. */
#include "cli/fuzz_gen.h"
#include "evm/gas.h"
#include "evm/opcode.h"

enum { CODE_MAX = 1 << 16, FIX_MAX = 32, NEST_MAX = 2, DEPTH_KEPT = 24 };

struct code {
    struct kl_fuzz *f;
    kl_gas_table gas;
    struct kl_buf text, data;
    struct {
        usize at, offset;
    } fix[FIX_MAX];
    usize fixes;
    usize depth; /* words on the stack */
    unsigned nest;
};

static kl_status make(struct kl_fuzz *f, usize size, bool init, unsigned nest, kl_span *out);

static void op(struct code *c, u8 byte)
{
    kl_buf_bytes(&c->text, &byte, 1);
}

static bool has(const struct code *c, u8 byte)
{
    return c->gas.base[byte] != KL_GAS_UNDEFINED;
}

static void push(struct code *c, kl_u256 v)
{
    u8 bytes[32];
    unsigned len = kl_u256_bytes(v);
    kl_u256_to_be(bytes, v);
    if (len == 0 && has(c, 0x5f) && !kl_fuzz_one_in(c->f, 4)) {
        op(c, 0x5f);
    } else {
        len = len ? len : 1;
        op(c, (u8)(0x5f + len));
        kl_buf_bytes(&c->text, bytes + 32 - len, len);
    }
    c->depth++;
}

static void push_u64(struct code *c, u64 v)
{
    push(c, kl_u256_of(v));
}

static void push_place(struct code *c)
{
    push(c, kl_u256_from_address(kl_fuzz_place(c->f)));
}

/* An offset or a size in memory: mostly small, at times at an edge or beyond all gas. */
static void push_extent(struct code *c, u64 most)
{
    struct kl_fuzz *f = c->f;
    static const u64 edge[] = {31, 32, 33, 63, 64, 1023, 1024, 4096, 8160, 65535};
    if (kl_fuzz_one_in(f, 250))
        push(c, kl_fuzz_word(f));
    else if (kl_fuzz_one_in(f, 16))
        push_u64(c, edge[kl_fuzz_below(f, KL_COUNT_OF(edge))]);
    else
        push_u64(c, kl_fuzz_below(f, most));
}

/* One byte of code that takes `in` words and gives `out`. */
static void act(struct code *c, u8 byte, usize in, usize out)
{
    op(c, byte);
    c->depth -= KL_MIN(c->depth, in);
    c->depth += out;
}

static void drop_to(struct code *c, usize depth)
{
    while (c->depth > depth)
        act(c, KL_OP_POP, 1, 0);
    while (c->depth < depth)
        push_u64(c, 0);
}

/* The data's bytes into memory at `to`; false when there is no room for more. */
static bool copy_data(struct code *c, kl_span bytes, u64 to)
{
    if (c->fixes == FIX_MAX || c->data.len + bytes.len > CODE_MAX / 4)
        return false;
    push_u64(c, bytes.len);
    op(c, KL_OP_PUSH2);
    c->fix[c->fixes].at = c->text.len;
    c->fix[c->fixes++].offset = c->data.len;
    kl_buf_bytes(&c->text, "\0\0", 2);
    c->depth++;
    push_u64(c, to);
    act(c, KL_OP_CODECOPY, 3, 0);
    kl_buf_span(&c->data, bytes);
    return true;
}

static void keep_result(struct code *c)
{
    struct kl_fuzz *f = c->f;
    switch (kl_fuzz_below(f, 6)) {
    case 0:
    case 1:
    case 2: /* stays on the stack */
        break;
    case 3:
        push_u64(c, kl_fuzz_below(f, 4));
        act(c, KL_OP_SSTORE, 2, 0);
        break;
    default:
        push_u64(c, kl_fuzz_below(f, 8) * 32);
        act(c, KL_OP_MSTORE, 2, 0);
    }
}

/* The snippets. */

typedef struct shape {
    u8 byte, in, out;
} shape;

static const shape shapes[] = {
#define KL_OPCODE_X(byte, name, in, out, fork, gas) {byte, in, out},
#include "evm/opcodes.def"
#undef KL_OPCODE_X
};

/* The shape of a random instruction between two, that the fork has. */
static shape shape_in(struct code *c, u8 least, u8 most)
{
    for (;;) {
        shape s = shapes[kl_fuzz_below(c->f, KL_COUNT_OF(shapes))];
        if (s.byte >= least && s.byte <= most && has(c, s.byte))
            return s;
    }
}

static void sum(struct code *c)
{
    shape s = shape_in(c, KL_OP_ADD, 0x1f);
    usize there = kl_fuzz_one_in(c->f, 3) ? KL_MIN(c->depth, s.in) : 0;
    for (usize i = there; i < s.in; i++)
        push(c, kl_fuzz_word(c->f));
    act(c, s.byte, s.in, s.out);
    keep_result(c);
}

static void ask(struct code *c)
{
    static const u8 without[] = {0x30, 0x32, 0x33, 0x34, 0x36, 0x38, 0x3a, 0x3d, 0x41, 0x42,
                                 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x4a, 0x58, 0x59, 0x5a};
    u8 byte = without[kl_fuzz_below(c->f, KL_COUNT_OF(without))];
    if (!has(c, byte))
        return;
    act(c, byte, 0, 1);
    keep_result(c);
}

/* CALLDATALOAD, BLOCKHASH, BLOBHASH */
static void ask_by_number(struct code *c)
{
    static const u8 of[] = {0x35, 0x40, 0x49};
    u8 byte = of[kl_fuzz_below(c->f, KL_COUNT_OF(of))];
    if (!has(c, byte))
        return;
    if (byte == 0x40 && !kl_fuzz_one_in(c->f, 4)) {
        static const u64 back[] = {0, 1, 2, 255, 256, 257};
        push_u64(c, back[kl_fuzz_below(c->f, KL_COUNT_OF(back))]);
        act(c, KL_OP_NUMBER, 0, 1);
        act(c, KL_OP_SUB, 2, 1);
    } else if (kl_fuzz_one_in(c->f, 8)) {
        push(c, kl_fuzz_word(c->f));
    } else {
        push_u64(c, kl_fuzz_below(c->f, 40));
    }
    act(c, byte, 1, 1);
    keep_result(c);
}

static void ask_account(struct code *c)
{
    static const u8 of[] = {0x31, 0x3b, 0x3f};
    u8 byte = of[kl_fuzz_below(c->f, KL_COUNT_OF(of))];
    if (!has(c, byte))
        return;
    push_place(c);
    act(c, byte, 1, 1);
    keep_result(c);
}

static void copy(struct code *c)
{
    static const u8 of[] = {0x37, 0x39, 0x3c, 0x3e, 0x5e};
    struct kl_fuzz *f = c->f;
    u8 byte = of[kl_fuzz_below(f, KL_COUNT_OF(of))];
    if (!has(c, byte))
        return;
    if (byte == 0x3e) { /* RETURNDATACOPY ends the frame one byte past the end */
        if (kl_fuzz_one_in(f, 24))
            push_u64(c, kl_fuzz_below(f, 3));
        act(c, 0x3d, 0, 1);
        if (kl_fuzz_one_in(f, 24)) {
            push_u64(c, 1);
            act(c, KL_OP_ADD, 2, 1);
        }
        push_u64(c, 0);
        push_extent(c, 256);
        act(c, byte, 3, 0);
        return;
    }
    push_extent(c, 100);
    push_extent(c, 100);
    push_extent(c, 256);
    if (byte == 0x3c)
        push_place(c);
    act(c, byte, byte == 0x3c ? 4 : 3, 0);
}

static void memory(struct code *c)
{
    struct kl_fuzz *f = c->f;
    switch (kl_fuzz_below(f, 4)) {
    case 0:
        push(c, kl_fuzz_word(f));
        push_extent(c, 256);
        act(c, KL_OP_MSTORE, 2, 0);
        break;
    case 1:
        push(c, kl_fuzz_word(f));
        push_extent(c, 256);
        act(c, KL_OP_MSTORE8, 2, 0);
        break;
    case 2:
        push_extent(c, 256);
        act(c, KL_OP_MLOAD, 1, 1);
        keep_result(c);
        break;
    default:
        push_extent(c, 200);
        push_extent(c, 256);
        act(c, KL_OP_KECCAK256, 2, 1);
        keep_result(c);
    }
}

static void push_slot(struct code *c)
{
    if (kl_fuzz_one_in(c->f, 10))
        push(c, kl_fuzz_word(c->f));
    else
        push_u64(c, kl_fuzz_below(c->f, 4));
}

static void store(struct code *c)
{
    struct kl_fuzz *f = c->f;
    bool transient = has(c, 0x5c) && kl_fuzz_one_in(f, 3);
    if (kl_fuzz_one_in(f, 3)) {
        push_slot(c);
        act(c, transient ? 0x5c : KL_OP_SLOAD, 1, 1);
        keep_result(c);
        return;
    }
    /* Back and forth between few values: that is where the refunds are [EIP-3529]. */
    for (u64 i = 0, n = 1 + kl_fuzz_below(f, 3); i < n; i++) {
        if (kl_fuzz_one_in(f, 6))
            push(c, kl_fuzz_word(f));
        else
            push_u64(c, kl_fuzz_below(f, 3));
        push_u64(c, kl_fuzz_below(f, 3));
        act(c, transient ? 0x5d : KL_OP_SSTORE, 2, 0);
    }
}

static void tell(struct code *c)
{
    u8 topics = (u8)kl_fuzz_below(c->f, 5);
    for (u8 i = 0; i < topics; i++)
        push(c, kl_fuzz_word(c->f));
    push_extent(c, 80);
    push_extent(c, 256);
    act(c, (u8)(KL_OP_LOG0 + topics), 2u + topics, 0);
}

static void shuffle(struct code *c)
{
    struct kl_fuzz *f = c->f;
    for (u64 i = 0, n = kl_fuzz_below(f, kl_fuzz_one_in(f, 8) ? 18 : 5); i < n; i++)
        push(c, kl_fuzz_word(f));
    for (u64 i = 0, n = kl_fuzz_below(f, 4); i < n && c->depth >= 2; i++) {
        usize reach = 1 + kl_fuzz_below(f, KL_MIN(c->depth - 1, (usize)16));
        if (kl_fuzz_one_in(f, 2))
            act(c, (u8)(0x7f + reach), 0, 1);
        else
            op(c, (u8)(0x8f + reach));
    }
}

/* Which gas a call gets: all, or at an edge. */
static void push_call_gas(struct code *c)
{
    static const u64 edge[] = {0, 1, 2299, 2300, 2301, 2600, 3000, 9000, 21000, 100000};
    struct kl_fuzz *f = c->f;
    if (kl_fuzz_one_in(f, 20))
        push(c, kl_fuzz_word(f));
    else if (kl_fuzz_one_in(f, 5))
        push_u64(c, edge[kl_fuzz_below(f, KL_COUNT_OF(edge))]);
    else
        act(c, KL_OP_GAS, 0, 1);
}

static u8 call_kind(struct code *c)
{
    static const u8 kinds[] = {0xf1, 0xf1, 0xf2, 0xf4, 0xfa};
    for (;;) {
        u8 kind = kinds[kl_fuzz_below(c->f, KL_COUNT_OF(kinds))];
        if (has(c, kind))
            return kind;
    }
}

static void push_value(struct code *c)
{
    struct kl_fuzz *f = c->f;
    if (kl_fuzz_one_in(f, 30))
        push(c, kl_fuzz_word(f));
    else
        push_u64(c, kl_fuzz_one_in(f, 2) ? 0 : kl_fuzz_below(f, 3));
}

/* What a call's result is worth seeing by: its success, the size and the bytes of what came back.
 */
static void keep_call(struct code *c)
{
    keep_result(c);
    if (has(c, 0x3d) && kl_fuzz_one_in(c->f, 2)) {
        act(c, 0x3d, 0, 1);
        keep_result(c);
    }
}

static void call_to(struct code *c, const kl_address *to, u64 in_len, u64 in_at)
{
    u8 kind = call_kind(c);
    bool valued = kind == 0xf1 || kind == 0xf2;
    push_extent(c, 70);
    push_extent(c, 256);
    push_u64(c, in_len);
    push_u64(c, in_at);
    if (valued)
        push_value(c);
    push(c, kl_u256_from_address(to));
    push_call_gas(c);
    act(c, kind, valued ? 7 : 6, 1);
    keep_call(c);
}

/* Calls the contract that takes just what it gets so. */
static void call_tight(struct code *c)
{
    struct kl_fuzz *f = c->f;
    for (int i = 0; i < 4; i++)
        push_u64(c, 0);
    push_u64(c, 1);
    push(c, kl_u256_from_address(&f->contract[f->tight]));
    push_u64(c, f->allowance);
    act(c, kl_fuzz_one_in(f, 4) ? 0xf2 : 0xf1, 7, 1);
    keep_call(c);
}

static void call(struct code *c)
{
    struct kl_fuzz *f = c->f;
    const kl_address *to = kl_fuzz_place(f);
    if (f->tight > f->self && kl_fuzz_one_in(f, 3)) {
        call_tight(c);
        return;
    }
    if (!kl_fuzz_one_in(f, 4)) { /* a tree, and now and then a circle */
        usize from = kl_fuzz_one_in(f, 10) ? 0 : f->self + 1;
        if (from >= f->contracts)
            return;
        to = &f->contract[from + kl_fuzz_below(f, f->contracts - from)];
    }
    call_to(c, to, kl_fuzz_below(f, 100), kl_fuzz_below(f, 100));
}

static void call_precompile(struct code *c)
{
    kl_address to;
    kl_span input;
    if (kl_fuzz_precompile(c->f, &to, &input) == KL_OK && copy_data(c, input, 0))
        call_to(c, &to, input.len, 0);
}

/* Creates, and does something with what is there then. */
static void create(struct code *c)
{
    struct kl_fuzz *f = c->f;
    kl_span init;
    bool salted = has(c, 0xf5) && kl_fuzz_one_in(f, 2), twice = kl_fuzz_one_in(f, 6);
    if (make(f, 1 + kl_fuzz_below(f, 5), true, c->nest + 1, &init) != KL_OK ||
        !copy_data(c, init, 0))
        return;
    u64 salt = kl_fuzz_below(f, 2), value = kl_fuzz_one_in(f, 3) ? kl_fuzz_below(f, 3) : 0;
    u64 len = kl_fuzz_one_in(f, 60) ? 49151 + kl_fuzz_below(f, 4) : init.len;
    for (unsigned i = 0; i <= twice; i++) {
        if (salted)
            push_u64(c, salt);
        push_u64(c, len);
        push_u64(c, 0);
        push_u64(c, value);
        act(c, salted ? 0xf5 : 0xf0, salted ? 4 : 3, 1);
        if (has(c, 0x3f) && kl_fuzz_one_in(f, 3)) {
            act(c, 0x80, 0, 1);
            act(c, 0x3f, 1, 1);
            keep_result(c);
        }
        if (kl_fuzz_one_in(f, 2)) { /* calls it, and destroys it maybe */
            usize below = c->depth - 1;
            for (int z = 0; z < 4; z++)
                push_u64(c, 0);
            push_u64(c, kl_fuzz_below(f, 2));
            act(c, 0x85, 0, 1);
            act(c, KL_OP_GAS, 0, 1);
            act(c, 0xf1, 7, 1);
            keep_result(c);
            drop_to(c, KL_MAX(below, (usize)1));
        } else {
            keep_result(c);
        }
    }
}

static void snippet(struct code *c);

/* A destination, whose place is known. */
static usize land(struct code *c)
{
    op(c, KL_OP_JUMPDEST);
    return c->text.len - 1;
}

/* PUSH2 of a place that will be known; where its bytes go. */
static usize push_later(struct code *c)
{
    op(c, KL_OP_PUSH2);
    kl_buf_bytes(&c->text, "\0\0", 2);
    c->depth++;
    return c->text.len - 2;
}

static void settle(struct code *c, usize at, usize to)
{
    if (c->text.failed)
        return;
    c->text.p[at] = (u8)(to >> 8);
    c->text.p[at + 1] = (u8)to;
}

/* A few snippets that leave the stack as deep as it was. */
static void block(struct code *c)
{
    usize depth = c->depth;
    for (u64 i = 0, n = 1 + kl_fuzz_below(c->f, 3); i < n; i++)
        snippet(c);
    drop_to(c, depth);
}

static void branch(struct code *c)
{
    struct kl_fuzz *f = c->f;
    if (kl_fuzz_one_in(f, 3)) { /* over bytes that are no code */
        usize at = push_later(c);
        act(c, KL_OP_JUMP, 1, 0);
        for (u64 i = 0, n = kl_fuzz_below(f, 4); i < n; i++)
            op(c, (u8)kl_rand(&f->rand));
        kl_buf_bytes(&c->text, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
                     32);
        settle(c, at, land(c));
        return;
    }
    if (kl_fuzz_one_in(f, 25)) { /* nowhere, or into the middle of something */
        push_u64(c, kl_fuzz_below(f, c->text.len + 20));
        act(c, KL_OP_JUMP, 1, 0);
        return;
    }
    if (kl_fuzz_one_in(f, 2))
        act(c, KL_OP_CALLVALUE, 0, 1);
    else
        push_u64(c, kl_fuzz_below(f, 2));
    usize at = push_later(c);
    act(c, KL_OP_JUMPI, 2, 0);
    block(c);
    settle(c, at, land(c));
}

/* Some rounds, counted on the stack. */
static void loop(struct code *c)
{
    push_u64(c, 2 + kl_fuzz_below(c->f, kl_fuzz_one_in(c->f, 10) ? 200 : 5));
    usize top = land(c);
    block(c);
    push_u64(c, 1);
    act(c, 0x90, 0, 0); /* SWAP1 */
    act(c, KL_OP_SUB, 2, 1);
    act(c, 0x80, 0, 1); /* DUP1 */
    push_u64(c, top);
    act(c, KL_OP_JUMPI, 2, 0);
    act(c, KL_OP_POP, 1, 0);
}

/* Ends the frame here, on one of two paths. */
static void leave(struct code *c)
{
    struct kl_fuzz *f = c->f;
    push_u64(c, kl_fuzz_below(f, 2));
    usize at = push_later(c);
    act(c, KL_OP_JUMPI, 2, 0);
    usize depth = c->depth;
    switch (kl_fuzz_below(f, 6)) {
    case 0:
    case 1:
        push_place(c);
        act(c, KL_OP_SELFDESTRUCT, 1, 0);
        break;
    case 2:
        op(c, KL_OP_INVALID);
        break;
    case 3:
        op(c, KL_OP_STOP);
        break;
    default:
        push_extent(c, 80);
        push_extent(c, 80);
        act(c, has(c, 0xfd) && kl_fuzz_one_in(f, 2) ? 0xfd : 0xf3, 2, 0);
    }
    c->depth = depth;
    settle(c, at, land(c));
}

/* Any byte at all, where most of the time something sensible stands. */
static void noise(struct code *c)
{
    if (kl_fuzz_one_in(c->f, 3))
        op(c, (u8)kl_rand(&c->f->rand));
    else
        shuffle(c);
}

static const struct {
    unsigned weight;
    bool nests;
    void (*put)(struct code *c);
} snippets[] = {
    {14, false, sum},    {6, false, ask},    {3, false, ask_by_number},   {5, false, ask_account},
    {6, false, copy},    {7, false, memory}, {16, false, store},          {4, false, tell},
    {6, false, shuffle}, {14, false, call},  {9, false, call_precompile}, {6, true, create},
    {4, true, branch},   {3, true, loop},    {2, false, leave},           {1, false, noise},
};

static void snippet(struct code *c)
{
    unsigned total = 0, i = 0;
    for (usize k = 0; k < KL_COUNT_OF(snippets); k++)
        total += snippets[k].weight;
    u64 at = kl_fuzz_below(c->f, total);
    while (at >= snippets[i].weight)
        at -= snippets[i++].weight;
    if (snippets[i].nests && c->nest >= NEST_MAX)
        return;
    c->nest += snippets[i].nests;
    snippets[i].put(c);
    c->nest -= snippets[i].nests;
    if (c->depth > DEPTH_KEPT)
        drop_to(c, DEPTH_KEPT);
}

/* What is left on the stack goes where a difference shows. */
static void finish(struct code *c)
{
    struct kl_fuzz *f = c->f;
    u64 n = 0;
    for (; c->depth > 0 && n < 8; n++) {
        push_u64(c, 256 + n * 32);
        act(c, KL_OP_MSTORE, 2, 0);
    }
    switch (kl_fuzz_below(f, 5)) {
    case 0:
        push_u64(c, 256 + n * 32);
        push_u64(c, 0);
        act(c, KL_OP_RETURN, 2, 0);
        break;
    case 1:
        push_place(c);
        act(c, KL_OP_SELFDESTRUCT, 1, 0);
        break;
    case 2:
        push_u64(c, 256 + n * 32);
        push_u64(c, 0);
        act(c, KL_OP_LOG0, 2, 0);
        op(c, KL_OP_STOP);
        break;
    default:
        push_u64(c, 256 + n * 32);
        push_u64(c, 0);
        act(c, KL_OP_KECCAK256, 2, 1);
        push_u64(c, 5);
        act(c, KL_OP_SSTORE, 2, 0);
        op(c, KL_OP_STOP);
    }
}

/* What init code gives back. */
static void finish_init(struct code *c)
{
    struct kl_fuzz *f = c->f;
    static const u64 sizes[] = {0, 1, 24575, 24576, 24577};
    kl_span code;
    if (kl_fuzz_one_in(f, 10)) {
        push_u64(c, sizes[kl_fuzz_below(f, KL_COUNT_OF(sizes))]);
        push_u64(c, 20000);
    } else if (kl_fuzz_one_in(f, 10)) {
        push_u64(c, (u64)0xef << 56 | kl_rand(&f->rand) >> 8);
        push_u64(c, 0);
        act(c, KL_OP_MSTORE, 2, 0);
        push_u64(c, 1 + kl_fuzz_below(f, 8));
        push_u64(c, 24);
    } else if (make(f, 1 + kl_fuzz_below(f, 4), false, c->nest + 1, &code) == KL_OK &&
               copy_data(c, code, 0)) {
        push_u64(c, code.len);
        push_u64(c, 0);
    } else {
        push_u64(c, 1);
        push_u64(c, 0);
    }
    act(c, has(c, 0xfd) && kl_fuzz_one_in(f, 20) ? 0xfd : 0xf3, 2, 0);
}

static kl_status join(struct code *c, kl_span *out)
{
    struct kl_arena *arena = c->f->arena;
    if (c->text.failed || c->data.failed)
        return KL_NOMEM;
    for (usize i = 0; i < c->fixes; i++)
        settle(c, c->fix[i].at, c->text.len + c->fix[i].offset);
    u8 *room = KL_TAKE(arena, u8, c->text.len + c->data.len);
    if (!room)
        return KL_NOMEM;
    memcpy(room, c->text.p, c->text.len);
    if (c->data.len)
        memcpy(room + c->text.len, c->data.p, c->data.len);
    *out = kl_span_of(room, c->text.len + c->data.len);
    return KL_OK;
}

static kl_status make(struct kl_fuzz *f, usize size, bool init, unsigned nest, kl_span *out)
{
    struct code c = {.f = f, .nest = nest};
    if (nest > NEST_MAX + 1)
        return KL_LIMIT;
    kl_gas_table_fill(&c.gas, f->fork);
    kl_buf_init(&c.text, CODE_MAX);
    kl_buf_init(&c.data, CODE_MAX);
    for (usize i = 0; i < size; i++)
        snippet(&c);
    if (init)
        finish_init(&c);
    else
        finish(&c);
    kl_status status = join(&c, out);
    kl_buf_done(&c.text);
    kl_buf_done(&c.data);
    return status;
}

kl_status kl_fuzz_code(struct kl_fuzz *f, usize size, bool init, kl_span *out)
{
    return make(f, size, init, 0, out);
}
