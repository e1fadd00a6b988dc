/* Deltas into the database.  All changes are gone through in order of their keys, not of their
 * versions: each key's old value is read once, each key is written once, and the database is walked
 * in its own order.
 *
 *   1. gather   the deltas above the database, their changes sorted by key, then version
 *   2. old      what each change finds in its way: the version before it, or the database
 *   3. history  one reverse delta a version, synced
 *   4. commit   the newest value of each key, the version and the anchor
 *   5. settle   the deltas forget their parents
 *
 * A crash after 3 leaves history ahead of the database, which does not count.  Readers are kept out
 * only while flags are set: before the commit, that a snapshot may hold either version; after it,
 * that it holds the new one. */
#include <stdlib.h>

#include "state/format_priv.h"
#include "state/state_priv.h"

struct flush {
    struct kl_state *state;
    u64 base;                 /* the database's step */
    struct kl_delta **deltas; /* oldest first, referenced */
    usize delta_count;
    struct kl_kv_read *read;
    kl_change_ref *refs; /* of all deltas, sorted, and as much room again */
    usize ref_count;
    kl_old **olds; /* for each delta, in the order of its changes */
    usize *taken;
};

static void flush_done(struct flush *f)
{
    for (usize i = 0; i < f->delta_count; i++) {
        kl_delta_unref(f->deltas[i]);
        if (f->olds)
            free(f->olds[i]);
    }
    kl_kv_end_read(f->read);
    free(f->deltas);
    free(f->refs);
    free(f->olds);
    free(f->taken);
}

/* The deltas from the database's step up to tip; the lock is held. */
static kl_status collect(struct flush *f, struct kl_delta *tip)
{
    f->base = f->state->step;
    u64 step = kl_delta_step(tip);
    if (step <= f->base)
        return tip->flushed && step == f->base ? KL_OK : KL_CANCELED;
    if (!kl_delta_stands_on(tip, f->base))
        return KL_CANCELED;
    usize count = step - f->base;
    f->deltas = malloc(count * sizeof(struct kl_delta *));
    if (!f->deltas)
        return KL_NOMEM;
    f->delta_count = count;
    for (struct kl_delta *d = tip; count > 0; d = d->parent)
        f->deltas[--count] = kl_delta_ref(d);
    return KL_OK;
}

static kl_status gather(struct flush *f)
{
    usize total = 0;
    for (usize i = 0; i < f->delta_count; i++)
        total += f->deltas[i]->own->count;
    f->refs = malloc(2 * total * sizeof *f->refs + 1);
    f->olds = calloc(f->delta_count + 1, sizeof *f->olds);
    f->taken = calloc(f->delta_count + 1, sizeof *f->taken);
    if (!f->refs || !f->olds || !f->taken)
        return KL_NOMEM;
    for (usize i = 0; i < f->delta_count; i++) {
        const struct kl_changes *own = f->deltas[i]->own;
        f->olds[i] = malloc(own->count * sizeof(kl_old) + 1);
        if (!f->olds[i])
            return KL_NOMEM;
        memcpy(f->refs + f->ref_count, own->sorted, own->count * sizeof *f->refs);
        f->ref_count += own->count;
    }
    kl_change_sort(f->refs, f->ref_count, f->refs + f->ref_count);
    return KL_OK;
}

static bool same_key(const kl_change_ref *a, const kl_change_ref *b)
{
    return kl_change_cmp(a, b) == 0;
}

static kl_status find_olds(struct flush *f)
{
    kl_old old = {0};
    for (usize i = 0; i < f->ref_count; i++) {
        const kl_change *change = f->refs[i].change;
        if (i == 0 || !same_key(&f->refs[i - 1], &f->refs[i])) {
            old = (kl_old){.table = change->table, .key = kl_change_key(change)};
            kl_status status = kl_kv_get(f->read, old.table, old.key, &old.value);
            old.gone = status == KL_NOTFOUND;
            if (status != KL_OK && status != KL_NOTFOUND)
                return status;
        }
        kl_span value = kl_change_value(change);
        bool same = change->gone == old.gone && (old.gone || kl_span_eq(value, old.value));
        usize delta = change->step - f->base - 1;
        if (!same)
            f->olds[delta][f->taken[delta]++] = old;
        old.gone = change->gone;
        old.value = value;
    }
    return KL_OK;
}

static kl_status write_history(struct flush *f)
{
    struct kl_history *history = f->state->history;
    for (usize i = 0; i < f->delta_count; i++)
        if (f->deltas[i]->version > 0)
            KL_TRY(kl_history_add(history, f->deltas[i]->version, f->olds[i], f->taken[i]));
    return kl_history_sync(history);
}

static kl_status put_all(struct flush *f, struct kl_kv_write *write, kl_span anchor)
{
    for (usize i = 0; i < f->ref_count; i++) {
        if (i + 1 < f->ref_count && same_key(&f->refs[i], &f->refs[i + 1]))
            continue;
        const kl_change *change = f->refs[i].change;
        kl_span key = kl_change_key(change);
        if (change->gone)
            KL_TRY(kl_kv_del(write, change->table, key));
        else
            KL_TRY(kl_kv_put(write, change->table, key, kl_change_value(change)));
    }
    return kl_state_put_tip(write, f->base + f->delta_count - 1, anchor);
}

static void before_commit(struct flush *f)
{
    kl_lock(&f->state->lock);
    f->state->unsure = true;
    for (usize i = 0; i < f->delta_count; i++)
        f->deltas[i]->flushed = true;
    kl_unlock(&f->state->lock);
}

/* A commit that failed may have happened nevertheless: the database is asked. */
static kl_status ask_tip(struct flush *f, bool *happened)
{
    u64 step;
    kl_span anchor;
    struct kl_kv_read *read;
    KL_TRY(kl_kv_begin_read(f->state->kv, &read));
    kl_status status = kl_state_read_tip(read, &step, &anchor);
    kl_kv_end_read(read);
    if (status == KL_OK)
        *happened = step == f->base + f->delta_count;
    return status;
}

static void after_commit(struct flush *f, bool happened, bool unsure, kl_span anchor)
{
    struct kl_state *state = f->state;
    kl_lock(&state->lock);
    state->unsure = unsure;
    for (usize i = 0; i < f->delta_count && !happened; i++)
        f->deltas[i]->flushed = false;
    if (happened) {
        state->step = f->base + f->delta_count;
        if (!state->history)
            state->oldest = state->step - 1;
        if (anchor.len)
            memcpy(state->anchor, anchor.p, anchor.len);
        state->anchor_len = anchor.len;
    }
    kl_unlock(&state->lock);
}

static void cut_parents(struct flush *f)
{
    if (f->delta_count)
        kl_lineage_flushed(f->deltas[0]->lineage, f->base + f->delta_count);
    for (usize i = 0; i < f->delta_count; i++) {
        kl_lock(&f->state->lock);
        struct kl_delta *parent = f->deltas[i]->parent;
        f->deltas[i]->parent = NULL;
        kl_unlock(&f->state->lock);
        kl_delta_unref(parent);
    }
}

static kl_status commit(struct flush *f, kl_span anchor, bool *happened)
{
    struct kl_kv_write *write;
    KL_TRY(kl_kv_begin_write(f->state->kv, &write));
    kl_status status = put_all(f, write, anchor);
    if (status != KL_OK) {
        kl_kv_abort(write);
        return status;
    }
    before_commit(f);
    status = kl_kv_commit(write);
    *happened = status == KL_OK;
    bool unsure = status != KL_OK && ask_tip(f, happened) != KL_OK;
    after_commit(f, *happened, unsure, anchor);
    return status;
}

/* The snapshot must hold what we believe; it may not, after a commit of unknown outcome. */
static kl_status check_base(struct flush *f)
{
    u64 step;
    kl_span anchor;
    KL_TRY(kl_kv_begin_read(f->state->kv, &f->read));
    KL_TRY(kl_state_read_tip(f->read, &step, &anchor));
    return step == f->base ? KL_OK : KL_IO;
}

static kl_status run(struct flush *f, struct kl_delta *tip, kl_span anchor)
{
    struct kl_history *history = f->state->history;
    kl_lock(&f->state->lock);
    kl_status status = collect(f, tip);
    kl_unlock(&f->state->lock);
    KL_TRY(status);
    KL_TRY(check_base(f));
    if (history)
        KL_TRY(kl_history_seal(history));
    KL_TRY(gather(f));
    if (history) {
        KL_TRY(find_olds(f));
        status = write_history(f);
    }
    bool happened = false;
    if (status == KL_OK)
        status = commit(f, anchor, &happened);
    if (history && happened)
        kl_history_settle(history);
    else if (history)
        kl_history_forget(history);
    if (happened)
        cut_parents(f);
    return status;
}

kl_status kl_state_flush(struct kl_state *state, struct kl_delta *tip, kl_span anchor)
{
    KL_ASSERT(anchor.len <= KL_ANCHOR_MAX);
    struct flush f = {.state = state};
    kl_status status = run(&f, tip, anchor);
    flush_done(&f);
    return status;
}
