/* file: the interface through which everything durable reaches a disk.
 *
 * sys implements it on the real file system, sim on a seeded disk that loses, tears and delays.
 * Paths are relative to the root folder the kl_fs was made for, with '/' between parts, at most
 * KL_PATH_MAX bytes, never absolute and never with "..".
 *
 * What survives a power cut: bytes of a file after kl_file_sync returned KL_OK; the name of a file
 * (created, renamed or removed) after kl_fs_sync_dir of its folder returned KL_OK.  Nothing else.
 * A failed kl_file_sync must not be tried again and believed: pages may have been dropped.
 *
 * Failures: KL_FULL for no space or quota, but of a sync, which leaves no more behind than after
 * any other failure and says KL_IO; KL_NOTFOUND, KL_BUSY for a lock somebody else holds, KL_DENIED
 * for what this user may not do or a read-only file system, KL_NOMEM and KL_LIMIT (open files) for
 * this process's own limits, KL_IO for everything else.
 *
 * Thread: a kl_fs and a kl_file may be used from any thread at once. */
#ifndef KL_BASE_FILE_H
#define KL_BASE_FILE_H

#include "base/span.h"
#include "base/status.h"

#define KL_PATH_MAX 255

struct kl_arena;
struct kl_file;

typedef enum kl_open {
    KL_OPEN_READ,   /* must exist */
    KL_OPEN_WRITE,  /* must exist; read and write */
    KL_OPEN_CREATE, /* must not exist (KL_BUSY if it does); read and write */
} kl_open;

/* Of the disk that the root folder is on. */
typedef struct kl_fs_room {
    u64 free, total; /* bytes; free: what this user may still write */
} kl_fs_room;

struct kl_fs_ops;
struct kl_fs {
    const struct kl_fs_ops *ops;
};

struct kl_file_ops;
struct kl_file {
    const struct kl_file_ops *ops;
};

struct kl_fs_ops {
    kl_status (*open)(struct kl_fs *fs, struct kl_file **out, const char *path, kl_open how);
    kl_status (*rename)(struct kl_fs *fs, const char *from, const char *to);
    kl_status (*unlink)(struct kl_fs *fs, const char *path);
    kl_status (*make_dir)(struct kl_fs *fs, const char *path);
    kl_status (*sync_dir)(struct kl_fs *fs, const char *path);
    kl_status (*list)(struct kl_fs *fs, const char *path, void (*each)(void *ctx, const char *name),
                      void *ctx);
    kl_status (*lock)(struct kl_fs *fs, struct kl_file **out, const char *path);
    kl_status (*room)(struct kl_fs *fs, kl_fs_room *out);
};

struct kl_file_ops {
    kl_status (*read)(struct kl_file *f, void *out, usize len, u64 offset);
    kl_status (*write)(struct kl_file *f, const void *bytes, usize len, u64 offset);
    kl_status (*sync)(struct kl_file *f);
    kl_status (*size)(struct kl_file *f, u64 *out);
    kl_status (*truncate)(struct kl_file *f, u64 size);
    void (*close)(struct kl_file *f);
};

KL_MUST_USE static inline kl_status kl_fs_open(struct kl_fs *fs, struct kl_file **out,
                                               const char *path, kl_open how)
{
    return fs->ops->open(fs, out, path, how);
}

/* Atomically gives the file `from` the name `to` in the same folder (asserted), replacing the file
 * that had it; the folder still needs a sync.  A folder too, which replaces one that is empty and
 * no other. */
KL_MUST_USE static inline kl_status kl_fs_rename(struct kl_fs *fs, const char *from, const char *to)
{
    return fs->ops->rename(fs, from, to);
}

/* A file; whoever has it open goes on using it. */
KL_MUST_USE static inline kl_status kl_fs_unlink(struct kl_fs *fs, const char *path)
{
    return fs->ops->unlink(fs, path);
}

/* KL_OK also when the folder is already there. */
KL_MUST_USE static inline kl_status kl_fs_make_dir(struct kl_fs *fs, const char *path)
{
    return fs->ops->make_dir(fs, path);
}

/* Makes the names in folder path ("" for the root) durable. */
KL_MUST_USE static inline kl_status kl_fs_sync_dir(struct kl_fs *fs, const char *path)
{
    return fs->ops->sync_dir(fs, path);
}

/* Calls each(ctx, name) for every entry of the folder but "." and "..", in byte order; each may
 * change the folder: what is listed is what was there before. */
KL_MUST_USE static inline kl_status kl_fs_list(struct kl_fs *fs, const char *path,
                                               void (*each)(void *ctx, const char *name), void *ctx)
{
    return fs->ops->list(fs, path, each, ctx);
}

/* Creates path if need be and holds an exclusive lock on it until the file is closed or the process
 * ends; KL_BUSY while another process, or this one, holds it.  Where nothing can be created it is
 * the file that is there, or else the folder, that is locked. */
KL_MUST_USE static inline kl_status kl_fs_lock(struct kl_fs *fs, struct kl_file **out,
                                               const char *path)
{
    return fs->ops->lock(fs, out, path);
}

/* Asks the system only, which knows without waiting for the disk.  It says nothing of quotas. */
KL_MUST_USE static inline kl_status kl_fs_room_of(struct kl_fs *fs, kl_fs_room *out)
{
    return fs->ops->room(fs, out);
}

/* Reads exactly len bytes; KL_NOTFOUND when the file ends before.  After a failure `out` may hold
 * anything. */
KL_MUST_USE static inline kl_status kl_file_read(struct kl_file *f, void *out, usize len,
                                                 u64 offset)
{
    return f->ops->read(f, out, len, offset);
}

/* Writes all of bytes or fails; a failed write may have written a part. */
KL_MUST_USE static inline kl_status kl_file_write(struct kl_file *f, const void *bytes, usize len,
                                                  u64 offset)
{
    return f->ops->write(f, bytes, len, offset);
}

KL_MUST_USE static inline kl_status kl_file_sync(struct kl_file *f)
{
    return f->ops->sync(f);
}

KL_MUST_USE static inline kl_status kl_file_size(struct kl_file *f, u64 *out)
{
    return f->ops->size(f, out);
}

KL_MUST_USE static inline kl_status kl_file_truncate(struct kl_file *f, u64 size)
{
    return f->ops->truncate(f, size);
}

static inline void kl_file_close(struct kl_file *f)
{
    if (f)
        f->ops->close(f);
}

static inline void kl_file_closep(struct kl_file **f)
{
    kl_file_close(*f);
    *f = NULL;
}

/* --- small files as wholes --- */

/* All that a file has, in the arena; KL_LIMIT: more than limit bytes. */
KL_MUST_USE kl_status kl_fs_read_whole(struct kl_fs *fs, const char *path, usize limit,
                                       struct kl_arena *arena, kl_span *out);

/* Of the root folder, durable when they return KL_OK.  A new file (KL_BUSY when there is one; after
 * another failure it may hold a part); and one that takes the place of whatever has the name, all
 * at once: until it is whole it is called `unfinished`. */
KL_MUST_USE kl_status kl_fs_write_new(struct kl_fs *fs, const char *name, kl_span text);
KL_MUST_USE kl_status kl_fs_replace(struct kl_fs *fs, const char *name, const char *unfinished,
                                    kl_span text);

/* --- what is there, and what is to go --- */

/* Is there a file of that name? */
KL_MUST_USE kl_status kl_fs_has(struct kl_fs *fs, const char *path, bool *out);
/* Has the folder any entry?  One that is not there has none. */
KL_MUST_USE kl_status kl_fs_has_any(struct kl_fs *fs, const char *dir, bool *out);
/* Deletes the file, if there is one; the folder still needs a sync. */
KL_MUST_USE kl_status kl_fs_remove(struct kl_fs *fs, const char *path);
/* Deletes the files of the folder, which stays, if there is one; durable when it returns KL_OK. */
KL_MUST_USE kl_status kl_fs_empty(struct kl_fs *fs, const char *dir);

#endif
