/* fork_id: the checksum by which nodes tell whether they agree on the forks so far [EIP-2124,
 * EIP-6122]. */
#ifndef KL_RPC_FORK_ID_H
#define KL_RPC_FORK_ID_H

#include "types/spec.h"

/* CRC-32 over the genesis hash and the activations up to and with those of fork: heights, then
 * times, each once; what held from the genesis on does not count. */
u32 kl_fork_id(const kl_spec *spec, const kl_hash *genesis_hash, u64 genesis_time, kl_fork fork);

#endif
