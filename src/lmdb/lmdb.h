/* lmdb: the kv interface on LMDB, with MDB_NOMETASYNC, MDB_NOTLS and MDB_NORDAHEAD.
 *
 * A commit is atomic and syncs its pages; the newest commit may be lost in a power cut, never a
 * part of one, and never an older one.  The address range is reserved large at open; a map that is
 * full counts as KL_FULL.  Readers of dead processes are cleared at open.  A snapshot older than
 * read_limit_ns answers KL_TIMEOUT, so that no reader that goes on reading can keep old pages for
 * ever.  Damage that liblmdb itself stumbles over ends the process.
 *
 * One process may have a folder open, once: kl_fs_lock is the caller's.  The address range reserved
 * costs neither memory nor disk until it is used. */
#ifndef KL_LMDB_LMDB_H
#define KL_LMDB_LMDB_H

#include "base/env.h"
#include "store/kv.h"

typedef struct kl_lmdb_config {
    const char *path;          /* a folder of the real file system, which exists */
    const char *const *tables; /* names, in the order of kl_table */
    usize table_count;
    u64 map_bytes;             /* address space to reserve */
    u64 read_limit_ns;         /* 0: no limit */
    usize reader_max;          /* snapshots at one time; KL_LIMIT beyond */
    void (*synced)(void *ctx); /* after each commit that went well, before it returns; or NULL */
    void *synced_ctx;
    struct kl_clock *clock;
} kl_lmdb_config;

/* KL_CORRUPT when the files are no LMDB of ours: the caller removes and rebuilds them.  KL_NOTFOUND
 * when there is no such folder; KL_NOMEM, KL_FULL, KL_IO.  Tables that are missing are made. */
KL_MUST_USE kl_status kl_lmdb_open(struct kl_kv **out, const kl_lmdb_config *config);

/* After a fault of the process: did this thread meet it inside liblmdb, or at an address of kv's
 * map?  Then damaged pages are the likely cause.  For signal handlers (sys/crash.h); address may be
 * NULL, and so may kv, while a store is being opened. */
bool kl_lmdb_at_fault(const struct kl_kv *kv, const void *address);

#endif
