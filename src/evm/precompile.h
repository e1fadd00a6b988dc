/* precompile: the built-in contracts, selected by fork. */
#ifndef KL_EVM_PRECOMPILE_H
#define KL_EVM_PRECOMPILE_H

#include "base/arena.h"
#include "base/hash.h"
#include "base/status.h"
#include "types/fork.h"

struct kl_precompile;

/* The contract at address under fork, or NULL. */
const struct kl_precompile *kl_precompile_at(const kl_address *address, kl_fork fork);

/* Addresses under fork, in order: start with *cursor = 0; false at the end. */
bool kl_precompile_next(kl_fork fork, usize *cursor, kl_address *out);

/* "ECREC", the names of eth_config [EIP-7910]. */
const char *kl_precompile_name(const struct kl_precompile *precompile);

/* What a run with input costs under fork; UINT64_MAX where the input alone makes it fail. */
u64 kl_precompile_gas(const struct kl_precompile *precompile, kl_span input, kl_fork fork);

/* Runs it; *ok is false when the call fails (all gas is gone).  Output is in the arena.  KL_NOMEM,
 * KL_LIMIT. */
KL_MUST_USE kl_status kl_precompile_run(const struct kl_precompile *precompile, kl_span input,
                                        kl_fork fork, struct kl_arena *arena, kl_span *output,
                                        bool *ok);

#endif
