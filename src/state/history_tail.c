/* Readers search under the lock; the writer, being the only one that changes anything, reads
 * without it, builds what comes next beside what is there, and takes the lock only to exchange
 * them. */
#include "state/history_tail_priv.h"

#include <stdlib.h>

void kl_htail_init(struct kl_htail *tail, kl_mutex *lock)
{
    *tail = (struct kl_htail){.lock = lock};
}

void kl_htail_done(struct kl_htail *tail)
{
    for (usize i = 0; i < tail->array_count; i++)
        free(tail->arrays[i].entries);
    free(tail->seqs);
    *tail = (struct kl_htail){.lock = tail->lock};
}

usize kl_htail_entries(const struct kl_htail *tail)
{
    usize n = 0;
    for (usize i = 0; i < tail->array_count; i++)
        n += tail->arrays[i].count;
    return n;
}

static int cmp_entries(const void *a, const void *b)
{
    return kl_hentry_cmp(a, b);
}

static void sort_entries(kl_hentries *e)
{
    if (e->count)
        qsort(e->entries, e->count, sizeof *e->entries, cmp_entries);
}

static kl_status reserve_seqs(struct kl_htail *tail, usize more)
{
    usize need = tail->version_count + more;
    if (need <= tail->version_cap)
        return KL_OK;
    usize cap = KL_MAX(need, tail->version_cap * 2);
    u64 *seqs = realloc(tail->seqs, cap * sizeof *seqs);
    if (!seqs)
        return KL_NOMEM;
    tail->seqs = seqs;
    tail->version_cap = cap;
    return KL_OK;
}

kl_status kl_htail_add(struct kl_htail *tail, u64 version, const u64 *seqs, usize version_count,
                       kl_hentries entries)
{
    KL_ASSERT(tail->version_count == 0 || version == kl_htail_end_version(tail));
    sort_entries(&entries);
    kl_lock(tail->lock);
    bool room = tail->array_count < KL_HTAIL_ARRAYS && reserve_seqs(tail, version_count) == KL_OK;
    if (room) {
        if (tail->version_count == 0)
            tail->first_version = version;
        memcpy(tail->seqs + tail->version_count, seqs, version_count * sizeof *seqs);
        tail->version_count += version_count;
        tail->arrays[tail->array_count++] = entries;
    }
    kl_unlock(tail->lock);
    if (!room)
        free(entries.entries);
    return room ? KL_OK : KL_NOMEM;
}

void kl_htail_pop(struct kl_htail *tail, usize version_count)
{
    KL_ASSERT(tail->array_count > 0 && tail->version_count >= version_count);
    kl_lock(tail->lock);
    kl_hentries last = tail->arrays[--tail->array_count];
    tail->version_count -= version_count;
    kl_unlock(tail->lock);
    free(last.entries);
}

/* Both, sorted; entries is NULL without memory. */
static kl_hentries merge_two(kl_hentries a, kl_hentries b)
{
    kl_hentries all = {.count = a.count + b.count};
    all.entries = malloc(all.count * sizeof *all.entries + 1);
    if (!all.entries)
        return all;
    kl_hentry *to = all.entries;
    usize i = 0, j = 0;
    while (i < a.count && j < b.count)
        *to++ = kl_hentry_cmp(&a.entries[i], &b.entries[j]) <= 0 ? a.entries[i++] : b.entries[j++];
    while (i < a.count)
        *to++ = a.entries[i++];
    while (j < b.count)
        *to++ = b.entries[j++];
    return all;
}

/* Without memory nothing is merged; look-ups then search more arrays. */
void kl_htail_merge(struct kl_htail *tail)
{
    while (tail->array_count >= 2) {
        kl_hentries *a = &tail->arrays[tail->array_count - 2], *b = a + 1;
        if (a->count >= 2 * b->count && b->count > 0)
            return;
        kl_hentries all = merge_two(*a, *b);
        if (!all.entries)
            return;
        kl_lock(tail->lock);
        kl_hentries old_a = *a, old_b = *b;
        *a = all;
        tail->array_count--;
        kl_unlock(tail->lock);
        free(old_a.entries);
        free(old_b.entries);
    }
}

/* Entries of versions in [from, end), sorted. */
static kl_status select_entries(const struct kl_htail *tail, u64 from, u64 end, kl_hentries *out)
{
    kl_hentries all = {malloc(kl_htail_entries(tail) * sizeof(kl_hentry) + 1), 0};
    if (!all.entries)
        return KL_NOMEM;
    for (usize i = 0; i < tail->array_count; i++)
        for (usize j = 0; j < tail->arrays[i].count; j++) {
            kl_hentry e = tail->arrays[i].entries[j];
            if (e.version >= from && e.version < end)
                all.entries[all.count++] = e;
        }
    sort_entries(&all);
    *out = all;
    return KL_OK;
}

kl_status kl_htail_below(const struct kl_htail *tail, u64 version, kl_hentries *out)
{
    return select_entries(tail, 0, version, out);
}

kl_status kl_htail_drop_below(struct kl_htail *tail, u64 version)
{
    if (tail->version_count == 0 || version <= tail->first_version)
        return KL_OK;
    usize dropped = (usize)KL_MIN(version - tail->first_version, (u64)tail->version_count);
    kl_hentries kept;
    KL_TRY(select_entries(tail, version, UINT64_MAX, &kept));
    kl_lock(tail->lock);
    struct kl_htail old = *tail;
    tail->version_count -= dropped;
    tail->first_version += dropped;
    memmove(tail->seqs, tail->seqs + dropped, tail->version_count * sizeof *tail->seqs);
    tail->arrays[0] = kept;
    tail->array_count = 1;
    kl_unlock(tail->lock);
    for (usize i = 0; i < old.array_count; i++)
        free(old.arrays[i].entries);
    return KL_OK;
}

bool kl_htail_find(const struct kl_htail *tail, const kl_hentry *from, kl_hentry *out)
{
    for (usize i = 0; i < tail->array_count; i++) {
        const kl_hentries *a = &tail->arrays[i];
        usize low = 0, high = a->count;
        while (low < high) {
            usize middle = low + (high - low) / 2;
            if (kl_hentry_cmp(&a->entries[middle], from) < 0)
                low = middle + 1;
            else
                high = middle;
        }
        if (low < a->count && a->entries[low].hash == from->hash) {
            *out = a->entries[low];
            return true;
        }
    }
    return false;
}
