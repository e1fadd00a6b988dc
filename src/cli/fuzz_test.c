#include "base/test.h"
#include "cli/fixture.h"
#include "cli/fuzz_gen.h"
#include "cli/fuzz_shrink.h"
#include "cli/statetest_tx.h"

static const kl_fork forks[] = {KL_FRONTIER, KL_BERLIN, KL_LONDON, KL_SHANGHAI,
                                KL_CANCUN,   KL_PRAGUE, KL_OSAKA};

struct room {
    kl_statebench bench;
    struct kl_arena arena;
    struct kl_buf text;
    kl_fuzz_reach reach;
};

static void open_room(struct room *room)
{
    *room = (struct room){0};
    kl_arena_init(&room->arena, (usize)1 << 30);
    kl_buf_init(&room->text, (usize)1 << 30);
    CHECK_OK(kl_statebench_init(&room->bench));
}

static void close_room(struct room *room)
{
    kl_statebench_done(&room->bench);
    kl_arena_done(&room->arena);
    kl_buf_done(&room->text);
}

static void make(struct room *room, u64 seed, kl_fork fork, kl_fuzz_case *out)
{
    struct kl_fuzz f;
    struct kl_json_out json = kl_json_out_to(&room->text);
    CHECK_OK(kl_fuzz_generate(&f, seed, fork, &room->bench, &room->arena, out));
    CHECK_OK(kl_fuzz_gas(&f, out, &room->reach));
    CHECK_OK(kl_fuzz_case_fill(&room->bench, out, &room->arena));
    kl_buf_clear(&room->text);
    kl_json_put_object(&json);
    kl_fuzz_case_put(&json, "test", out);
    kl_json_put_object_end(&json);
    CHECK(!room->text.failed);
}

/* A test's number and fork say everything about it. */
KL_TEST(fuzz_seed_is_the_test)
{
    struct room room, other;
    open_room(&room);
    open_room(&other);
    for (usize i = 0; i < KL_COUNT_OF(forks); i++) {
        kl_fuzz_case a, b;
        u64 number = kl_rand(seed) >> 1;
        make(&other, number + 1, forks[i], &b);
        make(&room, number, forks[i], &a);
        CHECK(!kl_span_eq(kl_buf_view(&room.text), kl_buf_view(&other.text)));
        make(&other, number, forks[i], &b);
        CHECK_SPAN(kl_buf_view(&room.text), kl_buf_view(&other.text));
    }
    close_room(&room);
    close_room(&other);
}

/* What is written can be read by its fields alone: they give the very bytes that were signed, and
 * the environment and the accounts that were meant. */
static void read_back(struct room *room, const kl_fuzz_case *c)
{
    struct kl_fixture f;
    usize count;
    CHECK_OK(kl_fixture_parse(&f, kl_buf_view(&room->text), &room->arena));
    kl_json_ref test = kl_json_member(&f.json, 0, "test");
    kl_json_ref tx = kl_json_member(&f.json, test, "transaction");
    kl_header env = kl_statetest_env(&f, kl_json_member(&f.json, test, "env"), c->fork);
    CHECK(memcmp(&env, &c->env, sizeof env) == 0);
    const kl_alloc *alloc = kl_fixture_alloc(&f, kl_json_member(&f.json, test, "pre"), &count);
    CHECK(count == c->alloc_count);
    for (usize i = 0; i < count; i++) {
        CHECK(kl_address_eq(&alloc[i].address, &c->alloc[i].address));
        CHECK(kl_u256_eq(alloc[i].balance, c->alloc[i].balance));
        CHECK_SPAN(alloc[i].code, c->alloc[i].code);
        CHECK(alloc[i].nonce == c->alloc[i].nonce);
        CHECK(alloc[i].slot_count == c->alloc[i].slot_count);
    }
    for (usize i = 0; i < c->gas_count; i++) {
        kl_tx got;
        kl_rule broken;
        CHECK_OK(kl_statetest_tx(&f, tx, &(kl_case_indexes){.gas = i}, KL_SPAN_NONE, c->fork, &got,
                                 &broken));
        /* A legacy signature with a chain id is what fields cannot ask for. */
        if (c->tx.type != KL_TX_LEGACY)
            CHECK_SPAN(got.raw, c->raw[i]);
        CHECK(got.gas_limit == c->gas[i]);
    }
    CHECK(!f.bad);
}

KL_TEST(fuzz_tests_are_read_back)
{
    struct room room;
    open_room(&room);
    for (usize i = 0; i < 10 * KL_COUNT_OF(forks); i++) {
        kl_fuzz_case c;
        make(&room, kl_rand(seed) >> 1, forks[i % KL_COUNT_OF(forks)], &c);
        CHECK(c.gas_count >= 1);
        read_back(&room, &c);
        kl_arena_reset(&room.arena, (usize)16 << 20);
    }
    close_room(&room);
}

/* One less than what a run used, with its refund, is not enough for the same run. */
KL_TEST(fuzz_gas_is_at_the_edge)
{
    struct room room;
    usize edges = 0;
    open_room(&room);
    for (usize i = 0; i < 60; i++) {
        kl_fuzz_case c;
        make(&room, kl_rand(seed) >> 1, KL_CANCUN, &c);
        for (usize j = 0; j + 1 < c.gas_count; j++) {
            if (c.gas[j + 1] + 1 != c.gas[j])
                continue;
            bool differ = !kl_hash_eq(&c.end[j].root, &c.end[j + 1].root);
            edges += differ;
        }
        kl_arena_reset(&room.arena, (usize)16 << 20);
    }
    CHECK(edges >= 20);
    close_room(&room);
}

/* Frames below the outermost, as one run sees them. */
struct inner {
    struct kl_tracer tracer;
    u64 sentry;       /* what SSTORE asks for at least */
    u64 steps, first; /* how many instructions; the first that just can be paid, from 1 */
    kl_address tight; /* calls of this one: */
    u64 allowance, exact, spare, failed;
    u64 given;
};

static void inner_step(struct kl_tracer *tracer, const kl_trace_step *s)
{
    struct inner *in = (struct inner *)tracer;
    u64 need = s->op == 0x55 ? KL_MAX(s->gas_cost, in->sentry) : s->gas_cost;
    in->steps++;
    if (s->depth > 1 && s->gas == need && in->first == 0)
        in->first = in->steps;
}

static void inner_enter(struct kl_tracer *tracer, const kl_trace_call *call)
{
    struct inner *in = (struct inner *)tracer;
    bool meant = kl_address_eq(&call->code_address, &in->tight) &&
                 kl_u256_eq(call->value, KL_U256_ONE) && call->gas == in->allowance + 2300;
    in->given = meant ? call->gas : 0;
}

static void inner_leave(struct kl_tracer *tracer, KL_UNUSED const kl_trace_call *call,
                        const kl_trace_end *end)
{
    struct inner *in = (struct inner *)tracer;
    if (in->given) {
        in->failed += end->halt != 0;
        in->exact += end->halt == 0 && end->gas_used == in->given;
        in->spare += end->halt == 0 && end->gas_used + 1 == in->given;
    }
    in->given = 0;
}

static void run_inner(struct room *room, const kl_fuzz_case *c, u64 gas, struct inner *in)
{
    kl_span raw;
    kl_statecase end;
    CHECK_OK(kl_fuzz_case_run(&room->bench, c, gas, &room->arena, &in->tracer, &raw, &end));
}

/* Some limits leave an instruction of an inner call just what it takes, and one less does not. */
KL_TEST(fuzz_gas_is_at_the_edge_of_inner_calls)
{
    struct room room;
    usize edges = 0;
    open_room(&room);
    for (usize i = 0; i < 60; i++) {
        kl_fuzz_case c;
        make(&room, kl_rand(seed) >> 1, KL_PRAGUE, &c);
        for (usize j = 0; j + 1 < c.gas_count; j++) {
            struct inner at = {.tracer = {.step = inner_step}, .sentry = 2301}, below = at;
            if (c.gas[j + 1] + 1 != c.gas[j])
                continue;
            run_inner(&room, &c, c.gas[j], &at);
            run_inner(&room, &c, c.gas[j + 1], &below);
            edges += at.first > 0 && below.first != at.first;
        }
        kl_arena_reset(&room.arena, (usize)16 << 20);
    }
    CHECK(edges >= 20);
    close_room(&room);
}

/* The stipend just suffices, leaves one, or lacks one. */
KL_TEST(fuzz_tight_code_takes_what_it_gets)
{
    struct room room;
    struct inner in = {.tracer = {.enter = inner_enter, .leave = inner_leave}};
    open_room(&room);
    for (usize i = 0; i < 300 * KL_COUNT_OF(forks); i++) {
        struct kl_fuzz f;
        kl_fuzz_case c;
        CHECK_OK(kl_fuzz_generate(&f, kl_rand(seed) >> 1, forks[i % KL_COUNT_OF(forks)],
                                  &room.bench, &room.arena, &c));
        in.tight = f.contract[f.tight];
        in.allowance = f.allowance;
        if (f.tight)
            run_inner(&room, &c, 10000000, &in);
        kl_arena_reset(&room.arena, (usize)16 << 20);
    }
    CHECK(in.exact > 0 && in.spare > 0 && in.failed > 0);
    close_room(&room);
}

/* Minds any case in which some account's code has an SSTORE. */
static kl_status has_sstore(KL_UNUSED struct kl_fuzz_judge *judge, const kl_fuzz_case *c, bool *out)
{
    *out = false;
    for (usize i = 0; i < c->alloc_count; i++)
        if (c->alloc[i].code.len && memchr(c->alloc[i].code.p, 0x55, c->alloc[i].code.len))
            *out = true;
    return KL_OK;
}

static kl_status minds_nothing(KL_UNUSED struct kl_fuzz_judge *judge,
                               KL_UNUSED const kl_fuzz_case *c, bool *out)
{
    *out = false;
    return KL_OK;
}

/* Whatever can go goes: one account with one byte of code is left. */
KL_TEST(fuzz_shrink_leaves_what_matters)
{
    struct room room;
    usize shrunk = 0;
    open_room(&room);
    for (usize i = 0; i < 4; i++) {
        struct kl_fuzz_judge judge = {has_sstore}, content = {minds_nothing};
        kl_fuzz_case c;
        bool differs;
        u64 tries;
        make(&room, kl_rand(seed) >> 1, KL_PRAGUE, &c);
        CHECK(kl_fuzz_shrink(&room.bench, &content, &c, &room.arena, &tries) == KL_NOTFOUND);
        CHECK_OK(has_sstore(&judge, &c, &differs));
        if (differs) {
            CHECK_OK(kl_fuzz_shrink(&room.bench, &judge, &c, &room.arena, &tries));
            shrunk++;
            CHECK(tries > 1 && c.gas_count == 1 && c.alloc_count == 1);
            CHECK_HEX(c.alloc[0].code, "55");
            CHECK(c.alloc[0].slot_count == 0 && c.alloc[0].nonce == 0);
            CHECK(kl_u256_is_zero(c.alloc[0].balance) && c.tx.data.len == 0);
            CHECK(c.tx.type == KL_TX_LEGACY && kl_u256_is_zero(c.tx.value));
        }
        kl_arena_reset(&room.arena, (usize)16 << 20);
    }
    CHECK(shrunk > 0);
    close_room(&room);
}
