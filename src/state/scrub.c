/* One pass over the tables whose entries stand alone, one over accounts and their slots side by
 * side, both in order of keys, which builds every trie again and compares it node by node.  What is
 * stored and was not met on the way belongs to nothing. */
#include <stdlib.h>

#include "crypto/keccak.h"
#include "state/format_priv.h"
#include "state/scrub_priv.h"
#include "state/state_priv.h"

enum { PROGRESS_EVERY = 1024 };

struct scrub {
    struct kl_kv_read *read;
    kl_state_damage *damage;
    bool (*progress)(void *ctx, u64 entries);
    void *ctx;
    u64 entries, nodes_stored, nodes_met;
    struct kl_scrub_trie *accounts, *slots;
    struct kl_kv_cursor *slot_cursor;
    bool slot_more; /* slot_key and slot_value are the next of the cursor */
    kl_span slot_key, slot_value;
};

static kl_status report(struct scrub *s, kl_table table, kl_span key, const char *what)
{
    usize len = KL_MIN(key.len, sizeof s->damage->key);
    *s->damage = (kl_state_damage){.table = table, .key_len = len, .what = what};
    if (len)
        memcpy(s->damage->key, key.p, len);
    return KL_CORRUPT;
}

static kl_status count_entry(struct scrub *s)
{
    s->entries++;
    if (s->progress && s->entries % PROGRESS_EVERY == 0 && !s->progress(s->ctx, s->entries))
        return KL_CANCELED;
    return KL_OK;
}

/* What became of a cursor's move to key. */
static kl_status moved(struct scrub *s, kl_table table, kl_status status, kl_span key)
{
    if (status == KL_CORRUPT)
        return report(s, table, key, "checksum");
    return status == KL_OK ? count_entry(s) : status;
}

static kl_status check_hashed(struct scrub *s, kl_table table, kl_span key, kl_span value)
{
    kl_hash hash = kl_keccak256(value);
    if (!kl_span_eq(kl_hash_span(&hash), key))
        return report(s, table, key, "the key is not the hash of the value");
    return KL_OK;
}

static kl_status check_entry(struct scrub *s, kl_table table, kl_span key, kl_span value)
{
    if (table == KL_TABLE_CODE || table == KL_TABLE_PREIMAGE)
        return check_hashed(s, table, key, value);
    s->nodes_stored += table == KL_TABLE_NODE;
    return KL_OK;
}

static kl_status walk(struct scrub *s, kl_table table, struct kl_kv_cursor *cursor,
                      kl_status (*each)(struct scrub *s, kl_table table, kl_span key,
                                        kl_span value))
{
    kl_span key = KL_SPAN_NONE, value;
    kl_status status = kl_kv_cursor_seek(cursor, KL_SPAN_NONE, &key, &value);
    for (;;) {
        status = moved(s, table, status, key);
        if (status != KL_OK)
            return status == KL_NOTFOUND ? KL_OK : status;
        KL_TRY(each(s, table, key, value));
        status = kl_kv_cursor_next(cursor, &key, &value);
    }
}

static kl_status walk_table(struct scrub *s, kl_table table,
                            kl_status (*each)(struct scrub *s, kl_table table, kl_span key,
                                              kl_span value))
{
    struct kl_kv_cursor *cursor;
    KL_TRY(kl_kv_cursor_open(s->read, table, &cursor));
    kl_status status = walk(s, table, cursor, each);
    kl_kv_cursor_close(cursor);
    return status;
}

static kl_status next_slot(struct scrub *s, kl_status status)
{
    status = moved(s, KL_TABLE_SLOT, status, s->slot_key);
    s->slot_more = status == KL_OK;
    if (status != KL_OK)
        return status == KL_NOTFOUND ? KL_OK : status;
    kl_u256 value;
    if (s->slot_key.len != sizeof(kl_slot_key) || kl_slot_unpack(&value, s->slot_value) != KL_OK)
        return report(s, KL_TABLE_SLOT, s->slot_key, "no storage slot");
    return KL_OK;
}

/* Nodes that are stored for an account's storage. */
static kl_status count_nodes(struct scrub *s, const kl_hash *owner, u64 *count)
{
    struct kl_kv_cursor *cursor;
    KL_TRY(kl_kv_cursor_open(s->read, KL_TABLE_NODE, &cursor));
    kl_span key, value;
    *count = 0;
    kl_status status = kl_kv_cursor_seek(cursor, kl_hash_span(owner), &key, &value);
    while (status == KL_OK && key.len >= 32 && memcmp(key.p, owner->b, 32) == 0) {
        *count += kl_node_key_is_storage(key);
        status = kl_kv_cursor_next(cursor, &key, &value);
    }
    kl_kv_cursor_close(cursor);
    return status == KL_NOTFOUND ? KL_OK : status;
}

/* All slots before the account's belong to nobody; its own make its storage trie. */
static kl_status check_storage(struct scrub *s, const kl_hash *owner, const kl_account *account)
{
    kl_scrub_trie_begin(s->slots, owner);
    while (s->slot_more && memcmp(s->slot_key.p, owner->b, sizeof owner->b) <= 0) {
        if (memcmp(s->slot_key.p, owner->b, sizeof owner->b) < 0)
            return report(s, KL_TABLE_SLOT, s->slot_key, "a slot of no account");
        kl_hash slot;
        u8 rlp[KL_SLOT_RLP_MAX];
        memcpy(slot.b, s->slot_key.p + 32, sizeof slot.b);
        KL_TRY(kl_scrub_trie_add(s->slots, &slot, kl_slot_rlp(rlp, s->slot_value), s->damage));
        KL_TRY(next_slot(s, kl_kv_cursor_next(s->slot_cursor, &s->slot_key, &s->slot_value)));
    }
    KL_TRY(kl_scrub_trie_end(s->slots, s->damage));
    if (!kl_hash_eq(&s->slots->root, &account->storage_root))
        return report(s, KL_TABLE_ACCOUNT, kl_hash_span(owner),
                      "the storage root is not that of the slots");
    u64 stored;
    KL_TRY(count_nodes(s, owner, &stored));
    if (stored != s->slots->nodes)
        return report(s, KL_TABLE_NODE, kl_hash_span(owner), "a node that is in no storage trie");
    s->nodes_met += stored;
    return KL_OK;
}

static kl_status check_account(struct scrub *s, kl_table table, kl_span key, kl_span value)
{
    kl_account account;
    kl_hash hash;
    kl_span code;
    if (key.len != sizeof hash || kl_account_unpack(&account, value) != KL_OK)
        return report(s, table, key, "no account");
    memcpy(hash.b, key.p, sizeof hash.b);
    if (!kl_hash_eq(&account.code_hash, &kl_keccak_empty)) {
        kl_status status =
            kl_kv_get(s->read, KL_TABLE_CODE, kl_hash_span(&account.code_hash), &code);
        if (status == KL_NOTFOUND)
            return report(s, table, key, "the code is missing");
        KL_TRY(status);
    }
    KL_TRY(check_storage(s, &hash, &account));
    u8 rlp[KL_ACCOUNT_RLP_MAX];
    kl_out out = kl_out_of(rlp, sizeof rlp);
    kl_account_encode(&out, &account);
    return kl_scrub_trie_add(s->accounts, &hash, kl_out_done(&out), s->damage);
}

static kl_status check_tries(struct scrub *s)
{
    kl_scrub_trie_begin(s->accounts, NULL);
    KL_TRY(next_slot(
        s, kl_kv_cursor_seek(s->slot_cursor, KL_SPAN_NONE, &s->slot_key, &s->slot_value)));
    KL_TRY(walk_table(s, KL_TABLE_ACCOUNT, check_account));
    KL_TRY(kl_scrub_trie_end(s->accounts, s->damage));
    if (s->slot_more)
        return report(s, KL_TABLE_SLOT, s->slot_key, "a slot of no account");
    s->nodes_met += s->accounts->nodes;
    if (s->nodes_met != s->nodes_stored)
        return report(s, KL_TABLE_NODE, KL_SPAN_NONE, "a node that is in no trie");
    return KL_OK;
}

static kl_status run(struct scrub *s)
{
    for (kl_table table = 0; table < KL_TABLE_COUNT; table++)
        if (table != KL_TABLE_ACCOUNT && table != KL_TABLE_SLOT)
            KL_TRY(walk_table(s, table, check_entry));
    s->accounts = kl_scrub_trie_new(s->read);
    s->slots = kl_scrub_trie_new(s->read);
    if (!s->accounts || !s->slots)
        return KL_NOMEM;
    KL_TRY(kl_kv_cursor_open(s->read, KL_TABLE_SLOT, &s->slot_cursor));
    kl_status status = check_tries(s);
    kl_kv_cursor_close(s->slot_cursor);
    if (status == KL_OK && s->progress)
        (void)s->progress(s->ctx, s->entries);
    return status;
}

kl_status kl_state_scrub(struct kl_state *state, kl_state_damage *damage,
                         bool (*progress)(void *ctx, u64 entries), void *ctx)
{
    struct scrub s = {.damage = damage, .progress = progress, .ctx = ctx};
    *damage = (kl_state_damage){.what = "unreadable"};
    KL_TRY(kl_kv_begin_read(state->kv, &s.read));
    kl_status status = run(&s);
    kl_scrub_trie_free(s.accounts);
    kl_scrub_trie_free(s.slots);
    kl_kv_end_read(s.read);
    return status;
}
