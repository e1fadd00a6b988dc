#include "cli/excerpt.h"

#include "state/state.h"

struct hashes {
    struct kl_arena *arena;
    kl_hash *of;
    usize count, room, at; /* at: where in a key the hash begins */
    bool failed;
};

/* Takes the hash in a key; a round with no room only counts. */
static bool take_hash(void *ctx, kl_span key, KL_UNUSED kl_span value)
{
    struct hashes *h = ctx;
    if (h->of && h->count < h->room && key.len >= h->at + sizeof(kl_hash))
        memcpy(h->of[h->count].b, key.p + h->at, sizeof(kl_hash));
    h->count++;
    return true;
}

/* The hashes in the keys of a table that begin with prefix. */
static kl_status list(struct kl_view *view, kl_table table, kl_span prefix, struct hashes *h)
{
    h->at = prefix.len;
    KL_TRY(kl_view_scan(view, table, prefix, KL_SPAN_NONE, take_hash, h));
    h->room = h->count;
    h->count = 0;
    h->of = KL_ZERO(h->arena, kl_hash, h->room + 1);
    return h->of ? kl_view_scan(view, table, prefix, KL_SPAN_NONE, take_hash, h) : KL_NOMEM;
}

/* What was hashed, which has len bytes. */
static kl_status name_of(struct kl_view *view, const kl_hash *hash, void *out, usize len)
{
    kl_span name;
    KL_TRY(kl_view_get(view, KL_TABLE_PREIMAGE, kl_hash_span(hash), &name));
    if (name.len != len)
        return KL_CORRUPT;
    memcpy(out, name.p, len);
    return KL_OK;
}

static kl_status dump_storage(struct kl_view *view, const kl_hash *account, struct kl_arena *arena,
                              kl_alloc *out)
{
    struct hashes slots = {.arena = arena};
    KL_TRY(list(view, KL_TABLE_SLOT, kl_hash_span(account), &slots));
    kl_hash *keys = KL_ZERO(arena, kl_hash, slots.count + 1);
    kl_u256 *values = KL_ZERO(arena, kl_u256, slots.count + 1);
    if (!keys || !values)
        return KL_NOMEM;
    for (usize i = 0; i < slots.count; i++) {
        KL_TRY(name_of(view, &slots.of[i], keys[i].b, sizeof keys[i].b));
        KL_TRY(kl_view_slot(view, account, &slots.of[i], &values[i]));
    }
    out->keys = keys;
    out->values = values;
    out->slot_count = slots.count;
    return KL_OK;
}

static kl_status dump_account(struct kl_view *view, const kl_hash *hash, struct kl_arena *arena,
                              kl_alloc *out)
{
    kl_account account;
    bool exists;
    kl_span code = KL_SPAN_NONE;
    KL_TRY(name_of(view, hash, out->address.b, sizeof out->address.b));
    KL_TRY(kl_view_account(view, hash, &account, &exists));
    kl_account none = kl_account_none();
    if (!kl_hash_eq(&account.code_hash, &none.code_hash))
        KL_TRY(kl_view_code(view, &account.code_hash, &code));
    out->nonce = account.nonce;
    out->balance = account.balance;
    out->code = kl_arena_copy(arena, code);
    if (code.len && !out->code.p)
        return KL_NOMEM;
    return dump_storage(view, hash, arena, out);
}

kl_status kl_state_dump(struct kl_view *view, struct kl_arena *arena, const kl_alloc **out,
                        usize *count)
{
    struct hashes accounts = {.arena = arena};
    KL_TRY(list(view, KL_TABLE_ACCOUNT, KL_SPAN_NONE, &accounts));
    kl_alloc *list = KL_ZERO(arena, kl_alloc, accounts.count + 1);
    if (!list)
        return KL_NOMEM;
    for (usize i = 0; i < accounts.count; i++)
        KL_TRY(dump_account(view, &accounts.of[i], arena, &list[i]));
    *out = list;
    *count = accounts.count;
    return KL_OK;
}
