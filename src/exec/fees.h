/* fees: what a block charges, from its parent. */
#ifndef KL_EXEC_FEES_H
#define KL_EXEC_FEES_H

#include "types/header.h"
#include "types/spec.h"

/* The base fee of the block after parent [EIP-1559]; the first London block starts at 1 gwei.
 * number and timestamp are the new block's. */
kl_u256 kl_base_fee_after(const kl_spec *spec, const kl_header *parent, u64 number, u64 timestamp);

/* excessBlobGas of the block after parent [EIP-4844, EIP-7691, EIP-7918]; 0 before Cancun. */
u64 kl_excess_blob_gas_after(const kl_spec *spec, const kl_header *parent, u64 number,
                             u64 timestamp);

/* The price of one unit of blob gas: fake_exponential(1, excess, fraction) [EIP-4844]. */
kl_u256 kl_blob_base_fee(u64 excess_blob_gas, u64 update_fraction);

#endif
