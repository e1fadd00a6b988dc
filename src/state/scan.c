/* Walking over a table of one version: the sets of the delta and the database's cursor are all
 * sorted, so the next entry is the least of their heads.  Of equal keys the newest source decides,
 * and the others step over it. */
#include "state/state_priv.h"

enum { SETS_MAX = 65 };

struct scan {
    struct kl_view *view;
    kl_table table;
    kl_span prefix;
    const struct kl_changes *sets[SETS_MAX]; /* newest first */
    usize at[SETS_MAX];
    usize count;
    struct kl_kv_cursor *cursor;
    bool more; /* the database's head is k, v */
    kl_span k, v;
};

static bool has_prefix(kl_span key, kl_span prefix)
{
    return key.len >= prefix.len && (prefix.len == 0 || memcmp(key.p, prefix.p, prefix.len) == 0);
}

/* Takes note of how a cursor's move ended. */
static kl_status moved(struct scan *s, kl_status status)
{
    s->more = status == KL_OK && has_prefix(s->k, s->prefix);
    return status == KL_NOTFOUND ? KL_OK : status;
}

/* The head of set i, or NULL. */
static const kl_change *head(const struct scan *s, usize i)
{
    if (s->at[i] == s->sets[i]->count)
        return NULL;
    const kl_change *change = s->sets[i]->sorted[s->at[i]].change;
    return change->table == s->table && has_prefix(kl_change_key(change), s->prefix) ? change
                                                                                     : NULL;
}

static void begin(struct scan *s, kl_span start)
{
    const struct kl_delta *delta = s->view->delta;
    for (usize i = 0; delta && i < delta->run_count && delta->runs[i]->high > s->view->base; i++) {
        KL_ASSERT(i < SETS_MAX);
        s->sets[s->count] = delta->runs[i];
        s->at[s->count++] = kl_changes_seek(delta->runs[i], s->table, start);
    }
}

/* The least key of all heads; of the newest source that has it.  False at the end. */
static bool least(const struct scan *s, kl_span *key, const kl_change **change)
{
    bool any = s->more;
    *key = s->k;
    *change = NULL;
    for (usize i = s->count; i-- > 0;) {
        const kl_change *c = head(s, i);
        if (c && (!any || kl_span_cmp(kl_change_key(c), *key) <= 0)) {
            any = true;
            *key = kl_change_key(c);
            *change = c;
        }
    }
    return any;
}

static kl_status step_over(struct scan *s, kl_span key)
{
    for (usize i = 0; i < s->count; i++) {
        const kl_change *c = head(s, i);
        s->at[i] += c && kl_span_eq(kl_change_key(c), key);
    }
    if (!s->more || !kl_span_eq(s->k, key))
        return KL_OK;
    return moved(s, kl_kv_cursor_next(s->cursor, &s->k, &s->v));
}

static kl_status run(struct scan *s, kl_span start,
                     bool (*each)(void *ctx, kl_span key, kl_span value), void *ctx)
{
    KL_TRY(moved(s, kl_kv_cursor_seek(s->cursor, start, &s->k, &s->v)));
    begin(s, start);
    kl_span key;
    const kl_change *change;
    while (least(s, &key, &change)) {
        bool gone = change && change->gone;
        kl_span value = change ? kl_change_value(change) : s->v;
        if (!gone && !each(ctx, key, value))
            break;
        KL_TRY(step_over(s, key));
    }
    return KL_OK;
}

kl_status kl_view_scan(struct kl_view *view, kl_table table, kl_span prefix, kl_span from,
                       bool (*each)(void *ctx, kl_span key, kl_span value), void *ctx)
{
    if (view->step < view->base)
        return KL_UNSUPPORTED;
    struct scan s = {.view = view, .table = table, .prefix = prefix};
    KL_TRY(kl_kv_cursor_open(view->read, table, &s.cursor));
    kl_status status = run(&s, kl_span_cmp(from, prefix) > 0 ? from : prefix, each, ctx);
    kl_kv_cursor_close(s.cursor);
    return status;
}
