/* validator_list: what the validator contract holds: validators, and proposals that are open. */
#ifndef KL_CLI_VALIDATOR_LIST_H
#define KL_CLI_VALIDATOR_LIST_H

#include "cert/valset.h"
#include "cli/validator_chain.h"

typedef enum kl_proposal_kind {
    KL_PROPOSAL_ADD,
    KL_PROPOSAL_REMOVE,
    KL_PROPOSAL_WEIGH,
} kl_proposal_kind;

typedef struct kl_proposal_row {
    u64 id;
    kl_address target;
    u64 kind, weight, until, votes;
    bool passed;
} kl_proposal_row;

struct kl_validator_list {
    usize count;
    struct {
        kl_address operator;
        u64 weight, seen;
    } rows[KL_VALIDATORS_MAX];
};

KL_MUST_USE bool kl_validator_list_ask(struct kl_validator_list *out,
                                       struct kl_validator_chain *chain);
bool kl_validator_list_has(const struct kl_validator_list *list, const kl_address *operator);

/* How many proposals there ever were; and one of them. */
KL_MUST_USE bool kl_proposal_count(struct kl_validator_chain *chain, u64 *out);
KL_MUST_USE bool kl_proposal_ask(kl_proposal_row *out, struct kl_validator_chain *chain, u64 id);

/* Until when, in seconds since 1970, an accepted candidate may take its seat; 0: it is none. */
KL_MUST_USE bool kl_candidate_ask(u64 *until, struct kl_validator_chain *chain,
                                  const kl_address *operator);

#endif
