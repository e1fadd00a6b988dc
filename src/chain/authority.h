/* authority: the validator contract (contracts/Authority.sol) as the chain sees it: the account in
 * a genesis, what it is told in each block, and what it is asked at an epoch's end.
 *
 *     genesis            kl_authority_account: the account for the alloc
 *                        kl_authority_read on its state, with current NULL: the set of epoch 0
 *     a block begins     kl_authority_tell, before its first transaction
 *     an epoch ends      kl_authority_next_set, behind its last block's last change
 *     evidence           kl_authority_put_report: the calldata of an ordinary transaction
 *
 * A contract that is missing or fails never makes a block bad: the set stays, and whoever asked is
 * told what went wrong.  The contract's code is an artifact, contracts/authority.hex.
 * Where it lies a chain's genesis says (config.keel.bft.policy); kl_authority_address is the usual
 * place.  docs/internals/policy.md.  Thread: one at a time, that of exec. */
#ifndef KL_CHAIN_AUTHORITY_H
#define KL_CHAIN_AUTHORITY_H

#include "base/buf.h"
#include "cert/cert.h"
#include "exec/exec.h"
#include "types/genesis.h"

/* 0x0000000000000000000000000000000000004B01 */
extern const kl_address kl_authority_address;
/* What lies there from the genesis on; static storage. */
kl_span kl_authority_code_span(void);

/* What evidence does to whom it is against. */
typedef enum kl_authority_mode {
    KL_AUTHORITY_REPORT, /* an event, and no more */
    KL_AUTHORITY_EJECT,  /* it goes, unless it is the last */
} kl_authority_mode;

/* The validators that a genesis names; `seen` counts for nothing. */
typedef struct kl_authority_genesis {
    const kl_vote_scheme *scheme;
    kl_authority_mode mode;
    const kl_policy_entry *entries;
    usize count;
} kl_authority_genesis;

/* The account for a genesis' alloc, storage included, made by running the contract's initialize on
 * an empty state; everything lies in the arena.  *broken, *out untouched: VALSET_EMPTY,
 * VALSET_SIZE, or POLICY_LIST (the contract refuses the list: nobody as operator, an operator or
 * key twice, a weight of 0 or too much in all, a key or proof of the wrong length).  Whether keys
 * and proofs are good, kl_authority_read says.  KL_NOMEM. */
KL_MUST_USE kl_status kl_authority_account(kl_alloc *out, const kl_authority_genesis *genesis,
                                           struct kl_arena *arena, kl_rule *broken);

/* Writes an account as a member of a genesis file's alloc: "0x…": {"nonce": …, "code": …, …}. */
void kl_authority_put_alloc(struct kl_buf *out, const kl_alloc *account);

/* What the contract is told first of all in a block: its consensus header, who leads it, and the
 * hash of its epoch's set. */
typedef struct kl_authority_block {
    u64 epoch, view, parent_view, time_ms;
    kl_address leader; /* the operator */
    kl_hash set;
} kl_authority_block;
/* Inside a block of exec.  *done: there is such a contract, and its call went well. */
KL_MUST_USE kl_status kl_authority_tell(struct kl_exec *exec, const kl_address *contract,
                                        const kl_authority_block *block, bool *done);

/* What is to be told to people about an answer: not an error of the block. */
typedef struct kl_authority_alarm {
    bool missing;   /* no code at the address */
    kl_halt halt;   /* how the call ended; KL_HALT_NONE: well */
    kl_rule broken; /* what is wrong with the answer */
    u32 left_out;   /* entries that could be no validators */
} kl_authority_alarm;

static inline bool kl_authority_failed(const kl_authority_alarm *alarm)
{
    return alarm->missing || alarm->halt != KL_HALT_NONE || alarm->broken != KL_RULE_NONE;
}

/* Asks for the list as of exec's state, which the call leaves as it is; see kl_policy_decode.  *out
 * is untouched when kl_authority_failed(alarm).  KL_NOMEM. */
KL_MUST_USE kl_status kl_authority_read(kl_valset *out, struct kl_exec *exec,
                                        const kl_address *contract, const kl_valset *current,
                                        u64 epoch, bool tests, struct kl_arena *arena,
                                        kl_authority_alarm *alarm);

/* The set of epoch + 1: one step from current, epoch's set, towards the list; current itself when
 * kl_authority_failed(alarm).  What it views is current's or lies in the arena.  KL_NOMEM. */
KL_MUST_USE kl_status kl_authority_next_set(kl_valset *out, struct kl_exec *exec,
                                            const kl_address *contract, const kl_valset *current,
                                            u64 epoch, bool tests, struct kl_arena *arena,
                                            kl_authority_alarm *alarm);

/* Calldata of report(): evidence that has passed kl_evidence_check with set, the set of its epoch.
 * At most KL_AUTHORITY_REPORT_MAX bytes.  The contract takes it in that epoch and the next one,
 * once for each validator and epoch. */
#define KL_AUTHORITY_REPORT_MAX ((usize)48 << 10)
void kl_authority_put_report(kl_out *out, const kl_evidence *evidence, const kl_valset *set);

/* Calldata of ready(), which an operator sends: a candidate to take its seat, a validator to change
 * its keys or to say that it is there.  Operator, weight and `seen` count for nothing. */
void kl_authority_put_ready(kl_out *out, const kl_policy_entry *entry,
                            const kl_vote_scheme *scheme);

#endif
