/* dev_genesis: the genesis file that keel dev makes from its options, in geth's format. */
#ifndef KL_NODE_DEV_GENESIS_H
#define KL_NODE_DEV_GENESIS_H

#include "base/buf.h"
#include "base/hash.h"
#include "base/rule.h"
#include "base/status.h"
#include "base/u256.h"
#include "types/genesis.h"

typedef struct kl_dev_genesis {
    u64 chain_id;
    kl_fork fork; /* in force from the first block on */
    u64 timestamp;
    u64 gas_limit;
    u64 base_fee; /* wei; means nothing before London */
    const kl_address *accounts;
    usize account_count;
    kl_u256 balance; /* wei, of each */
} kl_dev_genesis;

/* Writes the text: dev operations allowed, the accounts' balances, the system contracts that the
 * fork calls [EIP-4788, EIP-2935, EIP-7002, EIP-7251], and the deployer at 0x4e59…956C through
 * which tools deploy by CREATE2.  The same input gives the same text.  KL_NOMEM. */
KL_MUST_USE kl_status kl_dev_genesis_write(struct kl_buf *out, const kl_dev_genesis *genesis);

/* The digits of the address of a contract without which the chain could have no block, and which
 * the genesis lacks; NULL: none. */
const char *kl_genesis_lacks(const kl_genesis *genesis);

/* The timestamp that a genesis text carries; false when it is no genesis text. */
KL_MUST_USE bool kl_dev_genesis_timestamp(u64 *out, kl_span text);

/* The first line in which two texts differ, of each, for people: "gasLimit": "0x1c9c380". */
KL_MUST_USE bool kl_dev_genesis_differ(kl_span ours, kl_span theirs, kl_span *our_line,
                                       kl_span *their_line);

#endif
