/* What the state's hot paths cost in processor time, over a database in memory: program [ACCOUNTS].
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/rand.h"
#include "crypto/keccak.h"
#include "state/commit.h"
#include "state/state.h"

enum { SLOTS = 64, PATHS = 300 };

static struct kl_kv *store;
static struct kl_state *state;
static struct kl_journal *journal;
static struct kl_arena scratch;
static struct kl_delta *head;
static u64 next_version;
static usize accounts = 100000;
static u64 seed = 1;

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void ok(kl_status status)
{
    KL_ASSERT(status == KL_OK);
}

static void print(const char *what, double ns, double count)
{
    printf("%-56s %12.1f ns\n", what, ns / count);
}

static kl_address address_of(u64 n)
{
    kl_address a = {0};
    kl_store_be64(a.b + 12, n);
    return a;
}

static kl_jaccount *account(u64 n)
{
    kl_jaccount *a;
    kl_address address = address_of(n);
    ok(kl_journal_account(journal, &address, &a));
    return a;
}

static void pay(u64 to, u64 wei)
{
    kl_jaccount *a = account(to);
    kl_journal_set_balance(journal, a, kl_u256_add(a->now.balance, kl_u256_of(wei)));
}

static void transfer(u64 from, u64 to)
{
    kl_journal_begin_tx(journal);
    kl_jaccount *a = account(from);
    kl_journal_set_nonce(journal, a, a->now.nonce + 1);
    u32 snapshot = kl_journal_snapshot(journal);
    kl_journal_set_balance(journal, a, kl_u256_sub(a->now.balance, kl_u256_of(21001)));
    pay(to, 1);
    (void)snapshot;
    pay(accounts, 21000);
    ok(kl_journal_end_tx(journal, true));
}

/* Times of one block: opening the view and reading, executing, committing, sealing. */
struct times {
    double view, run, commit, seal;
};

static void block(usize transfers, struct times *t)
{
    struct kl_view *view;
    struct kl_view_reader reader;
    struct kl_delta_builder *builder;
    struct kl_delta *delta;
    kl_hash root;
    double t0 = now_ns();
    ok(kl_state_view(state, head, &view));
    double t1 = now_ns();
    kl_view_reader_init(&reader, view);
    kl_journal_begin_block(journal, &reader.reader);
    for (usize i = 0; i < transfers; i++)
        transfer(kl_rand_below(&seed, accounts), kl_rand_below(&seed, accounts));
    double t2 = now_ns();
    ok(kl_delta_begin(&builder, head, next_version++));
    ok(kl_state_commit(journal, view, builder, false, &root, &scratch, NULL));
    double t3 = now_ns();
    ok(kl_delta_seal(builder, &delta));
    double t4 = now_ns();
    kl_view_close(view);
    kl_delta_unref(head);
    head = delta;
    if (!t)
        return;
    t->view += t1 - t0;
    t->run += t2 - t1;
    t->commit += t3 - t2;
    t->seal += t4 - t3;
}

static void make_genesis(void)
{
    struct kl_view *view;
    struct kl_view_reader reader;
    struct kl_delta_builder *builder;
    kl_hash root;
    ok(kl_state_view(state, NULL, &view));
    kl_view_reader_init(&reader, view);
    kl_journal_begin_block(journal, &reader.reader);
    for (u64 n = 0; n <= accounts; n++)
        pay(n, 1000000000000);
    ok(kl_delta_begin(&builder, NULL, next_version++));
    ok(kl_state_commit(journal, view, builder, false, &root, &scratch, NULL));
    ok(kl_delta_seal(builder, &head));
    kl_view_close(view);
    ok(kl_state_flush(state, head, KL_SPAN_NONE));
}

static usize entries_of(const struct kl_delta *delta)
{
    usize cursor = 0;
    kl_table table;
    kl_span key, value;
    bool gone;
    while (kl_delta_next(delta, &cursor, &table, &key, &value, &gone))
        continue;
    return cursor;
}

static void bench_blocks(usize transfers, usize blocks)
{
    struct times t = {0};
    for (usize i = 0; i < 20; i++)
        block(transfers, NULL);
    for (usize i = 0; i < blocks; i++)
        block(transfers, &t);
    printf("blocks of %zu transfers (%zu entries)\n", transfers, entries_of(head));
    print("  open the view", t.view, (double)blocks);
    print("  transfers, each", t.run, (double)(blocks * transfers));
    print("  commit", t.commit, (double)blocks);
    print("  seal", t.seal, (double)blocks);
    print("  commit and seal", t.commit + t.seal, (double)blocks);
}

/* A read of an account: in one of the last deltas, or only in the database. */
static void bench_get(usize depth)
{
    ok(kl_state_flush(state, head, KL_SPAN_NONE));
    static kl_hash recent[PATHS];
    usize count = 0, blocks = depth;
    for (usize i = 0; i < blocks; i++) {
        u64 before = seed;
        block(2, NULL);
        kl_address a = address_of(kl_rand_below(&before, accounts));
        if (count < PATHS)
            recent[count++] = kl_keccak256(kl_address_span(&a));
    }
    struct kl_view *view;
    ok(kl_state_view(state, depth ? head : NULL, &view));
    kl_span value;
    enum { READS = 300000 };
    double start = now_ns();
    for (usize i = 0; i < READS; i++)
        ok(count ? kl_view_get(view, KL_TABLE_ACCOUNT, kl_hash_span(&recent[i * 7 % count]), &value)
                 : KL_OK);
    double middle = now_ns();
    kl_hash nowhere = {{0}};
    for (u64 i = 0; i < READS; i++) {
        kl_store_le64(nowhere.b, kl_rand(&seed));
        KL_ASSERT(kl_view_get(view, KL_TABLE_PREIMAGE, kl_hash_span(&nowhere), &value) ==
                  KL_NOTFOUND);
    }
    double end = now_ns();
    char text[80];
    snprintf(text, sizeof text, "get through %zu deltas: there", depth);
    if (depth)
        print(text, middle - start, READS);
    snprintf(text, sizeof text, "get through %zu deltas: nowhere", depth);
    print(text, end - middle, READS);
    kl_view_close(view);
}

static void bench_flush(usize transfers, usize blocks)
{
    ok(kl_state_flush(state, head, KL_SPAN_NONE));
    usize entries = 0;
    for (usize i = 0; i < blocks; i++) {
        block(transfers, NULL);
        entries += entries_of(head);
    }
    double start = now_ns();
    ok(kl_state_flush(state, head, KL_SPAN_NONE));
    double end = now_ns();
    char text[80];
    snprintf(text, sizeof text, "flush of %zu blocks of %zu transfers, an entry", blocks,
             transfers);
    print(text, end - start, (double)entries);
}

static void bench_journal(void)
{
    enum { ROUNDS = 2000, FEW = 500 };
    struct kl_view *view;
    struct kl_view_reader reader;
    ok(kl_state_view(state, head, &view));
    kl_view_reader_init(&reader, view);
    kl_journal_begin_block(journal, &reader.reader);
    double start = now_ns();
    for (u64 n = 0; n < FEW; n++)
        account(n);
    print("journal: account, first time", now_ns() - start, FEW);
    start = now_ns();
    for (u64 i = 0; i < ROUNDS; i++)
        for (u64 n = 0; n < FEW; n++)
            account(n);
    print("journal: account, again", now_ns() - start, ROUNDS * FEW);
    kl_jaccount *a = account(1);
    kl_jslot *slot;
    bool cold;
    for (u64 s = 0; s < SLOTS; s++) {
        kl_u256 key = kl_u256_of(s);
        ok(kl_journal_slot(journal, a, &key, &slot, &cold));
    }
    start = now_ns();
    for (u64 i = 0; i < ROUNDS * FEW; i++) {
        kl_u256 key = kl_u256_of(i % SLOTS);
        ok(kl_journal_slot(journal, a, &key, &slot, &cold));
    }
    print("journal: slot, warm", now_ns() - start, ROUNDS * FEW);
    start = now_ns();
    for (u64 i = 0; i < ROUNDS; i++) {
        u32 snapshot = kl_journal_snapshot(journal);
        for (u64 s = 0; s < SLOTS; s++) {
            kl_u256 key = kl_u256_of(s), value = kl_u256_of(i + s + 1);
            ok(kl_journal_slot(journal, a, &key, &slot, &cold));
            kl_journal_set_slot(journal, a, slot, &value);
        }
        kl_journal_revert(journal, snapshot);
    }
    print("journal: slot, set and reverted", now_ns() - start, ROUNDS * SLOTS);
    start = now_ns();
    for (u64 i = 0; i < ROUNDS * FEW; i++) {
        kl_u256 key = kl_u256_of(i % SLOTS);
        ok(kl_journal_set_transient(journal, &a->address, &key, &key));
        if (i % 1024 == 0)
            kl_journal_begin_tx(journal);
    }
    print("journal: transient, set", now_ns() - start, ROUNDS * FEW);
    kl_view_close(view);
}

static void bench_views(void)
{
    enum { VIEWS = 200000 };
    struct kl_view *view;
    double start = now_ns();
    for (int i = 0; i < VIEWS; i++) {
        ok(kl_state_view(state, head, &view));
        kl_view_close(view);
    }
    print("view: open at the head and close", now_ns() - start, VIEWS);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        accounts = strtoull(argv[1], NULL, 10);
    kl_state_config config = {0};
    kl_journal_config journal_config = {.memory_limit = (usize)4 << 30, .seed = 7};
    ok(kl_memkv_open(&store, KL_TABLE_COUNT));
    config.kv = store;
    ok(kl_state_open(&state, &config));
    ok(kl_journal_new(&journal, &journal_config));
    kl_arena_init(&scratch, (usize)8 << 30);
    make_genesis();
    printf("%zu accounts, Keccak %s\n", accounts, kl_keccak_lanes());
    bench_journal();
    static const usize depths[] = {0, 1, 10, 63, 100, 255, 300};
    for (usize i = 0; i < KL_COUNT_OF(depths); i++)
        bench_get(depths[i]);
    bench_views();
    bench_blocks(1, 400);
    bench_flush(1, 100);
    bench_blocks(1000, 20);
    bench_flush(1000, 20);
    kl_delta_unref(head);
    kl_journal_free(journal);
    kl_arena_done(&scratch);
    kl_state_close(state);
    kl_kv_close(store);
    return 0;
}
