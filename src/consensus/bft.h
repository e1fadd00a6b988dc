/* bft: what an engine that finalizes by votes hears (events) and asks for (effects).
 *
 * The host carries effects out in the order of the list and gives their answers back as events.
 * Nothing here is verified before the engine has it, except what the host read from its own disk
 * (KL_BFT_RESTORE_*).  Pointers of an effect hold until the next call of the engine; some are the
 * event's, which live as long.
 *
 * [DESIGN 7: durability barrier]  KL_BFT_PERSIST appends to the consensus log and does not wait.
 * KL_BFT_BARRIER asks for KL_BFT_PERSISTED once all that was appended before it is durable, and,
 * where it names a body, that block's body too.  KL_BFT_SIGN asks the sign guard, which makes its
 * record durable before the signature exists.  A host starts both at once; the engine lets a vote
 * leave when both are done.  Tokens rise, and a token's end is the end of all before it.
 *
 * [docs/adr/0011]  KL_BFT_RESERVE takes the turn of a view that this node leads, ahead of time.
 * When it is durable (KL_BFT_RESERVED) the notarize vote there is signed without waiting for its
 * record, and leaves without waiting for its barrier, which begins all the same. */
#ifndef KL_CONSENSUS_BFT_H
#define KL_CONSENSUS_BFT_H

#include "cert/cert.h"

/* Who brought a message: a number of the host's, which means nothing to the engine. */
typedef u32 kl_bft_peer;
#define KL_BFT_ALL     UINT32_MAX       /* in effects: everybody; of a fetch: anybody */
#define KL_BFT_NO_PEER (UINT32_MAX - 1) /* in events: it came from nobody */

typedef enum kl_bft_event_kind {
    /* Before KL_BFT_START, in any order: certificates of the consensus log from the floor's on, and
     * own votes of this epoch from the sign guard, signed again (votes are deterministic). */
    KL_BFT_RESTORE_CERTIFICATE, /* certificate */
    KL_BFT_RESTORE_VOTE,        /* vote */
    KL_BFT_RESTORE_PROPOSAL,    /* vote: the leader's that was kept with a vote; behind that one */
    KL_BFT_RESTORE_TURN,        /* epoch, view: an earlier life had it, and its vote is not known;
                                   behind the votes */
    KL_BFT_START,

    /* From peers: peer, and */
    KL_BFT_VOTE,                /* vote; the leader's notarize is the proposal */
    KL_BFT_CERTIFICATE,         /* certificate */
    KL_BFT_EVIDENCE,            /* evidence */
    KL_BFT_CERTIFICATE_REQUEST, /* epoch, from, to: views */

    /* Answers. */
    KL_BFT_SIGNED,       /* vote */
    KL_BFT_SIGN_REFUSED, /* subject: the guard holds something against it */
    KL_BFT_RESERVED,     /* epoch, view: the turn is durable; where it is refused nothing is said */
    KL_BFT_PERSISTED,    /* token */
    KL_BFT_BUILT,        /* view, hash; the block is ours and valid */
    KL_BFT_BUILD_FAILED, /* view */
    KL_BFT_EXECUTED, /* hash, verdict, at_ns; view of the proposal, 0: of all that name the block */
    KL_BFT_BODY,     /* hash: a body that was fetched is here */
    KL_BFT_SYNCED,   /* proposal: the host has committed all up to it by itself */
    KL_BFT_NEXT_EPOCH, /* epoch_config: KL_BFT_EPOCH_DONE's block is durable; or the host has
                          synced into a later epoch, wherever in it, by itself */

    /* The world. */
    KL_BFT_TIMER,
    KL_BFT_PENDING, /* on: our builder would put a transaction on the notarized head */
    KL_BFT_SIGNING, /* on; off: observe only (disk failing, guard missing) */
} kl_bft_event_kind;

typedef enum kl_bft_verdict {
    KL_BFT_VALID,
    KL_BFT_INVALID,
    KL_BFT_UNAVAILABLE, /* cannot tell yet: a body is missing, the parent is not executed, time_ms
                           is ahead of the clock, a disk fails */
    KL_BFT_EARLY,       /* the same, where only time_ms is, and not the parent's: until at_ns */
} kl_bft_verdict;

/* One epoch, as the engine needs it.  The set is the caller's and outlives the epoch. */
typedef struct kl_bft_epoch {
    u64 epoch;
    const kl_valset *set;
    u32 self;          /* our place, or KL_BFT_NOBODY */
    u64 last_height;   /* of the epoch's last block */
    u64 signed_view;   /* up to here other lives of ours may have signed; UINT64_MAX: anywhere */
    kl_proposal floor; /* the newest durable final block: of this epoch, or (view 0) its anchor */
} kl_bft_epoch;
#define KL_BFT_NOBODY UINT32_MAX

typedef struct kl_bft_event {
    kl_bft_event_kind kind;
    kl_bft_peer peer;
    const kl_vote *vote;
    const kl_certificate *certificate;
    const kl_evidence *evidence;
    const kl_vote_subject *subject;
    const kl_proposal *proposal;
    const kl_bft_epoch *epoch_config;
    u64 token, epoch, view, from, to;
    kl_hash hash;
    kl_bft_verdict verdict;
    u64 at_ns; /* of the engine's time */
    bool on;
} kl_bft_event;

typedef enum kl_bft_effect_kind {
    KL_BFT_SEND_VOTE,          /* vote, peer or KL_BFT_ALL */
    KL_BFT_SEND_PROPOSAL,      /* vote: our notarize as the leader, with the block's body, to all */
    KL_BFT_SEND_CERTIFICATE,   /* certificate, peer or KL_BFT_ALL */
    KL_BFT_SERVE_LOG,          /* peer, epoch, from, to: send what the log has of these views */
    KL_BFT_PERSIST,            /* certificate: append it to the consensus log */
    KL_BFT_BARRIER,            /* token; has_body: proposal.block_hash's body too */
    KL_BFT_SIGN,               /* subject; in_turn: at once, in the turn that was taken; vote: the
                                  leader's for the same, kept durable with our own, or NULL */
    KL_BFT_RESERVE,            /* epoch, from: the view */
    KL_BFT_BUILD,              /* proposal, without block_hash: build on parent_hash */
    KL_BFT_EXECUTE,            /* proposal; again: a re-proposal, whose header has a lower view.
                                  Blocks below are executed first, as far as they are here */
    KL_BFT_FETCH_BODY,         /* proposal, peer to ask first: answer with KL_BFT_BODY */
    KL_BFT_FETCH_CERTIFICATES, /* peer to ask first, epoch, from, to: views */
    KL_BFT_SYNC,       /* proposal, certificate: it is final and its ancestors are not known here */
    KL_BFT_SET_TIMER,  /* at_ns: replaces the timer before; UINT64_MAX: none */
    KL_BFT_COMMIT,     /* proposal; certificate, unless it is final through a descendant */
    KL_BFT_EPOCH_DONE, /* proposal: the epoch's last block is final */
    KL_BFT_FOUND,      /* evidence: gossip it, put it on chain */
    KL_BFT_PENALIZE,   /* peer, rule: it sent what no correct peer sends */
    KL_BFT_KEY_IS_USED, /* subject: somebody else signed it with our key; signing is off */
    KL_BFT_FORKED,      /* certificate, proposal: two certificates that exclude each other */
} kl_bft_effect_kind;

typedef struct kl_bft_effect {
    kl_bft_effect_kind kind;
    kl_bft_peer peer;
    kl_rule rule;
    bool has_body, again, in_turn;
    u64 token, epoch, from, to, at_ns;
    kl_proposal proposal;
    kl_vote_subject subject;
    const kl_vote *vote;
    const kl_certificate *certificate;
    kl_evidence evidence;
} kl_bft_effect;

/* The caller's room.  The engine asserts that it suffices; each engine says how much that is. */
typedef struct kl_bft_effects {
    kl_bft_effect *list;
    usize count, cap;
} kl_bft_effects;

#endif
