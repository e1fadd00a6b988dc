/* work: users who send transactions to machines at random, in order of nonces, and send them again
 * when they hear nothing; and what must be true of what is final. */
#ifndef KL_LAB_WORK_PRIV_H
#define KL_LAB_WORK_PRIV_H

#include "chain/reader.h"
#include "lab/world_priv.h"

void kl_lab_work_begin(struct kl_lab *lab);
void kl_lab_work_done(struct kl_lab *lab);

/* The genesis accounts: appended to a list of members of `alloc`. */
void kl_lab_work_alloc(struct kl_lab *lab, struct kl_buf *out);

/* KL_LAB_USERS: something is sent, and the next time posted. */
void kl_lab_work_users(struct kl_lab *lab);
/* In calm weather: one transaction to each machine of the core, which must soon be final. */
void kl_lab_work_probe(struct kl_lab *lab);
/* A block has become final, the first time anywhere. */
void kl_lab_work_final(struct kl_lab *lab, const kl_stored_block *block);
/* Sent and not final. */
u32 kl_lab_work_outstanding(const struct kl_lab *lab);
/* The oldest transaction of a probe that is not final: views since it was sent; 0: none. */
u64 kl_lab_work_probe_age(const struct kl_lab *lab);

#endif
