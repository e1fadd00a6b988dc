/* policy_priv: looking at validators, for the two files of the policy. */
#ifndef KL_CERT_POLICY_PRIV_H
#define KL_CERT_POLICY_PRIV_H

#include "cert/policy.h"

/* NULL: none has this operator. */
static inline const kl_validator *kl_validator_find(const kl_validator *list, u32 count,
                                                    const kl_address *operator)
{
    for (u32 i = 0; i < count; i++)
        if (kl_address_eq(&list[i].operator, operator))
            return &list[i];
    return NULL;
}

static inline bool kl_validator_same_keys(const kl_validator *a, const kl_validator *b,
                                          const kl_vote_scheme *scheme)
{
    return memcmp(a->key, b->key, scheme->key_len) == 0 &&
           memcmp(a->randao_key, b->randao_key, sizeof a->randao_key) == 0;
}

#endif
