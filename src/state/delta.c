/* Which sets a look-up visits.  With n the step of a delta and low(n) its lowest set bit, the
 * delta's first set covers the steps (n - low(n), n]; the rest are those of step n - low(n): a
 * Fenwick tree over time.  Sealing step n merges its own changes with the sets of its parent that
 * lie within (n - low(n), n), whose sizes double, so a change is copied log2(n) times in all. Every
 * delta keeps the whole list, so a look-up walks no ancestors and takes no lock.
 *
 * The base moves up under the tree: steps up to s are flushed into the database.  A set that
 * straddles s, covering (low, high] with low < s < high, may answer with a change of a step
 * w <= s.  That answer is right all the same: a set holds the newest change of its key in its
 * range, so nothing changed the key in (w, high], hence the value after step high is the value
 * after w, which is the value after s, which is what the database says.  So such changes may stay
 * or go as is convenient: sets that lie wholly at or below the flushed step are left out of the
 * lists of later deltas, and merging drops changes at or below it from the set that straddles. What
 * a list holds is therefore bounded by what was not flushed when its oldest set was made.
 *
 * The parent link exists for the flush alone, which cuts it. */
#include "state/delta_priv.h"

#include <stdlib.h>

#include "base/arena.h"
#include "state/state.h"

enum { FIRST_REFS = 64, RUNS_MAX = 65 };

struct kl_delta_builder {
    struct kl_delta *parent;
    struct kl_lineage *lineage;
    u64 version;
    struct kl_arena arena;
    kl_change_ref *refs; /* and behind them as much room again, for sorting */
    usize count, cap;
};

static void lineage_unref(struct kl_lineage *lineage)
{
    if (!lineage || !kl_refs_drop(&lineage->refs))
        return;
    kl_mutex_done(&lineage->lock);
    free(lineage);
}

/* The seed need not be secret for long nor good: it keeps whoever chooses keys from knowing which
 * of them share a place. */
static struct kl_lineage *lineage_new(u64 flushed)
{
    struct kl_lineage *lineage = malloc(sizeof *lineage);
    if (!lineage)
        return NULL;
    kl_refs_init(&lineage->refs);
    lineage->seed = (u64)(uintptr_t)lineage * 0x9e3779b97f4a7c15u;
    kl_mutex_init(&lineage->lock);
    lineage->flushed = flushed;
    return lineage;
}

void kl_lineage_flushed(struct kl_lineage *lineage, u64 step)
{
    kl_lock(&lineage->lock);
    lineage->flushed = KL_MAX(lineage->flushed, step);
    kl_unlock(&lineage->lock);
}

static u64 flushed_step(struct kl_lineage *lineage)
{
    kl_lock(&lineage->lock);
    u64 step = lineage->flushed;
    kl_unlock(&lineage->lock);
    return step;
}

kl_status kl_delta_begin(struct kl_delta_builder **out, struct kl_delta *parent, u64 version)
{
    KL_ASSERT(version < UINT64_MAX && (!parent || version == parent->version + 1));
    struct kl_delta_builder *b = calloc(1, sizeof *b);
    if (!b)
        return KL_NOMEM;
    b->version = version;
    kl_arena_init(&b->arena, SIZE_MAX);
    if (parent) {
        b->parent = kl_delta_ref(parent);
        b->lineage = parent->lineage;
        kl_refs_add(&b->lineage->refs);
    } else {
        b->lineage = lineage_new(version);
    }
    if (!b->lineage) {
        kl_delta_drop(b);
        return KL_NOMEM;
    }
    *out = b;
    return KL_OK;
}

void kl_delta_drop(struct kl_delta_builder *builder)
{
    if (!builder)
        return;
    kl_delta_unref(builder->parent);
    lineage_unref(builder->lineage);
    kl_arena_done(&builder->arena);
    free(builder->refs);
    free(builder);
}

static kl_status grow(struct kl_delta_builder *b)
{
    usize cap = b->cap ? b->cap * 2 : FIRST_REFS;
    kl_change_ref *refs = realloc(b->refs, 2 * cap * sizeof *refs);
    if (!refs)
        return KL_NOMEM;
    b->refs = refs;
    b->cap = cap;
    return KL_OK;
}

static kl_status add(struct kl_delta_builder *b, kl_table table, kl_span key, kl_span value,
                     bool gone)
{
    KL_ASSERT(table < KL_TABLE_COUNT && table != KL_TABLE_META);
    KL_ASSERT(key.len > 0 && key.len <= KL_KV_KEY_MAX && value.len <= KL_KV_VALUE_MAX);
    if (b->count == b->cap)
        KL_TRY(grow(b));
    kl_change *change =
        kl_arena_take(&b->arena, kl_change_bytes(key.len, value.len), _Alignof(kl_change));
    if (!change)
        return KL_NOMEM;
    *change = (kl_change){
        .step = b->version + 1,
        .value_len = (u32)value.len,
        .key_len = (u16)key.len,
        .table = table,
        .gone = gone,
    };
    memcpy(change->bytes, key.p, key.len);
    if (value.len)
        memcpy(change->bytes + key.len, value.p, value.len);
    b->refs[b->count++] = (kl_change_ref){
        .prefix = kl_change_prefix(table, key),
        .hash = kl_change_hash(b->lineage->seed, table, key),
        .change = change,
    };
    return KL_OK;
}

kl_status kl_delta_put(struct kl_delta_builder *builder, kl_table table, kl_span key, kl_span value)
{
    return add(builder, table, key, value, false);
}

kl_status kl_delta_del(struct kl_delta_builder *builder, kl_table table, kl_span key)
{
    return add(builder, table, key, KL_SPAN_NONE, true);
}

/* The sets of the delta to be: sets[0] its own changes or a merger of them with the parent's newest
 * sets.  *own and *sets are the caller's references, also on failure. */
static kl_status collect_sets(struct kl_delta_builder *b, struct kl_changes **own,
                              struct kl_changes **sets, usize *count)
{
    u64 step = b->version + 1, low = step & (step - 1);
    u64 flushed = flushed_step(b->lineage);
    struct kl_changes *const *above = b->parent ? b->parent->runs : NULL;
    usize above_count = b->parent ? b->parent->run_count : 0;
    while (above_count && above[above_count - 1]->high <= flushed)
        above_count--;
    usize merged = 0;
    while (merged < above_count && above[merged]->high > low)
        merged++;

    KL_TRY(kl_changes_new(own, step, b->refs, b->count, merged == 0));
    if (merged) {
        struct kl_changes *all[RUNS_MAX] = {*own};
        KL_ASSERT(merged < RUNS_MAX);
        memcpy(all + 1, above, merged * sizeof *all);
        KL_TRY(kl_changes_merge(&sets[0], all, merged + 1, flushed));
    } else {
        sets[0] = kl_changes_ref(*own);
    }
    *count = 1;
    KL_ASSERT(above_count - merged < RUNS_MAX);
    for (usize i = merged; i < above_count; i++)
        sets[(*count)++] = kl_changes_ref(above[i]);
    return KL_OK;
}

static struct kl_delta *make(struct kl_delta_builder *b, struct kl_changes *own,
                             struct kl_changes **sets, usize count)
{
    struct kl_delta *delta = malloc(sizeof *delta + count * sizeof *sets);
    if (!delta)
        return NULL;
    *delta = (struct kl_delta){
        .version = b->version,
        .lineage = b->lineage,
        .own = own,
        .parent = b->parent,
        .run_count = count,
    };
    kl_refs_init(&delta->refs);
    memcpy(delta->runs, sets, count * sizeof *sets);
    b->lineage = NULL;
    b->parent = NULL;
    return delta;
}

kl_status kl_delta_seal(struct kl_delta_builder *builder, struct kl_delta **out)
{
    if (builder->count)
        kl_change_sort(builder->refs, builder->count, builder->refs + builder->cap);
    struct kl_changes *own = NULL, *sets[RUNS_MAX] = {NULL};
    usize count = 0;
    kl_status status = collect_sets(builder, &own, sets, &count);
    struct kl_delta *delta = NULL;
    if (status == KL_OK) {
        delta = make(builder, own, sets, count);
        status = delta ? KL_OK : KL_NOMEM;
    }
    if (status != KL_OK) {
        kl_changes_unref(own);
        for (usize i = 0; i < count; i++)
            kl_changes_unref(sets[i]);
    }
    kl_delta_drop(builder);
    if (status == KL_OK)
        *out = delta;
    return status;
}

struct kl_delta *kl_delta_ref(struct kl_delta *delta)
{
    kl_refs_add(&delta->refs);
    return delta;
}

void kl_delta_unref(struct kl_delta *delta)
{
    while (delta && kl_refs_drop(&delta->refs)) {
        struct kl_delta *parent = delta->parent;
        for (usize i = 0; i < delta->run_count; i++)
            kl_changes_unref(delta->runs[i]);
        kl_changes_unref(delta->own);
        lineage_unref(delta->lineage);
        free(delta);
        delta = parent;
    }
}

u64 kl_delta_version(const struct kl_delta *delta)
{
    return delta->version;
}

bool kl_delta_next(const struct kl_delta *delta, usize *cursor, kl_table *table, kl_span *key,
                   kl_span *value, bool *gone)
{
    if (*cursor >= delta->own->count)
        return false;
    const kl_change *change = delta->own->sorted[(*cursor)++].change;
    *table = change->table;
    *key = kl_change_key(change);
    *value = kl_change_value(change);
    *gone = change->gone;
    return true;
}

usize kl_delta_bytes(const struct kl_delta *delta)
{
    const struct kl_changes *first = delta->runs[0];
    usize merged = first == delta->own ? 0 : first->bytes;
    return sizeof *delta + delta->run_count * sizeof first + delta->own->bytes + merged;
}

const kl_change *kl_delta_find(const struct kl_delta *delta, u64 above, kl_table table, kl_span key)
{
    u32 hash = kl_change_hash(delta->lineage->seed, table, key);
    for (usize i = 0; i < delta->run_count && delta->runs[i]->high > above; i++)
        kl_changes_prefetch(delta->runs[i], hash);
    for (usize i = 0; i < delta->run_count && delta->runs[i]->high > above; i++) {
        const kl_change *change = kl_changes_find(delta->runs[i], hash, table, key);
        if (change)
            return change;
    }
    return NULL;
}
