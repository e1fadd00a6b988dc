/* view: reading one version: a database snapshot, and either the deltas above it or the history
 * below it, taken together.
 *
 * Spans handed out live as long as the view.  Thread: one at a time; take a view a thread. */
#ifndef KL_STATE_VIEW_H
#define KL_STATE_VIEW_H

#include "base/u256.h"
#include "store/kv.h"
#include "trie/trie.h"
#include "types/account.h"

struct kl_view;

void kl_view_close(struct kl_view *view); /* NULL is fine */
u64 kl_view_version(const struct kl_view *view);

/* KL_NOTFOUND; KL_CORRUPT; KL_TIMEOUT when the view has been open for longer than the store allows.
 */
KL_MUST_USE kl_status kl_view_get(struct kl_view *view, kl_table table, kl_span key,
                                  kl_span *value);

/* All entries of a table whose keys begin with prefix, in key order from `from` on; each returns
 * false to stop.  Not for old versions (KL_UNSUPPORTED). */
KL_MUST_USE kl_status kl_view_scan(struct kl_view *view, kl_table table, kl_span prefix,
                                   kl_span from,
                                   bool (*each)(void *ctx, kl_span key, kl_span value), void *ctx);

/* The state's own nouns.  Where there is no account *exists is false and *out is kl_account_none.
 */
KL_MUST_USE kl_status kl_view_account(struct kl_view *view, const kl_hash *address_hash,
                                      kl_account *out, bool *exists);
/* 0 where there is nothing. */
KL_MUST_USE kl_status kl_view_slot(struct kl_view *view, const kl_hash *address_hash,
                                   const kl_hash *slot_hash, kl_u256 *out);
/* Code that an account names but the database lacks is KL_CORRUPT. */
KL_MUST_USE kl_status kl_view_code(struct kl_view *view, const kl_hash *code_hash, kl_span *out);

/* The account and storage tries of this version, for proofs and updates; lives as long as the view.
 */
struct kl_trie_source *kl_view_tries(struct kl_view *view);

#endif
