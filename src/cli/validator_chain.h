/* validator_chain: the validator contract behind a node's RPC: asked, and told by transactions.
 *
 * Thread: one.  What goes wrong is told on stderr where it happens, and false. */
#ifndef KL_CLI_VALIDATOR_CHAIN_H
#define KL_CLI_VALIDATOR_CHAIN_H

#include "base/wipe.h"
#include "cli/bench_node.h"

struct kl_validator_chain {
    struct kl_bench_node node;
    u64 chain_id;
    struct kl_arena arena; /* of the newest answer */
};

/* Calldata: a selector and words. */
typedef struct kl_calldata {
    u8 b[4 + 32 * 4];
    kl_out out;
} kl_calldata;
/* Begins with the selector of "propose(uint8,address,uint64)". */
void kl_calldata_begin(kl_calldata *data, const char *signature);
static inline kl_span kl_calldata_span(const kl_calldata *data)
{
    return kl_span_of(data->b, data->out.len);
}

KL_MUST_USE bool kl_validator_chain_open(struct kl_validator_chain *chain, const char *url);
void kl_validator_chain_close(struct kl_validator_chain *chain);

/* What the contract says; *answer lives until the next question. */
KL_MUST_USE bool kl_validator_ask(struct kl_validator_chain *chain, kl_span data, kl_span *answer);
/* A transaction of the account that has the secret, to the contract where to is NULL; waits until
 * it is final. */
KL_MUST_USE bool kl_validator_send(struct kl_validator_chain *chain, const kl_secret32 *secret,
                                   const kl_address *to, kl_u256 value, kl_span data);

kl_address kl_validator_account(const kl_secret32 *secret);

#endif
