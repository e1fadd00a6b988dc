/* The rules of the model, and what a state leads to.  [Simplex R1 R2 R4 R5 R6 R7 R8] */
#include "consensus/simplex_model_test.h"

#include <stdio.h>

static bool is_on(const model *m, model_switch which)
{
    return m->switches & which;
}

static u32 number(u32 view, u32 place)
{
    return 1 + MODEL_BLOCKS * (view - 1) + place;
}

static u32 view_of(u32 block)
{
    return block ? 1 + (block - 1) / MODEL_BLOCKS : 0;
}

static u32 leader(const model *m, u32 view)
{
    u32 turn = (view - 1) % (MODEL_HONEST + 1);
    if (turn == m->byzantine_at || is_on(m, MODEL_ANY_LEADER))
        return MODEL_BYZANTINE;
    return turn - (turn > m->byzantine_at);
}

/* Whether a certificate can be had: the Byzantine vote is there. */
static bool has_quorum(const model *m, const model_state *s, u32 view, u8 bit)
{
    u32 votes = 1;
    for (u32 h = 0; h < MODEL_HONEST; h++)
        votes += (s->votes[view - 1][h] & bit) != 0;
    return votes >= 3u - is_on(m, MODEL_SMALL_QUORUM);
}

static bool exists(const model_state *s, u32 block)
{
    return !block || s->parent[block - 1];
}

static bool is_notarized(const model *m, const model_state *s, u32 block)
{
    u8 bit = (u8)(VOTED_NOTARIZE << (block + 1) % MODEL_BLOCKS);
    return !block || (exists(s, block) && has_quorum(m, s, view_of(block), bit));
}

static bool is_nullified(const model *m, const model_state *s, u32 view)
{
    return has_quorum(m, s, view, VOTED_NULLIFY);
}

/* Something was notarized in the view. */
static bool has_notarized(const model *m, const model_state *s, u32 view)
{
    bool has = !view;
    for (u32 place = 0; view && place < MODEL_BLOCKS; place++)
        has = has || is_notarized(m, s, number(view, place));
    return has;
}

/* [Simplex R2] May a block of the view be on `parent`, its proposal naming the view `names`? */
static bool is_legal(const model *m, const model_state *s, u32 view, u32 names, u32 parent)
{
    if (is_on(m, MODEL_PARENT_UNBOUND)) {
        if (!has_notarized(m, s, names) || !exists(s, parent) || view_of(parent) > names)
            return false;
    } else if (view_of(parent) != names || !exists(s, parent) ||
               (!is_on(m, MODEL_NO_PARENT_CHECK) && !is_notarized(m, s, parent))) {
        return false;
    }
    for (u32 between = names + 1; between < view; between++)
        if (!is_on(m, MODEL_NO_GAP_CHECK) && !is_nullified(m, s, between))
            return false;
    return true;
}

typedef struct model_list {
    const model *m;
    const model_state *from;
    model_state *next;
    u32 count;
} model_list;

/* Finalize votes are cast as soon as they may be: in a view that was left without a nullify vote
 * they exclude nothing any more, and all they can bring about is what is looked for. */
static void finalize_all(const model *m, model_state *s)
{
    for (u32 h = 0; h < MODEL_HONEST; h++)
        for (u32 view = 1; view < s->in[h] && view <= m->views; view++) {
            u8 *votes = &s->votes[view - 1][h];
            if ((*votes & VOTED_FINALIZE_ANY) ||
                ((*votes & VOTED_NULLIFY) && !is_on(m, MODEL_FINALIZE_BEHIND_NULLIFY)))
                continue;
            for (u32 place = 0; place < MODEL_BLOCKS && !(*votes & VOTED_FINALIZE_ANY); place++)
                if (is_notarized(m, s, number(view, place)))
                    *votes |= (u8)(VOTED_FINALIZE << place);
        }
}

static model_state *add(model_list *list)
{
    KL_ASSERT(list->count < MODEL_NEXT_MAX);
    model_state *s = &list->next[list->count++];
    *s = *list->from;
    return s;
}

/* [Simplex R1 R2] A vote for a block that was proposed, or for one that its leader proposes by
 * it. */
static void notarize(model_list *list, u32 h, u32 view)
{
    const model *m = list->m;
    const model_state *from = list->from;
    u8 votes = from->votes[view - 1][h];
    u32 led_by = leader(m, view), blocks = led_by == MODEL_BYZANTINE ? MODEL_BLOCKS : 1, place;
    if ((votes & VOTED_NULLIFY) && !is_on(m, MODEL_NOTARIZE_BEHIND_NULLIFY))
        return;
    if ((votes & VOTED_NOTARIZE_ANY) && !is_on(m, MODEL_NOTARIZE_TWICE))
        return;
    for (place = 0; place < blocks && exists(from, number(view, place)); place++)
        if (!(votes & VOTED_NOTARIZE << place))
            add(list)->votes[view - 1][h] |= (u8)(VOTED_NOTARIZE << place);
    if (place == blocks ||
        (is_on(m, MODEL_EXACT_LEADERS) && led_by != MODEL_BYZANTINE && led_by != h))
        return;
    for (u32 names = 0; names < view; names++)
        for (u32 parent = 0; parent < number(view, 0); parent++) {
            if (!is_legal(m, from, view, names, parent))
                continue;
            model_state *s = add(list);
            s->parent[number(view, place) - 1] = (u8)(1 + parent);
            s->names[number(view, place) - 1] = (u8)names;
            s->votes[view - 1][h] |= (u8)(VOTED_NOTARIZE << place);
        }
}

/* [Simplex R7 R8] A timer may fire whenever it likes. */
static void nullify(model_list *list, u32 h, u32 view)
{
    u8 votes = list->from->votes[view - 1][h];
    bool may = is_on(list->m, MODEL_NULLIFY_BEHIND_FINALIZE) || !(votes & VOTED_FINALIZE_ANY);
    if (may && !(votes & VOTED_NULLIFY))
        add(list)->votes[view - 1][h] |= VOTED_NULLIFY;
}

/* [Simplex R4] One at a time, where they are not all cast at once. */
static void finalize(model_list *list, u32 h, u32 view)
{
    const model *m = list->m;
    u8 votes = list->from->votes[view - 1][h];
    if ((votes & VOTED_FINALIZE_ANY) || (votes & VOTED_NULLIFY))
        return;
    for (u32 place = 0; place < MODEL_BLOCKS; place++) {
        u32 block = number(view, place);
        if (exists(list->from, block) &&
            (is_on(m, MODEL_FINALIZE_UNNOTARIZED) || is_notarized(m, list->from, block)))
            add(list)->votes[view - 1][h] |= (u8)(VOTED_FINALIZE << place);
    }
}

/* [Simplex R4 R5 R6] Any certificate of this view or a later one opens the view behind it. */
static void enter(model_list *list, u32 h)
{
    const model *m = list->m;
    for (u32 view = list->from->in[h]; view <= m->views; view++)
        if (has_notarized(m, list->from, view) || is_nullified(m, list->from, view))
            add(list)->in[h] = (u8)(view + 1);
}

model_state model_first(const model *m)
{
    model_state s = {0};
    for (u32 h = 0; h < MODEL_HONEST && !is_on(m, MODEL_ANY_VIEW); h++)
        s.in[h] = 1;
    return s;
}

u32 model_next(const model *m, const model_state *s, model_state next[MODEL_NEXT_MAX])
{
    model_list list = {m, s, next, 0};
    bool any = is_on(m, MODEL_ANY_VIEW);
    for (u32 h = 0; h < MODEL_HONEST; h++) {
        u32 in = s->in[h];
        for (u32 view = any ? 1 : in; view <= (any ? m->views : KL_MIN(in, m->views)); view++) {
            notarize(&list, h, view);
            nullify(&list, h, view);
            if (any || is_on(m, MODEL_FINALIZE_UNNOTARIZED))
                finalize(&list, h, view);
        }
        for (u32 view = 1; is_on(m, MODEL_NULLIFY_BEHIND_FINALIZE) && view < in; view++)
            nullify(&list, h, view);
        if (!any)
            enter(&list, h);
    }
    for (u32 i = 0; i < list.count && !any; i++)
        finalize_all(m, &next[i]);
    return list.count;
}

/* --- who is who --- */

static void swap(u8 *a, u8 *b)
{
    u8 t = *a;
    *a = *b;
    *b = t;
}

static u8 with_places_swapped(u8 votes)
{
    u8 first = votes & (VOTED_NOTARIZE | VOTED_FINALIZE);
    u8 second = votes & (VOTED_NOTARIZE << 1 | VOTED_FINALIZE << 1);
    return (u8)((votes & VOTED_NULLIFY) | first << 1 | second >> 1);
}

static void swap_blocks(const model *m, model_state *s, u32 view)
{
    u32 first = number(view, 0);
    swap(&s->parent[first - 1], &s->parent[first]);
    swap(&s->names[first - 1], &s->names[first]);
    for (u32 h = 0; h < MODEL_HONEST; h++)
        s->votes[view - 1][h] = with_places_swapped(s->votes[view - 1][h]);
    for (u32 block = number(view + 1, 0); block < number(m->views + 1, 0); block++) {
        u8 *parent = &s->parent[block - 1]; /* 1 + number */
        if (*parent == 1 + first || *parent == 2 + first)
            *parent = (u8)(3 + 2 * first - *parent);
    }
}

static void permute(model_state *s, const u8 order[MODEL_HONEST])
{
    model_state old = *s;
    for (u32 h = 0; h < MODEL_HONEST; h++) {
        s->in[h] = old.in[order[h]];
        for (u32 view = 0; view < MODEL_VIEWS_MAX; view++)
            s->votes[view][h] = old.votes[view][order[h]];
    }
}

/* A view that all have left is over: nobody votes there any more, and only its certificates are
 * asked for.  Its block was notarized and is final, or notarized and nullified, or it is none. */
static void settle(const model *m, model_state *s, u32 view)
{
    u32 first = number(view, 0);
    u8 votes = 0;
    if (is_notarized(m, s, first + 1))
        swap_blocks(m, s, view);
    if (is_nullified(m, s, view))
        votes = VOTED_NULLIFY;
    s->parent[first] = s->names[first] = 0;
    bool is_final = has_quorum(m, s, view, VOTED_FINALIZE);
    KL_ASSERT(!is_notarized(m, s, first) || is_final == !votes);
    if (is_notarized(m, s, first))
        votes |= is_final ? VOTED_NOTARIZE | VOTED_FINALIZE : VOTED_NOTARIZE;
    else
        s->parent[first - 1] = s->names[first - 1] = 0;
    memset(s->votes[view - 1], votes, MODEL_HONEST);
}

/* Of a view that some have left, who of these cast which votes is never asked for.  Where views are
 * not left, no rule looks at two votes of a validator for different views. */
static void sort(const model *m, model_state *s, u32 view)
{
    u32 behind = is_on(m, MODEL_ANY_VIEW) ? 0 : view + 1;
    for (u32 i = 0; i < MODEL_HONEST; i++)
        for (u32 k = i + 1; k < MODEL_HONEST; k++)
            if (s->in[i] >= behind && s->in[k] >= behind &&
                s->votes[view - 1][i] > s->votes[view - 1][k])
                swap(&s->votes[view - 1][i], &s->votes[view - 1][k]);
}

void model_canonical(const model *m, model_state *s)
{
    static const u8 orders[][MODEL_HONEST] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                              {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    u32 twice[MODEL_VIEWS_MAX], count = 0, over = KL_MIN(KL_MIN((u32)s->in[0], s->in[1]), s->in[2]);
    for (u32 view = 1; view <= m->views; view++)
        if (view < over)
            settle(m, s, view);
        else if (exists(s, number(view, 1)))
            twice[count++] = view;
    model_state least;
    memset(&least, 0xff, sizeof least);
    for (u32 mask = 0; mask < 1u << count; mask++) {
        model_state swapped = *s;
        for (u32 i = 0; i < count; i++)
            if (mask >> i & 1)
                swap_blocks(m, &swapped, twice[i]);
        for (u32 i = 0; i < KL_COUNT_OF(orders); i++) {
            model_state candidate = swapped;
            permute(&candidate, orders[i]);
            for (u32 view = KL_MAX(over, 1); view <= m->views; view++)
                sort(m, &candidate, view);
            if (memcmp(&candidate, &least, sizeof least) < 0)
                least = candidate;
        }
    }
    *s = least;
}

/* --- what is looked for --- */

static bool descends(const model_state *s, u32 block, u32 from)
{
    while (block > from)
        block = s->parent[block - 1] - 1u;
    return block == from;
}

bool model_disagrees(const model *m, const model_state *s)
{
    u32 last = 0;
    for (u32 block = 1; block < number(m->views + 1, 0); block++) {
        u8 bit = (u8)(VOTED_FINALIZE << (block + 1) % MODEL_BLOCKS);
        if (!exists(s, block) || !has_quorum(m, s, view_of(block), bit))
            continue;
        if (!descends(s, block, last))
            return true;
        last = block;
    }
    return false;
}

/* --- a trace --- */

static const char *name_of(u32 block, char name[8])
{
    snprintf(name, 8, block ? "%u%c" : "anchor", view_of(block), 'a' + (int)((block + 1) % 2));
    return name;
}

void model_tell(const model *m, const model_state *from, const model_state *to)
{
    char a[8], b[8];
    for (u32 block = 1; block < number(m->views + 1, 0); block++)
        if (exists(to, block) && !exists(from, block))
            printf("  %s proposes block %s on %s, naming view %u\n",
                   leader(m, view_of(block)) == MODEL_BYZANTINE ? "the Byzantine leader"
                                                                : "a leader",
                   name_of(block, a), name_of(to->parent[block - 1] - 1u, b), to->names[block - 1]);
    for (u32 h = 0; h < MODEL_HONEST; h++) {
        for (u32 view = 1; view <= m->views; view++) {
            u32 votes = to->votes[view - 1][h] & ~from->votes[view - 1][h];
            for (u32 place = 0; place < MODEL_BLOCKS; place++) {
                if (votes & (u32)VOTED_NOTARIZE << place)
                    printf("  %u notarizes %s\n", h, name_of(number(view, place), a));
                if (votes & (u32)VOTED_FINALIZE << place)
                    printf("  %u finalizes %s\n", h, name_of(number(view, place), a));
            }
            if (votes & VOTED_NULLIFY)
                printf("  %u nullifies view %u\n", h, view);
        }
        if (to->in[h] != from->in[h])
            printf("  %u enters view %u\n", h, to->in[h]);
    }
}
