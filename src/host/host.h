/* host: the one place where the pure machines (pool, engine) meet storage, execution and time.
 *
 * Threads, made by node and lent to host through the *_run functions:
 *     execution   builds and imports blocks, applies dev operations; owns the chain's head
 *     ledger      makes what was written durable, publishes in node mode
 *     state       writes what is durable into the state database
 * Everything else is called from any thread.  Between them stand bounded rings and condition
 * variables: full means wait, and the chain's lag is the back-pressure.
 *
 * When a write or a sync of the ledger fails, the host stops making blocks for good, says so
 * through kl_host_health, and keeps answering reads.  Where that is KL_FULL, nothing but room is
 * missing: closed and opened again when there is some, it goes on. */
#ifndef KL_HOST_HOST_H
#define KL_HOST_HOST_H

#include "chain/chain.h"
#include "chain/reader.h"
#include "consensus/solo.h"
#include "txpool/txpool.h"

struct kl_host;

/* When is a block acknowledged (published)? */
typedef enum kl_durability {
    KL_DURABLE_NEVER, /* when it is built; nothing is synced (ephemeral chains) */
    KL_DURABLE_SOON,  /* when it is written; synced within sync_interval_ns */
    KL_DURABLE_EACH,  /* when it is synced */
} kl_durability;

typedef struct kl_host_config {
    kl_chain_config chain;
    kl_pool_config pool;
    kl_durability durability;
    u64 sync_interval_ns;
    bool automine;
    u64 interval_ns; /* between interval blocks, 0: none */
    bool on_demand;  /* an interval block only when transactions wait */
    bool fifo;       /* order by arrival instead of tip */
    kl_address coinbase;
    u64 gas_limit; /* the builder aims at; 0: the parent's */
    usize lag_max; /* bytes of unflushed state after which building waits */
    struct kl_clock *clock;
    struct kl_workers *workers;
    struct kl_code_cache *codes;
    u64 seed;
} kl_host_config;

/* Opens the chain (see kl_chain_open for failures and report); runs nothing yet. */
KL_MUST_USE kl_status kl_host_open(struct kl_host **out, const kl_host_config *config,
                                   struct kl_progress *progress, kl_chain_report *report);
/* All *_run have returned. */
void kl_host_close(struct kl_host *host);

/* Thread bodies; return after kl_host_stop, when what they owe is done: nothing acknowledged is
 * left unwritten, and the last sync and flush have happened. */
void kl_host_execution_run(struct kl_host *host);
void kl_host_ledger_run(struct kl_host *host);
void kl_host_state_run(struct kl_host *host);
void kl_host_stop(struct kl_host *host);

struct kl_chain *kl_host_chain(struct kl_host *host);

/* Why no blocks are made: KL_OK, or what failed. */
kl_status kl_host_health(struct kl_host *host);
/* No blocks are to be made any more, as if the disk had been found to be full. */
void kl_host_halt(struct kl_host *host);

/* Who brings a transaction may wait for the block with it. */
typedef enum kl_host_wait {
    KL_HOST_WAIT_NOT,
    KL_HOST_WAIT_AUTOMINE, /* while there is a block for each transaction */
    KL_HOST_WAIT_ALWAYS,
} kl_host_wait;

typedef struct kl_host_submission {
    kl_host_wait wait;
    u64 timeout_ns;
    bool only_new; /* see kl_pool_arrival */
} kl_host_submission;

/* Brings a transaction with sender into the pool.  When it is to wait, and the transaction became
 * pending, it returns after the block with it is published, or when there will be none soon: it was
 * dropped, its fee is too low for the next block, timeout_ns is over.  *broken: see kl_pool_add,
 * and what kept it out of a block for good while it was waited for.  What broke the host, when that
 * kept it out of a block. */
KL_MUST_USE kl_status kl_host_submit(struct kl_host *host, const kl_tx *tx,
                                     const kl_host_submission *how, kl_rule *broken);

/* The nonce a new transaction of sender should have, behind what is pending. */
KL_MUST_USE kl_status kl_host_next_nonce(struct kl_host *host, const kl_address *sender, u64 *out);

/* Makes count blocks now, `spacing` seconds of chain time apart (0: as the clock says); returns
 * when they are published. */
KL_MUST_USE kl_status kl_host_mine(struct kl_host *host, u64 count, u64 spacing);

/* Applies a dev operation; returns when it is published.  SNAPSHOT sets op->number. */
KL_MUST_USE kl_status kl_host_dev(struct kl_host *host, kl_devop *op, kl_rule *broken);

bool kl_host_automine(struct kl_host *host);
void kl_host_set_automine(struct kl_host *host, bool on);
u64 kl_host_interval(struct kl_host *host); /* 0: none */
void kl_host_set_interval(struct kl_host *host, u64 interval_ns);

/* The pool, locked for the duration of use(ctx, pool). */
void kl_host_with_pool(struct kl_host *host, void (*use)(void *ctx, struct kl_pool *pool),
                       void *ctx);

/* What the next block would be on top of the published head: for pending blocks and fee questions.
 */
void kl_host_next_block(struct kl_host *host, const struct kl_tip *head, kl_build_plan *out);

/* Hears of every published step and every transaction that became pending, in order, on the thread
 * that published it; must return quickly. */
struct kl_host_listener {
    void (*tip)(struct kl_host_listener *listener, struct kl_tip *tip);
    void (*pending)(struct kl_host_listener *listener, const kl_pool_tx *tx);
    /* A transaction was executed for a block that is being built, and is in it; the block is not
     * published yet, and may never be.  What result points to lives for the call.  NULL is fine. */
    void (*executed)(struct kl_host_listener *listener, const kl_tx *tx,
                     const kl_tx_result *result);
    /* No blocks are made any more, because of status; NULL is fine.  Must not call host. */
    void (*broken)(struct kl_host_listener *listener, kl_status status);
    struct kl_host_listener *next;
};
/* Before the threads start. */
void kl_host_listen(struct kl_host *host, struct kl_host_listener *listener);

#endif
