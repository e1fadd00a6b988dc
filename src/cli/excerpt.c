#include "cli/excerpt.h"

#include "cli/named.h"

static kl_status dump_storage(struct kl_view *view, const kl_hash *account, struct kl_arena *arena,
                              kl_alloc *out)
{
    kl_named_slot *slots;
    usize count;
    KL_TRY(kl_named_slots(view, account, arena, &slots, &count));
    kl_hash *keys = KL_TAKE(arena, kl_hash, count + 1);
    kl_u256 *values = KL_TAKE(arena, kl_u256, count + 1);
    if (!keys || !values)
        return KL_NOMEM;
    for (usize i = 0; i < count; i++) {
        keys[i] = slots[i].slot;
        values[i] = slots[i].value;
    }
    out->keys = keys;
    out->values = values;
    out->slot_count = count;
    return KL_OK;
}

static kl_status dump_account(struct kl_view *view, const kl_named_account *who,
                              struct kl_arena *arena, kl_alloc *out)
{
    kl_account account;
    bool exists;
    kl_span code = KL_SPAN_NONE;
    KL_TRY(kl_view_account(view, &who->hash, &account, &exists));
    kl_account none = kl_account_none();
    if (!kl_hash_eq(&account.code_hash, &none.code_hash))
        KL_TRY(kl_view_code(view, &account.code_hash, &code));
    out->address = who->address;
    out->nonce = account.nonce;
    out->balance = account.balance;
    out->code = kl_arena_copy(arena, code);
    if (code.len && !out->code.p)
        return KL_NOMEM;
    return dump_storage(view, &who->hash, arena, out);
}

kl_status kl_state_dump(struct kl_view *view, struct kl_arena *arena, const kl_alloc **out,
                        usize *count)
{
    kl_named_account *accounts;
    usize n;
    KL_TRY(kl_named_accounts(view, arena, &accounts, &n));
    kl_alloc *list = KL_ZERO(arena, kl_alloc, n + 1);
    if (!list)
        return KL_NOMEM;
    for (usize i = 0; i < n; i++)
        KL_TRY(dump_account(view, &accounts[i], arena, &list[i]));
    *out = list;
    *count = n;
    return KL_OK;
}
