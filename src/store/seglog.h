/* seglog: an append-only log of records in segment files, the form of the ledger and of the
 * history.
 *
 * A segment is a file `<first sequence number, 16 hex digits>.seg` of a fixed size, written full of
 * zeros and synced before its first record, so that appending never changes the file's metadata;
 * the next one is filled bit by bit ahead of need, as `next.tmp`.  It consists of 512-byte sectors,
 * each with its own checksum, so that a sector that was never written (all zeros) and a sector that
 * was damaged can always be told apart: the disk is trusted to write a sector wholly or not at all.
 * A batch of records handed to the file system together starts on a fresh sector: bytes that are
 * durable are never written again. docs/formats/seglog.md draws every field.
 *
 * Torn is not corrupt.  A hole or an incomplete record with nothing durable behind it is a tear:
 * what a power cut leaves of writes that nobody had been promised.  Opening cuts it off, keeps the
 * cut bytes as `<segment>.torn` and reports it.  A damaged sector, a complete record with a bad
 * checksum, or a hole before something that was durable (each record says up to which sequence
 * number all was synced when it was written) is corruption: reported with file and offset, never
 * cut, and opening fails with KL_CORRUPT.
 *
 * Only the newest segment is searched at opening: a segment is begun after all before it was
 * synced, so the others hold durable records only, which are checked when they are read.
 *
 * Opening writes again and syncs what lies behind the last position known to be durable, because a
 * failed fsync of an earlier process may have left clean pages that never reached the disk.
 *
 * After a failed write or sync the log is broken: every later append, write and sync returns that
 * status; reads go on.  Nothing is ever retried and believed.
 *
 * Thread: append, write, sync and drop from one thread at a time (sync may run on a second thread
 * beside append, write and drop); reads, and what is asked without changing anything, from any
 * thread at any time. */
#ifndef KL_STORE_SEGLOG_H
#define KL_STORE_SEGLOG_H

#include "base/arena.h"
#include "base/file.h"
#include "base/status.h"

#define KL_SEGLOG_RECORD_MAX (64u << 20) /* bytes of one record's payload */

struct kl_seglog;

typedef struct kl_seglog_config {
    const char *dir; /* folder under the kl_fs, created if need be */
    /* Of a segment, a multiple of 4 KiB.  The first segments are smaller: they double from 1 MiB
     * on. A record that does not fit gets a segment of its own size. */
    usize segment_bytes;
    /* Changes nothing, not even a tear, which is reported all the same: the log ends before it.
     * Appending, writing and syncing return KL_UNSUPPORTED. */
    bool read_only;
} kl_seglog_config;

/* What opening found and did. */
typedef struct kl_seglog_report {
    char file[KL_PATH_MAX + 1]; /* path of the tear's or the damage's; "" when there was neither */
    u64 offset;                 /* in that file */
    u64 cut_bytes;              /* > 0: a tear was cut off (read-only: is there) */
    const char *damage;         /* what is damaged, static text; NULL when nothing is */
} kl_seglog_report;

/* A record in the log. */
typedef struct kl_record {
    u64 seq; /* 0, 1, 2, … over the log's whole life */
    u8 kind; /* the user's, 1 to 255 */
    kl_span payload;
} kl_record;

/* Opens or creates; the report is filled in any case.  KL_CORRUPT, KL_UNSUPPORTED (a newer format),
 * KL_IO, KL_FULL, KL_NOMEM; read-only also KL_NOTFOUND when there is no log.  At most one process
 * may have the log open: kl_fs_lock is the caller's.
 */
KL_MUST_USE kl_status kl_seglog_open(struct kl_seglog **out, struct kl_fs *fs,
                                     const kl_seglog_config *config, kl_seglog_report *report);
/* Does not sync. */
void kl_seglog_close(struct kl_seglog *log);

/* Sequence numbers: [first, end) are in the log, [first, synced) are durable. */
u64 kl_seglog_first(const struct kl_seglog *log);
u64 kl_seglog_end(const struct kl_seglog *log);
u64 kl_seglog_synced(const struct kl_seglog *log);

/* Adds a record made of parts, in memory; *seq is its number.  KL_LIMIT over KL_SEGLOG_RECORD_MAX,
 * KL_NOMEM.  When a few MiB are waiting it writes them; when the newest segment is full it writes
 * and syncs them and begins the next one. */
KL_MUST_USE kl_status kl_seglog_append(struct kl_seglog *log, u8 kind, const kl_span *parts,
                                       usize part_count, u64 *seq);

/* Hands everything appended to the file system: it survives the end of the process. */
KL_MUST_USE kl_status kl_seglog_write(struct kl_seglog *log);

/* Makes everything written before the call durable: it survives a power cut.  Prepares behind it.
 */
KL_MUST_USE kl_status kl_seglog_sync(struct kl_seglog *log);
/* The same without preparing, which may take a sync of its own: for who is waited for. */
KL_MUST_USE kl_status kl_seglog_sync_alone(struct kl_seglog *log);
/* Fills the file of the next segment as far as it should be by now, lest a full segment take time.
 * Without it the log is as good, and slower where a segment ends. */
void kl_seglog_prepare(struct kl_seglog *log);

/* Reads record seq, written or only appended, into the arena; every checksum on the way is checked.
 * KL_NOTFOUND outside [first, end); KL_CORRUPT, with *damage (may be NULL) filled. */
KL_MUST_USE kl_status kl_seglog_read(struct kl_seglog *log, u64 seq, struct kl_arena *arena,
                                     kl_record *out, kl_seglog_report *damage);

/* The first record that kl_seglog_drop of seq would leave. */
u64 kl_seglog_would_leave(struct kl_seglog *log, u64 seq);

/* Removes whole segments that hold nothing at or above seq, and their `.torn` files.  The newest
 * segment stays.  Works on a broken log too; a failure breaks nothing. */
KL_MUST_USE kl_status kl_seglog_drop(struct kl_seglog *log, u64 seq);

/* Where record seq begins, for messages: the file's path under the kl_fs and the offset in it.
 * KL_NOTFOUND, KL_CORRUPT, KL_IO. */
KL_MUST_USE kl_status kl_seglog_place(struct kl_seglog *log, u64 seq, char file[KL_PATH_MAX + 1],
                                      u64 *offset);

/* Bytes of all segment files. */
u64 kl_seglog_bytes(const struct kl_seglog *log);

#endif
