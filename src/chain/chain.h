/* chain: blocks become a ledger, and the ledger becomes state.
 *
 * The ledger is a seglog in which every record is one step: record v makes version v of the state.
 * Record 0 is the genesis; the others are blocks and, on dev chains, dev operations and reverts.
 * The ledger is the truth; the state database is a cache of it that carries, as its anchor, the
 * version it stands at: opening executes every later record again and compares every root.
 *
 * A step is made in four movements, so that solo chains, BFT chains and imports share them:
 *     kl_chain_build / _judge / _dev   executes on top of a parent, gives a tip: nothing is stored
 *     kl_chain_append                  the tip becomes the ledger's next record, in memory
 *     kl_chain_write, kl_chain_sync    it survives the process, it survives a power cut
 *     kl_chain_publish                 readers see it
 * and behind them, at its own pace, kl_chain_flush writes what is synced into the state database.
 *
 *   chain.h    opening, steps, publishing          rules.h, judge.h  what makes a block good
 *   reader.h   looking things up as of one tip     difficulty.h      proof-of-work's sum
 *   record.h   the ledger's records                verify.h          the whole ledger judged again
 *   devop.h    dev operations                      checkpoint.h      the state in one file
 *   bft.h      what stands beside the blocks       pin.h             a block that must be there
 *              of a chain whose validators vote
 *
 * Threads: build, judge, dev and append on the execution thread; write there or on the ledger
 * thread; sync on the ledger thread; flush on the state thread; readers anywhere. */
#ifndef KL_CHAIN_CHAIN_H
#define KL_CHAIN_CHAIN_H

#include "base/buf.h"
#include "base/env.h"
#include "base/sync.h"
#include "chain/bft.h"
#include "chain/devop.h"
#include "chain/pin.h"
#include "chain/run.h"
#include "state/state.h"
#include "types/types.h"

struct kl_chain;

typedef struct kl_chain_config {
    struct kl_fs *fs; /* ledger/, history/ and checkpoint/ lie under it */
    struct kl_kv *kv; /* the state database, opened with kl_state_table_names */
    struct kl_workers *workers;
    kl_span genesis; /* text of the genesis file; may be empty when the ledger exists */
    usize segment_bytes;
    bool keep_preimages;
    bool tests;                 /* take a genesis that names the vote scheme for tests */
    struct kl_senders *senders; /* remembered ones, which may be shared; NULL: none are */
    /* Where validators vote: a block that the chain must contain.  Opening compares the ledger with
     * it, as far as that still has the block; who appends compares what it appends. */
    kl_pin pin;
    /* What is kept, in blocks; 0 keeps all.  Whole segments go. */
    u64 keep_blocks, keep_history;
} kl_chain_config;

/* What opening found. */
typedef struct kl_chain_report {
    kl_seglog_report ledger; /* a tear that was cut, or damage */
    kl_file_fault genesis;   /* what is wrong with the genesis text */
    bool other_genesis;      /* the ledger belongs to another genesis */
    bool off_pin;            /* it has another block than the pinned one, `found` */
    kl_hash found;
    u64 pin_kept; /* the oldest block that is kept, where the pinned one is below it and cannot be
                     compared; or 0 */
    bool rebuilt; /* the state database was empty and was made again */
    u64 replayed; /* steps executed again */
    u64 bad_version; /* a record that does not execute to what it says; 0 for none */
    kl_rule bad_rule;
} kl_chain_report;

/* Called now and then while opening replays: version of last. */
struct kl_progress {
    void (*step)(struct kl_progress *progress, u64 version, u64 last);
};

/* Opens, or creates from the genesis.  KL_UNSUPPORTED with off_pin or other_genesis.  KL_CORRUPT:
 * the ledger is bad when the report has damage or a bad rule.  When it has neither, the state
 * database cannot be used (damaged, or another ledger's) and is the caller's to delete; the ledger
 * never is.  A bad rule may also come of a database that is wrong without knowing it: whoever gets
 * one deletes the database and opens once more before believing it. */
KL_MUST_USE kl_status kl_chain_open(struct kl_chain **out, const kl_chain_config *config,
                                    struct kl_progress *progress, kl_chain_report *report);
/* No thread may be inside the chain any more.  Does not sync. */
void kl_chain_close(struct kl_chain *chain);

const kl_spec *kl_chain_spec(const struct kl_chain *chain);
const kl_hash *kl_chain_genesis_hash(const struct kl_chain *chain);
const kl_pin *kl_chain_pin(const struct kl_chain *chain);

/* One step's result: immutable, shared by reference. */
typedef enum kl_step {
    KL_STEP_GENESIS,
    KL_STEP_BLOCK,
    KL_STEP_DEV,
    KL_STEP_REVERT,
} kl_step;

struct kl_tip {
    kl_refs refs;
    kl_step step;
    u64 version;      /* and the sequence number of its ledger record */
    kl_header header; /* of the head block as of this step */
    kl_hash hash;
    u64 tx_count;                  /* of the block, when the step is one */
    struct kl_delta *delta;        /* NULL for the tip found at open */
    struct kl_dev_state *dev;      /* what dev operations have set; NULL on other chains */
    struct kl_epoch *epoch;        /* of the blocks that follow; NULL where nobody votes */
    kl_consensus_header consensus; /* of the head block, where validators vote */
    bool policy_failed;   /* of an epoch's last block: the validator contract said nothing of use */
    struct kl_buf record; /* the ledger record's payload, until it is appended */
    struct kl_tip *next;  /* the chain's own */
};

/* A dev environment that tips share; immutable. */
struct kl_dev_state {
    kl_refs refs;
    kl_dev_env env;
};

struct kl_tip *kl_tip_ref(struct kl_tip *tip);
void kl_tip_unref(struct kl_tip *tip); /* NULL is fine */

/* The newest appended tip; execution thread.  A reference of the caller's own. */
struct kl_tip *kl_chain_head(struct kl_chain *chain);
/* The newest published tip; any thread. */
struct kl_tip *kl_chain_published(struct kl_chain *chain);

/* A view of the state after tip; KL_NOTFOUND when history does not reach it any more. */
KL_MUST_USE kl_status kl_chain_view(struct kl_chain *chain, const struct kl_tip *tip,
                                    struct kl_view **out);

/* What a new block should be. */
typedef struct kl_build_plan {
    u64 timestamp;
    u64 gas_limit;
    kl_address coinbase;
    kl_hash mix_hash; /* prevRandao */
    kl_hash parent_beacon_root;
    kl_span extra_data; /* at most 32 bytes */
    bool has_base_fee;  /* dev chains: overrides the parent's consequence */
    kl_u256 base_fee;
    const kl_withdrawal *withdrawals;
    usize withdrawal_count;
    u64 tx_max;             /* most transactions; UINT64_MAX for no bound */
    const kl_bft_plan *bft; /* where validators vote: timestamp, mix_hash, parent_beacon_root and
                               extra_data follow from it */
} kl_build_plan;

/* Where its transactions come from, best first; all have senders. */
struct kl_tx_source {
    /* The next candidate, or NULL.  gas_left is what the block can still hold. */
    const kl_tx *(*next)(struct kl_tx_source *source, u64 gas_left);
    /* What became of the last one: KL_RULE_NONE it is in; BLOCK_GAS and the like: not now; any
     * other rule: not on this chain. */
    void (*done)(struct kl_tx_source *source, const kl_tx *tx, const kl_tx_result *result,
                 kl_rule broken);
};

/* Executes a new block on top of parent, which need not be appended.  KL_CANCELED when its kl_exec
 * was canceled, and, as of judging, when parent stands on a branch that lost: another block of its
 * height, or of an ancestor's, is in the state database. */
KL_MUST_USE kl_status kl_chain_build(struct kl_chain *chain, struct kl_run *run,
                                     struct kl_tip *parent, const kl_build_plan *plan,
                                     struct kl_tx_source *source, struct kl_tip **out);

/* Judges a block from outside on top of parent and executes it.  block is its RLP, or, where
 * validators vote, its body (bft.h).  *broken names the rule, and there is no tip then. */
KL_MUST_USE kl_status kl_chain_judge(struct kl_chain *chain, struct kl_run *run,
                                     struct kl_tip *parent, kl_span block, struct kl_tip **out,
                                     kl_rule *broken);

/* Applies a dev operation on top of parent.  DEV_FORBIDDEN on a chain whose spec lacks dev;
 * DEV_SNAPSHOT for an unknown snapshot; DEV_GAS_LIMIT and DEV_SYSTEM_CODE for what no block could
 * follow. */
KL_MUST_USE kl_status kl_chain_dev(struct kl_chain *chain, struct kl_run *run,
                                   struct kl_tip *parent, const kl_devop *op, struct kl_tip **out,
                                   kl_rule *broken);

/* The tip, whose parent must be the head (asserted), becomes the head. */
KL_MUST_USE kl_status kl_chain_append(struct kl_chain *chain, struct kl_tip *tip);
/* The same where validators vote.  finalization, which has been checked, names the tip's block; it
 * is kept beside it.  NULL: the block is final through a later one of its epoch, so never an
 * epoch's last (asserted). */
KL_MUST_USE kl_status kl_chain_append_final(struct kl_chain *chain, struct kl_tip *tip,
                                            const kl_certificate *finalization);

/* After a failure of either, the ledger is broken: no further step is possible, reads go on. */
KL_MUST_USE kl_status kl_chain_write(struct kl_chain *chain);
KL_MUST_USE kl_status kl_chain_sync(struct kl_chain *chain);

/* Readers see every tip that is written (or, with durable, synced).  Each newly seen tip is given
 * to each(ctx, tip) in order, before the call returns. */
void kl_chain_publish(struct kl_chain *chain, bool durable,
                      void (*each)(void *ctx, struct kl_tip *tip), void *ctx);

/* Writes what is published and synced (without durable: written) into the state database, and drops
 * what retention allows.  *more: there is already more to do. */
KL_MUST_USE kl_status kl_chain_flush(struct kl_chain *chain, bool durable, bool *more);

/* The chain is about to be closed: no checkpoint is begun any more, one that is being written is
 * given up.  Any thread. */
void kl_chain_hurry(struct kl_chain *chain);

/* How far behind the head things are, for back-pressure and metrics. */
typedef struct kl_chain_lag {
    u64 head, written, synced, flushed; /* versions */
    usize delta_bytes;                  /* held in memory */
} kl_chain_lag;
void kl_chain_lag_of(struct kl_chain *chain, kl_chain_lag *out);

#endif
