/* world_dump: the tables are in order of hashes, so the keys are collected, named by their
 * preimages, and sorted. */
#include "cli/world_dump.h"

#include <stdlib.h>

#include "base/buf.h"
#include "codec/hex.h"
#include "crypto/address.h"
#include "crypto/keccak.h"

#define KEYS_MAX ((usize)1 << 32)

typedef struct named_account {
    kl_address address;
    kl_hash hash;
} named_account;

typedef struct named_slot {
    kl_hash slot;
    kl_u256 value;
} named_slot;

/* Where the writing is. */
struct dump {
    struct kl_json_out *out;
    struct kl_view *view;
    kl_dump_shape shape;
    struct kl_arena *scratch;
    struct kl_buf keys; /* hashes of the slots of one account */
};

static bool take_key(void *ctx, kl_span key, KL_UNUSED kl_span value)
{
    struct kl_buf *keys = ctx;
    kl_buf_bytes(keys, key.p + key.len - sizeof(kl_hash), sizeof(kl_hash));
    return !keys->failed;
}

/* The last 32 bytes of every key of the table that begins with prefix. */
static kl_status scan(struct kl_view *view, kl_table table, kl_span prefix, struct kl_buf *keys)
{
    kl_buf_clear(keys);
    KL_TRY(kl_view_scan(view, table, prefix, KL_SPAN_NONE, take_key, keys));
    return keys->failed ? KL_NOMEM : KL_OK;
}

/* What was hashed, of exactly len bytes. */
static kl_status preimage(struct kl_view *view, const kl_hash *hash, void *out, usize len)
{
    kl_span bytes;
    kl_status status = kl_view_get(view, KL_TABLE_PREIMAGE, kl_hash_span(hash), &bytes);
    if (status == KL_NOTFOUND || (status == KL_OK && bytes.len != len))
        return KL_CORRUPT;
    if (status == KL_OK)
        memcpy(out, bytes.p, len);
    return status;
}

static int by_address(const void *a, const void *b)
{
    const named_account *x = a, *y = b;
    return memcmp(x->address.b, y->address.b, sizeof x->address.b);
}

static int by_slot(const void *a, const void *b)
{
    const named_slot *x = a, *y = b;
    return memcmp(x->slot.b, y->slot.b, sizeof x->slot.b);
}

static kl_status read_slots(struct dump *d, const kl_hash *account, named_slot **out, usize *count)
{
    KL_TRY(scan(d->view, KL_TABLE_SLOT, kl_hash_span(account), &d->keys));
    *count = d->keys.len / sizeof(kl_hash);
    *out = KL_TAKE(d->scratch, named_slot, *count);
    if (*count && !*out)
        return KL_NOMEM;
    for (usize i = 0; i < *count; i++) {
        kl_hash key;
        memcpy(key.b, d->keys.p + i * sizeof key, sizeof key);
        KL_TRY(preimage(d->view, &key, (*out)[i].slot.b, sizeof key));
        KL_TRY(kl_view_slot(d->view, account, &key, &(*out)[i].value));
    }
    if (*count)
        qsort(*out, *count, sizeof **out, by_slot);
    return KL_OK;
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
    named_slot *slots;
    usize count;
    KL_TRY(read_slots(d, account, &slots, &count));
    if (count == 0)
        return KL_OK;
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

static kl_status put_alloc(struct dump *d, const named_account *who, const kl_account *account)
{
    KL_TRY(put_code(d, account));
    KL_TRY(put_storage(d, &who->hash));
    kl_json_add_quantity_u256(d->out, "balance", account->balance);
    if (account->nonce) {
        kl_json_add_quantity(d->out, "nonce", account->nonce);
    }
    return KL_OK;
}

static kl_status put_state(struct dump *d, const named_account *who, const kl_account *account)
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

static kl_status put_account(struct dump *d, const named_account *who)
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
    KL_TRY(scan(d->view, KL_TABLE_ACCOUNT, KL_SPAN_NONE, &d->keys));
    usize count = d->keys.len / sizeof(kl_hash);
    named_account *accounts = KL_TAKE(d->scratch, named_account, count);
    if (count && !accounts)
        return KL_NOMEM;
    for (usize i = 0; i < count; i++) {
        memcpy(accounts[i].hash.b, d->keys.p + i * sizeof(kl_hash), sizeof(kl_hash));
        KL_TRY(preimage(d->view, &accounts[i].hash, accounts[i].address.b, sizeof(kl_address)));
    }
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
    kl_buf_init(&d.keys, KEYS_MAX);
    kl_status status = put_accounts(&d);
    kl_buf_done(&d.keys);
    kl_arena_rewind(scratch, mark);
    return status;
}
