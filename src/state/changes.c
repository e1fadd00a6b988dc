/* A look-up goes through up to log2(steps) sets, most of which lack the key, so the hash index
 * keeps one byte a place (the tag, from the upper bits of the hash) apart from the rest: a miss
 * costs one line of a small array.  Linear probing; at most two thirds of the places are taken.
 *
 * Merging is what sealing spends its time on, so a reference holds all that merging and indexing
 * need: a change itself is looked at only when the prefixes of two keys are the same. */
#include "state/changes_priv.h"

#include <stdlib.h>

#include "base/map.h"

enum { SORT_SMALL = 12 };

u32 kl_change_prefix(kl_table table, kl_span key)
{
    u8 first[4] = {table};
    if (key.len)
        memcpy(first + 1, key.p, KL_MIN(key.len, sizeof first - 1));
    return kl_load_be32(first);
}

u32 kl_change_hash(u64 seed, kl_table table, kl_span key)
{
    return (u32)(kl_map_hash(key.p, key.len, seed + table) >> 16);
}

int kl_change_cmp(const kl_change_ref *a, const kl_change_ref *b)
{
    if (KL_LIKELY(a->prefix != b->prefix))
        return a->prefix < b->prefix ? -1 : 1;
    return kl_span_cmp(kl_change_key(a->change), kl_change_key(b->change));
}

static void sort_small(kl_change_ref *refs, usize count)
{
    for (usize i = 1; i < count; i++) {
        kl_change_ref moved = refs[i];
        usize to = i;
        for (; to > 0 && kl_change_cmp(&refs[to - 1], &moved) > 0; to--)
            refs[to] = refs[to - 1];
        refs[to] = moved;
    }
}

static void merge_halves(kl_change_ref *out, const kl_change_ref *a, usize a_count,
                         const kl_change_ref *b, usize b_count)
{
    while (a_count && b_count) {
        if (kl_change_cmp(a, b) <= 0) {
            *out++ = *a++;
            a_count--;
        } else {
            *out++ = *b++;
            b_count--;
        }
    }
    if (a_count)
        memcpy(out, a, a_count * sizeof *out);
    else if (b_count)
        memcpy(out, b, b_count * sizeof *out);
}

void kl_change_sort(kl_change_ref *refs, usize count, kl_change_ref *scratch)
{
    for (usize i = 0; i < count; i += SORT_SMALL)
        sort_small(refs + i, KL_MIN((usize)SORT_SMALL, count - i));
    kl_change_ref *from = refs, *to = scratch;
    for (usize width = SORT_SMALL; width < count; width *= 2) {
        for (usize i = 0; i < count; i += 2 * width) {
            usize a = KL_MIN(width, count - i), b = KL_MIN(width, count - i - a);
            merge_halves(to + i, from + i, a, from + i + a, b);
        }
        kl_change_ref *done = to;
        to = from;
        from = done;
    }
    if (from != refs)
        memcpy(refs, from, count * sizeof *refs);
}

static u8 tag_of(u32 hash)
{
    u8 tag = (u8)(hash >> 24);
    return tag ? tag : 1;
}

static usize index_cap(usize count)
{
    usize cap = 8;
    while (cap * 2 < count * 3)
        cap *= 2;
    return cap;
}

/* An index takes one block: the places, then the tags. */
static kl_status make_index(struct kl_changes *c)
{
    usize cap = index_cap(c->count);
    c->places = malloc(cap * (sizeof *c->places + 1));
    if (!c->places)
        return KL_NOMEM;
    c->tags = (u8 *)(c->places + cap);
    c->mask = cap - 1;
    c->bytes += cap * (sizeof *c->places + 1);
    memset(c->tags, 0, cap);
    for (usize i = 0; i < c->count; i++) {
        u32 hash = c->sorted[i].hash;
        usize at = hash & c->mask;
        while (c->tags[at])
            at = (at + 1) & c->mask;
        c->tags[at] = tag_of(hash);
        c->places[at] = (u32)i;
    }
    return KL_OK;
}

/* A set with room for `bytes` behind it. */
static struct kl_changes *make(u64 low, u64 high, usize bytes)
{
    struct kl_changes *c = malloc(sizeof *c + bytes);
    if (!c)
        return NULL;
    *c = (struct kl_changes){.low = low, .high = high, .bytes = sizeof *c + bytes};
    kl_refs_init(&c->refs);
    return c;
}

static bool is_last_of_key(const kl_change_ref *refs, usize count, usize i)
{
    return i + 1 == count || kl_change_cmp(&refs[i], &refs[i + 1]) != 0;
}

kl_status kl_changes_new(struct kl_changes **out, u64 step, const kl_change_ref *refs, usize count,
                         bool with_index)
{
    usize kept = 0, bytes = 0;
    for (usize i = 0; i < count; i++) {
        if (!is_last_of_key(refs, count, i))
            continue;
        kept++;
        bytes += kl_change_bytes(refs[i].change->key_len, refs[i].change->value_len);
    }
    if (kept > UINT32_MAX)
        return KL_LIMIT;
    struct kl_changes *c = make(step - 1, step, kept * sizeof *refs + bytes);
    if (!c)
        return KL_NOMEM;
    c->sorted = (kl_change_ref *)(c + 1);
    u8 *room = (u8 *)(c->sorted + kept);
    for (usize i = 0; i < count; i++) {
        if (!is_last_of_key(refs, count, i))
            continue;
        const kl_change *from = refs[i].change;
        memcpy(room, from, sizeof *from + from->key_len + from->value_len);
        c->sorted[c->count] = refs[i];
        c->sorted[c->count++].change = (void *)room;
        room += kl_change_bytes(from->key_len, from->value_len);
    }
    kl_status status = with_index ? make_index(c) : KL_OK;
    if (status != KL_OK) {
        kl_changes_unref(c);
        return status;
    }
    *out = c;
    return KL_OK;
}

/* Merges `newer`, which wins, with an older set into out, and returns how many there are.  out may
 * overlap newer as long as there is room for all of the older ones between their starts: then no
 * place is written before it has been read. */
static usize merge_two(kl_change_ref *out, const kl_change_ref *newer, usize newer_count,
                       const struct kl_changes *older, u64 above)
{
    kl_change_ref *to = out;
    const kl_change_ref *a = newer, *a_end = newer + newer_count;
    bool straddles = older->low < above;
    for (usize i = 0; i < older->count; i++) {
        const kl_change_ref *b = &older->sorted[i];
        if (straddles && b->change->step <= above)
            continue;
        int order = -1;
        while (a < a_end && (order = kl_change_cmp(a, b)) < 0)
            *to++ = *a++;
        if (a == a_end || order != 0)
            *to++ = *b;
    }
    while (a < a_end)
        *to++ = *a++;
    return (usize)(to - out);
}

/* Merges all sets into room, which has space for all of their `total` changes, from its end towards
 * its start. */
static usize merge_all(kl_change_ref *room, usize total, struct kl_changes *const *sets,
                       usize count, u64 above)
{
    usize kept = sets[0]->count, at = total - kept;
    memcpy(room + at, sets[0]->sorted, kept * sizeof *room);
    for (usize i = 1; i < count; i++) {
        KL_ASSERT(sets[i]->high == sets[i - 1]->low);
        kept = merge_two(room + at - sets[i]->count, room + at, kept, sets[i], above);
        at -= sets[i]->count;
    }
    KL_ASSERT(at == 0);
    return kept;
}

static usize count_parts(const struct kl_changes *set, u64 above)
{
    usize n = 0;
    for (usize i = 0; i < set->part_count; i++)
        n += set->parts[i]->high > above;
    return set->parts ? n : 1;
}

static void add_parts(struct kl_changes *c, struct kl_changes *set, u64 above)
{
    if (!set->parts)
        c->parts[c->part_count++] = kl_changes_ref(set);
    for (usize i = 0; i < set->part_count; i++)
        if (set->parts[i]->high > above)
            c->parts[c->part_count++] = kl_changes_ref(set->parts[i]);
}

/* Fills c, which has room for its parts. */
static kl_status merge(struct kl_changes *c, struct kl_changes *const *sets, usize count, u64 above)
{
    usize total = 0;
    for (usize i = 0; i < count; i++)
        total += sets[i]->count;
    if (total > UINT32_MAX)
        return KL_LIMIT;
    c->sorted = malloc(total * sizeof *c->sorted + 1);
    if (!c->sorted)
        return KL_NOMEM;
    c->count = merge_all(c->sorted, total, sets, count, above);
    void *shrunk = realloc(c->sorted, c->count * sizeof *c->sorted + 1);
    c->sorted = shrunk ? shrunk : c->sorted;
    c->bytes += c->count * sizeof *c->sorted;
    return make_index(c);
}

kl_status kl_changes_merge(struct kl_changes **out, struct kl_changes *const *sets, usize count,
                           u64 above)
{
    KL_ASSERT(count > 0);
    usize parts = 0;
    for (usize i = 0; i < count; i++)
        parts += count_parts(sets[i], above);
    struct kl_changes *c = make(KL_MAX(sets[count - 1]->low, above), sets[0]->high,
                                parts * sizeof(struct kl_changes *));
    if (!c)
        return KL_NOMEM;
    c->parts = (struct kl_changes **)(c + 1);
    for (usize i = 0; i < count; i++)
        add_parts(c, sets[i], above);
    kl_status status = merge(c, sets, count, above);
    if (status != KL_OK) {
        kl_changes_unref(c);
        return status;
    }
    *out = c;
    return KL_OK;
}

struct kl_changes *kl_changes_ref(struct kl_changes *changes)
{
    kl_refs_add(&changes->refs);
    return changes;
}

void kl_changes_unref(struct kl_changes *changes)
{
    if (!changes || !kl_refs_drop(&changes->refs))
        return;
    for (usize i = 0; i < changes->part_count; i++)
        kl_changes_unref(changes->parts[i]); /* a part has no parts */
    if (changes->parts)
        free(changes->sorted);
    free(changes->places);
    free(changes);
}

usize kl_changes_seek(const struct kl_changes *changes, kl_table table, kl_span key)
{
    u32 prefix = kl_change_prefix(table, key);
    usize low = 0, high = changes->count;
    while (low < high) {
        usize middle = low + (high - low) / 2;
        const kl_change_ref *ref = &changes->sorted[middle];
        bool before = ref->prefix != prefix ? ref->prefix < prefix
                                            : kl_span_cmp(kl_change_key(ref->change), key) < 0;
        if (before)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const kl_change *kl_changes_find(const struct kl_changes *changes, u32 hash, kl_table table,
                                 kl_span key)
{
    u8 tag = tag_of(hash);
    for (usize at = hash & changes->mask; changes->tags[at]; at = (at + 1) & changes->mask) {
        if (changes->tags[at] != tag)
            continue;
        const kl_change_ref *ref = &changes->sorted[changes->places[at]];
        if (ref->hash == hash && ref->change->table == table &&
            kl_span_eq(kl_change_key(ref->change), key))
            return ref->change;
    }
    return NULL;
}
