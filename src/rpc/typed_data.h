/* typed_data: structured data as wallets sign it [EIP-712], read from JSON as eth_signTypedData_v4
 * gets it: {types, primaryType, domain, message}.
 *
 * Bounds: 64 types, 256 members of one, 2^18 values; depth is the JSON reader's.  Nothing
 * recurses. */
#ifndef KL_RPC_TYPED_DATA_H
#define KL_RPC_TYPED_DATA_H

#include "base/arena.h"
#include "codec/json.h"

enum { KL_TYPED_DATA_WHY = 200 }; /* bytes with the NUL */

/* keccak(0x1901 ‖ domain ‖ message) of the document at ref.  Where the document is no good, why is
 * a text that says so and *out is untouched; else why is empty.  As other signers have it: a member
 * that is a struct may be missing or null and counts as 0, members that no type names do not count,
 * a missing EIP712Domain type is made of the members that domain has.  KL_NOMEM. */
KL_MUST_USE kl_status kl_typed_data_hash(kl_hash *out, const struct kl_json *json, kl_json_ref ref,
                                         struct kl_arena *arena, char why[KL_TYPED_DATA_WHY]);

#endif
