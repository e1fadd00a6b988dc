/* Deltas against a twin that keeps a whole map for every step. */
#include <stdlib.h>

#include "base/test.h"
#include "state/delta_priv.h"
#include "state/state.h"

enum { KEYS = 40, STEPS = 300, VALUE = 24 };

struct world {
    u8 value[KEYS][VALUE]; /* [0] length + 1; 0: nothing there */
};

struct step {
    struct kl_delta *delta;
    usize parent; /* index, or STEPS for none */
    struct world after;
    bool changed[KEYS];
};

static struct step steps[STEPS];

static kl_table table_of(usize key)
{
    static const kl_table tables[] = {KL_TABLE_ACCOUNT, KL_TABLE_SLOT, KL_TABLE_NODE, KL_TABLE_LOG};
    return tables[key % KL_COUNT_OF(tables)];
}

/* Keys of many lengths, many of them with a long common start. */
static kl_span key_of(usize key, u8 room[64])
{
    memset(room, 'k', 64);
    usize len = 1 + key * 5 % 61;
    room[len - 1] = (u8)key;
    return kl_span_of(room, len);
}

static void change(u64 *seed, struct kl_delta_builder *b, struct step *s, usize key)
{
    u8 room[64];
    u8 *value = s->after.value[key];
    kl_rand_fill(seed, value, VALUE);
    value[0] = kl_rand_below(seed, 3) ? (u8)(1 + kl_rand_below(seed, VALUE)) : 0;
    s->changed[key] = true;
    if (value[0])
        CHECK_OK(kl_delta_put(b, table_of(key), key_of(key, room),
                              kl_span_of(value + 1, value[0] - 1u)));
    else
        CHECK_OK(kl_delta_del(b, table_of(key), key_of(key, room)));
}

/* Makes step i on top of `parent`. */
static void make_step(u64 *seed, usize i, usize parent, u64 first_version)
{
    struct step *s = &steps[i];
    struct kl_delta *below = parent < STEPS ? steps[parent].delta : NULL;
    memset(s, 0, sizeof *s);
    s->parent = parent;
    if (below)
        s->after = steps[parent].after;
    struct kl_delta_builder *b;
    CHECK_OK(kl_delta_begin(&b, below, below ? below->version + 1 : first_version));
    usize changes = kl_rand_below(seed, 6);
    for (usize c = 0; c < changes; c++)
        change(seed, b, s, kl_rand_below(seed, KEYS));
    CHECK_OK(kl_delta_seal(b, &s->delta));
}

static void check_value(const struct step *s, u64 above, usize key)
{
    u8 room[64];
    const kl_change *found = kl_delta_find(s->delta, above, table_of(key), key_of(key, room));
    const u8 *value = s->after.value[key];
    if (!found) {
        CHECK(value[0] == 0);
        return;
    }
    CHECK(found->gone == (value[0] == 0));
    if (!found->gone)
        CHECK_SPAN(kl_change_value(found), kl_span_of(value + 1, value[0] - 1u));
}

static void check_own(const struct step *s)
{
    usize cursor = 0, seen = 0;
    kl_table table;
    kl_span key, value;
    bool gone;
    kl_change_ref last = {0};
    while (kl_delta_next(s->delta, &cursor, &table, &key, &value, &gone)) {
        const kl_change_ref *ref = &s->delta->own->sorted[cursor - 1];
        CHECK(seen == 0 || kl_change_cmp(&last, ref) < 0);
        last = *ref;
        usize i = key.p[key.len - 1];
        CHECK(i < KEYS && s->changed[i] && table == table_of(i));
        CHECK(gone == (s->after.value[i][0] == 0));
        seen++;
    }
    for (usize i = 0; i < KEYS; i++)
        seen -= s->changed[i];
    CHECK_U64(seen, 0);
}

static void drop_all(void)
{
    for (usize i = 0; i < STEPS; i++) {
        kl_delta_unref(steps[i].delta);
        steps[i].delta = NULL;
    }
}

KL_TEST(delta_tree_reads_like_maps)
{
    for (int round = 0; round < 6; round++) {
        u64 first = round % 2 ? kl_rand_below(seed, 5000) : 0;
        for (usize i = 0; i < STEPS; i++) {
            usize back = kl_rand_below(seed, 20) ? 1 : 1 + kl_rand_below(seed, 30);
            make_step(seed, i, i == 0 ? STEPS : i - KL_MIN(back, i), first);
        }
        for (usize i = 0; i < STEPS; i++) {
            check_own(&steps[i]);
            for (usize key = 0; key < KEYS; key++)
                check_value(&steps[i], first, key);
        }
        drop_all();
    }
}

KL_TEST(delta_lists_are_short)
{
    for (usize i = 0; i < STEPS; i++) {
        make_step(seed, i, i ? i - 1 : STEPS, 0);
        CHECK(steps[i].delta->run_count <= 9);
        u64 high = kl_delta_step(steps[i].delta);
        for (usize r = 0; r < steps[i].delta->run_count; r++) {
            CHECK_U64(steps[i].delta->runs[r]->high, high);
            high = steps[i].delta->runs[r]->low;
        }
        CHECK_U64(high, 0);
    }
    drop_all();
}

/* With a base that moves up behind the head, in steps of any size, reading above the base must go
 * on being right, and sets must not pile up. */
KL_TEST(delta_base_moves_up)
{
    for (int round = 0; round < 6; round++) {
        u64 first = kl_rand_below(seed, 3) ? (kl_rand(seed) >> 40) : 0;
        u64 base = first;
        for (usize i = 0; i < STEPS; i++) {
            make_step(seed, i, i ? i - 1 : STEPS, first);
            const struct kl_delta *head = steps[i].delta;
            u64 step = kl_delta_step(head);
            for (usize key = 0; key < KEYS; key++) {
                u8 room[64];
                const kl_change *found =
                    kl_delta_find(head, base, table_of(key), key_of(key, room));
                const struct world *below = base > first ? &steps[base - first - 1].after : NULL;
                u8 none = 0;
                const u8 *want = steps[i].after.value[key];
                const u8 *under = below ? below->value[key] : &none;
                if (found)
                    check_value(&steps[i], base, key);
                else
                    CHECK(want[0] == under[0] && memcmp(want, under, want[0] ? want[0] : 1) == 0);
            }
            CHECK(head->runs[head->run_count - 1]->low <= base || base == first);
            if (kl_rand_below(seed, 4) == 0) {
                base += kl_rand_below(seed, step - base + 1);
                kl_lineage_flushed(head->lineage, base);
            }
        }
        drop_all();
    }
}

KL_TEST(delta_memory_is_bounded_by_what_is_not_flushed)
{
    struct kl_delta *head = NULL;
    usize most = 0;
    u8 value[64] = {0};
    for (u64 version = 0; version < 5000; version++) {
        struct kl_delta_builder *b;
        struct kl_delta *next;
        CHECK_OK(kl_delta_begin(&b, head, version));
        for (int i = 0; i < 4; i++) {
            u64 key = kl_rand(seed);
            CHECK_OK(kl_delta_put(b, KL_TABLE_SLOT, KL_SPAN_OF(key), KL_SPAN_OF(value)));
        }
        CHECK_OK(kl_delta_seal(b, &next));
        /* What the flush does, 20 steps behind the head. */
        struct kl_delta *cut = next;
        for (int i = 0; i < 20 && cut; i++)
            cut = cut->parent;
        if (cut) {
            kl_lineage_flushed(next->lineage, kl_delta_step(cut));
            kl_delta_unref(cut->parent);
            cut->parent = NULL;
        }
        kl_delta_unref(head);
        head = next;
        usize bytes = 0, parts = 0;
        for (usize i = 0; i < head->run_count; i++) {
            bytes += head->runs[i]->bytes;
            parts += head->runs[i]->part_count;
        }
        CHECK(parts <= 2 * 20 + 2);
        most = KL_MAX(most, bytes);
    }
    CHECK(most < 30000);
    CHECK(kl_delta_bytes(head) > 4 * sizeof value);
    kl_delta_unref(head);
}

KL_TEST(delta_keeps_the_last_of_a_key)
{
    for (u64 count = 1; count < 200; count += 1 + kl_rand_below(seed, 9)) {
        struct kl_delta_builder *b;
        struct kl_delta *delta;
        u64 last[8] = {0}, n = 0;
        CHECK_OK(kl_delta_begin(&b, NULL, 0));
        for (; n < count; n++) {
            u8 key = (u8)kl_rand_below(seed, 8);
            last[key] = n + 1;
            CHECK_OK(kl_delta_put(b, KL_TABLE_TX, KL_SPAN_OF(key), KL_SPAN_OF(n)));
        }
        CHECK_OK(kl_delta_seal(b, &delta));
        usize cursor = 0;
        kl_table table;
        kl_span key, value;
        bool gone;
        while (kl_delta_next(delta, &cursor, &table, &key, &value, &gone)) {
            CHECK_U64(kl_load_le64(value.p) + 1, last[key.p[0]]);
            last[key.p[0]] = 0;
        }
        for (usize i = 0; i < 8; i++)
            CHECK_U64(last[i], 0);
        kl_delta_unref(delta);
    }
}

KL_TEST(delta_sort_is_stable_and_right)
{
    enum { MANY = 2000 };
    static kl_change_ref refs[2 * MANY];
    kl_change *changes = calloc(MANY, 64);
    CHECK(changes);
    for (usize count = 0; count <= MANY; count = count * 3 / 2 + 1) {
        for (usize i = 0; i < count; i++) {
            kl_change *c = (void *)((u8 *)changes + 64 * i);
            u8 key[12] = "kkkkkkkkkkkk";
            key[kl_rand_below(seed, 12)] = (u8)kl_rand_below(seed, 4);
            *c = (kl_change){.key_len = (u16)(1 + kl_rand_below(seed, 12)), .step = i};
            c->table = (kl_table)kl_rand_below(seed, 2);
            memcpy(c->bytes, key, c->key_len);
            refs[i] = (kl_change_ref){kl_change_prefix(c->table, kl_change_key(c)), 0, c};
        }
        kl_change_sort(refs, count, refs + MANY);
        for (usize i = 1; i < count; i++) {
            int tables = refs[i - 1].change->table - refs[i].change->table;
            int order = tables ? tables
                               : kl_span_cmp(kl_change_key(refs[i - 1].change),
                                             kl_change_key(refs[i].change));
            CHECK(order < 0 || (order == 0 && refs[i - 1].change->step < refs[i].change->step));
        }
    }
    free(changes);
}
