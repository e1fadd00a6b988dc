/* oracle: what must never happen, judged without the engine's own predicates, from all that honest
 * machines signed, sent and showed as final, before and after crashes.  Numbers are those of the
 * test programme:
 *
 *    1  one block for a height, over all honest machines ever
 *    2  no view is nullified and final
 *    3  no view has two notarized blocks
 *    4  a final block stands on the final block below it, in a later view, and each view between
 *       them was nullified
 *    5  what is final was notarized
 *    6  certificates carry a quorum of distinct valid weight, of their own epoch
 *    7  no honest key signs two conflicting messages
 *    8  what was shown as final is there after any crash
 *    9  every final block executes to its header, everywhere
 *   10  evidence names only the faulty, and whoever goes on equivocating is named
 *   11  nothing grows beyond its bound
 *   12  where agreement is broken, more than F weight can be shown to have lied
 *
 * and 0: the chain is live once the weather is calm, transactions come in, and nothing that was
 * damaged by nobody is called damaged. */
#ifndef KL_LAB_ORACLE_PRIV_H
#define KL_LAB_ORACLE_PRIV_H

#include "lab/world_priv.h"

/* Interesting events.  A campaign that never reached one has a hole. */
#define KL_LAB_SOMETIMES(X)                                                  \
    X(FINAL, "a block was final", 1)                                         \
    X(NULLIFIED, "a view was nullified", 2)                                  \
    X(BOTH, "a view was notarized and nullified", 4)                         \
    X(GAP, "a final block's parent was not of the view before", 2)           \
    X(RESTART, "a machine came back from a crash", 1)                        \
    X(MIDWAY, "power went out in the middle of a job", 1)                    \
    X(LOST_COMMIT, "the state database lost its newest commit", 1)           \
    X(REBUILT, "the state database was made again from the ledger", 1)       \
    X(REPLAYED, "opening executed blocks again", 1)                          \
    X(TORN, "a torn tail was cut", 1)                                        \
    X(BEHIND, "a machine opened below what it had shown, and caught up", 4)  \
    X(FETCHED, "blocks were fetched by height", 3)                           \
    X(ASKED_CERTIFICATES, "certificates were asked for", 3)                  \
    X(ASKED_BODY, "a body was asked for", 4)                                 \
    X(EPOCH, "an epoch ended", 1)                                            \
    X(REPROPOSED, "an epoch's last block was proposed again", 2)             \
    X(EVIDENCE, "evidence was found", 4)                                     \
    X(PENALTY, "a peer was named as one that breaks rules", 4)               \
    X(ALL_DOWN, "all machines were down at once", 1)                         \
    X(DISK_FAILED, "a disk failed under a running machine", 1)               \
    X(DAMAGED, "a damaged log was found at opening", 1)                      \
    X(WIPED, "a machine came back with an empty data folder", 3)             \
    X(FILLED, "a wiped machine took the others' state", 3)                   \
    X(OLD_COPY, "a machine came back from an old copy", 3)                   \
    X(TRANSACTION, "a transaction was final", 1)                             \
    X(FAILED_TRANSACTION, "a transaction failed and was final", 1)           \
    X(OBSERVED, "an observer followed", 3)                                   \
    X(REBUILT_BODY, "a block was rebuilt from the pool", 3)                  \
    X(COMPLETED_BODY, "a block was rebuilt with what had been asked for", 3) \
    X(GAVE_UP_BODY, "a block that could not be rebuilt was asked for", 3)    \
    X(PASSED_ON, "transactions of one were passed on by another", 3)         \
    X(OWN_BACK, "a machine came back with a transaction of its user's", 1)   \
    X(FORK, "more than F have forked the chain, and were named", 4)
typedef enum kl_lab_sometimes {
#define KL_LAB_SOMETIMES_X(NAME, text, least) KL_LAB_SAW_##NAME,
    KL_LAB_SOMETIMES(KL_LAB_SOMETIMES_X)
#undef KL_LAB_SOMETIMES_X
        KL_LAB_SOMETIMES_COUNT,
} kl_lab_sometimes;

void kl_lab_saw(struct kl_lab *lab, kl_lab_sometimes what);

/* Before the first machine starts; first: of epoch 0. */
void kl_lab_oracle_begin(struct kl_lab *lab, struct kl_epoch *first);
void kl_lab_oracle_done(struct kl_lab *lab);

/* What machines do, told as it happens. */
void kl_lab_oracle_signs(struct kl_lab_machine *machine, const kl_vote *vote);
void kl_lab_oracle_sends(struct kl_lab_machine *machine, const struct kl_lab_frame *frame);
void kl_lab_oracle_final(struct kl_lab_machine *machine, struct kl_tip *tip);
void kl_lab_oracle_found(struct kl_lab_machine *machine, const kl_evidence *evidence);
/* A machine has opened again after a crash; promised: what it showed must be there. */
void kl_lab_oracle_opened(struct kl_lab_machine *machine, bool promised);

/* Bounds, now and then. */
void kl_lab_oracle_look(struct kl_lab *lab);

/* The highest final block of all, and the set of an epoch that has begun; NULL else. */
u64 kl_lab_oracle_height(const struct kl_lab *lab);
const kl_valset *kl_lab_oracle_set(const struct kl_lab *lab, u64 epoch);

#endif
