/* simplex_sim: n engines over a virtual network, clock and disk, and an oracle that knows what must
 * never happen.  One seed is one run: faults, Byzantine validators and timing all follow from it.
 *
 * The host here is a model: blocks are links of a hash chain, the consensus log, sign guard and
 * ledger are lists of which a crash takes what was not synced.  The engine is the production code
 * (simplex_mutant_test.c). */
#ifndef KL_CONSENSUS_SIMPLEX_SIM_TEST_H
#define KL_CONSENSUS_SIMPLEX_SIM_TEST_H

#define KL_SIMPLEX_MUTANTS 1
#include "base/rand.h"
#include "consensus/simplex_priv.h"

enum {
    SIM_NODES_MAX = 24,
    SIM_SIGNATURE = KL_VOTE_SIGNATURE_MAX,
    SIM_HEARD = 64, /* views */
    SIM_BLOCKS_MAX = 16384,
    SIM_LOG_MAX = 8192,
    SIM_GUARD_MAX = 8192,
    SIM_TURNS_MAX = 4096,
    SIM_HEIGHTS_MAX = 8192,
    SIM_VIEWS_MAX = 16384, /* of all epochs */
};
#define SIM_MS 1000000ull

/* What a Byzantine validator does. */
typedef enum sim_kind {
    SIM_HONEST,
    SIM_TWIN, /* two honest machines with one key */
    SIM_SILENT,
    SIM_EQUIVOCATES,  /* two blocks in a view, and votes both ways */
    SIM_OLD_PARENT,   /* builds on a block that others have built on */
    SIM_FALSE_PARENT, /* names the right parent view and builds on an older block */
    SIM_SELECTIVE,    /* speaks to some only */
    SIM_WITHHOLDS,    /* proposes without the body */
    SIM_LATE,         /* 2Δ later */
    SIM_GARBAGE,      /* signatures that are none, signers that are not there */
    SIM_KINDS,
} sim_kind;

/* Bugs of the host. */
enum {
    SIM_GUARD_UNSYNCED = 1 << 0,
    SIM_GUARD_RESET = 1 << 1, /* when a node starts in an epoch of which it has no block */
};

typedef struct sim_certificate {
    kl_certificate certificate;
    u8 bytes[SIM_NODES_MAX * SIM_SIGNATURE];
} sim_certificate;

typedef struct sim_block {
    kl_hash hash, parent;
    u64 height;
    bool valid;
    u32 builder; /* 1 + validator; 0: none that is honest */
} sim_block;

/* What a node heard a validator vote for in a view. */
typedef struct sim_heard {
    u64 epoch, view;
    bool has[KINDS];
    u32 block[KINDS];
} sim_heard;

/* What the guard has written down: a power cut may take it until durable_ns. */
typedef struct sim_record {
    kl_vote vote, leader; /* leader: of kind 0, or the leader's for the same */
    u64 durable_ns;
} sim_record;

typedef struct sim_turn {
    u64 epoch, view, durable_ns;
    u32 life;
} sim_turn;

enum { HAS_BODY = 1, HAS_DURABLE = 2, HAS_EXECUTED = 4 };

typedef struct sim_node {
    u32 validator; /* place in epoch 0 */
    sim_kind kind;
    bool up;
    u32 life; /* answers of an earlier life are lost */
    struct kl_simplex *engine;
    void *room;
    u64 timer_ns;
    u8 has[SIM_BLOCKS_MAX];
    sim_certificate *log;
    u32 log_count, log_synced;
    sim_record *guard;
    u32 guard_count;
    sim_turn *turns;
    u32 turn_count;
    kl_proposal ledger[SIM_HEIGHTS_MAX]; /* by height */
    u64 height, height_durable;
    bool pending;
    kl_proposal old[64]; /* what an old-parent leader may build on */
    u32 old_count;
    sim_heard (*heard)[SIM_NODES_MAX]; /* by view % SIM_HEARD and validator */
    u32 conflicts[SIM_NODES_MAX];      /* heard of a validator in this epoch */
    bool named[SIM_NODES_MAX];         /* in evidence found in this epoch */
} sim_node;

typedef enum sim_message {
    M_EVENT,     /* for the engine: event, with what it points to */
    M_PROPOSAL,  /* a vote, and a body */
    M_WANT_BODY, /* from one to another */
    M_GIVE_BODY,
    M_WANT_SYNC,
    M_GIVE_SYNC,
    M_TIMER,
    M_BODY_DURABLE, /* with a barrier's end */
    M_LEDGER_DURABLE,
    M_WORLD, /* a change of the weather */
} sim_message;

typedef struct sim_item {
    u64 at_ns, order;
    sim_message message;
    u32 node, from, life;
    u64 view; /* of what it says; else of who sends it */
    kl_bft_event event;
    kl_vote vote;
    kl_vote_subject subject;
    kl_evidence evidence;
    kl_proposal proposal;
    sim_certificate certificate;
    u32 log_count;
    u64 height;
    bool has_body;
} sim_item;

/* A seed's swarm: each class of faults is on or off. */
typedef struct sim_options {
    u64 seed;
    u32 validators;
    u32 faulty; /* Byzantine ones; of kind, or SIM_KINDS: each its own.  With weights: 0, or any
                   number of them that weighs up to F */
    sim_kind kind;
    u32 mutants, host_mutants;
    u64 gst_ns, end_ns;
    u32 loss_percent, duplicate_percent;
    u64 delay_ns, tail_ns;
    u64 log_ns;   /* what a barrier of the consensus log takes; 0: little */
    u64 guard_ns; /* a sync of the sign guard, likewise */
    bool partitions, crashes, slow_disk, weights, idle, calm;
    bool steady; /* each message takes delay_ns */
    u64 epoch_blocks;
    u32 window;
    u8 scheme;     /* 0: the keyed hash */
    bool brief;    /* too short to ask for liveness */
    char only;     /* the first digit of the one assertion that counts; 0: all */
    u64 leaves_at; /* from this epoch on, if > 0, the last validator is not in the set */
    bool forks;    /* more than F are faulty: agreement may break, and then they must be shown */
} sim_options;

/* What the oracle knows of a view of an epoch. */
typedef struct sim_view {
    u64 epoch, view;
    bool has[KINDS];
    kl_proposal proposal[KINDS];
    u8 signed_kinds[SIM_NODES_MAX]; /* by validator: bit per kind */
    kl_proposal signed_for[SIM_NODES_MAX][KINDS];
    /* What honest nodes hold of it, also in certificates. */
    bool shown[SIM_NODES_MAX][KINDS];
    u32 shown_block[SIM_NODES_MAX][KINDS];
    u8 checked[KINDS][KL_VALIDATORS_MAX / 8]; /* signers of a certificate that held */
} sim_view;

/* Interesting events, which a campaign must reach. */
typedef enum sim_sometimes {
    SOMETIMES_FINAL,
    SOMETIMES_NULLIFIED,
    SOMETIMES_BOTH, /* a notarized block in a nullified view */
    SOMETIMES_SKIPPED,
    SOMETIMES_EVIDENCE,
    SOMETIMES_RESTART,
    SOMETIMES_EPOCH,
    SOMETIMES_REPROPOSAL,
    SOMETIMES_SYNC,
    SOMETIMES_SERVE_LOG,
    SOMETIMES_PENALTY,
    SOMETIMES_SPLIT,   /* honest validators voted for two blocks of a view */
    SOMETIMES_REVIVED, /* a vote of an earlier life was sent again */
    SOMETIMES_HURRIED, /* a leader's vote left before its record was durable */
    SOMETIMES_FORFEIT, /* a turn was over with a crash */
    SOMETIMES_RETOLD,  /* the leader's vote was sent by another */
    SOMETIMES_COUNT,
} sim_sometimes;

struct sim {
    sim_options o;
    u64 rng, now_ns, order, trace;
    kl_vote_domain domain;
    const kl_vote_scheme *scheme;
    bool faulty[SIM_NODES_MAX]; /* validators */
    u64 weights[SIM_NODES_MAX];
    kl_secret32 secrets[SIM_NODES_MAX];
    kl_validator validators[SIM_NODES_MAX][SIM_NODES_MAX]; /* by rotation */
    kl_valset sets[SIM_NODES_MAX];
    sim_node *nodes;
    u32 count;
    sim_item **heap;
    usize heap_count, heap_cap;
    sim_block *blocks;
    u32 block_count;
    kl_bft_effect *effects;
    usize effects_cap;
    bool cut[SIM_NODES_MAX][SIM_NODES_MAX];
    bool calm, no_builds;
    u32 no_executions; /* bit per node: its verdicts are KL_BFT_UNAVAILABLE, bodies get lost */
    kl_valset smaller; /* without the last validator */
    bool (*passes)(const struct sim *sim, const sim_item *item, u32 from, u32 to); /* or NULL */
    /* the oracle */
    sim_view *views;
    u32 view_count;
    kl_hash final[SIM_HEIGHTS_MAX];
    u64 height, height_at_gst;
    u64 honest_views;
    u64 sometimes[SOMETIMES_COUNT];
    bool forked;
    u64 forked_ns;
    bool found[SIM_NODES_MAX]; /* validators that evidence named */
    bool lied[SIM_NODES_MAX];  /* validators of whom honest nodes hold conflicting votes */
    char broken[160];          /* the first assertion that did not hold; "" */
};

/* Who leads views 1, 2, ...: instead of the set's own order; NULL: that. */
extern const u8 *sim_leaders;
extern u32 sim_leader_count;

/* Runs a seed to its end, or to the first broken assertion; sim_done frees it. */
void sim_run(struct sim *sim, const sim_options *options);
void sim_done(struct sim *sim);
/* The same in parts, for scripts. */
void sim_begin(struct sim *sim, const sim_options *options);
void sim_until(struct sim *sim, u64 end_ns);
/* The options of a seed for n validators: faults, Byzantine kinds and timing. */
sim_options sim_swarm(u64 seed, u32 validators);

/* Parts. */
void sim_break(struct sim *sim, const char *format, ...) KL_PRINTF(2, 3);
u32 sim_faulty_max(u32 validators);
const kl_valset *sim_set(const struct sim *sim, u64 epoch);
u32 sim_place(const struct sim *sim, const sim_node *node, u64 epoch);
u32 sim_validator(const struct sim *sim, u32 place, u64 epoch);
sim_block *sim_block_new(struct sim *sim, const kl_hash *parent, u64 height);
sim_block *sim_block_of(struct sim *sim, const kl_hash *hash);
void sim_sign(struct sim *sim, const sim_node *node, const kl_vote_subject *subject, kl_vote *out);
sim_item *sim_item_new(struct sim *sim, sim_message message, const sim_node *from);
/* Sends a copy to a node, or to all others, through the weather. */
void sim_send(struct sim *sim, const sim_node *from, u32 to, const sim_item *item);
void sim_post(struct sim *sim, sim_item *item, u64 at_ns);
void sim_start(struct sim *sim, sim_node *node);
void sim_crash(struct sim *sim, sim_node *node);
bool sim_is_honest(const sim_node *node);
u32 sim_index(const struct sim *sim, const sim_node *node);
/* An earlier life had the view's turn, and its vote is not known. */
bool sim_is_forfeit(const sim_node *node, u64 epoch, u64 view);

void sim_trace(struct sim *sim, u64 word);
u64 sim_below(struct sim *sim, u64 n);
bool sim_percent(struct sim *sim, u32 p);
u32 sim_somebody(struct sim *sim, const sim_node *but);
void sim_send_message(struct sim *sim, const sim_node *from, u32 to, sim_item *item);

/* simplex_host_test.c */
void sim_step(struct sim *sim, sim_node *node, const kl_bft_event *event);
void sim_arrive(struct sim *sim, sim_item *item);
kl_bft_epoch sim_epoch_of(struct sim *sim, const sim_node *node, u64 height,
                          const kl_proposal *head);

/* simplex_oracle_test.c, simplex_heard_test.c */
sim_view *oracle_view(struct sim *sim, u64 epoch, u64 view);
/* A vote is in the hands of honest nodes. */
void oracle_shows(struct sim *sim, sim_view *v, u32 validator, const kl_vote_subject *subject);
/* 12, at the end of a run with forks. */
void oracle_accounts(struct sim *sim);
void oracle_signed(struct sim *sim, const sim_node *node, const kl_vote_subject *subject);
void oracle_certificate(struct sim *sim, const sim_node *node, const kl_certificate *certificate);
void oracle_vote_leaves(struct sim *sim, const sim_node *node, const kl_vote *vote);
void oracle_commit(struct sim *sim, const sim_node *node, const kl_proposal *proposal);
void oracle_evidence(struct sim *sim, sim_node *node, const kl_evidence *evidence);
void oracle_hears(struct sim *sim, sim_node *node, const kl_vote *vote);
void oracle_epoch(struct sim *sim, sim_node *node);
/* Agreement is broken: an assertion, unless more than F are faulty. */
void oracle_forks(struct sim *sim, const char *what, u64 where);
void oracle_end(struct sim *sim);

/* simplex_attack_test.c: true when the effect was dealt with */
bool attack(struct sim *sim, sim_node *node, const kl_bft_effect *effect);

#endif
