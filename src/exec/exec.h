/* exec: transactions and blocks, applied to a journal.
 *
 * One struct kl_exec is one thread's machine: an EVM, a journal and an arena.  A block is
 *     kl_exec_begin   system calls before the first transaction, DAO fork
 *     kl_exec_tx …    judged and applied one after the other, a refused one leaves no trace
 *     kl_exec_end     rewards, withdrawals, requests
 * for building and for judging alike, so that the two cannot disagree.  What a block did lies in
 * the journal afterwards (state/commit.h makes a delta and a root of it) and in the receipts.
 *
 * Consensus-critical sums live in one small file each: intrinsic gas and floor (types/intrinsic.h),
 * fees.h (base fee, blob fee), reward.h; the EIP stands beside the line.
 *
 * Thread: one at a time. */
#ifndef KL_EXEC_EXEC_H
#define KL_EXEC_EXEC_H

#include "base/env.h"
#include "evm/evm.h"
#include "state/journal.h"
#include "types/types.h"

struct kl_exec;

typedef struct kl_exec_config {
    usize evm_memory_limit;      /* see kl_evm_config */
    usize journal_memory_limit;  /* see kl_journal_config */
    struct kl_code_cache *codes; /* may be shared by threads; NULL: none */
    u64 seed;                    /* of hash tables */
} kl_exec_config;

KL_MUST_USE kl_status kl_exec_new(struct kl_exec **out, const kl_exec_config *config);
void kl_exec_free(struct kl_exec *exec);

/* Hashes of earlier blocks, for BLOCKHASH; asked only for the last 256. */
struct kl_block_hashes {
    kl_status (*get)(struct kl_block_hashes *hashes, u64 number, kl_hash *out);
};

/* Where a block begins.  Of header these fields count: parent_hash, coinbase, difficulty, number,
 * gas_limit, timestamp, mix_hash, base_fee, excess_blob_gas, parent_beacon_root. */
typedef struct kl_exec_block {
    const kl_spec *spec;
    const kl_header *header;
    struct kl_state_reader *reader;
    struct kl_block_hashes *hashes;
    const kl_u256 *blob_base_fee; /* of calls that name one; NULL: what excess_blob_gas makes it */
} kl_exec_block;

/* The fork whose rules hold for a block with this header; on chains that come to Paris by total
 * difficulty, a difficulty of 0 says that they have. */
kl_fork kl_exec_fork(const kl_spec *spec, const kl_header *header);

/* Everything pointed to must stay until the next begin.  After any status but KL_OK, from begin, a
 * transaction, a call or end, the journal is of no use until the next begin. */
KL_MUST_USE kl_status kl_exec_begin(struct kl_exec *exec, const kl_exec_block *block);

/* The same without what belongs to a block as a whole (system calls, DAO fork): for calls and for
 * single transactions on top of a state. */
KL_MUST_USE kl_status kl_exec_enter(struct kl_exec *exec, const kl_exec_block *block);

/* What a transaction did.  Spans live until the next kl_exec_tx or _call. */
typedef struct kl_tx_result {
    kl_halt halt;        /* KL_HALT_NONE: success */
    u64 gas_used;        /* after refunds and floor: what is paid for */
    u64 refund;          /* what was taken off */
    kl_span output;      /* returned data, revert data, or deployed code */
    bool created;        /* a creation that went well: contract is where */
    kl_address contract; /* the address a creation was for */
    kl_u256 gas_price;   /* paid per gas */
    kl_receipt receipt;  /* logs view the block's arena: they live until the next begin */
} kl_tx_result;

/* Applies tx, which must have its sender.  *broken names the rule that keeps it out of this block
 * (TX_NONCE_LOW, TX_FUNDS, BLOCK_GAS …, or BLOCK_DEPOSIT: it ran, and what it logged no block can
 * hold [EIP-6110]), nothing has changed then; KL_RULE_NONE: it is in the
 * block. tracer may be NULL. */
KL_MUST_USE kl_status kl_exec_tx(struct kl_exec *exec, const kl_tx *tx, struct kl_tracer *tracer,
                                 kl_tx_result *out, kl_rule *broken);

/* How far the block has come. */
u64 kl_exec_gas_used(const struct kl_exec *exec);
u64 kl_exec_blob_gas_used(const struct kl_exec *exec);

/* What stands at the end of a block. */
typedef struct kl_exec_outcome {
    const kl_span *requests; /* type ‖ data, the non-empty ones, in order of type [EIP-7685] */
    usize request_count;
    kl_hash requests_hash; /* from Prague on */
} kl_exec_outcome;

/* Must this contract have code, and must its call go well, for a block to be good from Prague on
 * [EIP-7002, EIP-7251]? */
bool kl_exec_is_needed(const kl_address *contract);

/* Pays ommers and coinbase (before Paris), credits withdrawals, collects requests.  *broken: a
 * system contract is missing or fails. */
KL_MUST_USE kl_status kl_exec_end(struct kl_exec *exec, const kl_header *ommers, usize ommer_count,
                                  const kl_withdrawal *withdrawals, usize withdrawal_count,
                                  kl_exec_outcome *out, kl_rule *broken);

/* A call outside any block, for eth_call, eth_estimateGas and traces: like a transaction but
 * without checks of nonce, sender's code, EIP-7825's cap, the block's room and, when free, fees and
 * payments.  The journal keeps its changes until the next begin or enter, so that several calls can
 * follow one another.  A creation's address comes from the account's nonce, not from tx->nonce. */
typedef struct kl_call {
    const kl_tx *tx; /* sender set; max_fee and friends may be 0 */
    bool free;       /* GASPRICE and base fee read as given, nothing is paid */
    bool no_floor;   /* leave EIP-7623's floor out (never for estimates) */
} kl_call;
KL_MUST_USE kl_status kl_exec_call(struct kl_exec *exec, const kl_call *call,
                                   struct kl_tracer *tracer, kl_tx_result *out, kl_rule *broken);

/* A call that the protocol itself makes, outside any transaction: from 0xff…fe, an address nobody
 * has the key of, with gas of its own that no block counts [EIP-4788, EIP-2935].  One that fails
 * leaves the state as it was; logs belong to no receipt. */
#define KL_SYSTEM_GAS 30000000u
typedef struct kl_system_call {
    kl_address to;
    kl_span input;
    u64 gas;
    bool is_static; /* it changes nothing, or fails [EIP-214] */
} kl_system_call;
/* Between begin (or enter) and the next.  *called is false, and *out untouched, when there is no
 * code at the address; out->output lives until the next transaction or call. */
KL_MUST_USE kl_status kl_exec_system_call(struct kl_exec *exec, const kl_system_call *call,
                                          kl_evm_result *out, bool *called);

/* The journal behind it, for commit, state overrides and dev operations. */
struct kl_journal *kl_exec_journal(struct kl_exec *exec);

/* Stops a running transaction from another thread: KL_CANCELED. */
void kl_exec_cancel(struct kl_exec *exec);

#endif
