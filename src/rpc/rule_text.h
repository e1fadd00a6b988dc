/* rule_text: why a transaction is refused, in geth's words and with the numbers geth adds to them:
 * tools match on the words, people need the numbers. */
#ifndef KL_RPC_RULE_TEXT_H
#define KL_RPC_RULE_TEXT_H

#include "types/tx.h"

enum { KL_RULE_TEXT_MAX = 400 }; /* bytes with the NUL */

/* What a verdict on tx was about. */
typedef struct kl_tx_facts {
    const kl_tx *tx;
    kl_fork fork;
    u64 chain_id;
    u64 nonce;        /* of the sender's account */
    kl_u256 balance;  /* of the same */
    kl_u256 base_fee; /* of the block tx is for */
    kl_u256 blob_fee; /* of the same; the words of executing name it */
    usize code_len;   /* of the sender's code; the same */
} kl_tx_facts;

/* The words of executing it [geth core/state_transition]. */
void kl_rule_text_run(char out[KL_RULE_TEXT_MAX], const kl_tx_facts *facts, kl_rule rule);

/* The words of admitting it [geth core/txpool]. */
void kl_rule_text_pool(char out[KL_RULE_TEXT_MAX], const kl_tx_facts *facts, kl_rule rule);

#endif
