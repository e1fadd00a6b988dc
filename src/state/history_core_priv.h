/* history_core_priv: the history's insides, shared by its files. */
#ifndef KL_STATE_HISTORY_CORE_PRIV_H
#define KL_STATE_HISTORY_CORE_PRIV_H

#include "state/history_priv.h"
#include "state/history_record_priv.h"
#include "state/history_tail_priv.h"
#include "store/seglog.h"

/* Entries in memory from which on they move to a file, files of one level that become one of the
 * next, and the highest level: merging more would hold up the flush for too long. */
#define KL_HISTORY_SEAL      (16u << 10)
#define KL_HISTORY_MERGE     4
#define KL_HISTORY_LEVEL_MAX 5

/* Versions added and not settled. */
struct kl_history_batch {
    u64 first_version;
    u64 *seqs;
    usize version_count, version_cap;
    kl_hentries entries;
    usize entry_cap;
    bool synced;
};

struct kl_history {
    struct kl_fs *fs;
    struct kl_seglog *log;
    char index_dir[KL_PATH_MAX + 1];
    struct kl_history_batch batch;
    struct kl_buf part;
    u64 settled, settled_before; /* newest versions of the last two commits; 0: not known */
    usize seal;                  /* KL_HISTORY_SEAL, less in tests */

    kl_mutex lock;
    struct kl_hindex **files; /* oldest first, their versions without gaps up to the tail's */
    usize file_count, file_cap;
    struct kl_htail tail;
};

/* Adds a file behind the others; the reference becomes the history's. */
KL_MUST_USE kl_status kl_history_add_file(struct kl_history *history, struct kl_hindex *file);
/* Drops files [from, end) from the list, and from the disk. */
KL_MUST_USE kl_status kl_history_drop_files(struct kl_history *history, usize from, usize end);

/* Finds files and tail for a database at `version` from what lies on disk. */
KL_MUST_USE kl_status kl_history_load(struct kl_history *history, bool empty, u64 version);

/* The oldest version that can be read, when the newest is `version`. */
KL_MUST_USE kl_status kl_history_oldest(struct kl_history *history, u64 version, u64 *oldest);

#endif
