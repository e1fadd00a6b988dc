/* format_priv: the keys and values of the state's tables; docs/formats/state.md draws them. */
#ifndef KL_STATE_FORMAT_PRIV_H
#define KL_STATE_FORMAT_PRIV_H

#include "base/status.h"
#include "base/u256.h"
#include "state/state.h"
#include "types/account.h"

#define KL_STATE_FORMAT 1u

#define KL_META_FORMAT KL_SPAN_TEXT("format")
#define KL_META_TIP    KL_SPAN_TEXT("tip")
#define KL_META_FILL   KL_SPAN_TEXT("fill") /* while it is being filled: 1, and the note */

/* META's tip: the version, 8 bytes, then the anchor. */
#define KL_TIP_MAX (8 + KL_ANCHOR_MAX)

/* ACCOUNT. */
#define KL_ACCOUNT_VALUE_MAX (2 + 8 + 32 + 32 + 32)
kl_span kl_account_pack(u8 room[KL_ACCOUNT_VALUE_MAX], const kl_account *account);
/* KL_CORRUPT unless value is what kl_account_pack writes. */
KL_MUST_USE kl_status kl_account_unpack(kl_account *out, kl_span value);

/* SLOT. */
typedef struct kl_slot_key {
    kl_hash address_hash, slot_hash;
} kl_slot_key;
static inline kl_span kl_slot_key_span(const kl_slot_key *key)
{
    return kl_span_of(key, sizeof *key);
}
kl_span kl_slot_pack(u8 room[32], const kl_u256 *value); /* empty for 0, which is never stored */
KL_MUST_USE kl_status kl_slot_unpack(kl_u256 *out, kl_span value);
/* The value as it stands in the storage trie: RLP. */
#define KL_SLOT_RLP_MAX 33
kl_span kl_slot_rlp(u8 room[KL_SLOT_RLP_MAX], kl_span packed);

/* NODE: the path's nibbles in pairs, the odd last one in the upper half, then their number; behind
 * keccak(address) for a storage trie. */
#define KL_NODE_KEY_MAX (32 + 32 + 1)
kl_span kl_node_key(u8 room[KL_NODE_KEY_MAX], const kl_hash *owner, kl_span path);
/* Does the key belong to the storage trie of an account (and not to the account trie)? */
bool kl_node_key_is_storage(kl_span key);

#endif
