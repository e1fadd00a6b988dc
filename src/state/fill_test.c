/* Databases made of ranges, in any order, of one state and then another. */
#include "state/fill.h"

#include <stdlib.h>

#include "base/test.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"
#include "store/memkv.h"

enum { ACCOUNTS_MAX = 120, SLOTS_MAX = 30, CODES = 5 };

struct account {
    kl_hash key;
    kl_account value;
    usize code; /* CODES: none */
    usize slot_count;
    kl_trie_change slots[SLOTS_MAX];
};

struct world {
    struct account accounts[ACCOUNTS_MAX];
    kl_trie_change leaves[ACCOUNTS_MAX];
    usize count;
    kl_hash root;
};

static struct world worlds[2];
static struct kl_arena arena;
static struct kl_kv *kv;

static int by_key(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(kl_hash)); /* keys stand first */
}

static kl_span code_of(usize n)
{
    static u8 codes[CODES][40];
    memset(codes[n], (int)n + 1, sizeof codes[n]);
    return KL_SPAN_OF(codes[n]);
}

static kl_hash root_of(const kl_trie_change *leaves, usize count)
{
    kl_trie_pair *pairs = KL_TAKE(&arena, kl_trie_pair, count + 1);
    kl_hash root;
    CHECK(pairs);
    for (usize i = 0; i < count; i++)
        pairs[i] = (kl_trie_pair){kl_hash_span(&leaves[i].key), leaves[i].value};
    CHECK_OK(kl_trie_map_root(&root, pairs, count, &arena));
    return root;
}

static void make_storage(struct account *a, u64 *seed)
{
    a->slot_count = kl_rand_below(seed, 3) ? 0 : kl_rand_below(seed, SLOTS_MAX);
    for (usize i = 0; i < a->slot_count; i++) {
        u8 room[33];
        kl_out out = kl_out_of(room, sizeof room);
        kl_rand_fill(seed, &a->slots[i].key, sizeof(kl_hash));
        kl_rlp_put_u64(&out, 1 + kl_rand_below(seed, 1000));
        a->slots[i].value = kl_arena_copy(&arena, kl_out_done(&out));
    }
    qsort(a->slots, a->slot_count, sizeof a->slots[0], by_key);
    a->value.storage_root = root_of(a->slots, a->slot_count);
}

static void make_account(struct account *a, u64 *seed)
{
    a->code = kl_rand_below(seed, 2) ? CODES : kl_rand_below(seed, CODES);
    a->value = (kl_account){.nonce = kl_rand_below(seed, 99)};
    a->value.code_hash = a->code == CODES ? kl_keccak_empty : kl_keccak256(code_of(a->code));
    make_storage(a, seed);
}

static void seal(struct world *w)
{
    qsort(w->accounts, w->count, sizeof w->accounts[0], by_key);
    for (usize i = 0; i < w->count; i++) {
        u8 room[KL_ACCOUNT_RLP_MAX];
        kl_out out = kl_out_of(room, sizeof room);
        kl_account_encode(&out, &w->accounts[i].value);
        w->leaves[i] =
            (kl_trie_change){w->accounts[i].key, kl_arena_copy(&arena, kl_out_done(&out))};
    }
    w->root = root_of(w->leaves, w->count);
}

/* A world, and one some blocks later. */
static void make_worlds(u64 *seed)
{
    struct world *a = &worlds[0], *b = &worlds[1];
    kl_arena_init(&arena, 1 << 26);
    a->count = 1 + kl_rand_below(seed, ACCOUNTS_MAX - 1);
    for (usize i = 0; i < a->count; i++) {
        kl_rand_fill(seed, &a->accounts[i].key, sizeof(kl_hash));
        make_account(&a->accounts[i], seed);
    }
    seal(a);
    b->count = 0;
    for (usize i = 0; i < a->count; i++) {
        u64 what = kl_rand_below(seed, 8);
        if (what == 0)
            continue; /* gone */
        struct account *at = &b->accounts[b->count++];
        *at = a->accounts[i];
        if (what == 1)
            make_account(at, seed);
        if (what == 2) /* another one */
            kl_rand_fill(seed, &at->key, sizeof(kl_hash));
    }
    seal(b);
}

static void begin(u64 *seed)
{
    make_worlds(seed);
    CHECK_OK(kl_memkv_open(&kv, KL_TABLE_COUNT));
}

static void end(void)
{
    kl_kv_close(kv);
    kl_arena_done(&arena);
}

static kl_hash bound(u8 nibble, u8 rest)
{
    kl_hash key;
    memset(&key, rest, sizeof key);
    key.b[0] = (u8)(nibble << 4 | (rest & 15));
    return key;
}

static kl_status lay_accounts(struct kl_state_filler *f, const struct world *w, u8 nibble)
{
    kl_hash first = bound(nibble, 0), last = bound(nibble, 0xff);
    usize from = 0, to;
    while (from < w->count && memcmp(&w->leaves[from].key, &first, sizeof first) < 0)
        from++;
    for (to = from; to < w->count && memcmp(&w->leaves[to].key, &last, sizeof last) <= 0;)
        to++;
    return kl_state_fill_range(f, NULL, &first, &last, w->leaves + from, to - from);
}

static const struct account *account_of(const struct world *w, const kl_hash *key)
{
    for (usize i = 0; i < w->count; i++)
        if (kl_hash_eq(&w->accounts[i].key, key))
            return &w->accounts[i];
    return NULL;
}

/* Storage in parts that follow one another. */
static void lay_storage(struct kl_state_filler *f, const struct account *a, u64 *seed)
{
    kl_hash first = {{0}}, last;
    usize at = 0;
    while (at < a->slot_count) {
        usize count = 1 + kl_rand_below(seed, a->slot_count - at);
        last = a->slots[at + count - 1].key;
        if (at + count == a->slot_count)
            memset(&last, 0xff, sizeof last);
        CHECK_OK(kl_state_fill_range(f, &a->key, &first, &last, a->slots + at, count));
        at += count;
        first = last;
        CHECK(kl_hash_next(&first) || at == a->slot_count);
    }
}

/* Everything that next says is missing is put; how many accounts that were. */
static usize complete(struct kl_state_filler *f, const struct world *w, u64 *seed)
{
    kl_hash from = {{0}};
    usize wants = 0;
    for (;;) {
        kl_hash last;
        kl_state_want want;
        bool found;
        memset(&last, 0xff, sizeof last);
        CHECK_OK(kl_state_fill_next(f, &from, &last, &found, &want));
        if (!found)
            return wants;
        const struct account *a = account_of(w, &want.account);
        CHECK(a && (want.code || want.storage));
        CHECK(kl_hash_eq(&want.storage_root, &a->value.storage_root));
        if (want.code)
            CHECK_OK(kl_state_fill_code(f, &want.code_hash, code_of(a->code)));
        if (want.storage)
            lay_storage(f, a, seed);
        from = want.account;
        wants++;
    }
}

static void check_whole(const struct world *w)
{
    const kl_state_config config = {.kv = kv};
    struct kl_state *state;
    struct kl_view *view;
    kl_state_damage damage;
    kl_span anchor;
    u64 version;
    CHECK_OK(kl_state_open(&state, &config));
    CHECK(kl_state_stored(state, &version, &anchor) && version == 9);
    CHECK_OK(kl_state_scrub(state, &damage, NULL, NULL));
    CHECK_OK(kl_state_view(state, NULL, &view));
    for (usize i = 0; i < w->count; i++) {
        const struct account *a = &w->accounts[i];
        kl_account got;
        kl_u256 value;
        kl_span code;
        bool exists;
        CHECK_OK(kl_view_account(view, &a->key, &got, &exists));
        CHECK(exists && got.nonce == a->value.nonce);
        for (usize s = 0; s < a->slot_count; s++) {
            CHECK_OK(kl_view_slot(view, &a->key, &a->slots[s].key, &value));
            CHECK(!kl_u256_is_zero(value));
        }
        if (a->code < CODES)
            CHECK_OK(kl_view_code(view, &a->value.code_hash, &code));
    }
    kl_view_close(view);
    kl_state_close(state);
}

static void lay_all(struct kl_state_filler *f, const struct world *w, u64 *seed)
{
    u8 start = (u8)kl_rand_below(seed, 16);
    for (u8 i = 0; i < 16; i++)
        CHECK_OK(lay_accounts(f, w, (u8)((start + 5 * i) % 16)));
    complete(f, w, seed);
}

KL_TEST(fill_makes_a_state_of_ranges)
{
    for (int round = 0; round < 40; round++) {
        struct kl_state_filler *f;
        kl_span note;
        kl_hash root;
        begin(seed);
        CHECK_OK(kl_state_fill_begin(&f, kv, &note));
        lay_all(f, &worlds[0], seed);
        CHECK_OK(kl_state_fill_root(f, &root));
        CHECK(kl_hash_eq(&root, &worlds[0].root));
        if (kl_rand_below(seed, 2)) { /* the other state over it */
            CHECK_OK(kl_state_fill_commit(f));
            lay_all(f, &worlds[1], seed);
            CHECK_OK(kl_state_fill_root(f, &root));
            CHECK(kl_hash_eq(&root, &worlds[1].root));
            worlds[0] = worlds[1];
        }
        CHECK_U64(complete(f, &worlds[0], seed), 0);
        CHECK_OK(kl_state_fill_end(f, 9));
        check_whole(&worlds[0]);
        end();
    }
}

/* What was committed is there again, with its note; the rest is not. */
KL_TEST(fill_goes_on_where_it_was_committed)
{
    struct kl_state_filler *f;
    struct kl_state *state;
    kl_span note;
    kl_hash root;
    bool is_filling;
    begin(seed);
    const kl_state_config config = {.kv = kv};
    CHECK_OK(kl_state_is_filling(kv, &is_filling));
    CHECK(!is_filling);
    for (u8 i = 0; i < 16; i++) {
        CHECK_OK(kl_state_fill_begin(&f, kv, &note));
        CHECK_U64(note.len, i ? 1 : 0);
        CHECK(!i || note.p[0] == i);
        CHECK(kl_state_open(&state, &config) == KL_CORRUPT);
        CHECK_OK(kl_state_is_filling(kv, &is_filling));
        CHECK(is_filling);
        u8 done = (u8)(i + 1);
        CHECK_OK(lay_accounts(f, &worlds[0], i));
        CHECK_OK(kl_state_fill_note(f, kl_span_of(&done, 1)));
        CHECK_OK(kl_state_fill_commit(f));
        done = 99;
        CHECK_OK(lay_accounts(f, &worlds[1], 15)); /* and then the power goes */
        CHECK_OK(kl_state_fill_note(f, kl_span_of(&done, 1)));
        kl_state_fill_drop(f);
    }
    CHECK_OK(kl_state_fill_begin(&f, kv, &note));
    complete(f, &worlds[0], seed);
    CHECK_OK(kl_state_fill_root(f, &root));
    CHECK(kl_hash_eq(&root, &worlds[0].root));
    CHECK_OK(kl_state_fill_end(f, 9));
    check_whole(&worlds[0]);
    end();
}

/* A database that holds a state is emptied first. */
KL_TEST(fill_begins_empty)
{
    struct kl_state_filler *f;
    kl_span note;
    kl_hash root;
    begin(seed);
    CHECK_OK(kl_state_fill_begin(&f, kv, &note));
    lay_all(f, &worlds[0], seed);
    CHECK_OK(kl_state_fill_end(f, 3));
    CHECK_OK(kl_state_fill_begin(&f, kv, &note));
    CHECK_U64(note.len, 0);
    CHECK_OK(kl_state_fill_root(f, &root));
    CHECK(kl_hash_eq(&root, &kl_keccak_empty_rlp));
    kl_trie_change bad = {worlds[0].accounts[0].key, KL_SPAN_TEXT("no account")};
    CHECK(kl_state_fill_range(f, NULL, &bad.key, &bad.key, &bad, 1) == KL_CORRUPT);
    kl_state_fill_drop(f);
    end();
}
