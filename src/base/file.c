#include "base/file.h"

#include "base/arena.h"

kl_status kl_fs_read_whole(struct kl_fs *fs, const char *path, usize limit, struct kl_arena *arena,
                           kl_span *out)
{
    KL_CLEANUP(kl_file_closep) struct kl_file *file = NULL;
    u64 size;
    KL_TRY(kl_fs_open(fs, &file, path, KL_OPEN_READ));
    KL_TRY(kl_file_size(file, &size));
    if (size > limit)
        return KL_LIMIT;
    u8 *bytes = kl_arena_take(arena, (usize)size + 1, 1);
    if (!bytes)
        return KL_NOMEM;
    KL_TRY(kl_file_read(file, bytes, (usize)size, 0));
    *out = kl_span_of(bytes, (usize)size);
    return KL_OK;
}

static kl_status write_synced(struct kl_fs *fs, const char *name, kl_span text)
{
    KL_CLEANUP(kl_file_closep) struct kl_file *file = NULL;
    KL_TRY(kl_fs_open(fs, &file, name, KL_OPEN_CREATE));
    KL_TRY(kl_file_write(file, text.p, text.len, 0));
    return kl_file_sync(file);
}

kl_status kl_fs_write_new(struct kl_fs *fs, const char *name, kl_span text)
{
    KL_TRY(write_synced(fs, name, text));
    return kl_fs_sync_dir(fs, "");
}

kl_status kl_fs_replace(struct kl_fs *fs, const char *name, const char *unfinished, kl_span text)
{
    kl_status status = kl_fs_unlink(fs, unfinished); /* of a run that was cut short */
    if (status != KL_OK && status != KL_NOTFOUND)
        return status;
    KL_TRY(write_synced(fs, unfinished, text));
    KL_TRY(kl_fs_rename(fs, unfinished, name));
    return kl_fs_sync_dir(fs, "");
}
