/* seglog_priv: the parts of the segment log.
 *
 *   segformat.c   bytes of a sector, a segment's header, a record's head
 *   segreader.c   walking over the sectors and records of one segment
 *   segment.c     the list of segments, their files
 *   segmake.c     making segment files ahead of need
 *   seglog.c      the log: append, write, sync, drop
 *   seglog_read.c finding and reading one record
 *   seglog_open.c what opening finds
 *   seglog_tail.c where the newest segment ends: tears, damage, durability
 *
 * docs/formats/seglog.md has the drawings. */
#ifndef KL_STORE_SEGLOG_PRIV_H
#define KL_STORE_SEGLOG_PRIV_H

#include <stdatomic.h>

#include "base/sync.h"
#include "store/seglog.h"

enum {
    KL_SEG_SECTOR = 512,
    KL_SEG_DATA = 16, /* where the data of a sector begins */
    KL_SEG_ROOM = KL_SEG_SECTOR - KL_SEG_DATA,
    KL_SEG_HEAD = 25,   /* bytes of a record before its payload */
    KL_SEG_UNIT = 4096, /* sizes of segments are multiples of it */
    KL_SEG_AHEAD = 16,  /* sectors a reader fetches at once */
    KL_SEG_STRIDE = 16, /* sectors from one mark to the next */
};

/* What a segment says about itself in sector 0. */
typedef struct kl_seg_header {
    u64 first;    /* number of its first record */
    u64 previous; /* the same of the segment before it; first where there was none */
    u64 size;     /* bytes of the file */
} kl_seg_header;

/* The head of a sector. */
typedef struct kl_seg_sector {
    u16 start; /* where the first record starts that starts in this sector; 0: none does */
    u16 end;   /* behind the last byte of a record; zeros follow */
    u64 seq;   /* number of the first record that starts in this sector or behind it */
} kl_seg_sector;

typedef enum kl_seg_state {
    KL_SEG_BLANK,   /* all zeros: never written */
    KL_SEG_WRITTEN, /* the checksum is right */
    KL_SEG_DAMAGED,
} kl_seg_state;

/* The head of a record. */
typedef struct kl_seg_head {
    u8 kind;
    u32 len; /* of the payload */
    u64 seq;
    u64 synced; /* all records before this number were durable when this one was appended */
    u32 crc;
} kl_seg_head;

void kl_seg_header_put(u8 sector[KL_SEG_SECTOR], const kl_seg_header *header);
/* NULL, or what is wrong with it; *newer says that only the version is. */
const char *kl_seg_header_get(const u8 sector[KL_SEG_SECTOR], kl_seg_header *out, bool *newer);

/* Sector `index` of the segment that begins with record `first`. */
void kl_seg_sector_begin(u8 *sector, u64 seq);
void kl_seg_sector_set(u8 *sector, const kl_seg_sector *head);
kl_seg_sector kl_seg_sector_get(const u8 *sector);
void kl_seg_sector_seal(u8 *sector, u64 first, u64 index);
kl_seg_state kl_seg_sector_check(const u8 *sector, u64 first, u64 index);

/* The head's bytes; crc is computed here, over them and the parts. */
void kl_seg_head_put(u8 out[KL_SEG_HEAD], const kl_seg_head *head, const kl_span *parts,
                     usize part_count);
kl_seg_head kl_seg_head_get(const u8 bytes[KL_SEG_HEAD]);
/* The checksum so far, over the head; to be continued over the payload. */
u32 kl_seg_head_crc(const u8 bytes[KL_SEG_HEAD]);

struct kl_seg_mark {
    _Atomic u64 seq;
};

/* A segment file.  What follows `size` is under the log's mutex. */
struct kl_segment {
    u64 first, previous, size;
    unsigned users; /* readers inside */
    bool dropped;   /* to be freed by the last of them */
    u64 last_use;
    struct kl_file *file; /* NULL: not open */
    /* The seq of every KL_SEG_STRIDE-th sector, UINT64_MAX where not known; NULL: none known. */
    struct kl_seg_mark *mark;
};

struct kl_seglog {
    struct kl_fs *fs;
    char dir[KL_PATH_MAX + 1];
    u64 segment_bytes;
    bool read_only;

    kl_mutex sync_mutex;       /* held while a file is synced: one sync at a time, in order */
    struct kl_file *next_file; /* the next segment's, being filled with zeros; NULL: not begun */
    u64 next_size, next_filled;
    bool next_failed; /* not to be tried again before it is needed */

    kl_mutex mutex; /* over what follows; never held during I/O */
    struct kl_segment **segment;
    usize segments, segment_cap;
    usize open_files;
    u64 uses;
    kl_status broken;
    _Atomic u64 first, end, synced, bytes; /* changed under the mutex, read without */

    /* The newest segment: sectors [0, written) are in the file; the batch goes behind them. Changed
     * by the appending thread only. */
    u64 written;
    u64 written_seq; /* records before this number are in files */
    u8 *batch;       /* whole sectors; the last one may be in use up to batch_len % KL_SEG_SECTOR */
    usize batch_len, batch_cap;

    /* Where the record behind the last one read begins, most likely. */
    struct kl_segment *hint_segment;
    u64 hint_seq, hint_sector;
    u32 hint_offset;
};

/* A place in a segment: in front of the byte at `offset` of sector `sector`; offset 0 stands for
 * the beginning of the sector's data. */
typedef struct kl_seg_place {
    u64 sector;
    u32 offset;
} kl_seg_place;

/* Looks at the sectors [first_sector, limit) of one segment, in its file or in memory. */
struct kl_seg_reader {
    const struct kl_seglog *log;
    struct kl_segment *segment;
    kl_seglog_report *report; /* may be NULL */
    u64 first_sector, limit;
    const u8 *memory;  /* of first_sector; not checked; NULL: the file */
    u64 asked;         /* the sector asked for last */
    u64 origin;        /* the sector where the record being read begins */
    u64 at;            /* sectors [at, at + have) are in bytes */
    u32 have, checked; /* checked: a bit for each of them */
    u32 ahead;         /* sectors to fetch at once, the next time */
    u8 bytes[KL_SEG_AHEAD * KL_SEG_SECTOR];
};

/* The reader of a whole segment up to sector limit. */
void kl_seg_reader_init(struct kl_seg_reader *r, const struct kl_seglog *log,
                        struct kl_segment *segment, u64 limit, kl_seglog_report *report);

/* Sector i, its head in *head and its bytes in *bytes (may be NULL) until the next call.
 * KL_NOTFOUND when it is blank or behind the limit; KL_CORRUPT, reported; KL_IO. */
KL_MUST_USE kl_status kl_seg_reader_sector(struct kl_seg_reader *r, u64 i, kl_seg_sector *head,
                                           const u8 **bytes);

/* Reads the head of record seq, which begins at *place or, where a batch ends there, in the next
 * sector; *place goes behind the head.  KL_NOTFOUND when no such record was written there. */
KL_MUST_USE kl_status kl_seg_reader_head(struct kl_seg_reader *r, kl_seg_place *place, u64 seq,
                                         kl_seg_head *head, u32 *crc);

/* Reads the payload behind the head into out (head->len bytes, NULL: only checks it) and goes
 * behind it.  KL_NOTFOUND when a sector of it was not written. */
KL_MUST_USE kl_status kl_seg_reader_payload(struct kl_seg_reader *r, kl_seg_place *place,
                                            const kl_seg_head *head, u32 crc, u8 *out);

/* The place where record seq begins; KL_NOTFOUND when it is in none of the reader's sectors. */
KL_MUST_USE kl_status kl_seg_reader_find(struct kl_seg_reader *r, u64 seq, kl_seg_place *place);

/* "<dir>/<first><suffix>" */
void kl_seg_path(const struct kl_seglog *log, u64 first, const char *suffix,
                 char path[KL_PATH_MAX + 1]);
/* "<dir>/<name>" */
void kl_seg_path_in(const struct kl_seglog *log, const char *name, char path[KL_PATH_MAX + 1]);
/* What a segment file is called while it is being made. */
#define KL_SEG_UNNAMED "next.tmp"
#define KL_SEG_SUFFIX  ".seg"
#define KL_SEG_TORN    ".seg.torn"

/* Fills the report (may be NULL) and returns KL_CORRUPT. */
kl_status kl_seg_damaged(const struct kl_seglog *log, const struct kl_segment *segment, u64 offset,
                         const char *what, kl_seglog_report *report);

/* Makes a segment file for records from first on, with room for one of record_bytes at least, full
 * of zeros, durable with its name, replacing an empty one of the same name; adds it as the newest.
 */
KL_MUST_USE kl_status kl_seg_create(struct kl_seglog *log, u64 first, u64 record_bytes);
/* Fills as much of the next segment as is due.  A failure is not told: kl_seg_create meets it
 * again. */
void kl_seg_prepare_next(struct kl_seglog *log);
void kl_seg_discard_next(struct kl_seglog *log);

/* Puts a segment into the list, as the newest. */
KL_MUST_USE kl_status kl_seg_add(struct kl_seglog *log, const kl_seg_header *header,
                                 struct kl_file *file);
struct kl_segment *kl_seg_newest(const struct kl_seglog *log);

/* Holds the segment that record seq, which is in a file, is in, with that file open; *limit is the
 * number of its sectors that may be written.  KL_NOTFOUND when the log has dropped it. */
KL_MUST_USE kl_status kl_seg_hold(struct kl_seglog *log, u64 seq, struct kl_segment **out,
                                  u64 *limit, kl_seglog_report *report);
void kl_seg_release(struct kl_seglog *log, struct kl_segment *segment);
/* Takes a segment off the list; it goes away with its last user. */
void kl_seg_forget(struct kl_seglog *log, usize index);
void kl_seg_free(struct kl_segment *segment);

/* Sectors that `bytes` of records need when they begin on a fresh one. */
static inline u64 kl_seg_sectors(u64 bytes)
{
    return (bytes + KL_SEG_ROOM - 1) / KL_SEG_ROOM;
}

/* Finds out where the newest segment ends, cuts a tear off, makes all of it durable. */
KL_MUST_USE kl_status kl_seg_recover(struct kl_seglog *log, kl_seglog_report *report);

#endif
