/* Blocks of random transactions, committed; every root against one made from all leaves anew. */
#include "state/commit.h"

#include <stdlib.h>

#include "base/test.h"
#include "crypto/keccak.h"
#include "sim/disk.h"
#include "state/format_priv.h"
#include "state/state.h"

enum { PEOPLE = 40, SLOTS = 60 };

struct person {
    bool exists;
    kl_account account; /* storage_root is set when the roots are made */
    kl_u256 slot[SLOTS];
};

static struct twin {
    struct kl_sim_disk *disk;
    struct kl_kv *store;
    struct kl_state *state;
    struct kl_journal *journal;
    struct kl_arena arena, scratch;
    struct kl_delta *head; /* NULL: the database */
    u64 next;
    struct kl_view *view;
    struct kl_view_reader reader;
    bool cleared; /* storage was given up as a whole in this block */
    kl_address address[PEOPLE];
    kl_hash address_hash[PEOPLE];
    kl_u256 key[SLOTS];
    kl_hash key_hash[SLOTS];
    struct person world[PEOPLE];
} t;

static void open_state(void)
{
    kl_state_config config = {
        .kv = t.store,
        .fs = kl_sim_disk_fs(t.disk),
        .history_dir = "history",
        .history_segment_bytes = 1 << 20,
    };
    CHECK_OK(kl_state_open(&t.state, &config));
}

static void begin(u64 *seed)
{
    memset(&t, 0, sizeof t);
    kl_rand_fill(seed, t.address, sizeof t.address);
    for (usize i = 0; i < PEOPLE; i++)
        t.address_hash[i] = kl_keccak256(kl_address_span(&t.address[i]));
    for (usize s = 0; s < SLOTS; s++) {
        t.key[s] = kl_u256_of(s);
        kl_hash bytes = kl_u256_to_hash(t.key[s]);
        t.key_hash[s] = kl_keccak256(kl_hash_span(&bytes));
    }
    kl_arena_init(&t.arena, 1u << 28);
    kl_arena_init(&t.scratch, 1u << 28);
    CHECK_OK(kl_sim_disk_new(&t.disk));
    CHECK_OK(kl_memkv_open(&t.store, KL_TABLE_COUNT));
    kl_journal_config config = {.memory_limit = 64 << 20, .seed = kl_rand(seed)};
    CHECK_OK(kl_journal_new(&t.journal, &config));
    open_state();
}

static void end(void)
{
    kl_delta_unref(t.head);
    kl_journal_free(t.journal);
    kl_state_close(t.state);
    kl_kv_close(t.store);
    kl_sim_disk_free(t.disk);
    kl_arena_done(&t.arena);
    kl_arena_done(&t.scratch);
}

static kl_hash storage_root(const struct person *p)
{
    kl_trie_pair pairs[SLOTS];
    u8 rlp[SLOTS][KL_SLOT_RLP_MAX];
    usize count = 0;
    for (usize s = 0; s < SLOTS; s++) {
        u8 packed[32];
        kl_span value = kl_slot_pack(packed, &p->slot[s]);
        if (value.len == 0)
            continue;
        pairs[count].key = kl_hash_span(&t.key_hash[s]);
        pairs[count].value = kl_slot_rlp(rlp[count], value);
        count++;
    }
    kl_hash root;
    CHECK_OK(kl_trie_map_root(&root, pairs, count, &t.arena));
    return root;
}

/* The root of the twin's world, from its leaves. */
static kl_hash world_root(void)
{
    kl_trie_pair pairs[PEOPLE];
    u8 rlp[PEOPLE][KL_ACCOUNT_RLP_MAX];
    usize count = 0;
    kl_arena_reset(&t.arena, SIZE_MAX);
    for (usize i = 0; i < PEOPLE; i++) {
        struct person *p = &t.world[i];
        if (!p->exists)
            continue;
        p->account.storage_root = storage_root(p);
        kl_out out = kl_out_of(rlp[count], sizeof rlp[count]);
        kl_account_encode(&out, &p->account);
        pairs[count++] = (kl_trie_pair){kl_hash_span(&t.address_hash[i]), kl_out_done(&out)};
    }
    kl_hash root;
    CHECK_OK(kl_trie_map_root(&root, pairs, count, &t.arena));
    return root;
}

static kl_jaccount *account(usize i)
{
    kl_jaccount *a;
    CHECK_OK(kl_journal_account(t.journal, &t.address[i], &a));
    return a;
}

static kl_jslot *slot(usize i, usize s)
{
    kl_jslot *out;
    bool cold;
    CHECK_OK(kl_journal_slot(t.journal, account(i), &t.key[s], &out, &cold));
    return out;
}

/* Takes what the journal says, all of it, as the twin's world. */
static void learn_world(void)
{
    for (usize i = 0; i < PEOPLE; i++) {
        const kl_jaccount *a = account(i);
        t.world[i].exists = a->exists;
        t.world[i].account = a->now;
        for (usize s = 0; s < SLOTS; s++)
            t.world[i].slot[s] = slot(i, s)->current;
        t.cleared |= a->wiped;
    }
}

static kl_u256 random_word(u64 *seed)
{
    kl_u256 word = KL_U256_ZERO;
    u64 kind = kl_rand_below(seed, 4);
    if (kind == 1)
        word = kl_u256_of(kl_rand_below(seed, 300));
    else if (kind > 1)
        kl_rand_fill(seed, &word, 8 * kind);
    return word;
}

/* One operation on one of a few accounts, so that blocks meet the same ones again. */
static void change(u64 *seed, usize i)
{
    kl_jaccount *a = account(i);
    u64 what = kl_rand_below(seed, 20);
    if (what < 5)
        kl_journal_set_balance(t.journal, a, random_word(seed));
    else if (what < 7)
        kl_journal_set_nonce(t.journal, a, kl_rand_below(seed, 5));
    else if (what < 8) {
        u8 code[50];
        kl_rand_fill(seed, code, 2);
        usize len = kl_rand_below(seed, 3);
        CHECK_OK(kl_journal_set_code(t.journal, a, kl_span_of(code, len), NULL));
    } else if (what < 9)
        kl_journal_touch(t.journal, a);
    else if (what < 10) {
        kl_journal_create(t.journal, a);
        kl_journal_set_nonce(t.journal, a, 1);
    } else if (what < 11)
        kl_journal_destroy(t.journal, a);
    else if (a->exists) {
        /* A storage trie of any size, often made smaller again. */
        usize many = kl_rand_below(seed, 4) ? 1 : kl_rand_below(seed, SLOTS);
        bool zero = kl_rand_below(seed, 3) == 0;
        for (; many > 0; many--) {
            kl_u256 word = zero ? KL_U256_ZERO : random_word(seed);
            kl_journal_set_slot(t.journal, a, slot(i, kl_rand_below(seed, SLOTS)), &word);
        }
    }
}

/* Storage belongs to contracts: whoever has some and is empty would be deleted with it. */
static void run_tx(u64 *seed)
{
    kl_journal_begin_tx(t.journal);
    u32 start = kl_journal_snapshot(t.journal);
    usize changes = 1 + kl_rand_below(seed, 12), few = 1 + kl_rand_below(seed, PEOPLE);
    for (usize c = 0; c < changes; c++) {
        u32 snapshot = kl_journal_snapshot(t.journal);
        change(seed, kl_rand_below(seed, few));
        if (kl_rand_below(seed, 6) == 0)
            kl_journal_revert(t.journal, snapshot);
    }
    if (kl_rand_below(seed, 8) == 0)
        kl_journal_revert(t.journal, start);
    CHECK_OK(kl_journal_end_tx(t.journal, kl_rand_below(seed, 2)));
}

static void check_root(const kl_hash *got)
{
    kl_hash want = world_root();
    CHECK_SPAN(kl_hash_span(got), kl_hash_span(&want));
}

/* The stored version says what the twin says. */
static void check_view(u64 *seed, struct kl_view *view)
{
    kl_hash root;
    CHECK_OK(kl_trie_root(&root, NULL, kl_view_tries(view), &t.scratch));
    check_root(&root);
    for (usize n = 0; n < PEOPLE; n++) {
        usize i = kl_rand_below(seed, PEOPLE);
        kl_account got;
        bool exists;
        CHECK_OK(kl_view_account(view, &t.address_hash[i], &got, &exists));
        CHECK(exists == t.world[i].exists);
        if (!exists)
            continue;
        CHECK_SPAN(KL_SPAN_OF(got), KL_SPAN_OF(t.world[i].account));
        kl_span code;
        if (!kl_hash_eq(&got.code_hash, &kl_keccak_empty)) {
            CHECK_OK(kl_view_code(view, &got.code_hash, &code));
            kl_hash hash = kl_keccak256(code);
            CHECK(kl_hash_eq(&hash, &got.code_hash));
        }
        usize s = kl_rand_below(seed, SLOTS);
        kl_u256 value;
        CHECK_OK(kl_view_slot(view, &t.address_hash[i], &t.key_hash[s], &value));
        CHECK(kl_u256_eq(value, t.world[i].slot[s]));
        CHECK_OK(kl_trie_root(&root, &t.address_hash[i], kl_view_tries(view), &t.scratch));
        CHECK(kl_hash_eq(&root, &got.storage_root));
    }
}

static struct kl_view *open_head(void)
{
    struct kl_view *view;
    CHECK_OK(kl_state_view(t.state, t.head, &view));
    return view;
}

/* Only what differs is in the delta; nodes of storage that was cleared may repeat themselves. */
static void check_entries(const struct kl_delta *delta, struct kl_view *before)
{
    usize cursor = 0;
    kl_table table;
    kl_span key, value, old;
    bool gone;
    while (kl_delta_next(delta, &cursor, &table, &key, &value, &gone)) {
        kl_status status = kl_view_get(before, table, key, &old);
        bool same = status == KL_OK ? !gone && kl_span_eq(value, old) : gone;
        CHECK(status == KL_OK || status == KL_NOTFOUND);
        CHECK(!same || table == KL_TABLE_PREIMAGE || (table == KL_TABLE_NODE && t.cleared));
    }
}

static void check_preimages(struct kl_view *view)
{
    kl_span preimage;
    for (usize i = 0; i < PEOPLE; i++) {
        if (!t.world[i].exists)
            continue;
        CHECK_OK(kl_view_get(view, KL_TABLE_PREIMAGE, kl_hash_span(&t.address_hash[i]), &preimage));
        CHECK_SPAN(preimage, kl_address_span(&t.address[i]));
        for (usize s = 0; s < SLOTS; s++)
            if (!kl_u256_is_zero(t.world[i].slot[s]))
                CHECK_OK(
                    kl_view_get(view, KL_TABLE_PREIMAGE, kl_hash_span(&t.key_hash[s]), &preimage));
    }
}

static void run_block(u64 *seed)
{
    kl_hash root;
    struct kl_delta_builder *builder;
    struct kl_delta *delta;
    t.view = open_head();
    t.cleared = false;
    kl_view_reader_init(&t.reader, t.view);
    kl_journal_begin_block(t.journal, &t.reader.reader);
    for (usize txs = kl_rand_below(seed, 5); txs > 0; txs--) {
        run_tx(seed);
        if (kl_rand_below(seed, 2))
            continue;
        CHECK_OK(kl_state_commit(t.journal, t.view, NULL, false, &root, &t.scratch, NULL));
        kl_journal_begin_tx(t.journal);
        learn_world();
        check_root(&root);
    }
    CHECK_OK(kl_delta_begin(&builder, t.head, t.next));
    CHECK_OK(kl_state_commit(t.journal, t.view, builder, true, &root, &t.scratch, NULL));
    CHECK_OK(kl_delta_seal(builder, &delta));
    kl_journal_begin_tx(t.journal);
    learn_world();
    check_root(&root);
    check_entries(delta, t.view);
    kl_view_close(t.view);
    kl_delta_unref(t.head);
    t.head = delta;
    t.next++;
    struct kl_view *view = open_head();
    check_view(seed, view);
    check_preimages(view);
    kl_view_close(view);
}

static void flush(u64 *seed)
{
    kl_state_damage damage;
    CHECK_OK(kl_state_flush(t.state, t.head, KL_SPAN_NONE));
    CHECK_OK(kl_state_scrub(t.state, &damage, NULL, NULL));
    if (kl_rand_below(seed, 3) == 0) {
        kl_delta_unref(t.head);
        t.head = NULL;
    }
    if (!t.head && kl_rand_below(seed, 2)) {
        kl_state_close(t.state);
        open_state();
    }
    struct kl_view *view = open_head();
    check_view(seed, view);
    kl_view_close(view);
}

KL_TEST(commit_gives_the_root_of_all_leaves)
{
    for (int round = 0; round < 4; round++) {
        begin(seed);
        for (int block = 0; block < 60; block++) {
            run_block(seed);
            if (kl_rand_below(seed, 6) == 0)
                flush(seed);
        }
        end();
    }
}
