/* Every value has one encoding only, and the decoders refuse all others: what the scrub reads is
 * then what was written. */
#include "state/format_priv.h"

#include "crypto/keccak.h"

enum { HAS_STORAGE = 0x10, HAS_CODE = 0x20, NONCE_MASK = 0x0f };

kl_span kl_account_pack(u8 room[KL_ACCOUNT_VALUE_MAX], const kl_account *account)
{
    u8 nonce[8], balance[32];
    kl_store_be64(nonce, account->nonce);
    kl_u256_to_be(balance, account->balance);
    usize nonce_len = kl_u256_bytes(kl_u256_of(account->nonce));
    usize balance_len = kl_u256_bytes(account->balance);
    bool has_storage = !kl_hash_eq(&account->storage_root, &kl_keccak_empty_rlp);
    bool has_code = !kl_hash_eq(&account->code_hash, &kl_keccak_empty);
    kl_out out = kl_out_of(room, KL_ACCOUNT_VALUE_MAX);
    kl_out_u8(&out,
              (u8)(nonce_len | (has_storage ? HAS_STORAGE : 0u) | (has_code ? HAS_CODE : 0u)));
    kl_out_u8(&out, (u8)balance_len);
    kl_out_bytes(&out, nonce + sizeof nonce - nonce_len, nonce_len);
    kl_out_bytes(&out, balance + sizeof balance - balance_len, balance_len);
    if (has_storage)
        kl_out_span(&out, kl_hash_span(&account->storage_root));
    if (has_code)
        kl_out_span(&out, kl_hash_span(&account->code_hash));
    KL_ASSERT(!out.full);
    return kl_out_done(&out);
}

static bool is_number(kl_span bytes)
{
    return bytes.len == 0 || bytes.p[0] != 0;
}

/* The next hash of value, which must not be the one whose absence is written as nothing. */
static bool take_hash(kl_hash *out, kl_span value, usize *at, const kl_hash *elided)
{
    memcpy(out->b, value.p + *at, sizeof out->b);
    *at += sizeof out->b;
    return !kl_hash_eq(out, elided);
}

kl_status kl_account_unpack(kl_account *out, kl_span value)
{
    if (value.len < 2 || (value.p[0] & ~(NONCE_MASK | HAS_STORAGE | HAS_CODE)))
        return KL_CORRUPT;
    bool has_storage = value.p[0] & HAS_STORAGE, has_code = value.p[0] & HAS_CODE;
    usize nonce_len = value.p[0] & NONCE_MASK, balance_len = value.p[1];
    if (nonce_len > 8 || balance_len > 32)
        return KL_CORRUPT;
    usize at = 2 + nonce_len + balance_len;
    if (value.len != at + (has_storage ? 32u : 0u) + (has_code ? 32u : 0u))
        return KL_CORRUPT;
    kl_span nonce = kl_span_of(value.p + 2, nonce_len);
    kl_span balance = kl_span_of(value.p + 2 + nonce_len, balance_len);
    if (!is_number(nonce) || !is_number(balance))
        return KL_CORRUPT;
    kl_account account = kl_account_none();
    account.nonce = kl_u256_from_be_bytes(nonce).w[0];
    account.balance = kl_u256_from_be_bytes(balance);
    if (has_storage && !take_hash(&account.storage_root, value, &at, &kl_keccak_empty_rlp))
        return KL_CORRUPT;
    if (has_code && !take_hash(&account.code_hash, value, &at, &kl_keccak_empty))
        return KL_CORRUPT;
    *out = account;
    return KL_OK;
}

kl_span kl_slot_pack(u8 room[32], const kl_u256 *value)
{
    kl_u256_to_be(room, *value);
    usize len = kl_u256_bytes(*value);
    return kl_span_of(room + 32 - len, len);
}

kl_status kl_slot_unpack(kl_u256 *out, kl_span value)
{
    if (value.len == 0 || value.len > 32 || value.p[0] == 0)
        return KL_CORRUPT;
    *out = kl_u256_from_be_bytes(value);
    return KL_OK;
}

kl_span kl_slot_rlp(u8 room[KL_SLOT_RLP_MAX], kl_span packed)
{
    KL_ASSERT(packed.len > 0 && packed.len <= 32);
    bool single = packed.len == 1 && packed.p[0] < 0x80;
    room[0] = (u8)(0x80 + packed.len);
    memcpy(room + !single, packed.p, packed.len);
    return kl_span_of(room, packed.len + !single);
}

kl_span kl_node_key(u8 room[KL_NODE_KEY_MAX], const kl_hash *owner, kl_span path)
{
    KL_ASSERT(path.len <= 64);
    u8 *to = room;
    if (owner) {
        memcpy(to, owner->b, sizeof owner->b);
        to += sizeof owner->b;
    }
    for (usize i = 0; i < path.len; i += 2) {
        KL_ASSERT(path.p[i] < 16 && (i + 1 == path.len || path.p[i + 1] < 16));
        *to++ = (u8)(path.p[i] << 4 | (i + 1 < path.len ? path.p[i + 1] : 0));
    }
    *to++ = (u8)path.len;
    return kl_span_of(room, (usize)(to - room));
}

/* An account path of n nibbles makes a key of (n + 1) / 2 + 1 bytes, a storage path one of 32 more.
 * They meet at 33 bytes only: 63 or 64 nibbles against none, and the last byte tells. */
bool kl_node_key_is_storage(kl_span key)
{
    return key.len > 33 || (key.len == 33 && key.p[32] == 0);
}
