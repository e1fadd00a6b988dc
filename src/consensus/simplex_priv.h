/* simplex_priv: what the files of the engine share. */
#ifndef KL_CONSENSUS_SIMPLEX_PRIV_H
#define KL_CONSENSUS_SIMPLEX_PRIV_H

#include "consensus/simplex.h"

#define NEVER UINT64_MAX
enum {
    KINDS = 3,
    RUN_AHEAD = 1024, /* views */
    SHARERS = 8,      /* validators of a set that send a certificate on */
};

/* Deliberate bugs, which the simulator must find.  They exist in its own copy of the engine only:
 * see simplex_mutant_test.c. */
enum {
    KL_MUTANT_NO_GAP_CHECK = 1 << 0,
    KL_MUTANT_SMALL_QUORUM = 1 << 1,
    KL_MUTANT_FINALIZE_AFTER_NULLIFY = 1 << 2,
    KL_MUTANT_NULLIFY_AFTER_FINALIZE = 1 << 3,
    KL_MUTANT_FOREIGN_EPOCH = 1 << 4,
    KL_MUTANT_SIGNER_TWICE = 1 << 5,
    KL_MUTANT_PARENT_UNBOUND = 1 << 6,
    KL_MUTANT_NO_REINJECTION = 1 << 7,
    KL_MUTANT_BODY_NOT_DURABLE = 1 << 8,
    KL_MUTANT_SECOND_REPLACES = 1 << 9,
    KL_MUTANT_SHARED_KEY = 1 << 10, /* no bug: a twin does not mind its twin */
    KL_MUTANT_TURN_NOT_DURABLE = 1 << 11,
    KL_MUTANT_TURN_USED_AGAIN = 1 << 12, /* in the next life */
    KL_MUTANT_PROPOSAL_NOT_KEPT = 1 << 13,
    KL_MUTANT_GIVES_UP_FOR_GOOD = 1 << 14, /* no notarize vote behind a nullify vote */
};
#ifdef KL_SIMPLEX_MUTANTS
extern u32 kl_simplex_mutants;
#define MUTANT(name) (kl_simplex_mutants & KL_MUTANT_##name)
#else
#define MUTANT(name) 0
#endif

typedef enum kl_simplex_own_state {
    OWN_NONE,
    OWN_RESTORED, /* signed in an earlier life: it may or may not have left */
    OWN_ASKED,    /* decided: never taken back */
    OWN_SENT,
    OWN_REFUSED,
    OWN_FORFEIT, /* notarize: an earlier life's turn, in which it may have signed anything */
} kl_simplex_own_state;

/* The turn of a view that we lead. */
typedef enum kl_simplex_turn {
    TURN_NONE,
    TURN_ASKED,
    TURN_TAKEN, /* it is durable */
} kl_simplex_turn;

/* Our own vote of a kind in a view. */
typedef struct kl_simplex_own {
    kl_simplex_own_state state;
    bool is_signed, revived;
    u64 token; /* of the barrier that must end before it leaves */
    kl_vote vote;
} kl_simplex_own;

typedef enum kl_simplex_judged {
    JUDGED_NOT,
    JUDGED_RUNNING,
    JUDGED_VALID,
    JUDGED_INVALID,
    JUDGED_MISSING,
} kl_simplex_judged;

typedef struct kl_simplex_slot {
    u64 view;
    bool has_proposal, leader_equivocates;
    bool gives_up;        /* [Simplex R7] an early trigger */
    bool building, built; /* our block: own[notarize] holds what is proposed */
    bool asked_certificates;
    kl_simplex_turn turn;
    kl_proposal proposal;
    kl_bft_peer source; /* who brought it */
    u64 seen_ns;
    u64 nullify_some_ns; /* when more than F had nullified; NEVER */
    kl_simplex_own own[KINDS];
    bool has_certificate[KINDS];
    kl_certificate certificate[KINDS];
    u8 *room[KINDS];
    kl_simplex_judged judged;
    kl_hash judged_hash;
    kl_vote *votes; /* by signer, then kind */
    bool *has_vote;
} kl_simplex_slot;

struct kl_simplex {
    kl_simplex_config config;
    const kl_valset *set;
    u64 epoch;
    u32 self;
    bool signing, started, ended, again;
    u64 now_ns;
    kl_bft_effects *out;

    /* Views [base, base + window) have slots; view & (window - 1) is the place. */
    kl_simplex_slot *slots;
    u64 base, view, entered_ns;
    u64 start_view; /* from here on we know what we have signed */

    /* Below the ring: the newest notarized or final block, and the nullified run above it. */
    kl_proposal root;
    kl_certificate root_certificate;
    u8 *root_room;
    bool has_root_certificate;
    kl_simplex_judged root_judged; /* of what is built on it, where it is above the committed */
    u64 run_end;
    u64 ahead[RUN_AHEAD / 64]; /* bit view % RUN_AHEAD: nullified too, above a hole in the run */

    kl_proposal final, committed;
    bool has_final_certificate;
    kl_certificate final_certificate;
    u8 *final_room;
    bool syncing;
    kl_proposal notarized; /* newest known */

    /* The end of the epoch before, for those who are still in it. */
    bool has_boundary;
    kl_certificate boundary;
    u8 *boundary_room;

    u64 token, token_persisted; /* of barriers */
    u64 appended, durable;      /* records of the consensus log */
    u64 barrier_appended;       /* what the newest barrier covers */

    u64 timer_ns, retry_at_ns, asked_behind_ns;
    bool pending;
    u64 pending_since_ns;
    u32 given_up_in_row;

    /* By validator. */
    /* Led this view, which was nullified, or an earlier epoch's, and has cast no vote in it or
     * above; 0: no suspicion. */
    u64 silent_from[KL_VALIDATORS_MAX];
    u64 helped_ns[KL_VALIDATORS_MAX];
    u64 heard_ns[KL_VALIDATORS_MAX]; /* for status alone */
    bool reported[KL_VALIDATORS_MAX];
};

/* simplex_ring.c */
static inline kl_simplex_slot *slot_at(const struct kl_simplex *s, u64 view)
{
    return view < s->base || view - s->base >= s->config.window
               ? NULL
               : &s->slots[view & (s->config.window - 1)];
}

static inline kl_simplex_own *own_of(kl_simplex_slot *slot, kl_vote_kind kind)
{
    return &slot->own[kind - 1];
}

static inline bool has_certificate(const kl_simplex_slot *slot, kl_vote_kind kind)
{
    return slot->has_certificate[kind - 1];
}

void kl_simplex_ring_reset(struct kl_simplex *s, const kl_proposal *floor);
/* Makes view one of the ring; views that leave it leave what parent checks need. */
void kl_simplex_ring_reach(struct kl_simplex *s, u64 view);
/* The block notarized in view, if we hold proof of it. */
bool kl_simplex_notarized(const struct kl_simplex *s, kl_proposal *out, u64 view);
bool kl_simplex_nullified(const struct kl_simplex *s, u64 view);
/* What is to be executed in the view: the notarized block, else the proposed one, else NULL. */
const kl_proposal *kl_simplex_target(const kl_simplex_slot *slot);
/* A view below the ring is known to be nullified; false when that is no news, or too far ahead. */
bool kl_simplex_run_wants(const struct kl_simplex *s, u64 view);
void kl_simplex_run_add(struct kl_simplex *s, u64 view);
/* A new root below the ring, with what proves it; nobody has judged it. */
void kl_simplex_root_set(struct kl_simplex *s, const kl_proposal *root,
                         const kl_certificate *certificate);
/* The root is a block that is still to be executed. */
bool kl_simplex_root_lacks(const struct kl_simplex *s);
void kl_simplex_certificate_copy(kl_certificate *out, u8 *room, const kl_certificate *from);
usize kl_simplex_room(const kl_simplex_config *config);

typedef enum kl_simplex_link {
    LINK_GOOD,
    LINK_MISSING, /* certificates: from *missing on */
    LINK_BAD,     /* no honest leader proposes it */
} kl_simplex_link;
/* [Simplex R2] the parent-and-gap check of a proposal for view. */
kl_simplex_link kl_simplex_link_of(const struct kl_simplex *s, const kl_proposal *proposal,
                                   u64 *missing);
/* [Simplex R1] the parent to build on in view; LINK_MISSING as above. */
kl_simplex_link kl_simplex_parent(const struct kl_simplex *s, u64 view, kl_proposal *parent,
                                  u64 *missing);

/* simplex_collect.c: what comes from outside, and our own votes when they leave */
void kl_simplex_on_vote(struct kl_simplex *s, const kl_vote *vote, kl_bft_peer peer);
void kl_simplex_on_certificate(struct kl_simplex *s, const kl_certificate *certificate,
                               kl_bft_peer peer);
void kl_simplex_on_evidence(struct kl_simplex *s, const kl_evidence *evidence, kl_bft_peer peer);
void kl_simplex_on_request(struct kl_simplex *s, const kl_bft_event *event);
void kl_simplex_restore_vote(struct kl_simplex *s, const kl_vote *vote);
void kl_simplex_restore_proposal(struct kl_simplex *s, const kl_vote *vote);
void kl_simplex_restore_turn(struct kl_simplex *s, u64 epoch, u64 view);
/* A verified vote into its slot. */
void kl_simplex_collect(struct kl_simplex *s, kl_simplex_slot *slot, const kl_vote *vote,
                        kl_bft_peer peer);
/* A verified certificate; also of a view far above or below. */
void kl_simplex_learn(struct kl_simplex *s, const kl_certificate *certificate);
/* The certificate that let us enter the view; NULL in the first. */
const kl_certificate *kl_simplex_entry(const struct kl_simplex *s);

/* simplex_rule.c */
void kl_simplex_settle(struct kl_simplex *s);
/* The leader's vote for what we notarize in the view, where somebody else leads it; or NULL. */
const kl_vote *kl_simplex_leaders(const struct kl_simplex *s, const kl_simplex_slot *slot);

/* simplex_timer.c */
u64 kl_simplex_leader_deadline(const struct kl_simplex *s);
u64 kl_simplex_advance_deadline(const struct kl_simplex *s);
u64 kl_simplex_propose_at(const struct kl_simplex *s, const kl_proposal *parent);
bool kl_simplex_is_skipped(const struct kl_simplex *s);
bool kl_simplex_is_unsettled(const struct kl_simplex *s);
void kl_simplex_retry(struct kl_simplex *s);
void kl_simplex_set_timer(struct kl_simplex *s);

/* simplex.c */
kl_bft_effect *kl_simplex_emit(struct kl_simplex *s, kl_bft_effect_kind kind);
void kl_simplex_send_certificate(struct kl_simplex *s, const kl_certificate *certificate,
                                 kl_bft_peer peer);
void kl_simplex_persist(struct kl_simplex *s, const kl_certificate *certificate);
void kl_simplex_ask_certificates(struct kl_simplex *s, kl_bft_peer peer, u64 from, u64 to);
void kl_simplex_fetch_body(struct kl_simplex *s, const kl_proposal *proposal, kl_bft_peer peer);
u64 kl_simplex_quorum(const struct kl_simplex *s);

/* cert's, but for the mutants. */
void kl_simplex_certificate_make(const struct kl_simplex *s, kl_certificate *out, u8 *room,
                                 const kl_vote *const *votes, u32 count);
kl_rule kl_simplex_certificate_check(const struct kl_simplex *s, const kl_certificate *certificate);

#endif
