/* Every state of the model: agreement holds in each, and no longer when a rule is taken away.
 * Breadth first, so that the counterexample is a shortest one. */
#include "base/rand.h"
#include "base/test.h"
#include "consensus/simplex_model_test.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct model_run {
    model m;
    model_state *states; /* in the order in which they were found */
    u32 *from;           /* the state that led to it */
    u32 *table, mask;    /* 1 + place in states; 0: free */
    u32 count, cap;
    u64 steps;
    bool disagrees;
} model_run;

static u32 hash_of(const model_state *s)
{
    u64 words[sizeof *s / 8], state = 0;
    memcpy(words, s, sizeof words);
    for (u32 i = 0; i < KL_COUNT_OF(words); i++) {
        state ^= words[i];
        state = kl_rand(&state);
    }
    return (u32)state;
}
_Static_assert(sizeof(model_state) % 8 == 0, "a state is hashed by words");

static void *room(void *old, usize count, usize size)
{
    void *p = realloc(old, count * size);
    KL_ASSERT(p);
    return p;
}

static void grow(model_run *r)
{
    r->cap = r->cap ? 2 * r->cap : 1 << 14;
    r->states = room(r->states, r->cap, sizeof *r->states);
    r->from = room(r->from, r->cap, sizeof *r->from);
    r->table = room(r->table, 2 * (usize)r->cap, sizeof *r->table);
    memset(r->table, 0, 2 * (usize)r->cap * sizeof *r->table);
    r->mask = 2 * r->cap - 1;
    for (u32 i = 0; i < r->count; i++) {
        u32 at = hash_of(&r->states[i]) & r->mask;
        while (r->table[at])
            at = (at + 1) & r->mask;
        r->table[at] = i + 1;
    }
}

static void visit(model_run *r, const model_state *s, u32 from)
{
    u32 at = hash_of(s) & r->mask;
    for (; r->table[at]; at = (at + 1) & r->mask)
        if (memcmp(&r->states[r->table[at] - 1], s, sizeof *s) == 0)
            return;
    if (r->count == r->cap) {
        grow(r);
        for (at = hash_of(s) & r->mask; r->table[at]; at = (at + 1) & r->mask)
            ;
    }
    r->states[r->count] = *s;
    r->from[r->count] = from;
    r->table[at] = ++r->count;
    r->disagrees = r->disagrees || model_disagrees(&r->m, s);
}

/* All states, or those up to the first in which two final blocks exclude each other. */
static model_run explore(u32 views, u32 byzantine_at, u32 switches, bool reduces)
{
    model_run r = {.m = {views, byzantine_at, switches}};
    static model_state next[MODEL_NEXT_MAX];
    grow(&r);
    model_state first = model_first(&r.m);
    visit(&r, &first, 0);
    for (u32 at = 0; at < r.count && !r.disagrees; at++) {
        u32 count = model_next(&r.m, &r.states[at], next);
        for (u32 i = 0; i < count && !r.disagrees; i++) {
            if (reduces)
                model_canonical(&r.m, &next[i]);
            visit(&r, &next[i], at);
        }
        r.steps += count;
    }
    return r;
}

static void done(model_run *r)
{
    free(r->states);
    free(r->from);
    free(r->table);
}

/* The steps to a state; told or only counted. */
static u32 path_to(const model_run *r, u32 at, bool tells)
{
    u32 path[256], count = 0;
    for (; at; at = r->from[at]) {
        KL_ASSERT(count < KL_COUNT_OF(path));
        path[count++] = at;
    }
    for (u32 i = count; tells && i-- > 0;)
        model_tell(&r->m, &r->states[r->from[path[i]]], &r->states[path[i]]);
    return count;
}

static void holds(const char *what, u32 views, u32 byzantine_at, u32 switches)
{
    model_run r = explore(views, byzantine_at, switches, true);
    printf("model, %u views, %s, Byzantine leads views %u mod 4: %u states, %llu steps\n", views,
           what, byzantine_at + 1, r.count, (unsigned long long)r.steps);
    bool disagrees = r.disagrees;
    if (disagrees)
        path_to(&r, r.count - 1, true);
    done(&r);
    CHECK(!disagrees);
}

/* KEEL_MODEL_VIEWS: how many views are looked at. */
KL_TEST(simplex_model_agreement_holds)
{
    const char *text = getenv("KEEL_MODEL_VIEWS");
    u32 views = text ? (u32)strtoul(text, NULL, 0) : 4;
    CHECK(views >= 2 && views <= MODEL_VIEWS_MAX);
    for (u32 at = 0; at < 4; at++)
        holds("all rules", views, at, 0);
    holds("all leaders Byzantine", views - 1, 0, MODEL_ANY_LEADER);
    for (u32 at = 0; at < 4; at++)
        holds("votes of any view at any time", views - 1, at, MODEL_ANY_VIEW);
    for (u32 at = 0; at < 4; at++)
        holds("notarize behind nullify", views, at, MODEL_NOTARIZE_BEHIND_NULLIFY);
}

/* Each state found without reductions has its canonical form among those found with them, and no
 * others are.  Three views are 8.7 million states. */
KL_TEST(simplex_model_reductions_lose_nothing)
{
    bool is_long = getenv("KEEL_MODEL_VIEWS");
    for (u32 at = 0; at < 4; at++)
        for (u32 views = 2; views <= (is_long && at == 1 ? 3 : 2); views++) {
            model_run all = explore(views, at, 0, false), reduced = explore(views, at, 0, true);
            model_run forms = {.m = all.m};
            grow(&forms);
            for (u32 i = 0; i < all.count; i++) {
                model_state s = all.states[i];
                model_canonical(&all.m, &s);
                visit(&forms, &s, 0);
            }
            u32 count = forms.count, wanted = reduced.count;
            for (u32 i = 0; i < reduced.count; i++)
                visit(&forms, &reduced.states[i], 0);
            printf("model, %u views: %u states are %u\n", views, all.count, wanted);
            u32 together = forms.count;
            done(&all);
            done(&reduced);
            done(&forms);
            CHECK_U64(count, wanted);
            CHECK_U64(together, wanted);
        }
}

/* Without a rule there is a counterexample, with honest leaders that vote first and in few views:
 * KEEL_MODEL_TRACE tells it. */
KL_TEST(simplex_model_each_rule_is_needed)
{
    static const struct {
        model_switch without;
        const char *name;
    } rules[] = {
        {MODEL_SMALL_QUORUM, "a quorum of one less"},
        {MODEL_NO_GAP_CHECK, "skipped views need not be nullified"},
        {MODEL_NO_PARENT_CHECK, "the parent need not be notarized"},
        {MODEL_PARENT_UNBOUND, "the block need not be on the parent that is named"},
        {MODEL_FINALIZE_BEHIND_NULLIFY, "finalize behind nullify"},
        {MODEL_NULLIFY_BEHIND_FINALIZE, "nullify behind finalize"},
        {MODEL_NOTARIZE_TWICE, "notarize twice"},
        {MODEL_FINALIZE_UNNOTARIZED, "finalize what is not notarized"},
    };
    bool tells = getenv("KEEL_MODEL_TRACE");
    for (usize i = 0; i < KL_COUNT_OF(rules); i++) {
        model_run r = explore(2, 0, rules[i].without | MODEL_EXACT_LEADERS, false);
        bool disagrees = r.disagrees;
        printf("model without a rule, %s: %s behind %u states\n", rules[i].name,
               disagrees ? "two final blocks" : "agreement", r.count);
        if (disagrees)
            printf("  %u steps\n", path_to(&r, r.count - 1, tells));
        done(&r);
        CHECK(disagrees);
    }
    model_run r = explore(2, 0, MODEL_EXACT_LEADERS, false);
    bool disagrees = r.disagrees;
    done(&r);
    CHECK(!disagrees);
}
