#include "base/file.h"

#include <stdio.h>

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
    KL_TRY(kl_fs_remove(fs, unfinished)); /* of a run that was cut short */
    KL_TRY(write_synced(fs, unfinished, text));
    KL_TRY(kl_fs_rename(fs, unfinished, name));
    return kl_fs_sync_dir(fs, "");
}

kl_status kl_fs_has(struct kl_fs *fs, const char *path, bool *out)
{
    KL_CLEANUP(kl_file_closep) struct kl_file *file = NULL;
    kl_status status = kl_fs_open(fs, &file, path, KL_OPEN_READ);
    if (status != KL_OK && status != KL_NOTFOUND)
        return status;
    *out = status == KL_OK;
    return KL_OK;
}

static void see_any(void *ctx, KL_UNUSED const char *name)
{
    *(bool *)ctx = true;
}

kl_status kl_fs_has_any(struct kl_fs *fs, const char *dir, bool *out)
{
    bool any = false;
    kl_status status = kl_fs_list(fs, dir, see_any, &any);
    if (status != KL_OK && status != KL_NOTFOUND)
        return status;
    *out = any;
    return KL_OK;
}

kl_status kl_fs_remove(struct kl_fs *fs, const char *path)
{
    kl_status status = kl_fs_unlink(fs, path);
    return status == KL_NOTFOUND ? KL_OK : status;
}

struct emptying {
    struct kl_fs *fs;
    const char *dir;
    bool any;
    kl_status status;
};

static void remove_one(void *ctx, const char *name)
{
    struct emptying *e = ctx;
    char path[KL_PATH_MAX + 1];
    int len = snprintf(path, sizeof path, "%s/%s", e->dir, name);
    e->any = true;
    if (e->status == KL_OK)
        e->status = len > KL_PATH_MAX ? KL_UNSUPPORTED : kl_fs_remove(e->fs, path);
}

kl_status kl_fs_empty(struct kl_fs *fs, const char *dir)
{
    struct emptying e = {.fs = fs, .dir = dir};
    kl_status status = kl_fs_list(fs, dir, remove_one, &e);
    if (status != KL_OK)
        return status == KL_NOTFOUND ? KL_OK : status;
    KL_TRY(e.status);
    return e.any ? kl_fs_sync_dir(fs, dir) : KL_OK;
}
