/* chain_world: a dev chain in memory for tests: a disk of the simulator, a database in memory,
 * three rich accounts, and blocks made of transactions that a test lists. */
#ifndef KL_CHAIN_CHAIN_WORLD_PRIV_H
#define KL_CHAIN_CHAIN_WORLD_PRIV_H

#include "chain/chain.h"
#include "chain/reader.h"

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
};

/* A new world with a new chain. */
void world_init(struct world *w);
void world_done(struct world *w);
/* Closes the chain and opens it again; with forget_state the database is new and empty. */
void world_reopen(struct world *w, bool forget_state);
kl_status world_try_open(struct world *w);

/* A signed transaction of account `from` with the next nonce; to NULL creates. */
const kl_tx *world_tx(struct world *w, usize from, const kl_address *to, u64 value, kl_span data);

/* One block of the transactions, appended, written, synced and published; returns its number.  All
 * must be accepted unless refused is given. */
u64 world_block(struct world *w, const kl_tx *const *txs, usize count);

/* A dev operation as a step; the rule it breaks. */
kl_rule world_dev(struct world *w, const kl_devop *op);

void world_flush(struct world *w);
kl_u256 world_balance(struct world *w, const kl_address *address, u64 number);

#endif
