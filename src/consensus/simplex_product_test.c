/* Every state of a small world: three engines, to each of which anything may happen that the votes
 * cast allow, in any order.  In each state agreement must hold. */
#include "base/rand.h"
#include "base/test.h"
#include "consensus/simplex_world_test.h"

#include <stdio.h>
#include <stdlib.h>

enum { ENGINES = WORLD_VALIDATORS - 1, EVERYBODY = (1 << WORLD_VALIDATORS) - 1 };

typedef struct product_state {
    u32 at[ENGINES];
} product_state;

/* What led to a state. */
typedef struct product_step {
    u32 state;
    u16 engine, event;
} product_step;

typedef struct product {
    world w;
    product_state *states;
    product_step *from;
    u32 *table, mask, count, cap;
    u64 steps;
    bool alike[ENGINES][ENGINES];
    const char *broken;
} product;

static u32 hash_of(const product_state *s)
{
    u64 state = 0;
    for (u32 i = 0; i < ENGINES; i++) {
        state ^= s->at[i];
        state = kl_rand(&state);
    }
    return (u32)state;
}

static void *room(void *old, usize count, usize size)
{
    void *p = realloc(old, count * size);
    KL_ASSERT(p);
    return p;
}

static u32 *place_of(product *p, const product_state *s)
{
    u32 at = hash_of(s) & p->mask;
    while (p->table[at] && memcmp(&p->states[p->table[at] - 1], s, sizeof *s) != 0)
        at = (at + 1) & p->mask;
    return &p->table[at];
}

static void grow(product *p)
{
    p->cap = p->cap ? 2 * p->cap : 1 << 14;
    p->states = room(p->states, p->cap, sizeof *p->states);
    p->from = room(p->from, p->cap, sizeof *p->from);
    p->table = room(p->table, 2 * (usize)p->cap, sizeof *p->table);
    memset(p->table, 0, 2 * (usize)p->cap * sizeof *p->table);
    p->mask = 2 * p->cap - 1;
    for (u32 i = 0; i < p->count; i++)
        *place_of(p, &p->states[i]) = i + 1;
}

static const world_local *local(const product *p, const product_state *s, u32 engine)
{
    return &p->w.engines[engine].classes[s->at[engine]];
}

static bool has_quorum(const product *p, const product_state *s, u32 subject)
{
    u32 votes = 1; /* the Byzantine one */
    for (u32 i = 0; i < ENGINES; i++)
        votes += local(p, s, i)->cast >> subject & 1;
    return votes >= (p->w.o.mutants & KL_MUTANT_SMALL_QUORUM ? 2 : 3);
}

static bool descends(const world *w, u32 block, u32 from)
{
    while (block > from)
        block = w->blocks[block].parent;
    return block == from;
}

/* From the votes cast and the blocks committed, without the engine's predicates. */
static const char *judge(const product *p, const product_state *s)
{
    const world *w = &p->w;
    u32 last = 0;
    for (u32 block = 1; block < w->block_count; block++) {
        if (!has_quorum(p, s, world_subject(w, KL_VOTE_FINALIZE, block)))
            continue;
        if (!descends(w, block, last))
            return "two final blocks exclude each other";
        last = block;
    }
    for (u32 i = 0; i < ENGINES; i++)
        if (!descends(w, last, local(p, s, i)->committed))
            return "a block was committed and is not final";
    return NULL;
}

/* What no correct engine signs. */
static const char *judge_key(const world *w, u32 cast)
{
    for (u32 view = 1; view <= w->o.views; view++) {
        u32 notarized = 0, finalized = 0,
            nullified = cast >> world_subject(w, KL_VOTE_NULLIFY, view) & 1;
        for (u32 block = 1; block < w->block_count; block++) {
            if (w->blocks[block].proposal.view != view)
                continue;
            notarized += cast >> world_subject(w, KL_VOTE_NOTARIZE, block) & 1;
            finalized += cast >> world_subject(w, KL_VOTE_FINALIZE, block) & 1;
        }
        if (notarized > 1 || finalized + nullified > 1)
            return "an engine signs what conflicts";
    }
    return NULL;
}

static void visit(product *p, const product_state *s, u32 from, u32 engine, u32 event)
{
    if (*place_of(p, s))
        return;
    if (p->count == p->cap)
        grow(p);
    p->states[p->count] = *s;
    p->from[p->count] = (product_step){from, (u16)engine, (u16)event};
    *place_of(p, s) = p->count + 1;
    p->count++;
    p->broken = p->w.broken ? p->w.broken : judge(p, s);
    const u32 of_turns = KL_MUTANT_TURN_NOT_DURABLE | KL_MUTANT_TURN_USED_AGAIN;
    bool judges_keys = (p->w.o.mutants | of_turns) == of_turns && !p->w.o.forgets;
    for (u32 i = 0; i < ENGINES && !p->broken && judges_keys; i++)
        p->broken = judge_key(&p->w, local(p, s, i)->signed_for | local(p, s, i)->cast);
}

/* Whether the event can come to the engine. */
static bool may_come(const product *p, const product_state *s, const world_event *event)
{
    const world *w = &p->w;
    if (event->kind != WORLD_VOTE && event->kind != WORLD_CERTIFICATE)
        return true;
    if (event->kind == WORLD_CERTIFICATE)
        return has_quorum(p, s, event->subject);
    if (event->by == w->o.byzantine)
        return true;
    u32 by = event->by - (event->by > w->o.byzantine);
    return local(p, s, by)->cast >> event->subject & 1;
}

/* Engines that behave alike are exchanged for each other; not on the way to a counterexample, which
 * names them. */
static void canonical(const product *p, product_state *s)
{
    for (u32 i = 0; i < ENGINES; i++)
        for (u32 k = i + 1; k < ENGINES; k++)
            if (p->alike[i][k] && s->at[i] > s->at[k]) {
                u32 t = s->at[i];
                s->at[i] = s->at[k];
                s->at[k] = t;
            }
}

/* All states, or those up to the first in which something is broken. */
static void explore(product *p, const world_options *options)
{
    memset(p, 0, sizeof *p);
    world_begin(&p->w, options);
    for (u32 i = 0; i < ENGINES; i++)
        for (u32 k = 0; k < ENGINES; k++)
            p->alike[i][k] = !options->by_vote && !options->mutants && !options->forgets &&
                             world_alike(&p->w, i, k);
    grow(p);
    product_state first = {{0}};
    visit(p, &first, 0, 0, 0);
    for (u32 at = 0; at < p->count && !p->broken; at++)
        for (u32 engine = 0; engine < ENGINES; engine++)
            for (u32 event = 0; event < p->w.event_count && !p->broken; event++) {
                product_state s = p->states[at];
                u32 to = local(p, &s, engine)->next[event];
                if (to == s.at[engine] || !may_come(p, &s, &p->w.events[event]))
                    continue;
                s.at[engine] = to;
                canonical(p, &s);
                p->steps++;
                visit(p, &s, at, engine, event);
            }
}

static void done(product *p)
{
    world_done(&p->w);
    free(p->states);
    free(p->from);
    free(p->table);
}

static void summarize(const product *p)
{
    const world_engine *e = p->w.engines;
    const world_options *o = &p->w.o;
    printf(
        "world, %u views by %s%s%s, validator %u Byzantine: %u states of engines with %u, %u and "
        "%u states in %u, %u and %u classes; %llu steps of an engine; %llu votes left before "
        "their barrier, %llu crashes took one, behind %llu a turn was over\n",
        o->views, o->by_vote ? "vote" : "certificate",
        !o->crash               ? ""
        : o->crash == EVERYBODY ? " with crashes"
                                : " with crashes of one",
        o->anew ? " and other blocks" : "", o->byzantine, p->count, e[0].count, e[1].count,
        e[2].count, e[0].class_count, e[1].class_count, e[2].class_count,
        (unsigned long long)p->w.steps, (unsigned long long)p->w.hurried,
        (unsigned long long)p->w.lost, (unsigned long long)p->w.forfeit);
}

static void tell(const product *p)
{
    u32 path[256], count = 0;
    for (u32 at = p->count - 1; at; at = p->from[at].state) {
        KL_ASSERT(count < KL_COUNT_OF(path));
        path[count++] = at;
    }
    while (count-- > 0) {
        const product_step *step = &p->from[path[count]];
        world_tell(&p->w, step->engine, step->event);
    }
}

static void holds(const world_options *options)
{
    static product p;
    explore(&p, options);
    summarize(&p);
    const char *broken = p.broken;
    if (broken)
        tell(&p);
    bool has_turns = options->crash && (options->views > 1 || options->byzantine != 1);
    bool is_reached = p.w.hurried && p.w.lost && p.w.forfeit;
    done(&p);
    if (broken)
        kl_test_fail(__FILE__, __LINE__, "%s", broken);
    CHECK(is_reached || !has_turns);
}

/* KEEL_WORLD_ALL: also with the Byzantine validator as the leader of the first of two views, with
 * crashes of everybody in two views, and of a leader that then builds another block. */
KL_TEST(simplex_world_agreement_holds)
{
    bool all = getenv("KEEL_WORLD_ALL");
    for (u32 byzantine = 0; byzantine < WORLD_VALIDATORS; byzantine++) {
        world_options o = {.views = 1, .byzantine = byzantine, .by_vote = true};
        holds(&o);
        holds(&(world_options){.views = 1, .byzantine = byzantine, .crash = EVERYBODY, .anew = 1});
        o = (world_options){.views = 2, .byzantine = byzantine};
        if (byzantine == 2 || all)
            holds(&o);
        o.few = true;
        o.crash = EVERYBODY;
        if (all)
            holds(&o);
    }
    for (u32 leader = 1; leader <= 2; leader++) {
        world_options o = {.views = 2, .byzantine = 3, .few = true, .crash = 1u << leader};
        if (leader == 2 || all) /* all that is reached without a crash is reached here too */
            holds(&o);
        o.anew = leader;
        if (all)
            holds(&o);
    }
}

/* KEEL_MODEL_TRACE tells how each is caught.  The last takes its time: KEEL_WORLD_ALL. */
KL_TEST(simplex_world_catches_bugs)
{
    static const struct {
        const char *name;
        world_options o;
    } bugs[] = {
        {"gap check off",
         {.views = 2, .byzantine = 2, .few = true, .mutants = KL_MUTANT_NO_GAP_CHECK}},
        {"quorum one less",
         {.views = 2, .byzantine = 3, .few = true, .mutants = KL_MUTANT_SMALL_QUORUM}},
        {"finalize after nullify",
         {.views = 2, .byzantine = 3, .few = true, .mutants = KL_MUTANT_FINALIZE_AFTER_NULLIFY}},
        {"nullify after finalize",
         {.views = 2, .byzantine = 3, .few = true, .mutants = KL_MUTANT_NULLIFY_AFTER_FINALIZE}},
        {"parent view unbound",
         {.views = 2, .byzantine = 2, .few = true, .mutants = KL_MUTANT_PARENT_UNBOUND}},
        {"a signer counted twice",
         {.views = 1, .by_vote = true, .few = true, .mutants = KL_MUTANT_SIGNER_TWICE}},
        {"a turn that is not durable",
         {.views = 1, .crash = EVERYBODY, .anew = 1, .mutants = KL_MUTANT_TURN_NOT_DURABLE}},
        {"a turn that is used again",
         {.views = 1, .crash = EVERYBODY, .anew = 1, .mutants = KL_MUTANT_TURN_USED_AGAIN}},
        {"the same, on another parent",
         {.views = 2,
          .byzantine = 3,
          .few = true,
          .crash = 4,
          .mutants = KL_MUTANT_TURN_USED_AGAIN}},
        {"guard lost",
         {.views = 2, .byzantine = 3, .few = true, .crash = EVERYBODY, .forgets = true}},
    };
    usize count = KL_COUNT_OF(bugs) - (getenv("KEEL_WORLD_ALL") ? 0 : 1);
    for (usize i = 0; i < count; i++) {
        static product p;
        explore(&p, &bugs[i].o);
        bool caught = p.broken;
        printf("world with a bug, %s: %s behind %u states\n", bugs[i].name,
               caught ? p.broken : "agreement", p.count);
        if (caught && getenv("KEEL_MODEL_TRACE"))
            tell(&p);
        done(&p);
        CHECK(caught);
    }
}
