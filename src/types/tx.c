/* tx: encoding, signing, recovering.  Without its signature a transaction is the front part of its
 * own envelope, so what is signed is hashed from the envelope in place: another list header, the
 * same field bytes and, for EIP-155, three more items. */
#include "types/tx.h"

#include "codec/rlp.h"
#include "crypto/address.h"
#include "crypto/keccak.h"

enum { SIGNATURE_ITEMS = 3 };

#define MAGIC 0x05 /* [EIP-7702] */

static void put_hashes(kl_out *out, const kl_hash *hashes, usize count)
{
    kl_rlp_mark list = kl_rlp_put_begin(out);
    for (usize i = 0; i < count; i++)
        kl_rlp_put_hash(out, &hashes[i]);
    kl_rlp_put_end(out, list);
}

static void put_access_list(kl_out *out, const kl_tx *tx)
{
    kl_rlp_mark list = kl_rlp_put_begin(out);
    for (usize i = 0; i < tx->access_count; i++) {
        kl_rlp_mark entry = kl_rlp_put_begin(out);
        kl_rlp_put_address(out, &tx->access_list[i].address);
        put_hashes(out, tx->access_list[i].slots, tx->access_list[i].slot_count);
        kl_rlp_put_end(out, entry);
    }
    kl_rlp_put_end(out, list);
}

static void put_authorization_fields(kl_out *out, const kl_authorization *a)
{
    kl_rlp_put_u256(out, a->chain_id);
    kl_rlp_put_address(out, &a->address);
    kl_rlp_put_u64(out, a->nonce);
}

static void put_authorizations(kl_out *out, const kl_tx *tx)
{
    kl_rlp_mark list = kl_rlp_put_begin(out);
    for (usize i = 0; i < tx->authorization_count; i++) {
        const kl_authorization *a = &tx->authorizations[i];
        kl_rlp_mark tuple = kl_rlp_put_begin(out);
        put_authorization_fields(out, a);
        kl_rlp_put_u64(out, a->signature.y_parity);
        kl_rlp_put_u256(out, a->signature.r);
        kl_rlp_put_u256(out, a->signature.s);
        kl_rlp_put_end(out, tuple);
    }
    kl_rlp_put_end(out, list);
}

/* The fields before the signature; the order is drawn in tx_decode.c. */
static void put_fields(kl_out *out, const kl_tx *tx)
{
    if (tx->type != KL_TX_LEGACY)
        kl_rlp_put_u64(out, tx->chain_id);
    kl_rlp_put_u64(out, tx->nonce);
    if (tx->type >= KL_TX_DYNAMIC_FEE)
        kl_rlp_put_u256(out, tx->max_priority_fee);
    kl_rlp_put_u256(out, tx->max_fee);
    kl_rlp_put_u64(out, tx->gas_limit);
    kl_rlp_put_bytes(out, tx->has_to ? kl_address_span(&tx->to) : KL_SPAN_NONE);
    kl_rlp_put_u256(out, tx->value);
    kl_rlp_put_bytes(out, tx->data);
    if (tx->type != KL_TX_LEGACY)
        put_access_list(out, tx);
    if (tx->type == KL_TX_BLOB) {
        kl_rlp_put_u256(out, tx->max_blob_fee);
        put_hashes(out, tx->blob_hashes, tx->blob_count);
    }
    if (tx->type == KL_TX_SET_CODE)
        put_authorizations(out, tx);
}

/* The parity, in a legacy transaction together with the chain id [EIP-155]. */
static kl_u256 v_of(const kl_tx *tx)
{
    u8 parity = tx->signature.y_parity;
    if (tx->type != KL_TX_LEGACY)
        return kl_u256_of(parity);
    if (!tx->replay_safe)
        return kl_u256_of(27u + parity);
    kl_u256 twice = {{tx->chain_id << 1, tx->chain_id >> 63, 0, 0}};
    return kl_u256_add(twice, kl_u256_of(35u + parity));
}

void kl_tx_encode(kl_out *out, const kl_tx *tx)
{
    KL_ASSERT(tx->type <= KL_TX_SET_CODE);
    if (tx->type != KL_TX_LEGACY)
        kl_out_u8(out, tx->type);
    kl_rlp_mark list = kl_rlp_put_begin(out);
    put_fields(out, tx);
    kl_rlp_put_u256(out, v_of(tx));
    kl_rlp_put_u256(out, tx->signature.r);
    kl_rlp_put_u256(out, tx->signature.s);
    kl_rlp_put_end(out, list);
}

/* The envelope of tx in the arena; p == NULL when it is exhausted. */
static kl_span envelope(const kl_tx *tx, struct kl_arena *arena)
{
    kl_out count = kl_out_counter();
    kl_tx_encode(&count, tx);
    u8 *room = KL_TAKE(arena, u8, count.len);
    if (!room)
        return KL_SPAN_NONE;
    kl_out out = kl_out_of(room, count.len);
    kl_tx_encode(&out, tx);
    KL_ASSERT(!out.full);
    return kl_out_done(&out);
}

/* The items of a well-formed envelope's list before its signature. */
static kl_span unsigned_fields(kl_span list)
{
    kl_rlp items, left;
    usize count;
    KL_ASSERT(kl_rlp_open(&items, list) == KL_RULE_NONE);
    KL_ASSERT(kl_rlp_count(&items, &count) == KL_RULE_NONE && count > SIGNATURE_ITEMS);
    left = items;
    for (; count > SIGNATURE_ITEMS; count--) {
        kl_span item;
        bool is_list;
        KL_ASSERT(kl_rlp_item(&left, &item, &is_list) == KL_RULE_NONE);
    }
    return kl_span_of(items.rest.p, items.rest.len - left.rest.len);
}

/* What is signed, from the envelope raw of tx, whose own signature is not looked at. */
static kl_hash signing_hash_of(const kl_tx *tx, kl_span raw)
{
    bool legacy = tx->type == KL_TX_LEGACY;
    kl_span fields = unsigned_fields(kl_span_sub(raw, !legacy, raw.len));
    u8 front_room[16], more_room[16];
    kl_out front = kl_out_of(front_room, sizeof front_room);
    kl_out more = kl_out_of(more_room, sizeof more_room);
    if (legacy && tx->replay_safe) { /* [EIP-155] */
        kl_rlp_put_u64(&more, tx->chain_id);
        kl_rlp_put_u64(&more, 0);
        kl_rlp_put_u64(&more, 0);
    }
    if (!legacy)
        kl_out_u8(&front, tx->type);
    kl_rlp_put_list_header(&front, fields.len + more.len);
    kl_keccak keccak;
    kl_keccak_init(&keccak);
    kl_keccak_add(&keccak, kl_out_done(&front));
    kl_keccak_add(&keccak, fields);
    kl_keccak_add(&keccak, kl_out_done(&more));
    return kl_keccak_done(&keccak);
}

kl_status kl_tx_signing_hash(kl_hash *out, const kl_tx *tx, struct kl_arena *scratch)
{
    kl_span raw = envelope(tx, scratch);
    if (!raw.p)
        return KL_NOMEM;
    *out = signing_hash_of(tx, raw);
    return KL_OK;
}

kl_hash kl_authorization_hash(const kl_authorization *authorization)
{
    u8 room[128];
    kl_out out = kl_out_of(room, sizeof room);
    kl_out_u8(&out, MAGIC);
    kl_rlp_mark list = kl_rlp_put_begin(&out);
    put_authorization_fields(&out, authorization);
    kl_rlp_put_end(&out, list);
    KL_ASSERT(!out.full);
    return kl_keccak256(kl_out_done(&out));
}

/* Who signed, with s in the lower half if that is asked for. */
static bool recover(kl_address *out, const kl_hash *digest, const kl_signature *signature,
                    bool low_s)
{
    kl_pubkey key;
    if (low_s && kl_u256_lt(kl_secp256k1_half_n, signature->s))
        return false;
    if (!kl_secp256k1_recover_var(&key, digest, signature))
        return false;
    *out = kl_address_of_pubkey(&key);
    return true;
}

void kl_tx_recover_authorities(kl_tx *tx)
{
    for (usize i = 0; i < tx->authorization_count; i++) {
        kl_authorization *a = &tx->authorizations[i];
        kl_hash digest = kl_authorization_hash(a);
        a->has_authority = recover(&a->authority, &digest, &a->signature, true);
    }
}

kl_status kl_tx_sign(kl_tx *tx, const kl_secret32 *key, struct kl_arena *arena)
{
    kl_hash digest;
    kl_arena_mark mark = kl_arena_here(arena);
    KL_TRY(kl_tx_signing_hash(&digest, tx, arena));
    kl_arena_rewind(arena, mark);
    kl_tx done = *tx;
    done.replay_safe |= tx->type != KL_TX_LEGACY;
    KL_ASSERT(kl_secp256k1_sign(&done.signature, &digest, key));
    done.raw = envelope(&done, arena);
    if (!done.raw.p)
        return KL_NOMEM;
    done.hash = kl_keccak256(done.raw);
    done.has_sender = recover(&done.sender, &digest, &done.signature, true);
    KL_ASSERT(done.has_sender);
    kl_tx_recover_authorities(&done);
    *tx = done;
    return KL_OK;
}

kl_rule kl_tx_recover(kl_tx *tx, kl_fork fork)
{
    kl_hash digest = signing_hash_of(tx, tx->raw);
    if (!recover(&tx->sender, &digest, &tx->signature, fork >= KL_HOMESTEAD)) /* [EIP-2] */
        return KL_RULE_TX_SIGNATURE;
    tx->has_sender = true;
    kl_tx_recover_authorities(tx);
    return KL_RULE_NONE;
}

bool kl_tx_impersonates(const kl_tx *tx, kl_address *sender)
{
    if (!kl_u256_is_zero(tx->signature.s) || kl_u256_bits(tx->signature.r) > 160)
        return false;
    *sender = kl_u256_to_address(tx->signature.r);
    return true;
}

kl_u256 kl_tx_gas_price(const kl_tx *tx, kl_u256 base_fee)
{
    kl_u256 room = kl_u256_sub(tx->max_fee, base_fee);
    kl_u256 tip = kl_u256_lt(room, tx->max_priority_fee) ? room : tx->max_priority_fee;
    return kl_u256_add(base_fee, tip);
}
