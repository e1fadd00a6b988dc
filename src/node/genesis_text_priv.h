/* genesis_text_priv: what the genesis texts that node writes have in common. */
#ifndef KL_NODE_GENESIS_TEXT_PRIV_H
#define KL_NODE_GENESIS_TEXT_PRIV_H

#include "base/buf.h"
#include "base/hash.h"
#include "base/u256.h"
#include "types/fork.h"

/* Members of config: every fork up to last from the first block on.  Each ends with a comma. */
void kl_genesis_put_forks(struct kl_buf *out, kl_fork last);
/* Members of alloc, each with a comma: accounts with so many wei each. */
void kl_genesis_put_accounts(struct kl_buf *out, const kl_address *accounts, usize count,
                             kl_u256 balance);
/* The last members of alloc: the system contracts that the fork calls, and the deployer. */
void kl_genesis_put_predeploys(struct kl_buf *out, kl_fork fork);

#endif
