/* fill: a state database made of what others have computed: accounts, storage and code that came
 * with proofs, in any order, range by range.
 *
 *     begin ── range, code, put … ── note ── commit ── range … ── end
 *
 * While it is being filled the database carries a mark and counts for nothing: kl_state_open calls
 * it KL_CORRUPT, begin goes on with it.  A range replaces whatever the database has between two
 * keys, so the ranges of a later state may be laid, after a commit, over those of an earlier one.
 * What was put since the last commit is lost in a crash, the note that goes with it too.
 *
 * Thread: one at a time. */
#ifndef KL_STATE_FILL_H
#define KL_STATE_FILL_H

#include "base/arena.h"
#include "state/state.h"

struct kl_state_filler;

#define KL_FILL_NOTE_MAX 8192

/* Is the database being filled? */
KL_MUST_USE kl_status kl_state_is_filling(struct kl_kv *kv, bool *out);

/* Goes on with a database that is being filled, and gives the note of the last commit (which lives
 * until the next change); any other is emptied, and *note is empty. */
KL_MUST_USE kl_status kl_state_fill_begin(struct kl_state_filler **out, struct kl_kv *kv,
                                          kl_span *note);

/* From `first` to `last`, both included, the trie (owner NULL: of accounts) has these leaves and no
 * others: the flat entries and the trie's nodes follow.  Storage of accounts that go goes too.
 * KL_CORRUPT: a value that is no account's or slot's. */
KL_MUST_USE kl_status kl_state_fill_range(struct kl_state_filler *filler, const kl_hash *owner,
                                          const kl_hash *first, const kl_hash *last,
                                          const kl_trie_change *leaves, usize count);
/* code has this hash: the caller has looked. */
KL_MUST_USE kl_status kl_state_fill_code(struct kl_state_filler *filler, const kl_hash *hash,
                                         kl_span code);
/* Any other table's entry. */
KL_MUST_USE kl_status kl_state_fill_put(struct kl_state_filler *filler, kl_table table, kl_span key,
                                        kl_span value);
/* What begin gives when this is committed; at most KL_FILL_NOTE_MAX bytes. */
KL_MUST_USE kl_status kl_state_fill_note(struct kl_state_filler *filler, kl_span note);
KL_MUST_USE kl_status kl_state_fill_commit(struct kl_state_filler *filler);
/* Bytes of keys and values put since the last commit: the caller commits when it is much. */
usize kl_state_fill_waiting(const struct kl_state_filler *filler);

/* An account that something is missing of. */
typedef struct kl_state_want {
    kl_hash account;
    kl_hash storage_root, code_hash;
    bool storage, code; /* which */
} kl_state_want;
/* The first one in [from, last] whose code is not here, or whose storage does not make its root;
 * *found false: there is none up to *last, which is set to where looking stopped.
 * Commits when accounts were put since the last commit. */
KL_MUST_USE kl_status kl_state_fill_next(struct kl_state_filler *filler, const kl_hash *from,
                                         kl_hash *last, bool *found, kl_state_want *out);

/* The root that the accounts make. */
KL_MUST_USE kl_status kl_state_fill_root(struct kl_state_filler *filler, kl_hash *out);

/* The database is whole and at version.  The filler is gone afterwards, also on failure. */
KL_MUST_USE kl_status kl_state_fill_end(struct kl_state_filler *filler, u64 version);
/* What is committed stays, to be gone on with. */
void kl_state_fill_drop(struct kl_state_filler *filler); /* NULL is fine */

#endif
