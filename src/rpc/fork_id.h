/* fork_id: the checksum by which nodes tell whether they agree on the forks so far [EIP-2124,
 * EIP-6122]. */
#ifndef KL_RPC_FORK_ID_H
#define KL_RPC_FORK_ID_H

#include "types/spec.h"

/* CRC-32 over the genesis hash and the activations up to and with those of fork: heights, then
 * times, each once; what held from the genesis on does not count. */
u32 kl_fork_id(const kl_spec *spec, const kl_hash *genesis_hash, u64 genesis_time, kl_fork fork);

/* What nodes tell one another of the forks they know [EIP-2124, EIP-6122]: the checksum of those
 * that their head has passed, and the next, a height or a time; 0: they know of none. */
typedef struct kl_fork_stamp {
    u32 id;
    u64 next;
} kl_fork_stamp;

/* Where a chain stands. */
typedef struct kl_fork_place {
    const kl_spec *spec;
    const kl_hash *genesis_hash;
    u64 genesis_time;
    u64 number, timestamp; /* of the head */
} kl_fork_place;

kl_fork_stamp kl_fork_stamp_of(const kl_fork_place *place);
/* Whether a peer that says so can be of use to us, and we to it: we agree on what is past, or one
 * of us is only behind.  False: one of us has missed a fork. */
bool kl_fork_fits(const kl_fork_place *place, kl_fork_stamp peer);

#endif
