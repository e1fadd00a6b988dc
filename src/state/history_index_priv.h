/* history_index_priv: index files: for a range of the history's versions, which record holds what
 * each key was before each of its changes.
 *
 * A file is made once, under a temporary name, synced, then named
 * `<first sequence number>-<end sequence number>.idx` (16 hex digits each), and never changed.  It
 * is a cache: a missing one is made again from the records.
 *
 * Thread: a file may be searched on any thread. */
#ifndef KL_STATE_HISTORY_INDEX_PRIV_H
#define KL_STATE_HISTORY_INDEX_PRIV_H

#include "base/file.h"
#include "base/sync.h"

/* One change of one key: in order of hash, then version, then seq. */
typedef struct kl_hentry {
    u64 hash, version, seq;
} kl_hentry;

static inline int kl_hentry_cmp(const kl_hentry *a, const kl_hentry *b)
{
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    if (a->version != b->version)
        return a->version < b->version ? -1 : 1;
    return (a->seq > b->seq) - (a->seq < b->seq);
}

/* What a file covers: records [first_seq, end_seq), versions [first_version, first_version +
 * version_count). */
typedef struct kl_hrange {
    u64 first_seq, end_seq, first_version, version_count, entry_count;
    u32 level; /* how often it was merged */
} kl_hrange;

struct kl_hindex {
    kl_refs refs;
    struct kl_fs *fs;
    struct kl_file *file;
    kl_hrange range;
    char path[KL_PATH_MAX + 1];
};

/* Where the content of a new file comes from; both are called once for each, in order. */
struct kl_hsource {
    kl_status (*entry)(struct kl_hsource *source, kl_hentry *out);
    kl_status (*version)(struct kl_hsource *source, u64 *seq); /* first record of the next one */
};

/* KL_CORRUPT when it is no index file. */
KL_MUST_USE kl_status kl_hindex_open(struct kl_hindex **out, struct kl_fs *fs, const char *dir,
                                     const char *name);
/* KL_LIMIT when the range is too wide for the format. */
KL_MUST_USE kl_status kl_hindex_write(struct kl_hindex **out, struct kl_fs *fs, const char *dir,
                                      const kl_hrange *range, struct kl_hsource *source);
/* Of count files that follow one another. */
KL_MUST_USE kl_status kl_hindex_merge(struct kl_hindex **out, struct kl_fs *fs, const char *dir,
                                      struct kl_hindex *const *files, usize count);
struct kl_hindex *kl_hindex_ref(struct kl_hindex *index);
void kl_hindex_unref(struct kl_hindex *index); /* NULL is fine */

/* The first entry that is not before *from and has its hash; KL_NOTFOUND. */
KL_MUST_USE kl_status kl_hindex_find(struct kl_hindex *index, const kl_hentry *from,
                                     kl_hentry *out);
/* The first record of a version it covers. */
KL_MUST_USE kl_status kl_hindex_seq_of(struct kl_hindex *index, u64 version, u64 *seq);

static inline u64 kl_hindex_end_version(const struct kl_hindex *index)
{
    return index->range.first_version + index->range.version_count;
}

#endif
