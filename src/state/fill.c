/* Filling goes through one write transaction at a time.  What is there already is walked in a
 * snapshot, which lacks what was put since the last commit: no range of one state lies over another
 * of the same, and before a later state's come, all is committed.  The trie is kept up with the
 * leaves as in any commit: a range is an update of what is there, so tries are whole at every
 * moment, if not those of any state. */
#include "state/fill.h"

#include <stdlib.h>

#include "codec/rlp.h"
#include "crypto/keccak.h"
#include "state/format_priv.h"
#include "state/state_priv.h"
#include "state/transfer.h"

enum { SCAN_ACCOUNTS = 50000, KEEP_BYTES = 1 << 20 };
#define SCRATCH ((usize)1 << 30)

struct kl_state_filler {
    struct kl_trie_source source;
    struct kl_trie_sink sink;
    struct kl_kv *kv;
    struct kl_kv_read *read;   /* of one call: what was committed */
    struct kl_kv_write *write; /* NULL: none is open */
    struct kl_arena arena;     /* for one call */
    usize waiting;
    bool has_accounts; /* not committed */
    u8 note[KL_FILL_NOTE_MAX];
};

static kl_status begin_batch(struct kl_state_filler *f)
{
    return f->write ? KL_OK : kl_kv_begin_write(f->kv, &f->write);
}

kl_status kl_state_fill_commit(struct kl_state_filler *f)
{
    struct kl_kv_write *write = f->write;
    f->write = NULL;
    f->waiting = 0;
    f->has_accounts = false;
    return write ? kl_kv_commit(write) : KL_OK;
}

usize kl_state_fill_waiting(const struct kl_state_filler *f)
{
    return f->waiting;
}

static kl_status put(struct kl_state_filler *f, kl_table table, kl_span key, kl_span value)
{
    f->waiting += key.len + value.len;
    return value.len || table == KL_TABLE_LOG ? kl_kv_put(f->write, table, key, value)
                                              : kl_kv_del(f->write, table, key);
}

/* --- the tries, as the transaction has them --- */

static struct kl_state_filler *of_source(struct kl_trie_source *source)
{
    return (struct kl_state_filler *)((char *)source - offsetof(struct kl_state_filler, source));
}

/* A value in memory of the arena, since the next change moves the store's. */
static kl_status get(struct kl_state_filler *f, kl_table table, kl_span key, kl_span *out)
{
    kl_span value;
    KL_TRY(kl_kv_get_in_write(f->write, table, key, &value));
    *out = kl_arena_copy(&f->arena, value);
    return out->p ? KL_OK : KL_NOMEM;
}

static kl_status source_node(struct kl_trie_source *source, const kl_hash *owner, kl_span path,
                             kl_span *out)
{
    u8 room[KL_NODE_KEY_MAX];
    return get(of_source(source), KL_TABLE_NODE, kl_node_key(room, owner, path), out);
}

static kl_status source_leaf(struct kl_trie_source *source, const kl_hash *owner,
                             const kl_hash *key, kl_span *out)
{
    struct kl_state_filler *f = of_source(source);
    u8 *room = KL_TAKE(&f->arena, u8, KL_ACCOUNT_RLP_MAX);
    kl_span value;
    if (!room)
        return KL_NOMEM;
    if (owner) {
        kl_slot_key slot = {*owner, *key};
        KL_TRY(get(f, KL_TABLE_SLOT, kl_slot_key_span(&slot), &value));
        *out = kl_slot_rlp(room, value);
        return KL_OK;
    }
    kl_account account;
    KL_TRY(get(f, KL_TABLE_ACCOUNT, kl_hash_span(key), &value));
    KL_TRY(kl_account_unpack(&account, value));
    kl_out rlp = kl_out_of(room, KL_ACCOUNT_RLP_MAX);
    kl_account_encode(&rlp, &account);
    *out = kl_out_done(&rlp);
    return KL_OK;
}

static kl_status sink_node(struct kl_trie_sink *sink, const kl_hash *owner, kl_span path,
                           kl_span node)
{
    struct kl_state_filler *f =
        (struct kl_state_filler *)((char *)sink - offsetof(struct kl_state_filler, sink));
    u8 room[KL_NODE_KEY_MAX];
    return put(f, KL_TABLE_NODE, kl_node_key(room, owner, path), node);
}

/* --- life --- */

kl_status kl_state_is_filling(struct kl_kv *kv, bool *out)
{
    struct kl_kv_read *read;
    kl_span note;
    KL_TRY(kl_kv_begin_read(kv, &read));
    kl_status status = kl_kv_get(read, KL_TABLE_META, KL_META_FILL, &note);
    kl_kv_end_read(read);
    *out = status == KL_OK;
    return status == KL_NOTFOUND ? KL_OK : status;
}

static kl_status empty(struct kl_kv *kv)
{
    struct kl_state_loader *loader;
    KL_TRY(kl_state_load_begin(&loader, kv));
    kl_state_load_drop(loader);
    return KL_OK;
}

/* The mark is there with the first commit. */
static kl_status start(struct kl_state_filler *f, kl_span *note)
{
    struct kl_kv_read *read;
    bool is_filling;
    KL_TRY(kl_state_is_filling(f->kv, &is_filling));
    *note = KL_SPAN_NONE;
    if (!is_filling) {
        KL_TRY(empty(f->kv));
        KL_TRY(kl_state_fill_note(f, KL_SPAN_NONE));
        return kl_state_fill_commit(f);
    }
    KL_TRY(kl_kv_begin_read(f->kv, &read));
    kl_status status = kl_kv_get(read, KL_TABLE_META, KL_META_FILL, note);
    if (status == KL_OK && note->len > 1 + sizeof f->note)
        status = KL_CORRUPT;
    if (status == KL_OK && note->len > 1)
        memcpy(f->note, note->p + 1, note->len - 1);
    if (status == KL_OK)
        *note = kl_span_of(f->note, note->len - 1);
    kl_kv_end_read(read);
    return status;
}

kl_status kl_state_fill_begin(struct kl_state_filler **out, struct kl_kv *kv, kl_span *note)
{
    struct kl_state_filler *f = calloc(1, sizeof *f);
    if (!f)
        return KL_NOMEM;
    f->kv = kv;
    f->source = (struct kl_trie_source){.node = source_node, .leaf = source_leaf};
    f->sink.node = sink_node;
    kl_arena_init(&f->arena, SCRATCH);
    kl_status status = start(f, note);
    if (status != KL_OK) {
        kl_state_fill_drop(f);
        return status;
    }
    *out = f;
    return KL_OK;
}

void kl_state_fill_drop(struct kl_state_filler *f)
{
    if (!f)
        return;
    kl_kv_abort(f->write);
    kl_arena_done(&f->arena);
    free(f);
}

kl_status kl_state_fill_put(struct kl_state_filler *f, kl_table table, kl_span key, kl_span value)
{
    KL_ASSERT(table < KL_TABLE_COUNT && table != KL_TABLE_META);
    KL_TRY(begin_batch(f));
    return put(f, table, key, value);
}

/* One byte before it, since a value says something. */
kl_status kl_state_fill_note(struct kl_state_filler *f, kl_span note)
{
    u8 room[1 + KL_FILL_NOTE_MAX] = {1};
    KL_ASSERT(note.len <= KL_FILL_NOTE_MAX);
    if (note.len)
        memcpy(room + 1, note.p, note.len);
    KL_TRY(begin_batch(f));
    return put(f, KL_TABLE_META, KL_META_FILL, kl_span_of(room, 1 + note.len));
}

static kl_status put_end(struct kl_state_filler *f, u64 version)
{
    KL_TRY(begin_batch(f));
    KL_TRY(put(f, KL_TABLE_META, KL_META_FILL, KL_SPAN_NONE));
    KL_TRY(kl_state_put_tip(f->write, version, KL_SPAN_NONE));
    return kl_state_fill_commit(f);
}

kl_status kl_state_fill_end(struct kl_state_filler *f, u64 version)
{
    KL_ASSERT(version < UINT64_MAX);
    kl_status status = put_end(f, version);
    kl_state_fill_drop(f);
    return status;
}

/* --- ranges --- */

/* What a range changes: its leaves, and those that are there and not among them. */
struct merge {
    struct kl_state_filler *f;
    const kl_hash *owner;
    const kl_trie_change *leaves;
    usize count, at; /* given, and taken */
    kl_trie_change *changes;
    usize change_count, change_cap;
};

static kl_status add_change(struct merge *m, const kl_hash *key, kl_span value)
{
    if (m->change_count == m->change_cap) {
        usize cap = KL_MAX((usize)64, 2 * m->change_cap);
        kl_trie_change *more = KL_TAKE(&m->f->arena, kl_trie_change, cap);
        if (!more)
            return KL_NOMEM;
        if (m->change_count)
            memcpy(more, m->changes, m->change_count * sizeof *more);
        m->changes = more;
        m->change_cap = cap;
    }
    m->changes[m->change_count++] = (kl_trie_change){*key, value};
    return KL_OK;
}

/* A key that is there: those given before it come first, and it goes unless it is given too. */
static kl_status meet(struct merge *m, const kl_hash *key)
{
    int order = -1;
    while (m->at < m->count &&
           (order = memcmp(m->leaves[m->at].key.b, key->b, sizeof key->b)) < 0) {
        KL_TRY(add_change(m, &m->leaves[m->at].key, m->leaves[m->at].value));
        m->at++;
    }
    if (m->at < m->count && order == 0)
        return KL_OK;
    return add_change(m, key, KL_SPAN_NONE);
}

static kl_status scan(struct merge *m, struct kl_kv_cursor *cursor, const kl_hash *first,
                      const kl_hash *last)
{
    usize head = m->owner ? sizeof *m->owner : 0;
    u8 start[2 * sizeof *first];
    kl_span key, value;
    if (head)
        memcpy(start, m->owner->b, head);
    memcpy(start + head, first->b, sizeof *first);
    kl_status status =
        kl_kv_cursor_seek(cursor, kl_span_of(start, head + sizeof *first), &key, &value);
    for (; status == KL_OK; status = kl_kv_cursor_next(cursor, &key, &value)) {
        kl_hash at;
        if (key.len != head + sizeof at)
            return KL_CORRUPT;
        memcpy(at.b, key.p + head, sizeof at);
        if ((head && memcmp(key.p, m->owner->b, head) != 0) || memcmp(at.b, last->b, sizeof at) > 0)
            return KL_OK;
        KL_TRY(meet(m, &at));
    }
    return status == KL_NOTFOUND ? KL_OK : status;
}

static kl_status merge(struct merge *m, const kl_hash *first, const kl_hash *last)
{
    struct kl_kv_cursor *cursor;
    kl_table table = m->owner ? KL_TABLE_SLOT : KL_TABLE_ACCOUNT;
    KL_TRY(kl_kv_cursor_open(m->f->read, table, &cursor));
    kl_status status = scan(m, cursor, first, last);
    kl_kv_cursor_close(cursor);
    KL_TRY(status);
    for (; m->at < m->count; m->at++)
        KL_TRY(add_change(m, &m->leaves[m->at].key, m->leaves[m->at].value));
    return KL_OK;
}

/* Deletes everything of a table that begins with an owner. */
static kl_status clear_table(struct kl_state_filler *f, kl_table table, const kl_hash *owner)
{
    struct kl_kv_cursor *cursor;
    kl_span key, value, prefix = kl_hash_span(owner);
    KL_TRY(kl_kv_cursor_open(f->read, table, &cursor));
    kl_status status = kl_kv_cursor_seek(cursor, prefix, &key, &value);
    while (status == KL_OK && key.len > prefix.len && memcmp(key.p, prefix.p, prefix.len) == 0) {
        if (table != KL_TABLE_NODE || kl_node_key_is_storage(key))
            status = put(f, table, key, KL_SPAN_NONE);
        if (status == KL_OK)
            status = kl_kv_cursor_next(cursor, &key, &value);
    }
    kl_kv_cursor_close(cursor);
    return status == KL_NOTFOUND ? KL_OK : status;
}

static kl_status clear_storage(struct kl_state_filler *f, const kl_hash *owner)
{
    KL_TRY(clear_table(f, KL_TABLE_SLOT, owner));
    return clear_table(f, KL_TABLE_NODE, owner);
}

static kl_status put_account(struct kl_state_filler *f, const kl_trie_change *change)
{
    kl_account account;
    u8 room[KL_ACCOUNT_VALUE_MAX];
    kl_span key = kl_hash_span(&change->key);
    if (!change->value.len) {
        KL_TRY(clear_storage(f, &change->key));
        return put(f, KL_TABLE_ACCOUNT, key, KL_SPAN_NONE);
    }
    if (kl_account_decode(&account, change->value) != KL_RULE_NONE)
        return KL_CORRUPT;
    return put(f, KL_TABLE_ACCOUNT, key, kl_account_pack(room, &account));
}

static kl_status put_slot(struct kl_state_filler *f, const kl_hash *owner,
                          const kl_trie_change *change)
{
    kl_slot_key key = {*owner, change->key};
    kl_rlp items = {change->value};
    kl_u256 value, checked;
    u8 room[32];
    if (!change->value.len)
        return put(f, KL_TABLE_SLOT, kl_slot_key_span(&key), KL_SPAN_NONE);
    if (kl_rlp_u256(&items, &value) != KL_RULE_NONE || kl_rlp_close(&items) != KL_RULE_NONE)
        return KL_CORRUPT;
    kl_span packed = kl_slot_pack(room, &value);
    if (!packed.len || kl_slot_unpack(&checked, packed) != KL_OK)
        return KL_CORRUPT;
    return put(f, KL_TABLE_SLOT, kl_slot_key_span(&key), packed);
}

static kl_status lay(struct kl_state_filler *f, struct merge *m)
{
    kl_trie_update update = {.owner = m->owner, .changes = m->changes, .count = m->change_count};
    KL_TRY(kl_trie_apply(&update, 1, &f->source, &f->sink, &f->arena, NULL));
    for (usize i = 0; i < m->change_count; i++)
        KL_TRY(m->owner ? put_slot(f, m->owner, &m->changes[i]) : put_account(f, &m->changes[i]));
    return KL_OK;
}

kl_status kl_state_fill_range(struct kl_state_filler *f, const kl_hash *owner, const kl_hash *first,
                              const kl_hash *last, const kl_trie_change *leaves, usize count)
{
    struct merge m = {.f = f, .owner = owner, .leaves = leaves, .count = count};
    kl_arena_reset(&f->arena, KEEP_BYTES);
    KL_TRY(begin_batch(f));
    KL_TRY(kl_kv_begin_read(f->kv, &f->read));
    f->has_accounts |= !owner;
    kl_status status = merge(&m, first, last);
    if (status == KL_OK && m.change_count)
        status = lay(f, &m);
    kl_kv_end_read(f->read);
    return status;
}

kl_status kl_state_fill_code(struct kl_state_filler *f, const kl_hash *hash, kl_span code)
{
    return kl_state_fill_put(f, KL_TABLE_CODE, kl_hash_span(hash), code);
}

kl_status kl_state_fill_root(struct kl_state_filler *f, kl_hash *out)
{
    kl_arena_reset(&f->arena, KEEP_BYTES);
    KL_TRY(begin_batch(f));
    return kl_trie_root(out, NULL, &f->source, &f->arena);
}

/* --- what is missing --- */

static kl_status look_at(struct kl_state_filler *f, kl_state_want *w, kl_span value)
{
    kl_account account;
    kl_hash root;
    kl_span code;
    KL_TRY(kl_account_unpack(&account, value));
    w->storage_root = account.storage_root;
    w->code_hash = account.code_hash;
    kl_arena_reset(&f->arena, KEEP_BYTES);
    KL_TRY(kl_trie_root(&root, &w->account, &f->source, &f->arena));
    w->storage = !kl_hash_eq(&root, &account.storage_root);
    if (w->storage && kl_hash_eq(&account.storage_root, &kl_keccak_empty_rlp)) {
        w->storage = false;
        KL_TRY(clear_storage(f, &w->account));
    }
    w->code = false;
    if (kl_hash_eq(&account.code_hash, &kl_keccak_empty))
        return KL_OK;
    kl_status status =
        kl_kv_get_in_write(f->write, KL_TABLE_CODE, kl_hash_span(&account.code_hash), &code);
    w->code = status == KL_NOTFOUND;
    return status == KL_NOTFOUND ? KL_OK : status;
}

static kl_status look(struct kl_state_filler *f, struct kl_kv_cursor *cursor, const kl_hash *from,
                      kl_hash *last, bool *found, kl_state_want *out)
{
    kl_span key, value;
    usize seen = 0;
    kl_status status = kl_kv_cursor_seek(cursor, kl_hash_span(from), &key, &value);
    for (; status == KL_OK; status = kl_kv_cursor_next(cursor, &key, &value)) {
        kl_state_want w;
        if (key.len != sizeof w.account)
            return KL_CORRUPT;
        memcpy(w.account.b, key.p, key.len);
        if (memcmp(w.account.b, last->b, sizeof w.account) > 0)
            return KL_OK;
        KL_TRY(look_at(f, &w, value));
        if (w.storage || w.code) {
            *found = true;
            *out = w;
            return KL_OK;
        }
        if (++seen == SCAN_ACCOUNTS) {
            *last = w.account;
            return KL_OK;
        }
    }
    return status == KL_NOTFOUND ? KL_OK : status;
}

kl_status kl_state_fill_next(struct kl_state_filler *f, const kl_hash *from, kl_hash *last,
                             bool *found, kl_state_want *out)
{
    struct kl_kv_cursor *cursor;
    *found = false;
    if (f->has_accounts)
        KL_TRY(kl_state_fill_commit(f));
    KL_TRY(begin_batch(f));
    KL_TRY(kl_kv_begin_read(f->kv, &f->read));
    kl_status status = kl_kv_cursor_open(f->read, KL_TABLE_ACCOUNT, &cursor);
    if (status == KL_OK) {
        status = look(f, cursor, from, last, found, out);
        kl_kv_cursor_close(cursor);
    }
    kl_kv_end_read(f->read);
    return status;
}
