/* simplex_world: the engine itself in a world so small that every state of it can be looked at.
 *
 * Four validators, three of which run the engine; the fourth is Byzantine and has cast every vote
 * there is for a fixed list of blocks.  What happens to an engine is a list of events: a proposal,
 * a certificate, a single vote, its timer.  Its host answers at once.
 *
 * One engine is an automaton.  Its states are the distinct contents of its memory, found by asking
 * kl_simplex_step what every event leads to from each of them; those that behave alike from there
 * on, whatever happens, are one class.  The world is the product of three such automata, which
 * learn of each other by the votes that were cast: simplex_product_test.c. */
#ifndef KL_CONSENSUS_SIMPLEX_WORLD_TEST_H
#define KL_CONSENSUS_SIMPLEX_WORLD_TEST_H

#define KL_SIMPLEX_MUTANTS 1
#include "consensus/simplex_priv.h"

enum {
    WORLD_VALIDATORS = 4,
    WORLD_BLOCKS_MAX = 6,
    WORLD_VIEWS_MAX = 2,
    WORLD_SUBJECTS_MAX = 2 * WORLD_BLOCKS_MAX + WORLD_VIEWS_MAX,
    WORLD_EVENTS_MAX = 64,
};

/* A proposal of the list.  Blocks are numbered from 1; 0 is the anchor. */
typedef struct world_block {
    kl_proposal proposal;
    u32 parent; /* the block it is on, which its proposal may lie about the view of */
} world_block;

typedef enum world_event_kind {
    WORLD_VOTE,        /* of a validator, for a subject; the leader's is the proposal */
    WORLD_CERTIFICATE, /* of a subject */
    WORLD_TIMEOUT,
    WORLD_CRASH, /* once; the log keeps what was synced */
    WORLD_KILL,  /* the same, and it keeps all */
} world_event_kind;

typedef struct world_event {
    world_event_kind kind;
    u32 subject, by;
} world_event;

/* One state of one engine, or a class of those that behave alike. */
typedef struct world_local {
    u64 key[2];                     /* of its memory */
    u32 cast;                       /* subjects its validator has voted for */
    u32 signed_for, logged, synced; /* by the guard; in the log */
    bool crashed;
    u32 committed; /* the newest block */
    u32 next[WORLD_EVENTS_MAX];
} world_local;

typedef struct world_engine {
    u32 validator;
    u8 *memory;
    u8 **memories; /* by state, until all that it leads to is known */
    world_local *states;
    u32 *todo; /* states of which is not known what they lead to */
    u32 count, cap, todo_count;
    u32 *table, mask;
    world_local *classes; /* in order of the first path that leads there; 0 is the start */
    u32 class_count;
} world_engine;

typedef struct world_options {
    u32 views, byzantine, mutants;
    bool by_vote; /* votes come one by one; else proposals and certificates do */
    bool crashes; /* each engine may crash once */
    bool forgets; /* a bug: the guard is gone behind a crash */
    bool few;     /* the Byzantine leader has no block that an honest one could not have made, but
                     for the one that names another view than its parent's */
} world_options;

typedef struct world {
    world_options o;
    kl_simplex_config config;
    kl_secret32 secrets[WORLD_VALIDATORS];
    kl_validator validators[WORLD_VALIDATORS];
    kl_valset set;
    world_block blocks[1 + WORLD_BLOCKS_MAX];
    u32 block_count; /* with the anchor */
    kl_vote_subject subjects[WORLD_SUBJECTS_MAX];
    u32 subject_count;
    kl_vote votes[WORLD_SUBJECTS_MAX][WORLD_VALIDATORS];
    kl_certificate certificates[WORLD_SUBJECTS_MAX];
    u8 signatures[WORLD_SUBJECTS_MAX][WORLD_VALIDATORS * KL_VOTE_SIGNATURE_MAX];
    world_event events[WORLD_EVENTS_MAX];
    u32 event_count;
    world_engine engines[WORLD_VALIDATORS - 1];
    kl_bft_effect *effects;
    usize effects_cap, memory_len;
    u64 steps;          /* of the engine */
    const char *broken; /* what an engine did that it must never do; NULL */
} world;

void world_begin(world *w, const world_options *options);
void world_done(world *w);

/* The subject that votes of a kind for a block (of a view for nullify) are about. */
u32 world_subject(const world *w, kl_vote_kind kind, u32 block_or_view);
/* Whether two engines behave alike, class by class: then they can be exchanged. */
bool world_alike(const world *w, u32 a, u32 b);
void world_tell(const world *w, u32 engine, u32 event);

#endif
