/* disk: a file system in memory that records every operation and can be cut off at any of them.
 *
 * It knows, for every file, which 512-byte sectors are durable and which are only written, and for
 * every folder which names are durable.  kl_sim_disk_cut makes the disk that a machine would find
 * after the power went out behind operation number `operations`: durable things are there; of
 * everything written but not synced, each sector is old, new, or (for the sectors of one write) any
 * mixture of both; of names not synced, each change has or has not happened, in order per folder.
 * Which, is drawn from the seed.
 *
 * A sync that fails loses what it was for: the bytes stay readable, as clean pages do, but no later
 * sync makes them durable unless they are written again.
 *
 * Faults can be planted: the n-th operation fails with a status, or the disk is full from some
 * number of bytes on.  The heap's exhaustion ends the process: it must not look like a fault of the
 * disk.  Thread: any, but for kl_sim_disk_free. */
#ifndef KL_SIM_DISK_H
#define KL_SIM_DISK_H

#include "base/file.h"

struct kl_sim_disk;

KL_MUST_USE kl_status kl_sim_disk_new(struct kl_sim_disk **out);
/* No file may be open (asserted); NULL is fine. */
void kl_sim_disk_free(struct kl_sim_disk *disk);

/* The file system interface of the disk; owned by it. */
struct kl_fs *kl_sim_disk_fs(struct kl_sim_disk *disk);

/* Operations that change the disk so far (writes, syncs, truncates, names). */
u64 kl_sim_disk_operations(struct kl_sim_disk *disk);

typedef enum kl_power_cut {
    KL_CUT_DROP,   /* nothing unsynced survives */
    KL_CUT_KEEP,   /* everything written survives, as after kill -9 */
    KL_CUT_RANDOM, /* each unsynced sector and name is drawn from the seed */
} kl_power_cut;

/* *out is a new disk as found after a power cut behind the first `operations` operations;
 * everything on it is durable.  The disk itself goes on unchanged. */
KL_MUST_USE kl_status kl_sim_disk_cut(struct kl_sim_disk *disk, u64 operations, kl_power_cut how,
                                      u64 seed, struct kl_sim_disk **out);

/* Folds history into what the disk began with, so that memory and the time of a cut follow what is
 * recent: later cuts are behind at least `operations` operations (asserted), and find what they
 * would have found.  One exception: KL_CUT_KEEP forgets bytes whose sync failed and that a settled
 * sync has passed over. */
void kl_sim_disk_settle(struct kl_sim_disk *disk, u64 operations);

/* Operation number n from now (0: the next) and all after it, until cleared with status KL_OK, fail
 * with status; a failing write may have written some of its sectors, from the first on, as many as
 * is drawn from seed (page caches copy whole pages, so never a part of a sector). */
void kl_sim_disk_fail(struct kl_sim_disk *disk, u64 n, kl_status status, u64 seed);

/* The same for reads, of bytes, sizes and folders; KL_OK clears it. */
void kl_sim_disk_fail_reads(struct kl_sim_disk *disk, u64 n, kl_status status);

/* The disk holds at most bytes; KL_FULL beyond. */
void kl_sim_disk_limit(struct kl_sim_disk *disk, u64 bytes);

/* From here on syncs of files whose path begins with prefix, a static text, say that they went well
 * and make nothing durable: a disk that lies, or a program that does not sync.  NULL ends it. */
void kl_sim_disk_lie(struct kl_sim_disk *disk, const char *prefix);

/* Flips one bit of a file, as a decaying medium would; the byte there is durable.  KL_NOTFOUND. */
KL_MUST_USE kl_status kl_sim_disk_flip(struct kl_sim_disk *disk, const char *path, u64 offset,
                                       unsigned bit);

#endif
