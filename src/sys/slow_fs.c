#include "sys/slow_fs.h"

#include <stdlib.h>

#include "sys/env.h"

struct slow_fs {
    struct kl_fs fs;
    struct kl_fs *below;
    u64 delay_ns;
};

struct slow_file {
    struct kl_file file;
    struct kl_file *below;
    u64 delay_ns;
};

static struct kl_fs *below(struct kl_fs *fs)
{
    return ((struct slow_fs *)fs)->below;
}

static struct kl_file *file_below(struct kl_file *file)
{
    return ((struct slow_file *)file)->below;
}

static kl_status delayed(kl_status status, u64 delay_ns)
{
    if (status == KL_OK)
        kl_sys_nap(delay_ns);
    return status;
}

/* --- a file --- */

static kl_status read_file(struct kl_file *file, void *out, usize len, u64 offset)
{
    return kl_file_read(file_below(file), out, len, offset);
}

static kl_status write_file(struct kl_file *file, const void *bytes, usize len, u64 offset)
{
    return kl_file_write(file_below(file), bytes, len, offset);
}

static kl_status sync_file(struct kl_file *file)
{
    return delayed(kl_file_sync(file_below(file)), ((struct slow_file *)file)->delay_ns);
}

static kl_status size_of(struct kl_file *file, u64 *out)
{
    return kl_file_size(file_below(file), out);
}

static kl_status truncate_file(struct kl_file *file, u64 size)
{
    return kl_file_truncate(file_below(file), size);
}

static void close_file(struct kl_file *file)
{
    kl_file_close(file_below(file));
    free(file);
}

static const struct kl_file_ops file_ops = {
    .read = read_file,
    .write = write_file,
    .sync = sync_file,
    .size = size_of,
    .truncate = truncate_file,
    .close = close_file,
};

/* Takes the file over when it was opened well. */
static kl_status wrap(struct kl_fs *fs, struct kl_file **out, kl_status status,
                      struct kl_file *file)
{
    if (status != KL_OK)
        return status;
    struct slow_file *slow = malloc(sizeof *slow);
    if (!slow) {
        kl_file_close(file);
        return KL_NOMEM;
    }
    *slow = (struct slow_file){{&file_ops}, file, ((struct slow_fs *)fs)->delay_ns};
    *out = &slow->file;
    return KL_OK;
}

/* --- the file system --- */

static kl_status open_file(struct kl_fs *fs, struct kl_file **out, const char *path, kl_open how)
{
    struct kl_file *file = NULL;
    kl_status status = kl_fs_open(below(fs), &file, path, how);
    return wrap(fs, out, status, file);
}

static kl_status lock_file(struct kl_fs *fs, struct kl_file **out, const char *path)
{
    struct kl_file *file = NULL;
    kl_status status = kl_fs_lock(below(fs), &file, path);
    return wrap(fs, out, status, file);
}

static kl_status rename_file(struct kl_fs *fs, const char *from, const char *to)
{
    return kl_fs_rename(below(fs), from, to);
}

static kl_status unlink_file(struct kl_fs *fs, const char *path)
{
    return kl_fs_unlink(below(fs), path);
}

static kl_status make_dir(struct kl_fs *fs, const char *path)
{
    return kl_fs_make_dir(below(fs), path);
}

static kl_status sync_dir(struct kl_fs *fs, const char *path)
{
    return delayed(kl_fs_sync_dir(below(fs), path), ((struct slow_fs *)fs)->delay_ns);
}

static kl_status list_dir(struct kl_fs *fs, const char *path,
                          void (*each)(void *ctx, const char *name), void *ctx)
{
    return kl_fs_list(below(fs), path, each, ctx);
}

static kl_status room_of(struct kl_fs *fs, kl_fs_room *out)
{
    return kl_fs_room_of(below(fs), out);
}

static const struct kl_fs_ops fs_ops = {
    .open = open_file,
    .rename = rename_file,
    .unlink = unlink_file,
    .make_dir = make_dir,
    .sync_dir = sync_dir,
    .list = list_dir,
    .lock = lock_file,
    .room = room_of,
};

kl_status kl_slow_fs_open(struct kl_fs **out, struct kl_fs *inner, u64 delay_ns)
{
    struct slow_fs *slow = malloc(sizeof *slow);
    if (!slow)
        return KL_NOMEM;
    *slow = (struct slow_fs){{&fs_ops}, inner, delay_ns};
    *out = &slow->fs;
    return KL_OK;
}

void kl_slow_fs_close(struct kl_fs *fs)
{
    free(fs);
}
