/* history_priv: what versions held before they were overwritten.
 *
 * For every version w a reverse delta is kept: the keys that w changed, with what version w - 1 had
 * under them.  The value of a key at version v is then the one that the first later version which
 * changed the key found in its way.  Reverse deltas are records of a seglog, in order of versions;
 * an index over (key, version) finds the record without reading others.
 *
 * Records ahead of the database, left by a crash, and records whose version was written again later
 * do not count.  docs/formats/state.md draws records and index files.
 *
 * Threads: opening, adding, sealing and pruning on the flushing thread; finding and walking on any.
 */
#ifndef KL_STATE_HISTORY_PRIV_H
#define KL_STATE_HISTORY_PRIV_H

#include "base/arena.h"
#include "base/file.h"
#include "store/kv.h"

struct kl_history;

/* What a version changed, and what was there before. */
typedef struct kl_old {
    kl_table table;
    bool gone; /* there was nothing */
    kl_span key, value;
} kl_old;

/* Opens what lies in dir, in the folders whose names end in suffix (NULL: in nothing), for a
 * database at version `version`, or an empty one when `empty`.  *oldest: the oldest version that
 * can be read. */
typedef struct kl_history_place {
    struct kl_fs *fs;
    const char *dir, *suffix;
    usize segment_bytes;
} kl_history_place;
KL_MUST_USE kl_status kl_history_open(struct kl_history **out, const kl_history_place *place,
                                      bool empty, u64 version, u64 *oldest);
void kl_history_close(struct kl_history *history);

/* Writing: any number of adds, of versions that follow one another, sorted by table and key; then
 * one sync, which makes them durable and findable; then either settle, when the database has them
 * too, or forget.  A failed add or sync calls for forget as well. */
KL_MUST_USE kl_status kl_history_add(struct kl_history *history, u64 version, const kl_old *olds,
                                     usize count);
KL_MUST_USE kl_status kl_history_sync(struct kl_history *history);
void kl_history_settle(struct kl_history *history);
void kl_history_forget(struct kl_history *history);

/* Moves the index of old versions from memory to files when it has grown large. */
KL_MUST_USE kl_status kl_history_seal(struct kl_history *history);

/* Removes whole segments below what version needs.  No reader may ask for less from before the call
 * on. */
KL_MUST_USE kl_status kl_history_prune(struct kl_history *history, u64 version);

/* One reader's records in hand; plain memory, zeroed at first. */
#define KL_HISTORY_IN_HAND 8
struct kl_history_reader {
    struct kl_arena arena;
    u64 seqs[KL_HISTORY_IN_HAND]; /* 1 + sequence number; 0: free */
    kl_span payloads[KL_HISTORY_IN_HAND];
    usize turn;
};
void kl_history_reader_init(struct kl_history_reader *reader);
void kl_history_reader_reset(struct kl_history_reader *reader);
void kl_history_reader_done(struct kl_history_reader *reader);

/* What the key was before the first of the versions (after, upto] that changed it; *found is false
 * when none did.  out->value lives until the reader's next find. */
KL_MUST_USE kl_status kl_history_find(struct kl_history *history, struct kl_history_reader *reader,
                                      kl_table table, kl_span key, u64 after, u64 upto, bool *found,
                                      kl_old *out);

/* Gives all that a version overwrote to each(), whose failure ends the walk; spans live for the
 * call only.  KL_NOTFOUND when the history lacks it. */
KL_MUST_USE kl_status kl_history_walk(struct kl_history *history, u64 version,
                                      kl_status (*each)(void *ctx, const kl_old *old), void *ctx);

#endif
