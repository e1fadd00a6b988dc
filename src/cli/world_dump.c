/* world_dump: the tables are in order of hashes, so names are collected and sorted. */
#include "cli/world_dump.h"

#include <stdlib.h>

#include "cli/named.h"
#include "codec/hex.h"
#include "crypto/address.h"
#include "crypto/keccak.h"

/* Where the writing is. */
struct dump {
    struct kl_json_out *out;
    struct kl_view *view;
    kl_dump_shape shape;
    struct kl_arena *scratch;
};

static int by_address(const void *a, const void *b)
{
    const kl_named_account *x = a, *y = b;
    return memcmp(x->address.b, y->address.b, sizeof x->address.b);
}

static int by_slot(const void *a, const void *b)
{
    const kl_named_slot *x = a, *y = b;
    return memcmp(x->slot.b, y->slot.b, sizeof x->slot.b);
}

/* In geth's dumps values of storage are hex digits alone, without zero bytes in front. */
static void put_value(struct dump *d, const kl_u256 *value)
{
    u8 bytes[32];
    char digits[2 * sizeof bytes];
    kl_u256_to_be(bytes, *value);
    if (d->shape == KL_DUMP_ALLOC) {
        kl_json_put_data(d->out, kl_span_of(bytes, sizeof bytes));
        return;
    }
    usize len = kl_u256_bytes(*value);
    kl_hex_digits(digits, kl_span_of(bytes + sizeof bytes - len, len));
    kl_json_put_string(d->out, kl_span_of(digits, 2 * len));
}

static kl_status put_storage(struct dump *d, const kl_hash *account)
{
    kl_named_slot *slots;
    usize count;
    KL_TRY(kl_named_slots(d->view, account, d->scratch, &slots, &count));
    if (count == 0)
        return KL_OK;
    qsort(slots, count, sizeof *slots, by_slot);
    kl_json_put_key(d->out, "storage");
    kl_json_put_object(d->out);
    for (usize i = 0; i < count; i++) {
        char name[67] = "0x";
        kl_hex_digits(name + 2, kl_hash_span(&slots[i].slot));
        name[66] = '\0';
        kl_json_put_key(d->out, name);
        put_value(d, &slots[i].value);
    }
    kl_json_put_object_end(d->out);
    return KL_OK;
}

static kl_status put_code(struct dump *d, const kl_account *account)
{
    kl_span code;
    if (kl_hash_eq(&account->code_hash, &kl_keccak_empty))
        return KL_OK;
    KL_TRY(kl_view_code(d->view, &account->code_hash, &code));
    kl_json_add_data(d->out, "code", code);
    return KL_OK;
}

static kl_status put_alloc(struct dump *d, const kl_named_account *who, const kl_account *account)
{
    KL_TRY(put_code(d, account));
    KL_TRY(put_storage(d, &who->hash));
    kl_json_add_quantity_u256(d->out, "balance", account->balance);
    if (account->nonce) {
        kl_json_add_quantity(d->out, "nonce", account->nonce);
    }
    return KL_OK;
}

static kl_status put_state(struct dump *d, const kl_named_account *who, const kl_account *account)
{
    char balance[KL_U256_DECIMAL_MAX];
    usize len = kl_u256_decimal(balance, account->balance);
    kl_json_add_string(d->out, "balance", kl_span_of(balance, len));
    kl_json_add_number(d->out, "nonce", account->nonce);
    kl_json_add_hash(d->out, "root", &account->storage_root);
    kl_json_add_hash(d->out, "codeHash", &account->code_hash);
    KL_TRY(put_code(d, account));
    KL_TRY(put_storage(d, &who->hash));
    kl_json_add_address(d->out, "address", &who->address);
    kl_json_add_hash(d->out, "key", &who->hash);
    return KL_OK;
}

static kl_status put_account(struct dump *d, const kl_named_account *who)
{
    kl_account account;
    bool exists;
    char name[43] = "0x";
    if (d->shape == KL_DUMP_STATE)
        kl_address_text(name, &who->address);
    else
        kl_hex_digits(name + 2, kl_address_span(&who->address));
    name[42] = '\0';
    KL_TRY(kl_view_account(d->view, &who->hash, &account, &exists));
    kl_json_put_key(d->out, name);
    kl_json_put_object(d->out);
    KL_TRY(d->shape == KL_DUMP_ALLOC ? put_alloc(d, who, &account) : put_state(d, who, &account));
    kl_json_put_object_end(d->out);
    return KL_OK;
}

static kl_status put_accounts(struct dump *d)
{
    kl_named_account *accounts;
    usize count;
    KL_TRY(kl_named_accounts(d->view, d->scratch, &accounts, &count));
    if (count)
        qsort(accounts, count, sizeof *accounts, by_address);
    kl_json_put_object(d->out);
    for (usize i = 0; i < count; i++) {
        kl_arena_mark mark = kl_arena_here(d->scratch);
        KL_TRY(put_account(d, &accounts[i]));
        kl_arena_rewind(d->scratch, mark);
    }
    kl_json_put_object_end(d->out);
    return KL_OK;
}

kl_status kl_world_dump(struct kl_json_out *out, struct kl_view *view, kl_dump_shape shape,
                        struct kl_arena *scratch)
{
    struct dump d = {.out = out, .view = view, .shape = shape, .scratch = scratch};
    kl_arena_mark mark = kl_arena_here(scratch);
    kl_status status = put_accounts(&d);
    kl_arena_rewind(scratch, mark);
    return status == KL_NOTFOUND ? KL_CORRUPT : status; /* a name is missing */
}
