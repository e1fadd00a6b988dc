#include "cli/validator_list.h"

#include <stdio.h>

#include "codec/abi.h"

static bool malformed(void)
{
    fprintf(stderr, "keel validator: the contract's answer makes no sense\n");
    return false;
}

static kl_rule read_list(struct kl_validator_list *out, kl_span answer)
{
    u64 scheme;
    kl_span elements = KL_SPAN_NONE;
    KL_JUDGE(kl_abi_u64(answer, 0, &scheme)); /* nobody asks for it here */
    KL_JUDGE(kl_abi_array(answer, 1, &out->count, &elements));
    if (out->count > KL_VALIDATORS_MAX)
        return KL_RULE_VALSET_SIZE;
    for (usize i = 0; i < out->count; i++) {
        kl_span tuple = KL_SPAN_NONE;
        KL_JUDGE(kl_abi_tail(elements, i, &tuple));
        KL_JUDGE(kl_abi_address(tuple, 0, &out->rows[i].operator));
        KL_JUDGE(kl_abi_u64(tuple, 1, &out->rows[i].weight));
        KL_JUDGE(kl_abi_u64(tuple, 2, &out->rows[i].seen));
    }
    return KL_RULE_NONE;
}

bool kl_validator_list_ask(struct kl_validator_list *out, struct kl_validator_chain *chain)
{
    kl_calldata data;
    kl_span answer;
    kl_calldata_begin(&data, "validators()");
    return kl_validator_ask(chain, kl_calldata_span(&data), &answer) &&
           (read_list(out, answer) == KL_RULE_NONE || malformed());
}

bool kl_validator_list_has(const struct kl_validator_list *list, const kl_address *operator)
{
    for (usize i = 0; i < list->count; i++)
        if (kl_address_eq(&list->rows[i].operator, operator))
            return true;
    return false;
}

/* The word that a function of one number gives. */
static bool ask_u64(struct kl_validator_chain *chain, const char *signature, u64 id, u64 *out)
{
    kl_calldata data;
    kl_span answer;
    kl_calldata_begin(&data, signature);
    kl_abi_put_u64(&data.out, id);
    return kl_validator_ask(chain, kl_calldata_span(&data), &answer) &&
           (kl_abi_u64(answer, 0, out) == KL_RULE_NONE || malformed());
}

bool kl_proposal_count(struct kl_validator_chain *chain, u64 *out)
{
    return ask_u64(chain, "proposalCount()", 0, out);
}

static kl_rule read_proposal(kl_proposal_row *out, kl_span answer)
{
    u64 passed = 0;
    KL_JUDGE(kl_abi_address(answer, 0, &out->target));
    KL_JUDGE(kl_abi_u64(answer, 1, &out->kind));
    KL_JUDGE(kl_abi_u64(answer, 2, &passed));
    KL_JUDGE(kl_abi_u64(answer, 3, &out->weight));
    out->passed = passed != 0;
    return kl_abi_u64(answer, 4, &out->until);
}

bool kl_proposal_ask(kl_proposal_row *out, struct kl_validator_chain *chain, u64 id)
{
    kl_calldata data;
    kl_span answer;
    out->id = id;
    kl_calldata_begin(&data, "proposals(uint256)");
    kl_abi_put_u64(&data.out, id);
    return kl_validator_ask(chain, kl_calldata_span(&data), &answer) &&
           (read_proposal(out, answer) == KL_RULE_NONE || malformed()) &&
           ask_u64(chain, "votesFor(uint256)", id, &out->votes);
}

bool kl_candidate_ask(u64 *until, struct kl_validator_chain *chain, const kl_address *operator)
{
    kl_calldata data;
    kl_span answer;
    kl_calldata_begin(&data, "candidates(address)");
    kl_abi_put_address(&data.out, operator);
    return kl_validator_ask(chain, kl_calldata_span(&data), &answer) &&
           (kl_abi_u64(answer, 1, until) == KL_RULE_NONE || malformed());
}
