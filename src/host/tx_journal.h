/* tx_journal: transactions of our own users that are in no block yet, in a file of the data folder,
 * so that a restart does not forget them.  docs/formats/tx-journal.md draws it.
 *
 * Envelopes are appended as they come; nothing is ever taken out: when too much of the file is of
 * no use any more, it is renewed with what still is.  A tear, and damage, end the reading: what
 * lies behind is lost, and the renewal that must follow an opening removes it.
 *
 * After a failure of add or renew both return its status; after one of sync nothing should be
 * added.  Thread: one at a time, but for sync, which may run beside add. */
#ifndef KL_HOST_TX_JOURNAL_H
#define KL_HOST_TX_JOURNAL_H

#include "base/file.h"

#define KL_TX_JOURNAL          "transactions.journal"
#define KL_TX_JOURNAL_READ_MAX ((usize)64 << 20) /* bytes that opening looks at */
#define KL_TX_JOURNAL_ONE_MAX  ((usize)1 << 20)  /* of one envelope */

struct kl_tx_journal;

/* Opens or creates, and gives each envelope to each(ctx, envelope), in the order in which they were
 * added.  *whole: the file ends behind the last of them.  KL_UNSUPPORTED: a newer format. */
KL_MUST_USE kl_status kl_tx_journal_open(struct kl_tx_journal **out, struct kl_fs *fs,
                                         void (*each)(void *ctx, kl_span envelope), void *ctx,
                                         bool *whole);
void kl_tx_journal_close(struct kl_tx_journal *journal); /* NULL is fine; does not sync */

/* Hands them to the file system, with one write: they survive the end of the process. */
KL_MUST_USE kl_status kl_tx_journal_add(struct kl_tx_journal *journal, const kl_span *envelopes,
                                        usize count);
/* All that were added survive a power cut. */
KL_MUST_USE kl_status kl_tx_journal_sync(struct kl_tx_journal *journal);
/* Holds these and no others, durable; a power cut in between leaves the old ones or the new. */
KL_MUST_USE kl_status kl_tx_journal_renew(struct kl_tx_journal *journal, const kl_span *envelopes,
                                          usize count);

u64 kl_tx_journal_bytes(const struct kl_tx_journal *journal);
/* What one envelope takes of them. */
u64 kl_tx_journal_bytes_of(usize envelope_len);

#endif
