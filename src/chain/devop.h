/* devop: what a dev chain's user may do that no transaction can: set balances, impersonate, travel
 * in time, go back.  Each is a record of the ledger, replayed in order, and refused by every chain
 * whose spec lacks config.keel.dev. */
#ifndef KL_CHAIN_DEVOP_H
#define KL_CHAIN_DEVOP_H

#include "base/arena.h"
#include "base/rule.h"
#include "base/status.h"
#include "base/u256.h"

typedef enum kl_devop_kind {
#define KL_DEVOP_X(NAME, name) KL_DEVOP_##NAME,
#include "chain/devop.def"
#undef KL_DEVOP_X
    KL_DEVOP_COUNT
} kl_devop_kind;

/* One operation; which members count depends on its kind (devop.def). */
typedef struct kl_devop {
    kl_devop_kind kind;
    kl_address address;
    kl_u256 key, value;
    u64 number;
    kl_span code;
    bool flag;
} kl_devop;

#define KL_DEV_IMPERSONATED_MAX 256
#define KL_DEV_SNAPSHOT_MAX     4096

/* What operations have set and later blocks depend on.  Part of the state: it is versioned, and a
 * revert restores it.  Immutable and shared between the tips it is the same for. */
struct kl_dev_facts;
typedef struct kl_dev_env {
    const struct kl_dev_facts *facts; /* NULL: nothing is set */
} kl_dev_env;

/* May transactions of address come without a signature? */
bool kl_dev_impersonated(const kl_dev_env *env, const kl_address *address);
/* Nanoseconds that dev time is ahead of the clock (may be negative). */
i64 kl_dev_time_offset_ns(const kl_dev_env *env);
/* A timestamp, base fee, gas limit or coinbase set for the next (or every further) block. */
bool kl_dev_next_timestamp(const kl_dev_env *env, u64 *out);
bool kl_dev_next_base_fee(const kl_dev_env *env, kl_u256 *out);
bool kl_dev_gas_limit(const kl_dev_env *env, u64 *out);
bool kl_dev_coinbase(const kl_dev_env *env, kl_address *out);
bool kl_dev_next_randao(const kl_dev_env *env, kl_hash *out);

#endif
