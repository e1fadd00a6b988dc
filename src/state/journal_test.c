/* The journal against a twin that copies the whole world at every snapshot. */
#include "state/journal.h"

#include <malloc.h>
#include <stdlib.h>

#include "base/test.h"
#include "crypto/keccak.h"
#include "state/journal_priv.h"
#include "state/state.h"

enum { PEOPLE = 10, SLOTS = 6, DEEP = 12, CODE_MAX = 40, LOGS_MAX = 400 };

struct person {
    bool exists;
    u64 nonce, balance;
    u32 code; /* made from this number; 0: none */
    u64 slot[SLOTS];
};

/* Everything that a revert puts back. */
struct world {
    struct person person[PEOPLE];
    u64 transient[PEOPLE][SLOTS];
    bool warm[PEOPLE], warm_slot[PEOPLE][SLOTS];
    bool created[PEOPLE], destroyed[PEOPLE], touched[PEOPLE];
    usize logs;
};

static struct twin {
    struct kl_journal *journal;
    struct kl_state_reader reader;
    struct person stored[PEOPLE];   /* at block start */
    struct person original[PEOPLE]; /* at transaction start */
    struct world now, saved[DEEP];
    u32 snapshot[DEEP];
    usize depth;
    bool ripemd_touched; /* in this transaction, reverted or not */
    u32 logs[LOGS_MAX];
    u32 last_code, last_log;
    kl_address address[PEOPLE];
    kl_hash address_hash[PEOPLE];
    kl_u256 key[SLOTS];
    kl_hash key_hash[SLOTS];
} t;

static kl_span code_bytes(u32 code)
{
    static u8 bytes[CODE_MAX];
    u64 state = code;
    kl_rand_fill(&state, bytes, sizeof bytes);
    return code ? kl_span_of(bytes, 1 + code % CODE_MAX) : KL_SPAN_NONE;
}

static kl_hash code_hash(u32 code)
{
    return kl_keccak256(code_bytes(code));
}

static bool has_slots(const struct person *p)
{
    u64 any = 0;
    for (usize s = 0; s < SLOTS; s++)
        any |= p->slot[s];
    return any;
}

static usize index_of(const kl_hash *hashes, usize count, const kl_hash *hash)
{
    usize i = 0;
    while (i < count && !kl_hash_eq(&hashes[i], hash))
        i++;
    CHECK(i < count);
    return i;
}

static kl_status read_account(struct kl_state_reader *reader, const kl_address *address,
                              const kl_hash *hash, kl_account *out, bool *exists)
{
    CHECK(reader == &t.reader);
    usize i = index_of(t.address_hash, PEOPLE, hash);
    CHECK(kl_address_eq(address, &t.address[i]));
    const struct person *p = &t.stored[i];
    *exists = p->exists;
    *out = kl_account_none();
    if (!p->exists)
        return KL_OK;
    out->nonce = p->nonce;
    out->balance = kl_u256_of(p->balance);
    out->code_hash = code_hash(p->code);
    if (has_slots(p))
        memset(&out->storage_root, 7, sizeof out->storage_root);
    return KL_OK;
}

static kl_status read_slot(struct kl_state_reader *reader, const kl_hash *address_hash,
                           const kl_hash *slot_hash, kl_u256 *out)
{
    CHECK(reader == &t.reader);
    const struct person *p = &t.stored[index_of(t.address_hash, PEOPLE, address_hash)];
    *out = kl_u256_of(p->slot[index_of(t.key_hash, SLOTS, slot_hash)]);
    return KL_OK;
}

static kl_status read_code(struct kl_state_reader *reader, const kl_hash *hash, kl_span *out)
{
    static u8 rooms[PEOPLE][CODE_MAX];
    CHECK(reader == &t.reader);
    for (usize i = 0; i < PEOPLE; i++) {
        kl_hash h = code_hash(t.stored[i].code);
        if (!t.stored[i].code || !kl_hash_eq(&h, hash))
            continue;
        kl_span code = code_bytes(t.stored[i].code);
        memcpy(rooms[i], code.p, code.len);
        *out = kl_span_of(rooms[i], code.len);
        return KL_OK;
    }
    return KL_CORRUPT;
}

static usize users_out;

static void drop_user(void *ctx, void *user)
{
    CHECK(ctx == &t && user == &users_out);
    users_out--;
}

static void begin_block(void)
{
    kl_journal_begin_block(t.journal, &t.reader);
    CHECK_U64(users_out, 0);
    memset(&t.now, 0, sizeof t.now);
    memcpy(t.now.person, t.stored, sizeof t.stored);
    memcpy(t.original, t.stored, sizeof t.stored);
    t.depth = 0;
    t.ripemd_touched = false;
}

static void begin(u64 *seed)
{
    memset(&t, 0, sizeof t);
    users_out = 0;
    t.reader = (struct kl_state_reader){read_account, read_slot, read_code};
    kl_rand_fill(seed, t.address, sizeof t.address);
    kl_rand_fill(seed, t.key, sizeof t.key);
    memset(&t.address[0], 0, sizeof t.address[0]);
    t.address[0].b[19] = 3;
    for (usize i = 0; i < PEOPLE; i++)
        t.address_hash[i] = kl_keccak256(kl_address_span(&t.address[i]));
    for (usize s = 0; s < SLOTS; s++) {
        kl_hash bytes = kl_u256_to_hash(t.key[s]);
        t.key_hash[s] = kl_keccak256(kl_hash_span(&bytes));
    }
    kl_journal_config config = {
        .memory_limit = 16 << 20,
        .drop_user = drop_user,
        .ctx = &t,
        .seed = kl_rand(seed),
    };
    CHECK_OK(kl_journal_new(&t.journal, &config));
    begin_block();
}

static kl_jaccount *account(usize i)
{
    kl_jaccount *a;
    CHECK_OK(kl_journal_account(t.journal, &t.address[i], &a));
    return a;
}

static void touch(usize i)
{
    t.now.touched[i] = t.now.person[i].exists = true;
    t.ripemd_touched |= i == 0;
}

/* Looking at one account and slot in every way; warms them. */
static void look(u64 *seed)
{
    usize i = kl_rand_below(seed, PEOPLE), s = kl_rand_below(seed, SLOTS);
    kl_jaccount *a = account(i);
    const struct person *p = &t.now.person[i];
    CHECK(a->exists == p->exists);
    CHECK_U64(a->now.nonce, p->nonce);
    CHECK(kl_u256_eq(a->now.balance, kl_u256_of(p->balance)));
    kl_hash hash = code_hash(p->code);
    CHECK(kl_hash_eq(&a->now.code_hash, &hash));
    CHECK(kl_journal_created_in_tx(t.journal, a) == t.now.created[i]);
    CHECK(kl_journal_destroyed_in_tx(t.journal, a) == t.now.destroyed[i]);
    if (!kl_journal_has_storage(t.journal, a))
        CHECK(!has_slots(p));
    if (kl_rand_below(seed, 2)) {
        kl_span code;
        CHECK_OK(kl_journal_code(t.journal, a, &code));
        CHECK_SPAN(code, code_bytes(p->code));
        users_out += a->user == NULL;
        a->user = &users_out;
    }
    CHECK(kl_journal_warm(t.journal, a) == !t.now.warm[i]);
    t.now.warm[i] = true;
    kl_u256 value;
    CHECK_OK(kl_journal_transient(t.journal, &t.address[i], &t.key[s], &value));
    CHECK(kl_u256_eq(value, kl_u256_of(t.now.transient[i][s])));
    if (kl_rand_below(seed, 3) == 0)
        return;
    kl_jslot *slot;
    bool cold;
    CHECK_OK(kl_journal_slot(t.journal, a, &t.key[s], &slot, &cold));
    CHECK(cold == !t.now.warm_slot[i][s]);
    t.now.warm_slot[i][s] = true;
    CHECK(kl_u256_eq(slot->current, kl_u256_of(p->slot[s])));
    if (!t.now.created[i])
        CHECK(kl_u256_eq(slot->original, kl_u256_of(t.original[i].slot[s])));
}

static void change(u64 *seed)
{
    usize i = kl_rand_below(seed, PEOPLE), s = kl_rand_below(seed, SLOTS);
    kl_jaccount *a = account(i);
    struct person *p = &t.now.person[i];
    u64 small = kl_rand_below(seed, 3);
    kl_u256 word = kl_u256_of(small);
    kl_jslot *slot;
    bool cold;
    switch (kl_rand_below(seed, 8)) {
    case 0:
        kl_journal_set_balance(t.journal, a, word);
        p->balance = small;
        touch(i);
        break;
    case 1:
        kl_journal_set_nonce(t.journal, a, small);
        p->nonce = small;
        touch(i);
        break;
    case 2: {
        u32 code = small ? ++t.last_code : 0;
        kl_hash hash = code_hash(code);
        CHECK_OK(kl_journal_set_code(t.journal, a, code_bytes(code), small == 1 ? &hash : NULL));
        p->code = code;
        touch(i);
        break;
    }
    case 3:
        kl_journal_touch(t.journal, a);
        touch(i);
        break;
    case 4:
    case 5:
        CHECK_OK(kl_journal_slot(t.journal, a, &t.key[s], &slot, &cold));
        t.now.warm_slot[i][s] = true;
        kl_journal_set_slot(t.journal, a, slot, &word);
        p->slot[s] = small;
        break;
    case 6:
        CHECK_OK(kl_journal_set_transient(t.journal, &t.address[i], &t.key[s], &word));
        t.now.transient[i][s] = small;
        break;
    default:
        if (t.now.logs < LOGS_MAX) {
            kl_log_entry entry = {.address = t.address[i], .topic_count = (u8)small};
            entry.data = KL_SPAN_OF(t.last_log);
            t.logs[t.now.logs++] = t.last_log;
            CHECK_OK(kl_journal_log(t.journal, &entry));
            t.last_log++;
        }
        break;
    }
}

static void create_or_destroy(u64 *seed)
{
    usize i = kl_rand_below(seed, PEOPLE);
    kl_jaccount *a = account(i);
    if (kl_rand_below(seed, 2)) {
        kl_journal_create(t.journal, a);
        t.now.person[i].code = 0;
        memset(t.now.person[i].slot, 0, sizeof t.now.person[i].slot);
        t.now.created[i] = true;
        touch(i);
    } else {
        kl_journal_destroy(t.journal, a);
        t.now.destroyed[i] = true;
    }
}

static void snapshot_or_revert(u64 *seed)
{
    if (t.depth < DEEP && kl_rand_below(seed, 3)) {
        t.snapshot[t.depth] = kl_journal_snapshot(t.journal);
        t.saved[t.depth++] = t.now;
    } else if (t.depth > 0) {
        t.depth -= 1 + kl_rand_below(seed, KL_MIN(t.depth, (usize)3));
        kl_journal_revert(t.journal, t.snapshot[t.depth]);
        t.now = t.saved[t.depth];
    }
}

static void check_logs(void)
{
    const kl_log_entry *logs;
    usize count;
    kl_journal_logs(t.journal, &logs, &count);
    CHECK_U64(count, t.now.logs);
    for (usize i = 0; i < count; i++)
        CHECK_SPAN(logs[i].data, KL_SPAN_OF(t.logs[i]));
}

static bool is_empty(const struct person *p)
{
    return p->nonce == 0 && p->balance == 0 && p->code == 0;
}

static void end_tx(u64 *seed)
{
    bool delete_empty = kl_rand_below(seed, 2);
    check_logs();
    CHECK_OK(kl_journal_end_tx(t.journal, delete_empty));
    for (usize i = 0; i < PEOPLE; i++) {
        struct person *p = &t.now.person[i];
        bool touched = t.now.touched[i] || (i == 0 && t.ripemd_touched);
        if (t.now.destroyed[i] || (delete_empty && touched && p->exists && is_empty(p)))
            *p = (struct person){0};
    }
    struct world after = {.logs = 0};
    memcpy(after.person, t.now.person, sizeof after.person);
    t.now = after;
    memcpy(t.original, after.person, sizeof after.person);
    t.depth = 0;
    t.ripemd_touched = false;
    kl_journal_begin_tx(t.journal);
    for (int n = 0; n < 20; n++)
        look(seed);
}

static bool same_person(const kl_jaccount *a, const struct person *p)
{
    kl_hash hash = code_hash(p->code);
    bool same = a->exists == p->exists && a->now.nonce == p->nonce &&
                kl_u256_eq(a->now.balance, kl_u256_of(p->balance)) &&
                kl_hash_eq(&a->now.code_hash, &hash);
    return same;
}

/* What commit relies on: stored values are true and dirty misses nothing. */
static void check_block(void)
{
    usize count = 0;
    for (const kl_jaccount *a = kl_journal_first(t.journal); a; a = a->next, count++) {
        usize i = index_of(t.address_hash, PEOPLE, &a->address_hash);
        const struct person *was = &t.stored[i], *is = &t.now.person[i];
        CHECK(a->stored_exists == was->exists);
        if (!a->dirty)
            CHECK(memcmp(was, is, sizeof *was) == 0);
        CHECK(same_person(a, is));
        for (const kl_jslot *slot = a->first_slot; slot; slot = slot->next) {
            usize s = index_of(t.key_hash, SLOTS, &slot->key_hash);
            CHECK(kl_u256_eq(slot->current, kl_u256_of(is->slot[s])));
            if (!a->wiped)
                CHECK(kl_u256_eq(slot->stored, kl_u256_of(was->slot[s])));
        }
    }
    CHECK(count <= PEOPLE);
}

static void end_block(u64 *seed)
{
    end_tx(seed);
    check_block();
    memcpy(t.stored, t.now.person, sizeof t.stored);
    for (usize i = 0; i < PEOPLE; i++)
        if (!t.stored[i].exists)
            memset(&t.stored[i], 0, sizeof t.stored[i]);
    begin_block();
}

/* Slots of accounts that do not exist are for contracts that do: make such accounts exist. */
static void settle_absent(void)
{
    for (usize i = 0; i < PEOPLE; i++)
        if (!t.now.person[i].exists && has_slots(&t.now.person[i])) {
            kl_journal_touch(t.journal, account(i));
            kl_journal_set_nonce(t.journal, account(i), 9);
            t.now.person[i].nonce = 9;
            touch(i);
        }
}

KL_TEST(journal_is_a_world_with_copies)
{
    for (int round = 0; round < 12; round++) {
        begin(seed);
        for (int n = 0; n < 4000; n++) {
            u64 what = kl_rand_below(seed, 100);
            if (what < 40)
                look(seed);
            else if (what < 75)
                change(seed);
            else if (what < 80)
                create_or_destroy(seed);
            else if (what < 96)
                snapshot_or_revert(seed);
            else if (what < 97)
                check_logs();
            else if (what < 99)
                end_tx(seed);
            else {
                settle_absent();
                end_block(seed);
            }
        }
        kl_journal_free(t.journal);
        CHECK_U64(users_out, 0);
    }
}

/* The world of many different accounts, slots and transient words: tables grow, nothing is lost. */
static kl_status no_account(struct kl_state_reader *reader, const kl_address *address,
                            const kl_hash *hash, kl_account *out, bool *exists)
{
    (void)reader;
    (void)address;
    (void)hash;
    *out = kl_account_none();
    *exists = false;
    return KL_OK;
}

static kl_address address_of(u64 n)
{
    kl_address a = {0};
    kl_store_be64(a.b, n * 0x9e3779b97f4a7c15u);
    return a;
}

/* Fills a block until the journal refuses or `count` rounds are done. */
static kl_status fill(struct kl_journal *j, u64 count)
{
    for (u64 n = 0; n < count; n++) {
        kl_address address = address_of(n);
        kl_jaccount *a;
        kl_jslot *slot;
        bool cold;
        kl_u256 word = kl_u256_of(n + 1);
        KL_TRY(kl_journal_account(j, &address, &a));
        kl_journal_set_balance(j, a, word);
        for (u64 s = 0; s < n % 20; s++) {
            kl_u256 key = kl_u256_of(s);
            KL_TRY(kl_journal_slot(j, a, &key, &slot, &cold));
            kl_journal_set_slot(j, a, slot, &word);
        }
        KL_TRY(kl_journal_set_code(j, a, KL_SPAN_OF(n), NULL));
        KL_TRY(kl_journal_set_transient(j, &address, &word, &word));
        kl_log_entry entry = {.data = KL_SPAN_OF(n)};
        KL_TRY(kl_journal_log(j, &entry));
    }
    return KL_OK;
}

static void check_filled(struct kl_journal *j, u64 count)
{
    for (u64 n = 0; n < count; n++) {
        kl_address address = address_of(n);
        kl_jaccount *a;
        kl_u256 word = kl_u256_of(n + 1), got;
        CHECK_OK(kl_journal_account(j, &address, &a));
        CHECK(kl_u256_eq(a->now.balance, word));
        CHECK_OK(kl_journal_transient(j, &address, &word, &got));
        CHECK(kl_u256_eq(got, word));
        for (u64 s = 0; s < n % 20; s++) {
            kl_jslot *slot;
            bool cold;
            kl_u256 key = kl_u256_of(s);
            CHECK_OK(kl_journal_slot(j, a, &key, &slot, &cold));
            CHECK(!cold && kl_u256_eq(slot->current, word));
        }
    }
}

KL_TEST(journal_holds_many_and_then_needs_no_more_memory)
{
    struct kl_state_reader reader = {.account = no_account};
    kl_journal_config config = {.memory_limit = 256u << 20, .seed = kl_rand(seed)};
    struct kl_journal *j;
    CHECK_OK(kl_journal_new(&j, &config));
    for (int block = 0; block < 3; block++) {
        struct mallinfo2 before = mallinfo2();
        kl_journal_begin_block(j, &reader);
        CHECK_OK(fill(j, 2000));
        check_filled(j, 2000);
        struct mallinfo2 after = mallinfo2();
        if (block > 0)
            CHECK(before.uordblks == after.uordblks && before.hblkhd == after.hblkhd);
        kl_journal_begin_tx(j);
        kl_u256 got, word = kl_u256_of(1);
        kl_address address = address_of(0);
        CHECK_OK(kl_journal_transient(j, &address, &word, &got));
        CHECK(kl_u256_is_zero(got));
    }
    kl_journal_free(j);
}

KL_TEST(journal_over_its_limit_stays_failed_until_the_next_block)
{
    struct kl_state_reader reader = {.account = no_account};
    for (usize limit = 1 << 10; limit < 4u << 20;
         limit = limit * 5 / 4 + kl_rand_below(seed, 999)) {
        kl_journal_config config = {.memory_limit = limit};
        struct kl_journal *j;
        CHECK_OK(kl_journal_new(&j, &config));
        for (int block = 0; block < 2; block++) {
            kl_journal_begin_block(j, &reader);
            kl_status status = fill(j, 3000);
            CHECK(status == KL_OK || status == KL_LIMIT);
            kl_journal_revert(j, 0);
            CHECK(kl_journal_end_tx(j, true) == status);
        }
        kl_journal_begin_block(j, &reader);
        kl_jaccount *a;
        kl_address address = address_of(1);
        if (limit > 64 << 10)
            CHECK_OK(kl_journal_account(j, &address, &a));
        kl_journal_free(j);
    }
}

/* Numbers of blocks start over; what a table holds of old ones must not come back. */
KL_TEST(journal_survives_the_last_block_number)
{
    struct kl_state_reader reader = {.account = no_account};
    kl_journal_config config = {.memory_limit = 64u << 20, .seed = kl_rand(seed)};
    struct kl_journal *j;
    CHECK_OK(kl_journal_new(&j, &config));
    kl_journal_begin_block(j, &reader);
    CHECK_OK(fill(j, 50));
    j->block = UINT32_MAX - 1;
    for (u64 block = 0; block < 5; block++) {
        kl_journal_begin_block(j, &reader);
        kl_address address = address_of(block);
        kl_u256 word = kl_u256_of(block + 1), got;
        kl_jaccount *a;
        CHECK_OK(kl_journal_account(j, &address, &a));
        CHECK(!a->exists);
        CHECK_OK(kl_journal_transient(j, &address, &word, &got));
        CHECK(kl_u256_is_zero(got));
        CHECK_OK(fill(j, 50));
        check_filled(j, 50);
    }
    kl_journal_free(j);
}

/* ethereum/tests stSpecialTest/failed_tx_xcf416c53: the empty account at 3 goes although the call
 * that touched it ran out of gas. */
KL_TEST(journal_never_undoes_the_touch_of_ripemd)
{
    begin(seed);
    t.stored[0].exists = t.stored[1].exists = true;
    begin_block();
    u32 snapshot = kl_journal_snapshot(t.journal);
    kl_journal_touch(t.journal, account(0));
    kl_journal_touch(t.journal, account(1));
    kl_journal_revert(t.journal, snapshot);
    CHECK_OK(kl_journal_end_tx(t.journal, true));
    CHECK(!account(0)->exists && account(0)->dirty);
    CHECK(account(1)->exists);

    begin_block();
    snapshot = kl_journal_snapshot(t.journal);
    kl_journal_touch(t.journal, account(0));
    kl_journal_revert(t.journal, snapshot);
    CHECK_OK(kl_journal_end_tx(t.journal, false));
    CHECK(account(0)->exists);

    /* Numbers of transactions start over with the block: that touch is not this one's. */
    begin_block();
    snapshot = kl_journal_snapshot(t.journal);
    kl_journal_destroy(t.journal, account(0));
    kl_journal_revert(t.journal, snapshot);
    CHECK_OK(kl_journal_end_tx(t.journal, true));
    CHECK(account(0)->exists);
    kl_journal_free(t.journal);
}
