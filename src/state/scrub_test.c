/* The scrub finds nothing in a good database and finds whatever is planted. */
#include <stdlib.h>

#include "base/buf.h"
#include "base/test.h"
#include "crypto/keccak.h"
#include "state/commit.h"
#include "state/format_priv.h"
#include "state/state.h"

enum { ACCOUNTS = 700, CONTRACTS = 12, SLOTS = 1200 };

static struct kl_kv *store;
static struct kl_state *state;

static kl_address address_of(u64 n)
{
    kl_address a = {0};
    kl_store_be64(a.b + 12, n);
    return a;
}

static kl_status nobody(struct kl_state_reader *reader, const kl_address *address,
                        const kl_hash *hash, kl_account *out, bool *exists)
{
    (void)reader;
    (void)address;
    (void)hash;
    *out = kl_account_none();
    *exists = false;
    return KL_OK;
}

static void fill(struct kl_journal *j)
{
    for (u64 n = 0; n < ACCOUNTS; n++) {
        kl_jaccount *a;
        kl_address address = address_of(n);
        CHECK_OK(kl_journal_account(j, &address, &a));
        kl_journal_set_balance(j, a, kl_u256_of(n));
        kl_journal_set_nonce(j, a, 1);
        if (n >= CONTRACTS)
            continue;
        CHECK_OK(kl_journal_set_code(j, a, KL_SPAN_OF(n), NULL));
        for (u64 s = 0; s < (n + 1) * SLOTS / CONTRACTS; s++) {
            kl_jslot *slot;
            bool cold;
            kl_u256 key = kl_u256_of(s), value = kl_u256_of(s * s + 1);
            CHECK_OK(kl_journal_slot(j, a, &key, &slot, &cold));
            kl_journal_set_slot(j, a, slot, &value);
        }
    }
}

static void begin(void)
{
    struct kl_state_reader reader = {.account = nobody};
    kl_journal_config config = {.memory_limit = 64 << 20};
    struct kl_journal *j;
    struct kl_delta_builder *builder;
    struct kl_delta *delta;
    struct kl_view *view;
    struct kl_arena scratch;
    kl_hash root;
    CHECK_OK(kl_memkv_open(&store, KL_TABLE_COUNT));
    kl_state_config state_config = {.kv = store};
    CHECK_OK(kl_state_open(&state, &state_config));
    CHECK_OK(kl_journal_new(&j, &config));
    kl_journal_begin_block(j, &reader);
    fill(j);
    CHECK_OK(kl_journal_end_tx(j, true));
    CHECK_OK(kl_state_view(state, NULL, &view));
    CHECK_OK(kl_delta_begin(&builder, NULL, 0));
    kl_arena_init(&scratch, 1u << 28);
    CHECK_OK(kl_state_commit(j, view, builder, true, &root, &scratch, NULL));
    u64 number = 1;
    CHECK_OK(kl_delta_put(builder, KL_TABLE_HEIGHT, KL_SPAN_OF(number), KL_SPAN_OF(number)));
    CHECK_OK(kl_delta_seal(builder, &delta));
    kl_view_close(view);
    CHECK_OK(kl_state_flush(state, delta, KL_SPAN_NONE));
    kl_delta_unref(delta);
    kl_arena_done(&scratch);
    kl_journal_free(j);
}

static void end(void)
{
    kl_state_close(state);
    kl_kv_close(store);
}

/* Entry number n of a table. */
static void pick(kl_table table, usize n, u8 key_room[KL_KV_KEY_MAX], kl_span *key,
                 struct kl_buf *value)
{
    struct kl_kv_read *read;
    struct kl_kv_cursor *cursor;
    kl_span k, v;
    CHECK_OK(kl_kv_begin_read(store, &read));
    CHECK_OK(kl_kv_cursor_open(read, table, &cursor));
    CHECK_OK(kl_kv_cursor_seek(cursor, KL_SPAN_NONE, &k, &v));
    while (n-- > 0)
        if (kl_kv_cursor_next(cursor, &k, &v) == KL_NOTFOUND)
            CHECK_OK(kl_kv_cursor_seek(cursor, KL_SPAN_NONE, &k, &v));
    memcpy(key_room, k.p, k.len);
    *key = kl_span_of(key_room, k.len);
    kl_buf_clear(value);
    kl_buf_span(value, v);
    kl_kv_cursor_close(cursor);
    kl_kv_end_read(read);
}

static void put(kl_table table, kl_span key, kl_span value)
{
    struct kl_kv_write *write;
    CHECK_OK(kl_kv_begin_write(store, &write));
    CHECK_OK(kl_kv_put(write, table, key, value));
    CHECK_OK(kl_kv_commit(write));
}

static void del(kl_table table, kl_span key)
{
    struct kl_kv_write *write;
    CHECK_OK(kl_kv_begin_write(store, &write));
    CHECK_OK(kl_kv_del(write, table, key));
    CHECK_OK(kl_kv_commit(write));
}

/* Puts bytes without a checksum of their own. */
static void put_raw(kl_table table, kl_span key, kl_span bytes)
{
    struct kl_kv_write *write;
    u8 *room;
    CHECK_OK(kl_kv_begin_write(store, &write));
    CHECK_OK(store->ops->reserve(write, table, key, bytes.len, &room));
    memcpy(room, bytes.p, bytes.len);
    CHECK_OK(kl_kv_commit(write));
}

static void check_good(void)
{
    kl_state_damage damage;
    CHECK_OK(kl_state_scrub(state, &damage, NULL, NULL));
}

static kl_state_damage check_bad(void)
{
    kl_state_damage damage = {0};
    CHECK(kl_state_scrub(state, &damage, NULL, NULL) == KL_CORRUPT);
    CHECK(damage.what && damage.table < KL_TABLE_COUNT);
    return damage;
}

static const kl_table tables[] = {KL_TABLE_ACCOUNT, KL_TABLE_SLOT,     KL_TABLE_CODE,
                                  KL_TABLE_NODE,    KL_TABLE_PREIMAGE, KL_TABLE_HEIGHT};

KL_TEST(scrub_names_a_bad_checksum)
{
    begin();
    check_good();
    struct kl_buf value;
    kl_buf_init(&value, 1 << 20);
    for (usize i = 0; i < KL_COUNT_OF(tables); i++) {
        u8 room[KL_KV_KEY_MAX], junk[40];
        kl_span key;
        pick(tables[i], kl_rand_below(seed, 2000), room, &key, &value);
        kl_rand_fill(seed, junk, sizeof junk);
        put_raw(tables[i], key, KL_SPAN_OF(junk));
        kl_state_damage damage = check_bad();
        CHECK(damage.table == tables[i] && strcmp(damage.what, "checksum") == 0);
        CHECK_SPAN(kl_span_of(damage.key, damage.key_len), key);
        put(tables[i], key, kl_buf_view(&value));
        check_good();
    }
    kl_buf_done(&value);
    end();
}

KL_TEST(scrub_finds_changed_and_missing_entries)
{
    begin();
    struct kl_buf value;
    kl_buf_init(&value, 1 << 20);
    for (int round = 0; round < 30; round++) {
        kl_table table = tables[kl_rand_below(seed, 4)];
        u8 room[KL_KV_KEY_MAX];
        kl_span key;
        pick(table, kl_rand_below(seed, 2000), room, &key, &value);
        kl_span good = kl_buf_view(&value);
        if (kl_rand_below(seed, 2)) {
            del(table, key);
        } else {
            struct kl_buf bad;
            kl_buf_init(&bad, 1 << 20);
            kl_buf_span(&bad, good);
            bad.p[kl_rand_below(seed, bad.len)] ^= (u8)(1 + kl_rand_below(seed, 255));
            put(table, key, kl_buf_view(&bad));
            kl_buf_done(&bad);
        }
        check_bad();
        put(table, key, good);
    }
    check_good();
    kl_buf_done(&value);
    end();
}

KL_TEST(scrub_finds_what_belongs_to_nothing)
{
    begin();
    struct kl_buf value;
    kl_buf_init(&value, 1 << 20);
    u8 room[KL_KV_KEY_MAX], slot_value = 1, none[32] = {0}, last[32], path[5] = {1, 2, 3, 4, 5};
    kl_span key;
    memset(last, 0xff, sizeof last);
    pick(KL_TABLE_NODE, 3, room, &key, &value);
    kl_address contract = address_of(3), plain = address_of(400);
    kl_hash with_slots = kl_keccak256(kl_address_span(&contract));
    kl_hash without = kl_keccak256(kl_address_span(&plain)), nowhere;
    memcpy(nowhere.b, last, sizeof last);
    const kl_hash *owners[] = {NULL, &with_slots, &without, &nowhere};
    for (usize i = 0; i < KL_COUNT_OF(owners); i++) {
        u8 node_room[KL_NODE_KEY_MAX];
        kl_span node = kl_node_key(node_room, owners[i], KL_SPAN_OF(path));
        put(KL_TABLE_NODE, node, kl_buf_view(&value));
        CHECK(check_bad().table == KL_TABLE_NODE);
        del(KL_TABLE_NODE, node);
        if (!owners[i])
            continue;
        kl_slot_key slot = {*owners[i], {{0}}};
        memcpy(slot.slot_hash.b, i % 2 ? none : last, 32);
        put(KL_TABLE_SLOT, kl_slot_key_span(&slot), KL_SPAN_OF(slot_value));
        check_bad();
        del(KL_TABLE_SLOT, kl_slot_key_span(&slot));
    }
    check_good();
    kl_buf_done(&value);
    end();
}

/* One entry of each table, in every shape that is refused. */
KL_TEST(scrub_refuses_what_nobody_writes)
{
    begin();
    u8 bytes[120] = {0}, long_key[65] = {0};
    kl_address contract = address_of(3);
    kl_slot_key slot = {kl_keccak256(kl_address_span(&contract)), {{9}}};
    static const usize lens[] = {0, 1, 33, 120};
    for (usize i = 0; i < KL_COUNT_OF(lens); i++) {
        kl_span value = kl_span_of(bytes, lens[i]);
        put(KL_TABLE_SLOT, kl_slot_key_span(&slot), value);
        CHECK(check_bad().table == KL_TABLE_SLOT);
        del(KL_TABLE_SLOT, kl_slot_key_span(&slot));
        put(KL_TABLE_ACCOUNT, kl_hash_span(&slot.slot_hash), value);
        CHECK(check_bad().table == KL_TABLE_ACCOUNT);
        del(KL_TABLE_ACCOUNT, kl_hash_span(&slot.slot_hash));
    }
    bytes[0] = 1;
    put(KL_TABLE_SLOT, KL_SPAN_OF(long_key), kl_span_of(bytes, 1));
    check_bad();
    del(KL_TABLE_SLOT, KL_SPAN_OF(long_key));
    put(KL_TABLE_ACCOUNT, KL_SPAN_OF(long_key), kl_span_of(bytes, 2));
    check_bad();
    del(KL_TABLE_ACCOUNT, KL_SPAN_OF(long_key));
    check_good();
    end();
}

static bool stop_at_once(void *ctx, u64 entries)
{
    *(u64 *)ctx = entries;
    return false;
}

KL_TEST(scrub_can_be_stopped)
{
    begin();
    kl_state_damage damage;
    u64 entries = 0;
    CHECK(kl_state_scrub(state, &damage, stop_at_once, &entries) == KL_CANCELED);
    CHECK(entries > 0);
    end();
}
