/* history_tail_priv: the index of the newest versions, in memory.
 *
 * Sorted arrays of entries, each of versions that follow those of the array before it; neighbours
 * are merged so that sizes at least halve from one to the next, so an entry is moved log(n) times
 * and a look-up searches log(n) arrays.
 *
 * Thread: one writer, any readers: what changes, changes under the lock. */
#ifndef KL_STATE_HISTORY_TAIL_PRIV_H
#define KL_STATE_HISTORY_TAIL_PRIV_H

#include "base/sync.h"
#include "state/history_index_priv.h"

#define KL_HTAIL_ARRAYS 64

typedef struct kl_hentries {
    kl_hentry *entries;
    usize count;
} kl_hentries;

struct kl_htail {
    kl_mutex *lock;
    u64 first_version; /* of seqs[0] */
    u64 *seqs;         /* first record of each version */
    usize version_count, version_cap;
    kl_hentries arrays[KL_HTAIL_ARRAYS];
    usize array_count;
};

void kl_htail_init(struct kl_htail *tail, kl_mutex *lock);
void kl_htail_done(struct kl_htail *tail);

static inline u64 kl_htail_end_version(const struct kl_htail *tail)
{
    return tail->first_version + tail->version_count;
}

usize kl_htail_entries(const struct kl_htail *tail);

/* Adds versions from `version` on, with the sequence numbers of their first records, and their
 * entries, in any order and taken over (also on failure). */
KL_MUST_USE kl_status kl_htail_add(struct kl_htail *tail, u64 version, const u64 *seqs,
                                   usize version_count, kl_hentries entries);
/* Takes the newest add back; nothing may have been merged since. */
void kl_htail_pop(struct kl_htail *tail, usize version_count);
/* Merges arrays until their sizes halve. */
void kl_htail_merge(struct kl_htail *tail);

/* All entries of versions below `version`, sorted; the tail is unchanged. */
KL_MUST_USE kl_status kl_htail_below(const struct kl_htail *tail, u64 version, kl_hentries *out);
/* Forgets versions below `version`. */
KL_MUST_USE kl_status kl_htail_drop_below(struct kl_htail *tail, u64 version);

/* The first entry not before *from with its hash; the lock is held. */
bool kl_htail_find(const struct kl_htail *tail, const kl_hentry *from, kl_hentry *out);

#endif
