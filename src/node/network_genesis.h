/* network_genesis: the genesis file of a network whose validators vote, in geth's format. */
#ifndef KL_NODE_NETWORK_GENESIS_H
#define KL_NODE_NETWORK_GENESIS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/rule.h"
#include "cert/policy.h"
#include "types/spec.h"

typedef struct kl_network_genesis {
    u64 chain_id;
    u64 timestamp;
    u64 gas_limit;
    u64 base_fee;    /* wei */
    kl_bft_spec bft; /* its scheme is that of the entries */
    const kl_policy_entry *entries;
    usize count;
    const kl_address *accounts; /* that have balance wei each */
    usize account_count;
    kl_u256 balance;
} kl_network_genesis;

/* Writes the text: the newest fork, the validator contract with its storage, the system contracts,
 * the accounts.  The same input gives the same text.  *broken: what kl_authority_account says of
 * the entries.  KL_NOMEM. */
KL_MUST_USE kl_status kl_network_genesis_write(struct kl_buf *out,
                                               const kl_network_genesis *genesis,
                                               struct kl_arena *arena, kl_rule *broken);

#endif
