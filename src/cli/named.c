#include "cli/named.h"

#include "state/state.h"

/* The hashes at the end of keys; a walk without room only counts. */
struct hashes {
    kl_hash *of;
    usize count, room;
};

static bool take_hash(void *ctx, kl_span key, KL_UNUSED kl_span value)
{
    struct hashes *h = ctx;
    if (h->count < h->room)
        memcpy(h->of[h->count].b, key.p + key.len - sizeof(kl_hash), sizeof(kl_hash));
    h->count++;
    return true;
}

/* The last 32 bytes of every key of the table that begins with prefix. */
static kl_status list(struct kl_view *view, kl_table table, kl_span prefix, struct kl_arena *arena,
                      struct hashes *out)
{
    struct hashes h = {0};
    KL_TRY(kl_view_scan(view, table, prefix, KL_SPAN_NONE, take_hash, &h));
    h.of = KL_TAKE(arena, kl_hash, h.count + 1);
    h.room = h.count;
    h.count = 0;
    if (!h.of)
        return KL_NOMEM;
    KL_TRY(kl_view_scan(view, table, prefix, KL_SPAN_NONE, take_hash, &h));
    KL_ASSERT(h.count == h.room); /* a view does not change */
    *out = h;
    return KL_OK;
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

kl_status kl_named_accounts(struct kl_view *view, struct kl_arena *arena, kl_named_account **out,
                            usize *count)
{
    struct hashes h;
    KL_TRY(list(view, KL_TABLE_ACCOUNT, KL_SPAN_NONE, arena, &h));
    kl_named_account *accounts = KL_TAKE(arena, kl_named_account, h.count + 1);
    if (!accounts)
        return KL_NOMEM;
    for (usize i = 0; i < h.count; i++) {
        accounts[i].hash = h.of[i];
        KL_TRY(name_of(view, &h.of[i], accounts[i].address.b, sizeof accounts[i].address.b));
    }
    *out = accounts;
    *count = h.count;
    return KL_OK;
}

kl_status kl_named_slots(struct kl_view *view, const kl_hash *account, struct kl_arena *arena,
                         kl_named_slot **out, usize *count)
{
    struct hashes h;
    KL_TRY(list(view, KL_TABLE_SLOT, kl_hash_span(account), arena, &h));
    kl_named_slot *slots = KL_TAKE(arena, kl_named_slot, h.count + 1);
    if (!slots)
        return KL_NOMEM;
    for (usize i = 0; i < h.count; i++) {
        KL_TRY(name_of(view, &h.of[i], slots[i].slot.b, sizeof slots[i].slot.b));
        KL_TRY(kl_view_slot(view, account, &h.of[i], &slots[i].value));
    }
    *out = slots;
    *count = h.count;
    return KL_OK;
}
