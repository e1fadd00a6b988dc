/* simplex_model: the voting rules alone, small enough to look at every state they can reach.
 *
 * Four validators of weight 1: three honest, and one that is Byzantine and has cast every vote
 * there is, in every view and for every block.  What is explored is the set of votes that honest
 * validators have cast and the view that each of them is in.  A certificate can be had as soon as
 * the votes for it are cast; who acts upon it, and when, is open, which stands for every order and
 * delay of messages.  docs/simulation.md argues for the reductions. */
#ifndef KL_CONSENSUS_SIMPLEX_MODEL_TEST_H
#define KL_CONSENSUS_SIMPLEX_MODEL_TEST_H

#include "base/int.h"

enum {
    MODEL_HONEST = 3,
    MODEL_VIEWS_MAX = 6,
    MODEL_BLOCKS = 2, /* of a view whose leader is Byzantine; others have one */
    MODEL_BYZANTINE = MODEL_HONEST,
};

/* What can be taken out of the rules, or left out because agreement does not rest on it. */
typedef enum model_switch {
    /* Rules whose absence must break agreement. */
    MODEL_SMALL_QUORUM = 1 << 0,
    MODEL_NO_GAP_CHECK = 1 << 1,    /* skipped views need not be nullified */
    MODEL_NO_PARENT_CHECK = 1 << 2, /* the parent need not be notarized */
    MODEL_PARENT_UNBOUND = 1 << 3,  /* the block need not be on the parent that is named */
    MODEL_FINALIZE_BEHIND_NULLIFY = 1 << 4,
    MODEL_NULLIFY_BEHIND_FINALIZE = 1 << 5,
    MODEL_NOTARIZE_TWICE = 1 << 6,
    MODEL_FINALIZE_UNNOTARIZED = 1 << 7,
    /* Rules on which agreement does not rest: more states, the same verdict. */
    MODEL_ANY_VIEW = 1 << 8, /* votes of any view at any time, not of the current one */
    MODEL_NOTARIZE_BEHIND_NULLIFY = 1 << 9,
    MODEL_ANY_LEADER = 1 << 10, /* all leaders are Byzantine */
    /* Honest leaders vote first for what they propose.  Honest validators then differ by the views
     * that they lead, and are not exchanged for each other. */
    MODEL_EXACT_LEADERS = 1 << 11,
} model_switch;

/* Bits of a validator's votes in a view: notarize and finalize for each of two blocks. */
enum {
    VOTED_NOTARIZE = 1,
    VOTED_FINALIZE = VOTED_NOTARIZE << MODEL_BLOCKS,
    VOTED_NULLIFY = VOTED_FINALIZE << MODEL_BLOCKS,
    VOTED_NOTARIZE_ANY = VOTED_FINALIZE - VOTED_NOTARIZE,
    VOTED_FINALIZE_ANY = VOTED_NULLIFY - VOTED_FINALIZE,
};

/* A block's number: 0 is the anchor, 1 + MODEL_BLOCKS * (view - 1) + place the others. */
typedef struct model_state {
    u8 in[MODEL_HONEST];                       /* the view that each is in */
    u8 parent[MODEL_VIEWS_MAX * MODEL_BLOCKS]; /* 1 + number of the block's parent; 0: no block */
    u8 names[MODEL_VIEWS_MAX * MODEL_BLOCKS];  /* the parent view that its proposal names */
    u8 votes[MODEL_VIEWS_MAX][MODEL_HONEST];
    u8 zero[3];
} model_state;

typedef struct model {
    u32 views, byzantine_at; /* the Byzantine validator leads the views v with (v - 1) % 4 there */
    u32 switches;
} model;

/* Room for all states that one state leads to. */
enum { MODEL_NEXT_MAX = 512 };

model_state model_first(const model *m);
u32 model_next(const model *m, const model_state *s, model_state next[MODEL_NEXT_MAX]);
/* The same state for all that differ by who is who and which block is which. */
void model_canonical(const model *m, model_state *s);
/* Two final blocks of which neither is on the other. */
bool model_disagrees(const model *m, const model_state *s);
/* Says in a line what happened between two states. */
void model_tell(const model *m, const model_state *from, const model_state *to);

#endif
