/* senders: who signed what, remembered, so that a signature is recovered once: when a transaction
 * arrives, and not again when a block brings it.
 *
 * A table of fixed size over transaction hashes, which bind the signature: what it says is a
 * function of the transaction alone, and may be shared by chains.  New entries take the places of
 * old ones.  Thread: any. */
#ifndef KL_TYPES_SENDERS_H
#define KL_TYPES_SENDERS_H

#include "base/env.h"
#include "base/status.h"
#include "types/tx.h"

struct kl_senders;

/* Room for about `entries` transactions, 56 bytes each. */
KL_MUST_USE kl_status kl_senders_new(struct kl_senders **out, usize entries);
void kl_senders_free(struct kl_senders *senders); /* NULL is fine */

/* As kl_tx_recover; remembered senders are taken, others remembered.  Decoded transactions, which
 * have their hash.  senders may be NULL. */
kl_rule kl_senders_recover(struct kl_senders *senders, kl_tx *tx, kl_fork fork);
/* The same for many on all workers; broken[i] is the verdict on txs[i].  Skips those that have a
 * sender. */
void kl_senders_recover_all(struct kl_senders *senders, kl_tx *txs, kl_rule *broken, usize count,
                            kl_fork fork, struct kl_workers *workers);

/* Remembers a transaction that was recovered elsewhere, under rules since Homestead. */
void kl_senders_remember(struct kl_senders *senders, const kl_tx *tx);

#endif
