#include "cli/fixture_put.h"

#include "codec/hex.h"

/* A name "0x…" of an object's member. */
static void put_hex_key(struct kl_json_out *out, kl_span bytes)
{
    char text[2 + 64] = "0x";
    KL_ASSERT(bytes.len <= 32);
    kl_hex_digits(text + 2, bytes);
    kl_json_put_key_span(out, kl_span_of(text, 2 + 2 * bytes.len));
}

void kl_fixture_put_account(struct kl_json_out *out, const kl_alloc *a)
{
    put_hex_key(out, kl_address_span(&a->address));
    kl_json_put_object(out);
    kl_json_add_quantity_u256(out, "balance", a->balance);
    kl_json_add_quantity(out, "nonce", a->nonce);
    kl_json_add_data(out, "code", a->code);
    kl_json_put_key(out, "storage");
    kl_json_put_object(out);
    for (usize i = 0; i < a->slot_count; i++) {
        kl_hash value = kl_u256_to_hash(a->values[i]);
        put_hex_key(out, kl_hash_span(&a->keys[i]));
        kl_json_put_hash(out, &value);
    }
    kl_json_put_object_end(out);
    kl_json_put_object_end(out);
}
