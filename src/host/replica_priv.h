/* replica_priv: what the files of the replica share.
 *
 *   replica.c            opening, closing, starting; the engine's turn
 *   replica_effect.c     what the engine asks for, one function an effect
 *   replica_candidate.c  blocks that are proposed and not final
 *   replica_tree.c       their tips, on the execution lane
 *   replica_work.c       jobs that execute and build
 *   replica_commit.c     blocks become final: append, write, show, sync, flush
 *   replica_barrier.c    the consensus log and the sign guard
 *   replica_pool.c       the pool follows the head; is a transaction pending?
 *   replica_gossip.c     transactions between peers
 *   replica_compact.c    blocks by the hashes of their transactions
 *   replica_local.c      our own users' until they are in a block
 *   replica_peer.c       what peers say
 *   replica_serve.c      what they ask for
 *   replica_relay.c      a sentry's part
 *   replica_fetch.c      catching up by height
 *   replica_epoch.c      from one set of validators to the next
 *   replica_stall.c      why nothing becomes final, and when to say so
 *   replica_evidence.c   two votes that exclude each other go on chain
 *
 * Two sides.  The replica's thread owns everything but what stands under "the execution lane's"
 * below, which the jobs of that lane alone touch while any is out.  What a job needs it is given,
 * what it finds it brings back. */
#ifndef KL_HOST_REPLICA_PRIV_H
#define KL_HOST_REPLICA_PRIV_H

#include "base/map.h"
#include "host/replica.h"
#include "host/tx_journal.h"

#define NEVER UINT64_MAX

enum {
    REPLICA_ASKS_MAX = 4,       /* proposals that name one block, asked about at once */
    REPLICA_SERVES_MAX = 4,     /* answers to one peer that are being read */
    REPLICA_CERTIFICATES = 32,  /* of the log for one request */
    REPLICA_REPORTS_MAX = 16,   /* pieces of evidence that wait to be on chain */
    REPLICA_PROPOSED_MAX = 2,   /* bodies kept for one view on its leader's word */
    REPLICA_BODIES_WINDOWS = 4, /* bodies that were not executed, for each view of the window */
};
#define REPLICA_BODIES_BYTES ((usize)256 << 20) /* of bodies that were not executed */
#define REPLICA_LAG_BYTES    ((usize)512 << 20) /* unflushed state, above which building waits */

/* A body, shared by candidates and jobs; never changed. */
struct replica_body {
    kl_refs refs;
    kl_hash hash; /* of the block */
    usize len;
    u8 bytes[];
};
struct replica_body *replica_body_new(const kl_hash *hash, kl_span bytes); /* NULL: no memory */
struct replica_body *replica_body_room(const kl_hash *hash, usize len); /* bytes are the caller's */
struct replica_body *replica_body_ref(struct replica_body *body);
void replica_body_unref(struct replica_body *body); /* NULL is fine */

/* The transactions of a block, in order of their hashes; shared like bodies. */
typedef struct replica_tx {
    kl_hash hash;
    kl_address sender;
} replica_tx;
struct replica_txs {
    kl_refs refs;
    usize count;
    replica_tx list[];
};
struct replica_txs *replica_txs_ref(struct replica_txs *txs);
void replica_txs_unref(struct replica_txs *txs); /* NULL is fine */
bool replica_txs_have(const struct replica_txs *txs, const kl_hash *hash);

/* A sender as of a head. */
typedef struct replica_fact {
    kl_address sender;
    kl_pool_facts facts;
} replica_fact;

/* A job with where it belongs; freed by drop, whether or not it was done. */
struct replica_work {
    struct kl_job job;
    struct kl_replica *replica;
    void (*finish)(struct replica_work *work); /* on the replica's thread */
    void (*drop)(struct replica_work *work);
    struct replica_work *before, *after; /* of all that are out */
};

typedef enum replica_state {
    REPLICA_WAITS,   /* not executed; its body is here, in the log, or asked for */
    REPLICA_RUNNING, /* being executed */
    REPLICA_VALID,
    REPLICA_INVALID,
} replica_state;

/* A peer, and not just its place; peer KL_REPLICA_ALL: nobody. */
struct replica_who {
    u32 peer, life;
};

/* A block that is proposed and not final, or whose body is asked for. */
struct replica_candidate {
    kl_hash hash;
    bool read;           /* its body was read: what follows is what its headers say; else what a
                            proposal says of it */
    kl_hash parent_hash; /* when read */
    u64 height, epoch, view, time_ms;
    struct replica_body *body; /* NULL: in the log, or nowhere here */
    struct replica_who source; /* who brought the body */
    bool wanted;               /* a body is asked for */
    bool rebuilding;           /* it is about to be there, see replica_compact.c */
    kl_hash *order;            /* of its transactions, where it was built here; or NULL */
    usize order_count;
    bool notarized;    /* it may become final, however old its view */
    bool early, rouse; /* valid and ahead of our clock; to be looked at again */
    bool told_early;
    replica_state state;
    struct replica_txs *txs; /* when VALID */
    kl_proposal asks[REPLICA_ASKS_MAX];
    u32 ask_count;
    struct replica_candidate *next;
};

struct replica_answer {
    kl_bft_event event;
    kl_proposal proposal;
};

/* One thing for the consensus log: a certificate with its signatures behind it, a body, a turn, or
 * the subject of a vote of our own, with what its leader signed it with. */
struct replica_record {
    bool is_vote, is_turn;
    u8 leader[KL_VOTE_SIGNATURE_MAX], leader_len;
    kl_certificate certificate;
    u8 *signatures;
    struct replica_body *body;
    u64 epoch, view; /* of the body's proposal */
};

/* A batch for the consensus log, and the next one while it is written. */
struct replica_log {
    struct replica_work work;
    bool busy;
    kl_status status;
    struct replica_record *batch, *next;
    usize batch_count, batch_cap, next_count, next_cap;
    u64 batch_token, next_token;  /* 0: no barrier */
    u64 batch_mark, next_mark;    /* an epoch whose beginning is to be durable; 0: none */
    bool batch_votes, next_votes; /* own votes are in it: it is synced */
    u64 given, done;              /* batches */
    bool forget, mend;
    kl_guard_view floor; /* with forget */
};

struct replica_ask {
    kl_vote_subject subject; /* of a turn: its epoch and view */
    bool is_turn;
    bool in_turn; /* its turn is there: signed before it is synced, told before the log has it */
    u32 signer;
    u64 log_batch; /* that holds it */
    kl_rule broken;
    kl_vote vote;
};

struct replica_guard {
    struct replica_work work;
    bool busy;
    kl_status status;
    struct replica_ask *batch, *next;
    usize batch_count, batch_cap, next_count, next_cap;
    bool asked; /* the batch is written down; what is in it for a turn has been told */
    struct replica_ask *waiting; /* signed, and not yet in the log */
    usize waiting_count, waiting_cap;
    bool raise;
    kl_guard_view floor;     /* with raise */
    bool bar_due, trust_due; /* with the next batch */
    bool bar, trust;
};

/* A block that is final. */
struct replica_final {
    kl_hash hash;
    u64 height;
    struct replica_txs *txs;
    kl_certificate certificate; /* when signatures is not NULL */
    u8 *signatures;
    u64 token; /* the newest barrier when it became final */
};

struct replica_commits {
    struct replica_work work;
    bool busy;
    struct replica_final *batch, *next;
    usize batch_count, batch_cap, next_count, next_cap;
    /* What came of it. */
    kl_status status;
    bool gap;     /* a block's tip is not here, or not on the head */
    bool forked;  /* the ledger holds another block there */
    bool off_pin; /* a block is not the pinned one, but this: */
    kl_hash found;
    struct kl_tip *head; /* the new one; NULL: it has not moved */
    replica_fact *facts;
    usize fact_count;
};

/* Evidence that is to be on chain. */
struct replica_report {
    kl_evidence evidence;
    u64 due_height; /* when this node sees to it, if no other has */
    u32 tries;
};

struct replica_peer {
    bool connected;
    u32 life; /* so many have left this place */
    kl_replica_rank rank;
    u32 serves; /* answers that are being read */
    u32 heard;  /* its transactions that wait for a job */
};

/* What peers have sent while a job is out; replica_gossip.c. */
struct replica_heard;
struct replica_said;
struct replica_batch {
    struct kl_arena arena; /* of heard */
    struct replica_heard *first, *last;
    usize count;
    struct replica_said *said;
    usize said_count, said_cap;
};

struct replica_gossip {
    kl_span *own; /* to be sent; in own_arena */
    usize own_count, own_cap;
    struct kl_arena own_arena;
    u64 sent_ns; /* when own ones were sent last; 0: never */
    struct replica_batch batch;
    struct kl_map in_flight; /* heard, and not looked at yet, by hash */
    bool busy;
};

/* Blocks that came by the hashes of their transactions; replica_compact.c. */
struct replica_rebuild;
struct replica_rebuilds {
    struct replica_rebuild *first;
    usize count;
    u64 due_ns;
    kl_replica_compacts done;
};

/* Own users' transactions that are in no block, and the file that keeps them. */
struct replica_local;
struct replica_locals {
    struct kl_map by_hash;
    struct replica_local *first, *last; /* as they came, or were sent again */
    usize count, bytes;
    u64 again_ns; /* when they are sent again */
    struct kl_tx_journal *journal;
    bool off;        /* it has failed */
    bool must_renew; /* what it holds is not all good */
    /* A batch for the file, and the next one while it is written. */
    struct replica_work work;
    bool busy, renews, syncs;
    kl_status status;
    struct replica_local **batch, **next;
    usize batch_count, batch_cap, next_count, next_cap;
    u64 written, synced; /* batches */
    u64 sync_ns;         /* when one is due */
};

/* Since when nothing became final; see replica_stall.c. */
struct replica_stall {
    u64 started_ns, since_ns, looked_ns, due_ns;
    u64 told_ns; /* 0: not */
    u64 height;
};

struct kl_replica {
    kl_replica_config config;
    const kl_vote_scheme *scheme;
    kl_vote_domain domain;
    bool has_key;
    u8 key[KL_VOTE_KEY_MAX];
    struct kl_chain *chain;
    struct kl_bft_log *log;
    struct kl_guard *guard; /* the guard lane's; NULL: observe */
    u64 rng;

    /* The engine. */
    void *room;
    struct kl_simplex *engine;
    kl_bft_effects effects;
    struct kl_epoch *epoch; /* the engine's */
    u32 self;
    bool started, stepping, signing;
    bool barred; /* the key is used elsewhere: it signs nothing any more, in later lives either */
    bool observing; /* the log was damaged: until a block is final above observe_above */
    bool watching;  /* the guard is a copy: see replica.h */
    bool doubted;   /* the guard says so itself */
    bool below_pin; /* until the pinned block is here, it is not known whose history this is */
    bool off_pin;   /* it will never be: `found` is final there */
    kl_hash found;
    kl_rule refused_rule; /* NONE, or what a final block breaks here: the block of this height */
    u64 refused_height;
    u64 watch_from_ms;
    bool has_watched; /* a block that was proposed since is final, in view watched */
    kl_guard_view watched;
    kl_guard_view signed_before; /* the newest view that earlier lives may have signed in */
    kl_guard_view observe_above;
    kl_status broken;
    struct replica_answer *answers;
    usize answer_count, answer_cap;
    u64 engine_due_ns;

    /* Candidates: by hash, and newest first. */
    struct kl_map by_hash;
    struct replica_candidate *candidates;
    usize candidate_count, waiting_bytes;
    u64 early_due_ns; /* when a block that is ahead of our clock may be looked at again */

    /* The head: the newest block that was appended; and what of it is durable. */
    struct kl_tip *head;
    struct kl_tip *durable;
    u64 epoch_asked, epoch_marked; /* the consensus log is durable up to where it begins */
    u64 token_given, token_done;   /* of barriers */
    u64 token_shown;               /* that must end before what is written may be shown */
    bool syncing, flushing;
    struct kl_tip *syncing_head;

    struct replica_log to_log;
    struct replica_guard to_guard;
    struct replica_commits commits;

    /* Transactions. */
    struct kl_pool *pool;
    struct kl_view *pool_view;
    u64 pool_time_ns;  /* when the pool is told the time; nobody is woken for it */
    bool pending;      /* as the engine was told */
    bool pool_grown;   /* something was added */
    bool branch_moved; /* or what the notarized head holds has changed */

    struct replica_locals locals;
    struct replica_gossip gossip;
    struct replica_rebuilds rebuilds;
    u64 gossip_due_ns;

    /* Peers. */
    struct replica_peer peers[KL_REPLICA_PEERS_MAX];
    u32 ward_count;
    struct kl_arena peer_arena;
    usize heard_len; /* of the frame that is being heard */
    struct kl_buf frame;
    u64 status_height, status_sent_height, status_due_ns, status_sent_ns;

    /* Catching up. */
    struct kl_fetch *fetch;
    struct kl_tip *fetch_tip; /* whose epoch's set the machine views */
    bool taking;              /* blocks are being executed */
    bool told_far;
    bool head_fetched; /* the newest block came from a peer, and not by votes */
    bool behind;       /* since behind_ns, at behind_height */
    u64 behind_ns, behind_height, looked_ns;
    u64 first_height; /* at the start */
    u64 fetch_due_ns;

    struct replica_stall stall;

    /* Evidence that is to be on chain. */
    struct replica_report reports[REPLICA_REPORTS_MAX];
    usize report_count;
    bool reporting;

    struct replica_work *works; /* all that are out */
    usize work_count;
    u64 baseless_builds; /* whose parent was not executed */

    /* The execution lane's. */
    struct kl_exec *exec;
    struct kl_run *run;
    struct kl_map tips; /* tree nodes by hash: executed, above the head */
    struct kl_arena run_arena;
};

/* replica.c */
void replica_give(struct kl_replica *r, kl_lane lane, struct replica_work *work,
                  void (*run)(struct kl_job *job), void (*finish)(struct replica_work *work),
                  void (*drop)(struct replica_work *work));
/* Tells the engine, now, or when it has been heard out. */
void replica_tell(struct kl_replica *r, const kl_bft_event *event);
void replica_alarm(struct kl_replica *r, const char *what);
/* A disk failed, or what may not be: no more signatures and final blocks. */
void replica_fail(struct kl_replica *r, kl_status status, const char *what);
/* On where there is a guard and no reason against it. */
void replica_signing(struct kl_replica *r);
u64 replica_now(const struct kl_replica *r);

/* Until all is done of what goes on evenly; UINT64_MAX: cannot be told. */
u64 replica_eta_s(u64 passed_ns, u64 done, u64 all);
u64 replica_random(struct kl_replica *r, u64 below);
/* What follows once an event has been dealt with: the engine hears of transactions, peers of our
 * height. */
void replica_settle(struct kl_replica *r);
/* Room for one more of count items of a size in a list that grows; false: no memory. */
bool replica_grow(void **list, usize count, usize *cap, usize size);
/* A copy of a certificate with signatures of its own, which are *signatures; false: no memory. */
bool replica_certificate_copy(kl_certificate *out, u8 **signatures,
                              const kl_certificate *certificate);

/* replica_effect.c */
void replica_carry(struct kl_replica *r, const kl_bft_effect *effect);

/* replica_candidate.c */
struct replica_candidate *replica_candidate_of(const struct kl_replica *r, const kl_hash *hash);
/* The candidate under a proposal's hash, made when it is not there; NULL: no memory. */
struct replica_candidate *replica_candidate_for(struct kl_replica *r, const kl_proposal *proposal);
/* Gives it its body, whose parts are those of `parts`; the reference is taken. */
void replica_candidate_read(struct kl_replica *r, struct replica_candidate *c,
                            struct replica_body *body, const kl_body *parts);
/* The body turned out to be none of this block's. */
void replica_candidate_unread(struct kl_replica *r, struct replica_candidate *c);
/* Room for a body of len bytes that nobody has executed, for a view; evicts what is farther ahead.
 */
bool replica_candidate_room(struct kl_replica *r, usize len, u64 view);
/* Bodies that are here for a view, or about to be. */
u32 replica_candidates_in(const struct kl_replica *r, u64 epoch, u64 view);
/* Final are all blocks up to the head: what can no longer be goes. */
void replica_candidates_prune(struct kl_replica *r);
/* A certificate says that the block may become final; views that came to nothing leave behind
 * blocks that may not. */
void replica_candidates_learn(struct kl_replica *r, const kl_vote_subject *subject);
void replica_candidates_done(struct kl_replica *r);
/* The engine asks for a verdict. */
void replica_execute(struct kl_replica *r, const kl_proposal *proposal);
/* Tells the watch of a candidate that gets no vote of ours. */
void replica_refused(struct kl_replica *r, const struct replica_candidate *c, kl_rule why);
/* A verdict can be given to everybody who waits for it. */
void replica_candidate_answer(struct kl_replica *r, struct replica_candidate *c);
/* Blocks that were ahead of our clock may not be any more. */
void replica_early(struct kl_replica *r);
/* A body is to be asked of a peer: that of the proposal, or of the nearest ancestor that lacks. */
void replica_want_body(struct kl_replica *r, const kl_proposal *proposal, u32 peer);

/* replica_tree.c: the execution lane's */
struct kl_tip *replica_tip(struct kl_replica *r, const kl_hash *hash); /* borrowed; NULL */
KL_MUST_USE kl_status replica_tip_add(struct kl_replica *r, struct kl_tip *tip);
void replica_tips_prune(struct kl_replica *r, u64 height);
void replica_tips_done(struct kl_replica *r);
/* The transactions of a tip that has its record. */
KL_MUST_USE kl_status replica_txs_of(struct kl_replica *r, const struct kl_tip *tip,
                                     struct replica_txs **out);
/* Whether the block's lists are those that its header binds: else somebody changed them. */
KL_MUST_USE kl_status replica_is_of_header(struct kl_replica *r, const kl_body *parts, bool *is);
/* What is known at the head of the senders of some blocks. */
KL_MUST_USE kl_status replica_facts_at(struct kl_replica *r, struct kl_tip *head,
                                       struct replica_txs *const *txs, usize count,
                                       replica_fact **out, usize *out_count);

/* replica_work.c */
void replica_judge(struct kl_replica *r, struct replica_candidate *c);
void replica_build(struct kl_replica *r, const kl_proposal *proposal);

/* replica_commit.c */
void replica_commit(struct kl_replica *r, const kl_proposal *proposal,
                    const kl_certificate *certificate);
/* Commits a final block and its ancestors if all are executed here; false: they are not. */
bool replica_commit_branch(struct kl_replica *r, const kl_proposal *proposal,
                           const kl_certificate *certificate);
/* Blocks up to head are appended and written; facts are of the senders in them. */
void replica_head_moved(struct kl_replica *r, struct kl_tip *head, const replica_fact *facts,
                        usize fact_count, u64 token);
void replica_show(struct kl_replica *r);
void replica_commits_done(struct kl_replica *r);

/* replica_barrier.c */
void replica_persist(struct kl_replica *r, const kl_certificate *certificate);
void replica_barrier(struct kl_replica *r, u64 token, const kl_proposal *with_body);
/* Everything so far becomes durable; then replica_epoch_due. */
void replica_log_mark(struct kl_replica *r, u64 epoch);
void replica_log_forget(struct kl_replica *r, kl_guard_view floor);
void replica_log_mend(struct kl_replica *r);
/* KL_BFT_SIGN, KL_BFT_RESERVE */
void replica_sign(struct kl_replica *r, const kl_bft_effect *effect);
void replica_reserve(struct kl_replica *r, u64 epoch, u64 view);
void replica_guard_raise(struct kl_replica *r, kl_guard_view floor);
/* See kl_guard_bar, kl_guard_trust. */
void replica_guard_bar(struct kl_replica *r);
void replica_guard_trust(struct kl_replica *r);
/* Gives what the engine's step has asked for. */
void replica_barrier_begin(struct kl_replica *r);
void replica_barrier_done(struct kl_replica *r);

/* replica_evidence.c */
void replica_report_add(struct kl_replica *r, const kl_evidence *evidence);
/* Our head has moved: what is due is looked at. */
void replica_reports_due(struct kl_replica *r);

/* replica_stall.c */
/* A final block breaks a rule here: we follow others than the network. */
void replica_refuse_final(struct kl_replica *r, u64 height, kl_rule rule);
void replica_stall_begin(struct kl_replica *r);
void replica_stall_look(struct kl_replica *r); /* due at stall.due_ns */
/* Another block than the pinned one is final at its height: nothing is, from there on. */
void replica_refuse_pin(struct kl_replica *r, const kl_hash *found);

/* replica_pool.c */
KL_MUST_USE kl_status replica_facts_of(struct kl_replica *r, const kl_address *sender,
                                       kl_pool_facts *out);
KL_MUST_USE kl_status replica_pool_follow(struct kl_replica *r);
u64 replica_gas_limit(const struct kl_replica *r, const kl_header *parent);
void replica_pool_facts(struct kl_replica *r, const replica_fact *facts, usize count);
KL_MUST_USE kl_status replica_facts_of(struct kl_replica *r, const kl_address *sender,
                                       kl_pool_facts *out);
void replica_pending(struct kl_replica *r);
void replica_pool_pass_time(struct kl_replica *r);
/* The branch from a block down to the head: its candidates' transactions; at most `most`. */
usize replica_branch(const struct kl_replica *r, const kl_hash *from,
                     const struct replica_txs **out, usize most);
enum { REPLICA_BRANCH_MAX = 64 };

/* replica_local.c */
KL_MUST_USE kl_status replica_local_open(struct kl_replica *r);
void replica_local_start(struct kl_replica *r);
void replica_local_done(struct kl_replica *r);
/* One that the pool has taken. */
void replica_local_add(struct kl_replica *r, const kl_tx *tx);
void replica_local_replaced(struct kl_replica *r, const kl_hash *hash);
void replica_local_final(struct kl_replica *r, const struct replica_txs *txs); /* NULL is fine */
/* Whether peers may not have heard of it yet. */
bool replica_local_is_fresh(const struct kl_replica *r, const kl_hash *hash);
/* All of them, for a peer that has just come. */
void replica_local_greet(struct kl_replica *r, u32 peer);
u64 replica_local_due_ns(const struct kl_replica *r);
void replica_local_tick(struct kl_replica *r);

/* replica_gossip.c */
void replica_gossip_init(struct kl_replica *r);
void replica_gossip_done(struct kl_replica *r);
void replica_gossip_own(struct kl_replica *r, kl_span envelope);
void replica_gossip_due(struct kl_replica *r);
void replica_gossip_hear(struct kl_replica *r, u32 peer, const kl_message *message);
/* One that was heard and is not in the pool yet, until the next event; empty: none. */
kl_span replica_gossip_find(const struct kl_replica *r, const kl_hash *hash);

/* replica_compact.c */
/* Sends a proposal of a block that was built here by its hashes; false: that is not worth it. */
bool replica_compact_send(struct kl_replica *r, u32 peer, const kl_vote *vote,
                          const struct replica_candidate *c);
void replica_compact_hear(struct kl_replica *r, u32 peer, const kl_message *message);
/* Whether what came along with a proposal is what its hashes say. */
bool replica_compact_is_given(const kl_compact *compact, const kl_message *m);
void replica_compact_serve(struct kl_replica *r, u32 peer, const kl_message *message);
void replica_compact_complete(struct kl_replica *r, u32 peer, const kl_message *message);
void replica_compact_due(struct kl_replica *r);
void replica_compact_done(struct kl_replica *r);

/* replica_peer.c */
/* Whether a body that parts are of may take room: the vote is that of a view's leader, it names the
 * block, and there is none yet. */
bool replica_may_keep(struct kl_replica *r, const kl_vote *vote, const kl_body *parts, usize len);
/* Takes a body whose header is read, and the reference; false: it is not kept. */
bool replica_keep(struct kl_replica *r, const kl_proposal *proposal, u32 peer,
                  struct replica_body *body, const kl_body *parts);
void replica_send(struct kl_replica *r, u32 peer, const kl_message *message);
/* What is found out by a job is the fault of who was there then: whoever came into its place
 * meanwhile has nothing to do with it. */
struct replica_who replica_who_is(const struct kl_replica *r, u32 peer);
bool replica_is_there(const struct kl_replica *r, struct replica_who who);
void replica_blame(struct kl_replica *r, u32 peer, u64 units);
/* A peer that can be asked: the one that is named, or one at random; KL_REPLICA_ALL: nobody. */
u32 replica_somebody(struct kl_replica *r, u32 peer);
void replica_status(struct kl_replica *r);

/* replica_relay.c: a frame that was heard goes on, where a sentry is to pass it on. */
void replica_relay(struct kl_replica *r, u32 from, const kl_message *m, kl_span frame);

/* replica_serve.c */
void replica_serve_body(struct kl_replica *r, u32 peer, const kl_hash *hash);
void replica_serve_blocks(struct kl_replica *r, u32 peer, u64 from, u64 to);
void replica_serve_log(struct kl_replica *r, u32 peer, u64 epoch, u64 from, u64 to);
void replica_serve_records(struct kl_replica *r, u32 peer, u64 from, u64 to);
void replica_serve_state(struct kl_replica *r, u32 peer, const kl_message *m);
void replica_serve_code(struct kl_replica *r, u32 peer, const kl_hash *hash);

/* replica_fetch.c */
void replica_fetch(struct kl_replica *r, const kl_fetch_event *event);
void replica_fetch_head(struct kl_replica *r);
/* A peer says how high it is. */
void replica_fetch_height(struct kl_replica *r, u32 peer, u64 height);
/* The engine heard of a final block whose ancestors are not here. */
void replica_sync(struct kl_replica *r, const kl_proposal *proposal,
                  const kl_certificate *certificate);

/* replica_epoch.c */
kl_bft_epoch replica_epoch_of(struct kl_replica *r, const struct kl_tip *tip);
/* What is durable may open the next epoch for the engine. */
void replica_epoch_due(struct kl_replica *r);

#endif
