/* What there is to say, the engine as an automaton, and which of its states behave alike. */
#include "consensus/simplex_world_test.h"
#include "base/rand.h"

#include <stdio.h>
#include <stdlib.h>

/* --- what there is to say --- */

static u32 add_block(world *w, u32 view, u32 names, u32 parent)
{
    u32 id = w->block_count++;
    KL_ASSERT(id <= WORLD_BLOCKS_MAX);
    const kl_proposal *on = &w->blocks[parent].proposal;
    kl_proposal *p = &w->blocks[id].proposal;
    *p = (kl_proposal){.view = view, .parent_view = names, .height = on->height + 1};
    p->parent_hash = on->block_hash;
    p->block_hash.b[0] = (u8)(id + 1);
    w->blocks[id].parent = parent;
    return id;
}

/* An honest leader has one block for each parent that it may find, or two: what it builds in its
 * second life is another one.  The Byzantine one has two on the anchor, and in the second view one
 * more on each block of the first and one that is on the anchor and names the first view. */
static void make_blocks(world *w)
{
    w->block_count = 1;
    w->blocks[0].proposal.block_hash.b[0] = 1;
    u32 first = kl_valset_leader(&w->set, 0, 1), second = kl_valset_leader(&w->set, 0, 2);
    u32 a = add_block(w, 1, 0, 0), b = 0;
    if (first == w->o.byzantine ? !w->o.few : w->o.anew == 1)
        b = add_block(w, 1, 0, 0);
    if (w->o.views < 2)
        return;
    for (u32 i = 0; i < (w->o.anew == 2 ? 2 : 1); i++) {
        add_block(w, 2, 0, 0);
        add_block(w, 2, 1, a);
        if (b)
            add_block(w, 2, 1, b);
    }
    if (second != w->o.byzantine)
        return;
    if (!w->o.few)
        add_block(w, 2, 0, 0);
    add_block(w, 2, 1, 0);
}

u32 world_subject(const world *w, kl_vote_kind kind, u32 block_or_view)
{
    u32 blocks = w->block_count - 1;
    return kind == KL_VOTE_NULLIFY    ? 2 * blocks + block_or_view - 1
           : kind == KL_VOTE_NOTARIZE ? block_or_view - 1
                                      : blocks + block_or_view - 1;
}

static void make_subjects(world *w)
{
    w->subject_count = 2 * (w->block_count - 1) + w->o.views;
    KL_ASSERT(w->subject_count <= WORLD_SUBJECTS_MAX);
    for (u32 id = 1; id < w->block_count; id++) {
        w->subjects[world_subject(w, KL_VOTE_NOTARIZE, id)] =
            (kl_vote_subject){KL_VOTE_NOTARIZE, w->blocks[id].proposal};
        w->subjects[world_subject(w, KL_VOTE_FINALIZE, id)] =
            (kl_vote_subject){KL_VOTE_FINALIZE, w->blocks[id].proposal};
    }
    for (u32 view = 1; view <= w->o.views; view++)
        w->subjects[world_subject(w, KL_VOTE_NULLIFY, view)] =
            (kl_vote_subject){KL_VOTE_NULLIFY, {.view = view}};
    for (u32 s = 0; s < w->subject_count; s++) {
        const kl_vote *votes[WORLD_VALIDATORS];
        for (u32 by = 0; by < WORLD_VALIDATORS; by++) {
            KL_ASSERT(kl_vote_sign(&w->votes[s][by], &w->subjects[s], by, w->set.scheme,
                                   &w->secrets[by], &w->config.domain));
            votes[by] = &w->votes[s][by];
        }
        kl_certificate_make(&w->certificates[s], w->signatures[s], votes, WORLD_VALIDATORS,
                            &w->set);
    }
}

static void add_event(world *w, world_event event)
{
    KL_ASSERT(w->event_count < WORLD_EVENTS_MAX);
    w->events[w->event_count++] = event;
}

static void make_events(world *w)
{
    w->event_count = 0;
    add_event(w, (world_event){.kind = WORLD_TIMEOUT});
    add_event(w, (world_event){.kind = WORLD_PERSISTED});
    if (w->o.crash) {
        add_event(w, (world_event){.kind = WORLD_BUILT});
        for (u32 view = 1; view <= w->o.views; view++)
            add_event(w, (world_event){.kind = WORLD_RESERVED, .view = view});
        for (u32 keeps = 0; keeps <= (WORLD_KEEPS_LOG | WORLD_KEEPS_GUARD); keeps++)
            add_event(w, (world_event){.kind = WORLD_CRASH, .keeps = keeps});
    }
    for (u32 s = 0; s < w->subject_count; s++) {
        const kl_vote_subject *subject = &w->subjects[s];
        u32 leader = kl_valset_leader(&w->set, 0, subject->proposal.view);
        for (u32 by = 0; by < WORLD_VALIDATORS; by++)
            if (w->o.by_vote || (by == leader && subject->kind == KL_VOTE_NOTARIZE))
                add_event(w, (world_event){.kind = WORLD_VOTE, .subject = s, .by = by});
        if (!w->o.by_vote)
            add_event(w, (world_event){.kind = WORLD_CERTIFICATE, .subject = s});
    }
}

/* --- one engine --- */

static void *room(void *old, usize count, usize size)
{
    void *p = realloc(old, count * size);
    KL_ASSERT(p);
    return p;
}

/* Four chains at a time: they do not wait for each other. */
static void key_of(const world *w, const u8 *memory, const world_local *like, u64 key[2])
{
    u64 lane[4] = {(u64)like->cast << 32 | like->barred,
                   (u64)like->signed_for << 32 | like->durable,
                   (u64)like->logged << 32 | like->synced,
                   like->turns | like->taken << 8 | like->over << 16 | (u32)like->crashed << 24};
    for (usize i = 0; i < w->memory_len; i += 32)
        for (u32 k = 0; k < 4; k++) {
            u64 word = kl_load_le64(memory + i + 8 * k);
            lane[k] = (lane[k] ^ word) * 0x9e3779b97f4a7c15u;
            lane[k] ^= lane[k] >> 32;
        }
    for (u32 k = 0; k < 2; k++) {
        u64 state = lane[k] ^ lane[k + 2] * 0xbf58476d1ce4e5b9u;
        key[k] = kl_rand(&state) ^ lane[3 - k];
    }
}

static u32 *place_of(world_engine *e, const u64 key[2])
{
    u32 at = (u32)key[0] & e->mask;
    while (e->table[at] && memcmp(e->states[e->table[at] - 1].key, key, 16) != 0)
        at = (at + 1) & e->mask;
    return &e->table[at];
}

static void grow(world_engine *e)
{
    e->cap = e->cap ? 2 * e->cap : 1024;
    e->states = room(e->states, e->cap, sizeof *e->states);
    e->memories = room(e->memories, e->cap, sizeof *e->memories);
    e->todo = room(e->todo, e->cap, sizeof *e->todo);
    e->table = room(e->table, 2 * (usize)e->cap, sizeof *e->table);
    memset(e->table, 0, 2 * (usize)e->cap * sizeof *e->table);
    e->mask = 2 * e->cap - 1;
    for (u32 i = 0; i < e->count; i++)
        *place_of(e, e->states[i].key) = i + 1;
}

/* The number of the state that the engine's memory is. */
static u32 keep(world *w, world_engine *e, world_local *like)
{
    if (e->count == e->cap)
        grow(e);
    key_of(w, e->memory, like, like->key);
    u32 *place = place_of(e, like->key);
    if (*place)
        return *place - 1;
    *place = e->count + 1;
    e->states[e->count] = *like;
    e->memories[e->count] = room(NULL, w->memory_len, 1);
    memcpy(e->memories[e->count], e->memory, w->memory_len);
    e->todo[e->todo_count++] = e->count;
    return e->count++;
}

/* What cannot come, since others are honest or certificates agree, is left out: the product looks
 * for what would break that.  Where certificates come whole, a leader's second proposal is left
 * out too: all it does is to forbid a vote. */
static bool may_come(const world *w, const world_engine *e, const world_local *state,
                     const world_event *event)
{
    const struct kl_simplex *s = (const void *)e->memory;
    switch (event->kind) {
    case WORLD_TIMEOUT:
        return s->view <= w->o.views &&
               slot_at(s, s->view)->own[KL_VOTE_NULLIFY - 1].state == OWN_NONE;
    case WORLD_PERSISTED:
        return s->token > s->token_persisted;
    case WORLD_BUILT:
        return world_build(w, e, state, &(kl_bft_event){0});
    case WORLD_RESERVED:
        return (state->turns & ~state->taken & ~state->over) >> event->view & 1;
    case WORLD_CRASH:
        return !state->crashed && (w->o.crash >> e->validator & 1);
    case WORLD_VOTE:
    case WORLD_CERTIFICATE:
        break;
    }
    bool is_lost = state->crashed && (state->cast >> event->subject & 1);
    if (event->kind == WORLD_VOTE && event->by == e->validator && !is_lost)
        return false; /* behind a crash others tell it its own proposal */
    const kl_vote_subject *subject = &w->subjects[event->subject];
    const kl_simplex_slot *slot = slot_at(s, subject->proposal.view);
    kl_vote_kind other = subject->kind == KL_VOTE_NULLIFY    ? KL_VOTE_FINALIZE
                         : subject->kind == KL_VOTE_FINALIZE ? KL_VOTE_NULLIFY
                                                             : KL_VOTE_NOTARIZE;
    if (event->kind == WORLD_VOTE && event->by == w->o.byzantine && !w->o.by_vote)
        return !slot->has_proposal;
    if (event->kind == WORLD_VOTE && event->by == w->o.byzantine)
        return true;
    if (event->kind == WORLD_CERTIFICATE)
        return !has_certificate(slot, other);
    const bool *has_vote = &slot->has_vote[event->by * KINDS];
    return !has_vote[other - 1] && !has_vote[subject->kind - 1];
}

static u32 step(world *w, world_engine *e, u32 state, u32 event)
{
    const world_event *what = &w->events[event];
    kl_bft_event tell = {.peer = KL_BFT_NO_PEER};
    memcpy(e->memory, e->memories[state], w->memory_len);
    world_local after = e->states[state];
    if (!may_come(w, e, &after, what))
        return state;
    switch (what->kind) {
    case WORLD_VOTE:
        tell.kind = KL_BFT_VOTE;
        tell.peer = what->by;
        tell.vote = &w->votes[what->subject][what->by];
        break;
    case WORLD_CERTIFICATE:
        tell.kind = KL_BFT_CERTIFICATE;
        tell.certificate = &w->certificates[what->subject];
        break;
    case WORLD_TIMEOUT:
        tell.kind = KL_BFT_TIMER;
        break;
    case WORLD_BUILT:
        world_build(w, e, &after, &tell);
        break;
    case WORLD_PERSISTED:
        tell.kind = KL_BFT_PERSISTED;
        tell.token = ((const struct kl_simplex *)(const void *)e->memory)->token;
        after.synced |= after.barred;
        after.barred = 0;
        break;
    case WORLD_RESERVED:
        tell.kind = KL_BFT_RESERVED;
        tell.view = what->view;
        after.taken |= 1u << what->view;
        break;
    case WORLD_CRASH:
        if (world_kept(&after, what->keeps) !=
            what->keeps) /* it is that one, which has been tried */
            return after.next[event - what->keeps + world_kept(&after, what->keeps)];
        world_crash(w, &after, what->keeps);
        world_start(w, e, &after);
        return keep(w, e, &after);
    }
    world_run(w, e, &after, &tell);
    return keep(w, e, &after);
}

/* All states of an engine, the newest first, so that few memories are held at a time. */
static void explore(world *w, world_engine *e)
{
    e->memory = aligned_alloc(64, w->memory_len);
    KL_ASSERT(e->memory);
    world_local first = {0};
    world_start(w, e, &first);
    keep(w, e, &first);
    while (e->todo_count) {
        u32 at = e->todo[--e->todo_count];
        for (u32 i = 0; i < w->event_count; i++) {
            u32 to = step(w, e, at, i);
            e->states[at].next[i] = to;
        }
        free(e->memories[at]);
    }
}

/* --- states that behave alike --- */

static u64 mixed(u64 state, u64 word)
{
    state ^= word;
    return kl_rand(&state);
}

static int compare(const void *a, const void *b)
{
    u64 x = *(const u64 *)a, y = *(const u64 *)b;
    return (x > y) - (x < y);
}

static u32 distinct(const u64 *marks, u64 *sorted, u32 count)
{
    u32 found = 0;
    memcpy(sorted, marks, count * sizeof *marks);
    qsort(sorted, count, sizeof *sorted, compare);
    for (u32 i = 0; i < count; i++)
        found += !i || sorted[i] != sorted[i - 1];
    return found;
}

/* Marks states by what can be seen of them, then by that and the marks of what they lead to, until
 * no two states of one mark differ. */
static void mark(const world *w, const world_engine *e, u64 *marks)
{
    u64 *old = room(NULL, e->count, sizeof *old);
    for (u32 i = 0; i < e->count; i++)
        marks[i] = mixed(mixed((u64)e->states[i].signed_for << 32 | e->states[i].cast, 1),
                         e->states[i].committed);
    for (u32 before = 0, found = distinct(marks, old, e->count); found != before;) {
        memcpy(old, marks, e->count * sizeof *old);
        for (u32 i = 0; i < e->count; i++)
            for (u32 k = 0; k < w->event_count; k++)
                marks[i] = mixed(marks[i], old[e->states[i].next[k]]);
        before = found;
        u64 *sorted = room(NULL, e->count, sizeof *sorted);
        found = distinct(marks, sorted, e->count);
        free(sorted);
    }
    free(old);
}

typedef struct classes {
    const u64 *marks;
    u32 *some; /* a state of each class */
    u32 *table, mask, count;
} classes;

static u32 class_of(classes *c, u32 state)
{
    u32 place = (u32)c->marks[state] & c->mask;
    while (c->table[place] && c->marks[c->some[c->table[place] - 1]] != c->marks[state])
        place = (place + 1) & c->mask;
    if (!c->table[place]) {
        c->some[c->count] = state;
        c->table[place] = ++c->count;
    }
    return c->table[place] - 1;
}

/* Classes are numbered as they are met on the way from the start, event by event: engines that
 * behave alike have the same list. */
static void classify(const world *w, world_engine *e)
{
    u64 *marks = room(NULL, e->count, sizeof *marks);
    mark(w, e, marks);
    classes c = {.marks = marks, .mask = e->mask};
    c.some = room(NULL, e->count, sizeof *c.some);
    c.table = room(NULL, (usize)e->mask + 1, sizeof *c.table);
    memset(c.table, 0, ((usize)e->mask + 1) * sizeof *c.table);
    e->classes = room(NULL, e->count, sizeof *e->classes);
    class_of(&c, 0);
    for (u32 at = 0; at < c.count; at++) {
        const world_local *state = &e->states[c.some[at]];
        world_local *class = &e->classes[at];
        *class = (world_local){
            .cast = state->cast, .committed = state->committed, .signed_for = state->signed_for};
        for (u32 k = 0; k < w->event_count; k++)
            class->next[k] = class_of(&c, state->next[k]);
    }
    e->class_count = c.count;
    free(marks);
    free(c.some);
    free(c.table);
}

bool world_alike(const world *w, u32 a, u32 b)
{
    const world_engine *x = &w->engines[a], *y = &w->engines[b];
    return x->class_count == y->class_count &&
           memcmp(x->classes, y->classes, x->class_count * sizeof *x->classes) == 0;
}

void world_begin(world *w, const world_options *options)
{
    memset(w, 0, sizeof *w);
    w->o = *options;
    const kl_vote_scheme *scheme = kl_vote_scheme_of(KL_SCHEME_KEYED_HASH, true);
    for (u32 i = 0; i < WORLD_VALIDATORS; i++) {
        kl_validator *v = &w->validators[i];
        memset(&w->secrets[i], (int)i + 1, sizeof w->secrets[i]);
        v->weight = 1;
        kl_store_be32(v->operator.b, i + 1);
        KL_ASSERT(scheme->public_key(v->key, &w->secrets[i]));
    }
    KL_ASSERT(kl_valset_init(&w->set, scheme, w->validators, WORLD_VALIDATORS) == KL_RULE_NONE);
    w->config = (kl_simplex_config){
        .domain = {.chain_id = 1},
        .validators_max = WORLD_VALIDATORS,
        .window = KL_SIMPLEX_WINDOW_MIN,
        .delta_ns = 1000000000,
        .retry_ns = 1000 * WORLD_ROUND_NS,
        .signing = true,
        /* Certificates name everybody, whoever has voted. */
        .epoch = {.set = &w->set, .last_height = 1000, .signed_view = UINT64_MAX}};
    make_blocks(w);
    make_subjects(w);
    make_events(w);
    w->config.epoch.floor.block_hash = w->blocks[0].proposal.block_hash;
    w->memory_len = (kl_simplex_footprint(&w->config) + 63) / 64 * 64;
    w->effects_cap = kl_simplex_effects_max(&w->config);
    w->effects = room(NULL, w->effects_cap, sizeof *w->effects);
    for (u32 i = 0; i < WORLD_VALIDATORS - 1; i++) {
        w->engines[i].validator = i + (i >= options->byzantine);
        explore(w, &w->engines[i]);
        classify(w, &w->engines[i]);
    }
}

void world_done(world *w)
{
    for (u32 i = 0; i < WORLD_VALIDATORS - 1; i++) {
        world_engine *e = &w->engines[i];
        free(e->states);
        free(e->classes);
        free(e->memories);
        free(e->todo);
        free(e->table);
        free(e->memory);
    }
    free(w->effects);
}

void world_tell(const world *w, u32 engine, u32 event)
{
    static const char *const kinds[] = {"", "notarize", "nullify", "finalize"};
    const world_event *what = &w->events[event];
    const kl_vote_subject *subject = &w->subjects[what->subject];
    printf("  engine %u: ", w->engines[engine].validator);
    if (what->kind == WORLD_TIMEOUT) {
        printf("its timer\n");
        return;
    }
    if (what->kind == WORLD_BUILT || what->kind == WORLD_PERSISTED) {
        printf(what->kind == WORLD_BUILT ? "its block is built\n" : "its barrier ends\n");
        return;
    }
    if (what->kind == WORLD_RESERVED) {
        printf("its turn of view %u is durable\n", what->view);
        return;
    }
    if (what->kind == WORLD_CRASH) {
        printf("crashes, and keeps of what was not synced%s%s%s\n",
               what->keeps & WORLD_KEEPS_LOG ? " the log" : "",
               what->keeps & WORLD_KEEPS_GUARD ? " the guard" : "", what->keeps ? "" : " nothing");
        return;
    }
    printf("%s %s", what->kind == WORLD_VOTE ? "vote" : "certificate", kinds[subject->kind]);
    if (what->kind == WORLD_VOTE)
        printf(" of %u", what->by);
    if (subject->kind != KL_VOTE_NULLIFY)
        printf(" block %u", world_block_of(w, &subject->proposal.block_hash));
    printf(" in view %llu\n", (unsigned long long)subject->proposal.view);
}
