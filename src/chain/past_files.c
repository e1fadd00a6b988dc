/* Three folders take the place of three others.  The mark is there before the first of them moves
 * and goes when all have: in between, what has not moved is moved by whoever comes next.  A folder
 * is emptied and then replaced by the one that has its name and the suffix; where there is none, it
 * has moved. */
#include <stdio.h>

#include "chain/chain_priv.h"
#include "chain/past.h"

enum { FOLDERS = 3 };

struct place {
    const char *parent, *name; /* name is NULL: not ours */
};

static void places_of(struct place out[FOLDERS], const char *state)
{
    out[0] = (struct place){KL_HISTORY_DIR, KL_HISTORY_DIR "/log"};
    out[1] = (struct place){KL_HISTORY_DIR, KL_HISTORY_DIR "/index"};
    out[2] = (struct place){"", state};
}

static kl_status name_past(char out[KL_PATH_MAX + 1], const char *name)
{
    int len = snprintf(out, KL_PATH_MAX + 1, "%s" KL_PAST_SUFFIX, name);
    return len <= KL_PATH_MAX ? KL_OK : KL_UNSUPPORTED;
}

static void pass(KL_UNUSED void *ctx, KL_UNUSED const char *name)
{
}

static kl_status replace(struct kl_fs *fs, const struct place *place)
{
    char past[KL_PATH_MAX + 1];
    KL_TRY(name_past(past, place->name));
    kl_status status = kl_fs_list(fs, past, pass, NULL); /* is it there, empty or not? */
    if (status == KL_OK)
        status = kl_fs_empty(fs, place->name);
    if (status == KL_OK)
        status = kl_fs_rename(fs, past, place->name);
    if (status != KL_OK && status != KL_NOTFOUND)
        return status;
    return kl_fs_sync_dir(fs, place->parent); /* also of a move whose name was never made durable */
}

static kl_status drop_mark(struct kl_fs *fs)
{
    kl_status status = kl_fs_unlink(fs, KL_PAST_WHOLE);
    if (status != KL_OK)
        return status == KL_NOTFOUND ? KL_OK : status;
    return kl_fs_sync_dir(fs, "");
}

kl_status kl_past_seal(struct kl_fs *fs)
{
    kl_status status = kl_fs_write_new(fs, KL_PAST_WHOLE, KL_SPAN_NONE);
    return status == KL_BUSY ? kl_fs_sync_dir(fs, "") : status;
}

kl_status kl_past_settle(struct kl_fs *fs, const char *state, bool *taken)
{
    struct place place[FOLDERS];
    bool is_whole;
    KL_TRY(kl_fs_has(fs, KL_PAST_WHOLE, &is_whole));
    places_of(place, state);
    for (usize i = 0; i < FOLDERS && is_whole; i++)
        if (place[i].name)
            KL_TRY(replace(fs, &place[i]));
    if (is_whole)
        KL_TRY(drop_mark(fs));
    *taken = is_whole;
    return KL_OK;
}

/* A past is there when it has a database: without it, the rest counts for nothing. */
static kl_status is_there(struct kl_fs *fs, const char *state, bool *out)
{
    char past[KL_PATH_MAX + 1];
    KL_TRY(name_past(past, state));
    return kl_fs_has_any(fs, past, out);
}

/* The database last: until it moves the chain has its state, if not those before it. */
kl_status kl_past_put_aside(struct kl_fs *fs, const char *state)
{
    struct place place[FOLDERS];
    char past[KL_PATH_MAX + 1];
    bool any;
    KL_TRY(is_there(fs, state, &any));
    if (any)
        return KL_OK;
    KL_TRY(kl_past_drop(fs, state));
    places_of(place, state);
    for (usize i = 0; i < FOLDERS; i++) {
        KL_TRY(name_past(past, place[i].name));
        kl_status status = kl_fs_rename(fs, place[i].name, past);
        if (status != KL_OK && status != KL_NOTFOUND)
            return status;
        KL_TRY(kl_fs_sync_dir(fs, place[i].parent));
    }
    return KL_OK;
}

kl_status kl_past_take_back(struct kl_fs *fs, const char *state, bool *taken)
{
    KL_TRY(is_there(fs, state, taken));
    if (!*taken)
        return KL_OK;
    KL_TRY(kl_past_seal(fs));
    return kl_past_settle(fs, state, taken);
}

kl_status kl_past_drop(struct kl_fs *fs, const char *state)
{
    struct place place[FOLDERS];
    char past[KL_PATH_MAX + 1];
    KL_TRY(drop_mark(fs));
    places_of(place, state);
    for (usize i = 0; i < FOLDERS; i++) {
        if (!place[i].name)
            continue;
        KL_TRY(name_past(past, place[i].name));
        KL_TRY(kl_fs_empty(fs, past));
    }
    return KL_OK;
}
