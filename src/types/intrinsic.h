/* intrinsic: what a transaction costs before it runs, and what it can be judged by alone. */
#ifndef KL_TYPES_INTRINSIC_H
#define KL_TYPES_INTRINSIC_H

#include "types/tx.h"

/* Gas that is used up before the first instruction: the transaction itself, its data, creation and
 * init code, access list and authorizations [YP section 6.2; EIP-2, EIP-2028, EIP-2930, EIP-3860,
 * EIP-7702].  UINT64_MAX for what no gas limit could pay. */
u64 kl_intrinsic_gas(const kl_tx *tx, kl_fork fork);

/* The most gas a transaction may ask for [EIP-7825]; UINT64_MAX before Osaka. */
u64 kl_tx_gas_max(kl_fork fork);

/* The least gas a transaction is charged for its data [EIP-7623]; 0 before Prague. */
u64 kl_floor_gas(const kl_tx *tx, kl_fork fork);

/* The most tx can take from its sender: gas_limit * max_fee + value + blob gas * max_blob_fee.
 * False when that does not fit 256 bits: it is more than anybody owns. */
KL_MUST_USE bool kl_tx_cost(kl_u256 *out, const kl_tx *tx);

/* What makes a transaction of its type: type known, blobs, authorizations, init code. */
kl_rule kl_tx_judge_form(const kl_tx *tx, kl_fork fork);

/* Its numbers against the fork's and one another: a chain id before there were any, last nonce, gas
 * cap, tip above fee. */
kl_rule kl_tx_judge_limits(const kl_tx *tx, kl_fork fork);

/* Everything but signature and encoding that a transaction can be guilty of whatever the state and
 * the block: type, nonce, gas cap, fees, blobs, authorizations, init code, intrinsic gas and floor.
 */
kl_rule kl_tx_judge_alone(const kl_tx *tx, kl_fork fork);

#endif
