/* Marks beside the guard: files whose presence counts, and nothing in them. */
#include "guard/guard.h"

#include "guard/guard_priv.h"

/* Also one that is there is made durable: it may have outlived the process that made it by chance.
 */
static kl_status mark(struct kl_fs *fs, const char *name, const char *text)
{
    return kl_fs_replace(fs, name, GUARD_NAME_NEXT, kl_span_str(text));
}

static kl_status unmark(struct kl_fs *fs, const char *name)
{
    kl_status status = kl_fs_unlink(fs, name);
    if (status != KL_OK)
        return status == KL_NOTFOUND ? KL_OK : status;
    return kl_fs_sync_dir(fs, "");
}

kl_status guard_marks(struct kl_guard *guard)
{
    KL_TRY(kl_fs_has(guard->fs, GUARD_NAME_USED, &guard->used));
    return kl_fs_has(guard->fs, GUARD_NAME_DOUBT, &guard->doubted);
}

kl_status kl_guard_bar(struct kl_guard *guard)
{
    guard->used = true;
    return mark(guard->fs, GUARD_NAME_USED,
                "Somebody else has signed with this key: it signs nothing here any more.\n");
}

bool kl_guard_is_doubted(const struct kl_guard *guard)
{
    return guard->doubted;
}

kl_status kl_guard_trust(struct kl_guard *guard)
{
    guard->doubted = false;
    return unmark(guard->fs, GUARD_NAME_DOUBT);
}

kl_status kl_guard_resume(struct kl_fs *fs)
{
    KL_CLEANUP(kl_file_closep) struct kl_file *lock = NULL;
    bool is_there;
    KL_TRY(kl_fs_lock(fs, &lock, GUARD_NAME_LOCK));
    KL_TRY(kl_fs_has(fs, GUARD_NAME, &is_there));
    if (!is_there)
        return KL_NOTFOUND;
    KL_TRY(mark(fs, GUARD_NAME_DOUBT,
                "This key has signed elsewhere what its guard may lack: it watches first.\n"));
    return unmark(fs, GUARD_NAME_USED);
}
