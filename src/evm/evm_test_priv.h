/* evm_test: a world with one contract in it, and code put together instruction by instruction. */
#ifndef KL_EVM_EVM_TEST_PRIV_H
#define KL_EVM_EVM_TEST_PRIV_H

#include "base/test.h"
#include "evm/gas.h"
#include "evm/mock_host_priv.h"
#include "evm/opcode.h"

/* Code in the making. */
struct code {
    u8 b[2048];
    usize len;
};

static inline void op(struct code *c, u8 byte)
{
    KL_ASSERT(c->len < sizeof c->b);
    c->b[c->len++] = byte;
}

static inline void push_word(struct code *c, kl_u256 v)
{
    u8 be[32];
    unsigned n = KL_MAX(kl_u256_bytes(v), 1u);
    kl_u256_to_be(be, v);
    op(c, (u8)(KL_OP_PUSH1 + n - 1));
    for (unsigned i = 32 - n; i < 32; i++)
        op(c, be[i]);
}

static inline void push(struct code *c, u64 v)
{
    push_word(c, kl_u256_of(v));
}

static inline void push_address(struct code *c, const kl_address *a)
{
    push_word(c, kl_u256_from_address(a));
}

/* op with its arguments pushed before it, the topmost first. */
static inline void op_with(struct code *c, u8 byte, const u64 *args, usize count)
{
    while (count)
        push(c, args[--count]);
    op(c, byte);
}
#define OP(c, name, ...)                                                    \
    op_with((c), KL_OP_##name, (const u64[]){__VA_ARGS__ __VA_OPT__(, ) 0}, \
            sizeof((const u64[]){__VA_ARGS__ __VA_OPT__(, ) 0}) / 8 - 1)

/* Returns the word on top of the stack. */
static inline void return_top(struct code *c)
{
    OP(c, MSTORE, 0);
    OP(c, RETURN, 0, 32);
}

static inline kl_span code_span(const struct code *c)
{
    return kl_span_of(c->b, c->len);
}

struct world {
    struct mock_host mock;
    struct kl_evm *evm;
    kl_evm_block block;
    kl_evm_tx tx;
    kl_evm_message message;
    mock_account *contract, *sender;
    struct kl_tracer *tracer;
    kl_evm_result result;
};

static const kl_address contract_address = {{0xc0, 0xde, [19] = 0x01}};
static const kl_address other_address = {{0xc0, 0xde, [19] = 0x02}};
static const kl_address third_address = {{0xc0, 0xde, [19] = 0x03}};
static const kl_address sender_address = {{0x5e, 0x4d, [19] = 0x09}};

#define WORLD_MEMORY ((usize)1 << 28)

static inline void world_free(struct world **w)
{
    if (!*w)
        return;
    kl_evm_free((*w)->evm);
    mock_done(&(*w)->mock);
    free(*w);
}
#define WORLD(name, fork) KL_CLEANUP(world_free) struct world *name = world_new(fork)

static inline struct world *world_new(kl_fork fork)
{
    struct world *w = calloc(1, sizeof *w);
    CHECK(w);
    mock_init(&w->mock, fork);
    CHECK_OK(kl_evm_new(&w->evm, &(kl_evm_config){.memory_limit = WORLD_MEMORY}));
    w->contract = mock_put(&w->mock, &contract_address, kl_u256_of(1000), KL_SPAN_NONE);
    w->sender = mock_put(&w->mock, &sender_address, kl_u256_of(1000000), KL_SPAN_NONE);
    w->contract->nonce = 1;
    w->block = (kl_evm_block){
        .fork = fork,
        .chain_id = 1337,
        .number = 1000,
        .timestamp = 0x65432100,
        .gas_limit = 30000000,
        .coinbase = {{0xcb, [19] = 0x07}},
        .difficulty = {{1, 2, 3, 4}},
        .base_fee = kl_u256_of(7),
        .blob_base_fee = kl_u256_of(3),
    };
    w->tx = (kl_evm_tx){.origin = sender_address, .gas_price = kl_u256_of(10)};
    w->message = (kl_evm_message){
        .caller = sender_address,
        .to = contract_address,
        .gas = 10000000,
    };
    return w;
}

/* Puts code at an address. */
static inline mock_account *place(struct world *w, const kl_address *address, kl_span code)
{
    mock_account *a = mock_find(&w->mock, address);
    CHECK(a);
    a->exists = true;
    a->code = code.len ? mock_code(&w->mock, code) : NULL;
    a->code_hash = kl_keccak256(code);
    return a;
}

/* Sends w->message. */
static inline kl_halt send(struct world *w)
{
    CHECK_OK(
        kl_evm_run(w->evm, &w->mock.host, &w->block, &w->tx, &w->message, w->tracer, &w->result));
    return w->result.halt;
}

/* Runs code as the contract. */
static inline kl_halt run(struct world *w, const struct code *c)
{
    place(w, &contract_address, code_span(c));
    return send(w);
}

static inline u64 gas_used(const struct world *w)
{
    return w->message.gas - w->result.gas_left;
}

/* What the last run returned, as a word. */
static inline kl_u256 returned(const struct world *w)
{
    CHECK_U64(w->result.output.len, 32);
    return kl_u256_from_be(w->result.output.p);
}

#define CHECK_HALT(got, want)                                            \
    do {                                                                 \
        kl_halt check_halt = (got);                                      \
        if (check_halt != (want))                                        \
            kl_test_fail(__FILE__, __LINE__, "%s ended with '%s'", #got, \
                         kl_halt_text(check_halt));                      \
    } while (0)

/* Runs code with exactly gas, which must do, and with one less, which must not. */
static inline void check_exact_gas(struct world *w, const struct code *c, u64 gas)
{
    u32 before = mock_op_snapshot(&w->mock.host);
    w->message.gas = gas;
    CHECK_HALT(run(w, c), KL_HALT_NONE);
    CHECK_U64(w->result.gas_left, 0);
    mock_op_revert(&w->mock.host, before);
    w->message.gas = gas - 1;
    CHECK_HALT(run(w, c), KL_HALT_OUT_OF_GAS);
    CHECK_U64(w->result.gas_left, 0);
    CHECK_U64(mock_op_snapshot(&w->mock.host), before);
}

#endif
