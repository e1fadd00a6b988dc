/* work: users who send transactions to machines at random, in order of nonces, and send them again
 * when they hear nothing; and what must be true of what is final. */
#ifndef KL_LAB_WORK_PRIV_H
#define KL_LAB_WORK_PRIV_H

#include "cert/policy.h"
#include "chain/reader.h"
#include "lab/world_priv.h"

void kl_lab_work_begin(struct kl_lab *lab);
void kl_lab_work_done(struct kl_lab *lab);

/* The genesis accounts: appended to a list of members of `alloc`. */
void kl_lab_work_alloc(struct kl_lab *lab, struct kl_buf *out);

/* Operators of validators, who vote about who validates: a call, of which each has at most one at a
 * time; and whether the last one is final, and how it went. */
kl_address kl_lab_work_operator(const struct kl_lab *lab, u32 validator);
void kl_lab_work_call(struct kl_lab *lab, u32 validator, const kl_address *to, kl_span data);
bool kl_lab_work_called(const struct kl_lab *lab, u32 validator, bool *went_well);

/* KL_LAB_USERS: something is sent, and the next time posted. */
void kl_lab_work_users(struct kl_lab *lab);
/* In calm weather: one transaction to each machine of the core, which must soon be final. */
void kl_lab_work_probe(struct kl_lab *lab);
/* A block has become final, the first time anywhere. */
void kl_lab_work_final(struct kl_lab *lab, const kl_stored_block *block);
/* A machine goes down: what it keeps for its users must be there when it comes back, and in a block
 * without their sending it again; but for what it loses with its data. */
void kl_lab_work_crashes(struct kl_lab_machine *machine);
void kl_lab_work_opened(struct kl_lab_machine *machine);
void kl_lab_work_forgets(struct kl_lab_machine *machine);
/* Sent and not final. */
u32 kl_lab_work_outstanding(const struct kl_lab *lab);
/* The oldest transaction of a probe that is not final: views since it was sent; 0: none. */
u64 kl_lab_work_probe_age(const struct kl_lab *lab);

/* --- govern.c --- */
/* With set changes: the contract's account, a member of `alloc` behind another one. */
void kl_lab_govern_alloc(struct kl_lab *lab, struct kl_buf *out);
/* What operators do next; and that they begin to vote somebody in, or out.  No change is under way.
 */
void kl_lab_govern(struct kl_lab *lab);
void kl_lab_govern_change(struct kl_lab *lab, u32 target);
/* Keys and proofs of a validator, as a genesis and the contract want them. */
struct kl_lab_keys {
    kl_policy_entry entry;
    u8 key_proof[KL_VOTE_PROOF_MAX], randao_proof[KL_RANDAO_PROOF_LEN];
};
void kl_lab_keys_of(const struct kl_lab *lab, u32 validator, struct kl_lab_keys *out);

#endif
