/* fake: a backend without a chain and a table of methods of its own, for tests and fuzzing. */
#ifndef KL_RPC_FAKE_PRIV_H
#define KL_RPC_FAKE_PRIV_H

#include "rpc/method.h"

/* fake_add(a, b?), fake_big(bytes), fake_block(block?), fake_dev(), fake_echo(value?, more?),
 * fake_fail(code?), fake_revert(data?), fake_subscribe(topic), fake_unsubscribe(id), fake_wait(),
 * fake_until_expired(). */
extern const kl_rpc_table kl_fake_methods;

extern struct kl_rpc_backend kl_fake_backend;

/* Limits small enough to reach. */
kl_rpc_config kl_fake_config(void);

/* fake_wait answers once this has been set; fake_waiting is how many wait. */
extern _Atomic bool kl_fake_go;
extern _Atomic unsigned kl_fake_waiting;

#endif
