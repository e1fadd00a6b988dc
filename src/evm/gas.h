/* gas: prices and limits, by fork.  Where a price changed, gas.c says which EIP changed it. */
#ifndef KL_EVM_GAS_H
#define KL_EVM_GAS_H

#include "base/span.h"
#include "types/fork.h"

/* What an instruction costs before its arguments are looked at, by opcode; KL_GAS_UNDEFINED where
 * the fork has no such instruction. */
#define KL_GAS_UNDEFINED (-1)
typedef struct kl_gas_table {
    i32 base[256];
} kl_gas_table;
void kl_gas_table_fill(kl_gas_table *out, kl_fork fork);

/* Limits on code. */
u32 kl_code_size_limit(kl_fork fork);      /* EIP-170; UINT32_MAX before */
u32 kl_init_code_size_limit(kl_fork fork); /* EIP-3860; UINT32_MAX before */

/* The largest share of gas_used that may be refunded: 1/2, from London on 1/5 [EIP-3529]. */
u64 kl_refund_cap(kl_fork fork, u64 gas_used);

#endif
