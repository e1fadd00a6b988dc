/* A look-up goes through up to log2(steps) sets, most of which lack the key, so the hash index
 * keeps one byte a place (the tag, from the upper bits of the hash) apart from the rest: a miss
 * costs one line of a small array.  Linear probing; at most two thirds of the places are taken.
 *
 * A set is one block of memory: the object, the sorted references, the index, then either the
 * changes themselves or the references to the sets that hold them. */
#include "state/changes_priv.h"

#include <stdlib.h>

#include "base/map.h"

enum { SORT_SMALL = 12, AHEAD = 8 };

u64 kl_change_prefix(kl_table table, kl_span key)
{
    u8 first[8] = {table};
    if (key.len)
        memcpy(first + 1, key.p, KL_MIN(key.len, sizeof first - 1));
    return kl_load_be64(first);
}

u64 kl_change_hash(u64 seed, kl_table table, kl_span key)
{
    return kl_map_hash(key.p, key.len, seed + table);
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

/* How the parts of a set's block lie one behind the other. */
typedef struct layout {
    usize sorted, places, tags, tail, total; /* offsets */
    usize cap;
} layout;

static layout plan(usize count, bool with_index, usize tail_bytes)
{
    layout l = {.sorted = sizeof(struct kl_changes)};
    if (with_index)
        for (l.cap = 8; l.cap * 2 < count * 3; l.cap *= 2)
            continue;
    l.places = l.sorted + count * sizeof(kl_change_ref);
    l.tags = l.places + l.cap * sizeof(u32);
    l.tail = (l.tags + l.cap + 7) / 8 * 8;
    l.total = l.tail + tail_bytes;
    return l;
}

static struct kl_changes *make(const layout *l, u64 low, u64 high)
{
    u8 *block = malloc(l->total);
    if (!block)
        return NULL;
    struct kl_changes *c = (void *)block;
    *c = (struct kl_changes){.low = low, .high = high, .bytes = l->total};
    kl_refs_init(&c->refs);
    c->sorted = (void *)(block + l->sorted);
    if (l->cap) {
        c->places = (void *)(block + l->places);
        c->tags = block + l->tags;
        c->mask = l->cap - 1;
        memset(c->tags, 0, l->cap);
    }
    return c;
}

static u8 tag_of(u64 hash)
{
    u8 tag = (u8)(hash >> 56);
    return tag ? tag : 1;
}

static void fill_index(struct kl_changes *c)
{
    for (usize i = 0; i < c->count; i++) {
        if (i + AHEAD < c->count)
            __builtin_prefetch(c->sorted[i + AHEAD].change);
        u64 hash = c->sorted[i].change->hash;
        usize at = hash & c->mask;
        while (c->tags[at])
            at = (at + 1) & c->mask;
        c->tags[at] = tag_of(hash);
        c->places[at] = (u32)i;
    }
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
    layout l = plan(kept, with_index, bytes);
    struct kl_changes *c = make(&l, step - 1, step);
    if (!c)
        return KL_NOMEM;
    u8 *room = (u8 *)c + l.tail;
    for (usize i = 0; i < count; i++) {
        if (!is_last_of_key(refs, count, i))
            continue;
        const kl_change *from = refs[i].change;
        memcpy(room, from, sizeof *from + from->key_len + from->value_len);
        c->sorted[c->count++] = (kl_change_ref){refs[i].prefix, (void *)room};
        room += kl_change_bytes(from->key_len, from->value_len);
    }
    if (with_index)
        fill_index(c);
    *out = c;
    return KL_OK;
}

/* What both have, newer winning; returns how many. */
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

kl_status kl_changes_merge(struct kl_changes **out, struct kl_changes *const *sets, usize count,
                           u64 above)
{
    KL_ASSERT(count > 0);
    usize total = 0, parts = 0;
    for (usize i = 0; i < count; i++) {
        total += sets[i]->count;
        parts += count_parts(sets[i], above);
    }
    if (total > UINT32_MAX)
        return KL_LIMIT;
    kl_change_ref *room = malloc(2 * total * sizeof *room + 1);
    if (!room)
        return KL_NOMEM;
    kl_change_ref *from = room, *to = room + total;
    usize kept = sets[0]->count;
    memcpy(from, sets[0]->sorted, kept * sizeof *from);
    for (usize i = 1; i < count; i++) {
        KL_ASSERT(sets[i]->high == sets[i - 1]->low);
        kept = merge_two(to, from, kept, sets[i], above);
        kl_change_ref *done = to;
        to = from;
        from = done;
    }
    layout l = plan(kept, true, parts * sizeof(struct kl_changes *));
    struct kl_changes *c = make(&l, KL_MAX(sets[count - 1]->low, above), sets[0]->high);
    if (!c) {
        free(room);
        return KL_NOMEM;
    }
    memcpy(c->sorted, from, kept * sizeof *from);
    free(room);
    c->count = kept;
    c->parts = (void *)((u8 *)c + l.tail);
    for (usize i = 0; i < count; i++)
        add_parts(c, sets[i], above);
    fill_index(c);
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
    free(changes);
}

usize kl_changes_seek(const struct kl_changes *changes, kl_table table, kl_span key)
{
    u64 prefix = kl_change_prefix(table, key);
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

const kl_change *kl_changes_find(const struct kl_changes *changes, u64 hash, kl_table table,
                                 kl_span key)
{
    u8 tag = tag_of(hash);
    for (usize at = hash & changes->mask; changes->tags[at]; at = (at + 1) & changes->mask) {
        if (changes->tags[at] != tag)
            continue;
        const kl_change *change = changes->sorted[changes->places[at]].change;
        if (change->hash == hash && change->table == table &&
            kl_span_eq(kl_change_key(change), key))
            return change;
    }
    return NULL;
}
