/* exec_priv: what the files of exec share: the machine itself and its steps. */
#ifndef KL_EXEC_EXEC_PRIV_H
#define KL_EXEC_EXEC_PRIV_H

#include "exec/exec.h"

/* The EVM's world over the journal; an account handle is a kl_jaccount. */
struct exec_host {
    struct kl_evm_host host;
    struct kl_exec *exec;
};
void kl_exec_host_init(struct exec_host *host, struct kl_exec *exec);

struct kl_exec {
    struct kl_evm *evm;
    struct kl_journal *journal;
    struct kl_code_cache *codes; /* may be NULL */
    struct exec_host host;
    struct kl_arena arena; /* lives from begin to begin: receipts' logs, requests */

    /* the block */
    const kl_spec *spec;
    const kl_header *header;
    struct kl_block_hashes *hashes; /* may be NULL */
    kl_evm_block block;
    u64 blob_gas_limit;
    u64 gas_used, blob_gas_used;
    struct kl_buf deposits; /* request data of type 0 so far [EIP-6110] */
};

/* Gas units and wei that a transaction's price is made of. */
#define KL_BLOB_GAS 131072u /* of one blob [EIP-4844] */

/* What is left out of the checks and the payments. */
struct apply_mode {
    bool is_call; /* no transaction of a block: neither nonce, sender code nor block room count */
    bool free;    /* nothing is paid */
    bool no_floor;
};

/* tx_judge.c: the rule that keeps tx out, KL_RULE_NONE for none.  *gas and *floor are the intrinsic
 * gas and the least that will be paid for. */
KL_MUST_USE kl_status kl_exec_judge(struct kl_exec *exec, const kl_tx *tx,
                                    const struct apply_mode *mode, kl_jaccount *sender, u64 *gas,
                                    u64 *floor, kl_rule *broken);

/* authorize.c: applies the list of a set-code transaction; *refund is what existing authorities
 * give back [EIP-7702]. */
KL_MUST_USE kl_status kl_exec_authorize(struct kl_exec *exec, const kl_tx *tx, u64 *refund);
/* True, and *target set, when code is a delegation designator. */
KL_MUST_USE bool kl_delegation(kl_address *target, kl_span code);

/* request.c: collects deposits from a transaction's logs; makes the list at the end of a block.
 * *broken: BLOCK_DEPOSIT, and none of them is collected. */
KL_MUST_USE kl_status kl_exec_collect_deposits(struct kl_exec *exec, const kl_log_entry *logs,
                                               usize count, kl_rule *broken);
KL_MUST_USE kl_status kl_exec_requests(struct kl_exec *exec, kl_exec_outcome *out, kl_rule *broken);

/* dao.c: moves the DAO's balances [EIP-779]. */
KL_MUST_USE kl_status kl_exec_dao(struct kl_exec *exec);

/* credit: adds amount to the balance; the account exists afterwards and counts as touched. */
void kl_exec_credit(struct kl_exec *exec, kl_jaccount *account, kl_u256 amount);

static inline bool kl_exec_clears_empty(const struct kl_exec *exec)
{
    return exec->block.fork >= KL_SPURIOUS; /* [EIP-161] */
}

#endif
