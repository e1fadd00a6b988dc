/* fixture_put: writing the parts that official tests of all kinds have in common. */
#ifndef KL_CLI_FIXTURE_PUT_H
#define KL_CLI_FIXTURE_PUT_H

#include "codec/json.h"
#include "types/genesis.h"

/* An account, as a member of the open object of a pre or post state. */
void kl_fixture_put_account(struct kl_json_out *out, const kl_alloc *account);

#endif
