/* statetest_tx: the transaction of one case of a state test. */
#ifndef KL_CLI_STATETEST_TX_H
#define KL_CLI_STATETEST_TX_H

#include "cli/fixture.h"

/* Which of the transaction's alternatives a case takes. */
typedef struct kl_case_indexes {
    usize data, gas, value;
} kl_case_indexes;

/* The transaction with its sender.  With a non-empty `raw` (the case's txbytes) it is decoded from
 * there and its sender recovered, under the rules of fork; else it is put together from the
 * members of `transaction`.  *broken: it is none.  A member that makes no sense sets fixture->bad.
 */
KL_MUST_USE kl_status kl_statetest_tx(struct kl_fixture *fixture, kl_json_ref transaction,
                                      const kl_case_indexes *indexes, kl_span raw, kl_fork fork,
                                      kl_tx *out, kl_rule *broken);

/* The environment of a state test, as the header of the block it runs in. */
kl_header kl_statetest_env(struct kl_fixture *fixture, kl_json_ref env, kl_fork fork);

#endif
