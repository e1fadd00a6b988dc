/* chain_priv: what the files of chain share: the chain itself, tips, and the steps between them. */
#ifndef KL_CHAIN_CHAIN_PRIV_H
#define KL_CHAIN_CHAIN_PRIV_H

#include "chain/block_cache_priv.h"
#include "chain/chain.h"
#include "chain/checkpoint.h"
#include "chain/index.h"
#include "chain/reader.h"
#include "chain/record.h"

#define KL_RECORD_LIMIT ((usize)KL_SEGLOG_RECORD_MAX)
#define KL_STEP_ARENA   ((usize)4 << 30) /* what one step may take: above what gas can buy */
#define KL_STEP_KEEP    ((usize)8 << 20) /* of it kept for the next step */

struct kl_chain {
    struct kl_fs *fs;
    struct kl_workers *workers;
    struct kl_senders *senders; /* or NULL */
    kl_spec spec;
    kl_hash genesis_hash;
    bool keep_preimages, tests;
    u64 keep_blocks, keep_history;
    kl_pin pin;
    kl_consensus_header first_consensus; /* of the genesis, where validators vote */
    struct kl_epoch *first_epoch;
    struct kl_seglog *ledger;
    struct kl_state *state;
    struct kl_block_cache blocks; /* for readers */
    struct kl_arena arena;        /* the execution thread's, for the step being made */
    struct kl_tip *head;          /* the execution thread's */

    /* The newest checkpoint, and from which version on another may be tried; the state thread's. */
    bool has_checkpoint;
    u64 checkpoint_version, checkpoint_head, checkpoint_again;

    kl_mutex lock; /* guards what follows */
    struct kl_tip *published;
    struct kl_tip *oldest, *newest; /* appended and not in the database, linked by next */
    struct kl_tip *to_publish;      /* the first of them that readers do not see */
    u64 written;                    /* versions below are written */
    u64 flushed;                    /* the database's version */
    bool has_flushed;
    usize delta_bytes;
    u64 drop_below; /* ledger records that may go, at the next append */
    bool hurry;     /* see kl_chain_hurry */
};

#define KL_EVM_MEMORY ((usize)4 << 30) /* address space; gas bounds what is touched */

#define KL_LEDGER_DIR  "ledger"
#define KL_HISTORY_DIR "history"

/* open.c: a chain with nothing in it but what the config says.  KL_NOMEM. */
KL_MUST_USE kl_status kl_chain_new(struct kl_chain **out, const kl_chain_config *config);

/* spec.c: where the chain begins: with its first record, or with a checkpoint, the newest or the
 * oldest that the ledger leads on from.  KL_CORRUPT with *damage filled; *broken: the first record
 * is none.  All that *out points to is in the arena. */
typedef struct kl_start {
    kl_span genesis; /* payload of the first record */
    bool from_checkpoint;
    kl_checkpoint checkpoint;
} kl_start;
KL_MUST_USE kl_status kl_chain_find_start(struct kl_chain *chain, bool newest,
                                          struct kl_arena *arena, kl_seglog_report *damage,
                                          kl_start *out, kl_rule *broken);
/* The rules that the genesis sets.  *broken: the record is not good. */
KL_MUST_USE kl_status kl_chain_learn_spec(struct kl_chain *chain, kl_span genesis,
                                          struct kl_arena *arena, kl_rule *broken);

/* open.c: the ledger's block where the pinned one belongs, if it has one there, is that: else
 * KL_UNSUPPORTED with off_pin. */
KL_MUST_USE kl_status kl_chain_check_pin(struct kl_chain *chain, struct kl_arena *arena,
                                         kl_chain_report *report);

/* restore.c: fills config's database from a checkpoint, opens it as the chain's state, checks all
 * of it; *out is the tip it stands at.  KL_CORRUPT with the report filled. */
KL_MUST_USE kl_status kl_chain_restore(struct kl_chain *chain, const kl_state_config *config,
                                       const kl_checkpoint *checkpoint, struct kl_arena *arena,
                                       kl_seglog_report *report, struct kl_tip **out);

/* roll.c: executes the ledger's records from behind the head to the end and flushes them, each
 * judged as strictly as a block from outside.  KL_CORRUPT with bad_rule: the record bad_version is
 * not what execution makes of it; with ledger.damage: it cannot be read; with neither: the database
 * is damaged. */
struct kl_verify_watch;
struct kl_roll {
    struct kl_progress *progress;
    struct kl_verify_watch *watch; /* or NULL */
    u64 end;                       /* behind the last record; 0: the ledger's */
    bool (*go_on)(void *ctx);      /* NULL; or false ends it behind a record, as behind the last */
    void *ctx;
    u64 versions, blocks, transactions, gas; /* executed */
    u64 unexecuted;                          /* judged by kl_chain_judge_unexecuted */
    u64 bad_version, bad_block;              /* the last one looked at */
    kl_rule bad_rule;
    kl_seglog_report ledger;
    struct kl_arena records;
};
KL_MUST_USE kl_status kl_chain_roll(struct kl_chain *chain, struct kl_roll *roll);

/* unexecuted.c: judges the ledger's records below `end` without a state: what each says by itself
 * and how they hang together.  Fails like kl_chain_roll. */
KL_MUST_USE kl_status kl_chain_judge_unexecuted(struct kl_chain *chain, u64 end,
                                                struct kl_roll *roll);
/* The same for the signatures of the epoch in which the ledger begins, whose validators nothing but
 * the chain's state knows. */
KL_MUST_USE kl_status kl_chain_judge_signatures(struct kl_chain *chain, u64 end,
                                                struct kl_roll *roll);

/* head.c: the tip that the database stands at.  KL_CORRUPT: damage has what is wrong with the
 * ledger; when it has nothing, the database is not this ledger's, or damaged. */
KL_MUST_USE kl_status kl_chain_find_head(struct kl_chain *chain, u64 version,
                                         struct kl_arena *arena, kl_seglog_report *damage,
                                         struct kl_tip **out);

/* open.c: the tip that the database stands at becomes the head of a chain that has none. */
void kl_chain_stand_at(struct kl_chain *chain, struct kl_tip *tip);

/* chain.c */
/* Makes tip, which is appended or stands in the ledger already, the head, and queues it. */
void kl_chain_take_head(struct kl_chain *chain, struct kl_tip *tip);
/* Flushes one batch of what is published and below version end. */
KL_MUST_USE kl_status kl_chain_flush_to(struct kl_chain *chain, u64 end, bool *more);

/* retain.c: lets go of what need not be kept, behind a flush. */
KL_MUST_USE kl_status kl_chain_retain(struct kl_chain *chain);

/* tip.c */
/* A tip for a step on top of parent (NULL for the genesis), with parent's header and dev
 * environment; the record is empty.  KL_NOMEM. */
KL_MUST_USE kl_status kl_tip_new(struct kl_tip **out, const struct kl_tip *parent, kl_step step);
/* Gives the tip a dev environment of its own. */
KL_MUST_USE kl_status kl_tip_set_dev(struct kl_tip *tip, const kl_dev_env *env);
void kl_tip_unrefp(struct kl_tip **tip);

/* A view of any version, in memory or in history. */
KL_MUST_USE kl_status kl_chain_view_at(struct kl_chain *chain, u64 version, struct kl_view **out);

/* genesis.c: step 0.  The genesis must be the one chain->spec came from. */
KL_MUST_USE kl_status kl_genesis_tip(struct kl_chain *chain, const kl_genesis *genesis,
                                     kl_span text, struct kl_tip **out);

/* step.c: ends a block's step: indexes, record, delta.  The builder is gone afterwards. */
typedef struct kl_step_votes {
    kl_consensus_header consensus;
    struct kl_epoch *next; /* that begins behind the block, or NULL */
    bool policy_failed;
} kl_step_votes;
KL_MUST_USE kl_status kl_step_seal_block(const struct kl_tip *parent,
                                         struct kl_delta_builder *builder, const kl_block *block,
                                         const kl_receipt *receipts,
                                         const kl_step_votes *votes, /* NULL: nobody does */
                                         struct kl_tip **out);

/* revert.c: the step that goes back to a snapshot. */
KL_MUST_USE kl_status kl_step_revert(struct kl_chain *chain, struct kl_tip *parent,
                                     const kl_devop *op, struct kl_tip **out, kl_rule *broken);

/* replay.c: makes the step that a ledger record tells of, on top of parent, and judges everything
 * the record says.  *broken names what is wrong with it. */
KL_MUST_USE kl_status kl_replay_record(struct kl_chain *chain, struct kl_run *run,
                                       struct kl_tip *parent, const kl_record *record,
                                       struct kl_tip **out, kl_rule *broken);

#endif
