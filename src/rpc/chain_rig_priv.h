/* chain_rig: a small dev chain in memory behind the methods, for tests that ask them through
 * kl_jsonrpc_serve.  Osaka, chain id 31337, three accounts with keys 1, 2, 3 and 1 ether each; a
 * block for each transaction unless automine is off, when transactions wait in a pool that knows
 * no rule but the order of nonces. */
#ifndef KL_RPC_CHAIN_RIG_PRIV_H
#define KL_RPC_CHAIN_RIG_PRIV_H

#include "chain/chain.h"
#include "chain/reader.h"
#include "rpc/backend.h"
#include "rpc/filter.h"
#include "rpc/worker_priv.h"

enum { RIG_ACCOUNTS = 3, RIG_POOL_MAX = 16 };

/* 0x…cc and so on: where tests put contracts. */
#define RIG_C "0x00000000000000000000000000000000000000cc"
#define RIG_D "0x00000000000000000000000000000000000000dd"

struct vote_rig;

struct chain_rig {
    struct kl_rpc_backend backend;
    struct kl_sim_disk *disk;
    struct kl_kv *kv;
    struct kl_chain *chain;
    struct kl_exec *exec;
    struct kl_run *run;
    struct kl_arena arena; /* transactions, and what tests hold */
    kl_address account[RIG_ACCOUNTS];
    char text[RIG_ACCOUNTS][43]; /* the same in EIP-55's spelling */
    u64 time;                    /* of the next block */
    bool automine;
    kl_status health; /* KL_FULL has a reason */
    kl_tx pool[RIG_POOL_MAX];
    usize pool_count;
    kl_rpc_submission submission; /* the last one */
    kl_rule refusal;              /* what the next submission breaks, once */
    struct vote_rig *votes;       /* who votes; NULL: a dev chain */
    kl_rpc_syncing syncing;
    kl_rpc_history history;
    kl_rpc_config config;
    struct kl_rpc_core core;
    struct kl_rpc_worker worker;
    struct kl_buf sent, out;
};

void chain_rig_init(struct chain_rig *rig);
/* The same with three validators who vote, and epochs of so many blocks.  Every third block but an
 * epoch's last is final through the next one. */
void chain_rig_init_voting(struct chain_rig *rig, u64 epoch_blocks);
void chain_rig_done(struct chain_rig *rig);

/* The answer behind its id: "\"result\":…" or "\"error\":…", good until the next call. */
kl_span chain_rig_ask(struct chain_rig *rig, const char *method, const char *params);
/* The same, params in printf's manner. */
kl_span chain_rig_askf(struct chain_rig *rig, const char *method, const char *params, ...)
    KL_PRINTF(3, 4);
/* The answer is want. */
void chain_rig_check(struct chain_rig *rig, const char *method, const char *params,
                     const char *want);
/* The last answer is want; has text in it. */
void chain_rig_answered(const struct chain_rig *rig, const char *want);
void chain_rig_has(const struct chain_rig *rig, const char *text);

/* Puts code (hex) at an address. */
void chain_rig_code(struct chain_rig *rig, const char *address, const char *code);
/* The validators of a chain that votes: config.keel's members; what a block is to be built with;
 * and appending it, finalized. */
struct vote_rig *vote_rig_new(u64 epoch_blocks);
void vote_rig_free(struct vote_rig *votes); /* NULL is fine */
void vote_rig_put_config(const struct vote_rig *votes, struct kl_buf *out);
void vote_rig_plan(struct vote_rig *votes, struct kl_chain *chain, const struct kl_tip *head,
                   kl_build_plan *plan);
void vote_rig_append(struct vote_rig *votes, struct kl_chain *chain, struct kl_tip *tip);

/* A block of whatever the pool has. */
void chain_rig_mine(struct chain_rig *rig);

/* A signed EIP-1559 transaction of account `from` with its next nonce, in the pool; to NULL
 * creates.  It is in a block at once while automine is on.  Returns its hash. */
kl_hash chain_rig_send(struct chain_rig *rig, usize from, const kl_address *to, u64 value,
                       kl_span data);

/* The result of a call, params in printf's manner, or its error object; the test fails when it is
 * the other. */
kl_span chain_rig_result(struct chain_rig *rig, const char *method, const char *params, ...)
    KL_PRINTF(3, 4);
kl_span chain_rig_error(struct chain_rig *rig, const char *method, const char *params, ...)
    KL_PRINTF(3, 4);
/* A member of an object, strings without their quotes; empty when it is missing. */
kl_span chain_rig_member(struct chain_rig *rig, kl_span object, const char *name);
/* The number in a member that is a quantity. */
u64 chain_rig_number(struct chain_rig *rig, kl_span object, const char *name);
/* How many elements an array has. */
usize chain_rig_count(struct chain_rig *rig, kl_span array);

#endif
