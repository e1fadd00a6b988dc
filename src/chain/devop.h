/* devop: what a dev chain's user may do that no transaction can: set balances, impersonate, travel
 * in time, go back.  Each is a record of the ledger, replayed in order, and refused by every chain
 * whose spec lacks config.keel.dev. */
#ifndef KL_CHAIN_DEVOP_H
#define KL_CHAIN_DEVOP_H

#include "base/arena.h"
#include "base/rule.h"
#include "base/status.h"
#include "base/u256.h"
#include "types/header.h"

typedef enum kl_devop_kind {
#define KL_DEVOP_X(NAME, name, members) KL_DEVOP_##NAME,
#include "chain/devop.def"
#undef KL_DEVOP_X
    KL_DEVOP_COUNT
} kl_devop_kind;

/* "setBalance"; static storage. */
const char *kl_devop_name(kl_devop_kind kind);

/* One operation; which members count depends on its kind (devop.def). */
typedef struct kl_devop {
    kl_devop_kind kind;
    kl_address address;
    kl_u256 key, value;
    u64 number;
    i64 seconds;
    kl_span code;
    bool flag;
} kl_devop;

/* The operation with the members that its kind does not use set to 0. */
kl_devop kl_devop_strip(const kl_devop *op);

/* rlp([kind, address, key, value, number, seconds, code, flag]); seconds as two's complement. */
void kl_devop_encode(kl_out *out, const kl_devop *op);
/* Code views the bytes.  DEV_KIND for a kind that does not exist, DEV_MEMBER for a member that is
 * not 0 and not used. */
kl_rule kl_devop_decode(kl_devop *out, kl_span bytes);

/* What operations have set and later blocks depend on: part of the versioned state (table CHAIN,
 * key "dev"), so that a revert restores it.  A plain value whose lists are bounded. */
#define KL_DEV_IMPERSONATED_MAX 64
#define KL_DEV_SNAPSHOT_MAX     256

typedef struct kl_dev_snapshot {
    u64 id, version;
} kl_dev_snapshot;

typedef struct kl_dev_env {
    i64 time_offset_s;                            /* dev time is so far ahead of the clock */
    bool has_timestamp, has_base_fee, has_randao; /* for the next block only */
    u64 timestamp;
    kl_u256 base_fee;
    kl_hash randao;
    bool has_gas_limit, has_coinbase; /* until set again */
    u64 gas_limit;
    kl_address coinbase;
    bool impersonate_all;
    usize impersonated_count;
    kl_address impersonated[KL_DEV_IMPERSONATED_MAX];
    u64 next_snapshot; /* the id of the next one, from 1 */
    usize snapshot_count;
    kl_dev_snapshot snapshots[KL_DEV_SNAPSHOT_MAX]; /* ids rise; the oldest is forgotten first */
} kl_dev_env;

void kl_dev_env_init(kl_dev_env *env);

/* May transactions of address come without a signature? */
bool kl_dev_impersonated(const kl_dev_env *env, const kl_address *address);

/* Never taken and always there: the chain's beginning. */
#define KL_DEV_GENESIS_SNAPSHOT 0

/* The version that snapshot id stands for; false when there is none. */
KL_MUST_USE bool kl_dev_find_snapshot(const kl_dev_env *env, u64 id, u64 *version);

/* env after an operation that only concerns env (all but SET_BALANCE … SET_STORAGE and REVERT);
 * version is the one before the operation, which is what a snapshot stands for.  DEV_LIMIT when a
 * list is full. */
kl_rule kl_dev_apply(kl_dev_env *env, const kl_devop *op, u64 version);

/* What a block uses up; true when env changed. */
bool kl_dev_block_done(kl_dev_env *env);

#define KL_DEV_ENV_RLP_MAX (8 * 1024)
void kl_dev_env_encode(kl_out *out, const kl_dev_env *env);
kl_rule kl_dev_env_decode(kl_dev_env *out, kl_span bytes);

#endif
