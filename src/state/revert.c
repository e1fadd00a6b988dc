/* Going back.  The keys that may differ between two versions are those in the sets of changes that
 * reach above the older one, and those in the reverse deltas below the database.  Each is read in
 * both versions; where they differ the new delta puts the old value. */
#include <stdlib.h>

#include "state/state_priv.h"

struct revert {
    struct kl_state *state;
    u64 to; /* step */
    struct kl_view *head, *target;
    struct kl_arena arena;
    kl_change_ref *keys; /* and as much room again, for sorting */
    usize count, cap;
};

/* The ancestor of the delta at a step above the database's; the lock is held. */
static struct kl_delta *ancestor(struct kl_delta *delta, u64 step)
{
    while (kl_delta_step(delta) > step) {
        KL_ASSERT(delta->parent);
        delta = delta->parent;
    }
    return delta;
}

static kl_status open_target(struct revert *r, struct kl_delta *head)
{
    KL_ASSERT(r->to <= r->head->step);
    if (r->head->delta && r->to > r->head->base)
        return kl_view_open(r->state, ancestor(head, r->to), 0, &r->target);
    return kl_view_open(r->state, NULL, r->to, &r->target);
}

/* Both under one lock, so that the delta's ancestors above the snapshot are still linked. */
static kl_status open_views(struct revert *r, struct kl_delta *head)
{
    kl_lock(&r->state->lock);
    kl_status status = kl_view_open(r->state, head, 0, &r->head);
    if (status == KL_OK)
        status = open_target(r, head);
    kl_unlock(&r->state->lock);
    return status;
}

static kl_status grow(struct revert *r)
{
    usize cap = r->cap ? 2 * r->cap : 256;
    kl_change_ref *keys = realloc(r->keys, 2 * cap * sizeof *keys);
    if (!keys)
        return KL_NOMEM;
    r->keys = keys;
    r->cap = cap;
    return KL_OK;
}

static kl_status add_key(void *ctx, const kl_old *old)
{
    struct revert *r = ctx;
    if (r->count == r->cap)
        KL_TRY(grow(r));
    kl_change *key =
        kl_arena_take(&r->arena, kl_change_bytes(old->key.len, 0), _Alignof(kl_change));
    if (!key)
        return KL_NOMEM;
    *key = (kl_change){.key_len = (u16)old->key.len, .table = old->table};
    memcpy(key->bytes, old->key.p, old->key.len);
    r->keys[r->count++] =
        (kl_change_ref){.prefix = kl_change_prefix(old->table, old->key), .change = key};
    return KL_OK;
}

static kl_status add_keys(struct revert *r)
{
    const struct kl_delta *delta = r->head->delta;
    u64 above = KL_MAX(r->to, r->head->base);
    for (usize i = 0; delta && i < delta->run_count && delta->runs[i]->high > above; i++)
        for (usize k = 0; k < delta->runs[i]->count; k++) {
            const kl_change *change = delta->runs[i]->sorted[k].change;
            kl_old old = {.table = change->table, .key = kl_change_key(change)};
            KL_TRY(add_key(r, &old));
        }
    for (u64 step = r->to + 1; step <= r->head->base; step++)
        KL_TRY(kl_history_walk(r->state->history, step - 1, add_key, r));
    return KL_OK;
}

/* What a version has under a key; *there says whether it has anything. */
static kl_status look(struct kl_view *view, const kl_change *key, kl_span *value, bool *there)
{
    kl_status status = kl_view_get(view, key->table, kl_change_key(key), value);
    *there = status == KL_OK;
    return status == KL_NOTFOUND ? KL_OK : status;
}

static kl_status put_back(struct revert *r, struct kl_delta_builder *builder, const kl_change *key)
{
    kl_span was = KL_SPAN_NONE, is = KL_SPAN_NONE;
    bool was_there, is_there;
    KL_TRY(look(r->target, key, &was, &was_there));
    KL_TRY(look(r->head, key, &is, &is_there));
    if (was_there == is_there && kl_span_eq(was, is))
        return KL_OK;
    return was_there ? kl_delta_put(builder, key->table, kl_change_key(key), was)
                     : kl_delta_del(builder, key->table, kl_change_key(key));
}

static kl_status build(struct revert *r, struct kl_delta_builder *builder)
{
    KL_TRY(add_keys(r));
    if (r->count)
        kl_change_sort(r->keys, r->count, r->keys + r->cap);
    for (usize i = 0; i < r->count; i++)
        if (i == 0 || kl_change_cmp(&r->keys[i - 1], &r->keys[i]) != 0)
            KL_TRY(put_back(r, builder, r->keys[i].change));
    return KL_OK;
}

static kl_status run(struct revert *r, struct kl_delta *head, struct kl_delta_builder **out)
{
    struct kl_delta_builder *builder;
    KL_TRY(open_views(r, head));
    if (r->head->step < r->head->base)
        return KL_CANCELED;
    KL_TRY(kl_delta_begin(&builder, head, r->head->step));
    kl_status status = build(r, builder);
    if (status == KL_OK)
        *out = builder;
    else
        kl_delta_drop(builder);
    return status;
}

kl_status kl_state_revert(struct kl_state *state, struct kl_delta *head, u64 to,
                          struct kl_delta_builder **out, struct kl_view **old)
{
    KL_ASSERT(to < UINT64_MAX);
    struct revert r = {.state = state, .to = to + 1};
    kl_arena_init(&r.arena, SIZE_MAX);
    kl_status status = run(&r, head, out);
    kl_view_close(r.head);
    if (status == KL_OK)
        *old = r.target;
    else
        kl_view_close(r.target);
    kl_arena_done(&r.arena);
    free(r.keys);
    return status;
}
