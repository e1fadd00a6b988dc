/* tx: transactions of all types: legacy, 1 [EIP-2930], 2 [EIP-1559], 3 [EIP-4844], 4 [EIP-7702].
 *
 * Decoding judges the form only; whether a transaction may run now is exec's and the pool's
 * judgement.  A decoded kl_tx views the raw bytes and arena it was decoded with. */
#ifndef KL_TYPES_TX_H
#define KL_TYPES_TX_H

#include "base/arena.h"
#include "base/rule.h"
#include "base/status.h"
#include "crypto/secp256k1.h"
#include "types/spec.h"

typedef enum kl_tx_type {
    KL_TX_LEGACY = 0,
    KL_TX_ACCESS_LIST = 1,
    KL_TX_DYNAMIC_FEE = 2,
    KL_TX_BLOB = 3,
    KL_TX_SET_CODE = 4,
} kl_tx_type;

typedef struct kl_access {
    kl_address address;
    const kl_hash *slots;
    usize slot_count;
} kl_access;

/* One tuple of a type-4 transaction's list [EIP-7702]. */
typedef struct kl_authorization {
    kl_u256 chain_id;
    kl_address address;
    u64 nonce;
    kl_signature signature; /* y_parity may be any byte: a bad one only voids the tuple */
    kl_address authority;   /* set by kl_tx_recover when has_authority */
    bool has_authority;
} kl_authorization;

typedef struct kl_tx {
    u8 type;          /* kl_tx_type */
    bool has_to;      /* false creates a contract */
    bool replay_safe; /* signs the chain id: always for types 1 and up, EIP-155 for legacy */
    bool has_sender;
    u64 chain_id; /* 0 when !replay_safe */
    u64 nonce;
    u64 gas_limit;
    kl_u256 max_fee;          /* gasPrice for types 0 and 1 */
    kl_u256 max_priority_fee; /* gasPrice for types 0 and 1 */
    kl_u256 max_blob_fee;
    kl_u256 value;
    kl_address to;
    kl_span data;
    const kl_access *access_list;
    usize access_count;
    const kl_hash *blob_hashes;
    usize blob_count;
    kl_authorization *authorizations;
    usize authorization_count;
    kl_signature signature;
    kl_hash hash;      /* keccak(raw) */
    kl_address sender; /* valid when has_sender */
    kl_span raw;       /* the envelope: what is hashed, stored, and sent */
} kl_tx;

/* Does fork know transactions of this type? */
bool kl_tx_type_known(u8 type, kl_fork fork);

/* Decodes one envelope: rlp(list), or type ‖ rlp(list).  Of a blob transaction this is the form
 * that stands in blocks, without blobs.  *broken names the rule, KL_RULE_NONE for a
 * good one.  Types unknown at fork give TX_TYPE. */
KL_MUST_USE kl_status kl_tx_decode(kl_tx *out, kl_span raw, kl_fork fork, struct kl_arena *arena,
                                   kl_rule *broken);

/* Writes the envelope of tx from its fields. */
void kl_tx_encode(kl_out *out, const kl_tx *tx);

/* What the sender signs, from the fields; the envelope is built in scratch.  KL_NOMEM. */
KL_MUST_USE kl_status kl_tx_signing_hash(kl_hash *out, const kl_tx *tx, struct kl_arena *scratch);

/* Encodes tx, signs it with a valid key (asserted), and fills signature, raw, hash, sender and
 * authorities.  KL_NOMEM. */
KL_MUST_USE kl_status kl_tx_sign(kl_tx *tx, const kl_secret32 *key, struct kl_arena *arena);

/* Recovers the sender of a tx that has its raw, and of type 4 the authorities.  TX_SIGNATURE when
 * there is no sender, or s is above half the order from Homestead on [EIP-2].  Variable time, about
 * 50 us a signature. */
kl_rule kl_tx_recover(kl_tx *tx, kl_fork fork);

/* The authorities of a set-code transaction alone, for one whose sender is known. */
void kl_tx_recover_authorities(kl_tx *tx);

/* Does tx name its sender instead of carrying a signature?  On dev chains impersonated accounts
 * send so: r is the sender's address, s is 0, which no signature has. */
bool kl_tx_impersonates(const kl_tx *tx, kl_address *sender);

/* What the message of an authorization hashes to: keccak(0x05 ‖ rlp([chain_id, address, nonce])).
 */
kl_hash kl_authorization_hash(const kl_authorization *authorization);

/* The price per gas the sender pays under base_fee [EIP-1559]; max_fee >= base_fee. */
kl_u256 kl_tx_gas_price(const kl_tx *tx, kl_u256 base_fee);

#endif
