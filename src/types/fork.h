/* fork: which of Ethereum's rules hold.  Code asks `fork >= KL_BERLIN`; numbers that a fork changes
 * stand in tables indexed by kl_fork. */
#ifndef KL_TYPES_FORK_H
#define KL_TYPES_FORK_H

#include "base/int.h"
#include "base/span.h"

typedef enum kl_fork {
#define KL_FORK_X(name, fixture, config) KL_##name,
#include "types/fork.def"
#undef KL_FORK_X
    KL_FORK_COUNT,
    KL_FORK_NEWEST = KL_FORK_COUNT - 1,
} kl_fork;

/* "Osaka"; static storage. */
const char *kl_fork_name(kl_fork fork);
/* The key of its activation in a geth genesis file, "" for Frontier; static storage. */
const char *kl_fork_config_key(kl_fork fork);

/* A fork by its fixture name or any usual spelling of it, whatever the case ("osaka", "Merge",
 * "SpuriousDragon"). */
KL_MUST_USE bool kl_fork_from_name(kl_fork *out, kl_span name);

#endif
