/* chain_world: a dev chain in memory for tests: a disk of the simulator, a database in memory,
 * three rich accounts, and blocks made of transactions that a test lists. */
#ifndef KL_CHAIN_CHAIN_WORLD_PRIV_H
#define KL_CHAIN_CHAIN_WORLD_PRIV_H

#include "chain/chain.h"
#include "chain/reader.h"
#include "chain/verify.h"

struct kl_sim_disk;

struct world {
    struct kl_sim_disk *disk;
    struct kl_kv *kv;
    struct kl_chain *chain;
    struct kl_exec *exec;
    struct kl_run *run;
    struct kl_arena arena; /* transactions of the test */
    kl_chain_report report;
    kl_address account[3];
    u64 nonce[3]; /* of the next transaction */
    u64 time;     /* of the next block */
    usize segment_bytes;
    u64 keep_blocks, keep_history;
    bool no_snapshots;                /* the story takes none */
    const kl_withdrawal *withdrawals; /* of the next blocks */
    usize withdrawal_count;
};

/* A new world with a new chain. */
void world_init(struct world *w);
void world_done(struct world *w);
/* The same in two parts: between them segment_bytes and what is kept can be set. */
void world_init_bare(struct world *w);
void world_begin(struct world *w);
/* Closes the chain and opens it again; with forget_state the database is new and empty. */
void world_reopen(struct world *w, bool forget_state);
kl_status world_try_open(struct world *w);

/* A signed transaction of account `from` with the next nonce; to NULL creates. */
const kl_tx *world_tx(struct world *w, usize from, const kl_address *to, u64 value, kl_span data);

/* One block of the transactions, appended, written, synced and published; returns its number.  All
 * must be accepted unless refused is given. */
u64 world_block(struct world *w, const kl_tx *const *txs, usize count);

/* The same, not appended; plan may be NULL. */
struct kl_tip *world_build(struct world *w, const kl_tx *const *txs, usize count,
                           const kl_build_plan *plan);
/* Appends, writes, syncs and publishes the tip, which is given up. */
void world_take(struct world *w, struct kl_tip *tip);

/* A dev operation as a step; the rule it breaks. */
kl_rule world_dev(struct world *w, const kl_devop *op);

void world_flush(struct world *w);
/* Signs tx, whose fields are set, as account `from`; fills in chain id and nonce. */
const kl_tx *world_sign(struct world *w, usize from, const kl_tx *fields);
/* Takes the accounts' nonces and the time from the chain's head. */
void world_refresh(struct world *w);

/* The next step of a life that has everything in it: blocks of transactions of several types,
 * withdrawals, logs and failures, every dev operation, reverts.  Not appended. */
struct kl_tip *world_next_step(struct world *w, u64 *seed);

/* Where the record of block number lies. */
kl_status world_place(struct world *w, u64 number, u64 *version, char file[KL_PATH_MAX + 1],
                      u64 *offset);

/* Verifies the ledger on the disk, which must not change by it. */
void world_verify(struct kl_sim_disk *disk, kl_verify_result *result);

kl_u256 world_balance(struct world *w, const kl_address *address, u64 number);

#endif
