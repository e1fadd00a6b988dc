/* simplex_world: the engine itself in a world so small that every state of it can be looked at.
 *
 * Four validators, three of which run the engine; the fourth is Byzantine and has cast every vote
 * there is for a fixed list of blocks.  What happens to an engine is a list of events: a proposal,
 * a certificate, a single vote, its timer.  Its host answers at once; but the barrier of a vote in
 * a turn ends with an event of its own, and where engines crash so does the taking of a turn, and
 * a build.
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
    WORLD_BLOCKS_MAX = 8,
    WORLD_VIEWS_MAX = 2,
    WORLD_SUBJECTS_MAX = 2 * WORLD_BLOCKS_MAX + WORLD_VIEWS_MAX,
    WORLD_EVENTS_MAX = 64,
};
#define WORLD_ROUND_NS (100 * 1000000000ull) /* later than every deadline of a view */

/* A proposal of the list.  Blocks are numbered from 1; 0 is the anchor. */
typedef struct world_block {
    kl_proposal proposal;
    u32 parent; /* the block it is on, which its proposal may lie about the view of */
} world_block;

typedef enum world_event_kind {
    WORLD_VOTE,        /* of a validator, for a subject; the leader's is the proposal */
    WORLD_CERTIFICATE, /* of a subject */
    WORLD_TIMEOUT,
    WORLD_BUILT,
    WORLD_PERSISTED, /* the barrier of a vote in a turn */
    WORLD_RESERVED,  /* the turn of a view */
    WORLD_CRASH,     /* once */
} world_event_kind;

/* What of it is kept that was written and not synced. */
enum { WORLD_KEEPS_LOG = 1 << 0, WORLD_KEEPS_GUARD = 1 << 1 };

typedef struct world_event {
    world_event_kind kind;
    u32 subject, by, view;
    u32 keeps; /* of a crash */
} world_event;

/* One state of one engine, or a class of those that behave alike. */
typedef struct world_local {
    u64 key[2];              /* of its memory */
    u32 cast;                /* subjects its validator has voted for, in all its lives */
    u32 signed_for, durable; /* the guard's votes, and which of them are synced */
    u32 logged, synced;      /* certificates of the log, likewise */
    u32 barred;              /* of the log: what the last barrier of a vote in a turn covers */
    u32 turns, taken, over;  /* bit per view: written down; durable; of an earlier life */
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
    u32 crash;    /* bit per validator: it may crash once */
    u32 anew;     /* the view whose leader, if honest, builds another block in its second life; 0 */
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
    u64 hurried;        /* proposals that left before their barrier had ended */
    u64 lost, forfeit;  /* crashes behind which the guard lacks such a vote; a turn is over */
    const char *broken; /* what an engine did that it must never do; NULL */
} world;

void world_begin(world *w, const world_options *options);
void world_done(world *w);

/* The subject that votes of a kind for a block (of a view for nullify) are about. */
u32 world_subject(const world *w, kl_vote_kind kind, u32 block_or_view);
/* Whether two engines behave alike, class by class: then they can be exchanged. */
bool world_alike(const world *w, u32 a, u32 b);
void world_tell(const world *w, u32 engine, u32 event);

/* simplex_world_host_test.c: of an engine, whose state lies in its memory and in *state. */
u32 world_block_of(const world *w, const kl_hash *hash);
/* From the guard and the log, which are nothing at first, in the order of kl_replica_start. */
void world_start(world *w, world_engine *e, world_local *state);
/* Tells the event, and the host's answers to what follows. */
void world_run(world *w, world_engine *e, world_local *state, const kl_bft_event *event);
/* Fills in that the block is built which is being built in the engine's view; false: none is. */
bool world_build(const world *w, const world_engine *e, const world_local *state,
                 kl_bft_event *event);
/* What a crash leaves behind, of what was written and not synced also what it keeps. */
void world_crash(world *w, world_local *state, u32 keeps);
/* What such a crash keeps that one which keeps less does not. */
u32 world_kept(const world_local *state, u32 keeps);

#endif
