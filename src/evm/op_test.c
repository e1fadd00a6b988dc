/* Instructions that need nothing but stack, memory, code and what surrounds them. */
#include "evm/evm_test_priv.h"

static const struct {
    u8 byte;
    u8 in, out;
    kl_fork since;
    const char *name;
} all_ops[] = {
#define KL_OPCODE_X(byte, name, in, out, fork, gas) {byte, in, out, KL_##fork, #name},
#include "evm/opcodes.def"
#undef KL_OPCODE_X
};

static kl_u256 random_word(u64 *seed)
{
    kl_u256 a = KL_U256_ZERO;
    unsigned limbs = (unsigned)kl_rand_below(seed, 5);
    for (unsigned i = 0; i < limbs; i++)
        a.w[i] = kl_rand_below(seed, 4) ? kl_rand(seed) >> kl_rand_below(seed, 64) : UINT64_MAX;
    return a;
}

/* The word an instruction leaves, its arguments being a (on top), b, c. */
static kl_u256 value_of(struct world *w, u8 byte, kl_u256 a, kl_u256 b, kl_u256 c)
{
    struct code code = {0};
    push_word(&code, c);
    push_word(&code, b);
    push_word(&code, a);
    op(&code, byte);
    return_top(&code);
    CHECK_HALT(run(w, &code), KL_HALT_NONE);
    return returned(w);
}

static bool bit(kl_u256 a, unsigned i)
{
    return a.w[i / 64] >> (i % 64) & 1;
}

static bool less(kl_u256 a, kl_u256 b)
{
    for (unsigned i = 256; i-- > 0;)
        if (bit(a, i) != bit(b, i))
            return bit(b, i);
    return false;
}

static bool less_signed(kl_u256 a, kl_u256 b)
{
    return bit(a, 255) != bit(b, 255) ? bit(a, 255) : less(a, b);
}

static kl_u256 slow_shift(kl_u256 a, kl_u256 by, bool left, bool fill)
{
    kl_u256 r = KL_U256_ZERO;
    for (unsigned i = 0; i < 256; i++) {
        bool v = fill;
        if (less(by, kl_u256_of(256))) {
            unsigned n = (unsigned)by.w[0];
            if (left)
                v = i >= n && bit(a, i - n);
            else
                v = i + n < 256 ? bit(a, i + n) : fill;
        } else if (left) {
            v = false;
        }
        r.w[i / 64] |= (u64)v << (i % 64);
    }
    return r;
}

/* What it should be; u256's own functions are tested against a twin in base. */
static kl_u256 twin(u8 byte, kl_u256 a, kl_u256 b, kl_u256 c)
{
    kl_u256 r = KL_U256_ZERO;
    switch (byte) {
    case KL_OP_ADD:
        return kl_u256_add(a, b);
    case KL_OP_MUL:
        return kl_u256_mul(a, b);
    case KL_OP_SUB:
        return kl_u256_sub(a, b);
    case KL_OP_DIV:
        return kl_u256_div(a, b);
    case KL_OP_SDIV:
        return kl_u256_sdiv(a, b);
    case KL_OP_MOD:
        return kl_u256_mod(a, b);
    case KL_OP_SMOD:
        return kl_u256_smod(a, b);
    case KL_OP_ADDMOD:
        return kl_u256_addmod(a, b, c);
    case KL_OP_MULMOD:
        return kl_u256_mulmod(a, b, c);
    case KL_OP_EXP:
        return kl_u256_exp(a, b);
    case KL_OP_SIGNEXTEND:
        r = b;
        if (less(a, kl_u256_of(31)))
            for (unsigned i = (unsigned)a.w[0] * 8 + 8; i < 256; i++) {
                r.w[i / 64] &= ~((u64)1 << (i % 64));
                r.w[i / 64] |= (u64)bit(b, (unsigned)a.w[0] * 8 + 7) << (i % 64);
            }
        return r;
    case KL_OP_LT:
        return kl_u256_of(less(a, b));
    case KL_OP_GT:
        return kl_u256_of(less(b, a));
    case KL_OP_SLT:
        return kl_u256_of(less_signed(a, b));
    case KL_OP_SGT:
        return kl_u256_of(less_signed(b, a));
    case KL_OP_EQ:
        return kl_u256_of(!less(a, b) && !less(b, a));
    case KL_OP_ISZERO:
        return kl_u256_of(!less(KL_U256_ZERO, a));
    case KL_OP_AND:
        for (unsigned i = 0; i < 4; i++)
            r.w[i] = a.w[i] & b.w[i];
        return r;
    case KL_OP_OR:
        for (unsigned i = 0; i < 4; i++)
            r.w[i] = a.w[i] | b.w[i];
        return r;
    case KL_OP_XOR:
        for (unsigned i = 0; i < 4; i++)
            r.w[i] = a.w[i] ^ b.w[i];
        return r;
    case KL_OP_NOT:
        for (unsigned i = 0; i < 4; i++)
            r.w[i] = ~a.w[i];
        return r;
    case KL_OP_BYTE:
        if (less(a, kl_u256_of(32)))
            for (unsigned i = 0; i < 8; i++)
                r.w[0] |= (u64)bit(b, 248 - (unsigned)a.w[0] * 8 + i) << i;
        return r;
    case KL_OP_SHL:
        return slow_shift(b, a, true, false);
    case KL_OP_SHR:
        return slow_shift(b, a, false, false);
    case KL_OP_SAR:
        return slow_shift(b, a, false, bit(b, 255));
    case KL_OP_CLZ:
        for (r.w[0] = 0; r.w[0] < 256 && !bit(a, 255 - (unsigned)r.w[0]);)
            r.w[0]++;
        return r;
    }
    KL_UNREACHABLE();
}

KL_TEST(op_arithmetic_matches_the_twin)
{
    WORLD(w, KL_OSAKA);
    for (usize i = 0; i < KL_COUNT_OF(all_ops) && all_ops[i].byte < KL_OP_KECCAK256; i++) {
        u8 byte = all_ops[i].byte;
        for (int round = 0; byte != KL_OP_STOP && round < 300; round++) {
            kl_u256 a = random_word(seed), b = random_word(seed), c = random_word(seed);
            if (round % 3 == 0)
                a = kl_u256_of(kl_rand_below(seed, 300));
            if (round % 7 == 0)
                b = a;
            kl_u256 got = value_of(w, byte, a, b, c);
            if (!kl_u256_eq(got, twin(byte, a, b, c)))
                kl_test_fail(__FILE__, __LINE__, "%s is wrong", all_ops[i].name);
        }
    }
}

KL_TEST(op_undefined_under_every_fork)
{
    for (kl_fork fork = KL_FRONTIER; fork < KL_FORK_COUNT; fork++) {
        WORLD(w, fork);
        kl_gas_table table;
        kl_gas_table_fill(&table, fork);
        for (unsigned byte = 0; byte < 256; byte++) {
            struct code code = {.b = {(u8)byte}, .len = 1};
            if (table.base[byte] == KL_GAS_UNDEFINED)
                CHECK_HALT(run(w, &code), KL_HALT_BAD_OPCODE);
            CHECK(table.base[byte] == KL_GAS_UNDEFINED || kl_opcode_name((u8)byte));
        }
        CHECK(kl_opcode_name(0x0c) == NULL && strcmp(kl_opcode_name(0xfe), "INVALID") == 0);
    }
}

/* Every instruction with one word too few, and with room for one word too few. */
KL_TEST(op_stack_bounds)
{
    WORLD(w, KL_OSAKA);
    for (usize i = 0; i < KL_COUNT_OF(all_ops); i++) {
        struct code few = {0}, many = {0};
        for (unsigned n = 1; n < all_ops[i].in; n++)
            op(&few, KL_OP_PC);
        op(&few, all_ops[i].byte);
        if (all_ops[i].in)
            CHECK_HALT(run(w, &few), KL_HALT_STACK_UNDERFLOW);
        if (all_ops[i].out <= all_ops[i].in)
            continue;
        for (unsigned n = 0; n < 1024; n++)
            op(&many, KL_OP_PC);
        op(&many, all_ops[i].byte);
        CHECK_HALT(run(w, &many), KL_HALT_STACK_OVERFLOW);
        many.b[0] = KL_OP_JUMPDEST;
        CHECK_HALT(run(w, &many), KL_HALT_NONE);
    }
}

KL_TEST(op_push_of_every_width_and_cut_off)
{
    WORLD(w, KL_OSAKA);
    for (unsigned n = 0; n <= 32; n++) {
        struct code code = {0};
        u8 want[32] = {0};
        op(&code, (u8)(KL_OP_PUSH0 + n));
        for (unsigned i = 0; i < n; i++)
            op(&code, want[32 - n + i] = (u8)kl_rand(seed));
        return_top(&code);
        CHECK_HALT(run(w, &code), KL_HALT_NONE);
        CHECK_SPAN(w->result.output, kl_span_of(want, 32));
    }
    /* Data behind the end of the code reads as zero, and running off the end is STOP. */
    for (unsigned n = 1; n <= 32; n++) {
        struct code code = {.b = {(u8)(KL_OP_PUSH0 + n)}, .len = 1};
        CHECK_HALT(run(w, &code), KL_HALT_NONE);
        CHECK_U64(gas_used(w), 3);
    }
    /* The missing bytes are the low ones: 0xff00 is the length of what is returned. */
    struct code code = {.b = {KL_OP_PUSH1, 0, KL_OP_PUSH1, 9, KL_OP_JUMP, 0, 0, 0, 0,
                              KL_OP_JUMPDEST, KL_OP_PUSH2, 0xff},
                        .len = 12};
    CHECK_HALT(run(w, &code), KL_HALT_NONE);
    CHECK_U64(gas_used(w), 3 + 3 + 8 + 1 + 3);
}

KL_TEST(op_dup_and_swap)
{
    WORLD(w, KL_FRONTIER);
    for (unsigned n = 1; n <= 16; n++) {
        struct code dup = {0}, swap = {0};
        for (unsigned i = 17; i > 0; i--)
            push(&dup, i), push(&swap, i);
        op(&dup, (u8)(KL_OP_DUP1 + n - 1));
        return_top(&dup);
        CHECK_HALT(run(w, &dup), KL_HALT_NONE);
        CHECK_U64(returned(w).w[0], n);
        op(&swap, (u8)(KL_OP_SWAP1 + n - 1));
        struct code deep = swap;
        return_top(&swap);
        CHECK_HALT(run(w, &swap), KL_HALT_NONE);
        CHECK_U64(returned(w).w[0], n + 1);
        for (unsigned i = 0; i < n; i++)
            op(&deep, KL_OP_POP);
        return_top(&deep);
        CHECK_HALT(run(w, &deep), KL_HALT_NONE);
        CHECK_U64(returned(w).w[0], 1);
    }
}

/* Random writes against an array of bytes. */
KL_TEST(op_memory_matches_an_array)
{
    WORLD(w, KL_OSAKA);
    for (int round = 0; round < 200; round++) {
        u8 twin_memory[4096] = {0};
        usize len = 0;
        struct code code = {0};
        for (int i = 0; i < 40; i++) {
            u64 at = kl_rand_below(seed, 2000), from = kl_rand_below(seed, 2000);
            u64 count = kl_rand_below(seed, 100), end = at;
            kl_u256 v = random_word(seed);
            switch (kl_rand_below(seed, 4)) {
            case 0:
                push_word(&code, v);
                OP(&code, MSTORE, at);
                kl_u256_to_be(twin_memory + at, v);
                end += 32;
                break;
            case 1:
                push_word(&code, v);
                OP(&code, MSTORE8, at);
                twin_memory[at] = (u8)v.w[0];
                end += 1;
                break;
            case 2:
                OP(&code, MLOAD, at);
                op(&code, KL_OP_POP);
                end += 32;
                break;
            default:
                OP(&code, MCOPY, at, from, count);
                memmove(twin_memory + at, twin_memory + from, count);
                end = count ? KL_MAX(at, from) + count : 0;
            }
            len = KL_MAX(len, (end + 31) / 32 * 32);
        }
        op(&code, KL_OP_MSIZE);
        push(&code, 0);
        op(&code, KL_OP_RETURN);
        CHECK_HALT(run(w, &code), KL_HALT_NONE);
        CHECK_SPAN(w->result.output, kl_span_of(twin_memory, len));
    }
}

KL_TEST(op_memory_gas)
{
    WORLD(w, KL_OSAKA);
    struct code store = {0}, far = {0}, byte = {0}, load = {0}, none = {0};
    OP(&store, MSTORE, 0, 1);
    check_exact_gas(w, &store, 3 + 3 + 3 + 3);
    OP(&far, MSTORE, 1 << 20, 1);
    u64 words = (1 << 15) + 1;
    check_exact_gas(w, &far, 9 + 3 * words + words * words / 512);
    OP(&byte, MSTORE8, 31, 1);
    check_exact_gas(w, &byte, 9 + 3);
    OP(&load, MLOAD, 1);
    check_exact_gas(w, &load, 6 + 6);
    /* Nothing at any offset costs nothing. */
    push(&none, 0);
    push_word(&none, KL_U256_MAX);
    op(&none, KL_OP_RETURN);
    check_exact_gas(w, &none, 6);
}

/* Offsets and lengths that no gas could pay for end the frame, whatever is added to them: with no
 * price where they have no sum. */
KL_TEST(op_huge_offsets)
{
    static const u8 ops[] = {KL_OP_MLOAD,    KL_OP_MSTORE,    KL_OP_MSTORE8, KL_OP_KECCAK256,
                             KL_OP_RETURN,   KL_OP_REVERT,    KL_OP_LOG0,    KL_OP_CALLDATACOPY,
                             KL_OP_CODECOPY, KL_OP_MCOPY,     KL_OP_CREATE,  KL_OP_EXTCODECOPY,
                             KL_OP_CALL,     KL_OP_STATICCALL};
    const kl_u256 huge[] = {KL_U256_MAX,    kl_u256_of(UINT64_MAX), kl_u256_of(UINT64_MAX - 31),
                            {{0, 1, 0, 0}}, {{0, 0, 0, 1}},         kl_u256_of((u64)1 << 63)};
    WORLD(w, KL_OSAKA);
    w->message.gas = INT64_MAX;
    for (usize i = 0; i < sizeof ops; i++)
        for (usize j = 0; j < KL_COUNT_OF(huge); j++) {
            struct code code = {0};
            for (unsigned n = 0; n < 7; n++)
                push_word(&code, huge[j]);
            op(&code, ops[i]);
            bool sums = ops[i] >= KL_OP_MLOAD && ops[i] <= KL_OP_MSTORE8 && j == 5;
            CHECK_HALT(run(w, &code), sums ? KL_HALT_MEMORY_SIZE : KL_HALT_GAS_OVERFLOW);
        }
}

KL_TEST(op_memory_limit_is_a_status)
{
    WORLD(w, KL_OSAKA);
    struct code code = {0};
    w->message.gas = INT64_MAX;
    OP(&code, MSTORE, WORLD_MEMORY - 32, 1);
    CHECK_HALT(run(w, &code), KL_HALT_NONE);
    struct code over = {0};
    OP(&over, MSTORE, WORLD_MEMORY - 31, 1);
    place(w, &contract_address, code_span(&over));
    w->result.gas_left = 77;
    CHECK(kl_evm_run(w->evm, &w->mock.host, &w->block, &w->tx, &w->message, NULL, &w->result) ==
          KL_LIMIT);
    CHECK_U64(w->result.gas_left, 77);
}

KL_TEST(op_jumps)
{
    WORLD(w, KL_OSAKA);
    static const struct {
        u8 code[12];
        u8 len;
        kl_halt halt;
    } cases[] = {
        {{KL_OP_PUSH1, 4, KL_OP_JUMP, 0xfe, KL_OP_JUMPDEST}, 5, KL_HALT_NONE},
        {{KL_OP_PUSH1, 3, KL_OP_JUMP, 0xfe, KL_OP_JUMPDEST}, 5, KL_HALT_BAD_JUMP},
        {{KL_OP_PUSH1, 5, KL_OP_JUMP, 0xfe, KL_OP_PUSH1, KL_OP_JUMPDEST}, 6, KL_HALT_BAD_JUMP},
        {{KL_OP_PUSH1, 5, KL_OP_JUMP, 0xfe, KL_OP_JUMPDEST}, 5, KL_HALT_BAD_JUMP},
        {{KL_OP_PUSH1, 64, KL_OP_JUMP}, 3, KL_HALT_BAD_JUMP},
        {{KL_OP_PUSH9, 1, 0, 0, 0, 0, 0, 0, 0, 0, KL_OP_JUMP, KL_OP_JUMPDEST},
         12,
         KL_HALT_BAD_JUMP},
        {{KL_OP_PUSH9, 0, 0, 0, 0, 0, 0, 0, 0, 11, KL_OP_JUMP, KL_OP_JUMPDEST}, 12, KL_HALT_NONE},
        {{KL_OP_PUSH1, 0, KL_OP_PUSH1, 99, KL_OP_JUMPI, KL_OP_STOP}, 6, KL_HALT_NONE},
        {{KL_OP_PUSH1, 1, KL_OP_PUSH1, 99, KL_OP_JUMPI, KL_OP_STOP}, 6, KL_HALT_BAD_JUMP},
        {{KL_OP_PUSH1, 2, KL_OP_PUSH1, 6, KL_OP_JUMPI, 0xfe, KL_OP_JUMPDEST}, 7, KL_HALT_NONE},
    };
    for (usize i = 0; i < KL_COUNT_OF(cases); i++) {
        struct code code = {.len = cases[i].len};
        memcpy(code.b, cases[i].code, code.len);
        CHECK_HALT(run(w, &code), cases[i].halt);
    }
    struct code jump = {.b = {KL_OP_PUSH1, 3, KL_OP_JUMP, KL_OP_JUMPDEST}, .len = 4};
    check_exact_gas(w, &jump, 3 + 8 + 1);
}

KL_TEST(op_surroundings)
{
    WORLD(w, KL_OSAKA);
    kl_hash blobs[2] = {{{1, 2}}, {{1, 3}}};
    w->tx.blob_hashes = blobs;
    w->tx.blob_count = 2;
    w->message.value = kl_u256_of(5);
    w->message.input = KL_SPAN_TEXT("hello");
    const struct {
        u8 op;
        kl_u256 want;
    } cases[] = {
        {KL_OP_ADDRESS, kl_u256_from_address(&contract_address)},
        {KL_OP_ORIGIN, kl_u256_from_address(&sender_address)},
        {KL_OP_CALLER, kl_u256_from_address(&sender_address)},
        {KL_OP_CALLVALUE, kl_u256_of(5)},
        {KL_OP_CALLDATASIZE, kl_u256_of(5)},
        {KL_OP_CODESIZE, kl_u256_of(9)},
        {KL_OP_GASPRICE, kl_u256_of(10)},
        {KL_OP_RETURNDATASIZE, KL_U256_ZERO},
        {KL_OP_COINBASE, kl_u256_from_address(&w->block.coinbase)},
        {KL_OP_TIMESTAMP, kl_u256_of(0x65432100)},
        {KL_OP_NUMBER, kl_u256_of(1000)},
        {KL_OP_DIFFICULTY, w->block.difficulty},
        {KL_OP_GASLIMIT, kl_u256_of(30000000)},
        {KL_OP_CHAINID, kl_u256_of(1337)},
        {KL_OP_SELFBALANCE, kl_u256_of(1005)},
        {KL_OP_BASEFEE, kl_u256_of(7)},
        {KL_OP_BLOBBASEFEE, kl_u256_of(3)},
        {KL_OP_PC, KL_U256_ZERO},
        {KL_OP_MSIZE, KL_U256_ZERO},
        {KL_OP_GAS, kl_u256_of(10000000 - 2)},
    };
    for (usize i = 0; i < KL_COUNT_OF(cases); i++) {
        u32 before = mock_op_snapshot(&w->mock.host);
        struct code code = {0};
        op(&code, cases[i].op);
        return_top(&code);
        CHECK_HALT(run(w, &code), KL_HALT_NONE);
        CHECK(kl_u256_eq(returned(w), cases[i].want));
        mock_op_revert(&w->mock.host, before);
    }
    CHECK(kl_u256_eq(value_of(w, KL_OP_BLOBHASH, kl_u256_of(1), KL_U256_ZERO, KL_U256_ZERO),
                     kl_u256_from_hash(&blobs[1])));
    CHECK(kl_u256_is_zero(value_of(w, KL_OP_BLOBHASH, kl_u256_of(2), KL_U256_ZERO, KL_U256_ZERO)));
    CHECK(kl_u256_is_zero(value_of(w, KL_OP_BLOBHASH, KL_U256_MAX, KL_U256_ZERO, KL_U256_ZERO)));
}

KL_TEST(op_block_hash_of_the_last_256)
{
    WORLD(w, KL_OSAKA);
    for (u64 number = 740; number < 1003; number++) {
        u8 text[8];
        kl_store_be64(text, number);
        kl_hash hash = kl_keccak256(kl_span_of(text, sizeof text));
        kl_u256 want = number >= 744 && number < 1000 ? kl_u256_from_hash(&hash) : KL_U256_ZERO;
        kl_u256 got = value_of(w, KL_OP_BLOCKHASH, kl_u256_of(number), KL_U256_ZERO, KL_U256_ZERO);
        CHECK(kl_u256_eq(got, want));
    }
    CHECK(kl_u256_is_zero(value_of(w, KL_OP_BLOCKHASH, KL_U256_MAX, KL_U256_ZERO, KL_U256_ZERO)));
    w->block.number = 3;
    CHECK(kl_u256_is_zero(value_of(w, KL_OP_BLOCKHASH, kl_u256_of(3), KL_U256_ZERO, KL_U256_ZERO)));
    CHECK(
        !kl_u256_is_zero(value_of(w, KL_OP_BLOCKHASH, kl_u256_of(0), KL_U256_ZERO, KL_U256_ZERO)));
}

/* CALLDATALOAD, CALLDATACOPY, CODECOPY: zeros behind the end. */
KL_TEST(op_call_data_and_code)
{
    WORLD(w, KL_OSAKA);
    u8 data[70];
    kl_rand_fill(seed, data, sizeof data);
    w->message.input = KL_SPAN_OF(data);
    for (u64 at = 0; at < 80; at++) {
        u8 want[32] = {0};
        kl_span part = kl_span_sub(w->message.input, at, 32);
        if (part.len)
            memcpy(want, part.p, part.len);
        kl_u256 got = value_of(w, KL_OP_CALLDATALOAD, kl_u256_of(at), KL_U256_ZERO, KL_U256_ZERO);
        CHECK(kl_u256_eq(got, kl_u256_from_be(want)));
        struct code copy = {0};
        OP(&copy, MSTORE, 0, UINT64_MAX);
        OP(&copy, CALLDATACOPY, 0, at, 32);
        OP(&copy, RETURN, 0, 32);
        CHECK_HALT(run(w, &copy), KL_HALT_NONE);
        CHECK_SPAN(w->result.output, KL_SPAN_OF(want));
    }
    const kl_u256 far[] = {KL_U256_MAX, kl_u256_of(UINT64_MAX), {{0, 1, 0, 0}}, {{1, 0, 0, 1}}};
    for (usize i = 0; i < KL_COUNT_OF(far); i++)
        CHECK(kl_u256_is_zero(value_of(w, KL_OP_CALLDATALOAD, far[i], KL_U256_ZERO, KL_U256_ZERO)));
    struct code self = {0};
    OP(&self, CODECOPY, 0, 2, 64);
    OP(&self, RETURN, 0, 64);
    CHECK_HALT(run(w, &self), KL_HALT_NONE);
    u8 want[64] = {0};
    memcpy(want, self.b + 2, self.len - 2);
    CHECK_SPAN(w->result.output, KL_SPAN_OF(want));
    CHECK_U64(gas_used(w), 3 * 3 + 3 + 2 * 3 + 6 + 2 * 3);
}

KL_TEST(op_keccak)
{
    WORLD(w, KL_FRONTIER);
    for (u64 len = 0; len < 300; len += 7) {
        struct code code = {0};
        OP(&code, CALLDATACOPY, 0, 0, 300);
        OP(&code, KECCAK256, 5, len);
        return_top(&code);
        u8 data[305];
        kl_rand_fill(seed, data, sizeof data);
        w->message.input = KL_SPAN_OF(data);
        CHECK_HALT(run(w, &code), KL_HALT_NONE);
        data[300] = data[301] = data[302] = data[303] = data[304] = 0;
        kl_hash hash = kl_keccak256(kl_span_of(data + 5, len));
        CHECK_SPAN(w->result.output, KL_SPAN_OF(hash));
    }
    struct code code = {0};
    OP(&code, KECCAK256, 0, 33);
    check_exact_gas(w, &code, 6 + 30 + 2 * 6 + 2 * 3);
}

KL_TEST(op_exp_gas)
{
    static const struct {
        kl_fork fork;
        u64 per_byte;
    } cases[] = {{KL_FRONTIER, 10}, {KL_TANGERINE, 10}, {KL_SPURIOUS, 50}, {KL_OSAKA, 50}};
    for (usize i = 0; i < KL_COUNT_OF(cases); i++)
        for (unsigned bytes = 0; bytes <= 32; bytes++) {
            WORLD(w, cases[i].fork);
            struct code code = {0};
            kl_u256 exponent = bytes ? kl_u256_shl(KL_U256_ONE, bytes * 8 - 1) : KL_U256_ZERO;
            push_word(&code, exponent);
            push(&code, 3);
            op(&code, KL_OP_EXP);
            check_exact_gas(w, &code, 6 + 10 + cases[i].per_byte * bytes);
        }
}

KL_TEST(op_logs)
{
    for (unsigned topics = 0; topics <= 4; topics++) {
        WORLD(w, KL_OSAKA);
        struct code code = {0};
        kl_log_entry entry = {.address = contract_address, .topic_count = (u8)topics};
        u8 data[10] = {[9] = 0x77};
        OP(&code, MSTORE8, 9, 0x77);
        for (unsigned i = topics; i-- > 0;) {
            push(&code, 100 + i);
            entry.topics[i] = kl_u256_to_hash(kl_u256_of(100 + i));
        }
        OP(&code, LOG0, 0, 10);
        code.b[code.len - 1] = (u8)(KL_OP_LOG0 + topics);
        u64 gas = 6 + 3 + 3 + 3 * topics + 6 + 375 + 375 * topics + 8 * 10;
        check_exact_gas(w, &code, gas);
        w->message.gas = gas;
        CHECK_HALT(run(w, &code), KL_HALT_NONE);
        WORLD(want, KL_OSAKA);
        entry.data = KL_SPAN_OF(data);
        CHECK_OK(mock_op_log(&want->mock.host, &entry));
        CHECK(kl_hash_eq(&w->mock.logs, &want->mock.logs));
        w->message.is_static = true;
        w->message.gas = 100000;
        CHECK_HALT(run(w, &code), KL_HALT_WRITE_PROTECTION);
    }
}

KL_TEST(op_return_and_revert)
{
    WORLD(w, KL_BYZANTIUM);
    struct code good = {0}, bad = {0};
    OP(&good, SSTORE, 1, 2);
    OP(&good, RETURN, 0, 7);
    CHECK_HALT(run(w, &good), KL_HALT_NONE);
    CHECK_U64(w->result.output.len, 7);
    CHECK_U64(mock_slot_at(&w->mock, w->contract, &KL_U256_ONE)->current.w[0], 2);
    OP(&bad, SSTORE, 1, 3);
    OP(&bad, MSTORE, 0, 99);
    OP(&bad, REVERT, 0, 32);
    CHECK_HALT(run(w, &bad), KL_HALT_REVERT);
    CHECK_U64(returned(w).w[0], 99);
    CHECK(w->result.gas_left > 0 && w->result.refund == 0);
    CHECK_U64(mock_slot_at(&w->mock, w->contract, &KL_U256_ONE)->current.w[0], 2);
}
