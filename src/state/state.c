/* The database carries its own version under META's "tip", written by the same commit as the
 * tables, so the two cannot disagree. */
#include "state/state.h"

#include <stdlib.h>

#include "state/format_priv.h"
#include "state/state_priv.h"

const char *const kl_state_table_names[KL_TABLE_COUNT] = {
#define KL_TABLE_X(NAME, name) name,
#include "state/table.def"
#undef KL_TABLE_X
};

kl_status kl_state_read_tip(struct kl_kv_read *read, u64 *step, kl_span *anchor)
{
    kl_span tip;
    kl_status status = kl_kv_get(read, KL_TABLE_META, KL_META_TIP, &tip);
    if (status == KL_NOTFOUND) {
        *step = 0;
        *anchor = KL_SPAN_NONE;
        return KL_OK;
    }
    KL_TRY(status);
    if (tip.len < 8 || tip.len > KL_TIP_MAX || kl_load_be64(tip.p) == UINT64_MAX)
        return KL_CORRUPT;
    *step = kl_load_be64(tip.p) + 1;
    *anchor = kl_span_sub(tip, 8, KL_ANCHOR_MAX);
    return KL_OK;
}

kl_status kl_state_put_tip(struct kl_kv_write *write, u64 version, kl_span anchor)
{
    u8 room[KL_TIP_MAX], format[4];
    kl_out tip = kl_out_of(room, sizeof room);
    kl_out_be64(&tip, version);
    kl_out_span(&tip, anchor);
    kl_store_be32(format, KL_STATE_FORMAT);
    KL_TRY(kl_kv_put(write, KL_TABLE_META, KL_META_FORMAT, KL_SPAN_OF(format)));
    return kl_kv_put(write, KL_TABLE_META, KL_META_TIP, kl_out_done(&tip));
}

/* A database that is being filled (fill.h) holds no state yet. */
static kl_status check_mark(struct kl_kv_read *read)
{
    kl_span note;
    kl_status status = kl_kv_get(read, KL_TABLE_META, KL_META_FILL, &note);
    return status == KL_NOTFOUND ? KL_OK : status == KL_OK ? KL_CORRUPT : status;
}

/* A database has both a format and a tip, or neither. */
static kl_status check_format(struct kl_kv_read *read, u64 step)
{
    kl_span format;
    kl_status status = kl_kv_get(read, KL_TABLE_META, KL_META_FORMAT, &format);
    if (status == KL_NOTFOUND && !step)
        return check_mark(read);
    if (status == KL_NOTFOUND)
        return KL_CORRUPT;
    KL_TRY(status);
    if (format.len != 4 || step == 0)
        return KL_CORRUPT;
    return kl_load_be32(format.p) == KL_STATE_FORMAT ? KL_OK : KL_UNSUPPORTED;
}

kl_status kl_state_is_new(struct kl_kv *kv, bool *out)
{
    struct kl_kv_read *read;
    u64 step;
    kl_span anchor;
    KL_TRY(kl_kv_begin_read(kv, &read));
    kl_status status = kl_state_read_tip(read, &step, &anchor);
    if (status == KL_OK && step == 0)
        status = check_format(read, step);
    kl_kv_end_read(read);
    *out = status == KL_OK && step == 0;
    return status == KL_CORRUPT ? KL_OK : status;
}

static kl_status load_tip(struct kl_state *state)
{
    struct kl_kv_read *read;
    KL_TRY(kl_kv_begin_read(state->kv, &read));
    kl_span anchor;
    kl_status status = kl_state_read_tip(read, &state->step, &anchor);
    if (status == KL_OK)
        status = check_format(read, state->step);
    if (status == KL_OK && anchor.len) {
        memcpy(state->anchor, anchor.p, anchor.len);
        state->anchor_len = anchor.len;
    }
    kl_kv_end_read(read);
    return status;
}

kl_status kl_state_open(struct kl_state **out, const kl_state_config *config)
{
    struct kl_state *state = calloc(1, sizeof *state);
    if (!state)
        return KL_NOMEM;
    kl_mutex_init(&state->lock);
    state->kv = config->kv;
    kl_status status = load_tip(state);
    u64 version = state->step ? state->step - 1 : 0;
    state->oldest = version;
    const kl_history_place place = {config->fs, config->history_dir, config->history_suffix,
                                    config->history_segment_bytes};
    if (status == KL_OK && config->fs)
        status =
            kl_history_open(&state->history, &place, state->step == 0, version, &state->oldest);
    if (status != KL_OK) {
        kl_state_close(state);
        return status;
    }
    *out = state;
    return KL_OK;
}

void kl_state_close(struct kl_state *state)
{
    if (!state)
        return;
    KL_ASSERT(!state->open);
    while (state->idle) {
        struct kl_view *view = state->idle;
        state->idle = view->next;
        kl_view_free(view);
    }
    kl_history_close(state->history);
    kl_mutex_done(&state->lock);
    free(state);
}

bool kl_state_stored(struct kl_state *state, u64 *version, kl_span *anchor)
{
    kl_lock(&state->lock);
    bool any = state->step > 0;
    if (any) {
        *version = state->step - 1;
        *anchor = kl_span_of(state->anchor, state->anchor_len);
    }
    kl_unlock(&state->lock);
    return any;
}

kl_status kl_state_snapshot(struct kl_state *state, struct kl_kv_read **out, u64 *step)
{
    struct kl_kv_read *read;
    KL_TRY(kl_kv_begin_read(state->kv, &read));
    u64 held = state->step;
    kl_span anchor;
    kl_status status = state->unsure ? kl_state_read_tip(read, &held, &anchor) : KL_OK;
    if (status != KL_OK) {
        kl_kv_end_read(read);
        return status;
    }
    *out = read;
    *step = held;
    return KL_OK;
}

u64 kl_state_oldest(struct kl_state *state)
{
    kl_lock(&state->lock);
    u64 oldest = state->oldest;
    kl_unlock(&state->lock);
    return oldest;
}

/* From here on no view of a version below `version` is opened; returns the least that open views
 * still need. */
static u64 close_below(struct kl_state *state, u64 version)
{
    kl_lock(&state->lock);
    u64 keep = KL_MIN(version, state->step ? state->step - 1 : 0);
    for (const struct kl_view *view = state->open; view; view = view->next)
        if (view->step && view->step < view->base)
            keep = KL_MIN(keep, view->step - 1);
    state->oldest = KL_MAX(state->oldest, keep);
    kl_unlock(&state->lock);
    return keep;
}

kl_status kl_state_prune(struct kl_state *state, u64 version)
{
    if (!state->history)
        return KL_OK;
    return kl_history_prune(state->history, close_below(state, version));
}
