#include "node/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chain/past.h"
#include "sys/fs.h"

#define LEDGER_GONE "ledger.reset" /* what the ledger is called while it is deleted */
#define GENESIS_TMP "genesis.tmp"

/* Makes the name of a folder durable. */
static kl_status sync_parent(const char *path)
{
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    usize len = slash ? (usize)(slash - path) + 1 : 0; /* with the slash: it may be the root */
    if (len >= sizeof parent)
        return KL_UNSUPPORTED;
    memcpy(parent, path, len);
    parent[len] = '\0';
    int fd = open(len ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return kl_sys_status(errno);
    kl_status status = fsync(fd) == 0 ? KL_OK : kl_sys_status(errno);
    close(fd);
    return status;
}

static kl_status make_one(const char *path)
{
    if (mkdir(path, 0700) == 0)
        return sync_parent(path);
    return errno == EEXIST ? KL_OK : kl_sys_status(errno);
}

static kl_status make_all(const char *dir)
{
    char *path = strdup(dir);
    if (!path)
        return KL_NOMEM;
    kl_status status = KL_OK;
    for (char *slash = path; status == KL_OK && (slash = strchr(slash + 1, '/')) != NULL;) {
        *slash = '\0';
        status = make_one(path);
        *slash = '/';
    }
    if (status == KL_OK)
        status = make_one(path);
    free(path);
    return status;
}

static kl_status name_marks(struct kl_folder *folder, const char *dir)
{
    char *whole = realpath(dir, NULL);
    if (!whole)
        return kl_sys_status(errno);
    if (asprintf(&folder->suspect, "%s/" KL_FOLDER_SUSPECT, whole) < 0)
        folder->suspect = NULL;
    if (asprintf(&folder->past_suspect, "%s/" KL_FOLDER_PAST_BAD, whole) < 0)
        folder->past_suspect = NULL;
    free(whole);
    return folder->suspect && folder->past_suspect ? KL_OK : KL_NOMEM;
}

kl_status kl_folder_open(struct kl_folder *out, const char *dir, bool make)
{
    struct kl_folder folder = {0};
    if (make)
        KL_TRY(make_all(dir));
    KL_TRY(kl_sys_fs_open(&folder.fs, dir));
    kl_status status = kl_fs_lock(folder.fs, &folder.lock, KL_FOLDER_LOCK);
    if (status == KL_OK)
        status = name_marks(&folder, dir);
    if (status != KL_OK) {
        kl_folder_close(&folder);
        return status;
    }
    *out = folder;
    return KL_OK;
}

void kl_folder_close(struct kl_folder *folder)
{
    kl_file_closep(&folder->lock);
    if (folder->fs)
        kl_sys_fs_close(folder->fs);
    folder->fs = NULL;
    free(folder->suspect);
    free(folder->past_suspect);
    folder->suspect = folder->past_suspect = NULL;
}

kl_status kl_folder_has_chain(struct kl_folder *folder, bool *out)
{
    return kl_fs_has_any(folder->fs, KL_FOLDER_LEDGER, out);
}

kl_status kl_folder_genesis(struct kl_folder *folder, struct kl_arena *arena, kl_span *out)
{
    return kl_fs_read_whole(folder->fs, KL_FOLDER_GENESIS, SIZE_MAX, arena, out);
}

kl_status kl_folder_put_genesis(struct kl_folder *folder, kl_span text)
{
    return kl_fs_replace(folder->fs, KL_FOLDER_GENESIS, GENESIS_TMP, text);
}

kl_status kl_folder_drop_state(struct kl_folder *folder)
{
    static const char *const caches[] = {
        KL_FOLDER_STATE,
        KL_FOLDER_HISTORY "/log",
        KL_FOLDER_HISTORY "/index",
    };
    for (usize i = 0; i < KL_COUNT_OF(caches); i++)
        KL_TRY(kl_fs_empty(folder->fs, caches[i]));
    KL_TRY(kl_fs_remove(folder->fs, KL_FOLDER_SUSPECT));
    return kl_fs_sync_dir(folder->fs, "");
}

kl_status kl_folder_reset(struct kl_folder *folder)
{
    KL_TRY(kl_fs_remove(folder->fs, KL_FOLDER_GENESIS));
    KL_TRY(kl_folder_drop_state(folder));
    KL_TRY(kl_folder_drop_past(folder));
    KL_TRY(kl_fs_empty(folder->fs, LEDGER_GONE));
    kl_status status = kl_fs_rename(folder->fs, KL_FOLDER_LEDGER, LEDGER_GONE);
    if (status != KL_OK && status != KL_NOTFOUND)
        return status;
    KL_TRY(kl_fs_sync_dir(folder->fs, ""));
    KL_TRY(kl_fs_empty(folder->fs, KL_FOLDER_CHECKPOINT)); /* the ledger may not stand without */
    return kl_fs_empty(folder->fs, LEDGER_GONE);
}

kl_status kl_folder_is_suspect(struct kl_folder *folder, bool *out)
{
    return kl_fs_has(folder->fs, KL_FOLDER_SUSPECT, out);
}

/* Only what signal-safety(7) allows. */
static void leave_mark(const char *path)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    (void)fsync(fd);
    (void)close(fd);
}

void kl_folder_suspect(const struct kl_folder *folder)
{
    leave_mark(folder->suspect);
}

void kl_folder_suspect_past(const struct kl_folder *folder)
{
    leave_mark(folder->past_suspect);
}

kl_status kl_folder_drop_past(struct kl_folder *folder)
{
    KL_TRY(kl_past_drop(folder->fs, KL_FOLDER_STATE));
    KL_TRY(kl_fs_remove(folder->fs, KL_FOLDER_PAST_BAD));
    return kl_fs_sync_dir(folder->fs, "");
}

kl_status kl_folder_put_aside(struct kl_folder *folder)
{
    return kl_past_put_aside(folder->fs, KL_FOLDER_STATE);
}

kl_status kl_folder_take_back(struct kl_folder *folder, bool *taken)
{
    return kl_past_take_back(folder->fs, KL_FOLDER_STATE, taken);
}

kl_status kl_folder_settle_past(struct kl_folder *folder)
{
    bool bad, taken;
    KL_TRY(kl_fs_has(folder->fs, KL_FOLDER_PAST_BAD, &bad));
    if (bad)
        return kl_folder_drop_past(folder);
    KL_TRY(kl_past_settle(folder->fs, KL_FOLDER_STATE, &taken));
    if (taken) /* what was suspect has gone */
        KL_TRY(kl_fs_remove(folder->fs, KL_FOLDER_SUSPECT));
    return taken ? kl_fs_sync_dir(folder->fs, "") : KL_OK;
}
