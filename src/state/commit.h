/* commit: what a journal changed, as entries of a delta, and the state root after it. */
#ifndef KL_STATE_COMMIT_H
#define KL_STATE_COMMIT_H

#include "base/env.h"
#include "state/delta.h"
#include "state/journal.h"
#include "state/view.h"

/* Adds to builder every account, slot, code, trie node and (if asked) preimage that differs from
 * the view the journal reads from, and sets *root.  The journal is unchanged and may go on
 * (pre-Byzantium receipts need a root after every transaction; builder NULL computes the root
 * alone). */
KL_MUST_USE kl_status kl_state_commit(struct kl_journal *journal, struct kl_view *view,
                                      struct kl_delta_builder *builder, bool keep_preimages,
                                      kl_hash *root, struct kl_arena *scratch,
                                      struct kl_workers *workers);

#endif
