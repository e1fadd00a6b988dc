/* What block.c needs of tx_decode.c. */
#ifndef KL_TYPES_TX_PRIV_H
#define KL_TYPES_TX_PRIV_H

#include "types/tx.h"

/* Everything kl_tx_decode does but the hash, which a block computes for all its transactions at
 * once.  KL_NO_VERDICT (verdict_priv.h) when the arena is exhausted. */
kl_rule kl_tx_read(kl_tx *out, kl_span raw, kl_fork fork, struct kl_arena *arena);

#endif
