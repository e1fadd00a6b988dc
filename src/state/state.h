/* state: the world that transactions change, in versions.
 *
 * A version is what the tables (table.def) hold after one step of the ledger: a block, a dev
 * operation, or a revert, which is a step that puts old values back.  Versions are numbered 0
 * (genesis), 1, 2, … along a chain.  What a step changed is an immutable, reference-counted delta
 * (delta.h) on top of its parent.  Deltas form a tree in memory above the database; candidate
 * blocks branch, and the winner is flushed into the database in batches, together with reverse
 * deltas into the history, so that older versions stay readable.
 *
 *     database at version d  <-  delta d+1  <-  delta d+2  <- … <- head
 *     history: what version d held before d overwrote it, and d-1, and …
 *
 *   state.h    the database, its flushing, its views       journal.h  the working set of a block
 *   delta.h    immutable change sets                       commit.h   journal to delta and root
 *   view.h     reading one version
 *
 * The database is a cache of the ledger.  It never runs ahead of what the caller says is durable,
 * it carries an anchor (what the caller needs to find its place in the ledger again), and whoever
 * finds it damaged deletes it and has it rebuilt.
 *
 * Thread: views on any thread; building deltas on the thread that executes; kl_state_flush on one
 * thread of its own.  Readers never wait for the flush. */
#ifndef KL_STATE_STATE_H
#define KL_STATE_STATE_H

#include "base/env.h"
#include "base/file.h"
#include "state/delta.h"
#include "state/journal.h"
#include "state/view.h"
#include "store/store.h"

typedef enum kl_state_table {
#define KL_TABLE_X(NAME, name) KL_TABLE_##NAME,
#include "state/table.def"
#undef KL_TABLE_X
    KL_TABLE_COUNT
} kl_state_table;

/* Names for kl_lmdb_open, indexed by kl_state_table. */
extern const char *const kl_state_table_names[KL_TABLE_COUNT];

struct kl_state;

/* Has the database neither a state nor the beginning of one (fill.h)? */
KL_MUST_USE kl_status kl_state_is_new(struct kl_kv *kv, bool *out);

#define KL_ANCHOR_MAX 128

typedef struct kl_state_config {
    struct kl_kv *kv; /* opened with kl_state_table_names; stays the caller's */
    struct kl_fs *fs; /* for the history; NULL: none is kept */
    const char *history_dir;
    const char *history_suffix;  /* of the names of its two folders, or NULL */
    usize history_segment_bytes; /* a multiple of 1 MiB */
} kl_state_config;

/* Opens the database and the history.  A database that is new and empty is at "no version": the
 * first delta must be of version 0.  History that ran ahead of the database (a crash between the
 * two) does not count and is written again; history that does not reach the database is forgotten.
 * KL_CORRUPT: delete both and rebuild; KL_UNSUPPORTED: the same, of another Keel's format. */
KL_MUST_USE kl_status kl_state_open(struct kl_state **out, const kl_state_config *config);
/* All views must be closed. */
void kl_state_close(struct kl_state *state);

/* The database's version and the anchor flushed with it, which lives until the next flush; false
 * when the database is empty. */
KL_MUST_USE bool kl_state_stored(struct kl_state *state, u64 *version, kl_span *anchor);

/* Writes all deltas from the database's version (excluded) up to tip (included) and the anchor in
 * one transaction, their reverse deltas into the history first, then forgets the deltas below tip.
 * A tip at the database's version writes the anchor alone.  Memory and the length of the
 * transaction follow the number of changes, so the caller flushes bounded batches.
 *
 * Views that were open go on reading what they read.  KL_CANCELED: tip is on a branch that lost.
 * After KL_IO or KL_FULL everything flushed before is still there and still read; flushing again
 * may or may not work. */
KL_MUST_USE kl_status kl_state_flush(struct kl_state *state, struct kl_delta *tip, kl_span anchor);

/* A view of the version of delta, or, when delta is NULL, of the database (of the empty world when
 * there is nothing in it).  A delta that has been flushed and overtaken is read from the history.
 * KL_NOMEM, KL_LIMIT (too many views), KL_CANCELED (delta is on a branch that lost against what was
 * flushed), KL_NOTFOUND (below what the history keeps). */
KL_MUST_USE kl_status kl_state_view(struct kl_state *state, struct kl_delta *delta,
                                    struct kl_view **out);

/* A view of an old version: KL_NOTFOUND above the database's and below the oldest kept. */
KL_MUST_USE kl_status kl_state_view_at(struct kl_state *state, u64 version, struct kl_view **out);

/* The oldest version kl_state_view_at can serve. */
u64 kl_state_oldest(struct kl_state *state);

/* Begins a delta on top of head (NULL: of the database) that puts every key back to what it was at
 * version `to` <= head's; the caller may put more and seals it.  *old is a view of that version, to
 * be closed.  KL_NOTFOUND when the history does not reach that far; KL_CANCELED when head lost or
 * is not the newest. */
KL_MUST_USE kl_status kl_state_revert(struct kl_state *state, struct kl_delta *head, u64 to,
                                      struct kl_delta_builder **out, struct kl_view **old);

/* Gives up history below version, or below the oldest view that is open; what goes from disk goes
 * by whole segments, so that a later open may find older versions again.  On the flushing thread.
 */
KL_MUST_USE kl_status kl_state_prune(struct kl_state *state, u64 version);

/* The scrub: reads every entry of the database and checks its checksum, and builds every trie again
 * from the leaves.  KL_CORRUPT: *damage names the table and key at fault (no key: somewhere in the
 * table).  Calls progress (may be NULL) now and then and at the end; it may return false to stop
 * (KL_CANCELED).
 * It reads one snapshot throughout: a store that ends old snapshots ends it with KL_TIMEOUT. */
typedef struct kl_state_damage {
    kl_table table;
    u8 key[KL_KV_KEY_MAX];
    usize key_len;
    const char *what;
} kl_state_damage;
KL_MUST_USE kl_status kl_state_scrub(struct kl_state *state, kl_state_damage *damage,
                                     bool (*progress)(void *ctx, u64 entries), void *ctx);

#endif
